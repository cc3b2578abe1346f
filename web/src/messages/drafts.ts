// Drafts stay in the browser, sealed with a key that is made there, cannot be taken out of it and is
// gone after signing out. Who was signed out because nobody was there may have chosen that drafts stay:
// then the key that is left is one that only they open, once they are signed in again. Names of entries
// are hashes: what is kept says not even whose drafts it has.

import { type Bytes, base64url, framed, random, sha256, text, utf8 } from './bytes.js';
import type { Outbox, Prepared } from './client.js';

/** Where drafts are kept: anything that holds CryptoKeys, as IndexedDB does. */
export interface DraftStore {
  get(name: string): Promise<unknown>;
  set(name: string, value: unknown): Promise<void>;
  /** Sets it unless it is set, and answers what is there then. */
  keep(name: string, value: unknown): Promise<unknown>;
  delete(name: string): Promise<void>;
  all(): Promise<[string, unknown][]>;
}

/** A secret that its owner opens, once they are signed in. */
export interface Locked {
  keyId: string;
  sealed: Bytes;
}

export interface Locker {
  lock(patient: string, secret: Bytes): Promise<Locked>;
  unlock(patient: string, locked: Locked): Promise<Bytes>;
}

export interface Draft {
  category?: string;
  subject?: string;
  text: string;
  attachments?: string[];
}

/** What is kept besides keys says whose it is, as a hash. */
interface Owned {
  owner: string;
}

interface Kept extends Owned {
  iv: Bytes;
  sealed: Bytes;
}

/** The owner's drafts outlive a session that nobody used. */
interface Choice extends Owned {
  keep: true;
}

type What = 'draft' | 'unanswered';

/** Where a draft is written: into a thread, or into a new one. */
export interface Place {
  patient: string;
  thread?: string;
}

/** What there is once for each account. */
type Once = 'key' | 'lock' | 'owner' | 'choice';

const own = async (what: Once, account: string): Promise<string> =>
  base64url(await sha256(framed(utf8(`portal/draft-${what}/v1`), utf8(account))));

export class Drafts {
  readonly #store: DraftStore;
  readonly #account: string;
  readonly #locker: Locker | undefined;

  constructor(store: DraftStore, account: string, locker?: Locker) {
    this.#store = store;
    this.#account = account;
    this.#locker = locker;
  }

