// The signed-in account, and for whom it is used.
import { createContext, useContext, useSyncExternalStore } from 'react';
import { queryOptions, useQuery, useSuspenseQuery } from '@tanstack/react-query';
import { answer, api, type Schemas } from '../api/client';
import { cognitoSignedIn } from './session';

export type Role = 'patient' | 'provider' | 'admin' | 'privacy-officer';

export const accountQuery = queryOptions({
  queryKey: ['account'],
  queryFn: () => answer(api.GET('/v1/account')),
  staleTime: Infinity,
});

/** The account; the shell has loaded it before any screen is shown. */
export const useAccount = () => useSuspenseQuery(accountQuery).data;

/** Whether the account's address is confirmed: Cognito knows. */
export const addressQuery = queryOptions({
  queryKey: ['address'],
  queryFn: async () => (await cognitoSignedIn()).isAddressConfirmed(),
  staleTime: Infinity,
});

export type Proxied = Schemas['ProxiedPatient'];

/** For whom else the account may act. */
export const proxiedQuery = queryOptions({
  queryKey: ['account', 'patients'],
  queryFn: async () => {
    const all: Proxied[] = [];
    for (let cursor: string | null | undefined = ''; cursor !== undefined && cursor !== null; ) {
      const page: Schemas['ProxiedPatients'] = await answer(api.GET('/v1/account/patients', { params: { query: cursor ? { cursor } : {} } }));
      all.push(...page.patients);
      cursor = page.next_cursor;
    }
    return all;
  },
  staleTime: Infinity,
});

/** The id of the patient for whom somebody acts; it says nothing outside the portal. */
const CHOSEN = 'acting-for';
const listeners = new Set<() => void>();

/** Acts for a patient from now on; for oneself without one. */
export function actFor(patient: string | undefined): void {
  if (patient) sessionStorage.setItem(CHOSEN, patient);
  else sessionStorage.removeItem(CHOSEN);
  for (const listener of listeners) listener();
}

/** Whether somebody else was chosen, who may act or not. */
export const isActing = (): boolean => sessionStorage.getItem(CHOSEN) !== null;

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export interface Subject {
  patient: string;
  /** It is the account's own record. */
  own: boolean;
  /** The patient's name, where it is somebody else's. */
  name?: string;
  /** What a proxy may do; everything without it. */
  categories?: string[];
}

/** Whose record is shown; none for staff, and for a proxy whom nobody lets act any more. */
export function useSubject(): Subject | undefined {
  const { role, patient } = useAccount();
  const chosen = useSyncExternalStore(subscribe, () => sessionStorage.getItem(CHOSEN));
  const proxied = useQuery({ ...proxiedQuery, enabled: role === 'patient' }).data ?? [];
  const other = proxied.find(({ id }) => id === chosen) ?? (patient ? undefined : proxied[0]);
  if (other) return { patient: other.id, own: false, name: other.name, categories: other.categories };
  return patient ? { patient, own: true } : undefined;
}

/** The patient whose record somebody of the practice has open. */
export const OpenRecord = createContext<string | undefined>(undefined);

/** The patient whose record is shown. Screens of patients take it from here alone. */
export function usePatient(): string {
  const subject = useSubject();
  const open = useContext(OpenRecord);
  if (open) return open;
  if (!subject) throw new Error('this screen is for patients');
  return subject.patient;
}
