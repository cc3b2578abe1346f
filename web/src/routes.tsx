// Every screen, one line each. A screen is a file that is loaded when somebody goes there.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { hasSession } from './session/session';
import type { Role } from './session/me';
import { staffWords } from './words/i18n';
import { Shell } from './shell/Shell';
import { Broken, NotFound } from './shell/failures';
import { SignIn } from './screens/sign-in/SignIn';

const root = createRootRoute({ notFoundComponent: NotFound, errorComponent: Broken });

// Before somebody is signed in
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  validateSearch: (search): { ended?: string } => (typeof search['ended'] === 'string' ? { ended: search['ended'] } : {}),
  beforeLoad: () => {
    if (hasSession()) throw redirect({ to: '/' });
  },
  component: SignIn,
});
const activate = createRoute({
  getParentRoute: () => root,
  path: '/activate',
  component: lazyRouteComponent(() => import('./screens/sign-in/Activate'), 'Activate'),
});
const forgotten = createRoute({
  getParentRoute: () => root,
  path: '/forgotten-password',
  component: lazyRouteComponent(() => import('./screens/sign-in/Forgotten'), 'Forgotten'),
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

const home = createRoute({ ...anybody, path: '/', component: lazyRouteComponent(() => import('./screens/home/Home'), 'Home') });
const security = createRoute({ ...anybody, path: '/security', component: lazyRouteComponent(() => import('./screens/profile/Security'), 'Security') });
const confirmAddress = createRoute({ ...anybody, path: '/confirm-address', component: lazyRouteComponent(() => import('./screens/profile/ConfirmAddress'), 'ConfirmAddress') });
const labResults = createRoute({ ...within, path: '/lab-results', component: lazyRouteComponent(() => import('./screens/labs/LabResults'), 'LabResults') });
const labResult = createRoute({ ...within, path: '/lab-results/$result', component: lazyRouteComponent(() => import('./screens/labs/LabResult'), 'LabResult') });
const prescriptions = createRoute({ ...within, path: '/prescriptions', component: lazyRouteComponent(() => import('./screens/prescriptions/Prescriptions'), 'Prescriptions') });
const healthRecord = createRoute({ ...within, path: '/health-record', component: lazyRouteComponent(() => import('./screens/record/HealthRecord'), 'HealthRecord') });
const section = createRoute({ ...within, path: '/health-record/$section', component: lazyRouteComponent(() => import('./screens/record/Section'), 'Section') });
const documents = createRoute({ ...within, path: '/documents', component: lazyRouteComponent(() => import('./screens/documents/Documents'), 'Documents') });
const document_ = createRoute({ ...within, path: '/documents/$document', component: lazyRouteComponent(() => import('./screens/documents/OneDocument'), 'OneDocument') });
const copies = createRoute({ ...within, path: '/copies', component: lazyRouteComponent(() => import('./screens/exports/Copies'), 'Copies') });
const whoLooked = createRoute({ ...within, path: '/who-looked', component: lazyRouteComponent(() => import('./screens/access/WhoLooked'), 'WhoLooked') });
const appointments = createRoute({
  ...within,
  path: '/appointments',
  validateSearch: (search): { shown?: 'waitlist' } => (search['shown'] === 'waitlist' ? { shown: 'waitlist' } : {}),
  component: lazyRouteComponent(() => import('./screens/appointments/Appointments'), 'Appointments'),
});
const newAppointment = createRoute({ ...within, path: '/appointments/new', component: lazyRouteComponent(() => import('./screens/appointments/NewAppointment'), 'NewAppointment') });
const joinWaitlist = createRoute({ ...within, path: '/appointments/waitlist', component: lazyRouteComponent(() => import('./screens/appointments/JoinWaitlist'), 'JoinWaitlist') });
const appointment = createRoute({ ...within, path: '/appointments/$appointment', component: lazyRouteComponent(() => import('./screens/appointments/OneAppointment'), 'OneAppointment') });
const messages = createRoute({ ...within, path: '/messages', component: lazyRouteComponent(() => import('./screens/messages/Messages'), 'Messages') });
const newThread = createRoute({ ...within, path: '/messages/new', component: lazyRouteComponent(() => import('./screens/messages/NewThread'), 'NewThread') });
const messageSafety = createRoute({ ...within, path: '/messages/protection', component: lazyRouteComponent(() => import('./screens/messages/Protection'), 'Protection') });
const thread = createRoute({ ...within, path: '/messages/$thread', component: lazyRouteComponent(() => import('./screens/messages/Thread'), 'Thread') });
const proxies = createRoute({ ...within, path: '/proxies', component: lazyRouteComponent(() => import('./screens/proxies/Proxies'), 'Proxies') });
const corrections = createRoute({ ...within, path: '/corrections', component: lazyRouteComponent(() => import('./screens/corrections/Corrections'), 'Corrections') });
const profile = createRoute({ ...within, path: '/profile', component: lazyRouteComponent(() => import('./screens/profile/Profile'), 'Profile') });

// For the practice
const staff = createRoute({ ...anybody, id: 'staff', beforeLoad: staffWords });
const forProviders = { getParentRoute: () => staff, staticData: { roles: ['provider'] as Role[] } };
const forOfficers = { getParentRoute: () => staff, staticData: { roles: ['privacy-officer'] as Role[] } };
const forAdmins = { getParentRoute: () => staff, staticData: { roles: ['admin'] as Role[] } };

const availability = createRoute({ ...forProviders, path: '/availability', component: lazyRouteComponent(() => import('./screens/staff/Availability'), 'Availability') });
const waiting = createRoute({ ...forProviders, path: '/waiting', component: lazyRouteComponent(() => import('./screens/staff/Waiting'), 'Waiting') });
const patients = createRoute({ ...forProviders, path: '/patients', component: lazyRouteComponent(() => import('./screens/staff/Patients'), 'Patients') });
const patientRecord = createRoute({ ...forProviders, path: '/patients/$patient', component: lazyRouteComponent(() => import('./screens/staff/Summary'), 'Summary') });
const patientEmergency = createRoute({ ...forProviders, path: '/patients/$patient/emergency', component: lazyRouteComponent(() => import('./screens/staff/Emergency'), 'Emergency') });
const patientLabs = createRoute({ ...forProviders, path: '/patients/$patient/lab-results', component: lazyRouteComponent(() => import('./screens/staff/Labs'), 'Labs') });
const patientLab = createRoute({ ...forProviders, path: '/patients/$patient/lab-results/$result', component: lazyRouteComponent(() => import('./screens/staff/Lab'), 'Lab') });
const patientPrescriptions = createRoute({ ...forProviders, path: '/patients/$patient/prescriptions', component: lazyRouteComponent(() => import('./screens/staff/Medicines'), 'Medicines') });
const patientSections = createRoute({ ...forProviders, path: '/patients/$patient/health-record', component: lazyRouteComponent(() => import('./screens/staff/Sections'), 'Sections') });
const patientSection = createRoute({ ...forProviders, path: '/patients/$patient/health-record/$section', component: lazyRouteComponent(() => import('./screens/staff/Sections'), 'Entries') });
const patientDocuments = createRoute({ ...forProviders, path: '/patients/$patient/documents', component: lazyRouteComponent(() => import('./screens/staff/Papers'), 'Papers') });
const patientDocument = createRoute({ ...forProviders, path: '/patients/$patient/documents/$document', component: lazyRouteComponent(() => import('./screens/staff/Papers'), 'Paper') });
const patientProfile = createRoute({ ...forProviders, path: '/patients/$patient/profile', component: lazyRouteComponent(() => import('./screens/staff/Person'), 'Person') });
const patientTeam = createRoute({ ...forProviders, path: '/patients/$patient/care-team', component: lazyRouteComponent(() => import('./screens/staff/CareTeam'), 'CareTeam') });
const patientVisit = createRoute({ ...forProviders, path: '/patients/$patient/visits/$appointment', component: lazyRouteComponent(() => import('./screens/staff/Visit'), 'Visit') });
const inbox = createRoute({ ...forProviders, path: '/inbox', component: lazyRouteComponent(() => import('./screens/staff/Inbox'), 'Inbox') });
const patientThreads = createRoute({ ...forProviders, path: '/patients/$patient/threads', component: lazyRouteComponent(() => import('./screens/staff/Threads'), 'Threads') });
const patientThread = createRoute({ ...forProviders, path: '/patients/$patient/threads/$thread', component: lazyRouteComponent(() => import('./screens/staff/PatientThread'), 'PatientThread') });
const refills = createRoute({ ...forProviders, path: '/refills', component: lazyRouteComponent(() => import('./screens/staff/Refills'), 'Refills') });
const holds = createRoute({ ...forOfficers, path: '/lab-holds', component: lazyRouteComponent(() => import('./screens/staff/Holds'), 'Holds') });
const auditLog = createRoute({ ...forOfficers, path: '/audit-log', component: lazyRouteComponent(() => import('./screens/staff/AuditLog'), 'AuditLog') });
const disclosures = createRoute({ ...forOfficers, path: '/disclosures', component: lazyRouteComponent(() => import('./screens/staff/Disclosures'), 'Disclosures') });
const concern = createRoute({ ...forOfficers, path: '/concerns/$concern', component: lazyRouteComponent(() => import('./screens/staff/OneConcern'), 'OneConcern') });
const invitation = createRoute({ ...forAdmins, path: '/users/invite', component: lazyRouteComponent(() => import('./screens/staff/Invitation'), 'Invitation') });
const codes = createRoute({ ...forAdmins, path: '/activation-codes', component: lazyRouteComponent(() => import('./screens/staff/Codes'), 'Codes') });
const requests = createRoute({
  getParentRoute: () => staff,
  staticData: { roles: ['provider', 'privacy-officer'] },
  path: '/correction-requests',
  component: lazyRouteComponent(() => import('./screens/staff/CorrectionRequests'), 'CorrectionRequests'),
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
