// Every screen, one line each. A screen is a file that is loaded when somebody goes there.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from '@tanstack/react-router';
import { Problem } from './api/problem';
import { Idle } from './session/Idle';
import { endSession, hasSession, isBereft } from './session/session';
import type { Role } from './session/me';
import { staffWords } from './words/i18n';
import { Shell } from './shell/Shell';
import { Broken, NotFound } from './shell/failures';
import { Skeleton } from './ui/Loading';
import { SignIn } from './screens/sign-in/SignIn';

/** A screen's file. Where there is no connection to load it, it comes once there is one. */
const screen: typeof lazyRouteComponent = (load, name) =>
  lazyRouteComponent(
    () => load().catch(async () => {
      if (navigator.onLine) throw Problem.unanswered();
      await new Promise((back) => { addEventListener('online', back, { once: true }); });
      return load();
    }),
    name,
  );

const root = createRootRoute({
  beforeLoad: async () => {
    if (!isBereft()) return;
    // The page has what somebody read: it goes before anything else is shown.
    await endSession('ended');
    await new Promise(() => undefined);
  },
  component: () => <><Outlet /><Idle /></>,
  notFoundComponent: NotFound,
  errorComponent: Broken,
});

// Before somebody is signed in: nobody else signs in where somebody is
const onlySignedOut = () => {
  if (hasSession()) throw redirect({ to: '/' });
};
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: ({ ended, next }): { ended?: string; next?: string } => ({
    ...(typeof ended === 'string' && { ended }),
    // A screen of the app, and nowhere else.
    ...(typeof next === 'string' && /^\/[\w-][\w/-]*$/.test(next) && { next }),
  }),
  beforeLoad: onlySignedOut,
  component: SignIn,
});
const activate = createRoute({
  getParentRoute: () => root,
  path: '/activate',
  beforeLoad: onlySignedOut,
  component: screen(() => import('./screens/sign-in/Activate'), 'Activate'),
});
const forgotten = createRoute({
  getParentRoute: () => root,
  path: '/forgotten-password',
  beforeLoad: onlySignedOut,
  component: screen(() => import('./screens/sign-in/Forgotten'), 'Forgotten'),
});

// Afterwards
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  beforeLoad: () => {
    if (!hasSession()) throw redirect({ to: '/sign-in', replace: true });
  },
  component: Shell,
  notFoundComponent: NotFound,
});
const anybody = { getParentRoute: () => shell };
const within = { ...anybody, staticData: { roles: ['patient'] as Role[] } };

