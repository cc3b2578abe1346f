// The main job, on the deployed portal: a patient activates an account, sets up a second factor,
// signs in and reads their record, and each of those reads is in the audit table.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { confirmSignIn, fetchAuthSession, signIn } from 'aws-amplify/auth';
import { accounts, api, audit, claims, code, dynamodb, issueCode, newBrowser, pause, portal, signedIn, tokenFor, wrongCode } from './portal.mjs';

const samples = new URL('../data/synthea/', import.meta.url);
const bundle = (part) => {
  const file = readdirSync(samples).find((name) => name.includes(part));
  return JSON.parse(readFileSync(new URL(encodeURIComponent(file), samples), 'utf8'));
};
const resources = bundle('Hassan_Jacobi').entry.map((entry) => entry.resource);
const patient = resources.find((resource) => resource.resourceType === 'Patient');
const identifier = (type) => patient.identifier.find((id) => id.type?.coding?.[0]?.code === type).value;
const mrn = identifier('MR');
const email = `hassan.${randomUUID().slice(0, 8)}@example.org`;
const password = `Correct horse ${randomUUID()} Staple`;

let secret;
let token;
let idToken;
let own;
const seen = { dashboard: 0, profile: 0, labs: 0, updates: 0 };

test('activation refuses every wrong detail in the same words', async () => {
  const right = { mrn, birth_date: patient.birthDate, code: issueCode(mrn, patient.birthDate), email };
  const answers = [];
  for (const wrong of [
    { ...right, mrn: 'no-such-number' },
    { ...right, birth_date: '1901-01-01' },
    { ...right, code: '0000-0000-0000-0000' },
  ]) {
    const answer = await activate(wrong);
    assert.equal(answer.status, 403);
    answers.push({ ...answer.json, instance: undefined });
  }
  assert.deepEqual(answers[0], answers[1]);
  assert.deepEqual(answers[1], answers[2]);
});

test('bad input is a 400 that names the field and echoes nothing', async () => {
  const right = { mrn, birth_date: patient.birthDate, code: '0000-0000-0000-0000', email };
  for (const [body, pointer] of [
    [{ ...right, birth_date: 'zyxw-yesterday' }, '/birth_date'],
    [{ ...right, email: 'zyxw' }, '/email'],
    [{ ...right, code: 7777 }, '/code'],
    [{ ...right, zyxw: true }, ''],
    ['{"mrn": "\\ud800zyxw"}', '/mrn'],
    ['{"mrn": zyxw', '/mrn'],
  ]) {
    const answer = await activate(body);
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    assert.equal(answer.json.errors[0].pointer, pointer, answer.text);
    assert.ok(!answer.text.includes('zyxw') && !answer.text.includes('7777'), answer.text);
  }
});

test('a patient activates an account, chooses a password and sets up a second factor', async () => {
  const details = { mrn, birth_date: patient.birthDate, code: issueCode(mrn, patient.birthDate), email };
  const key = randomUUID();
  const activated = await activate(details, key);
  assert.equal(activated.status, 201, activated.text);
  assert.equal(activated.json.username, email);
  // The answer got lost: the same request again gives another temporary password.
  const again = await activate(details, key);
  assert.equal(again.status, 201, again.text);
  // A code is good once.
  assert.equal((await activate(details)).status, 403);

  newBrowser();
  let { nextStep } = await signIn({ username: email, password: again.json.temporary_password });
  assert.equal(nextStep.signInStep, 'CONFIRM_SIGN_IN_WITH_NEW_PASSWORD_REQUIRED');
  await assert.rejects(fetchTokens(), 'no token after the password alone');
  ({ nextStep } = await confirmSignIn({ challengeResponse: password }));
  assert.equal(nextStep.signInStep, 'CONTINUE_SIGN_IN_WITH_TOTP_SETUP');
  await assert.rejects(fetchTokens(), 'no token before the second factor');
  secret = nextStep.totpSetupDetails.sharedSecret;
  await assert.rejects(confirmSignIn({ challengeResponse: wrongCode(secret) }));
  await assert.rejects(fetchTokens(), 'no token after a wrong code');
});

