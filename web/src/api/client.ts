// The API as a typed client. Its types come from openapi.json (`npm run api`).
import createClient, { type Middleware } from 'openapi-fetch';
import type { components, paths } from './schema';
import { Problem, retryAfter } from './problem';
import { accessToken, endSession } from '../session/session';

export type Schemas = components['schemas'];

/** After how long an answer is not waited for any longer. */
const PATIENCE = 30_000;

const authorized: Middleware = {
  async onRequest({ request, schemaPath }) {
    if (schemaPath !== '/v1/activations') {
      request.headers.set('authorization', `Bearer ${await accessToken()}`);
    }
    return request;
  },
};

let ahead = 0;

/** What time it is for the portal, which may not be what it is here: never later than it is there. */
export const portalTime = (): number => Date.now() - ahead;

/** By HTTP, in whole seconds (RFC 9110, section 6.6.1). */
function setTheClock(response: Response): void {
  const there = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(there)) ahead = Date.now() - there;
}

/** Sends a request; once more with a new token if the one it had was refused. */
async function send(request: Request): Promise<Response> {
  const again = request.headers.has('authorization') ? request.clone() : undefined;
  try {
    const response = await fetch(request, { signal: AbortSignal.timeout(PATIENCE), cache: 'no-store' });
    setTheClock(response);
    if (response.status !== 401 || !again) return response;
    const token = await accessToken({ fresh: true });
    again.headers.set('authorization', `Bearer ${token}`);
    const second = await fetch(again, { signal: AbortSignal.timeout(PATIENCE), cache: 'no-store' });
    if (second.status === 401) void endSession('ended');
    return second;
  } catch (error) {
    throw error instanceof Problem ? error : Problem.unanswered();
  }
}

export const api = createClient<paths>({ fetch: send, baseUrl: '' });
api.use(authorized);

let base = '';

/** Where the API is. */
export function useApiAt(address: string): void {
  base = address;
  api.use({
    onRequest: ({ request }) => {
      if (!base || new URL(base).origin === location.origin) return undefined;
      const { pathname, search } = new URL(request.url);
      return new Request(`${base}${pathname}${search}`, request);
    },
  });
}

/** The whole address of a path of the API, for other programs. */
export const apiAddress = (path: string): string => `${base || location.origin}${path}`;

/** A call of the libraries that speak to the API by themselves. */
export async function call(method: 'GET' | 'POST', path: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ status: number; json: unknown; retryAfter: number | undefined }> {
  const response = await send(new Request(apiAddress(path), {
    method,
    headers: { ...headers, authorization: `Bearer ${await accessToken()}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  }));
  // The connection may end in the middle of an answer.
  const text = await response.text().catch(() => Promise.reject(Problem.unanswered()));
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // A gateway's own page.
  }
  return { status: response.status, json, retryAfter: retryAfter(response) };
}

/** What a call answers, or the problem thrown. */
export async function answer<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok) throw Problem.of(response, error);
  return data as T;
}

/** The same with its version, for `If-Match`. */
export async function versioned<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<{ value: T; version: string }> {
  const done = await call;
  if (!done.response.ok) throw Problem.of(done.response, done.error);
  return { value: done.data as T, version: done.response.headers.get('etag') ?? '' };
}

/** A new `Idempotency-Key`: one for each thing that somebody wants, kept while they try again. */
export const newKey = (): string => crypto.randomUUID();
