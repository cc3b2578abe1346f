// A browser's channel: the portal says over it that something happened, and the browser looks at what.
//
// Events have numbers, one by one, of the account. Whatever comes over the socket is held to that: what
// is known is dropped, and where a number is missing, the list of events has it. So a socket may lose,
// repeat and end as it likes, and the events come once and in order all the same.

import type { Answer, Call } from '../messages/client.js';

interface About {
  /** Counts the account's events. */
  sequence: number;
  patient: string;
}

/** Something that happened, by ids alone. */
export type PortalEvent =
  | (About & { type: 'message.new'; thread: string })
  | (About & { type: 'message.read'; thread: string; party: string })
  | (About & { type: 'appointment.changed'; appointment: string })
  | (About & { type: 'result.new' });

interface Page {
  events: PortalEvent[];
  last: number;
  more: boolean;
  gap: boolean;
}

/** What a channel needs of a WebSocket. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((frame: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
  send(text: string): void;
  close(): void;
}

export interface Clock {
  /** Does it later; what is returned takes it back. */
  later(milliseconds: number, work: () => void): () => void;
}

export interface Listener {
  onEvent(event: PortalEvent): void;
  /** Events were missed that are not kept any more: look at everything anew. */
  onReset(): void;
  /** The sign-in is over, and the channel with it. */
  onSignedOut(): void;
  /** To be remembered: the next channel goes on after it. */
  onPosition?(sequence: number): void;
}

export interface Options {
  /** The stage of the WebSocket API: `wss://…/portal`. */
  address: string;
  call: Call;
  listener: Listener;
  /** What `onPosition` said last; without it the channel begins with what happens from now on. */
  position?: number;
  open?: (address: string) => Socket;
  clock?: Clock;
  /** From 0 to 1. */
  random?: () => number;
}

/** API Gateway ends a connection on which nothing moves for ten minutes. */
const HEARTBEAT = 4 * 60_000;
/** How often the list of events is asked whether the socket still tells everything. */
const CHECK = 5 * 60_000;
/** How long a handshake may take. */
const HANDSHAKE = 10_000;
const SHORTEST = 1_000;
const LONGEST = 60_000;

const timers: Clock = {
  later(milliseconds, work) {
    const timer = setTimeout(work, milliseconds);
    return () => clearTimeout(timer);
  },
};

const webSocket = (address: string): Socket => new WebSocket(address) as Socket;

export class Channel {
  readonly #options: Options;
  readonly #clock: Clock;
  #position: number | undefined;
  #socket: Socket | undefined;
  #attempts = 0;
  #stopped = false;
  /** A catch-up that runs, and whether another is to follow. */
  #catching: Promise<number> | undefined;
  #again = false;
  #timers: (() => void)[] = [];

  constructor(options: Options) {
    this.#options = options;
    this.#clock = options.clock ?? timers;
    this.#position = options.position;
  }

  /**
   * Begins. Once it resolves, whatever happens is told: what is loaded after that is as new as the
   * events that follow, or newer.
   */
  async start(): Promise<void> {
    if (this.#position === undefined) {
      const page = await this.#list();
      if (page) this.#moveTo(page.last);
    }
    void this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#drop();
  }

