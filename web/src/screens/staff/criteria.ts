// What is looked for in the audit log: as a form has it, and as the API takes it.
import { useLingui } from '@lingui/react/macro';
import type { QueryClient } from '@tanstack/react-query';
import { daysAhead } from '../../words/dates';

export interface Criteria {
  patient: string;
  actor: string;
  action: string;
  outcome: string;
  /** As `datetime-local` fields have them, where the reader is. */
  from: string;
  to: string;
}

export type WrongCriteria = Partial<Record<keyof Criteria, string>>;

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ACTION = /^[a-z-]{1,40}\.[a-z-]{1,40}$/;
const DAY = 86_400_000;
/** A search that names nobody, and one export. */
const [WEEK, YEAR] = [7 * DAY, 366 * DAY];

/** The last days: what needs neither a patient nor an account. */
export const lastDays = (): Criteria => ({ patient: '', actor: '', action: '', outcome: '', from: `${daysAhead(-5)}T00:00`, to: `${daysAhead(1)}T00:00` });

export const isId = (text: string): boolean => ID.test(text);

/** The criteria that say something. */
export function asked({ from, to, ...rest }: Criteria): Partial<Criteria> {
  const said = Object.entries(rest).filter(([, text]) => text);
  return {
    ...Object.fromEntries(said),
    ...(from && { from: new Date(from).toISOString() }),
    ...(to && { to: new Date(to).toISOString() }),
  };
}

/** What has to be put right before a search, or before an export. */
export function useCheck() {
  const { t } = useLingui();
  return (criteria: Criteria, exporting: boolean): WrongCriteria => {
    const { patient, actor, action, from, to } = criteria;
    const lasts = from && to ? Date.parse(to) - Date.parse(from) : undefined;
    const id = t`Copy the whole number from the log or from a concern.`;
    const wrong: WrongCriteria = {};
    if (patient && !isId(patient)) wrong.patient = id;
    if (actor && !isId(actor)) wrong.actor = id;
    if (action && !ACTION.test(action)) wrong.action = t`Write it as the log does, such as profile.read.`;
    if (lasts !== undefined && lasts <= 0) wrong.to = t`This has to be later than the beginning.`;
    else if (!patient && !actor && (lasts === undefined || lasts > WEEK)) wrong.to = t`Without a patient or an account, choose a beginning and an end at most seven days apart.`;
    else if (exporting && (lasts === undefined || lasts > YEAR)) wrong.to = t`An export has a beginning and an end, at most 366 days apart.`;
    return wrong;
  };
}

const SUGGESTED = ['audit-suggested'];

/** Leaves to the audit log's screen what to look for, in memory: an address would keep it. */
export const suggest = (queries: QueryClient, criteria: Partial<Criteria>): void => {
  queries.setQueryData(SUGGESTED, criteria);
};

export const suggested = (queries: QueryClient): Partial<Criteria> | undefined => queries.getQueryData(SUGGESTED);
