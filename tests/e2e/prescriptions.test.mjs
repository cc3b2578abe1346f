// Prescriptions, refills and amendments on the deployed portal: a patient asks, the provider and the
// privacy officer answer, and the patient reads who said what.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { accounts, api, audit, tokenFor } from './portal.mjs';

const as = (role) => accounts.find((account) => account.role === role);

let patient;
let token;
let provider;
let officer;
let prescription;
let refill;
let amendment;

const own = (path, method = 'GET', body = undefined, headers = {}) =>
  api(method, `/v1/patients/${patient}/${path}`, { token, body, headers });
const key = () => ({ 'idempotency-key': randomUUID() });

test('a patient reads what was prescribed, active and past', async () => {
  token = await tokenFor(as('patient'));
  patient = (await api('GET', '/v1/account', { token })).json.patient;
  const active = await own('prescriptions');
  assert.equal(active.status, 200, active.text);
  assert.ok(active.json.prescriptions.length > 0, active.text);
  for (const one of active.json.prescriptions) {
    assert.equal(one.status, 'active');
    assert.ok(one.medication, active.text);
    assert.ok(['complete', 'not-recorded'].includes(one.dosage_status), active.text);
  }
  const past = await own('prescriptions?status=past&limit=1');
  assert.equal(past.status, 200, past.text);
  assert.equal((await own('prescriptions?status=zyxw')).status, 400);
  prescription = active.json.prescriptions.find((one) => one.can_request_refill);
  assert.ok(prescription, active.text);
});

test('a refill is asked for once, and withdrawn', async () => {
  const body = { prescription: prescription.id, note: 'Four tablets are left' };
  const headers = key();
  const asked = await own('refill-requests', 'POST', body, headers);
  assert.equal(asked.status, 201, asked.text);
  const retried = await own('refill-requests', 'POST', body, headers);
  assert.equal(retried.json.id, asked.json.id);
  assert.equal((await own('refill-requests', 'POST', { ...body, note: 'Two' }, headers)).status, 422);
  const second = await own('refill-requests', 'POST', body, key());
  assert.equal(second.status, 409, second.text);
  const withdrawn = await own(`refill-requests/${asked.json.id}/withdraw`, 'POST');
  assert.equal(withdrawn.status, 200, withdrawn.text);
  const again = await own('refill-requests', 'POST', body, key());
  assert.equal(again.status, 201, again.text);
  refill = again.json.id;
});

test('an amendment is asked for, with sixty days to answer', async () => {
  const body = { part: 'profile', change: 'My name is spelled otherwise', reason: 'See my passport' };
  const asked = await own('amendments', 'POST', body, key());
  assert.equal(asked.status, 201, asked.text);
  amendment = asked.json.id;
  const days = (Date.parse(asked.json.due) - Date.now()) / 86_400_000;
  assert.ok(days > 58 && days < 61, asked.json.due);
});

test('the provider finds the request on the work list, and answers it', async () => {
  provider = await tokenFor(as('provider'));
  let found;
  let cursor;
  do {
    const query = cursor ? `?cursor=${encodeURIComponent(cursor)}` : '';
    const page = await api('GET', `/v1/refill-requests${query}`, { token: provider });
    assert.equal(page.status, 200, page.text);
    found ??= page.json.requests.find((one) => one.id === refill);
    cursor = page.json.next_cursor;
  } while (cursor && !found);
  assert.equal(found.patient.id, patient);
  assert.equal(found.prescription_active, true);
  const review = (body) =>
    api('POST', `/v1/patients/${patient}/refill-requests/${refill}/review`, { token: provider, body });
  assert.equal((await review({ decision: 'denied' })).status, 400);
  const denied = await review({ decision: 'denied', reason: 'Please come in for a blood test' });
  assert.equal(denied.status, 200, denied.text);
  assert.equal((await review({ decision: 'approved' })).status, 409);
  // A profile is not the care team's to amend.
  const path = `/v1/patients/${patient}/amendments/${amendment}/review`;
  const body = { accept: { done: 'Corrected' } };
  assert.equal((await api('POST', path, { token: provider, body })).status, 403);
});

test('the privacy officer answers the amendment, and reads nothing else', async () => {
  officer = await tokenFor(as('privacy-officer'));
  const list = await api('GET', '/v1/amendments?limit=50', { token: officer });
  assert.equal(list.status, 200, list.text);
  assert.ok(list.json.amendments.some((one) => one.id === amendment), list.text);
  for (const path of ['prescriptions', 'refill-requests', 'amendments', 'profile']) {
    const answer = await api('GET', `/v1/patients/${patient}/${path}`, { token: officer });
    assert.equal(answer.status, 404, path);
  }
  const path = `/v1/patients/${patient}/amendments/${amendment}/review`;
  const deny = { basis: 'accurate-and-complete', explanation: 'It is as in the passport' };
  const denied = await api('POST', path, { token: officer, body: { deny } });
  assert.equal(denied.status, 200, denied.text);
});

test('the patient reads who said what, and disagrees', async () => {
  const requests = await own('refill-requests');
  const mine = requests.json.requests.find((one) => one.id === refill);
  assert.deepEqual(mine.history.map((step) => [step.state, step.by.role]), [
    ['requested', 'patient'],
    ['denied', 'provider'],
  ]);
  assert.equal(mine.history[1].text, 'Please come in for a blood test');
  const statement = { statement: 'The passport has an accent' };
  const disputed = await own(`amendments/${amendment}/disagreement`, 'POST', statement);
  assert.equal(disputed.status, 200, disputed.text);
  const all = await own('amendments');
  const one = all.json.amendments.find((other) => other.id === amendment);
  assert.deepEqual(one.history.map((step) => step.state), ['requested', 'denied', 'disputed']);
});

test('the disagreement waits for the privacy officer, who links it', async () => {
  const list = await api('GET', '/v1/amendments?limit=50', { token: officer });
  const waiting = list.json.amendments.find((one) => one.id === amendment);
  assert.equal(waiting.state, 'disputed', list.text);
  assert.equal(waiting.history.at(-1).text, 'The passport has an accent');
  const path = `/v1/patients/${patient}/amendments/${amendment}/review`;
  const link = { done: 'All of it stands with the name', rebuttal: 'The accent is on another page' };
  const linked = await api('POST', path, { token: officer, body: { link } });
  assert.equal(linked.status, 200, linked.text);
  const after = await api('GET', '/v1/amendments?limit=50', { token: officer });
  assert.ok(!after.json.amendments.some((one) => one.id === amendment), after.text);
  const all = await own('amendments');
  const one = all.json.amendments.find((other) => other.id === amendment);
  assert.equal(one.state, 'linked');
  assert.ok(one.history.some((step) => step.text === link.rebuttal), all.text);
});

test('each of it is in the audit log', async () => {
  const records = await audit(`PATIENT#${patient}`);
  const about = (resource) =>
    records.filter((record) => record.resource === resource && record.outcome === 'success');
  assert.deepEqual(about(refill).map((record) => record.action), [
    'refill-request.create',
    'refill-request.review',
  ]);
  assert.deepEqual(about(amendment).map((record) => record.action), [
    'amendment.create',
    'amendment.review',
    'amendment.dispute',
    'amendment.review',
  ]);
  assert.ok(!JSON.stringify(records).includes('blood test'));
});
