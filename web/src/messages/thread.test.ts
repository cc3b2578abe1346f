// What a dishonest server does to a conversation, and the name that its readers give it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base64url, fromBase64url } from './bytes.js';
import { Messages } from './client.js';
import { Remembered, Server } from './dishonest.test.js';
import * as hpke from './hpke.js';
import { accept, fingerprint, keyId } from './keys.js';

interface Talk {
  server: Server;
  thread: string;
  patient: Messages;
  practice: Messages;
  /** What each side's browser remembers. */
  memories: { patient: Remembered; practice: Remembered };
}

function sides(server: Server, memories: Talk['memories']): { patient: Messages; practice: Messages } {
  return {
    patient: new Messages(server.as(server.patients), { account: server.patients, owner: 'account' }, memories.patient),
    practice: new Messages(server.as('providers'), { account: server.provider, owner: 'providers' }, memories.practice),
  };
}

/** Messages 1, 2 and 4 are the patient's, 3 and 5 the practice's, who has read what is before. */
async function conversation(): Promise<Talk> {
  const server = new Server();
  const memories = { patient: new Remembered(), practice: new Remembered() };
  const { patient, practice } = sides(server, memories);
  await practice.register();
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  await patient.send(server.patient, thread, { text: 'two' });
  await practice.read(server.patient, thread);
  await practice.send(server.patient, thread, { text: 'three' });
  await patient.read(server.patient, thread);
  await patient.send(server.patient, thread, { text: 'four' });
  await practice.read(server.patient, thread);
  await practice.send(server.patient, thread, { text: 'five' });
  return { server, thread, patient, practice, memories };
}

/** A browser of the patient's that has never been here. */
function anew({ server }: Talk): Messages {
  return sides(server, { patient: new Remembered(), practice: new Remembered() }).patient;
}

/** One that has read it all, and closed since. */
async function returning(talk: Talk): Promise<Messages> {
  await talk.patient.read(talk.server.patient, talk.thread);
  return sides(talk.server, talk.memories).patient;
}

const read = (reader: Messages, { server, thread }: Talk) => reader.read(server.patient, thread);

function swap<T>(list: T[], one: number, other: number): void {
  [list[one], list[other]] = [list[other] as T, list[one] as T];
}

test('both sides read the same in the same order', async () => {
  const talk = await conversation();
  for (const reader of [talk.patient, talk.practice, anew(talk), await returning(talk)]) {
    const messages = await read(reader, talk);
    assert.deepEqual(messages.map(({ text }) => text), ['one', 'two', 'three', 'four', 'five']);
  }
  const [listed] = await talk.practice.list(talk.server.patient);
  assert.equal(listed?.subject, 'A subject');
  const stored = JSON.stringify([...talk.server.rows.values()]);
  for (const word of ['one', 'five', 'subject line', 'A subject']) assert.ok(!stored.includes(`"${word}"`));
});

test('those sent at once keep their order', async () => {
  const talk = await conversation();
  await read(talk.patient, talk);
  const texts = Array.from({ length: 8 }, (_, at) => `at once ${at}`);
  await Promise.all(texts.map((text) => talk.patient.send(talk.server.patient, talk.thread, { text })));
  const messages = await read(anew(talk), talk);
  assert.deepEqual(messages.slice(5).map(({ text }) => text), texts);
});

test('two messages of one sender are swapped: order-changed', async () => {
  const talk = await conversation();
  swap(talk.server.row(talk.thread).messages, 0, 1);
  talk.server.renumber(talk.thread);
  await assert.rejects(read(anew(talk), talk), { code: 'order-changed' });
});

test('a message is put before what its sender had read: order-changed', async () => {
  const talk = await conversation();
  swap(talk.server.row(talk.thread).messages, 1, 2);
  talk.server.renumber(talk.thread);
  await assert.rejects(read(anew(talk), talk), { code: 'order-changed' });
});

