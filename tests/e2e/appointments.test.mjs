// Appointments on the deployed portal: a provider opens hours; a patient finds a time, holds it,
// books it, moves it and gives it up; the provider sees who comes.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { accounts, api, audit, claims, invoke, mails, tokenFor } from './portal.mjs';

const provider = accounts.find((account) => account.role === 'provider');
const [one, other] = accounts.filter((account) => account.role === 'patient');

const providers = await tokenFor(provider);
const patients = await tokenFor(one);
const others = await tokenFor(other);
const { json: { patient } } = await api('GET', '/v1/account', { token: patients });
const { json: { patient: neighbour } } = await api('GET', '/v1/account', { token: others });

const specialty = 'family-medicine';
const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
const [from, to] = [day(3), day(16)];

const open = (token, query) => api('GET', `/v1/open-slots?${new URLSearchParams({ type: 'visit', from, to, ...query })}`, { token });
const act = (path, body, { token = patients, whose = patient, version, key } = {}) =>
  api('POST', `/v1/patients/${whose}/${path}`, {
    token,
    body,
    headers: {
      ...(version ? { 'if-match': `"${version}"` } : {}),
      ...(key ? { 'idempotency-key': key } : {}),
    },
  });

let practitioner;
let slots;
let appointment;

test('a provider opens hours', async () => {
  const before = await api('GET', '/v1/availability', { token: providers });
  assert.equal(before.status, 200, before.text);
  const weekly = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'].map((name) =>
    ({ day: name, from: '09:00', to: '12:00', location: 'Main Street', types: ['visit'] }));
  const rules = {
    specialty,
    time_zone: 'America/New_York',
    minimum_notice_minutes: 60,
    horizon_days: 60,
    start_every_minutes: 15,
    appointment_types: [
      { code: 'visit', name: 'Office visit', minutes: 30, buffer_after: 15, modality: 'in-person' },
    ],
    weekly,
    exceptions: [{ date: day(30), closed: true }],
  };
  const set = (etag, body) => api('PUT', '/v1/availability', { token: providers, body, headers: { 'if-match': etag } });
  const wrong = structuredClone(rules);
  wrong.weekly[2].to = '08:00';
  const refused = await set(before.headers.get('etag'), wrong);
  assert.equal(refused.status, 400, refused.text);
  assert.deepEqual(refused.json.errors.map((error) => error.pointer), ['/weekly/2/to']);
  const answer = await set(before.headers.get('etag'), rules);
  assert.equal(answer.status, 200, answer.text);
  assert.equal((await set(before.headers.get('etag'), rules)).status, 412);
  const patientsTry = await api('PUT', '/v1/availability', { token: patients, body: rules, headers: { 'if-match': '"0"' } });
  assert.equal(patientsTry.status, 403);
});

test('a patient finds them, and a time', async () => {
  const list = await api('GET', '/v1/providers', { token: patients });
  assert.equal(list.status, 200, list.text);
  const found = list.json.providers.find((listed) => listed.specialty === specialty);
  assert.ok(found?.appointment_types.some((type) => type.code === 'visit'));
  assert.deepEqual(found.locations, ['Main Street']);
  practitioner = found.practitioner;
  const answer = await open(patients, { provider: practitioner });
  assert.equal(answer.status, 200, answer.text);
  slots = answer.json.slots;
  assert.ok(slots.length > 50, `${slots.length}`);
  assert.ok(slots.every((slot) => slot.time_zone === 'America/New_York' && slot.location === 'Main Street'));
  const again = await open(patients, { specialty });
  assert.deepEqual(again.json.slots, slots);
  const long = await open(patients, { provider: practitioner, to: day(40) });
  assert.deepEqual(long.json.errors.map((error) => error.pointer), ['query/to']);
});

test('holds it, so that nobody else gets it, and books it once', async () => {
  const { start } = slots[10];
  const slot = { practitioner, type: 'visit', start };
  const held = await act('holds', slot);
  assert.equal(held.status, 201, held.text);
  const booking = { ...slot, reason: 'A cough for three weeks' };
  const theirs = await act('appointments', booking, { token: others, whose: neighbour, key: randomUUID() });
  assert.equal(theirs.status, 409, theirs.text);
  assert.equal(theirs.json.type, '/problems/slot-taken');
  assert.equal(theirs.json.next_slots.length, 3);
  const key = randomUUID();
  const booked = await act('appointments', booking, { key });
  assert.equal(booked.status, 201, booked.text);
  appointment = booked.json;
  const again = await act('appointments', booking, { key });
  assert.deepEqual(again.json, appointment);
  const another = await act('appointments', { ...booking, reason: 'Another' }, { key });
  assert.equal(another.status, 422);
  const list = await api('GET', `/v1/patients/${patient}/appointments`, { token: patients });
  assert.ok(list.json.appointments.some((listed) => listed.id === appointment.id));
  const left = (await open(patients, { provider: practitioner })).json.slots;
  assert.ok(!left.some((open) => open.start === start));
});

test('the provider sees who comes, and confirms', async () => {
  const date = appointment.start.slice(0, 10);
  const schedule = await api('GET', `/v1/schedule?from=${date}&to=${date}`, { token: providers });
  assert.equal(schedule.status, 200, schedule.text);
  const row = schedule.json.appointments.find((listed) => listed.id === appointment.id);
  assert.equal(row.patient, patient);
  assert.ok(row.name && row.reason === 'A cough for three weeks');
  const path = `appointments/${appointment.id}/confirm`;
  assert.equal((await act(path, undefined, { version: 1 })).status, 404, 'patients do not confirm');
  const confirmed = await act(path, undefined, { token: providers, version: 1 });
  assert.equal(confirmed.status, 200, confirmed.text);
  assert.equal(confirmed.json.status, 'confirmed');
});

