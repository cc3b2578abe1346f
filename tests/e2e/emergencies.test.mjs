// An emergency on the deployed portal: a provider breaks the glass, reads, and is out again at the
// next request once the privacy officer finds that it was not justified.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { accounts, api, audit, dynamodb, portal, tokenFor } from './portal.mjs';

const as = (role) => accounts.find((account) => account.role === role);
const explanation = 'Zyxw was brought in unconscious, and nothing is known of allergies';
const note = 'Zyxw was in no emergency department that day';

let provider;
let officer;
let patient;
let grant;
let concern;

const read = (path) => api('GET', `/v1/patients/${patient}/${path}`, { token: provider });
const breakGlass = (body) => api('POST', `/v1/patients/${patient}/break-glass`, { token: provider, body });

test('a provider off the care team finds nothing', async () => {
  provider = await tokenFor(as('provider'));
  patient = await notTreatedBy(await practitioner());
  assert.equal((await read('profile')).status, 404);
  assert.equal((await read('lab-results')).status, 404);
});

test('the glass is broken for a reason, and once at a time', async () => {
  const wrong = await breakGlass({ reason: 'curiosity', explanation });
  assert.equal(wrong.status, 400, wrong.text);
  assert.equal(wrong.json.errors[0].pointer, '/reason');
  const broken = await breakGlass({ reason: 'emergency-treatment', explanation });
  assert.equal(broken.status, 201, broken.text);
  grant = broken.json.grant;
  const left = Date.parse(broken.json.until) - Date.now();
  assert.ok(left > 55 * 60_000 && left <= 3_600_000, broken.json.until);
  const again = await breakGlass({ reason: 'emergency-treatment', explanation });
  assert.equal(again.status, 409, again.text);
  assert.ok(again.json.detail.includes(broken.json.until), again.text);
});

test('what is read with it is marked in the audit log', async () => {
  assert.equal((await read('profile')).status, 200);
  assert.equal((await read('lab-results')).status, 200);
  const records = await audit(`PATIENT#${patient}`);
  const used = records.filter((record) => record.grant === grant && record.outcome === 'success');
  assert.deepEqual(used.map((record) => [record.operation, record.via, record.purpose]), [
    ['break-glass', 'break-glass', 'BTG'],
    ['get-profile', 'break-glass', 'BTG'],
    ['list-lab-results', 'break-glass', 'BTG'],
  ]);
  assert.equal(used[0].emergency, 'emergency-treatment');
  assert.ok(!JSON.stringify(records).includes('Zyxw'));
});

test('the privacy officer finds it in the list, and opens it without the record', async () => {
  officer = await tokenFor(as('privacy-officer'));
  const list = await api('GET', '/v1/access-concerns?state=open', { token: officer });
  assert.equal(list.status, 200, list.text);
  const raised = list.json.concerns.filter((one) => one.grant === grant);
  assert.equal(raised.length, 1, list.text);
  assert.equal(raised[0].patient, patient);
  assert.ok(!list.text.includes('Zyxw'));
  concern = raised[0].id;
  const opened = await api('GET', `/v1/access-concerns/${concern}`, { token: officer });
  assert.equal(opened.json.explanation, explanation, opened.text);
  const record = await api('GET', `/v1/patients/${patient}/profile`, { token: officer });
  assert.equal(record.status, 404);
  const others = await api('GET', '/v1/access-concerns', { token: provider });
  assert.equal(others.status, 403);
});

test('not justified, it ends with the next request', async () => {
  assert.equal((await read('profile')).status, 200);
  const path = `/v1/access-concerns/${concern}/review`;
  const body = { verdict: 'not-justified', note };
  const reviewed = await api('POST', path, { token: officer, body });
  assert.equal(reviewed.status, 200, reviewed.text);
  assert.equal((await read('profile')).status, 404, 'with a token that is still good');
  assert.equal((await read('lab-results')).status, 404);
  assert.equal((await api('GET', '/v1/account', { token: provider })).status, 200);
  assert.equal((await api('POST', path, { token: officer, body })).status, 409);

  const resolved = await api('GET', '/v1/access-concerns?state=resolved', { token: officer });
  assert.equal(resolved.json.concerns.find((one) => one.id === concern).outcome, 'not-justified');
  const opened = await api('GET', `/v1/access-concerns/${concern}`, { token: officer });
  assert.equal(opened.json.note, note);
  const records = (await audit(`PATIENT#${patient}`)).filter((record) => record.resource === concern);
  assert.deepEqual(records.map((record) => [record.operation, record.role, record.outcome]), [
    ['get-access-concern', 'privacy-officer', 'success'],
    ['review-break-glass', 'privacy-officer', 'success'],
    ['get-access-concern', 'privacy-officer', 'success'],
  ]);
});

test('whose access was not justified breaks no glass, until the privacy officer lets them', async () => {
  const barred = await breakGlass({ reason: 'patient-unresponsive', explanation });
  assert.equal(barred.status, 403, barred.text);
  assert.equal(barred.json.type, '/problems/barred');
  const path = `/v1/access-concerns/${concern}/allow-break-glass`;
  assert.equal((await api('POST', path, { token: provider })).status, 403);
  const allowed = await api('POST', path, { token: officer });
  assert.equal(allowed.status, 200, allowed.text);
});

test('when the hour is over, so is the access', async () => {
  const broken = await breakGlass({ reason: 'patient-unresponsive', explanation });
  assert.equal(broken.status, 201, broken.text);
  assert.equal((await read('profile')).status, 200);
  const account = await api('GET', '/v1/account', { token: provider });
  await dynamodb('UpdateItem', {
    TableName: portal.outputs.PatientsTableName,
    Key: { pk: { S: `PATIENT#${patient}` }, sk: { S: `CONTEXT#BREAK-GLASS#${account.json.id}` } },
    UpdateExpression: 'SET #until = :now',
    ExpressionAttributeNames: { '#until': 'until' },
    ExpressionAttributeValues: { ':now': { S: new Date().toISOString() } },
  });
  assert.equal((await read('profile')).status, 404, 'with a token that is still good');
});

async function practitioner() {
  const account = await api('GET', '/v1/account', { token: provider });
  const row = await dynamodb('GetItem', {
    TableName: portal.outputs.AccountsTableName,
    Key: { pk: { S: `ACCOUNT#${account.json.id}` } },
  });
  return row.Item.practitioner.S;
}

/** A patient of the practice whom this practitioner does not treat. */
async function notTreatedBy(id) {
  const rows = [];
  let start;
  do {
    const page = await dynamodb('Scan', {
      TableName: portal.outputs.PatientsTableName,
      FilterExpression: 'begins_with(sk, :context)',
      ExpressionAttributeValues: { ':context': { S: 'CONTEXT#' } },
      ...(start ? { ExclusiveStartKey: start } : {}),
    });
    rows.push(...page.Items.map((item) => [item.pk.S.slice('PATIENT#'.length), item.sk.S]));
    start = page.LastEvaluatedKey;
  } while (start);
  const treated = rows.filter(([, sk]) => sk === `CONTEXT#CARE-TEAM#${id}`).map(([one]) => one);
  const all = rows.filter(([, sk]) => sk === 'CONTEXT#PROFILE').map(([one]) => one);
  return all.sort().find((one) => !treated.includes(one));
}
