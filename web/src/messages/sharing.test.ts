// Who gets threads after they began: proxies and new keys, once somebody has agreed; and who gets no more.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Lacking, Messages } from './client.js';
import { Remembered, Server } from './dishonest.test.js';

const PROXY = '9f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c99';

async function begun() {
  const server = new Server();
  const memory = new Remembered();
  const patient = new Messages(server.as(server.patients), { account: server.patients, owner: 'account' }, memory);
  const practice = new Messages(server.as('providers'), { account: server.provider, owner: 'providers' }, new Remembered());
  await practice.register();
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  server.logs.push({ party: PROXY, relationship: 'proxy', keys: [] });
  const proxy = new Messages(server.as(PROXY), { account: PROXY, owner: 'account' }, new Remembered());
  const lacking = async (who = patient): Promise<Lacking[]> =>
    who.lacking(server.patient, (await who.list(server.patient)).map(({ stored }) => stored));
  const start = (text: string) => patient.start(server.patient, 'other', 'Another', { text });
  return { server, patient, practice, proxy, thread, lacking, start };
}

test('a proxy with a key is asked about once; what comes then is shared with that key', async () => {
  const { server, patient, practice, proxy, thread, lacking, start } = await begun();
  assert.deepEqual(await lacking(), [], 'nobody shares with somebody who has no key');
  await proxy.key(server.patient);
  assert.deepEqual(await proxy.list(server.patient), []);
  assert.equal(proxy.unshared.get(server.patient), 1);
  const [asked, ...more] = await lacking();
  assert.ok(asked && more.length === 0);
  assert.deepEqual([asked.log.party, asked.agreed, asked.threads.map(({ id }) => id)], [PROXY, false, [thread]]);
  assert.deepEqual(await lacking(practice), [], 'whom the patient lets read, the patient shares with');
  assert.equal(server.row(thread).keys.length, 2, 'asking shares nothing');
  await patient.shareWith(server.patient, asked);
  assert.equal((await proxy.read(server.patient, thread))[0]?.text, 'one');
  assert.deepEqual(await lacking(), []);

  const second = await start('two');
  const [next] = await lacking();
  assert.ok(next);
  assert.deepEqual([next.agreed, next.threads.map(({ id }) => id)], [true, [second]]);
  await patient.shareWith(server.patient, next);
  assert.equal((await proxy.list(server.patient)).length, 2);
});

test('a new key is asked about again, and what was agreed to is the key that was shown', async () => {
  const { server, patient, proxy, thread, lacking } = await begun();
  const first = await proxy.key(server.patient);
  const [asked] = await lacking();
  assert.ok(asked);
  const second = await proxy.register(first.key_id);
  await assert.rejects(patient.shareWith(server.patient, asked), { code: 'key-changed' });
  assert.equal(server.row(thread).keys.length, 2, 'nothing is sealed to either');
  const [again] = await lacking();
  assert.deepEqual([again?.agreed, again?.log.keys.at(-1)?.key_id], [false, second.key_id]);
  assert.ok(again);
  await patient.shareWith(server.patient, again);
  await proxy.register(second.key_id);
  const [third] = await lacking();
  assert.deepEqual([third?.agreed, third?.threads.length], [false, 1], 'who had the thread has it not with this key');
});

test('after a revocation nothing is shared, and a thread that the proxy had is named as outlived', async () => {
  const { server, patient, practice, proxy, thread, lacking, start } = await begun();
  await proxy.key(server.patient);
  const [asked] = await lacking();
  assert.ok(asked);
  await patient.shareWith(server.patient, asked);
  const stored = async () => (await patient.list(server.patient)).map((one) => one.stored);
  assert.deepEqual(await patient.outlived(server.patient, await stored()), new Set());
  server.logs.pop();
  assert.deepEqual(await patient.outlived(server.patient, await stored()), new Set([thread]));
  const next = await start('for others alone');
  assert.deepEqual(await lacking(), []);
  assert.deepEqual(await patient.outlived(server.patient, await stored()), new Set([thread]));
  assert.deepEqual(new Set(server.row(next).keys.map(({ party }) => party)), new Set([server.patients, 'providers']));
  assert.equal((await practice.read(server.patient, next))[0]?.text, 'for others alone');
  // Even with all ciphertext and the key of what they had: it is another thread's key.
  server.logs.push({ party: PROXY, relationship: 'proxy', keys: asked.log.keys });
  const [had] = server.row(thread).keys.filter(({ party }) => party === PROXY);
  assert.ok(had);
  server.row(next).keys.push(had);
  await assert.rejects(proxy.read(server.patient, next), { code: 'thread-key-mismatch' });
});
