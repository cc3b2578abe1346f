// Messages over the portal's API, for one person in one browser.

import { type Bytes, base64url, equal, framed, fromBase64url, utf8 } from './bytes.js';
import type { Locked } from './drafts.js';
import { type ThreadKey, newThreadKey, openEnvelope, sealEnvelope, threadKey, wrapInfo } from './envelope.js';
import { type Code, MessageError, type Refusal } from './errors.js';
import { type CopiedMessages, type CopiedThread } from './copy.js';
import { type Content, History, type OpenedMessage, type StoredMessage, areAttachments } from './history.js';
import * as hpke from './hpke.js';
import { type KeyLog, type LoggedKey, type Memory, accept, hasNewKey } from './keys.js';
import { type Lock, lockKey, protectionOf, unlockKey } from './lock.js';

export interface Answer {
  status: number;
  json: unknown;
  /** In how many seconds it may work (`Retry-After`), if the answer says. */
  retryAfter?: number | undefined;
}

/** A request to the API with the caller's token. */
export type Call = (
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Answer>;

export interface WrappedKey {
  party: string;
  key_id: string;
  wrapped: string;
}

/** What the practice says of messages, besides its threads. */
export interface Reply {
  reply_within_hours: number;
  emergency_number: string;
}

/** A thread as the server tells it. */
export interface StoredThread {
  id: string;
  patient: string;
  category: string;
  state: 'open' | 'closed';
  assigned?: string;
  started_at: string;
  last_activity: string;
  last: number;
  unread: number;
  hidden: boolean;
  kept_until: string;
  counter: number;
  subject: string;
  commitment: string;
  keys: WrappedKey[];
  parties: string[];
  receipts: { party: string; through: number; at: string }[];
}

/** The same with its subject; without one, if whoever began it or the server made it so that it does not
 * open. Reading it tells what is wrong. */
export interface OpenedThread {
  stored: StoredThread;
  subject?: string;
}

export interface Person {
  account: string;
  /** Patients and proxies have keys of their own; the practice's people share one. */
  owner: 'account' | 'providers';
}

/** Somebody who takes part now, and lacks threads that this party has. */
export interface Lacking {
  log: KeyLog;
  threads: StoredThread[];
  /** The person at this browser shared with this very key before: nobody has to be asked. */
  agreed: boolean;
}

/** What a key of one's own is locked with, as its owner says; nothing if they do not. */
export type AskLock = (key: LoggedKey) => Promise<Lock | undefined>;

/** Somebody else was faster, or an earlier message is on its way: the same request may succeed in a moment.
 * Of many that are sent at once, the last waits for all before it. */
const IN_A_MOMENT = new Set(['counter-ahead', 'changed-meanwhile']);
const MOMENTS = 60;
/** The portal, or a gateway before it, asks for patience. Whoever waits is told after a few tries. */
const BUSY: ReadonlySet<number> = new Set([429, 503]);
const TRIES = 4;
const LONGEST_PAUSE = 5_000;
/** Refusals that say nothing of what was asked: an earlier try may have succeeded. */
const UNJUDGED: ReadonlySet<number> = new Set([401, 408, 429]);

/** What is between the person and all threads, and not wrong with one of them. */
const OF_ALL: ReadonlySet<Code> = new Set(['refused', 'locked', 'wrong-secret', 'key-altered', 'key-log-forked']);

interface Conversation {
  key: ThreadKey;
  /** The id of this party's key that opened it. */
  keyId: string;
  history: History;
  opened: OpenedMessage[];
}

/** What is sent is the same in every try: whatever was answered, it is there once. */
export interface Prepared {
  /** What it was made from. */
  of: string;
  thread: string;
  counter: number;
  key: string;
  body: unknown;
}

/** Keeps what somebody tries to send in one place, until they are told how it went. */
export interface Outbox {
  get(): Promise<Prepared | undefined>;
  set(prepared: Prepared | undefined): Promise<void>;
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/** How long to wait before the same is asked again, if it is worth it. */
function patience(attempt: number, { problem, status, retryAfter }: Refusal): number | undefined {
  if (IN_A_MOMENT.has(problem)) return attempt < MOMENTS ? Math.random() * Math.min(50 * attempt, 1000) : undefined;
  if (!BUSY.has(status) || attempt === TRIES) return undefined;
  const wait = retryAfter === undefined ? Math.random() * 500 * attempt : retryAfter * 1000;
  return wait > LONGEST_PAUSE ? undefined : wait;
}

function checkAttachments({ attachments = [] }: { attachments?: string[] }): void {
  if (!areAttachments(attachments)) throw new MessageError('bad-attachments');
}

export class Messages {
  readonly #call: Call;
  readonly #person: Person;
  readonly #memory: Memory;
  /** Asks the person for what their key is locked with. */
  readonly #askLock: AskLock | undefined;
  readonly #unlocked = new Map<string, CryptoKey>();
  /** What is being opened, too: two who look at a thread at once have the same one. */
  readonly #conversations = new Map<string, Promise<Conversation>>();
  /** How many messages this account has sent into a thread, where it is known. */
  readonly #counters = new Map<string, number>();
  /** What is kept by nobody else until it is answered, by thread; a new thread's by patient. */
  readonly #unanswered = new Map<string, Prepared>();
  /** The last that has the turn in a thread. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** While all threads are read one after the other: whose lock was asked for, which is once. */
  #asked: Set<string> | undefined;
  /** Since threads were listed. */
  reply: Reply | undefined;
  /** How many threads of a patient are not shared with this party, since they were listed. */
  readonly unshared = new Map<string, number>();

  constructor(call: Call, person: Person, memory: Memory, askLock?: AskLock) {
    this.#call = call;
    this.#person = person;
    this.#memory = memory;
    this.#askLock = askLock;
  }

  get #party(): string {
    return this.#person.owner === 'account' ? this.#person.account : 'providers';
  }

  async #ask<T>(method: 'GET' | 'POST', path: string, body?: unknown, key?: string): Promise<T> {
    const headers = key === undefined ? {} : { 'idempotency-key': key };
    for (let attempt = 1; ; attempt += 1) {
      const { status, json, retryAfter } = await this.#call(method, path, body, headers);
      if (status < 300) return json as T;
      const type = (json as { type?: string } | undefined)?.type ?? '';
      const problem = type.replace('/problems/', '');
      const wait = patience(attempt, { problem, status, retryAfter });
      if (wait === undefined) throw new MessageError('refused', { problem, status, retryAfter });
      await pause(wait);
    }
  }

  /** Keeps as long as the page is there. */
  #outbox(place: string): Outbox {
    const unanswered = this.#unanswered;
    return {
      get: async () => unanswered.get(place),
      set: async (prepared) => void (prepared ? unanswered.set(place, prepared) : unanswered.delete(place)),
    };
  }

  /** Sends what is prepared; it is kept until somebody is told how it went. What cannot be kept is sent, too. */
  async #post<T>(outbox: Outbox, path: string, prepared: Prepared): Promise<T> {
    const told = () => outbox.set(undefined).catch(() => undefined);
    await outbox.set(prepared).catch(() => undefined);
    try {
      const answer = await this.#ask<T>('POST', path, prepared.body, prepared.key);
      await told();
      return answer;
    } catch (error) {
      const status = error instanceof MessageError ? (error.refusal?.status ?? 0) : 0;
      if (status >= 400 && status < 500 && !UNJUDGED.has(status)) await told();
      throw error;
    }
  }

  /** What was prepared there for the same, if nobody was told how it went. */
  async #again(outbox: Outbox, of: string): Promise<Prepared | undefined> {
    const before = await outbox.get().catch(() => undefined);
    return before?.of === of ? before : undefined;
  }

  /** One after the other in a thread. */
  #inTurn<T>(thread: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(thread) ?? Promise.resolve()).then(work, work);
    this.#turns.set(thread, turn);
    return turn;
  }

  /** The key logs of a patient's parties, each held to what it was before. */
  async logs(patient: string): Promise<KeyLog[]> {
    const { parties } = await this.#ask<{ parties: KeyLog[] }>('GET', `/v1/patients/${patient}/message-keys`);
    for (const log of parties) await hasNewKey(this.#memory, log);
    return parties;
  }

  /**
   * Makes a key in this browser and registers it behind the last one. With a lock (strict mode) the
   * portal gets the private key only as the lock left it, and can never open it by itself.
   */
  async register(previous?: string, lock?: Lock): Promise<LoggedKey> {
    const pair = await hpke.generate();
    const secret = lock
      ? { protection: protectionOf(lock), locked_key: base64url(await lockKey(this.#party, pair, lock)) }
      : { private_key: base64url(pair.privateKey) };
    const key = await this.#ask<LoggedKey>('POST', `/v1/message-keys/${this.#person.owner}`, {
      public_key: base64url(pair.publicKey),
      ...secret,
      ...(previous === undefined ? {} : { previous }),
    });
    const expected = lock ? protectionOf(lock) : 'portal';
    if (key.public_key !== base64url(pair.publicKey) || key.protection !== expected) {
      throw new MessageError('key-altered');
    }
    this.#unlocked.set(key.key_id, await hpke.privateKey(pair));
    await this.#memory.set(`key/${this.#party}`, key.key_id);
    return key;
  }

  /** This party's last key, registered if there is none: until then nobody can write to it. */
  async key(patient: string): Promise<LoggedKey> {
    const logs = await this.logs(patient);
    const own = logs.find((log) => log.party === this.#party)?.keys.at(-1);
    return own ?? this.register();
  }

  /** Seals a secret of this browser to this party's last key: whoever is not signed in does not open it. */
  async lock(patient: string, secret: Bytes): Promise<Locked> {
    const { key_id: keyId, public_key } = await this.key(patient);
    return { keyId, sealed: await hpke.seal(fromBase64url(public_key), this.#lockInfo(keyId), secret) };
  }

  async unlock(patient: string, { keyId, sealed }: Locked): Promise<Bytes> {
    const logs = await this.logs(patient);
    const own = logs.find((log) => log.party === this.#party)?.keys.find(({ key_id }) => key_id === keyId);
    if (!own) throw new MessageError('no-key');
    return hpke.open(await this.#unlock(own), this.#lockInfo(keyId), sealed);
  }

  #lockInfo(keyId: string): Bytes {
    return framed(utf8('portal/draft-lock/v1'), utf8(this.#person.account), fromBase64url(keyId));
  }

  async #unlock(key: LoggedKey): Promise<CryptoKey> {
    const known = this.#unlocked.get(key.key_id);
    if (known) return known;
    const { private_key, locked_key } = await this.#ask<{ private_key?: string; locked_key?: string }>(
      'POST',
      `/v1/message-keys/${this.#person.owner}/unlock`,
      { key_id: key.key_id },
    );
    const publicKey = fromBase64url(key.public_key);
    // The key's id commits to its protection: what is said to be locked does not come without its lock.
    const secret = key.protection === 'portal' ? private_key : locked_key;
    if (secret === undefined) throw new MessageError('key-altered');
    let privateKey = fromBase64url(secret);
    if (key.protection !== 'portal') {
      privateKey = await this.#unlockedBy(key, publicKey, privateKey);
    }
    const unlocked = await hpke.privateKey({ publicKey, privateKey });
    this.#unlocked.set(key.key_id, unlocked);
    return unlocked;
  }

  async #unlockedBy(key: LoggedKey, publicKey: Bytes, privateKey: Bytes): Promise<Bytes> {
    if (this.#asked?.has(key.key_id)) throw new MessageError('locked');
    this.#asked?.add(key.key_id);
    const lock = await this.#askLock?.(key);
    if (!lock || protectionOf(lock) !== key.protection) throw new MessageError('locked');
    return unlockKey(this.#party, publicKey, privateKey, lock);
  }

  /** Wraps a thread's key to the last key of each of these parties. */
  async #wrap(key: ThreadKey, logs: KeyLog[]): Promise<WrappedKey[]> {
    const wrapped: WrappedKey[] = [];
    for (const log of logs) {
      if (await hasNewKey(this.#memory, log)) throw new MessageError('key-changed');
      const last = log.keys.at(-1);
      if (!last) throw new MessageError('no-key');
      const info = wrapInfo(key.thread, last.key_id);
      const sealed = await hpke.seal(fromBase64url(last.public_key), info, key.secret);
      wrapped.push({ party: log.party, key_id: last.key_id, wrapped: base64url(sealed) });
    }
    return wrapped;
  }

  async #threadKey(thread: StoredThread): Promise<{ key: ThreadKey; keyId: string }> {
    const logs = await this.logs(thread.patient);
    const own = logs.find((log) => log.party === this.#party)?.keys ?? [];
    let locked = new MessageError('not-shared');
    // The newest first: what locks an older one may be forgotten.
    for (const logged of [...own].reverse()) {
      const { key_id } = logged;
      const wrapped = thread.keys.find((key) => key.key_id === key_id)?.wrapped;
      if (wrapped === undefined) continue;
      let secret: Bytes;
      try {
        const sealed = fromBase64url(wrapped);
        secret = await hpke.open(await this.#unlock(logged), wrapInfo(thread.id, key_id), sealed);
      } catch (error) {
        if (!(error instanceof MessageError)) throw new MessageError('thread-key-mismatch');
        if (error.code !== 'locked' && error.code !== 'wrong-secret') throw error;
        locked = error;
        continue;
      }
      const key = await threadKey(thread.id, secret);
      if (!equal(key.commitment, fromBase64url(thread.commitment))) throw new MessageError('thread-key-mismatch');
      return { key, keyId: key_id };
    }
    throw locked;
  }

  #conversation(thread: StoredThread): Promise<Conversation> {
    const known = this.#conversations.get(thread.id);
    if (known) return known;
    const opening = this.#begin(thread);
    this.#conversations.set(thread.id, opening);
    // It may open at another time.
    opening.catch(() => this.#conversations.delete(thread.id));
    return opening;
  }

  async #begin(thread: StoredThread): Promise<Conversation> {
    const { key, keyId } = await this.#threadKey(thread);
    const remembered = await this.#memory.get(`thread/${thread.id}`);
    const history = await History.begin(
      key,
      fromBase64url(thread.subject),
      remembered === undefined ? [] : (JSON.parse(remembered) as string[]),
    );
    return { key, keyId, history, opened: [] };
  }

  /** Begins a thread with the patient and the practice; its id. */
  async start(
    patient: string,
    category: string,
    subject: string,
    first: { text: string; attachments?: string[] },
    outbox = this.#outbox(patient),
  ): Promise<string> {
    checkAttachments(first);
    const of = JSON.stringify([category, subject, first]);
    const prepared =
      (await this.#again(outbox, of)) ?? (await this.#prepareThread(patient, category, subject, first, of));
    await this.#post(outbox, `/v1/patients/${patient}/threads`, prepared);
    return prepared.thread;
  }

  async #prepareThread(
    patient: string,
    category: string,
    subject: string,
    first: { text: string; attachments?: string[] },
    of: string,
  ): Promise<Prepared> {
    const own = await this.key(patient);
    const logs = await this.logs(patient);
    // A child has no key: then a thread is for those who act for the child.
    const alone = !logs.some((log) => log.relationship === 'patient');
    const parties = logs.filter(
      (log) => log.relationship !== 'proxy' || log.party === this.#party || (alone && log.keys.length > 0),
    );
    const thread = crypto.randomUUID();
    const key = await newThreadKey(thread);
    const header = { sender: this.#person.account, keyId: own.key_id };
    const line = await sealEnvelope('subject', key, { ...header, counter: 0 }, { subject });
    const history = await History.begin(key, line);
    const message = await this.#seal(key, history, { ...header, counter: 1 }, first);
    const body = {
      thread,
      category,
      subject: base64url(line),
      message: base64url(message),
      commitment: base64url(key.commitment),
      keys: await this.#wrap(key, parties),
    };
    return { of, thread, counter: 1, key: crypto.randomUUID(), body };
  }

  async #seal(
    key: ThreadKey,
    history: History,
    header: { sender: string; keyId: string; counter: number },
    { text, attachments = [] }: { text: string; attachments?: string[] },
  ): Promise<Bytes> {
    const content: Content = { text, attachments, seen: history.seen };
    return sealEnvelope('message', key, header, content);
  }

  /**
   * A patient's threads, newest activity first. Those that are not shared with this party are left out,
   * and those that it has hidden unless they are asked for.
   */
  async list(patient: string, { hidden = false } = {}): Promise<OpenedThread[]> {
    const query = new URLSearchParams(hidden ? { hidden: 'listed' } : {});
    const stored = await this.#stored(`/v1/patients/${patient}/threads`, query);
    this.unshared.set(patient, stored.filter(({ keys }) => keys.length === 0).length);
    return this.#open(stored);
  }

  /** The practice's threads that wait, of patients whom the caller treats. */
  async inbox(): Promise<OpenedThread[]> {
    return this.#open(await this.#stored('/v1/inbox', new URLSearchParams()));
  }

  async #stored(path: string, query: URLSearchParams): Promise<StoredThread[]> {
    const stored: StoredThread[] = [];
    for (;;) {
      const whole = query.size === 0 ? path : `${path}?${query.toString()}`;
      const page = await this.#ask<{ threads: StoredThread[]; practice: Reply; next_cursor?: string }>('GET', whole);
      stored.push(...page.threads);
      this.reply = page.practice;
      if (page.next_cursor === undefined) return stored;
      query.set('cursor', page.next_cursor);
    }
  }

  async #open(threads: StoredThread[]): Promise<OpenedThread[]> {
    const opened: OpenedThread[] = [];
    for (const stored of threads) {
      if (stored.keys.length === 0) continue;
      try {
        opened.push({ stored, subject: await this.#subject(stored) });
      } catch (error) {
        if (!(error instanceof MessageError) || OF_ALL.has(error.code)) throw error;
        // One thread that somebody spoiled takes no other away.
        opened.push({ stored });
      }
    }
    return opened;
  }

  async #subject(stored: StoredThread): Promise<string> {
    const { key } = await this.#conversation(stored);
    const line = await openEnvelope('subject', key, fromBase64url(stored.subject));
    const { subject } = (line ?? {}) as { subject?: unknown };
    if (typeof subject !== 'string') throw new MessageError('message-altered');
    return subject;
  }

  /**
   * All threads of a patient, hidden ones too, for the patient's copy of the record. What could not be
   * opened or verified is told, and not left out in silence. `onThread` hears how many are done.
   */
  async copy(patient: string, onThread?: (done: number, all: number) => void): Promise<CopiedMessages> {
    const threads: CopiedThread[] = [];
    const missing: { thread: string; why: Code }[] = [];
    const all = await this.#stored(`/v1/patients/${patient}/threads`, new URLSearchParams({ hidden: 'listed' }));
    this.#asked = new Set();
    try {
      for (const [at, stored] of all.entries()) {
        onThread?.(at, all.length);
        const { id, category, state } = stored;
        try {
          const messages = await this.read(patient, id);
          threads.push({ id, category, state, subject: await this.#subject(stored), messages });
        } catch (error) {
          if (!(error instanceof MessageError) || error.code === 'refused') throw error;
          missing.push({ thread: id, why: error.code });
        }
      }
    } finally {
      this.#asked = undefined;
    }
    return { threads, missing };
  }

  /** Leaves a thread out of this party's list until something comes after what was opened here. */
  async hide(patient: string, thread: string): Promise<void> {
    const { history } = await this.#inTurn(thread, () => this.#read(patient, thread));
    await this.#ask('POST', `/v1/patients/${patient}/threads/${thread}/hide`, { through: history.sequence });
  }

  /** Shows a hidden thread again. */
  async unhide(patient: string, thread: string): Promise<void> {
    await this.#ask('POST', `/v1/patients/${patient}/threads/${thread}/hide`, { through: 0 });
  }

  /** All messages of a thread, verified; what is new since the last call comes from the server. */
  async read(patient: string, thread: string): Promise<OpenedMessage[]> {
    const { opened } = await this.#inTurn(thread, () => this.#read(patient, thread));
    return [...opened];
  }

  /** In the thread's turn: what two asked for would be opened twice. */
  async #read(patient: string, thread: string): Promise<Conversation> {
    const path = `/v1/patients/${patient}/threads/${thread}`;
    for (;;) {
      const known = await this.#conversations.get(thread);
      const page = await this.#ask<{ thread: StoredThread; messages: StoredMessage[]; more: boolean }>(
        'GET',
        `${path}?after=${known?.history.sequence ?? 0}`,
      );
      const conversation = await this.#conversation(page.thread);
      if (!this.#counters.has(thread)) this.#counters.set(thread, page.thread.counter);
      const { history, opened } = conversation;
      try {
        opened.push(...(await history.read(page.messages, page.thread.last)));
      } catch (error) {
        // Nobody goes on behind what did not fit: all of it is read again.
        this.#conversations.delete(thread);
        throw error;
      }
      if (!page.more) {
        await this.#memory.set(`thread/${thread}`, JSON.stringify(history.remember()));
        return conversation;
      }
    }
  }

  /** Says that this party has read all that was opened here. */
  async markRead(patient: string, thread: string): Promise<number> {
    const through = (await this.#conversations.get(thread))?.history.sequence ?? 0;
    const path = `/v1/patients/${patient}/threads/${thread}/read`;
    return (await this.#ask<{ unread: number }>('POST', path, { through })).unread;
  }

  /**
   * Sends a message; its sequence. Those sent at once keep their order. Without an answer nobody knows
   * whether it arrived: the same message sent again is the same request.
   */
  async send(
    patient: string,
    thread: string,
    message: { text: string; attachments?: string[] },
    outbox = this.#outbox(thread),
  ): Promise<number> {
    // Before the message gets its number: one that is never sent would leave a gap.
    checkAttachments(message);
    const of = JSON.stringify(message);
    const prepared =
      (await this.#again(outbox, of)) ?? (await this.#inTurn(thread, () => this.#prepareMessage(patient, thread, message, of)));
    try {
      const sent = await this.#post<{ sequence: number }>(
        outbox,
        `/v1/patients/${patient}/threads/${thread}/messages`,
        prepared,
      );
      this.#counters.set(thread, Math.max(this.#counters.get(thread) ?? 0, prepared.counter));
      return sent.sequence;
    } catch (error) {
      // The counter may be another browser's by now: the next message asks for it.
      this.#counters.delete(thread);
      throw error;
    }
  }

  async #prepareMessage(
    patient: string,
    thread: string,
    message: { text: string; attachments?: string[] },
    of: string,
  ): Promise<Prepared> {
    const before = this.#counters.has(thread) ? await this.#conversations.get(thread) : undefined;
    const { key, keyId, history } = before ?? (await this.#read(patient, thread));
    const counter = (this.#counters.get(thread) ?? 0) + 1;
    const sealed = await this.#seal(key, history, { sender: this.#person.account, keyId, counter }, message);
    this.#counters.set(thread, counter);
    return { of, thread, counter, key: crypto.randomUUID(), body: { message: base64url(sealed) } };
  }

  /**
   * A new key in the place of this party's last one, with or without a lock, and the threads of these
   * patients for it. The key before stays: what was shared with it, it opens.
   */
  async rotate(patients: string[], lock?: Lock): Promise<LoggedKey> {
    let previous: string | undefined;
    for (const patient of patients) {
      const own = (await this.logs(patient)).find((log) => log.party === this.#party);
      previous = own?.keys.at(-1)?.key_id ?? previous;
    }
    const key = await this.register(previous, lock);
    for (const patient of patients) {
      for (const { stored } of await this.list(patient, { hidden: true })) {
        await this.#shareWith(patient, stored.id, (log) => log.party === this.#party);
      }
    }
    return key;
  }

  /** Shares a thread with everybody who takes part now and has a key: a new proxy, or a new key. */
  async share(patient: string, thread: string): Promise<string[]> {
    return this.#shareWith(patient, thread, (log) => log.keys.length > 0);
  }

  /**
   * Who takes part now and lacks some of these threads: a proxy since they have a key, or whoever has a
   * new key. A proxy's are the patient's to share; those of a child without a key, whoever has them.
   */
  async lacking(patient: string, threads: StoredThread[]): Promise<Lacking[]> {
    const logs = await this.logs(patient);
    const shares = logs.find(({ relationship }) => relationship === 'patient')?.party ?? this.#party;
    const found: Lacking[] = [];
    for (const log of logs) {
      const head = log.keys.at(-1)?.key_id;
      if (head === undefined || log.party === this.#party) continue;
      if (log.relationship === 'proxy' && shares !== this.#party) continue;
      const before = await this.#memory.get(`shared/${patient}/${log.party}`);
      const isNew = (await hasNewKey(this.#memory, log)) || (before !== undefined && before !== head);
      // The server says which parties have a thread, and not with which of their keys.
      const without = isNew ? threads : threads.filter(({ parties }) => !parties.includes(log.party));
      if (without.length > 0) found.push({ log, threads: without, agreed: before === head });
    }
    return found;
  }

  /** Shares with somebody what they lack, after the person at this browser has agreed to their key. */
  async shareWith(patient: string, { log, threads }: Lacking): Promise<void> {
    await accept(this.#memory, log);
    const head = log.keys.at(-1)?.key_id;
    if (head === undefined) throw new MessageError('no-key');
    for (const stored of threads) {
      // Its messages are not read: what is wrong with one thread keeps nobody from the others.
      const conversation = await this.#conversation(stored);
      await this.#wrapTo(patient, stored.id, conversation.key, ({ party }) => party === log.party);
    }
    await this.#memory.set(`shared/${patient}/${log.party}`, head);
  }

  /** Threads that somebody has the key of who takes no part any more: each needs a new one. */
  async outlived(patient: string, threads: StoredThread[]): Promise<Set<string>> {
    const now = new Set((await this.logs(patient)).map(({ party }) => party));
    return new Set(threads.filter(({ parties }) => parties.some((party) => !now.has(party))).map(({ id }) => id));
  }

  async #shareWith(patient: string, thread: string, wants: (log: KeyLog) => boolean): Promise<string[]> {
    const { key } = await this.#inTurn(thread, () => this.#read(patient, thread));
    return this.#wrapTo(patient, thread, key, wants);
  }

  async #wrapTo(patient: string, thread: string, key: ThreadKey, wants: (log: KeyLog) => boolean): Promise<string[]> {
    const keys = await this.#wrap(key, (await this.logs(patient)).filter(wants));
    const path = `/v1/patients/${patient}/threads/${thread}/keys`;
    return (await this.#ask<{ parties: string[] }>('POST', path, { keys })).parties;
  }
}
