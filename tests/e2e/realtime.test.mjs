// A conversation in real time, over the deployed WebSocket API: nobody asks whether there is something
// new. A killed connection misses nothing, a ticket works once, and no text is anywhere.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accounts, api, audit, claims, dynamodb, pause, portal, sample, sends, signedIn, tokenFor } from './portal.mjs';
import { Messages } from '../../web/dist/messages/index.js';
import { Channel } from '../../web/dist/realtime/index.js';

const MARK = `MARKED-${crypto.randomUUID()}`;
const address = `${portal.emulator.replace('http', 'ws')}/_aws/execute-api/${portal.outputs.ChannelApiId}/portal`;

const call = (token) => async (method, path, body, headers) => {
  const { status, json } = await api(method, path, { token, body, headers });
  return { status, json };
};

const memory = () => {
  const kept = new Map();
  return { get: async (name) => kept.get(name), set: async (name, value) => void kept.set(name, value) };
};


/** Somebody at a browser: what they hear, and their sockets. */
class Person {
  heard = [];
  sockets = [];
  resets = 0;

  constructor(token, owner) {
    this.token = token;
    this.messages = new Messages(call(token), { account: claims(token).sub, owner }, memory());
  }

  async listen(position) {
    this.channel = new Channel({
      address,
      call: call(this.token),
      ...(position === undefined ? {} : { position }),
      random: () => 0.1,
      open: (url) => {
        const socket = new WebSocket(url);
        this.sockets.push(socket);
        return socket;
      },
      listener: {
        onEvent: (event) => this.heard.push(event),
        onReset: () => (this.resets += 1),
        onSignedOut: () => {},
      },
    });
    await this.channel.start();
    await until(() => this.sockets.at(-1)?.readyState === WebSocket.OPEN, 'a connection');
  }

  /** Waits until so many events of a kind are there. */
  async hears(type, count) {
    const of = () => this.heard.filter((event) => event.type === type);
    await until(() => of().length >= count, `${count} of ${type}`);
    return of();
  }
}

async function until(holds, what) {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await holds()) return;
    await pause(100);
  }
  assert.fail(`waited in vain for ${what}`);
}

let people;
let patient;
let thread;

test('each hears of what the other writes and reads, without asking', async () => {
  const token = (role) => tokenFor(accounts.find((one) => one.role === role));
  people = {
    patient: new Person(await token('patient'), 'account'),
    practice: new Person(await token('provider'), 'providers'),
  };
  patient = (await api('GET', '/v1/account', { token: people.patient.token })).json.patient;
  const logs = await people.practice.messages.logs(patient);
  if (logs.find((log) => log.party === 'providers').keys.length === 0) await people.practice.messages.register();
  await people.patient.listen();
  await people.practice.listen();

  thread = await people.patient.messages.start(patient, 'medical-question', 'Subject', { text: `${MARK} one` });
  const [event] = await people.practice.hears('message.new', 1);
  assert.deepEqual([event.patient, event.thread], [patient, thread]);
  assert.deepEqual(Object.keys(event).sort(), ['patient', 'sequence', 'thread', 'type']);
  const [read] = await people.practice.messages.read(event.patient, event.thread);
  assert.equal(read.text, `${MARK} one`);
  await people.practice.messages.markRead(patient, thread);
  const [receipt] = await people.patient.hears('message.read', 1);
  assert.equal(receipt.party, 'providers');
  await people.practice.messages.send(patient, thread, { text: `${MARK} two` });
  // Their own message, which other browsers of theirs hear of as well, and the answer.
  await people.patient.hears('message.new', 2);
  const texts = (await people.patient.messages.read(patient, thread)).map(({ text }) => text);
  assert.deepEqual(texts, [`${MARK} one`, `${MARK} two`]);
});

test('a killed connection catches up: nothing is missing, nothing comes twice', async () => {
  const { patient: side, practice } = people;
  const before = side.heard.length;
  const [killed] = side.sockets.slice(-1);
  killed.close();
  for (let at = 0; at < 5; at += 1) await practice.messages.send(patient, thread, { text: `${MARK} away ${at}` });
  await until(() => side.heard.length >= before + 5, 'what happened meanwhile');
  await until(() => side.sockets.at(-1) !== killed && side.sockets.at(-1).readyState === WebSocket.OPEN, 'a connection');
  await practice.messages.send(patient, thread, { text: `${MARK} back` });
  await until(() => side.heard.length >= before + 6, 'what happens now');
  const sequences = side.heard.map((event) => event.sequence);
  const first = sequences[0];
  assert.deepEqual(sequences, sequences.map((_, at) => first + at));
  assert.equal(side.resets, 0);
});