test('two that nobody had seen are swapped after they were read: history-changed', async () => {
  const talk = await conversation();
  const { server, thread } = talk;
  await Promise.all([read(talk.patient, talk), read(talk.practice, talk)]);
  await talk.patient.send(server.patient, thread, { text: 'six' });
  await talk.practice.send(server.patient, thread, { text: 'seven' });
  const reader = await returning(talk);
  swap(server.row(thread).messages, 5, 6);
  server.renumber(thread);
  await assert.rejects(read(reader, talk), { code: 'history-changed' });
});

test('a message is replayed: replayed', async () => {
  const talk = await conversation();
  const { messages } = talk.server.row(talk.thread);
  messages.push({ ...(messages[2] as (typeof messages)[0]) });
  talk.server.renumber(talk.thread);
  await assert.rejects(read(anew(talk), talk), { code: 'replayed' });
});

test('the sender is changed: sender-changed, or message-altered where it is sealed', async () => {
  for (const [where, code] of [['outside', 'sender-changed'], ['inside', 'message-altered']] as const) {
    const talk = await conversation();
    const [, , third] = talk.server.row(talk.thread).messages;
    assert.ok(third);
    third.sender = talk.server.patients;
    if (where === 'inside') {
      const bytes = fromBase64url(third.ciphertext);
      bytes.set(fromBase64url(talk.server.row(talk.thread).messages[0]?.ciphertext ?? '').slice(17, 33), 17);
      third.ciphertext = base64url(bytes);
    }
    await assert.rejects(read(anew(talk), talk), { code });
  }
});

test('any byte is changed: message-altered, or the header says so', async () => {
  const talk = await conversation();
  const [first] = talk.server.row(talk.thread).messages;
  assert.ok(first);
  const bytes = fromBase64url(first.ciphertext);
  for (let at = 0; at < bytes.length; at += 7) {
    const altered = bytes.slice();
    altered[at] = (altered[at] ?? 0) ^ 1;
    first.ciphertext = base64url(altered);
    await assert.rejects(read(anew(talk), talk), { name: 'MessageError' }, `byte ${at}`);
  }
});

test('a message of another thread: other-thread', async () => {
  const talk = await conversation();
  const other = await talk.patient.start(talk.server.patient, 'other', 'Another', { text: 'elsewhere' });
  const [theirs] = talk.server.row(other).messages;
  const [first] = talk.server.row(talk.thread).messages;
  assert.ok(theirs && first);
  first.ciphertext = theirs.ciphertext;
  await assert.rejects(read(anew(talk), talk), { code: 'other-thread' });
});

test('a message is left out: message-missing', async () => {
  const talk = await conversation();
  const { server, thread } = talk;
  for (const text of ['six', 'seven']) await talk.patient.send(server.patient, thread, { text });
  server.row(thread).messages.splice(5, 1);
  server.renumber(thread);
  await assert.rejects(read(anew(talk), talk), { code: 'message-missing' });
});

test('the tail is cut: tail-cut, here and after a return', async () => {
  const talk = await conversation();
  await read(talk.patient, talk);
  const later = await returning(talk);
  talk.server.row(talk.thread).messages.splice(3);
  await assert.rejects(read(talk.patient, talk), { code: 'tail-cut' });
  await assert.rejects(read(later, talk), { code: 'tail-cut' });
});

test('the tail is cut before a new reader, and somebody answers to it: tail-cut', async () => {
  const talk = await conversation();
  const { server, thread } = talk;
  await read(talk.practice, talk);
  // Of the practice's messages 3 and 5 the last is gone, and with it the patient's 4.
  await talk.patient.read(server.patient, thread);
  await talk.patient.send(server.patient, thread, { text: 'six' });
  const { messages } = server.row(thread);
  messages.splice(4, 1);
  server.renumber(thread);
  await assert.rejects(read(anew(talk), talk), { code: 'tail-cut' });
});

