// A portal in memory, as dishonest as a test wants it.

import { randomUUID } from 'node:crypto';
import type { Answer, Call, StoredThread, WrappedKey } from './client.js';
import { fromBase64url } from './bytes.js';
import { readHeader } from './envelope.js';
import type { StoredMessage } from './history.js';
import { type KeyLog, type Memory, type Protection, keyId } from './keys.js';

export class Remembered implements Memory {
  readonly kept = new Map<string, string>();

  async get(name: string): Promise<string | undefined> {
    return this.kept.get(name);
  }

  async set(name: string, value: string): Promise<void> {
    this.kept.set(name, value);
  }
}

interface Row {
  thread: StoredThread;
  keys: WrappedKey[];
  messages: StoredMessage[];
  hidden: Map<string, number>;
  read: Map<string, number>;
}

export class Server {
  readonly patient = randomUUID();
  readonly patients = randomUUID();
  readonly provider = randomUUID();
  readonly logs: KeyLog[] = [
    { party: this.patients, relationship: 'patient', keys: [] },
    { party: 'providers', relationship: 'practice', keys: [] },
  ];
  readonly private = new Map<string, string>();
  readonly rows = new Map<string, Row>();
  /** What was sent with a key, and what it answered. */
  readonly #sent = new Map<string, { message: string; answer: unknown }>();
  /** What happens to an answer on its way: it may be late, and what throws here loses it. */
  onTheWay: (method: 'GET' | 'POST', path: string) => Promise<void> = async () => undefined;

  row(thread: string): Row {
    const row = this.rows.get(thread);
    if (!row) throw new Error('no such thread');
    return row;
  }

  log(party: string): KeyLog {
    const log = this.logs.find((one) => one.party === party);
    if (!log) throw new Error('no such party');
    return log;
  }

  as(party: string): Call {
    return async (method, path, body, headers) => {
      let answer: Answer;
      try {
        answer = { status: 200, json: JSON.parse(JSON.stringify(await this.#once(party, path, body, headers?.['idempotency-key']))) };
      } catch (error) {
        answer = { status: 409, json: { type: `/problems/${(error as Error).message}` } };
      }
      await this.onTheWay(method, path);
      return answer;
    };
  }

  /** The same request with the same key is answered as it was. */
  async #once(party: string, path: string, body: unknown, key?: string): Promise<unknown> {
    if (key === undefined) return this.#answer(party, path, body);
    const { message = '' } = body as { message?: string };
    const before = this.#sent.get(`${party} ${key}`);
    if (before && before.message !== message) throw new Error('key-used-before');
    const answer = before ? before.answer : await this.#answer(party, path, body);
    this.#sent.set(`${party} ${key}`, { message, answer });
    return answer;
  }

  #view(party: string, { thread, keys, messages, hidden }: Row): StoredThread {
    const sender = party === 'providers' ? this.provider : party;
    const own = messages.filter((message) => message.sender === sender);
    return {
      ...thread,
      last: messages.length,
      counter: own.length,
      hidden: (hidden.get(party) ?? 0) >= messages.length,
      keys: keys.filter((key) => key.party === party),
      parties: [...new Set(keys.map((key) => key.party))],
    };
  }

  async #answer(party: string, path: string, body: unknown): Promise<unknown> {
    const sent = body as Record<string, string>;
    if (path.endsWith('/message-keys')) return { parties: this.logs };
    if (path.endsWith('/unlock')) {
      const id = sent['key_id'] ?? '';
      const key = this.log(party).keys.find(({ key_id }) => key_id === id);
      const name = key?.protection === 'portal' ? 'private_key' : 'locked_key';
      return { [name]: this.private.get(id) };
    }
    if (path.startsWith('/v1/message-keys/')) {
      const { keys } = this.log(party);
      const publicKey = sent['public_key'] ?? '';
      const previous = keys.at(-1)?.key_id;
      const protection = (sent['protection'] ?? 'portal') as Protection;
      const id = await keyId(party, keys.length + 1, fromBase64url(publicKey), previous, protection);
      this.private.set(id, sent['private_key'] ?? sent['locked_key'] ?? '');
      const key = { key_id: id, public_key: publicKey, protection, registered_at: new Date().toISOString() };
      keys.push(previous === undefined ? key : { ...key, previous });
      return keys.at(-1);
    }
    const [, thread, rest] = /\/threads(?:\/([0-9a-f-]{36}))?(?:\/([a-z]+))?/.exec(path) ?? [];
    if (thread === undefined) {
      if (body === undefined) {
        const threads = [...this.rows.values()].map((row) => this.#view(party, row));
        return { threads: threads.filter(({ hidden }) => !hidden || path.includes('hidden=listed')) };
      }
      return this.#start(party, body as { thread: string; keys: WrappedKey[] } & Record<string, string>);
    }
    const row = this.row(thread);
    if (rest === 'messages') return this.#append(party, row, sent['message'] ?? '');
    if (rest === 'hide') {
      row.hidden.set(party, (body as { through: number }).through);
      return {};
    }
    if (rest === 'read') {
      const { through } = body as { through: number };
      if (through < 1 || through > row.messages.length) throw new Error('invalid-input');
      row.read.set(party, through);
      return { unread: row.messages.length - through };
    }
    if (rest === 'keys') {
      row.keys.push(...(body as { keys: WrappedKey[] }).keys);
      return { parties: [...new Set(row.keys.map((key) => key.party))] };
    }
    const after = Number(new URLSearchParams(path.split('?')[1]).get('after'));
    const messages = row.messages.slice(after);
    return { thread: this.#view(party, row), messages, more: false };
  }

  #start(party: string, body: { thread: string; keys: WrappedKey[] } & Record<string, string>): unknown {
    const row: Row = {
      thread: {
        id: body.thread,
        patient: this.patient,
        category: 'other',
        state: 'open',
        started_at: new Date().toISOString(),
        last_activity: new Date().toISOString(),
        last: 0,
        unread: 0,
        hidden: false,
        kept_until: '2100-01-01',
        counter: 0,
        subject: body['subject'] ?? '',
        commitment: body['commitment'] ?? '',
        keys: [],
        parties: [],
        receipts: [],
      },
      keys: body.keys,
      messages: [],
      hidden: new Map(),
      read: new Map(),
    };
    this.rows.set(body.thread, row);
    return this.#append(party, row, body['message'] ?? '');
  }

  #append(party: string, row: Row, ciphertext: string): unknown {
    const { sender, counter } = readHeader(fromBase64url(ciphertext));
    const own = row.messages.filter((message) => message.sender === sender).length;
    if (counter > own + 1) throw new Error('counter-ahead');
    if (counter <= own) throw new Error('counter-used');
    const sequence = row.messages.length + 1;
    row.messages.push({ sequence, sender, party, sent_at: new Date().toISOString(), ciphertext });
    return { sequence };
  }

  /** Numbers the messages as they stand. */
  renumber(thread: string): void {
    for (const [at, message] of this.row(thread).messages.entries()) message.sequence = at + 1;
  }
}