test('a ticket works once, and nobody gets in without one', async () => {
  const { ticket } = (await api('POST', '/v1/account/channel-tickets', { token: people.patient.token })).json;
  const outcome = (url) =>
    new Promise((resolve) => {
      const socket = new WebSocket(url);
      socket.onopen = () => {
        socket.close();
        resolve('open');
      };
      socket.onerror = () => resolve('refused');
    });
  assert.equal(await outcome(`${address}?ticket=${ticket}`), 'open');
  assert.equal(await outcome(`${address}?ticket=${ticket}`), 'refused');
  assert.equal(await outcome(address), 'refused');
  assert.equal(await outcome(`${address}?ticket=${people.patient.token}`), 'refused');
});

test('a session that was ended hears nothing more, and its connection ends', async () => {
  const { practice } = people;
  const other = new Person(await signedIn(accounts.find((one) => one.role === 'patient')), 'account');
  await other.listen();
  const [socket] = other.sockets;
  const { json } = await api('GET', '/v1/account', { token: other.token });
  const end = `/v1/account/sessions/${json.session}/end`;
  assert.equal((await api('POST', end, { token: people.patient.token })).status, 200);
  const heard = other.heard.length;
  await practice.messages.send(patient, thread, { text: `${MARK} not for everybody` });
  await until(() => socket.readyState === WebSocket.CLOSED, 'the end of the connection');
  assert.equal(other.heard.length, heard);
});

test('an appointment that is booked is told', async () => {
  const { patient: side, practice } = people;
  const type = { code: 'visit', name: 'Office visit', minutes: 30, buffer_after: 15, modality: 'in-person' };
  const weekly = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'].map((name) =>
    ({ day: name, from: '09:00', to: '12:00', location: 'Main Street', types: ['visit'] }));
  const rules = {
    specialty: 'family-medicine', time_zone: 'America/New_York', minimum_notice_minutes: 60,
    horizon_days: 60, start_every_minutes: 15, appointment_types: [type], weekly, exceptions: [],
  };
  const hours = await api('GET', '/v1/availability', { token: practice.token });
  const headers = { 'if-match': hours.headers.get('etag') };
  const set = await api('PUT', '/v1/availability', { token: practice.token, body: rules, headers });
  assert.equal(set.status, 200, set.text);
  const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
  const query = new URLSearchParams({ type: 'visit', specialty: 'family-medicine', from: day(3), to: day(16) });
  const { json: { slots } } = await api('GET', `/v1/open-slots?${query}`, { token: side.token });
  const { practitioner, start } = slots.at(-1);
  const booked = await api('POST', `/v1/patients/${patient}/appointments`, {
    token: side.token,
    body: { practitioner, type: 'visit', start, reason: `${MARK} reason` },
    headers: { 'idempotency-key': crypto.randomUUID() },
  });
  assert.equal(booked.status, 201, booked.text);
  await until(
    () => side.heard.some((event) => event.type === 'appointment.changed' && event.appointment === booked.json.id),
    'word of the appointment',
  );
});

test('a laboratory result that the practice sends is told', async () => {
  const result = sample().find(({ resource: { resourceType, category } }) =>
    resourceType === 'Observation' && category?.[0].coding[0].code === 'laboratory');
  const id = crypto.randomUUID();
  result.fullUrl = result.fullUrl.replace(result.resource.id, id);
  result.resource.id = id;
  delete result.resource.encounter;
  result.resource.effectiveDateTime = new Date().toISOString();
  await sends(() => [result]);
  const [told] = await people.patient.hears('result.new', 1);
  assert.deepEqual(Object.keys(told).sort(), ['patient', 'sequence', 'type']);
  assert.equal(told.patient, patient);
});

test('connections and deliveries are in the audit log, and no text is there or in the table', async () => {
  for (const person of Object.values(people)) person.channel.stop();
  const own = await audit(`ACCOUNT#${claims(people.patient.token).sub}`);
  for (const operation of ['open-channel', 'connect-channel', 'list-events']) {
    assert.ok(own.some((record) => record.operation === operation && record.outcome === 'success'), operation);
  }
  assert.ok(own.some((record) => record.operation === 'disconnect-channel'));
  const day = await audit(`PORTAL#${new Date().toISOString().slice(0, 10)}`);
  assert.ok(day.some((record) => record.operation === 'deliver-events' && record.outcome === 'success'));
  const { Items: rows } = await dynamodb('Scan', { TableName: portal.outputs.ChannelsTableName });
  assert.ok(rows.some((row) => row.sk.S.startsWith('EVENT#')));
  const encoded = Buffer.from(MARK).toString('base64').slice(0, -2);
  for (const text of [...own, ...day, ...rows].map((item) => JSON.stringify(item))) {
    assert.ok(!text.includes(MARK) && !text.includes(encoded));
  }
});
