// Codes that only the practice sees, in plain words.
import { msg } from '@lingui/core/macro';
import { i18n, type MessageDescriptor } from '@lingui/core';
import { inWords } from '../../words/codes';

const CODES: Record<string, MessageDescriptor> = {
  // Why a glass is broken
  'emergency-treatment': msg`The patient needs emergency treatment`,
  'covering-colleague': msg`I stand in for a colleague`,
  'patient-unresponsive': msg`The patient cannot answer`,
  'public-health-emergency': msg`A public health emergency`,
  // What concerns are about, and what came of them
  'break-glass': msg`Emergency access`,
  'patient-report': msg`Report by a patient`,
  open: msg`Still open`,
  resolved: msg({ message: 'Closed', context: 'concern' }),
  justified: msg`Justified`,
  'not-justified': msg`Not justified`,
  'no-issue': msg`Nothing was wrong`,
  corrected: msg`Put right`,
  sanctioned: msg`Somebody was sanctioned`,
  'breach-notification': msg`The patient is notified of a breach`,
  // Why a result is held back
  'preventing-harm': msg`To prevent harm`,
  'erroneous-data': msg`The data may be wrong`,
  'privacy-precondition': msg`A privacy condition is not met yet`,
  'individual-request': msg`The patient asked for it`,
  // Roles and accounts
  patient: msg`Patient`,
  provider: msg`Provider`,
  admin: msg`Administrator`,
  'privacy-officer': msg`Privacy officer`,
  active: msg`Active`,
  disabled: msg`Switched off`,
  invited: msg`Invited`,
  // How an administrator knows whom they speak to
  'in-person-photo-id': msg`I saw them and a photo ID`,
  'video-call-photo-id': msg`I saw them and a photo ID on video`,
  'callback-to-number-on-file': msg`I called them back at the number on file`,
  // Days
  monday: msg`Monday`,
  tuesday: msg`Tuesday`,
  wednesday: msg`Wednesday`,
  thursday: msg`Thursday`,
  friday: msg`Friday`,
  saturday: msg`Saturday`,
  sunday: msg`Sunday`,
  // On what ground something is disclosed, and who has it left out of the accounting
  'required-by-law': msg`Required by law`,
  'public-health': msg`Public health`,
  'abuse-or-neglect': msg`Abuse or neglect`,
  'health-oversight': msg`Health oversight`,
  'judicial-proceeding': msg`A court or its proceedings`,
  'law-enforcement': msg`Law enforcement`,
  death: msg`A death`,
  'serious-threat': msg`A serious threat`,
  'government-function': msg`A function of the government`,
  'workers-compensation': msg`Workers’ compensation`,
  written: msg`In writing`,
  oral: msg`By word of mouth`,
  // Requests, as the practice sees them
  requested: msg`Waiting for you`,
  extended: msg`Takes longer`,
  disputed: msg`The patient disagreed`,
  'transport': msg`They have no way to get there`,
  'not-needed': msg`They do not need it any more`,
  'other-plans': msg`They have other plans`,
  unwell: msg`They are not well enough to come`,
};

/** A code in words, as somebody of the practice reads it. */
export const say = (code: string | null | undefined): string => {
  const known = code && Object.hasOwn(CODES, code) ? CODES[code] : undefined;
  return known ? i18n._(known) : inWords(code);
};