test('the patient signs in, with the right code only', async () => {
  newBrowser();
  let { nextStep } = await signIn({ username: email, password });
  // The set-up above broke off at the wrong code, so it is offered again.
  if (nextStep.signInStep === 'CONTINUE_SIGN_IN_WITH_TOTP_SETUP') {
    secret = nextStep.totpSetupDetails.sharedSecret;
  }
  ({ nextStep } = await confirmSignIn({ challengeResponse: await code(secret) }));
  assert.equal(nextStep.signInStep, 'DONE');
  ({ token, idToken } = await fetchTokens());

  const account = await api('GET', '/v1/account', { token });
  assert.equal(account.status, 200, account.text);
  assert.equal(account.json.role, 'patient');
  own = account.json.patient;
  assert.equal(claims(token).patient_id, own);
});

test('the dashboard says who the patient is and what is new', async () => {
  const { status, json, headers, text } = await api('GET', `/v1/patients/${own}/dashboard`, { token });
  seen.dashboard += 1;
  assert.equal(status, 200, text);
  assert.equal(headers.get('cache-control'), 'no-store');
  const name = patient.name.find((one) => one.use === 'official');
  assert.equal(json.name, [...(name.prefix ?? []), ...name.given, name.family].join(' '));
  assert.equal(json.mrn, mrn);
  assert.equal(json.record_complete, true);
  assert.deepEqual(json.appointments, []);
  assert.equal(json.unread_messages, 0);
  const active = resources.filter((r) => r.resourceType === 'MedicationRequest' && r.status === 'active');
  assert.equal(json.active_prescriptions.count, active.length);
  assert.equal(json.new_results.count, labs().length);
});

test('the profile is the one of the practice, without the social security number', async () => {
  const { status, json, text } = await api('GET', `/v1/patients/${own}/profile`, { token });
  seen.profile += 1;
  assert.equal(status, 200);
  assert.equal(json.birth_date, patient.birthDate);
  assert.equal(json.contact.phone, patient.telecom[0].value);
  assert.equal(json.contact.address.city, patient.address[0].city);
  assert.ok(!text.includes(identifier('SS')));
});

test('the lab results are those of the bundle, value by value, newest first', async () => {
  const results = [];
  let cursor;
  do {
    const query = new URLSearchParams({ limit: '7', ...(cursor ? { cursor } : {}) });
    const page = await api('GET', `/v1/patients/${own}/lab-results?${query}`, { token });
    seen.labs += 1;
    assert.equal(page.status, 200, page.text);
    // Numbers are compared as they are written, before a parser could round them.
    results.push(...page.json.results);
    cursor = page.json.next_cursor;
  } while (cursor);
  const expected = labs();
  assert.equal(results.length, expected.length);
  assert.equal(new Set(results.map((result) => result.id)).size, results.length);
  const times = results.map((result) => Date.parse(result.effective));
  assert.deepEqual(times, [...times].sort((one, other) => other - one));

  const key = (name, effective, value, unit) => JSON.stringify([name, Date.parse(effective), value, unit]);
  const got = results.map((r) => key(r.name, r.effective, Number(r.value?.of?.value), r.value?.of?.unit)).sort();
  const want = expected
    .map((o) => key(o.code.text, o.effectiveDateTime, Number(o.valueQuantity?.value), o.valueQuantity?.unit))
    .sort();
  assert.deepEqual(got, want);
});

test('contact details change once for each version read', async () => {
  const path = `/v1/patients/${own}/profile`;
  const first = await api('GET', path, { token });
  seen.profile += 1;
  const change = (headers) => api('PATCH', path, { token, headers, body: { phone: '555-010-0123' } });
  assert.equal((await change({})).status, 428);
  const done = await change({ 'if-match': first.headers.get('etag') });
  assert.equal(done.status, 200, done.text);
  assert.equal(done.json.contact.phone, '555-010-0123');
  assert.equal(done.json.contact.address.city, patient.address[0].city);
  assert.equal((await change({ 'if-match': first.headers.get('etag') })).status, 412);
  seen.updates += 3;
});

