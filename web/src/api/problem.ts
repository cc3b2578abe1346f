// What the API answers that is no success (RFC 9457), and what happens when it does not answer.
import type { MessageError } from '../messages/errors';

/** The kinds of problem that are not the API's own. */
export type Unanswered = 'offline' | 'no-answer';

export class Problem extends Error {
  override name = 'Problem';

  constructor(
    /** The last part of the problem's type: docs/API.md lists them. */
    readonly kind: string,
    /** The HTTP status; 0 where nothing was answered. */
    readonly status: number,
    /** What is wrong with which field, by JSON pointer. */
    readonly fields: { pointer: string; detail: string }[] = [],
    /** In how many seconds it may work. */
    readonly retryAfter?: number,
    /** The whole problem, for what its type has besides. */
    readonly body: Record<string, unknown> = {},
  ) {
    // Never the detail: a message may end up in a console.
    super(kind);
  }

  /** Until when it stays so (RFC 3339), if its type says. */
  get until(): string | undefined {
    const { until } = this.body;
    return typeof until === 'string' ? until : undefined;
  }

  /** What a response says that is no success; `found` is its body as far as it could be read. */
  static of(response: Response, found: unknown): Problem {
    // A gateway's own page has nothing to say.
    const body = typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : {};
    const type = typeof body['type'] === 'string' ? body['type'] : '';
    return new Problem(
      type.split('/').at(-1) || kindOf(response.status),
      response.status,
      Array.isArray(body['errors']) ? (body['errors'] as { pointer: string; detail: string }[]) : [],
      retryAfter(response),
      body,
    );
  }

  static unanswered(): Problem {
    return new Problem(navigator.onLine ? 'no-answer' : 'offline', 0);
  }
}

/** In how many seconds it may work, if a response says. */
export function retryAfter({ headers }: Response): number | undefined {
  const after = Number(headers.get('retry-after'));
  return Number.isFinite(after) && after > 0 ? after : undefined;
}

function kindOf(status: number): string {
  if (status === 401) return 'unauthenticated';
  if (status === 404) return 'not-found';
  if (status === 429) return 'too-many-requests';
  return status >= 500 ? 'unavailable' : 'refused';
}

/** What was thrown as a problem. Messages have errors of their own: what a reader finds wrong, by name. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof Error && error.name === 'MessageError') {
    const { code, refusal } = error as MessageError;
    if (!refusal) return new Problem(`message-${code}`, 0);
    return new Problem(refusal.problem || kindOf(refusal.status), refusal.status, [], refusal.retryAfter);
  }
  return new Problem('internal', 0);
}
