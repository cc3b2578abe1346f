// Drafts: sealed, for this browser and account alone, and gone after signing out; or locked, by choice.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Drafts, IndexedDbStore, type Locked, lockAway, wipe } from './drafts.js';

const MARK = 'Xylophone-4711';
const place = { patient: '3b0e8f6a-52c4-4d1b-8a8e-6f0a4c9d2e01', thread: 'c0a8012e-5f1d-4b7a-9c33-7d2e41f0a6b5' };

/** As much of IndexedDB as drafts need: requests answer later, and what is kept is a clone. */
class Factory {
  readonly kept = new Map<string, unknown>();

  #request<T>(answer: () => T): IDBRequest<T> {
    const request = { result: undefined as T | undefined, onsuccess: null as (() => void) | null };
    queueMicrotask(() => {
      request.result = answer();
      request.onsuccess?.();
    });
    return request as unknown as IDBRequest<T>;
  }

  open(): IDBOpenDBRequest {
    const entries = {
      get: (name: string) => this.#request(() => this.kept.get(name)),
      put: (value: unknown, name: string) => this.#request(() => void this.kept.set(name, structuredClone(value))),
      delete: (name: string) => this.#request(() => void this.kept.delete(name)),
      getAllKeys: () => this.#request(() => [...this.kept.keys()]),
      getAll: () => this.#request(() => [...this.kept.values()]),
    };
    const database = {
      createObjectStore: () => entries,
      transaction: () => ({ objectStore: () => entries }),
    };
    return this.#request(() => database) as unknown as IDBOpenDBRequest;
  }
}

const store = (factory: Factory) => new IndexedDbStore(factory as unknown as IDBFactory);

test('a draft comes back in this browser, to its account and place', async () => {
  const factory = new Factory();
  const drafts = new Drafts(store(factory), 'one');
  await drafts.save(place, { subject: 'Knee', text: MARK });
  // The same browser, opened again.
  assert.deepEqual(await new Drafts(store(factory), 'one').load(place), { subject: 'Knee', text: MARK });
  assert.equal(await drafts.load({ patient: place.patient }), undefined);
  assert.equal(await new Drafts(store(factory), 'another').load(place), undefined);
  await drafts.discard(place);
  assert.equal(await drafts.load(place), undefined);
});

test('what is kept says nothing, and its key does not leave', async () => {
  const factory = new Factory();
  const drafts = new Drafts(store(factory), 'one');
  await drafts.save(place, { text: MARK });
  assert.equal(factory.kept.size, 2);
  let keys = 0;
  for (const [name, value] of factory.kept) {
    assert.ok(!name.includes(place.patient) && !name.includes('one'));
    if (value instanceof CryptoKey) {
      assert.equal(value.extractable, false);
      await assert.rejects(crypto.subtle.exportKey('raw', value));
      keys += 1;
    } else {
      const { sealed } = value as { sealed: Uint8Array };
      assert.ok(!Buffer.from(sealed).toString('latin1').includes(MARK));
    }
  }
  assert.equal(keys, 1);
});

test('what was sent and not answered is kept beside the draft, as the draft is', async () => {
  const factory = new Factory();
  const drafts = new Drafts(store(factory), 'one');
  const prepared = { of: MARK, thread: place.thread, counter: 1, key: 'a-key', body: { message: 'sealed' } };
  await drafts.save(place, { text: MARK });
  await drafts.outbox(place).set(prepared);
  for (const value of factory.kept.values()) {
    const { sealed = new Uint8Array() } = value as { sealed?: Uint8Array };
    assert.ok(!Buffer.from(sealed).toString('latin1').includes(MARK));
  }
  const anew = new Drafts(store(factory), 'one');
  assert.deepEqual(await anew.outbox(place).get(), prepared);
  assert.deepEqual(await anew.load(place), { text: MARK });
  assert.equal(await anew.outbox({ patient: place.patient }).get(), undefined);
  assert.equal(await new Drafts(store(factory), 'another').outbox(place).get(), undefined);
  // Answered; and not wanted any more, with the draft.
  await anew.outbox(place).set(undefined);
  assert.equal(await drafts.outbox(place).get(), undefined);
  await drafts.outbox(place).set(prepared);
  await drafts.discard(place);
  assert.equal(await drafts.outbox(place).get(), undefined);
});

test('a draft that was moved to another place does not open', async () => {
  const factory = new Factory();
  const drafts = new Drafts(store(factory), 'one');
  const other = { patient: place.patient };
  await drafts.save(place, { text: MARK });
  const before = [...factory.kept.keys()];
  await drafts.save(other, { text: 'elsewhere' });
  const there = [...factory.kept.keys()].find((name) => !before.includes(name)) ?? '';
  const sealed = before.find((name) => !(factory.kept.get(name) instanceof CryptoKey)) ?? '';
  factory.kept.set(there, factory.kept.get(sealed));
  assert.equal(await drafts.load(other), undefined);
});

