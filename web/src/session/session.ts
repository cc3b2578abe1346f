// Who is signed in, in this tab. Tokens are in sessionStorage alone, and go with the tab; what was
// read is in memory alone, and goes with the page: signing out loads the page anew.
import type { Config } from '../config';
import { Problem } from '../api/problem';
import { IndexedDbStore, lockAway } from '../messages/drafts';

/** Why a session is over; what the sign-in screen says about it. */
export type Ending = 'here' | 'everywhere' | 'idle' | 'ended' | 'address';

let config: Config | undefined;

/** Told to every tab of the app. */
type Word = { kind: 'active'; at: number } | { kind: 'asking' } | { kind: 'over'; why: Ending };
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
const kept = (name: string) => sessionStorage.getItem(`CognitoIdentityServiceProvider.${config?.userPoolClientId ?? ''}.${name}`);

/** Whether this tab has tokens, good or not: the API says the rest. */
export const hasSession = (): boolean => kept('LastAuthUser') !== null;

/** The access token; `fresh` asks Cognito for a new one. */
export async function accessToken({ fresh = false } = {}): Promise<string> {
  const token = (fresh ? undefined : good()) ?? (hasSession() ? await (await cognito()).accessToken(fresh) : undefined);
  if (token) return token;
  void endSession('ended');
  throw new Problem('unauthenticated', 401);
}

/** The token that is there, if it is good for another minute by this clock: a page that begins asks the
 * API without loading Amplify first. The API says if the clock is wrong. */
function good(): string | undefined {
  const token = kept(`${kept('LastAuthUser') ?? ''}.accessToken`);
  const claims = token?.split('.')[1]?.replaceAll('-', '+').replaceAll('_', '/');
  if (!token || !claims) return undefined;
  const { exp } = JSON.parse(atob(claims)) as { exp?: number };
  return (exp ?? 0) * 1000 > Date.now() + 60_000 ? token : undefined;
}

let ending = false;

/** Ends the session in every tab, wipes this one and goes to the sign-in screen. */
export async function endSession(why: Ending): Promise<void> {
  if (ending) return;
  ending = true;
  document.getElementById('app')?.replaceChildren();
  tabs.postMessage({ kind: 'over', why } satisfies Word);
  try {
    // Revokes the refresh token. Without an answer the wiping still happens.
    if (hasSession()) await Promise.race([(await cognito()).signOut(), pause(3000)]);
  } catch {
    // The session ends by itself.
  }
  // Drafts go with the session, but for those that somebody chose to keep locked while they are away.
  const drafts = new IndexedDbStore();
  const wiped = why === 'idle' ? lockAway(drafts) : drafts.clear();
  await Promise.race([wiped.catch(() => undefined), pause(1000)]);
  leave(why);
}

function leave(why: Ending): void {
  sessionStorage.clear();
  location.replace(`/sign-in?ended=${why}`);
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
  } else if (!ending && hasSession()) {
    ending = true;
    document.getElementById('app')?.replaceChildren();
    leave(data.why);
  }
});

// A page that the browser kept for its back button shows nothing of a session that is over.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload();
});
