// Calendars and reminders on the deployed portal: a calendar program follows a patient's appointments by
// a secret address until that is revoked; a week and a day before, the patient is reminded, once.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { accounts, api, audit, dynamodb, invoke, logs, mails, portal, texts, tokenFor } from './portal.mjs';

const provider = accounts.find((account) => account.role === 'provider');
const [one] = accounts.filter((account) => account.role === 'patient');
const providers = await tokenFor(provider);
const patients = await tokenFor(one);
const { json: { patient } } = await api('GET', '/v1/account', { token: patients });

const DAY = 86_400_000;
const TEXT = 'You have an appointment. Sign in to see it.';
const days = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** What a parser that nobody here wrote finds in a calendar: the readers that the tests install. */
function parsed(file) {
  const tools = process.env.PORTAL_TOOLS ?? fileURLToPath(new URL('../../.portal/tools', import.meta.url));
  const script = fileURLToPath(new URL('../portal/read_calendar.py', import.meta.url));
  const found = JSON.parse(execFileSync(`${tools}/readers/bin/python`, [script], { input: file }));
  assert.deepEqual(found.errors, []);
  return found;
}

const act = (path, body, { version, key } = {}) =>
  api('POST', `/v1/patients/${patient}/${path}`, {
    token: patients,
    body,
    headers: {
      ...(version ? { 'if-match': `"${version}"` } : {}),
      ...(key ? { 'idempotency-key': key } : {}),
    },
  });
const book = (start) =>
  act('appointments', { practitioner, type: 'visit', start, reason: 'A cough for three weeks' }, { key: randomUUID() });
const openCalendar = () => act('calendar');

/** The event of an appointment in a calendar. */
async function event(path, id) {
  const answer = await api('GET', path);
  assert.equal(answer.status, 200, answer.text);
  for (const word of ['cough', 'Office', 'visit', 'Main Street']) assert.ok(!answer.text.includes(word), word);
  return parsed(answer.text).events.find((found) => found.uid === id);
}

let practitioner;
let slots;
let appointment;
let path;

test('a provider is there every day', async () => {
  const before = await api('GET', '/v1/availability', { token: providers });
  const rules = {
    specialty: 'family-medicine',
    time_zone: 'America/New_York',
    minimum_notice_minutes: 0,
    horizon_days: 60,
    start_every_minutes: 30,
    appointment_types: [{ code: 'visit', name: 'Office visit', minutes: 30, modality: 'in-person' }],
    weekly: days.map((day) => ({ day, from: '00:00', to: '24:00', location: 'Main Street', types: ['visit'] })),
    exceptions: [],
  };
  const set = await api('PUT', '/v1/availability', {
    token: providers, body: rules, headers: { 'if-match': before.headers.get('etag') },
  });
  assert.equal(set.status, 200, set.text);
  const list = await api('GET', '/v1/providers', { token: patients });
  ({ practitioner } = list.json.providers.find((listed) => listed.specialty === 'family-medicine'));
  const [from, to] = [9, 12].map((ahead) => new Date(Date.now() + ahead * DAY).toISOString().slice(0, 10));
  const open = await api('GET', `/v1/open-slots?${new URLSearchParams({ type: 'visit', from, to, provider: practitioner })}`, { token: patients });
  ({ slots } = open.json);
  assert.ok(slots.length > 50, open.text);
});

test('an appointment is saved as a file, and followed by an address', async () => {
  const booked = await book(slots[20].start);
  assert.equal(booked.status, 201, booked.text);
  appointment = booked.json;
  const file = await api('GET', `/v1/patients/${patient}/appointments/${appointment.id}/calendar`, { token: patients });
  assert.equal(file.status, 200, file.text);
  assert.equal(file.headers.get('content-type'), 'text/calendar; charset=utf-8');
  assert.match(file.headers.get('content-disposition'), /^attachment/);
  assert.equal(file.headers.get('cache-control'), 'no-store');
  const [saved] = parsed(file.text).events;
  assert.equal(saved.uid, appointment.id);
  assert.equal(saved.summary, 'Appointment: Our practice');
  assert.equal(new Date(saved.start).toISOString(), new Date(appointment.start).toISOString());

  const opened = await openCalendar();
  assert.equal(opened.status, 201, opened.text);
  ({ path } = opened.json);
  assert.equal((await event(path, appointment.id)).sequence, 0);
});

test('the calendar follows a move and a cancellation', async () => {
  const { start } = slots[40];
  const moved = await act(`appointments/${appointment.id}/reschedule`, { start }, { version: 1 });
  assert.equal(moved.status, 200, moved.text);
  const newer = await event(path, appointment.id);
  assert.equal(newer.sequence, 1);
  assert.equal(new Date(newer.start).toISOString(), new Date(start).toISOString());
  assert.equal(newer.status, 'CONFIRMED');
  const cancelled = await act(`appointments/${appointment.id}/cancel`, { reason: 'other-plans' }, { version: 2 });
  assert.equal(cancelled.status, 200, cancelled.text);
  const last = await event(path, appointment.id);
  assert.deepEqual([last.sequence, last.status], [2, 'CANCELLED']);
});

