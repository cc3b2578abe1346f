// Messages in the patient's copy of the record, and threads out of sight.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { fromBase64url, base64url } from './bytes.js';
import { Messages } from './client.js';
import { addMessages } from './copy.js';
import { Remembered, Server } from './dishonest.test.js';

const DOCUMENT = '5b1f3c7e-9a2d-4c68-b0e4-1d2f3a4b5c6d';
const MARKUP = `<script>alert("1")</script> & $' $\` \u0007`;

const FHIR =
  '{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:1","resource":' +
  '{"resourceType":"Patient"}},{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Observation","value":1.50}}]}';
const HTML =
  '<ul>\n<li><a href="#about">About this copy</a></li>\n</ul>\n<section aria-labelledby="about">\n</section>';
const MANIFEST = JSON.stringify({
  export: 'one',
  missing: [{ what: 'messages', why: 'the app adds them' }, { what: 'bills', why: 'elsewhere' }],
  files: ['fhir', 'html', 'pdf'].map((file) => ({ file, bytes: 1, sha256: '00' })),
});

async function conversation() {
  const server = new Server();
  const patient = new Messages(
    server.as(server.patients),
    { account: server.patients, owner: 'account' },
    new Remembered(),
  );
  const person = { account: server.provider, owner: 'providers' } as const;
  const practice = new Messages(server.as('providers'), person, new Remembered());
  await practice.register();
  const first = { text: MARKUP, attachments: [DOCUMENT] };
  const thread = await patient.start(server.patient, 'other', 'A <b>subject</b>', first);
  await practice.read(server.patient, thread);
  await practice.send(server.patient, thread, { text: 'an answer' });
  return { server, patient, practice, thread };
}

test('a thread is out of sight until something comes', async () => {
  const { server, patient, practice, thread } = await conversation();
  const listed = async (who: Messages, hidden = false) => (await who.list(server.patient, { hidden })).length;
  await patient.hide(server.patient, thread);
  assert.deepEqual([await listed(patient), await listed(patient, true), await listed(practice)], [0, 1, 1]);
  await patient.unhide(server.patient, thread);
  assert.equal(await listed(patient), 1);
  await patient.hide(server.patient, thread);
  await practice.send(server.patient, thread, { text: 'one more' });
  assert.equal(await listed(patient), 1);
});

test('a copy has all messages, as FHIR and to read, and the manifest says so', async () => {
  const { server, patient, thread } = await conversation();
  await patient.hide(server.patient, thread);
  const copied = await patient.copy(server.patient);
  const { fhir = '', html = '', manifest } = await addMessages({ manifest: MANIFEST, fhir: FHIR, html: HTML }, copied);

  const { entry } = JSON.parse(fhir) as { entry: { fullUrl: string; resource: Record<string, unknown> }[] };
  assert.equal(entry.length, 4);
  assert.equal(new Set(entry.map(({ fullUrl }) => fullUrl)).size, 4);
  const sent = entry[2]?.resource;
  assert.equal(sent?.['resourceType'], 'Communication');
  assert.deepEqual(sent?.['subject'], { reference: 'urn:uuid:1' });
  assert.deepEqual(sent?.['payload'], [
    { contentString: MARKUP },
    { contentReference: { identifier: { system: 'urn:portal:document', value: DOCUMENT } } },
  ]);
  assert.match(String(sent?.['id']), /^[A-Za-z0-9.-]{1,64}$/);
  assert.ok(fhir.startsWith(FHIR.slice(0, -2)), 'what was there stays as it was, to the last zero');

  assert.ok(!html.includes('<script') && !html.includes('<b>') && !html.includes('\u0007'));
  assert.ok(html.includes('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; $&#39; $`'));
  assert.ok(html.indexOf('id="messages"') < html.indexOf('aria-labelledby="about"'));
  assert.equal(html.split('an answer').length, 2);

  const told = JSON.parse(manifest) as { messages: Record<string, unknown>; missing: unknown; files: Record<string, unknown>[] };
  assert.deepEqual(told.missing, [{ what: 'bills', why: 'elsewhere' }]);
  assert.deepEqual([told.messages['conversations'], told.messages['messages'], told.messages['missing']], [1, 2, []]);
  for (const [at, content] of [fhir, html].entries()) {
    const { bytes, sha256 } = told.files[at] ?? {};
    assert.equal(bytes, Buffer.byteLength(content));
    assert.equal(sha256, createHash('sha256').update(content).digest('hex'));
  }
  assert.deepEqual(told.files[2], { file: 'pdf', bytes: 1, sha256: '00' });
});

