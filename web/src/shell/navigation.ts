// Where each role can go. A screen that is not here can still be linked to.
import { msg } from '@lingui/core/macro';
import type { MessageDescriptor } from '@lingui/core';
import type { Role } from '../session/me';

export interface Place {
  to: string;
  label: MessageDescriptor;
}

export const NAVIGATION: Record<Role, Place[]> = {
  patient: [
    { to: '/', label: msg`Home` },
    { to: '/lab-results', label: msg`Lab results` },
    { to: '/prescriptions', label: msg`Prescriptions` },
    { to: '/health-record', label: msg`Health record` },
    { to: '/documents', label: msg`Documents` },
    { to: '/copies', label: msg`Copies of my record` },
    { to: '/who-looked', label: msg`Who looked at my record` },
    { to: '/profile', label: msg`Profile` },
  ],
  provider: [{ to: '/', label: msg`Home` }],
  admin: [{ to: '/', label: msg`Home` }],
  'privacy-officer': [{ to: '/', label: msg`Home` }],
};
