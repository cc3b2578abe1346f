// A provider's day on the deployed portal: their patients, finding one, and a colleague who comes
// and goes.

import { after, test } from 'node:test';
import assert from 'node:assert/strict';
import { accounts, api, audit, claims, dynamodb, portal, tokenFor } from './portal.mjs';

const provider = accounts.find((account) => account.role === 'provider');

const started = new Date().toISOString();
/** The provider's records of this run, in a partition. */
const own = async (pk) =>
  (await audit(pk)).filter((record) => record.actor === claims(token).sub && record.at >= started);

let token;
let practitioner;
let patients;
let one;

const team = () => api('GET', `/v1/patients/${one.id}/care-team`, { token });
const changeTeam = (etag, body, as = token) =>
  api('POST', `/v1/patients/${one.id}/care-team`, { token: as, body, headers: { 'if-match': etag } });
const find = (body) => api('POST', '/v1/patients/search', { token, body });

/** Every row of a table, by its first partitions. */
async function scan(table, filter, values) {
  const rows = [];
  let start;
  do {
    const page = await dynamodb('Scan', {
      TableName: portal.outputs[table],
      FilterExpression: filter,
      ExpressionAttributeValues: values,
      ...(start ? { ExclusiveStartKey: start } : {}),
    });
    rows.push(...page.Items);
    start = page.LastEvaluatedKey;
  } while (start);
  return rows;
}

test('a provider lists their patients, newest activity first', async () => {
  token = await tokenFor(provider);
  const row = await dynamodb('GetItem', {
    TableName: portal.outputs.AccountsTableName,
    Key: { pk: { S: `ACCOUNT#${claims(token).sub}` } },
  });
  practitioner = row.Item.practitioner.S;
  const rows = await scan('PatientsTableName', 'sk = :member', { ':member': { S: `CONTEXT#CARE-TEAM#${practitioner}` } });
  patients = [];
  let cursor;
  do {
    const query = new URLSearchParams({ limit: '1', ...(cursor ? { cursor } : {}) });
    const page = await api('GET', `/v1/my-patients?${query}`, { token });
    assert.equal(page.status, 200, page.text);
    patients.push(...page.json.patients);
    cursor = page.json.next_cursor;
  } while (cursor);
  assert.deepEqual(patients.map((p) => p.id).sort(), rows.map((r) => r.pk.S.slice('PATIENT#'.length)).sort());
  const times = patients.map((p) => p.last_activity);
  assert.deepEqual(times, [...times].sort().reverse());
  assert.ok(patients.every((p) => p.name && p.mrn && p.birth_date && p.record_complete));
  [one] = patients;
});

test('and finds one of them by name and date of birth, and by number', async () => {
  const family = one.name.split(' ').at(-1);
  for (const body of [
    { family: family.toUpperCase(), birth_date: one.birth_date, match: 'exact' },
    { family: family.slice(0, 3), birth_date: one.birth_date, match: 'prefix' },
    { mrn: one.mrn },
  ]) {
    const answer = await find(body);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.json, {
      patients: [{ id: one.id, name: one.name, birth_date: one.birth_date, on_care_team: true }],
      more: false,
    });
  }
  const nobody = await find({ family, birth_date: '1900-01-01', match: 'exact' });
  assert.deepEqual([nobody.status, nobody.json], [200, { patients: [], more: false }]);
  const records = (await own(`ACCOUNT#${claims(token).sub}`)).filter((r) => r.operation === 'find-patient');
  assert.equal(records.length, 4);
  const text = JSON.stringify(records).toLowerCase();
  for (const term of [family, one.birth_date, one.mrn]) assert.ok(!text.includes(term.toLowerCase()), 'no terms');
  assert.equal(new Set(records.map((r) => r.resource)).size, 4);
});

test('a summary has who it is and what matters first', async () => {
  const answer = await api('GET', `/v1/patients/${one.id}/summary`, { token });
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(
    [answer.json.name, answer.json.birth_date, answer.json.mrn],
    [one.name, one.birth_date, one.mrn],
  );
  const members = await team();
  assert.equal(answer.json.care_team, members.json.members.filter((m) => !m.former).length);
});

test('a colleague from the directory is added and removed', async () => {
  const on = new Set((await team()).json.members.map((m) => m.practitioner));
  const listed = await scan('DirectoryTableName', 'begins_with(pk, :p) AND active = :yes', {
    ':p': { S: 'PRACTITIONER#' },
    ':yes': { BOOL: true },
  });
  const colleague = listed.map((r) => [r.pk.S.slice('PRACTITIONER#'.length), r.name?.S]).find(([id]) => !on.has(id));
  const [id, name] = colleague;
  const before = await team();
  const added = await changeTeam(before.headers.get('etag'), { add: { practitioner: id } });
  assert.equal(added.status, 200, added.text);
  const member = (answer) => answer.json.members.find((m) => m.practitioner === id);
  assert.deepEqual([member(added).name, member(added).former], [name, false]);
  assert.equal((await changeTeam(before.headers.get('etag'), { remove: { practitioner: id } })).status, 412);
  const removed = await changeTeam(added.headers.get('etag'), { remove: { practitioner: id } });
  assert.equal(removed.status, 200, removed.text);
  assert.equal(member(removed).former, true);
  assert.deepEqual((await team()).json, removed.json);
});

test('off the team a patient is not found, and the attempts are in the audit log', async () => {
  const mine = new Set(patients.map((p) => p.id));
  const rows = await scan('PatientsTableName', 'sk = :profile', { ':profile': { S: 'CONTEXT#PROFILE' } });
  const other = rows.map((r) => r.pk.S.slice('PATIENT#'.length)).find((id) => !mine.has(id));
  for (const [method, path, options] of [
    ['GET', 'summary', {}],
    ['GET', 'care-team', {}],
    ['POST', 'care-team', { body: { add: { practitioner } }, headers: { 'if-match': '"0"' } }],
  ]) {
    const answer = await api(method, `/v1/patients/${other}/${path}`, { token, ...options });
    assert.equal(answer.status, 404, `${method} ${path}: ${answer.text}`);
  }
  const records = await own(`PATIENT#${other}`);
  assert.deepEqual(
    records.map((r) => [r.operation, r.outcome]),
    [['get-patient-summary', 'denied'], ['get-care-team', 'denied'], ['change-care-team', 'denied']],
  );
});

test('too many searches have to wait', async () => {
  let answer;
  for (let at = 0; at < 61; at += 1) {
    answer = await find({ mrn: 'nobody' });
    if (answer.status !== 200) break;
  }
  assert.equal(answer.status, 429, answer.text);
  assert.ok(Number(answer.headers.get('retry-after')) >= 1);
});

// The next run has searches again.
after(async () => {
  const prefix = `RATE#${claims(token).sub}#`;
  for (const row of await scan('AccountsTableName', 'begins_with(pk, :rate)', { ':rate': { S: prefix } })) {
    await dynamodb('DeleteItem', { TableName: portal.outputs.AccountsTableName, Key: { pk: row.pk } });
  }
});
