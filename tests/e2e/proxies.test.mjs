// Proxies on the deployed portal: a patient lets another act for them, and somebody who was nobody
// here; what was granted opens, nothing else does, and what was revoked is closed at the next request.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { accounts, api, audit, cognito, firstSignIn, portal, signedIn, tokenFor } from './portal.mjs';

const [granter, neighbour] = accounts.filter((account) => account.role === 'patient');
const until = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);

const granters = await tokenFor(granter);
const neighbours = await tokenFor(neighbour);
const { json: { patient: own } } = await api('GET', '/v1/account', { token: granters });
const path = `/v1/patients/${own}/proxies`;

function grant(email, categories, token = granters) {
  const body = { email, name: 'Somebody Near', relationship: 'friend', categories, until };
  return api('POST', path, { token, body, headers: { 'idempotency-key': randomUUID() } });
}

const read = async (operation, token) => (await api('GET', `/v1/patients/${own}/${operation}`, { token })).status;

test('a patient lets another read the lab results, and takes it back', async () => {
  assert.equal(await read('lab-results', neighbours), 404);
  const granted = await grant(neighbour.email, ['lab-results']);
  assert.equal(granted.status, 201, granted.text);
  assert.equal(granted.json.state, 'active');

  assert.equal(await read('lab-results', neighbours), 200);
  assert.equal(await read('profile', neighbours), 404);
  assert.equal(await read('dashboard', neighbours), 404);
  assert.equal((await api('GET', path, { token: neighbours })).status, 404);
  assert.equal((await grant('somebody@example.org', ['profile'], neighbours)).status, 404);
  const list = await api('GET', '/v1/account/patients', { token: neighbours });
  assert.equal(list.status, 200, list.text);
  assert.deepEqual(list.json.patients.map((one) => [one.id, one.categories]), [[own, ['lab-results']]]);

  const records = await audit(`PATIENT#${own}`);
  const seen = records.filter((record) => record.grant === granted.json.id);
  assert.deepEqual(seen.map((record) => record.operation), ['list-lab-results']);
  assert.equal(seen[0].via, 'proxy');
  assert.equal(seen[0].acting_for, own);
  assert.equal(seen[0].purpose, 'FAMRQT');
  assert.ok(!JSON.stringify(records).includes('Somebody Near'));

  const proxies = await api('GET', path, { token: granters });
  assert.deepEqual(proxies.json.proxies.map((one) => one.email), [neighbour.email]);
  const revoke = () => api('DELETE', `${path}/${granted.json.id}`, { token: granters });
  assert.equal((await revoke()).status, 200);
  // The same token, still good.
  assert.equal(await read('lab-results', neighbours), 404);
  assert.equal((await api('GET', '/v1/account', { token: neighbours })).status, 200);
  assert.equal((await revoke()).status, 404);
});

test('somebody who is no patient here is invited, signs in and sees for whom they act', async () => {
  const email = `near.${randomUUID().slice(0, 8)}@example.org`;
  const granted = await grant(email, ['profile']);
  assert.equal(granted.status, 201, granted.text);

  // The password of the invitation's mail, which the emulator sends to nobody.
  const temporaryPassword = `Temporary ${randomUUID()} Word`;
  await cognito('AdminSetUserPassword', {
    UserPoolId: portal.user_pool_id, Username: email, Password: temporaryPassword, Permanent: false,
  });
  const password = `Correct horse ${randomUUID()} Staple`;
  const secret = await firstSignIn({ email, temporaryPassword, password });
  const token = await signedIn({ email, password, totp_secret: secret });
  const account = await api('GET', '/v1/account', { token });
  assert.equal(account.json.role, 'patient', account.text);
  assert.equal(account.json.patient, undefined);
  const list = await api('GET', '/v1/account/patients', { token });
  assert.equal(list.json.patients.length, 1, list.text);
  const profile = await api('GET', `/v1/patients/${own}/profile`, { token });
  assert.equal(profile.status, 200, profile.text);
  assert.equal(list.json.patients[0].name, profile.json.name);
  assert.equal(await read('lab-results', token), 404);

  // They give it up themselves.
  const gone = await api('DELETE', `${path}/${granted.json.id}`, { token });
  assert.equal(gone.status, 200, gone.text);
  assert.equal(await read('profile', token), 404);
});

test('staff are nobody\'s proxies, in words that do not say so', async () => {
  const staff = accounts.filter((account) => account.role !== 'patient');
  const answers = [];
  for (const { email } of [...staff, granter]) {
    const { status, json } = await grant(email, ['profile']);
    answers.push({ status, ...json, instance: undefined });
  }
  assert.equal(answers[0].status, 409);
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
});

test('the practice registers parents of minors alone', async () => {
  const provider = await tokenFor(accounts.find((account) => account.role === 'provider'));
  const body = { email: 'parent@example.org', name: 'A Parent', relationship: 'parent', categories: ['profile'] };
  const headers = { 'idempotency-key': randomUUID() };
  const answer = await api('POST', path, { token: provider, body, headers });
  assert.equal(answer.status, 409, answer.text);
  assert.equal(answer.json.type, '/problems/not-a-minor');
  assert.equal((await api('GET', path, { token: provider })).status, 200);
});