test('another patient is not found, and the attempt is in the audit log', async () => {
  const other = await otherPatient();
  for (const path of ['dashboard', 'profile', 'lab-results']) {
    const answer = await api('GET', `/v1/patients/${other}/${path}`, { token });
    assert.equal(answer.status, 404, path);
  }
  const mine = (await audit(`PATIENT#${other}`)).filter((record) => record.actor === claims(token).sub);
  assert.deepEqual(mine.map((record) => [record.operation, record.outcome]), [
    ['get-dashboard', 'denied'],
    ['get-profile', 'denied'],
    ['list-lab-results', 'denied'],
  ]);
});

test('each read is one record in the audit table', async () => {
  const records = (await audit(`PATIENT#${own}`)).filter((record) => record.actor === claims(token).sub);
  const count = (operation) => records.filter((record) => record.operation === operation).length;
  assert.equal(count('get-dashboard'), seen.dashboard);
  assert.equal(count('get-profile'), seen.profile);
  assert.equal(count('list-lab-results'), seen.labs);
  assert.equal(count('update-profile'), seen.updates);
  const signIns = await audit(`ACCOUNT#${claims(token).sub}`);
  assert.ok(signIns.some((record) => record.action === 'session.sign-in' && record.outcome === 'success'));
  const text = JSON.stringify(records);
  for (const value of [mrn, patient.name[0].family, patient.birthDate, email]) {
    assert.ok(!text.includes(value), 'no PHI in the audit log');
  }
});

test('tokens that are not a good access token are refused', async () => {
  const path = `/v1/patients/${own}/profile`;
  const [head, body, signature] = token.split('.');
  const payload = { ...claims(token), patient_id: await otherPatient() };
  const forged = [head, Buffer.from(JSON.stringify(payload)).toString('base64url'), signature].join('.');
  for (const [what, bad] of [
    ['no token', undefined],
    ['an ID token', idToken],
    ['a changed token', forged],
    ['a cut signature', [head, body, signature.slice(0, -8)].join('.')],
    ['no signature', `${Buffer.from('{"alg":"none"}').toString('base64url')}.${body}.`],
    ['nonsense', 'nonsense'],
  ]) {
    assert.equal((await api('GET', path, { token: bad })).status, 401, what);
  }
  assert.equal((await api('GET', path, { token })).status, 200, 'the right one still works');
});

test('signing out everywhere makes the token useless at once', async () => {
  const out = await api('POST', '/v1/account/sign-out-everywhere', { token });
  assert.equal(out.status, 200, out.text);
  assert.equal((await api('GET', '/v1/account', { token })).status, 401);
  assert.equal((await api('GET', `/v1/patients/${own}/dashboard`, { token })).status, 401);
  await assert.rejects(fetchTokens({ forceRefresh: true }), 'nor can it be refreshed');
});

test('signing in again asks for the code, and a disabled account is out at its next request', async () => {
  newBrowser();
  let { nextStep } = await signIn({ username: email, password });
  assert.equal(nextStep.signInStep, 'CONFIRM_SIGN_IN_WITH_TOTP_CODE');
  await assert.rejects(confirmSignIn({ challengeResponse: wrongCode(secret) }));
  await pause(1000);
  newBrowser();
  ({ nextStep } = await signIn({ username: email, password }));
  ({ nextStep } = await confirmSignIn({ challengeResponse: await code(secret) }));
  assert.equal(nextStep.signInStep, 'DONE');
  ({ token } = await fetchTokens());
  const dashboard = await api('GET', `/v1/patients/${own}/dashboard`, { token });
  assert.equal(dashboard.status, 200);
  assert.equal(dashboard.json.new_results.count, 0, 'nothing came since the last visit');
  await dynamodb('UpdateItem', {
    TableName: portal.outputs.AccountsTableName,
    Key: { pk: { S: `ACCOUNT#${claims(token).sub}` } },
    UpdateExpression: 'SET #status = :disabled',
    ExpressionAttributeNames: { '#status': 'status' },
    ExpressionAttributeValues: { ':disabled': { S: 'disabled' } },
  });
  assert.equal((await api('GET', `/v1/patients/${own}/dashboard`, { token })).status, 401);
});