const home = createRoute({ ...anybody, path: '/', component: screen(() => import('./screens/home/Home'), 'Home') });
const security = createRoute({ ...anybody, path: '/security', component: screen(() => import('./screens/profile/Security'), 'Security') });
const confirmAddress = createRoute({ ...anybody, path: '/confirm-address', component: screen(() => import('./screens/profile/ConfirmAddress'), 'ConfirmAddress') });
const labResults = createRoute({ ...within, path: '/lab-results', component: screen(() => import('./screens/labs/LabResults'), 'LabResults') });
const labResult = createRoute({ ...within, path: '/lab-results/$result', component: screen(() => import('./screens/labs/LabResult'), 'LabResult') });
const prescriptions = createRoute({ ...within, path: '/prescriptions', component: screen(() => import('./screens/prescriptions/Prescriptions'), 'Prescriptions') });
const healthRecord = createRoute({ ...within, path: '/health-record', component: screen(() => import('./screens/record/HealthRecord'), 'HealthRecord') });
const section = createRoute({ ...within, path: '/health-record/$section', component: screen(() => import('./screens/record/Section'), 'Section') });
const documents = createRoute({ ...within, path: '/documents', component: screen(() => import('./screens/documents/Documents'), 'Documents') });
const document_ = createRoute({ ...within, path: '/documents/$document', component: screen(() => import('./screens/documents/OneDocument'), 'OneDocument') });
const copies = createRoute({ ...within, path: '/copies', component: screen(() => import('./screens/exports/Copies'), 'Copies') });
const whoLooked = createRoute({ ...within, path: '/who-looked', component: screen(() => import('./screens/access/WhoLooked'), 'WhoLooked') });
const appointments = createRoute({
  ...within,
  path: '/appointments',
  validateSearch: (search): { shown?: 'waitlist' } => (search['shown'] === 'waitlist' ? { shown: 'waitlist' } : {}),
  component: screen(() => import('./screens/appointments/Appointments'), 'Appointments'),
});
const newAppointment = createRoute({ ...within, path: '/appointments/new', component: screen(() => import('./screens/appointments/NewAppointment'), 'NewAppointment') });
const joinWaitlist = createRoute({ ...within, path: '/appointments/waitlist', component: screen(() => import('./screens/appointments/JoinWaitlist'), 'JoinWaitlist') });
const appointment = createRoute({ ...within, path: '/appointments/$appointment', component: screen(() => import('./screens/appointments/OneAppointment'), 'OneAppointment') });
const messages = createRoute({ ...within, path: '/messages', component: screen(() => import('./screens/messages/Messages'), 'Messages') });
const newThread = createRoute({ ...within, path: '/messages/new', component: screen(() => import('./screens/messages/NewThread'), 'NewThread') });
const messageSafety = createRoute({ ...within, path: '/messages/protection', component: screen(() => import('./screens/messages/Protection'), 'Protection') });
const thread = createRoute({ ...within, path: '/messages/$thread', component: screen(() => import('./screens/messages/Thread'), 'Thread') });
const proxies = createRoute({ ...within, path: '/proxies', component: screen(() => import('./screens/proxies/Proxies'), 'Proxies') });
const corrections = createRoute({ ...within, path: '/corrections', component: screen(() => import('./screens/corrections/Corrections'), 'Corrections') });
const profile = createRoute({ ...within, path: '/profile', component: screen(() => import('./screens/profile/Profile'), 'Profile') });

// For the practice
const staff = createRoute({ ...anybody, id: 'staff', beforeLoad: staffWords });
const forProviders = { getParentRoute: () => staff, staticData: { roles: ['provider'] as Role[] } };
const forOfficers = { getParentRoute: () => staff, staticData: { roles: ['privacy-officer'] as Role[] } };
const forAdmins = { getParentRoute: () => staff, staticData: { roles: ['admin'] as Role[] } };

