// Every screen, one line each. A screen is a file that is loaded when somebody goes there.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router';
import { hasSession } from './session/session';
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
const within = { getParentRoute: () => shell };

const home = createRoute({ ...within, path: '/', component: lazyRouteComponent(() => import('./screens/home/Home'), 'Home') });
const security = createRoute({ ...within, path: '/security', component: lazyRouteComponent(() => import('./screens/profile/Security'), 'Security') });
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

export const router = createRouter({
  routeTree: root.addChildren([
    signIn,
    activate,
    forgotten,
    shell.addChildren([
      home, security, labResults, labResult, prescriptions, healthRecord, section, documents, document_, copies, whoLooked, profile,
      appointments, newAppointment, joinWaitlist, appointment, messages, newThread, messageSafety, thread, proxies, corrections,
    ]),
  ]),
  // Every read is in the audit log: nothing is read before somebody asks for it.
  defaultPreload: false,
  scrollRestoration: false,
  defaultNotFoundComponent: NotFound,
  defaultErrorComponent: Broken,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
