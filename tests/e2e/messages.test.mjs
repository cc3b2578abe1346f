// Two browsers hold a conversation through the deployed portal, and what the portal has of it says
// nothing.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Messages, addMessages } from '../../web/dist/messages/index.js';
import { accounts, api, audit, claims, dynamodb, home, logs, pause, portal, tokenFor } from './portal.mjs';

const MARK = 'Xylophone-4711';
const SUBJECT = `${MARK} about my knee`;

/** Everything that went over the wire. */
const captured = [];

/** What a browser remembers. */
function memory() {
  const kept = new Map();
  return { get: async (name) => kept.get(name), set: async (name, value) => void kept.set(name, value) };
}

const call = (token) => async (method, path, body, headers) => {
  captured.push(JSON.stringify({ method, path, body, headers }));
  const answer = await api(method, path, { token, body, headers });
  captured.push(answer.text);
  return { status: answer.status, json: answer.json };
};


let patient;
let account;
let tokens;
let memories;
let sides;
let thread;
/** A file as it stands in a bucket. */
let exported;

/** Both sides' browsers, as they are when they come back. */
function browsers() {
  return {
    patient: new Messages(call(tokens.patient), { account: claims(tokens.patient).sub, owner: 'account' }, memories.patient),
    practice: new Messages(call(tokens.practice), { account: claims(tokens.practice).sub, owner: 'providers' }, memories.practice),
  };
}

/** Every item of a table. */
async function scan(table) {
  const items = [];
  let start;
  do {
    const page = await dynamodb('Scan', { TableName: table, ...(start ? { ExclusiveStartKey: start } : {}) });
    items.push(...page.Items);
    start = page.LastEvaluatedKey;
  } while (start);
  return items;
}

/** All tables that there are. */
async function everyTable() {
  const names = [];
  let start;
  do {
    const page = await dynamodb('ListTables', start ? { ExclusiveStartTableName: start } : {});
    names.push(...page.TableNames);
    start = page.LastEvaluatedTableName;
  } while (start);
  return names;
}

test('a patient writes, and somebody of the care team answers', async () => {
  tokens = {
    patient: await tokenFor(accounts.find((one) => one.role === 'patient')),
    practice: await tokenFor(accounts.find((one) => one.role === 'provider')),
  };
  account = claims(tokens.patient).sub;
  patient = (await api('GET', '/v1/account', { token: tokens.patient })).json.patient;
  memories = { patient: memory(), practice: memory() };
  sides = browsers();
  // The practice has a key before anybody can write to it.
  const logs = await sides.practice.logs(patient);
  if (logs.find((log) => log.party === 'providers').keys.length === 0) await sides.practice.register();
  thread = await sides.patient.start(patient, 'medical-question', SUBJECT, { text: `${MARK}: it hurts` });
  const inbox = await sides.practice.inbox();
  const waiting = inbox.find(({ stored }) => stored.id === thread);
  assert.deepEqual([waiting.subject, waiting.stored.unread], [SUBJECT, 1]);
  const [first] = await sides.practice.read(patient, thread);
  assert.equal(first.text, `${MARK}: it hurts`);
  assert.equal(await sides.practice.markRead(patient, thread), 0);
  await sides.practice.send(patient, thread, { text: `${MARK}: since when?` });
  const heard = await sides.patient.read(patient, thread);
  assert.deepEqual(heard.map(({ text }) => text), [`${MARK}: it hurts`, `${MARK}: since when?`]);
});

test('fifty at once, from both sides: one order for all, none lost, unread exact', async () => {
  const send = (side, name) =>
    Array.from({ length: 25 }, (_, at) => sides[side].send(patient, thread, { text: `${MARK} ${name} ${at}` }));
  const sequences = await Promise.all([...send('patient', 'p'), ...send('practice', 'd')]);
  assert.deepEqual(sequences.toSorted((a, b) => a - b), Array.from({ length: 50 }, (_, at) => at + 3));
  // New browsers, which have to verify it all.
  sides = browsers();
  const [one, other] = [await sides.patient.read(patient, thread), await sides.practice.read(patient, thread)];
  assert.deepEqual(one, other);
  assert.equal(one.length, 52);
  for (const name of ['p', 'd']) {
    const own = one.map(({ text }) => text).filter((text) => text.startsWith(`${MARK} ${name} `));
    assert.deepEqual(own, Array.from({ length: 25 }, (_, at) => `${MARK} ${name} ${at}`));
  }
  const unread = async (side) => (await sides[side].list(patient)).find(({ stored }) => stored.id === thread).stored.unread;
  assert.deepEqual([await unread('patient'), await unread('practice')], [26, 25]);
  assert.equal(await sides.patient.markRead(patient, thread), 0);
});