  async #connect(): Promise<void> {
    if (this.#stopped) return;
    const answer = await this.#ask('POST', '/v1/account/channel-tickets');
    if (this.#stopped) return;
    const ticket = (answer?.json as { ticket?: string } | undefined)?.ticket;
    if (answer?.status !== 201 || ticket === undefined) {
      this.#retry();
      return;
    }
    const url = `${this.#options.address}?ticket=${encodeURIComponent(ticket)}`;
    const socket = (this.#options.open ?? webSocket)(url);
    this.#socket = socket;
    const mine = (work: () => void): void => {
      if (this.#socket === socket) work();
    };
    this.#later(HANDSHAKE, () => mine(() => this.#replace()));
    socket.onopen = () => mine(() => this.#opened(socket));
    socket.onmessage = ({ data }) => mine(() => this.#heard(data));
    socket.onclose = () => mine(() => this.#replace());
  }

  #opened(socket: Socket): void {
    this.#attempts = 0;
    this.#cancel();
    const beat = (): void => {
      socket.send('{"action":"heartbeat"}');
      this.#later(HEARTBEAT, beat);
    };
    this.#later(HEARTBEAT, beat);
    this.#later(CHECK, () => this.#check(socket));
    // What happened until the portal knew of this connection was told to nobody.
    void this.#catchUp();
  }

  /** A socket that did not tell what the list has is deaf. */
  #check(socket: Socket): void {
    void this.#catchUp().then((found) => {
      if (this.#socket !== socket) return;
      if (found > 0) this.#replace();
      else this.#later(CHECK, () => this.#check(socket));
    });
  }

  #heard(data: unknown): void {
    const event = typeof data === 'string' ? parse(data) : undefined;
    if (!event || this.#position === undefined || event.sequence <= this.#position) return;
    if (event.sequence === this.#position + 1) this.#tell(event);
    else void this.#catchUp();
  }

  #tell(event: PortalEvent): void {
    this.#moveTo(event.sequence);
    this.#options.listener.onEvent(event);
  }

  #moveTo(sequence: number): void {
    this.#position = sequence;
    this.#options.listener.onPosition?.(sequence);
  }

  /** Tells everything behind the last event that is known; how many that were. */
  #catchUp(): Promise<number> {
    if (this.#catching) {
      this.#again = true;
      return this.#catching;
    }
    this.#catching = this.#catchUpAll().finally(() => {
      this.#catching = undefined;
    });
    return this.#catching;
  }

  async #catchUpAll(): Promise<number> {
    let told = 0;
    for (;;) {
      this.#again = false;
      const page = await this.#list(this.#position);
      if (!page || this.#stopped) return told;
      if (page.gap) {
        this.#moveTo(page.last);
        this.#options.listener.onReset();
        return told;
      }
      for (const event of page.events) {
        if (this.#position !== undefined && event.sequence <= this.#position) continue;
        this.#tell(event);
        told += 1;
      }
      if (this.#position === undefined) this.#moveTo(page.last);
      if (!page.more && !this.#again) return told;
    }
  }

  async #list(after?: number): Promise<Page | undefined> {
    const answer = await this.#ask('GET', `/v1/account/events${after === undefined ? '' : `?after=${after}`}`);
    return answer?.status === 200 ? (answer.json as Page) : undefined;
  }

  /** None if the portal did not answer, or will not any more. */
  async #ask(method: 'GET' | 'POST', path: string): Promise<Answer | undefined> {
    let answer: Answer;
    try {
      answer = await this.#options.call(method, path);
    } catch {
      return undefined;
    }
    if ((answer.status === 401 || answer.status === 403) && !this.#stopped) {
      this.stop();
      this.#options.listener.onSignedOut();
    }
    return answer;
  }

  /** Ends the socket, and opens another. */
  #replace(): void {
    this.#drop();
    this.#retry();
  }

  /** Waits longer each time, and not as long as others who lost their connection at this moment. */
  #retry(): void {
    if (this.#stopped) return;
    const most = Math.min(LONGEST, SHORTEST * 2 ** this.#attempts);
    this.#attempts += 1;
    this.#later((this.#options.random ?? Math.random)() * most, () => void this.#connect());
  }

  #drop(): void {
    this.#cancel();
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #later(milliseconds: number, work: () => void): void {
    this.#timers.push(this.#clock.later(milliseconds, work));
  }

  #cancel(): void {
    for (const cancel of this.#timers.splice(0)) cancel();
  }
}

function parse(text: string): PortalEvent | undefined {
  try {
    const event = JSON.parse(text) as PortalEvent;
    return Number.isSafeInteger(event.sequence) ? event : undefined;
  } catch {
    return undefined;
  }
}