test('a public key is swapped: key-altered, key-log-forked or key-changed', async () => {
  const talk = await conversation();
  const { server } = talk;
  const log = server.log('providers');
  const [honest] = log.keys;
  assert.ok(honest);
  const { publicKey } = await hpke.generate();
  const start = () => talk.patient.start(server.patient, 'other', 'Another', { text: 'x' });

  log.keys = [{ ...honest, public_key: base64url(publicKey) }];
  await assert.rejects(start(), { code: 'key-altered' });

  const forged = await keyId('providers', 1, publicKey);
  log.keys = [{ ...honest, public_key: base64url(publicKey), key_id: forged }];
  await assert.rejects(start(), { code: 'key-log-forked' });

  const added = await keyId('providers', 2, publicKey, honest.key_id);
  const second = { ...honest, public_key: base64url(publicKey), key_id: added, previous: honest.key_id };
  log.keys = [honest, second];
  await assert.rejects(start(), { code: 'key-changed' });
  await accept(talk.memories.patient, log);
  await start();
  // The new key is what the log says, and a person can compare it.
  assert.match(fingerprint(log), /^([0-9a-f]{4} ){9}[0-9a-f]{4}$/);
});

test('a private key that is not the log\'s: key-altered', async () => {
  const talk = await conversation();
  const other = await hpke.generate();
  for (const id of talk.server.private.keys()) talk.server.private.set(id, base64url(other.privateKey));
  await assert.rejects(read(anew(talk), talk), { code: 'key-altered' });
});

test('another thread key: thread-key-mismatch', async () => {
  const talk = await conversation();
  const row = talk.server.row(talk.thread);
  const commitment = fromBase64url(row.thread.commitment);
  commitment[0] = (commitment[0] ?? 0) ^ 1;
  row.thread.commitment = base64url(commitment);
  await assert.rejects(read(anew(talk), talk), { code: 'thread-key-mismatch' });
});

test('a thread that whoever began it spoiled takes no other from the list', async () => {
  const talk = await conversation();
  const { server, patient, practice } = talk;
  const spoiled = await patient.start(server.patient, 'other', 'Spoiled', { text: 'one' });
  for (const key of server.row(spoiled).keys) if (key.party === 'providers') key.wrapped = base64url(new Uint8Array(81));
  // A subject that is no text, sealed as it should be.
  const odd = await patient.start(server.patient, 'other', { toString: 'x' } as unknown as string, { text: 'one' });
  const subjects = async (reader: Messages) => new Map((await reader.list(server.patient)).map(({ stored, subject }) => [stored.id, subject]));
  assert.deepEqual(await subjects(practice), new Map([[talk.thread, 'A subject'], [spoiled, undefined], [odd, undefined]]));
  assert.deepEqual(new Map((await practice.inbox()).map(({ stored, subject }) => [stored.id, subject])).get(talk.thread), 'A subject');
  await assert.rejects(practice.read(server.patient, spoiled), { code: 'thread-key-mismatch' });
  assert.equal((await subjects(patient)).get(spoiled), 'Spoiled');
});

test('a proxy reads from when the patient shares, and a new key of one\'s own after sharing again', async () => {
  const talk = await conversation();
  const { server, thread } = talk;
  const account = '9f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c99';
  server.logs.push({ party: account, relationship: 'proxy', keys: [] });
  const proxy = new Messages(server.as(account), { account, owner: 'account' }, new Remembered());
  await proxy.register();
  await assert.rejects(read(proxy, talk), { code: 'not-shared' });
  assert.equal((await talk.patient.share(server.patient, thread)).length, 3);
  assert.equal((await read(proxy, talk)).length, 5);
  await proxy.send(server.patient, thread, { text: 'from the proxy' });
  assert.equal((await read(talk.practice, talk)).at(-1)?.text, 'from the proxy');
  const [, last] = [null, server.log(server.patients).keys.at(-1)];
  await talk.patient.register(last?.key_id);
  await talk.patient.share(server.patient, thread);
  assert.equal((await read(anew(talk), talk)).length, 6);
});
