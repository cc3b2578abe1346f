// Administration, on the deployed portal: a provider is invited, found, disabled, enabled, given
// another role, signed out, and gets a new authenticator; each holds with the next request.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { confirmSignIn, fetchAuthSession, signIn } from 'aws-amplify/auth';
import { accounts, api, audit, code, cognito, dynamodb, firstSignIn, invoke, newBrowser, pause, portal, signedIn, tokenFor } from './portal.mjs';

const account = (role) => accounts.find((one) => one.role === role);
const email = `doctor.${randomUUID().slice(0, 8)}@example.org`;
const temporaryPassword = `Temporary-${randomUUID()}-1`;
const password = `Correct horse ${randomUUID()} Staple`;

let admin;
let practitioner;
let invited;
let secret;
let version = 0;

const provider = () => signedIn({ email, password, totp_secret: secret });
const whoAmI = (token) => api('GET', '/v1/account', { token });
const update = (body) =>
  api('PATCH', `/v1/users/${invited}`, {
    token: admin,
    body,
    headers: { 'if-match': `"${version}"` },
  });

/** An access token is good for five minutes; this one is renewed when that is nearly over. */
async function signInAdmin() {
  admin = await tokenFor(account('admin'));
}

/** A sign-in within the second of a sign-out is refused as well. */
const nextSecond = () => pause(1100);

test('an administrator invites a provider, who sets up a second factor', async () => {
  await signInAdmin();
  const demo = await tokenFor(account('provider'));
  const own = await whoAmI(demo);
  const row = await dynamodb('GetItem', {
    TableName: portal.outputs.AccountsTableName,
    Key: { pk: { S: `ACCOUNT#${own.json.id}` } },
  });
  const treats = row.Item.practitioner.S;
  const listed = await dynamodb('Scan', {
    TableName: portal.outputs.DirectoryTableName,
    FilterExpression: 'begins_with(pk, :one) AND NOT pk = :own AND attribute_not_exists(merged_into)',
    ExpressionAttributeValues: { ':one': { S: 'PRACTITIONER#' }, ':own': { S: `PRACTITIONER#${treats}` } },
  });
  practitioner = listed.Items[0].pk.S.split('#')[1];

  const body = { role: 'provider', email, practitioner };
  const headers = { 'idempotency-key': randomUUID() };
  const unknown = { ...body, practitioner: randomUUID() };
  const refused = await api('POST', '/v1/users', { token: admin, body: unknown, headers });
  assert.equal(refused.status, 400, refused.text);
  assert.equal(refused.json.errors[0].pointer, '/practitioner');
  const taken = await api('POST', '/v1/users', { token: admin, body: { ...body, practitioner: treats }, headers });
  assert.equal(taken.status, 409, taken.text);
  assert.equal(taken.json.type, '/problems/practitioner-taken');
  const answer = await api('POST', '/v1/users', { token: admin, body, headers });
  assert.equal(answer.status, 201, answer.text);
  invited = answer.json.id;
  const again = await api('POST', '/v1/users', { token: admin, body, headers });
  assert.equal(again.json.id, invited, again.text);

  // The mail stays inside the emulator.
  await cognito('AdminSetUserPassword', { Username: invited, Password: temporaryPassword, Permanent: false });
  secret = await firstSignIn({ email, temporaryPassword, password });
  const token = (await fetchAuthSession()).tokens.accessToken.toString();
  assert.equal((await whoAmI(token)).json.role, 'provider');
});

test('the provider is found, with a second factor and without a name', async () => {
  const search = { search: email.slice(0, 12).toUpperCase(), limit: 5 };
  const { status, json, text } = await api('POST', '/v1/users/search', { token: admin, body: search });
  assert.equal(status, 200, text);
  const found = json.users.find((user) => user.id === invited);
  assert.equal(found.email, email);
  assert.equal(found.status, 'active');
  assert.equal(found.role, 'provider');
  assert.equal(found.mfa, true);
  assert.ok(found.last_sign_in);
  version = found.version;
  const bad = await api('POST', '/v1/users/search', { token: admin, body: { search: 'a" or "' } });
  assert.equal(bad.status, 400, bad.text);
});

test('a disabled account is out at once, and back only with a new sign-in', async () => {
  const token = await provider();
  assert.equal((await whoAmI(token)).status, 200);
  const disabled = await update({ status: 'disabled' });
  assert.equal(disabled.status, 200, disabled.text);
  assert.equal(disabled.json.sign_in_service, 'done');
  version = disabled.json.version;
  assert.equal(disabled.headers.get('etag'), `"${version}"`);
  assert.equal((await whoAmI(token)).status, 401);
  await assert.rejects(provider(), 'nobody signs in with a disabled account');

  const enabled = await update({ status: 'active' });
  assert.equal(enabled.status, 200, enabled.text);
  version = enabled.json.version;
  assert.equal((await whoAmI(token)).status, 401);
  await nextSecond();
  assert.equal((await whoAmI(await provider())).status, 200);
});

test('another role ends what was open under the former one', async () => {
  await signInAdmin();
  const token = await provider();
  // The privacy officer's role takes two administrators as soon as there are two; here there is one.
  const changed = await update({ role: 'privacy-officer' });
  assert.equal(changed.status, 200, changed.text);
  version = changed.json.version;
  assert.equal((await whoAmI(token)).status, 401);
  await nextSecond();
  assert.equal((await whoAmI(await provider())).json.role, 'privacy-officer');
  const back = await update({ role: 'provider', practitioner });
  assert.equal(back.status, 200, back.text);
  version = back.json.version;
});

