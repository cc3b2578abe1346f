// Who is signed in, in this tab. Tokens are in sessionStorage alone, and go with the tab; what was
// read is in memory alone, and goes with the page: signing out loads the page anew.
import type { Config } from '../config';
import { Problem } from '../api/problem';
import { IndexedDbStore, lockAway } from '../messages/drafts';

/** Why a session is over; what the sign-in screen says about it. */
export type Ending = 'here' | 'everywhere' | 'idle' | 'ended' | 'address' | 'again';

let config: Config | undefined;

/** Told to every tab of the app. */
type Word = { kind: 'active'; at: number } | { kind: 'asking' } | { kind: 'over'; why: Ending } | { kind: 'renewed'; from: string; entries: [string, string][] };
const tabs = new BroadcastChannel('portal-session');

/** Amplify, when somebody signs in or is signed in; the first screen does not wait for it. */
export async function cognito() {
  const loaded = await import('./cognito');
  if (!config) throw new Error('not configured');
  loaded.configure(config);
  return loaded;
}

export function configureSession(of: Config): void {
  config = of;
}

/** Where the stage tells that something happened. */
export const channelAddress = (): string | undefined => config?.channel ?? undefined;

/** Where Amplify keeps what it keeps. */
const place = () => `CognitoIdentityServiceProvider.${config?.userPoolClientId ?? ''}.`;
const kept = (name: string) => sessionStorage.getItem(place() + name);
const token = (kind: 'accessToken' | 'refreshToken') => kept(`${kept('LastAuthUser') ?? ''}.${kind}`);

/** Whether this tab has tokens, good or not: the API says the rest. */
export const hasSession = (): boolean => kept('LastAuthUser') !== null;

/** The access token; `fresh` asks Cognito for a new one. */
export async function accessToken({ fresh = false } = {}): Promise<string> {
  const found = (fresh ? undefined : good()) ?? (await renewed(fresh));
  if (found) return found;
  void endSession('ended');
  throw new Problem('unauthenticated', 401);
}

function claims(): { exp?: number; auth_time?: number } {
  const part = token('accessToken')?.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/');
  return part ? (JSON.parse(atob(part)) as { exp?: number; auth_time?: number }) : {};
}

/** When whoever is signed in gave password and code. */
export const signedInAt = (): number => (claims().auth_time ?? 0) * 1000;

/** The token that is there, if it is good for another minute by this clock: a page that begins asks the
 * API without loading Amplify first. The API says if the clock is wrong. */
const good = (): string | undefined => ((claims().exp ?? 0) * 1000 > Date.now() + 60_000 ? (token('accessToken') ?? undefined) : undefined);

/** Nothing if the session is over. Without an answer of Cognito's it goes on, and this request does not. */
async function renewed(fresh: boolean): Promise<string | undefined> {
  const from = token('refreshToken');
  if (!from) return undefined;
  let found: string | undefined;
  try {
    found = await (await cognito()).accessToken(fresh);
  } catch {
    // Amplify forgets the tokens once Cognito says that they are none.
    if (token('refreshToken')) throw Problem.unanswered();
  }
  if (found) {
    // A refresh token is good once; a tab that was opened from this one has the same.
    const entries = Object.entries(sessionStorage).filter(([name]) => name.startsWith(place())) as [string, string][];
    tabs.postMessage({ kind: 'renewed', from, entries } satisfies Word);
  }
  return found;
}

let ending = false;

/** Ends the session in every tab, wipes this one and goes to the sign-in screen; from there to `next`. */
export async function endSession(why: Ending, next?: string): Promise<void> {
  if (ending) return;
  tabs.postMessage({ kind: 'over', why } satisfies Word);
  await revoked();
  // Drafts go with the session, but for those that somebody chose to keep locked if it ends by itself.
  const drafts = new IndexedDbStore();
  const wiped = why === 'idle' || why === 'ended' ? lockAway(drafts) : drafts.clear();
  await Promise.race([wiped.catch(() => undefined), pause(1000)]);
  leave(why, next);
}

/** Shows nothing any more, and ends the refresh token. Without an answer the rest still happens. */
async function revoked(): Promise<void> {
  ending = true;
  document.getElementById('app')?.replaceChildren();
  if (!hasSession()) return;
  const signedOut = cognito().then((loaded) => loaded.signOut());
  await Promise.race([signedOut.catch(() => undefined), pause(3000)]);
}

function leave(why: Ending, next?: string): void {
  sessionStorage.clear();
  location.replace(`/sign-in?${new URLSearchParams({ ended: why, ...(next ? { next } : {}) }).toString()}`);
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** After how long without anybody a session is over. */
export const IDLE_END = 15 * 60_000;

/** Where it is kept when somebody was last active: with the tokens, as a browser may bring both back. */
const ACTIVE_AT = 'active-at';

let lastActive = Date.now();
const listeners = new Set<() => void>();

/** Since when nobody has done anything, in any tab. */
export const idleSince = (): number => lastActive;

let told = 0;

/** Somebody did something. */
export function active(): void {
  lastActive = Date.now();
  if (lastActive - told > 1000) {
    told = lastActive;
    keep();
    tabs.postMessage({ kind: 'active', at: lastActive } satisfies Word);
  }
}

const keep = () => sessionStorage.setItem(ACTIVE_AT, String(lastActive));

/** Whether a page that begins has the tokens of a session that nobody used for too long, in any tab. */
export async function wasLeft(): Promise<boolean> {
  if (!hasSession()) return false;
  const kept = Number(sessionStorage.getItem(ACTIVE_AT));
  // One that does not say when, or a time that is yet to come, is not trusted.
  lastActive = kept <= Date.now() ? kept : 0;
  const isOver = () => Date.now() - lastActive >= IDLE_END;
  if (isOver()) {
    tabs.postMessage({ kind: 'asking' } satisfies Word);
    await pause(500);
  }
  return isOver();
}

/** A browser that was closed without signing out left drafts with the key that opens them. */
export async function tidy(): Promise<void> {
  if (hasSession()) return;
  lastActive = 0;
  tabs.postMessage({ kind: 'asking' } satisfies Word);
  await pause(500);
  // Another tab may be in use, and somebody may have signed in meanwhile.
  if (lastActive === 0) await lockAway(new IndexedDbStore());
}

/** Calls back when another tab was active. */
export function onActiveElsewhere(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

tabs.addEventListener('message', ({ data }: MessageEvent<Word>) => {
  if (data.kind === 'active') {
    lastActive = Math.max(lastActive, data.at);
    if (hasSession()) keep();
    for (const listener of listeners) listener();
  } else if (data.kind === 'asking') {
    if (!ending && hasSession()) tabs.postMessage({ kind: 'active', at: lastActive } satisfies Word);
  } else if (data.kind === 'renewed') {
    if (data.from === token('refreshToken')) for (const [name, value] of data.entries) sessionStorage.setItem(name, value);
  } else if (!ending && hasSession()) {
    void revoked().then(() => leave(data.why));
  }
});

// A page that the browser kept for its back button shows nothing of a session that is over.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
