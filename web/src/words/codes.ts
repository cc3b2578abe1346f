// Codes of the API and of FHIR in plain words.
import { msg } from '@lingui/core/macro';
import type { MessageDescriptor } from '@lingui/core';
import { i18n } from '@lingui/core';

const CODES: Record<string, MessageDescriptor> = {
  // Flags of results
  critical: msg`Critical`,
  high: msg`High`,
  low: msg`Low`,
  abnormal: msg`Not normal`,
  normal: msg`Normal`,
  positive: msg`Positive`,
  negative: msg`Negative`,
  indeterminate: msg`Not clear`,
  detected: msg`Found`,
  'not-detected': msg`Not found`,
  resistant: msg`Resistant`,
  intermediate: msg`Intermediate`,
  susceptible: msg`Susceptible`,
  // Statuses of entries (FHIR)
  final: msg`Final`,
  preliminary: msg`Preliminary`,
  registered: msg`Registered`,
  amended: msg`Changed later`,
  corrected: msg`Corrected`,
  active: msg`Active`,
  completed: msg`Completed`,
  finished: msg`Finished`,
  stopped: msg`Stopped`,
  cancelled: msg`Cancelled`,
  'on-hold': msg`On hold`,
  resolved: msg`Resolved`,
  recurrence: msg`Came back`,
  relapse: msg`Relapse`,
  inactive: msg`Not active`,
  remission: msg`In remission`,
  confirmed: msg`Confirmed`,
  unconfirmed: msg`Not confirmed`,
  provisional: msg`Provisional`,
  refuted: msg`Ruled out`,
  unknown: msg`Not known`,
  draft: msg`Draft`,
  'not-done': msg`Not done`,
  'in-progress': msg`In progress`,
  // Requests
  requested: msg`Waiting for an answer`,
  approved: msg`Approved`,
  denied: msg`Denied`,
  withdrawn: msg`Taken back`,
  // Uploads
  uploading: msg`Being sent`,
  inspecting: msg`Being checked`,
  available: msg`Ready`,
  rejected: msg`Not accepted`,
  expired: msg`Did not arrive`,
  // Sections of the record
  allergies: msg`Allergies`,
  conditions: msg`Health conditions`,
  immunizations: msg`Vaccines`,
  'vital-signs': msg`Vital signs`,
  procedures: msg`Procedures`,
  encounters: msg`Past visits`,
  'care-plans': msg`Care plans`,
  'social-history': msg`Social history`,
  'other-observations': msg`Other observations`,
  'care-teams': msg`Care teams`,
  // Severity and criticality
  mild: msg`Mild`,
  moderate: msg`Moderate`,
  severe: msg`Severe`,
  // Channels
  email: msg`E-mail`,
  sms: msg`Text message`,
  none: msg`Do not tell me`,
  // Genders
  male: msg`Male`,
  female: msg`Female`,
  other: msg`Other`,
  // Visits
  scheduled: msg`Planned`,
  'no-show': msg`Missed`,
  'not-needed': msg`I do not need it any more`,
  'other-plans': msg`I have other plans`,
  unwell: msg`I am not well enough to come`,
  transport: msg`I have no way to get there`,
  'provider-unavailable': msg`The provider could not be there`,
  'practice-closed': msg`The practice was closed`,
  'asked-by-patient': msg`The patient asked for it`,
  // Messages
  'medical-question': msg`A question about my health`,
  medication: msg`My medicines`,
  'test-result': msg`A test result`,
  appointment: msg`A visit`,
  billing: msg`A bill`,
  // Who somebody is
  'spouse-or-partner': msg`Husband, wife or partner`,
  parent: msg`Mother or father`,
  guardian: msg`Guardian`,
  child: msg`Daughter or son`,
  sibling: msg`Sister or brother`,
  friend: msg`Friend`,
  caregiver: msg`Caregiver`,
  // Parts of the portal
  profile: msg`Profile`,
  'lab-results': msg`Lab results`,
  prescriptions: msg`Prescriptions`,
  'health-record': msg`Health record`,
  documents: msg`Documents`,
  appointments: msg`Visits`,
  messages: msg`Messages`,
  // Corrections
  extended: msg`Takes longer`,
  accepted: msg`Accepted`,
  disputed: msg`You disagreed`,
  rebutted: msg`The practice answered`,
  linked: msg`Kept with your record`,
  'not-created-here': msg`Somebody else wrote this entry and can be asked to correct it`,
  'not-in-record-set': msg`It is not part of the record that you can have corrected`,
  'not-open-to-access': msg`It is a part of the record that the law does not open to patients`,
  'accurate-and-complete': msg`The practice finds the entry right and complete`,
  // Where it happens
  'in-person': msg`At the practice`,
  video: msg`By video`,
  phone: msg`By phone`,
};

/** A code in words; one that is not known stays as it was supplied. */
export function inWords(code: string | null | undefined): string {
  if (!code) return '';
  const known = Object.hasOwn(CODES, code) ? CODES[code] : undefined;
  return known ? i18n._(known) : code;
}