  #bound(what: What, { patient, thread = '' }: Place): Bytes {
    return framed(utf8(`portal/${what}/v1`), utf8(this.#account), utf8(patient), utf8(thread));
  }

  async #name(what: What, place: Place): Promise<string> {
    return base64url(await sha256(this.#bound(what, place)));
  }

  #own(what: Once): Promise<string> {
    return own(what, this.#account);
  }

  /** The account's key in this browser; two windows have the same. */
  async #key(patient: string): Promise<CryptoKey> {
    const name = await this.#own('key');
    const known = await this.#store.get(name);
    if (known !== undefined) return known as CryptoKey;
    const lock = await this.#own('lock');
    const left = (await this.#store.get(lock)) as Locked | undefined;
    const secret = left && this.#locker ? await this.#locker.unlock(patient, left) : random(32);
    const made = await crypto.subtle.importKey('raw', secret, 'AES-GCM', false, ['encrypt', 'decrypt']);
    const kept = (await this.#store.keep(name, made)) as CryptoKey;
    // Nobody waits for the portal before a draft is kept. Without an answer it is one of this session alone.
    if (kept === made && !left) this.#lockUp(patient, secret).catch(() => undefined);
    return kept;
  }

  async #lockUp(patient: string, secret: Bytes): Promise<void> {
    const locked = await this.#locker?.lock(patient, secret);
    secret.fill(0);
    if (locked) await this.#store.set(await this.#own('lock'), { ...locked, owner: await this.#own('owner') });
  }

  /** Whether the account chose that drafts outlive a session that nobody used. */
  async areKept(): Promise<boolean> {
    return (await this.#store.get(await this.#own('choice'))) !== undefined;
  }

  async keep(chosen: boolean): Promise<void> {
    const name = await this.#own('choice');
    if (!chosen) return this.#store.delete(name);
    const choice: Choice = { owner: await this.#own('owner'), keep: true };
    return this.#store.set(name, choice);
  }

  async #seal(what: What, place: Place, value: unknown): Promise<void> {
    const iv = random(12);
    const parameters = { name: 'AES-GCM', iv, additionalData: this.#bound(what, place) };
    const sealed = await crypto.subtle.encrypt(parameters, await this.#key(place.patient), utf8(JSON.stringify(value)));
    const kept: Kept = { owner: await this.#own('owner'), iv, sealed: new Uint8Array(sealed) };
    await this.#store.set(await this.#name(what, place), kept);
  }

  async #open(what: What, place: Place): Promise<unknown> {
    const name = await this.#name(what, place);
    const kept = (await this.#store.get(name)) as Kept | undefined;
    if (kept === undefined) return undefined;
    const key = await this.#key(place.patient);
    const parameters = { name: 'AES-GCM', iv: kept.iv, additionalData: this.#bound(what, place) };
    try {
      const opened = await crypto.subtle.decrypt(parameters, key, kept.sealed);
      return JSON.parse(text(new Uint8Array(opened)));
    } catch {
      await this.#store.delete(name);
      return undefined;
    }
  }

  save(place: Place, draft: Draft): Promise<void> {
    return this.#seal('draft', place, draft);
  }

  /** The draft, if there is one that this key opens. It throws while what locks the key does not open. */
  async load(place: Place): Promise<Draft | undefined> {
    return (await this.#open('draft', place)) as Draft | undefined;
  }

  /** After sending, or when it is not wanted any more. */
  async discard(place: Place): Promise<void> {
    await this.#store.delete(await this.#name('draft', place));
    await this.#store.delete(await this.#name('unanswered', place));
  }

  /** Beside the draft: whoever loads the page anew and sends it again sends the same request. */
  outbox(place: Place): Outbox {
    return {
      get: async () => (await this.#open('unanswered', place)) as Prepared | undefined,
      set: async (prepared) =>
        prepared
          ? this.#seal('unanswered', place, prepared)
          : this.#store.delete(await this.#name('unanswered', place)),
    };
  }
}

/** Of which accounts: of these, or of all but these. */
export type Whose = { of: string } | { but: Iterable<string> };

/** When somebody signs out, all goes that they have here. */
export async function wipe(store: DraftStore, whose: Whose): Promise<void> {
  for (const [name] of await entries(store, whose)) await store.delete(name);
}

/**
 * When a session ends because nobody was there: every key goes that opens something by itself, and every
 * draft whose owner did not choose to keep it.
 */
export async function lockAway(store: DraftStore, whose: Whose): Promise<void> {
  const found = await entries(store, whose);
  const owner = (value: unknown) => (value as Partial<Owned>).owner;
  const keeping = new Set(found.filter(([, value]) => (value as Partial<Choice>).keep).map(([, value]) => owner(value)));
  for (const [name, value] of found) {
    if (!keeping.has(owner(value))) await store.delete(name);
  }
}

/** Keys are known by their names, and the rest by whom it says that it belongs to. */
async function entries(store: DraftStore, whose: Whose): Promise<[string, unknown][]> {
  const accounts = 'of' in whose ? [whose.of] : [...whose.but];
  const theirs = new Set(await Promise.all(accounts.flatMap((account) => [own('key', account), own('owner', account)])));
  const isTheirs = (name: string, value: unknown) => theirs.has(name) || theirs.has((value as Partial<Owned>).owner ?? '');
  return (await store.all()).filter(([name, value]) => isTheirs(name, value) === 'of' in whose);
}

const STORE = 'drafts';

const settled = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB'));
  });

/** Drafts in this browser's IndexedDB, for this site alone. */
export class IndexedDbStore implements DraftStore {
  readonly #database: Promise<IDBDatabase>;

  constructor(factory: IDBFactory = indexedDB, name = 'portal-drafts') {
    const request = factory.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    this.#database = settled(request);
  }

  async #entries(mode: IDBTransactionMode): Promise<IDBObjectStore> {
    return (await this.#database).transaction(STORE, mode).objectStore(STORE);
  }

  async get(name: string): Promise<unknown> {
    return settled((await this.#entries('readonly')).get(name) as IDBRequest<unknown>);
  }

  async set(name: string, value: unknown): Promise<void> {
    await settled((await this.#entries('readwrite')).put(value, name));
  }

  async keep(name: string, value: unknown): Promise<unknown> {
    const entries = await this.#entries('readwrite');
    // One transaction: no other window comes in between.
    const known = await settled(entries.get(name) as IDBRequest<unknown>);
    if (known !== undefined) return known;
    await settled(entries.put(value, name));
    return value;
  }

  async delete(name: string): Promise<void> {
    await settled((await this.#entries('readwrite')).delete(name));
  }

  async all(): Promise<[string, unknown][]> {
    const entries = await this.#entries('readonly');
    const [names, values] = await Promise.all([settled(entries.getAllKeys()), settled(entries.getAll() as IDBRequest<unknown[]>)]);
    return names.map((name, at) => [String(name), values[at]]);
  }
}
