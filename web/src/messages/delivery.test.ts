// What gets lost, comes late or is put off between a browser and the portal.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { type Answer, Messages, type Outbox, type Prepared } from './client.js';
import { Remembered, Server } from './dishonest.test.js';
import type { MessageError } from './errors.js';

async function sides() {
  const server = new Server();
  const memory = new Remembered();
  const browser = () => new Messages(server.as(server.patients), { account: server.patients, owner: 'account' }, memory);
  const patient = browser();
  const practice = new Messages(server.as('providers'), { account: server.provider, owner: 'providers' }, new Remembered());
  await practice.register();
  return { server, patient, practice, browser };
}

/** The portal does what comes next there, and the answer gets lost. */
function loseNext(server: Server, where: RegExp): void {
  server.onTheWay = async (method, path) => {
    if (method !== 'POST' || !where.test(path)) return;
    server.onTheWay = async () => undefined;
    throw new Error('no answer');
  };
}

/** The portal is asked for nothing there: whoever tries hears that it failed. */
function fails(server: Server): Messages {
  const call = server.as(server.patients);
  let failed = false;
  return new Messages(
    async (method, path, body, headers) => {
      if (failed || !path.endsWith('/messages')) return call(method, path, body, headers);
      failed = true;
      return { status: 500, json: undefined };
    },
    { account: server.patients, owner: 'account' },
    new Remembered(),
  );
}

const texts = async (reader: Messages, { patient }: Server, thread: string) =>
  (await reader.read(patient, thread)).map(({ text }) => text);

test('a message whose answer gets lost is there once, however often it is sent again', async () => {
  const { server, patient, practice } = await sides();
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  const send = (text: string) => patient.send(server.patient, thread, { text });
  for (const looked of [false, true]) {
    const text = `looked: ${looked}`;
    loseNext(server, /\/messages$/);
    await assert.rejects(send(text), /no answer/);
    // In the meantime it may show in the thread, or not.
    if (looked) await patient.read(server.patient, thread);
    loseNext(server, /\/messages$/);
    await assert.rejects(send(text), /no answer/);
    assert.equal(await send(text), looked ? 4 : 2);
    // What comes next has the number after it.
    await send('next');
  }
  const expected = ['one', 'looked: false', 'next', 'looked: true', 'next'];
  assert.deepEqual(await texts(patient, server, thread), expected);
  assert.deepEqual(await texts(practice, server, thread), expected);
});

test('a message that never arrived is sent again as it was, and another one in its place', async () => {
  const { server, patient, practice } = await sides();
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  for (const [first, then] of [['two', 'two'], ['never', 'three']] as const) {
    const late = fails(server);
    await assert.rejects(late.send(server.patient, thread, { text: first }), { code: 'refused' });
    await late.read(server.patient, thread);
    await late.send(server.patient, thread, { text: then });
    await late.send(server.patient, thread, { text: 'and on' });
  }
  assert.deepEqual(await texts(practice, server, thread), ['one', 'two', 'and on', 'three', 'and on']);
});

test('another text after a lost answer is another message', async () => {
  const { server, patient, practice } = await sides();
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  loseNext(server, /\/messages$/);
  await assert.rejects(patient.send(server.patient, thread, { text: 'two' }), /no answer/);
  await patient.send(server.patient, thread, { text: 'two, corrected' });
  await patient.send(server.patient, thread, { text: 'two' });
  assert.deepEqual(await texts(practice, server, thread), ['one', 'two', 'two, corrected', 'two']);
});

test('what was refused is made anew: a message with the counter as it is by then', async () => {
  const { server, patient, practice, browser } = await sides();
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  await patient.read(server.patient, thread);
  await browser().send(server.patient, thread, { text: 'from another window' });
  const send = () => patient.send(server.patient, thread, { text: 'three' });
  await assert.rejects(send(), { code: 'refused', refusal: { problem: 'counter-used', status: 409, retryAfter: undefined } });
  await send();
  assert.deepEqual(await texts(practice, server, thread), ['one', 'from another window', 'three']);
});

test('a thread whose answer gets lost is there once; with another text it is another', async () => {
  const { server, patient, practice } = await sides();
  const start = (text: string) => patient.start(server.patient, 'other', 'A subject', { text });
  loseNext(server, /\/threads$/);
  await assert.rejects(start('one'), /no answer/);
  loseNext(server, /\/threads$/);
  await assert.rejects(start('one'), /no answer/);
  const thread = await start('one');
  assert.deepEqual([...server.rows.keys()], [thread]);
  assert.deepEqual(await texts(practice, server, thread), ['one']);
  // It went well: the same words are wanted a second time.
  assert.notEqual(await start('one'), thread);
  loseNext(server, /\/threads$/);
  await assert.rejects(start('two'), /no answer/);
  await start('three');
  assert.equal(server.rows.size, 4);
});