test('somebody who does not treat the patient has neither the thread nor, by it, its key', async () => {
  const token = await tokenFor(accounts.find((one) => one.role === 'admin'));
  const listed = await api('GET', `/v1/patients/${patient}/threads`, { token: tokens.patient });
  assert.deepEqual(listed.json.practice, { reply_within_hours: 48, emergency_number: '911' });
  for (const path of [`/v1/patients/${patient}/threads`, `/v1/patients/${patient}/threads/${thread}`]) {
    assert.equal((await api('GET', path, { token })).status, 404);
  }
  const body = { key_id: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA' };
  const unlock = await api('POST', '/v1/message-keys/providers/unlock', { token, body });
  assert.equal(unlock.status, 403);
});

test('a swapped message is noticed by a browser that was there, and by one that was not', async () => {
  const table = portal.outputs.MessagesTableName;
  const pk = { S: `THREAD#${patient}#${thread}` };
  const key = (sequence) => ({ pk, sk: { S: `MESSAGE#${String(sequence).padStart(20, '0')}` } });
  const [first, second] = await Promise.all(
    [1, 2].map(async (sequence) => (await dynamodb('GetItem', { TableName: table, Key: key(sequence) })).Item),
  );
  const swapped = (item, at) => ({ TableName: table, Item: { ...item, ...key(at) } });
  await dynamodb('PutItem', swapped(first, 2));
  await dynamodb('PutItem', swapped(second, 1));
  await assert.rejects(browsers().patient.read(patient, thread), { code: 'order-changed' });
  await dynamodb('PutItem', swapped(first, 1));
  await dynamodb('PutItem', swapped(second, 2));
  assert.equal((await browsers().patient.read(patient, thread)).length, 52);
});

test('a thread that was hidden comes back with the next message', async () => {
  const listed = async () => (await sides.patient.list(patient)).some(({ stored }) => stored.id === thread);
  await sides.patient.hide(patient, thread);
  assert.equal(await listed(), false);
  await sides.practice.send(patient, thread, { text: `${MARK}: better?` });
  assert.equal(await listed(), true);
});

test('with a passphrase the portal has no key that opens what comes', async () => {
  const lock = { passphrase: `${MARK} and three more words` };
  const strict = (memory, askLock) =>
    new Messages(call(tokens.patient), { account, owner: 'account' }, memory, askLock);
  const key = await strict(memories.patient).rotate([patient], lock);
  assert.equal(key.protection, 'passphrase');
  const asking = strict(memories.patient, async () => lock);
  const locked = await asking.start(patient, 'other', SUBJECT, { text: `${MARK}, for us alone` });
  const anew = (secret) => strict(memory(), async () => secret).read(patient, locked);
  assert.equal((await anew(lock))[0].text, `${MARK}, for us alone`);
  await assert.rejects(anew({ passphrase: 'a guess at the passphrase' }), { code: 'wrong-secret' });
  await assert.rejects(anew(undefined), { code: 'locked' });
  // What the log says in the open is what the practice sees, and is asked about.
  const { parties } = (await api('GET', `/v1/patients/${patient}/message-keys`, { token: tokens.practice })).json;
  assert.deepEqual(parties[0].keys.map((one) => one.protection), ['portal', 'passphrase']);
  // And out of it.
  await asking.rotate([patient]);
  assert.equal((await strict(memory()).read(patient, locked)).length, 1);
});

test('the copy of the record has the messages, which the browser adds', { timeout: 240_000 }, async () => {
  const path = `/v1/patients/${patient}/exports`;
  const token = tokens.patient;
  const asked = await api('POST', path, { token, headers: { 'idempotency-key': randomUUID() }, body: {} });
  assert.equal(asked.status, 202, asked.text);
  let made;
  for (let tries = 0; tries < 180 && made?.state !== 'ready'; tries += 1) {
    await pause(1000);
    made = (await api('GET', path, { token })).json.exports.find((one) => one.id === asked.json.id);
    assert.notEqual(made.state, 'failed');
  }
  const file = async (name) => {
    const { json } = await api('GET', `${path}?export=${made.id}&file=${name}`, { token });
    return (await fetch(json.download.url)).text();
  };
  const [manifest, fhir, html] = [await file('manifest'), await file('fhir'), await file('html')];
  exported = Buffer.from(html).toString('latin1');
  const copied = await browsers().patient.copy(patient);
  const whole = await addMessages({ manifest, fhir, html }, copied);
  assert.deepEqual(copied.missing, []);
  assert.ok(!fhir.includes(MARK) && whole.fhir.includes(`${MARK}: it hurts`));
  assert.ok(!html.includes(MARK) && whole.html.includes(`${MARK}: it hurts`));
  const { entry } = JSON.parse(whole.fhir);
  const added = entry.filter(({ resource }) => resource.resourceType === 'Communication');
  assert.equal(added.length, JSON.parse(whole.manifest).messages.messages);
  assert.ok(added.length >= 54);
});

test('a privacy officer passes messages on, and the patient hears to whom and why', async () => {
  const token = await tokenFor(accounts.find((one) => one.role === 'privacy-officer'));
  const officer = () => new Messages(call(token), { account: claims(token).sub, owner: 'providers' }, memory());
  await assert.rejects(officer().read(patient, thread), ({ refusal }) => refusal?.problem === 'not-found');
  const said = { purpose: 'judicial-proceeding', statement: 'The court asks for it', recipient: 'County court' };
  const headers = { 'idempotency-key': randomUUID() };
  const disclosed = await api('POST', `/v1/patients/${patient}/disclosures`, { token, headers, body: said });
  assert.equal(disclosed.status, 201, disclosed.text);
  const read = await officer().read(patient, thread);
  assert.equal(read[0].text, `${MARK}: it hurts`);
  const list = await api('GET', `/v1/patients/${patient}/record-access?of=disclosures`, { token: tokens.patient });
  const told = list.json.accesses.map(({ what, why }) => [what.operation, why.disclosure?.recipient]);
  assert.ok(told.some(([operation, to]) => operation === 'read-thread' && to === 'County court'), list.text);
});

test('each unlocking of a key and each reading is in the audit log', async () => {
  const own = await audit(`ACCOUNT#${account}`);
  const unlocked = own.filter((record) => record.operation === 'unlock-message-key' && record.outcome === 'success');
  assert.ok(unlocked.length > 0);
  const about = await audit(`PATIENT#${patient}`);
  for (const operation of ['start-thread', 'read-thread', 'send-message', 'mark-thread-read', 'list-threads']) {
    assert.ok(about.some((record) => record.operation === operation && record.resource !== MARK), operation);
  }
});

test('what was written is in no table, no log, no file and no request', async () => {
  // In base64 it stands at one of three offsets, between letters that other bytes have a part in.
  const encoded = [0, 2, 3].map((first, offset) => {
    const base64 = Buffer.from('.'.repeat(offset) + MARK).toString('base64').replaceAll('=', '');
    return base64.slice(first, -1);
  });
  const marks = [MARK, ...encoded, ...encoded.map((mark) => mark.replaceAll('+', '-').replaceAll('/', '_'))];
  const holds = (text, what) => {
    for (const mark of marks) assert.ok(!text.includes(mark), what);
  };
  for (const before of ['', 'a', 'ab']) {
    const known = Buffer.from(`${before}${MARK} and more`).toString('base64url');
    assert.throws(() => holds(known, 'found where it is'));
  }
  const tables = await everyTable();
  const named = Object.entries(portal.outputs).filter(([name]) => name.endsWith('TableName'));
  for (const [name, table] of named) assert.ok(tables.includes(table), name);
  // One that no output names.
  assert.ok(tables.some((table) => /watch/i.test(table)), tables.join(' '));
  let messages = 0;
  for (const name of tables) {
    for (const item of await scan(name)) {
      const text = JSON.stringify(item);
      holds(text, name);
      for (const [attribute, value] of Object.entries(item)) {
        if (value.B) holds(Buffer.from(value.B, 'base64').toString('latin1'), `${name} ${attribute}`);
      }
      messages += text.includes('MESSAGE#') ? 1 : 0;
    }
  }
  assert.ok(messages >= 52, 'the conversation is there');
  assert.ok(captured.length > 100);
  for (const text of captured) holds(text, 'a request or its answer');
  const { logGroups } = await logs('DescribeLogGroups', {});
  let lines = 0;
  let files = 0;
  let found = false;
  for (const { logGroupName } of logGroups) {
    const { events } = await logs('FilterLogEvents', { logGroupName });
    for (const { message } of events) holds(message, logGroupName);
    lines += events.length;
  }
  const walk = (folder) => {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name);
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) walk(path);
      else if (stat?.isFile() && stat.size < 64 * 1024 * 1024 && !name.endsWith('.zip')) {
        const content = readFileSync(path, 'latin1');
        holds(content, path);
        files += 1;
        found ||= content === exported;
      }
    }
  };
  walk(home);
  assert.ok(lines > 0 && files > 0);
  assert.ok(found, 'what stands in buckets is among the files: the copy of the record is');
});
