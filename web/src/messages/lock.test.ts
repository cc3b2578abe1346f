// Strict mode: what the portal keeps does not open without the owner's secret.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base64url, fromBase64url, random } from './bytes.js';
import { Messages } from './client.js';
import { Remembered, Server } from './dishonest.test.js';
import * as hpke from './hpke.js';
import { accept } from './keys.js';
import { type Lock, lockKey, unlockKey } from './lock.js';

const passphrase = { passphrase: 'correct horse battery staple' };

test('a key opens with its lock, and with no other', async () => {
  const pair = await hpke.generate();
  const passkey: Lock = { prf: random(32) };
  const others: Lock[] = [{ passphrase: 'incorrect horse battery' }, { prf: random(32) }];
  for (const [lock, kind] of [[passphrase, 1], [passkey, 2]] as const) {
    const locked = await lockKey('owner', pair, lock);
    assert.deepEqual([locked[0], locked[1]], [1, kind]);
    assert.ok(locked.length >= 118 && locked.length <= 310, `${locked.length}`);
    assert.deepEqual(await unlockKey('owner', pair.publicKey, locked, lock), pair.privateKey);
    await assert.rejects(unlockKey('somebody', pair.publicKey, locked, lock), { code: 'wrong-secret' });
    const other = others[kind - 1] as Lock;
    await assert.rejects(unlockKey('owner', pair.publicKey, locked, other), { code: 'wrong-secret' });
    // Of the other kind, and with fewer rounds than there must be.
    await assert.rejects(unlockKey('owner', pair.publicKey, locked, kind === 1 ? passkey : passphrase), {
      code: 'key-altered',
    });
    const weaker = locked.slice();
    weaker.set([0, 0, 0, 1], 2);
    await assert.rejects(unlockKey('owner', pair.publicKey, weaker, lock), { code: 'key-altered' });
    const altered = locked.slice();
    altered[locked.length - 1] = (altered[locked.length - 1] ?? 0) ^ 1;
    await assert.rejects(unlockKey('owner', pair.publicKey, altered, lock), { code: 'wrong-secret' });
  }
});

test('a passphrase has a length, whatever the keyboard composes', async () => {
  const pair = await hpke.generate();
  await assert.rejects(lockKey('owner', pair, { passphrase: 'fourteen chars' }), { code: 'weak-passphrase' });
  const composed = { passphrase: 'caf\u00e9 caf\u00e9 caf\u00e9 caf\u00e9' };
  const decomposed = { passphrase: composed.passphrase.normalize('NFD') };
  assert.notEqual(composed.passphrase, decomposed.passphrase);
  const locked = await lockKey('owner', pair, composed);
  assert.deepEqual(await unlockKey('owner', pair.publicKey, locked, decomposed), pair.privateKey);
});

function patientOf(server: Server, memory: Remembered, lock?: Lock): Messages {
  const person = { account: server.patients, owner: 'account' } as const;
  return new Messages(server.as(server.patients), person, memory, lock && (() => Promise.resolve(lock)));
}

async function begun(): Promise<{ server: Server; practice: Messages; memory: Remembered; practices: Remembered }> {
  const server = new Server();
  const practices = new Remembered();
  const person = { account: server.provider, owner: 'providers' } as const;
  const practice = new Messages(server.as('providers'), person, practices);
  await practice.register();
  return { server, practice, memory: new Remembered(), practices };
}

test('in strict mode a conversation takes the passphrase, and the portal has no key that opens', async () => {
  const { server, practice, memory } = await begun();
  const patient = patientOf(server, memory, passphrase);
  await patient.register(undefined, passphrase);
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  await practice.read(server.patient, thread);
  await practice.send(server.patient, thread, { text: 'two' });

  const [key] = server.log(server.patients).keys;
  assert.ok(key);
  assert.equal(key.protection, 'passphrase');
  const kept = fromBase64url(server.private.get(key.key_id) ?? '');
  await assert.rejects(hpke.privateKey({ publicKey: fromBase64url(key.public_key), privateKey: kept }));

  const read = (lock?: Lock) => patientOf(server, memory, lock).read(server.patient, thread);
  assert.deepEqual((await read(passphrase)).map(({ text }) => text), ['one', 'two']);
  await assert.rejects(read(), { code: 'locked' });
  await assert.rejects(read({ prf: random(32) }), { code: 'locked' });
  await assert.rejects(read({ passphrase: 'another passphrase' }), { code: 'wrong-secret' });
});

test('a key that is said to be locked, and is not: key-altered', async () => {
  const { server, memory } = await begun();
  const patient = patientOf(server, memory, passphrase);
  await patient.register(undefined, passphrase);
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  const [key] = server.log(server.patients).keys;
  assert.ok(key);
  // The log's id commits to the protection.
  key.protection = 'portal';
  await assert.rejects(patientOf(server, memory).read(server.patient, thread), { code: 'key-altered' });
  key.protection = 'passphrase';
  const other = await hpke.generate();
  const locked = await lockKey(server.patients, other, passphrase);
  server.private.set(key.key_id, base64url(locked));
  const reader = patientOf(server, memory, passphrase);
  await assert.rejects(reader.read(server.patient, thread), { code: 'wrong-secret' });
});

test('into strict mode and out of it: each key opens what was shared with it', async () => {
  const { server, practice, memory, practices } = await begun();
  const before = patientOf(server, memory);
  const thread = await before.start(server.patient, 'other', 'A subject', { text: 'one' });
  await practice.read(server.patient, thread);
  await before.rotate([server.patient], passphrase);
  const second = await before.start(server.patient, 'other', 'Another', { text: 'strict' });
  const [plain, strict] = server.log(server.patients).keys;
  assert.deepEqual([plain?.protection, strict?.protection], ['portal', 'passphrase']);
  assert.equal(strict?.previous, plain?.key_id);
  // The practice is asked before it seals to the new key, and what began since is for that key alone.
  await assert.rejects(practice.share(server.patient, thread), { code: 'key-changed' });
  await accept(practices, server.log(server.patients));
  await practice.share(server.patient, thread);
  assert.deepEqual(server.row(second).keys.filter(({ party }) => party === server.patients).map((key) => key.key_id), [
    strict?.key_id,
  ]);
  const locked = patientOf(server, memory);
  assert.equal((await locked.read(server.patient, thread)).length, 1);
  await assert.rejects(locked.read(server.patient, second), { code: 'locked' });

  const leaving = patientOf(server, memory, passphrase);
  await leaving.rotate([server.patient]);
  const after = patientOf(server, memory);
  assert.equal(server.log(server.patients).keys.at(-1)?.protection, 'portal');
  assert.equal((await after.read(server.patient, second))[0]?.text, 'strict');
});

test('a forgotten passphrase: a new key, and the practice shares again', async () => {
  const { server, practice, memory, practices } = await begun();
  const patient = patientOf(server, memory, passphrase);
  await patient.register(undefined, passphrase);
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  const anew = patientOf(server, memory, { passphrase: 'the next passphrase' });
  const last = server.log(server.patients).keys.at(-1);
  await anew.register(last?.key_id, { passphrase: 'the next passphrase' });
  await assert.rejects(anew.read(server.patient, thread), { code: 'wrong-secret' });
  await accept(practices, server.log(server.patients));
  await practice.share(server.patient, thread);
  const reader = patientOf(server, memory, { passphrase: 'the next passphrase' });
  assert.equal((await reader.read(server.patient, thread))[0]?.text, 'one');
});