test('what somebody else keeps until it is answered is the same after the page was loaded anew', async () => {
  const { server, patient, practice, browser } = await sides();
  let kept: Prepared | undefined;
  const outbox: Outbox = { get: async () => kept, set: async (prepared) => { kept = prepared; } };
  const start = (page: Messages) => page.start(server.patient, 'other', 'A subject', { text: 'one' }, outbox);
  loseNext(server, /\/threads$/);
  await assert.rejects(start(patient), /no answer/);
  const thread = await start(browser());
  assert.deepEqual([...server.rows.keys()], [thread]);
  const send = (page: Messages, text: string) => page.send(server.patient, thread, { text }, outbox);
  loseNext(server, /\/messages$/);
  await assert.rejects(send(patient, 'two'), /no answer/);
  assert.equal(await send(browser(), 'two'), 2);
  assert.equal(kept, undefined);
  // It went well: the same words are wanted a second time.
  await send(browser(), 'two');
  assert.deepEqual(await texts(practice, server, thread), ['one', 'two', 'two']);
});

test('what cannot be kept until it is answered is sent', async () => {
  const { server, patient, practice } = await sides();
  const fails = () => Promise.reject(new Error('no storage'));
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' }, { get: fails, set: fails });
  await patient.send(server.patient, thread, { text: 'two' }, { get: fails, set: fails });
  assert.deepEqual(await texts(practice, server, thread), ['one', 'two']);
});

test('a list and a thread that are opened at once know the same thread, whichever is late', async () => {
  for (const late of [/\/threads$/, /\/threads\//, /message-keys$/, /\/unlock$/]) {
    const { server, patient, practice, browser } = await sides();
    const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
    await practice.read(server.patient, thread);
    await practice.send(server.patient, thread, { text: 'two' });
    const anew = browser();
    let before = 0;
    server.onTheWay = async (_, path) => {
      if (late.test(path)) await new Promise((resolve) => { setTimeout(resolve, 20 * before++); });
    };
    await Promise.all([anew.list(server.patient), anew.read(server.patient, thread)]);
    assert.equal(await anew.markRead(server.patient, thread), 0, String(late));
    assert.equal(server.row(thread).read.get(server.patients), 2);
  }
});

test('two who read a thread at once read the same, and nothing is called replayed', async () => {
  const { server, patient, practice, browser } = await sides();
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  for (const text of ['two', 'three']) await patient.send(server.patient, thread, { text });
  await practice.read(server.patient, thread);
  const anew = browser();
  await anew.list(server.patient);
  for (let round = 0; round < 5; round += 1) {
    const expected = (await texts(practice, server, thread)).slice();
    const both = await Promise.all([texts(anew, server, thread), texts(anew, server, thread), anew.hide(server.patient, thread)]);
    assert.deepEqual(both.slice(0, 2), [expected, expected]);
    await practice.send(server.patient, thread, { text: `answer ${round}` });
  }
});

test('a thread that did not open is tried anew', async () => {
  const { server, patient, browser } = await sides();
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  const anew = browser();
  loseNext(server, /\/unlock$/);
  await assert.rejects(anew.read(server.patient, thread));
  assert.deepEqual(await texts(anew, server, thread), ['one']);
});

test('what was read before something that did not fit is not left out afterwards', async () => {
  const { server, patient, browser } = await sides();
  const thread = await patient.start(server.patient, 'other', 'A subject', { text: 'one' });
  await patient.send(server.patient, thread, { text: 'two' });
  const { messages } = server.row(thread);
  const [, second] = messages;
  assert.ok(second);
  const anew = browser();
  messages[1] = { ...second, sender: randomUUID() };
  await assert.rejects(anew.read(server.patient, thread), { code: 'sender-changed' });
  messages[1] = second;
  assert.deepEqual(await texts(anew, server, thread), ['one', 'two']);
});

/** How often a portal that answers thus is asked, and what comes of it. */
async function asked(answer: Answer): Promise<{ times: number; error: MessageError }> {
  let times = 0;
  const call = async () => {
    times += 1;
    return answer;
  };
  const messages = new Messages(call, { account: randomUUID(), owner: 'account' }, new Remembered());
  const error = await messages.list(randomUUID()).then(() => assert.fail('it was answered'), (reason: unknown) => reason as MessageError);
  return { times, error };
}

test('a portal that is busy is asked a few times, when it says, and not at all if that is far off', async () => {
  const busy = { type: '/problems/unavailable' };
  for (const [answer, times, problem] of [
    [{ status: 503, json: busy, retryAfter: 0.01 }, 4, 'unavailable'],
    [{ status: 429, json: undefined, retryAfter: 0.01 }, 4, ''],
    [{ status: 429, json: { type: '/problems/too-many-requests' }, retryAfter: 600 }, 1, 'too-many-requests'],
    [{ status: 403, json: '<html>', retryAfter: undefined }, 1, ''],
    [{ status: 500, json: null }, 1, ''],
  ] as const) {
    const found = await asked(answer);
    assert.equal(found.times, times, `${answer.status}`);
    assert.equal(found.error.code, 'refused');
    assert.deepEqual([found.error.refusal?.problem, found.error.refusal?.status], [problem, answer.status]);
  }
  const begun = performance.now();
  await asked({ status: 503, json: busy, retryAfter: 0.1 });
  assert.ok(performance.now() - begun >= 290, 'it waits as long as it is told');
});