test('two windows have one key', async () => {
  const factory = new Factory();
  const [one, other] = [new Drafts(store(factory), 'one'), new Drafts(store(factory), 'one')];
  await Promise.all([one.save(place, { text: 'first' }), other.save({ patient: 'p' }, { text: 'second' })]);
  const anew = new Drafts(store(factory), 'one');
  assert.equal((await anew.load(place))?.text, 'first');
  assert.equal((await anew.load({ patient: 'p' }))?.text, 'second');
});

test('after signing out nothing is there, and nothing that was copied opens', async () => {
  const factory = new Factory();
  const drafts = new Drafts(store(factory), 'one');
  await drafts.save(place, { text: MARK });
  const copied = [...factory.kept].filter(([, value]) => !(value instanceof CryptoKey));
  await wipe(store(factory), { of: 'one' });
  assert.equal(factory.kept.size, 0);
  for (const [name, value] of copied) factory.kept.set(name, value);
  assert.equal(await drafts.load(place), undefined);
});

const EVERYBODY = { but: [] };

/** Opens what it locked, while somebody is signed in. */
class Account {
  signedIn = true;
  readonly #secrets = new Map<string, Uint8Array<ArrayBuffer>>();

  async lock(_patient: string, secret: Uint8Array<ArrayBuffer>): Promise<Locked> {
    const keyId = `key-${this.#secrets.size}`;
    this.#secrets.set(keyId, new Uint8Array(secret));
    return { keyId, sealed: new Uint8Array(48) };
  }

  async unlock(_patient: string, { keyId }: Locked): Promise<Uint8Array<ArrayBuffer>> {
    const secret = this.#secrets.get(keyId);
    if (!this.signedIn || !secret) throw new Error('locked');
    return new Uint8Array(secret);
  }
}

test('after a session that nobody used there is what its owner chose to keep, and they alone open it', async () => {
  const factory = new Factory();
  const [one, another] = [new Account(), new Account()];
  const mine = () => new Drafts(store(factory), 'one', one);
  const theirs = () => new Drafts(store(factory), 'another', another);
  await mine().save(place, { text: MARK });
  await theirs().save(place, { text: 'not chosen' });
  assert.equal(await mine().areKept(), false);
  await mine().keep(true);
  assert.equal(await mine().areKept(), true);
  // Two drafts, two keys, what these are locked in, and a choice.
  while (factory.kept.size < 7) await new Promise((resolve) => setImmediate(resolve));
  await lockAway(store(factory), EVERYBODY);
  const left = [...factory.kept.values()];
  assert.ok(left.every((value) => !(value instanceof CryptoKey)), 'no key that opens something by itself');
  assert.equal(left.length, 3, 'the draft, what its key is locked in, the choice');
  assert.equal(await theirs().load(place), undefined);

  one.signedIn = false;
  await assert.rejects(mine().load(place));
  await assert.rejects(mine().save(place, { text: 'in its place' }), 'what is locked is not written over');
  one.signedIn = true;
  assert.equal((await mine().load(place))?.text, MARK);
  // And once more, from the key that was found again.
  await lockAway(store(factory), EVERYBODY);
  assert.equal((await mine().load(place))?.text, MARK);

  await mine().keep(false);
  await lockAway(store(factory), EVERYBODY);
  assert.deepEqual([...factory.kept.values()], []);
});

test('what somebody ends is theirs alone', async () => {
  const factory = new Factory();
  const people = ['one', 'another', 'third'] as const;
  const of = Object.fromEntries(people.map((name) => [name, new Account()])) as Record<(typeof people)[number], Account>;
  const drafts = (name: (typeof people)[number]) => new Drafts(store(factory), name, of[name]);
  for (const name of people) {
    await drafts(name).save(place, { text: name });
    if (name !== 'third') await drafts(name).keep(true);
  }
  const keys = () => [...factory.kept.values()].filter((value) => value instanceof CryptoKey).length;
  while (factory.kept.size < 11) await new Promise((resolve) => setImmediate(resolve));
  // Somebody is away: the others, who are in use, keep all.
  await lockAway(store(factory), { of: 'one' });
  assert.equal(keys(), 2);
  assert.equal((await drafts('third').load(place))?.text, 'third');
  // A browser was closed: whoever is in use keeps all, and the others what they chose.
  await lockAway(store(factory), { but: ['another'] });
  assert.equal(keys(), 1);
  assert.equal(await drafts('third').load(place), undefined);
  // Somebody signs out: what a colleague chose to keep stays.
  await wipe(store(factory), { of: 'another' });
  assert.equal(await drafts('another').load(place), undefined);
  assert.equal((await drafts('one').load(place))?.text, 'one');
  assert.equal(keys(), 1);
});

test('a draft whose key could not be locked is one of this session alone', async () => {
  const factory = new Factory();
  const offline = new Account();
  offline.lock = () => Promise.reject(new Error('offline'));
  const drafts = () => new Drafts(store(factory), 'one', offline);
  await drafts().save(place, { text: MARK });
  await drafts().keep(true);
  assert.equal((await drafts().load(place))?.text, MARK);
  await lockAway(store(factory), EVERYBODY);
  assert.equal(await drafts().load(place), undefined);
});
