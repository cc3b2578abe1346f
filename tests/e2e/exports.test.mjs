// A patient takes a copy of their record away from the deployed portal.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { accounts, api, audit, pause, tokenFor } from './portal.mjs';

const [patient, neighbour] = accounts.filter((account) => account.role === 'patient');
const token = await tokenFor(patient);
const { json: { patient: own } } = await api('GET', '/v1/account', { token });
const path = `/v1/patients/${own}/exports`;

let made;
let link;

test('a copy is asked for and is ready soon after', async () => {
  const headers = { 'idempotency-key': randomUUID() };
  const asked = await api('POST', path, { token, headers, body: {} });
  assert.equal(asked.status, 202, asked.text);
  assert.equal(asked.json.state, 'requested');
  for (let tries = 0; tries < 120 && made?.state !== 'ready'; tries += 1) {
    await pause(1000);
    const list = await api('GET', path, { token });
    made = list.json.exports.find((one) => one.id === asked.json.id);
    assert.notEqual(made.state, 'failed', list.text);
  }
  assert.equal(made.state, 'ready');
  assert.deepEqual(made.files.map((one) => one.file).sort(), ['fhir', 'html', 'manifest', 'pdf']);
  const again = await api('POST', path, { token, headers, body: {} });
  assert.equal(again.json.id, made.id);
});

test('each file comes by a link of its own, as an attachment', async () => {
  for (const { file, bytes, sha256 } of made.files) {
    const { json, text } = await api('GET', `${path}?export=${made.id}&file=${file}`, { token });
    assert.ok(json.download, text);
    link = json.download;
    const answer = await fetch(link.url);
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('content-disposition'), /^attachment; filename="[a-z.-]+"$/);
    const content = Buffer.from(await answer.arrayBuffer());
    assert.equal(content.length, bytes);
    assert.equal(createHash('sha256').update(content).digest('hex'), sha256);
    if (file === 'fhir') assert.equal(JSON.parse(content).resourceType, 'Bundle');
    if (file === 'pdf') assert.equal(content.subarray(0, 5).toString(), '%PDF-');
  }
});

test('a link is good for its file, and nobody else gets one', async () => {
  for (const change of [
    (url) => url.replace(/\/(fhir|html|pdf|manifest)\?/, '/other?'),
    (url) => url.replace(/X-Amz-Expires=60/, 'X-Amz-Expires=6000'),
    (url) => url.split('?')[0],
  ]) {
    assert.equal((await fetch(change(link.url))).status, 403, String(change));
  }
  const theirs = await tokenFor(neighbour);
  const stolen = await api('GET', `${path}?export=${made.id}&file=fhir`, { token: theirs });
  assert.equal(stolen.status, 404, stolen.text);
});

test('a link is over after a minute', { timeout: 90_000 }, async () => {
  await pause(Math.max(0, Date.parse(link.expires_at) - Date.now()) + 2000);
  assert.equal((await fetch(link.url)).status, 403);
});

test('request, making and downloads are in the audit log', async () => {
  const records = (await audit(`PATIENT#${own}`)).filter((one) => one.resource?.startsWith(made.id));
  const of = (action, resource) =>
    records.filter((one) => one.action === action && one.resource === resource && one.outcome === 'success').length;
  assert.ok(of('export.request', made.id) >= 1);
  assert.equal(of('export.build', made.id), 1);
  for (const { file } of made.files) assert.equal(of('export.read', `${made.id}/${file}`), 1);
});
