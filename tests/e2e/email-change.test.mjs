// Another address on the deployed portal: codes to the old one and the new one, and after both a
// sign-in with the new one alone. The mails are those that the emulator took.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { accounts, api, audit, cognito, firstSignIn, mails, pause, signedIn, tokenFor } from './portal.mjs';

const granter = accounts.find((account) => account.role === 'patient');
const address = (name) => `${name}.${randomUUID().slice(0, 8)}@example.org`;
const old = address('old');
const fresh = address('fresh');
const temporaryPassword = `Temporary-${randomUUID()}-1`;
const password = `Correct horse ${randomUUID()} Staple`;

let secret;
let token;
let id;

const request = (email) => api('POST', '/v1/account/email-change', { token, body: { email } });
const confirm = (old_address_code, new_address_code) =>
  api('POST', '/v1/account/email-change/confirm', { token, body: { old_address_code, new_address_code } });

async function lastCode(to) {
  return (await mails(to)).at(-1).BodyText.match(/\b[0-9A-Z]{4}-[0-9A-Z]{4}\b/)[0];
}

test('somebody has an account', async () => {
  const granters = await tokenFor(granter);
  const { json } = await api('GET', '/v1/account', { token: granters });
  const until = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
  const proxies = `/v1/patients/${json.patient}/proxies`;
  const granted = await api('POST', proxies, {
    token: granters,
    body: { email: old, name: 'Somebody Near', relationship: 'friend', categories: ['profile'], until },
    headers: { 'idempotency-key': randomUUID() },
  });
  assert.equal(granted.status, 201, granted.text);
  // The grant made the account, and is not needed any more.
  const revoked = await api('DELETE', `${proxies}/${granted.json.id}`, { token: granters });
  assert.equal(revoked.status, 200, revoked.text);
  await cognito('AdminSetUserPassword', { Username: old, Password: temporaryPassword, Permanent: false });
  secret = await firstSignIn({ email: old, temporaryPassword, password });
  token = await signedIn({ email: old, password, totp_secret: secret });
  ({ json: { id } } = await api('GET', '/v1/account', { token }));
});

test('a code goes to each address, and nothing else', async () => {
  const wrong = await request('zyxw');
  assert.equal(wrong.status, 400, wrong.text);
  assert.equal(wrong.json.errors[0].pointer, '/email');
  const asked = await request(fresh);
  assert.equal(asked.status, 202, asked.text);
  assert.equal(asked.json.sent, true);
  for (const to of [old, fresh]) {
    const [mail] = (await mails(to)).filter((one) => one.Type === 'v2.SendEmail');
    assert.equal(mail.Source, 'portal@portal.invalid');
    assert.ok(!mail.BodyText.includes('@') && !mail.Subject.includes('@'), mail.BodyText);
  }
  assert.notEqual(await lastCode(old), await lastCode(fresh));
});

test('both codes change the address, and end every session', async () => {
  const codes = [await lastCode(old), await lastCode(fresh)];
  const turned = await confirm(codes[1], codes[0]);
  assert.equal(turned.status, 403, turned.text);
  assert.equal(turned.json.type, '/problems/codes-refused');
  const confirmed = await confirm(...codes);
  assert.equal(confirmed.status, 200, confirmed.text);
  assert.equal(confirmed.json.sign_in_service, 'done');
  assert.equal((await api('GET', '/v1/account', { token })).status, 401, 'with a token that is still good');
  assert.equal((await mails(old)).at(-1).Subject, 'Your portal account');

  await pause(1100);
  await assert.rejects(signedIn({ email: old, password, totp_secret: secret }), 'with the old address');
  token = await signedIn({ email: fresh, password, totp_secret: secret });
  const account = await api('GET', '/v1/account', { token });
  assert.equal(account.json.id, id, 'the same account');
  assert.equal((await confirm(...codes)).status, 403, 'a code is good once');
  const user = await cognito('AdminGetUser', { Username: id });
  const attributes = Object.fromEntries(user.UserAttributes.map(({ Name, Value }) => [Name, Value]));
  assert.equal(attributes.email, fresh);
  assert.equal(attributes.email_verified, 'true');
  assert.equal(attributes['custom:new_email'], '', 'nothing is left to carry out');
});

test('the audit log has each step, and no address', async () => {
  const records = await audit(`ACCOUNT#${id}`);
  const steps = records.filter((record) => record.operation.endsWith('-email-change'));
  assert.deepEqual(steps.map((record) => [record.operation, record.outcome]), [
    ['request-email-change', 'invalid'],
    ['request-email-change', 'success'],
    ['confirm-email-change', 'denied'],
    ['confirm-email-change', 'success'],
    ['confirm-email-change', 'denied'],
  ]);
  const text = JSON.stringify(records);
  for (const address of [old, fresh]) assert.ok(!text.includes(address), 'no addresses');
});
