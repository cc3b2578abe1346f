// A patient's results and health record on the deployed portal: lists, one result, its trend, and a
// result that a provider holds for a while.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { accounts, api, audit, claims, dynamodb, portal, tokenFor } from './portal.mjs';

const by = (role) => accounts.find((account) => account.role === role);
const row = async (table, pk) => (await dynamodb('GetItem', { TableName: portal.outputs[table], Key: { pk: { S: pk } } })).Item;

let patient;
let token;
let provider;
let officer;
let results;

const get = (path, as = token) => api('GET', `/v1/patients/${patient}/${path}`, { token: as });

/** Everything of a list, page by page. */
async function all(path, list, as = token) {
  const found = [];
  let cursor;
  do {
    const [where, query] = path.split('?');
    const parameters = new URLSearchParams(query);
    parameters.set('limit', '20');
    if (cursor) parameters.set('cursor', cursor);
    const page = await get(`${where}?${parameters}`, as);
    assert.equal(page.status, 200, page.text);
    found.push(...page.json[list]);
    cursor = page.json.next_cursor;
  } while (cursor);
  return found;
}

test('a patient pages through their results, each with its report', async () => {
  token = await tokenFor(by('patient'));
  ({ patient: { S: patient } } = await row('AccountsTableName', `ACCOUNT#${claims(token).sub}`));
  results = await all('lab-results', 'results');
  assert.ok(results.length > 1);
  assert.equal(new Set(results.map((result) => result.id)).size, results.length);
  const times = results.map((result) => Date.parse(result.effective));
  assert.deepEqual(times, [...times].sort((a, b) => b - a));
  assert.ok(results.some((result) => result.report?.title));
  assert.ok(results.every((result) => result.reference_range_supplied === false));
  const day = results[0].effective.slice(0, 10);
  const some = await all(`lab-results?from=${day}`, 'results');
  assert.deepEqual(some.map((result) => result.id), results.filter((r) => r.effective.slice(0, 10) >= day).map((r) => r.id));
});

test('opens one, and sees it over time', async () => {
  const [one] = results;
  assert.deepEqual((await get(`lab-results/${one.id}`)).json, one);
  const trend = await get(`lab-trends/${one.series}`);
  assert.equal(trend.status, 200, trend.text);
  const points = trend.json.lines.flatMap((line) => line.points);
  assert.deepEqual(
    new Set([...points, ...trend.json.others].map((point) => point.id)),
    new Set(results.filter((result) => result.series === one.series).map((result) => result.id)),
  );
});

test('and every section of the health record has what it counts', async () => {
  const landing = await get('health-record');
  assert.equal(landing.status, 200, landing.text);
  assert.equal(landing.json.record_complete, true);
  for (const { section, count } of landing.json.sections) {
    assert.equal((await all(`health-record?section=${section}`, 'entries')).length, count, section);
  }
  assert.ok(landing.json.sections.some(({ count }) => count > 0));
});

test('a provider holds a result, and the privacy officer sees that it is held', async () => {
  provider = await tokenFor(by('provider'));
  const { json } = await api('GET', '/v1/my-patients?limit=50', { token: provider });
  assert.ok(json.patients.some((one) => one.id === patient), 'the demo provider treats the first demo patient');
  const [first] = await all('lab-results', 'results', provider);
  const path = `/v1/patients/${patient}/lab-results/${first.id}`;
  const body = {
    reason: 'preventing-harm',
    explanation: 'To be talked about before it is read alone',
    until: new Date(Date.now() + 86_400_000).toISOString(),
  };
  const held = await api('POST', `${path}/hold`, { token: provider, body });
  assert.equal(held.status, 201, held.text);
  const seen = await api('GET', path, { token: provider });
  assert.deepEqual([seen.json.hold.reason, seen.json.display], ['preventing-harm', first.display]);
  assert.ok(results.some((result) => result.id === first.id));
  const hidden = await get(`lab-results/${first.id}`);
  assert.deepEqual(Object.keys(hidden.json).sort(), ['effective', 'hold', 'id']);
  officer = await tokenFor(by('privacy-officer'));
  const holds = await api('GET', '/v1/lab-holds', { token: officer });
  assert.equal(holds.status, 200, holds.text);
  assert.ok(holds.json.holds.some((hold) => hold.result === first.id && hold.reason === body.reason));
  assert.equal((await api('GET', path, { token: officer })).status, 404);

  const released = await api('DELETE', `${path}/hold`, { token: provider });
  assert.equal(released.status, 200, released.text);
  const after = await api('GET', '/v1/lab-holds', { token: officer });
  assert.ok(!after.json.holds.some((hold) => hold.result === first.id));
  const records = await audit(`PATIENT#${patient}`);
  for (const action of ['lab-result.hold', 'lab-result.release']) {
    assert.ok(records.some((record) => record.action === action && record.resource === first.id), action);
  }
});
