// Attempts to sign in, as the privacy officer finds them in the audit log of the deployed portal.

import test from 'node:test';
import assert from 'node:assert/strict';
import { confirmSignIn, signIn } from 'aws-amplify/auth';
import { accounts, api, claims, code, newBrowser, pause, signedIn, tokenFor, wrongCode } from './portal.mjs';

const of = (role) => accounts.find((one) => one.role === role);

/** Asks until everything that was attempted is found, for half a minute. */
async function found(token, criteria, isAll) {
  let records;
  for (let waited = 0; waited < 60; waited += 1) {
    const answer = await api('POST', '/v1/audit/search', { token, body: criteria });
    assert.equal(answer.status, 200, answer.text);
    records = answer.json.records;
    if (isAll(records)) return records;
    await pause(500);
  }
  throw new Error(`not within half a minute: ${JSON.stringify(records)}`);
}

test('a wrong password, a wrong code and a good sign-in are each in the audit log', async () => {
  const { email, password, totp_secret: secret } = of('provider');
  const officer = await tokenFor(of('privacy-officer'));
  const from = new Date(Date.now() - 1000).toISOString();
  newBrowser();
  await assert.rejects(signIn({ username: email, password: 'not the password 1A!' }));
  newBrowser();
  await signIn({ username: email, password });
  await assert.rejects(confirmSignIn({ challengeResponse: wrongCode(secret) }));
  const { nextStep } = await confirmSignIn({ challengeResponse: await code(secret) });
  assert.equal(nextStep.signInStep, 'DONE');
  const token = await signedIn(of('provider'));
  const { sub } = claims(token);

  const criteria = { actor: sub, action: 'account.attempt', from };
  const ended = (records) => records.filter((one) => one.reason !== 'continued');
  const records = await found(officer, criteria, (all) => ended(all).length >= 4);
  // Newest first. The sign-in after them is one more.
  assert.deepEqual(
    ended(records).map((one) => [one.outcome, one.reason ?? '']),
    [['success', ''], ['success', ''], ['denied', 'wrong-second-factor'], ['denied', 'wrong-password']],
  );
  for (const record of records) {
    assert.equal(record.operation, 'record-auth-events');
    assert.equal(record.resource, 'sign-in');
    assert.equal(record.source_ip, '127.0.0.1');
    assert.equal(record.actor, sub);
  }
});

test('of a name that nobody has the log keeps that somebody tried it, and not the name', async () => {
  const officer = await tokenFor(of('privacy-officer'));
  const from = new Date(Date.now() - 1000).toISOString();
  const to = new Date(Date.now() + 600_000).toISOString();
  newBrowser();
  const typed = 'my-secret-typed-as-a-name@example.org';
  await assert.rejects(signIn({ username: typed, password: 'not the password 1A!' }));
  const criteria = { action: 'account.attempt', outcome: 'denied', from, to };
  const [record] = await found(officer, criteria, (records) => records.length > 0);
  assert.equal(record.reason, 'wrong-password');
  assert.equal(record.actor, undefined);
  assert.ok(!JSON.stringify(record).includes('my-secret'));
});