const availability = createRoute({ ...forProviders, path: '/availability', component: screen(() => import('./screens/staff/Availability'), 'Availability') });
const waiting = createRoute({ ...forProviders, path: '/waiting', component: screen(() => import('./screens/staff/Waiting'), 'Waiting') });
const patients = createRoute({ ...forProviders, path: '/patients', component: screen(() => import('./screens/staff/Patients'), 'Patients') });
const patientRecord = createRoute({ ...forProviders, path: '/patients/$patient', component: screen(() => import('./screens/staff/Summary'), 'Summary') });
const patientEmergency = createRoute({ ...forProviders, path: '/patients/$patient/emergency', component: screen(() => import('./screens/staff/Emergency'), 'Emergency') });
const patientLabs = createRoute({ ...forProviders, path: '/patients/$patient/lab-results', component: screen(() => import('./screens/staff/Labs'), 'Labs') });
const patientLab = createRoute({ ...forProviders, path: '/patients/$patient/lab-results/$result', component: screen(() => import('./screens/staff/Lab'), 'Lab') });
const patientPrescriptions = createRoute({ ...forProviders, path: '/patients/$patient/prescriptions', component: screen(() => import('./screens/staff/Medicines'), 'Medicines') });
const patientSections = createRoute({ ...forProviders, path: '/patients/$patient/health-record', component: screen(() => import('./screens/staff/Sections'), 'Sections') });
const patientSection = createRoute({ ...forProviders, path: '/patients/$patient/health-record/$section', component: screen(() => import('./screens/staff/Sections'), 'Entries') });
const patientDocuments = createRoute({ ...forProviders, path: '/patients/$patient/documents', component: screen(() => import('./screens/staff/Papers'), 'Papers') });
const patientDocument = createRoute({ ...forProviders, path: '/patients/$patient/documents/$document', component: screen(() => import('./screens/staff/Papers'), 'Paper') });
const patientProfile = createRoute({ ...forProviders, path: '/patients/$patient/profile', component: screen(() => import('./screens/staff/Person'), 'Person') });
const patientTeam = createRoute({ ...forProviders, path: '/patients/$patient/care-team', component: screen(() => import('./screens/staff/CareTeam'), 'CareTeam') });
const patientVisit = createRoute({ ...forProviders, path: '/patients/$patient/visits/$appointment', component: screen(() => import('./screens/staff/Visit'), 'Visit') });
const inbox = createRoute({ ...forProviders, path: '/inbox', component: screen(() => import('./screens/staff/Inbox'), 'Inbox') });
const patientThreads = createRoute({ ...forProviders, path: '/patients/$patient/threads', component: screen(() => import('./screens/staff/Threads'), 'Threads') });
const patientThread = createRoute({ ...forProviders, path: '/patients/$patient/threads/$thread', component: screen(() => import('./screens/staff/PatientThread'), 'PatientThread') });
const refills = createRoute({ ...forProviders, path: '/refills', component: screen(() => import('./screens/staff/Refills'), 'Refills') });
const holds = createRoute({ ...forOfficers, path: '/lab-holds', component: screen(() => import('./screens/staff/Holds'), 'Holds') });
const auditLog = createRoute({ ...forOfficers, path: '/audit-log', component: screen(() => import('./screens/staff/AuditLog'), 'AuditLog') });
const disclosures = createRoute({ ...forOfficers, path: '/disclosures', component: screen(() => import('./screens/staff/Disclosures'), 'Disclosures') });
const concern = createRoute({ ...forOfficers, path: '/concerns/$concern', component: screen(() => import('./screens/staff/OneConcern'), 'OneConcern') });
const invitation = createRoute({ ...forAdmins, path: '/users/invite', component: screen(() => import('./screens/staff/Invitation'), 'Invitation') });
const codes = createRoute({ ...forAdmins, path: '/activation-codes', component: screen(() => import('./screens/staff/Codes'), 'Codes') });
const requests = createRoute({
  getParentRoute: () => staff,
  staticData: { roles: ['provider', 'privacy-officer'] },
  path: '/correction-requests',
  component: screen(() => import('./screens/staff/CorrectionRequests'), 'CorrectionRequests'),
});

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    activate,
    forgotten,
    shell.addChildren([
      home, security, confirmAddress, labResults, labResult, prescriptions, healthRecord, section, documents, document_, copies, whoLooked, profile,
      appointments, newAppointment, joinWaitlist, appointment, messages, newThread, messageSafety, thread, proxies, corrections,
      staff.addChildren([
        availability, waiting, patients, patientRecord, patientEmergency, patientLabs, patientLab, patientPrescriptions,
        patientSections, patientSection, patientDocuments, patientDocument, patientProfile, patientTeam, patientVisit, inbox,
        patientThreads, patientThread, refills, holds, auditLog, disclosures, concern, invitation, codes, requests,
      ]),
    ]),
  ]),
  // Every read is in the audit log: nothing is read before somebody asks for it.
  defaultPreload: false,
  // Of another visit, another screen: it is announced, and begins with nothing of the one before.
  defaultRemountDeps: ({ params }) => params,
  scrollRestoration: false,
  defaultPendingComponent: Skeleton,
  defaultNotFoundComponent: NotFound,
  defaultErrorComponent: Broken,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
  interface StaticDataRouteOption {
    /** Whose screen it is; everybody's without it. */
    roles?: Role[];
  }
}