test('five wrong codes end an activation, whatever comes after', async () => {
  const other = bundle('Tom_Goodwin').entry.map((entry) => entry.resource).find((r) => r.resourceType === 'Patient');
  const number = other.identifier.find((id) => id.type?.coding?.[0]?.code === 'MR').value;
  const right = {
    mrn: number,
    birth_date: other.birthDate,
    code: issueCode(number, other.birthDate),
    email: `tom.${randomUUID().slice(0, 8)}@example.org`,
  };
  for (let attempt = 0; attempt < 5; attempt += 1) {
    assert.equal((await activate({ ...right, code: '0000-0000-0000-0000' })).status, 403);
  }
  assert.equal((await activate(right)).status, 403);
});

test('a provider reads the profile and labs of a patient on whose care team they are, and of no other', async () => {
  const provider = accounts.find((account) => account.role === 'provider');
  const theirs = await tokenFor(provider);
  const row = await dynamodb('GetItem', {
    TableName: portal.outputs.AccountsTableName,
    Key: { pk: { S: `ACCOUNT#${claims(theirs).sub}` } },
  });
  const teams = await dynamodb('Scan', {
    TableName: portal.outputs.PatientsTableName,
    FilterExpression: 'sk = :member',
    ExpressionAttributeValues: { ':member': { S: `CONTEXT#CARE-TEAM#${row.Item.practitioner.S}` } },
  });
  const treated = teams.Items.map((item) => item.pk.S.slice('PATIENT#'.length));
  assert.ok(treated.length > 0 && !treated.includes(own));
  for (const operation of ['profile', 'lab-results']) {
    const seen = await api('GET', `/v1/patients/${treated[0]}/${operation}`, { token: theirs });
    assert.equal(seen.status, 200, seen.text);
    const unseen = await api('GET', `/v1/patients/${own}/${operation}`, { token: theirs });
    assert.equal(unseen.status, 404, unseen.text);
  }
  const reads = ['get-profile', 'list-lab-results'];
  const records = (await audit(`PATIENT#${treated[0]}`)).filter(
    (record) => record.actor === claims(theirs).sub && reads.includes(record.operation),
  );
  assert.deepEqual(records.map((record) => record.via), ['care-team', 'care-team']);
});

test('an administrator sees no patient', async () => {
  const theirs = await tokenFor(accounts.find((account) => account.role === 'admin'));
  for (const operation of ['dashboard', 'profile', 'lab-results']) {
    assert.equal((await api('GET', `/v1/patients/${own}/${operation}`, { token: theirs })).status, 404);
  }
});

for (const account of accounts.filter((one) => ['patient', 'privacy-officer'].includes(one.role))) {
  test(`the demo account ${account.email} signs in with what is printed`, async () => {
    const { status, json } = await api('GET', '/v1/account', { token: await signedIn(account) });
    assert.equal(status, 200);
    assert.equal(json.role, account.role);
  });
}

function activate(body, key = randomUUID()) {
  return api('POST', '/v1/activations', { body, headers: { 'idempotency-key': key } });
}

async function fetchTokens(options) {
  const { tokens } = await fetchAuthSession(options);
  if (!tokens) throw new Error('no tokens');
  return { token: tokens.accessToken.toString(), idToken: tokens.idToken.toString() };
}

function labs() {
  return resources.filter(
    (r) =>
      r.resourceType === 'Observation' &&
      r.category.some((category) => category.coding.some((coding) => coding.code === 'laboratory')),
  );
}

/** A patient of the practice who is not this one. */
async function otherPatient() {
  const page = await dynamodb('Scan', {
    TableName: portal.outputs.PatientsTableName,
    FilterExpression: 'sk = :profile',
    ExpressionAttributeValues: { ':profile': { S: 'CONTEXT#PROFILE' } },
  });
  const ids = page.Items.map((item) => item.pk.S.slice('PATIENT#'.length));
  return ids.sort().find((id) => id !== own);
}
