// The signed-in account, and for whom it is used.
import { queryOptions, useSuspenseQuery } from '@tanstack/react-query';
import { answer, api } from '../api/client';

export type Role = 'patient' | 'provider' | 'admin' | 'privacy-officer';

export const accountQuery = queryOptions({
  queryKey: ['account'],
  queryFn: () => answer(api.GET('/v1/account')),
  staleTime: Infinity,
});

/** The account; the shell has loaded it before any screen is shown. */
export const useAccount = () => useSuspenseQuery(accountQuery).data;

/** The patient whose record is shown. Screens of patients take it from here alone. */
export function usePatient(): string {
  const { patient } = useAccount();
  if (!patient) throw new Error('this screen is for patients');
  return patient;
}
