// What is unusual in the audit log is found by the portal itself, and told without saying whose it is.

import test from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { fetchAuthSession } from 'aws-amplify/auth';
import { accounts, api, audit, cognito, firstSignIn, listen, pause, portal, tokenFor } from './portal.mjs';

const as = (role) => accounts.find((account) => account.role === role);

/** An officer of whom nothing is counted yet, signed in. */
async function newcomer(email) {
  const token = await tokenFor(as('admin'));
  const headers = { 'idempotency-key': randomUUID() };
  const body = { role: 'privacy-officer', email };
  const { status, text, json } = await api('POST', '/v1/users', { token, body, headers });
  assert.equal(status, 201, text);
  const temporaryPassword = `Temporary-${randomUUID()}-1`;
  await cognito('AdminSetUserPassword', { Username: json.id, Password: temporaryPassword, Permanent: false });
  await firstSignIn({ email, temporaryPassword, password: `Correct horse ${randomUUID()} Staple` });
  const { tokens } = await fetchAuthSession();
  return tokens.accessToken.toString();
}

/** Every record of a search, page by page. */
async function search(token, criteria) {
  const found = [];
  let cursor;
  do {
    const body = { ...criteria, limit: 100, ...(cursor ? { cursor } : {}) };
    const { status, json } = await api('POST', '/v1/audit/search', { token, body });
    assert.equal(status, 200);
    found.push(...json.records);
    cursor = json.next_cursor;
  } while (cursor);
  return found;
}

test('a run of refusals reaches the privacy officer, by a record and by a message', async () => {
  const messages = await listen(portal.outputs.AlarmTopicArn);
  const from = new Date().toISOString();
  const email = `officer.${randomUUID()}@example.org`;
  const token = await newcomer(email);
  const patient = randomUUID();
  // Ten in an hour, whether or not an hour ends meanwhile.
  for (let asked = 0; asked < 20; asked += 1) {
    assert.equal((await api('GET', `/v1/patients/${patient}/profile`, { token })).status, 404);
  }
  const [refused] = await audit(`PATIENT#${patient}`);
  const officer = await tokenFor(as('privacy-officer'));
  const criteria = { action: 'watch.finding', from, to: new Date(Date.now() + 300_000).toISOString() };
  let finding;
  for (let waited = 0; !finding && waited < 60; waited += 1) {
    await pause(1000);
    const found = await search(officer, criteria);
    finding = found.find((one) => one.resource.startsWith('many-denials#') && one.resource.endsWith(`#${refused.actor}`));
  }
  assert.ok(finding, 'not within a minute');
  assert.equal(finding.operation, 'watch-access');
  assert.equal(finding.actor, undefined);
  let message;
  for (let waited = 0; !message && waited < 20; waited += 1) {
    message = (await messages()).find((one) => one.Message.includes(finding.id));
    if (!message) await pause(500);
  }
  assert.equal(message.Subject, 'Portal: many-denials');
  for (const personal of [refused.actor, patient, email]) {
    assert.ok(!JSON.stringify(message).includes(personal));
  }
});
