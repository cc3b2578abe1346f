// Drafts stay in the browser, sealed with a key that is made there, cannot be taken out of it and is
// gone after signing out. Names of entries are hashes: what is kept says not even whose drafts it has.

import { type Bytes, base64url, framed, random, sha256, text, utf8 } from './bytes.js';

/** Where drafts are kept: anything that holds CryptoKeys, as IndexedDB does. */
export interface DraftStore {
  get(name: string): Promise<unknown>;
  set(name: string, value: unknown): Promise<void>;
  /** Sets it unless it is set, and answers what is there then. */
  keep(name: string, value: unknown): Promise<unknown>;
  delete(name: string): Promise<void>;
  clear(): Promise<void>;
}

export interface Draft {
  subject?: string;
  text: string;
  attachments?: string[];
}

interface Kept {
  iv: Bytes;
  sealed: Bytes;
}

/** Where a draft is written: into a thread, or into a new one. */
export interface Place {
  patient: string;
  thread?: string;
}

export class Drafts {
  readonly #store: DraftStore;
  readonly #account: string;

  constructor(store: DraftStore, account: string) {
    this.#store = store;
    this.#account = account;
  }

  #bound({ patient, thread = '' }: Place): Bytes {
    return framed(utf8('portal/draft/v1'), utf8(this.#account), utf8(patient), utf8(thread));
  }

  async #name(place: Place): Promise<string> {
    return base64url(await sha256(this.#bound(place)));
  }

  /** The account's key in this browser; two windows have the same. */
  async #key(): Promise<CryptoKey> {
    const name = base64url(await sha256(framed(utf8('portal/draft-key/v1'), utf8(this.#account))));
    const known = await this.#store.get(name);
    if (known !== undefined) return known as CryptoKey;
    const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
    return (await this.#store.keep(name, made)) as CryptoKey;
  }

  async save(place: Place, draft: Draft): Promise<void> {
    const iv = random(12);
    const parameters = { name: 'AES-GCM', iv, additionalData: this.#bound(place) };
    const sealed = await crypto.subtle.encrypt(parameters, await this.#key(), utf8(JSON.stringify(draft)));
    const kept: Kept = { iv, sealed: new Uint8Array(sealed) };
    await this.#store.set(await this.#name(place), kept);
  }

  /** The draft, if there is one that this key opens. */
  async load(place: Place): Promise<Draft | undefined> {
    const kept = (await this.#store.get(await this.#name(place))) as Kept | undefined;
    if (kept === undefined) return undefined;
    const parameters = { name: 'AES-GCM', iv: kept.iv, additionalData: this.#bound(place) };
    try {
      const opened = await crypto.subtle.decrypt(parameters, await this.#key(), kept.sealed);
      return JSON.parse(text(new Uint8Array(opened))) as Draft;
    } catch {
      await this.discard(place);
      return undefined;
    }
  }

  /** After sending, or when it is not wanted any more. */
  async discard(place: Place): Promise<void> {
    await this.#store.delete(await this.#name(place));
  }

  /** At sign-out, and when a session ends by itself: all keys and drafts of this browser are gone. */
  async wipe(): Promise<void> {
    await this.#store.clear();
  }
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

  async clear(): Promise<void> {
    await settled((await this.#entries('readwrite')).clear());
  }
}