test('an address that is renewed or revoked leads nowhere', async () => {
  const renewed = await openCalendar();
  assert.equal((await api('GET', path)).status, 404);
  assert.equal((await api('GET', renewed.json.path)).status, 200);
  const revoked = await api('DELETE', `/v1/patients/${patient}/calendar`, { token: patients });
  assert.equal(revoked.status, 200, revoked.text);
  assert.equal((await api('GET', renewed.json.path)).status, 404);
  assert.equal((await api('GET', `/v1/calendars/${'A'.repeat(64)}/appointments.ics`)).status, 404);
  const records = await audit(`PATIENT#${patient}`);
  const reads = records.filter((record) => record.operation === 'read-calendar');
  assert.ok(reads.length >= 4 && reads.every((record) => record.outcome === 'success' && record.via === 'self'));

  // Neither records nor logs have an address.
  const secrets = [path, renewed.json.path].map((one) => one.split('/')[3]);
  const written = [JSON.stringify(records)];
  const { logGroups } = await logs('DescribeLogGroups', {});
  for (const { logGroupName } of logGroups) {
    const { events } = await logs('FilterLogEvents', { logGroupName });
    written.push(JSON.stringify(events));
  }
  for (const secret of secrets) assert.ok(!written.join().includes(secret));
});

/** Lets an appointment begin so many hours from now, without a care for what is taken. */
async function beginsIn(hours, { id }) {
  const start = new Date(Math.ceil(Date.now() / 300_000) * 300_000 + hours * 3_600_000);
  const end = new Date(start.getTime() + 1_800_000);
  const hour = Number(new Intl.DateTimeFormat('en', { hour: 'numeric', hourCycle: 'h23', timeZone: 'UTC' }).format(new Date()));
  // Where it is noon now: the journey may run at night.
  const zone = hour === 12 ? 'Etc/GMT' : `Etc/GMT${hour > 12 ? '+' : '-'}${Math.abs(hour - 12)}`;
  await dynamodb('UpdateItem', {
    TableName: portal.outputs.ScheduleTableName,
    Key: { pk: { S: `PATIENT#${patient}` }, sk: { S: `APPOINTMENT#${id}` } },
    UpdateExpression: 'SET #start = :start, #end = :end, starts = :starts, #day = :day, time_zone = :zone',
    ExpressionAttributeNames: { '#start': 'start', '#end': 'end', '#day': 'day' },
    ExpressionAttributeValues: {
      ':start': { S: start.toISOString().replace('.000', '') },
      ':end': { S: end.toISOString().replace('.000', '') },
      ':starts': { S: `${start.toISOString()}#${id}` },
      ':day': { S: start.toISOString().slice(0, 10) },
      ':zone': { S: zone },
    },
  });
}

/** What the appointment knows of when it was made: long ago. */
async function madeLongAgo({ id }) {
  const key = { pk: { S: `PATIENT#${patient}` }, sk: { S: `APPOINTMENT#${id}` } };
  await dynamodb('UpdateItem', {
    TableName: portal.outputs.ScheduleTableName,
    Key: key,
    UpdateExpression: 'SET transitions[0].#at = :at',
    ExpressionAttributeNames: { '#at': 'at' },
    ExpressionAttributeValues: { ':at': { S: new Date(Date.now() - 20 * DAY).toISOString() } },
  });
}

test('a reminder comes by mail, and another by text message, once each', async () => {
  const address = `reminded.${randomUUID().slice(0, 8)}@example.org`;
  const number = `+1617${String(Math.floor(Math.random() * 1e7)).padStart(7, '0')}`;
  const profile = `/v1/patients/${patient}/profile`;
  const choose = async (choice) => {
    const { headers } = await api('GET', profile, { token: patients });
    const changed = await api('PATCH', profile, { token: patients, body: choice, headers: { 'if-match': headers.get('etag') } });
    assert.equal(changed.status, 200, changed.text);
  };
  await choose({ email: address, notifications: { appointments: 'email' } });
  const weekly = await book(slots[60].start);
  assert.equal(weekly.status, 201, weekly.text);
  await madeLongAgo(weekly.json);
  await beginsIn(7 * 24 - 2, weekly.json);
  await invoke('send-reminders', { source: 'aws.events' });
  await invoke('send-reminders', { source: 'aws.events' });
  const [mail, ...more] = (await mails(address)).filter((sent) => sent.Type === 'v2.SendEmail');
  assert.equal(mail.BodyText.trim(), TEXT);
  assert.deepEqual(more, []);

  await choose({
    phone: `${number.slice(0, 5)} ${number.slice(5)}`, preferred_language: 'es', notifications: { appointments: 'sms' },
  });
  await beginsIn(22, weekly.json);
  await invoke('send-reminders', { source: 'aws.events' });
  await invoke('send-reminders', { source: 'aws.events' });
  assert.deepEqual(await texts(number), ['Tiene una cita. Inicie sesión para verla.']);
  const records = await audit(`PATIENT#${patient}`);
  const reminders = records.filter((record) => record.operation === 'send-reminders');
  assert.equal(reminders.length, 2);
  assert.ok(reminders.every((record) => record.resource === weekly.json.id && record.outcome === 'success'));
});
