// Where each role can go. A screen that is not here can still be linked to.
import { msg } from '@lingui/core/macro';
import type { MessageDescriptor } from '@lingui/core';
import type { Role, Subject } from '../session/me';

export interface Place {
  to: string;
  label: MessageDescriptor;
  /** What a proxy must be granted for it, all of it; a place without it is for everybody. */
  takes?: readonly string[];
  /** For patients themselves alone. */
  own?: boolean;
}

const EVERYTHING = ['profile', 'lab-results', 'prescriptions', 'health-record', 'documents', 'appointments'];

export const NAVIGATION: Record<Role, Place[]> = {
  patient: [
    { to: '/', label: msg`Home` },
    { to: '/appointments', label: msg`Visits`, takes: ['appointments'] },
    { to: '/messages', label: msg`Messages`, takes: ['messages'] },
    { to: '/lab-results', label: msg`Lab results`, takes: ['lab-results'] },
    { to: '/prescriptions', label: msg`Prescriptions`, takes: ['prescriptions'] },
    { to: '/health-record', label: msg`Health record`, takes: ['health-record'] },
    { to: '/documents', label: msg`Documents`, takes: ['documents'] },
    { to: '/copies', label: msg`Copies of my record`, takes: EVERYTHING },
    { to: '/corrections', label: msg`Corrections`, own: true },
    { to: '/who-looked', label: msg`Who looked at my record`, takes: [...EVERYTHING, 'messages'] },
    { to: '/proxies', label: msg`Who can act for me` },
    { to: '/profile', label: msg`Profile`, takes: ['profile'] },
  ],
  provider: [
    { to: '/', label: msg`My day` },
    { to: '/patients', label: msg`Patients` },
    { to: '/inbox', label: msg`Messages` },
    { to: '/refills', label: msg`Refill requests` },
    { to: '/correction-requests', label: msg`Correction requests` },
    { to: '/waiting', label: msg`Waitlist` },
    { to: '/availability', label: msg`My hours` },
  ],
  'privacy-officer': [
    { to: '/', label: msg`Concerns` },
    { to: '/audit-log', label: msg`Audit log` },
    { to: '/disclosures', label: msg`Disclosures` },
    { to: '/correction-requests', label: msg`Correction requests` },
    { to: '/lab-holds', label: msg`Results held back` },
  ],
  admin: [
    { to: '/', label: msg`People` },
    { to: '/users/invite', label: msg`Invite somebody` },
    { to: '/activation-codes', label: msg`Activation codes` },
  ],
};

/** Whether somebody may go there with what they were granted. */
export const isOpen = ({ takes = [], own = false }: Place, subject: Subject | undefined): boolean =>
  subject?.own || (!own && takes.every((category) => subject?.categories?.includes(category)));
