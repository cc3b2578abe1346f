// Until when the provider has emergency access to whom, in this tab: ids and times, which go with the
// session. The portal decides at every request; this is for the countdown alone.
import { useSyncExternalStore } from 'react';

const KEPT = 'emergencies';
const listeners = new Set<() => void>();

function all(): Record<string, string> {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? '{}') as Record<string, string>;
  } catch {
    return {};
  }
}

export function rememberEmergency(patient: string, until: string): void {
  sessionStorage.setItem(KEPT, JSON.stringify({ ...all(), [patient]: until }));
  for (const listener of listeners) listener();
}

export function forgetEmergency(patient: string): void {
  const { [patient]: _, ...others } = all();
  sessionStorage.setItem(KEPT, JSON.stringify(others));
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** When emergency access to the patient ends; nothing where there is none. */
export const useEmergency = (patient: string): string | undefined => useSyncExternalStore(subscribe, () => all()[patient]);
