// Who looked, on the deployed portal: a patient sees by whom, why and how their record was used,
// with the review of an emergency, asks about an access, and gets an answer.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { accounts, api, audit, tokenFor } from './portal.mjs';

const as = (role) => accounts.find((account) => account.role === role);
const [, other] = accounts.filter((account) => account.role === 'patient');
const explanation = 'Zyxw says that they looked, and nobody there treats me';
const note = 'Zyxw was in the emergency department that day';

let patient;
let provider;
let officer;
let id;
let access;
let concern;

const list = async (query = '') => {
  const answer = await api('GET', `/v1/patients/${id}/record-access${query}`, { token: patient });
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
};

test('a provider who does not treat the patient is refused, and the patient sees it', async () => {
  patient = await tokenFor(other);
  provider = await tokenFor(as('provider'));
  id = (await api('GET', '/v1/account', { token: patient })).json.patient;
  const refused = await api('GET', `/v1/patients/${id}/profile`, { token: provider });
  assert.equal(refused.status, 404, refused.text);
  const { accesses } = await list('?of=providers');
  const [entry] = accesses;
  assert.equal(entry.outcome.code, 'refused');
  assert.equal(entry.what.text, 'Tried to look at the profile');
  assert.ok(entry.who.name, 'the directory knows their name');
  assert.ok(entry.who.text.startsWith(entry.who.name));
  assert.equal(entry.from, undefined);
});

test('an emergency is in the list with its reason', async () => {
  const broken = await api('POST', `/v1/patients/${id}/break-glass`, {
    token: provider,
    body: { reason: 'patient-unresponsive', explanation: 'found without consciousness' },
  });
  assert.equal(broken.status, 201, broken.text);
  assert.equal((await api('GET', `/v1/patients/${id}/lab-results`, { token: provider })).status, 200);
  const { accesses } = await list('?of=providers');
  const [read, began] = accesses;
  assert.equal(read.what.text, 'Looked at the lab results');
  assert.equal(began.what.text, 'Opened the record in an emergency');
  for (const entry of [read, began]) {
    assert.equal(entry.outcome.code, 'done');
    assert.equal(entry.why.text, 'They said that the patient could not respond.');
    assert.equal(entry.why.emergency.verdict, undefined);
  }
  access = read.id;
});

test('and with the review, once the privacy officer has made it', async () => {
  officer = await tokenFor(as('privacy-officer'));
  const open = await api('GET', '/v1/access-concerns', { token: officer });
  const glass = open.json.concerns.find((one) => one.patient === id && one.kind === 'break-glass');
  const reviewed = await api('POST', `/v1/access-concerns/${glass.id}/review`, {
    token: officer,
    body: { verdict: 'justified', note },
  });
  assert.equal(reviewed.status, 200, reviewed.text);
  const { accesses } = await list('?of=providers&limit=2');
  for (const entry of accesses) {
    assert.equal(entry.why.emergency.verdict, 'justified');
    assert.equal(entry.why.emergency.text, 'The privacy officer checked it: it was needed.');
  }
});

test('the patient asks about an access, and gets an answer', async () => {
  const path = `/v1/patients/${id}/record-access/${access}/report`;
  const sent = await api('POST', path, { token: patient, body: { explanation } });
  assert.equal(sent.status, 201, sent.text);
  const again = await api('POST', path, { token: patient, body: {} });
  assert.deepEqual(again.json, sent.json);
  const open = await api('GET', '/v1/access-concerns', { token: officer });
  const raised = open.json.concerns.filter((one) => one.access?.id === access);
  assert.equal(raised.length, 1, open.text);
  concern = raised[0].id;
  assert.ok(!open.text.includes('Zyxw'));
  const opened = await api('GET', `/v1/access-concerns/${concern}`, { token: officer });
  assert.equal(opened.json.explanation, explanation);
  const resolved = await api('POST', `/v1/access-concerns/${concern}/resolve`, {
    token: officer,
    body: { outcome: 'no-issue', note },
  });
  assert.equal(resolved.status, 200, resolved.text);
  const { accesses } = await list('?of=providers');
  const entry = accesses.find((one) => one.id === access);
  assert.equal(entry.report.outcome, 'no-issue');
  const text = 'The privacy officer looked into it: this access was all right.';
  assert.equal(entry.report.text, text);
});

test('every access is on one page of the list, the reading of it as well', async () => {
  const expected = new Set((await audit(`PATIENT#${id}`)).map((record) => record.request_id));
  const requests = new Map((await audit(`PATIENT#${id}`)).map((record) => [record.id, record.request_id]));
  const seen = [];
  let cursor;
  do {
    const page = await list(`?limit=3${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`);
    seen.push(...page.accesses.map((one) => requests.get(one.id)).filter(Boolean));
    cursor = page.next_cursor;
  } while (cursor);
  assert.equal(seen.length, expected.size);
  assert.deepEqual(new Set(seen), expected);
  const { accesses: own } = await list('?limit=1');
  assert.equal(own[0].who.text, 'You');
  assert.equal(own[0].what.text, 'Looked at this list');
  const records = JSON.stringify(await audit(`PATIENT#${id}`));
  assert.ok(!records.includes('Zyxw'));
});

test('nobody else reads it', async () => {
  const [first] = accounts.filter((account) => account.role === 'patient');
  for (const account of [first, as('admin')]) {
    const token = await tokenFor(account);
    const answer = await api('GET', `/v1/patients/${id}/record-access`, { token });
    assert.equal(answer.status, 404, answer.text);
  }
  for (const token of [provider, officer]) {
    const answer = await api('GET', `/v1/patients/${id}/record-access`, { token });
    assert.equal(answer.status, 404, answer.text);
  }
});

test('the patient changes the profile and finds what it was', async () => {
  const before = await api('GET', `/v1/patients/${id}/profile`, { token: patient });
  const changed = await api('PATCH', `/v1/patients/${id}/profile`, {
    token: patient,
    headers: { 'if-match': before.headers.get('etag') },
    body: { phone: '+1 617 555 0123', preferred_language: 'fr', notifications: { messages: 'sms' } },
  });
  assert.equal(changed.status, 200, changed.text);
  assert.deepEqual(changed.json.from_practice, before.json.from_practice);
  const { json } = await api('GET', `/v1/patients/${id}/profile/changes?limit=1`, { token: patient });
  const field = (name) => json.changes[0].fields.find((one) => one.field === name);
  assert.equal(field('phone').former, before.json.contact.phone ?? null);
  assert.equal(field('preferred_language').value.name, 'French');
  assert.equal(field('notifications').value.messages, 'sms');
  assert.equal(json.changes[0].changed_by, 'you');
});
