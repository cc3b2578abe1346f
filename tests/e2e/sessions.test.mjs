// A person's sessions on the deployed portal: they see where they are signed in, and sign out of one.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { accounts, api, signedIn } from './portal.mjs';

const account = accounts.find((one) => one.role === 'privacy-officer');

test('signing out of one session ends it at the next request, and no other', async () => {
  const phone = await signedIn(account);
  const laptop = await signedIn(account);
  const session = async (token) => (await api('GET', '/v1/account', { token })).json.session;
  const [phones, laptops] = [await session(phone), await session(laptop)];
  assert.notEqual(phones, laptops);

  const list = await api('GET', '/v1/account/sessions', { token: laptop });
  assert.equal(list.status, 200, list.text);
  const current = new Map(list.json.sessions.map((one) => [one.id, one.current]));
  assert.equal(current.get(phones), false);
  assert.equal(current.get(laptops), true);
  assert.ok(list.json.sign_ins.some((one) => one.kind === 'sign-in'), list.text);

  const end = () => api('POST', `/v1/account/sessions/${phones}/end`, { token: laptop });
  const ended = await end();
  assert.equal(ended.status, 200, ended.text);
  // The same token, still good by itself.
  assert.equal((await api('GET', '/v1/account', { token: phone })).status, 401);
  assert.equal((await api('GET', '/v1/account', { token: laptop })).status, 200);
  assert.equal((await end()).status, 404);
});
