// Who is signed in, in this tab. Tokens are in sessionStorage alone, and go with the tab; what was
// read is in memory alone, and goes with the page: signing out loads the page anew.
import type { Config } from '../config';
import { Problem } from '../api/problem';
import { IndexedDbStore, lockAway, wipe } from '../messages/drafts';

/** Why a session is over; what the sign-in screen says about it. */
export type Ending = 'here' | 'everywhere' | 'idle' | 'ended' | 'address' | 'again';

let config: Config | undefined;

/** Told to every tab of the app: two accounts may be in use in one browser, each in tabs of its own. */
type Word =
  | { kind: 'active'; who: string; at: number }
  | { kind: 'asking' }
  | { kind: 'over'; who: string | undefined; why: Ending }
  | { kind: 'renewed'; from: string; entries: [string, string][] };
const tabs = new BroadcastChannel('portal-session');
const tell = (word: Word) => tabs.postMessage(word);

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

function claims(): { sub?: string; exp?: number; auth_time?: number } {
  const part = token('accessToken')?.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/');
  return part ? (JSON.parse(atob(part)) as { exp?: number; auth_time?: number }) : {};
}

let known: string | undefined;

/** Whose session it is, also when its tokens are gone: one page is for one account. */
const who = (): string | undefined => (known ??= claims().sub);

/** Whether this page has had a session whose tokens are gone. */
export const isBereft = (): boolean => who() !== undefined && !hasSession();

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
    tell({ kind: 'renewed', from, entries });
  }
  return found;
}

/** Cognito, for what only whoever is signed in may ask for. */
export async function cognitoSignedIn() {
  // Amplify would get a new token by itself, and no other tab would hear of it.
  await accessToken();
  return cognito();
}

let ending = false;

/** Of these, what somebody chose to keep stays, locked: nobody was there, or they come back at once. */
const KEEPING: ReadonlySet<Ending> = new Set(['idle', 'ended', 'again']);

/** Ends the account's session in every tab, wipes this one and goes to the sign-in screen; from there to `next`. */
export async function endSession(why: Ending, next?: string): Promise<void> {
  if (ending) return;
  const of = who();
  tell({ kind: 'over', who: of, why });
  await revoked();
  const drafts = new IndexedDbStore();
  const wiped = of === undefined ? undefined : KEEPING.has(why) ? lockAway(drafts, { of }) : wipe(drafts, { of });
  await Promise.race([wiped?.catch(() => undefined), pause(1000)]);
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

/** Since when nobody has done anything, in any tab of the account. */
export const idleSince = (): number => lastActive;

let told = 0;

/** Somebody did something. */
export function active(): void {
  lastActive = Date.now();
  if (hasSession() && lastActive - told > 1000) {
    told = lastActive;
    keep();
    tellActive();
  }
}

function tellActive(): void {
  const of = who();
  if (of) tell({ kind: 'active', who: of, at: lastActive });
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
    tell({ kind: 'asking' });
    await pause(500);
  }
  if (isOver()) return true;
  // Nobody but a person brings a page back.
  active();
  return false;
}

/** Accounts that are in use in other tabs, as far as they were heard of. */
const inUse = new Set<string>();

/** A browser that was closed without signing out left drafts with the key that opens them. */
export async function tidy(): Promise<void> {
  if (hasSession()) return;
  tell({ kind: 'asking' });
  await pause(500);
  // Somebody may have signed in meanwhile.
  const here = who();
  await lockAway(new IndexedDbStore(), { but: here ? [...inUse, here] : inUse });
}

/** Calls back when another tab was active. */
export function onActiveElsewhere(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

tabs.addEventListener('message', ({ data }: MessageEvent<Word>) => {
  if (data.kind === 'active') {
    inUse.add(data.who);
    // Who else uses this browser says nothing of whoever is signed in here.
    if (!hasSession() || data.who !== who()) return;
    lastActive = Math.max(lastActive, data.at);
    keep();
    for (const listener of listeners) listener();
  } else if (data.kind === 'asking') {
    if (!ending && hasSession()) tellActive();
  } else if (data.kind === 'renewed') {
    if (data.from === token('refreshToken')) for (const [name, value] of data.entries) sessionStorage.setItem(name, value);
  } else if (!ending && hasSession() && data.who === who()) {
    void revoked().then(() => leave(data.why));
  }
});

// A page that the browser kept for its back button shows nothing of a session that is over.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