test('after a reset the next sign-in sets up another authenticator', async () => {
  await signInAdmin();
  await nextSecond();
  const token = await provider();
  const body = { identity_check: 'in-person-photo-id' };
  const reset = await api('POST', `/v1/users/${invited}/reset-mfa`, { token: admin, body });
  assert.equal(reset.status, 200, reset.text);
  assert.equal(reset.json.reset, true);
  assert.equal((await whoAmI(token)).status, 401);

  await nextSecond();
  newBrowser();
  let { nextStep } = await signIn({ username: email, password });
  assert.equal(nextStep.signInStep, 'CONTINUE_SIGN_IN_WITH_TOTP_SETUP');
  const another = nextStep.totpSetupDetails.sharedSecret;
  assert.notEqual(another, secret);
  await assert.rejects(fetchAuthSession().then(({ tokens }) => tokens.accessToken), 'no token yet');
  ({ nextStep } = await confirmSignIn({ challengeResponse: await code(another) }));
  assert.equal(nextStep.signInStep, 'DONE');
  secret = another;
});

test('an administrator signs somebody out', async () => {
  await signInAdmin();
  const token = await provider();
  assert.equal((await whoAmI(token)).status, 200);
  const out = await api('POST', `/v1/users/${invited}/sign-out`, { token: admin });
  assert.equal(out.status, 200, out.text);
  assert.equal(out.json.sign_in_service, 'done');
  assert.equal((await whoAmI(token)).status, 401);
});

test('a role that watches over others takes a second administrator', async () => {
  const own = (await whoAmI(admin)).json.id;
  const address = `second.${randomUUID().slice(0, 8)}@example.org`;
  const invite = (body) =>
    api('POST', '/v1/users', { token: admin, body, headers: { 'idempotency-key': randomUUID() } });
  // There is one administrator, so the first of these is made and the next is asked for.
  const second = await invite({ role: 'admin', email: address });
  assert.equal(second.status, 201, second.text);
  const officer = await invite({ role: 'privacy-officer', email: `officer.${address}` });
  assert.equal(officer.status, 202, officer.text);
  assert.equal(officer.json.state, 'awaiting-approval');
  const self = await api('PATCH', `/v1/users/${own}`, {
    token: admin,
    body: { role: 'privacy-officer' },
    headers: { 'if-match': '"0"' },
  });
  assert.equal(self.status, 403, self.text);
  // The demo's administrator is the only one again, and grants nothing alone by that.
  const alone = await api('PATCH', `/v1/users/${second.json.id}`, {
    token: admin,
    body: { status: 'disabled' },
    headers: { 'if-match': '"0"' },
  });
  assert.equal(alone.status, 200, alone.text);
  const another = await invite({ role: 'admin', email: `another.${address}` });
  assert.equal(another.status, 202, another.text);
  // As if it were a week later, for whatever comes next on this stack.
  await dynamodb('UpdateItem', {
    TableName: portal.outputs.AccountsTableName,
    Key: { pk: { S: 'ADMINISTRATORS' } },
    UpdateExpression: 'REMOVE removed_at',
  });
});

test('what somebody changes in Cognito behind the portal is put right', async () => {
  await cognito('AdminDisableUser', { Username: invited });
  await cognito('AdminAddUserToGroup', { Username: invited, GroupName: 'admins' });
  const run = await invoke('reconcile-accounts', {});
  assert.equal(run.mended, 1, JSON.stringify(run));
  const { Enabled: enabled } = await cognito('AdminGetUser', { Username: invited });
  assert.equal(enabled, true);
  const { Groups: groups } = await cognito('AdminListGroupsForUser', { Username: invited });
  assert.deepEqual(groups.map((group) => group.GroupName), ['providers']);
});

test('an administrator gives a patient a code and sees nothing of any patient', async () => {
  const patient = await tokenFor(account('patient'));
  const own = (await whoAmI(patient)).json.patient;
  const { json: profile } = await api('GET', `/v1/patients/${own}/profile`, { token: patient });
  await signInAdmin();
  const issue = (mrn) => api('POST', '/v1/activation-codes', { token: admin, body: { mrn } });
  const letter = await issue(profile.mrn);
  assert.equal(letter.status, 201, letter.text);
  assert.deepEqual(Object.keys(letter.json).sort(), ['code', 'expires_at']);
  assert.match(letter.json.code, /^([0-9A-Z]{4}-){3}[0-9A-Z]{4}$/);
  assert.equal((await issue('no-such-number')).status, 404);
  for (const path of ['dashboard', 'profile', 'lab-results']) {
    const answer = await api('GET', `/v1/patients/${own}/${path}`, { token: admin });
    assert.equal(answer.status, 404, path);
  }
  const records = await audit(`PATIENT#${own}`);
  assert.ok(records.some((record) => record.operation === 'issue-activation' && record.outcome === 'success'));
});

test('everything is in the audit table, and nobody’s address', async () => {
  const own = (await whoAmI(admin)).json.id;
  const records = await audit(`ACCOUNT#${own}`);
  const told = records.filter((record) => record.resource?.startsWith(invited));
  const done = told.filter((record) => record.outcome === 'success').map((record) => record.operation);
  for (const operation of ['invite-user', 'update-user', 'reset-user-mfa', 'sign-out-user']) {
    assert.ok(done.includes(operation), operation);
  }
  assert.ok(told.some((record) => record.resource === `${invited} in-person-photo-id`));
  assert.ok(!JSON.stringify(records).includes(email));
});