test('the patient moves it and gives it up, and the time is free again', async () => {
  const path = `appointments/${appointment.id}`;
  const start = slots.at(-1).start;
  assert.equal((await act(`${path}/reschedule`, { start }, { version: 1 })).status, 412);
  const moved = await act(`${path}/reschedule`, { start }, { version: 2 });
  assert.equal(moved.status, 200, moved.text);
  assert.equal(moved.json.start, start);
  assert.equal(moved.json.status, 'scheduled');
  const freed = (await open(others, { provider: practitioner })).json.slots;
  assert.ok(freed.some((open) => open.start === appointment.start));
  const cancelled = await act(`${path}/cancel`, { reason: 'other-plans' }, { version: 3 });
  assert.equal(cancelled.status, 200, cancelled.text);
  const detail = await api('GET', `/v1/patients/${patient}/${path}`, { token: patients });
  assert.deepEqual(detail.json.transitions.map((step) => [step.status, step.acting]), [
    ['scheduled', 'patient'], ['confirmed', 'practice'], ['scheduled', 'patient'], ['cancelled', 'patient'],
  ]);
  const complete = await act(`${path}/complete`, { notes: 'None' }, { token: providers, version: 4 });
  assert.equal(complete.status, 409, complete.text);
  const records = await audit(`PATIENT#${patient}`);
  const own = records.filter((record) => record.resource === appointment.id && record.outcome === 'success');
  assert.equal(own.filter((record) => record.action === 'appointment.reschedule').length, 1);
  assert.equal(own.filter((record) => record.action === 'appointment.cancel').length, 1);
  assert.ok(!JSON.stringify(records).includes('cough'));
  assert.equal(claims(patients).sub, own[0].actor);
});

test('the dashboard shows what is next', async () => {
  const starts = [slots[3].start, slots[0].start];
  for (const start of starts) {
    const booking = { practitioner, type: 'visit', start, reason: 'A check-up' };
    const booked = await act('appointments', booking, { key: randomUUID() });
    assert.equal(booked.status, 201, booked.text);
    if (start === slots[0].start) appointment = booked.json;
  }
  const dashboard = await api('GET', `/v1/patients/${patient}/dashboard`, { token: patients });
  assert.equal(dashboard.status, 200, dashboard.text);
  const next = dashboard.json.appointments;
  assert.ok(next.length <= 3);
  assert.deepEqual(next.map((one) => one.start), [...starts].sort());
  assert.equal(next[0].id, appointment.id);
});

test('the waitlist fills the gap', async () => {
  // The neighbour wants that morning and no other time, until half an hour after it begins.
  const date = appointment.start.slice(0, 10);
  const morning = slots.filter((slot) => slot.start.slice(0, 10) === date);
  const wish = { practitioner, type: 'visit', from: date, to: date, after: '09:00', before: '09:30' };
  assert.equal(morning[0].start, appointment.start);
  const as = { token: others, whose: neighbour };
  const joined = await act('waitlist', wish, { ...as, key: randomUUID() });
  assert.equal(joined.status, 201, joined.text);
  assert.equal(joined.json.offer, undefined);
  const waiting = await api('GET', '/v1/waitlist', { token: providers });
  assert.equal(waiting.status, 200, waiting.text);
  assert.deepEqual(waiting.json.waiting.map((one) => [one.patient, one.id]), [[neighbour, joined.json.id]]);

  // What is free is told as reminders are, where the patient wants it.
  const address = `waits.${randomUUID().slice(0, 8)}@example.org`;
  const profile = `/v1/patients/${neighbour}/profile`;
  const { headers } = await api('GET', profile, { token: others });
  const body = { email: address, notifications: { appointments: 'email' } };
  const changed = await api('PATCH', profile, { token: others, body, headers: { 'if-match': headers.get('etag') } });
  assert.equal(changed.status, 200, changed.text);
  const before = (await mails(address)).length;
  const cancelled = await act(`appointments/${appointment.id}/cancel`, { reason: 'not-needed' }, { version: 1 });
  assert.equal(cancelled.status, 200, cancelled.text);
  // Nobody who looks for a time just now gets in between.
  const left = (await open(patients, { provider: practitioner })).json.slots;
  assert.ok(!left.some((slot) => slot.start === appointment.start));
  const path = `/v1/patients/${neighbour}/waitlist`;
  const place = async () => (await api('GET', path, { token: others })).json.places[0];
  // The schedule may have been faster.
  await invoke('offer-openings', {});
  const { offer } = await place();
  assert.equal(offer.start, appointment.start);
  const sent = await mails(address);
  assert.equal(sent.length, before + 1);
  assert.match(JSON.stringify(sent.at(-1)), /A time has become free\. Sign in to see it\.|Se ha liberado una hora\. Inicie sesi/);
  const booking = { practitioner, type: 'visit', start: offer.start, reason: 'A sore throat' };
  const mine = await act('appointments', booking, { key: randomUUID() });
  assert.equal(mine.json.type, '/problems/slot-taken', mine.text);
  const theirs = await act('appointments', booking, { ...as, key: randomUUID() });
  assert.equal(theirs.status, 201, theirs.text);
  assert.equal(await place(), undefined);
  const records = await audit(`PATIENT#${neighbour}`);
  const offers = records.filter((record) => record.action === 'waitlist.offer');
  assert.deepEqual(offers.map((record) => record.resource), [joined.json.id]);
});
