// A patient hands documents in on the deployed portal: one that is fine, one that is not, and a file
// that is not the announced one; the care team looks at what came.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { accounts, api, audit, pause, sends, tokenFor } from './portal.mjs';

/** A PDF of one page, with entries of its catalog. */
function pdf(catalog = '') {
  const objects = [
    `<< /Type /Catalog /Pages 2 0 R ${catalog} >>`,
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] >>',
  ];
  let file = '%PDF-1.7\n';
  let table = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  objects.forEach((object, at) => {
    table += `${String(file.length).padStart(10, '0')} 00000 n \n`;
    file += `${at + 1} 0 obj\n${object}\nendobj\n`;
  });
  const trailer = `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${file.length}\n%%EOF\n`;
  return Buffer.from(file + table + trailer);
}

const patientAccount = accounts.find((account) => account.role === 'patient');
const providerAccount = accounts.find((account) => account.role === 'provider');
let token;
let patient;
let kept;

const documents = (method, rest = '', as = token) =>
  api(method, `/v1/patients/${patient}/documents${rest}`, { token: as });

const announce = (name, file) =>
  api('POST', `/v1/patients/${patient}/documents`, {
    token,
    headers: { 'idempotency-key': randomUUID() },
    body: {
      name,
      content_type: 'application/pdf',
      size: file.length,
      sha256: createHash('sha256').update(file).digest('base64'),
    },
  });

const put = ({ url, headers }, file) => {
  const { 'content-length': _, ...rest } = headers;
  return fetch(url, { method: 'PUT', headers: rest, body: file });
};

/** The document once it is inspected. */
async function inspected(id) {
  for (let tries = 0; tries < 60; tries += 1) {
    const { json } = await documents('GET', `/${id}`);
    if (!['uploading', 'inspecting'].includes(json.status)) return json;
    await pause(500);
  }
  throw new Error('nobody inspected it');
}

test('a patient uploads a PDF and gets it back', async () => {
  token = await tokenFor(patientAccount);
  ({ json: { patient } } = await api('GET', '/v1/account', { token }));
  const file = pdf();
  const announced = await announce('referral.pdf', file);
  assert.equal(announced.status, 201, announced.text);
  kept = announced.json.id;
  const other = await put(announced.json.upload, Buffer.concat([file, Buffer.from('\n')]));
  assert.ok(other.status >= 400, 'another file');
  const sent = await put(announced.json.upload, file);
  assert.equal(sent.status, 200, await sent.text());
  const document = await inspected(kept);
  assert.equal(document.status, 'available', JSON.stringify(document));
  assert.equal(document.name, 'referral.pdf');
  const download = await fetch(document.download.url);
  assert.equal(download.status, 200);
  assert.match(download.headers.get('content-disposition'), /^attachment/);
  // Written anew: the same page, and what the portal says of it is true of what it gives.
  const back = Buffer.from(await download.arrayBuffer());
  assert.equal(back.length, document.size);
  assert.match(back.toString('latin1'), /^%PDF-1\.7[^]*\/MediaBox ?\[ ?0 0 200 200 ?\]/);
});

test('a PDF with a script is refused, in words', async () => {
  const file = pdf('/OpenAction << /S /JavaScript /JS (app.alert\\(1\\)) >>');
  const announced = await announce('form.pdf', file);
  assert.equal((await put(announced.json.upload, file)).status, 200);
  const document = await inspected(announced.json.id);
  assert.equal(document.status, 'rejected');
  assert.equal(document.rejection.reason, 'active-content');
  assert.match(document.rejection.detail, /Print it to a new PDF/);
  const deleted = await documents('DELETE', `/${announced.json.id}`);
  assert.deepEqual(deleted.json, { file: 'gone' });
});

test('the list has what was uploaded and what the practice wrote', async () => {
  const id = randomUUID();
  await sends((who) => [{
    fullUrl: `urn:uuid:${id}`,
    resource: {
      resourceType: 'DocumentReference',
      id,
      status: 'current',
      type: { text: 'Letter to the patient' },
      subject: { reference: who },
      date: '2024-05-06T10:00:00Z',
      content: [{ attachment: { contentType: 'text/plain', data: btoa('All is well.') } }],
    },
  }]);
  const { json } = await documents('GET', '?limit=100');
  assert.equal(json.documents[0].id, kept);
  const clinical = json.documents.find((document) => document.kind === 'clinical');
  const one = await documents('GET', `/${clinical.id}`);
  assert.equal(one.status, 200, one.text);
  assert.equal(one.json.title, 'Letter to the patient');
  assert.equal(one.json.contents[0].text, 'All is well.');
});

test('a provider looks at it, and then it stays', async () => {
  const patientToken = token;
  const provider = await tokenFor(providerAccount);
  const reviewed = await documents('POST', `/${kept}/review`, provider);
  assert.equal(reviewed.status, 200, reviewed.text);
  const deleted = await documents('DELETE', `/${kept}`, patientToken);
  assert.equal(deleted.status, 409, deleted.text);
});

test('all of it is in the audit log', async () => {
  const records = (await audit(`PATIENT#${patient}`)).filter((record) => record.resource === kept);
  const actions = records.map((record) => record.action);
  for (const action of ['document.request-upload', 'document.inspect', 'document.read']) {
    assert.ok(actions.includes(action), action);
  }
});