test('what does not open is told, and the rest is there', async () => {
  const { server, patient, thread } = await conversation();
  const other = await patient.start(server.patient, 'other', 'Another', { text: 'whole' });
  const [first] = server.row(thread).messages;
  assert.ok(first);
  const altered = fromBase64url(first.ciphertext);
  altered[altered.length - 1] = (altered[altered.length - 1] ?? 0) ^ 1;
  first.ciphertext = base64url(altered);
  const unshared = await patient.start(server.patient, 'other', 'A third', { text: 'not for this key' });
  server.row(unshared).keys = [];
  const browser = new Messages(
    server.as(server.patients),
    { account: server.patients, owner: 'account' },
    new Remembered(),
  );
  const copied = await browser.copy(server.patient);
  assert.deepEqual(copied.threads.map(({ id }) => id), [other]);
  const missing = [{ thread, why: 'message-altered' }, { thread: unshared, why: 'not-shared' }];
  assert.deepEqual(copied.missing, missing);
  const { html = '' } = await addMessages({ manifest: MANIFEST, html: HTML }, copied);
  assert.ok(html.includes(`Not in here: conversation ${thread}: message-altered.`));
});

test('what is no copy of a record stays as it is', async () => {
  const none = { threads: [], missing: [] };
  for (const copy of [
    { manifest: MANIFEST },
    { manifest: MANIFEST, fhir: '{"resourceType":"Patient"}' },
    { manifest: MANIFEST, html: '<p>something else</p>' },
    { manifest: MANIFEST, html: HTML + HTML },
  ]) {
    await assert.rejects(addMessages(copy, none), { code: 'not-a-copy' });
  }
});

test('attachments are ids of documents, and nothing else', async () => {
  const { server, patient, practice, thread } = await conversation();
  const [first] = await practice.read(server.patient, thread);
  assert.deepEqual(first?.attachments, [DOCUMENT]);
  for (const attachments of [['../../../account'], [DOCUMENT.toUpperCase()], Array<string>(11).fill(DOCUMENT)]) {
    const send = patient.send(server.patient, thread, { text: 'x', attachments });
    await assert.rejects(send, { code: 'bad-attachments' });
  }
  await patient.send(server.patient, thread, { text: 'after that', attachments: [] });
  assert.equal((await practice.read(server.patient, thread)).length, 3);
});

test('a parent writes for a child, who has no key', async () => {
  const { server, practice } = await conversation();
  const [account, second] = ['9f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c99', '9f1c2b7e-3a52-4a0e-9f86-2f5d7a1f6c98'];
  const parent = new Messages(server.as(account), { account, owner: 'account' }, new Remembered());
  const proxy = (party: string) => ({ party, relationship: 'proxy' as const, keys: [] });
  server.logs.splice(0, 1, proxy(account), proxy(second));
  const thread = await parent.start(server.patient, 'other', 'A child', { text: 'a cough' });
  assert.deepEqual(server.row(thread).keys.map(({ party }) => party), [account, 'providers']);
  assert.equal((await practice.read(server.patient, thread))[0]?.text, 'a cough');
  // And the practice to the parents who have a key.
  const begun = await practice.start(server.patient, 'other', 'A child', { text: 'a letter' });
  assert.deepEqual(server.row(begun).keys.map(({ party }) => party), [account, 'providers']);
});

test('a new key of the practice opens what it shared with itself, and so does the one before', async () => {
  const { server, practice, patient, thread } = await conversation();
  const memory = new Remembered();
  const person = { account: server.provider, owner: 'providers' } as const;
  const key = await practice.rotate([server.patient]);
  const { keys } = server.row(thread);
  assert.ok(keys.some((one) => one.party === 'providers' && one.key_id === key.key_id));
  assert.equal(keys.filter((one) => one.party === server.patients).length, 1, 'nobody else got it again');
  // The key before is gone from the log's end, and a browser with nothing but the new one reads all.
  for (const one of server.log('providers').keys.slice(0, -1)) server.private.delete(one.key_id);
  server.row(thread).keys = keys.filter((one) => one.key_id === key.key_id || one.party !== 'providers');
  const anew = new Messages(server.as('providers'), person, memory);
  assert.equal((await anew.read(server.patient, thread)).length, 2);
  await anew.send(server.patient, thread, { text: 'with the new key' });
  assert.equal((await patient.read(server.patient, thread)).at(-1)?.text, 'with the new key');
  await assert.rejects(patient.start(server.patient, 'other', 'x', { text: 'x' }), { code: 'key-changed' });
});
