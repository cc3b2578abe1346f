// Messages for those who act for somebody, and messages to take away, in real browsers on the deployed
// portal: a patient lets a friend read and write, shares, and ends it; the copy is saved with what the
// portal itself cannot read.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Messages } from '../../../web/dist/messages/index.js';
import { accounts, api, signedIn } from '../portal.mjs';
import { clean, downloaded, examine, go, launch, open, settled, signInAs, tabTo, tokenOf } from './browser.mjs';

const [account, friend] = accounts.filter(({ role }) => role === 'patient');
const MARK = `Marimba-${randomUUID().slice(0, 8)}`;
const FIRST = `${MARK}: before anybody else`;

let browser;
let mine;
let theirs;
let practice;
let patient;
let thread;

const claims = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString());

before(async () => {
  browser = await launch();
  const provider = await signedIn(accounts.find(({ role }) => role === 'provider'));
  mine = await open(browser);
  await signInAs(mine.page, account);
  await settled(mine.page);
  patient = (await api('GET', '/v1/account', { token: await tokenOf(mine.page) })).json.patient;
  const memory = new Map();
  const call = async (method, path, body, headers) => {
    const { status, json } = await api(method, path, { token: provider, body, headers });
    return { status, json };
  };
  practice = new Messages(call, { account: claims(provider).sub, owner: 'providers' }, { get: async (name) => memory.get(name), set: async (name, value) => void memory.set(name, value) });
  // The practice has a key before anybody can write to it.
  await practice.key(patient);
});
after(() => browser?.close());

async function write(page, subject, text) {
  await go(page, '/messages/new');
  await page.getByLabel('Subject').fill(subject);
  await page.getByLabel('Your message').fill(text);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('heading', { name: subject }).waitFor();
  await page.locator('.message').getByText(text, { exact: true }).waitFor();
}

/** Loads everything anew, as somebody does who comes back. */
async function comesBack({ page }, path) {
  await go(page, path);
  await page.reload();
  await settled(page);
}

const stored = async () => {
  const { json } = await api('GET', `/v1/patients/${patient}/threads?hidden=listed`, { token: await tokenOf(mine.page) });
  return json.threads;
};

test('a friend who may read messages reads what the patient shares, and answers', async () => {
  const { page } = mine;
  await write(page, `${MARK} before`, FIRST);
  thread = (await practice.inbox()).find(({ subject }) => subject === `${MARK} before`).stored.id;
  await go(page, '/proxies');
  await page.getByRole('button', { name: 'Let somebody act for me' }).click();
  const dialog = page.getByRole('dialog', { name: 'Let somebody act for me' });
  await dialog.getByLabel('Their name').fill('Somebody Near');
  await dialog.getByLabel('Their e-mail address').fill(friend.email);
  await dialog.getByLabel('Messages').check();
  await dialog.getByRole('button', { name: 'Give access' }).click();
  await page.getByRole('heading', { name: 'Somebody Near' }).waitFor();

  theirs = await open(browser);
  await signInAs(theirs.page, friend);
  await settled(theirs.page);
  await theirs.page.getByLabel('Whose record').selectOption({ index: 1 });
  await theirs.page.getByText(/^You are acting for/).waitFor();
  await go(theirs.page, '/messages');
  await theirs.page.getByText(/not shared with you yet/).waitFor();
  assert.equal(await theirs.page.getByText(MARK).count(), 0);
  await examine(theirs.page, 'messages-unshared');
  // Whoever opens messages gets a key; then there is something to share with.
  const proxy = claims(await tokenOf(theirs.page)).sub;
  await theirs.page.waitForFunction(() => !document.querySelector('.skeleton'));

  await comesBack(mine, '/messages');
  const ask = page.getByRole('region', { name: 'Share your conversations?' });
  await ask.getByText(/Somebody Near/).waitFor();
  await examine(page, 'messages-share');
  assert.ok((await stored()).every(({ parties }) => !parties.includes(proxy)), 'nothing is shared unasked');
  await tabTo(page, /^Share \d+ conversations?$/);
  await page.keyboard.press('Enter');
  await page.getByText('Shared. They can read these conversations now.').waitFor();
  await ask.waitFor({ state: 'detached' });

  await comesBack(theirs, '/messages');
  await theirs.page.getByRole('link', { name: `${MARK} before` }).click();
  await theirs.page.getByText(FIRST).waitFor();
  await theirs.page.getByLabel('Your answer').fill(`${MARK}: from who is near`);
  await theirs.page.getByRole('button', { name: 'Send', exact: true }).click();
  await theirs.page.locator('.message').getByText(`${MARK}: from who is near`).waitFor();
  await go(page, `/messages/${thread}`);
  await page.getByText(`${MARK}: from who is near`).waitFor();

  // What begins after that is theirs without another question.
  await write(page, `${MARK} since`, `${MARK}: since then`);
  await page.waitForFunction(() => !document.querySelector('.skeleton'));
  await comesBack(theirs, '/messages');
  await theirs.page.getByRole('link', { name: `${MARK} since` }).click();
  await theirs.page.getByText(`${MARK}: since then`).waitFor();
  clean(mine, theirs);
});

test('when it ends they read nothing more, and what is written then has a key that they never had', async () => {
  const { page } = mine;
  const token = await tokenOf(theirs.page);
  const proxy = claims(token).sub;
  assert.ok((await stored()).find(({ id }) => id === thread).parties.includes(proxy));
  await go(page, '/proxies');
  await page.getByRole('button', { name: /^End this access/ }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'End it' }).click();
  await page.getByText('Nobody can act for you').waitFor();

  await go(page, '/messages');
  await page.getByRole('link', { name: `${MARK} before` }).click();
  await page.getByRole('region', { name: 'Go on in a new conversation' }).waitFor();
  assert.equal(await page.getByLabel('Your answer').count(), 0);
  await examine(page, 'thread-outlived');
  await page.getByRole('button', { name: 'Write in a new conversation' }).click();
  await page.waitForFunction(() => document.querySelector('input[name=subject]')?.value);
  assert.equal(await page.getByLabel('Subject').inputValue(), `${MARK} before`);
  await page.getByLabel('Your message').fill(`${MARK}: without them`);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: `${MARK} before` }).waitFor();
  await page.locator('.message').getByText(`${MARK}: without them`).waitFor();

  const all = await stored();
  const inbox = await practice.inbox();
  const next = inbox.find(({ subject, stored: { id } }) => subject === `${MARK} before` && id !== thread).stored.id;
  assert.deepEqual((await practice.read(patient, next)).map(({ text }) => text), [`${MARK}: without them`]);
  const [before, anew] = [thread, next].map((id) => all.find((one) => one.id === id));
  assert.ok(!anew.parties.includes(proxy));
  assert.notEqual(anew.commitment, before.commitment);
  for (const id of [thread, next]) {
    assert.equal((await api('GET', `/v1/patients/${patient}/threads/${id}`, { token })).status, 404);
  }
  await theirs.page.reload();
  await settled(theirs.page);
  assert.equal(await theirs.page.getByText(/^You are acting for/).count(), 0);
  clean(mine, theirs);
});

/** What is in a ZIP file, as another program reads it: it checks every sum. */
function unzipped(bytes) {
  const folder = mkdtempSync(join(tmpdir(), 'portal-copy-'));
  try {
    writeFileSync(join(folder, 'copy.zip'), bytes);
    const read = 'import json,sys,zipfile\nwith zipfile.ZipFile(sys.argv[1]) as z:\n assert z.testzip() is None\n print(json.dumps({n: z.read(n).decode("latin1") for n in z.namelist()}))';
    const found = JSON.parse(execFileSync('python3', ['-c', read, join(folder, 'copy.zip')], { encoding: 'utf8', maxBuffer: 1 << 30 }));
    return Object.fromEntries(Object.entries(found).map(([name, text]) => [name, Buffer.from(text, 'latin1')]));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the copy is saved with the messages in it', { timeout: 240_000 }, async () => {
  const { page } = mine;
  await go(page, '/copies');
  await page.getByText('it cannot have your messages').waitFor();
  const form = page.locator('form');
  await form.getByLabel('FHIR data').check();
  await form.getByRole('button', { name: 'Make a copy' }).click();
  const save = page.getByRole('button', { name: 'Save it with my messages' }).first();
  await save.waitFor({ timeout: 120_000 });
  await page.getByText('The PDF in it is without your messages.').first().waitFor();
  await examine(page, 'copies-messages');
  const files = unzipped(await downloaded(page, async () => {
    await tabTo(page, 'Save it with my messages');
    await page.keyboard.press('Enter');
  }));
  await page.getByText(/^Your file is ready, with \d+ messages\.$/).waitFor();
  assert.deepEqual(Object.keys(files).toSorted(), ['health-record.fhir.json', 'health-record.html', 'health-record.pdf', 'manifest.json']);
  assert.match(String(files['health-record.pdf'].subarray(0, 5)), /^%PDF-/);
  for (const name of ['health-record.fhir.json', 'health-record.html']) {
    for (const text of [FIRST, `${MARK}: from who is near`, `${MARK}: without them`]) assert.ok(String(files[name]).includes(text), name);
  }
  const manifest = JSON.parse(String(files['manifest.json']));
  const { entry } = JSON.parse(String(files['health-record.fhir.json']));
  const sent = entry.filter(({ resource }) => resource.resourceType === 'Communication');
  assert.equal(manifest.messages.messages, sent.length);
  assert.deepEqual([manifest.messages.missing, manifest.messages.files], [[], ['fhir', 'html']]);
  for (const { file, bytes, sha256 } of manifest.files) {
    const name = { fhir: 'health-record.fhir.json', html: 'health-record.html', pdf: 'health-record.pdf' }[file];
    const digest = Buffer.from(await crypto.subtle.digest('SHA-256', files[name])).toString('hex');
    assert.deepEqual([files[name].length, digest], [bytes, sha256], file);
  }
  // A single file is as the portal made it.
  const single = await downloaded(page, () => page.getByRole('button', { name: 'Save the web page' }).first().click());
  assert.ok(String(single).length > 0 && !String(single).includes(MARK));
  clean(mine, theirs);
});

test('messages that stay locked are said to be missing, and the copy can be had without them', { timeout: 240_000 }, async () => {
  const { page } = mine;
  const passphrase = `four words ${randomUUID()}`;
  await go(page, '/messages/protection');
  await page.getByLabel('New passphrase', { exact: true }).fill(passphrase);
  await page.getByLabel('New passphrase again').fill(passphrase);
  await page.getByLabel('I know that nobody can open my messages').check();
  await page.getByRole('button', { name: 'Lock my messages' }).click();
  await page.getByText('You have a new key').waitFor({ timeout: 60_000 });
  await write(page, `${MARK} locked`, `${MARK}: behind a passphrase`);
  await comesBack(mine, '/copies');
  const save = page.getByRole('button', { name: 'Save it with my messages' }).first();
  const dialog = page.getByRole('dialog', { name: 'Open your messages' });
  await save.click();
  await dialog.getByRole('button', { name: 'Not now' }).click();
  const alert = page.getByRole('alert');
  await alert.getByText('1 conversation cannot be opened or checked here, so it is not in the file.').waitFor({ timeout: 60_000 });
  await examine(page, 'copies-locked');
  const download = page.waitForEvent('download');
  await alert.getByRole('button', { name: 'Save without them' }).click();
  const without = unzipped(readFileSync(await (await download).path()));
  await page.getByText('1 conversation is missing; the list in the file says which and why.').waitFor();
  const { messages } = JSON.parse(String(without['manifest.json']));
  assert.deepEqual(messages.missing.map(({ why }) => why), ['locked']);
  assert.ok(!String(without['health-record.html']).includes(`${MARK}: behind a passphrase`));
  assert.ok(String(without['health-record.html']).includes(FIRST), 'what another key opens is in it');

  await save.click();
  await dialog.getByLabel('Passphrase').fill(passphrase);
  const file = downloaded(page, () => dialog.getByRole('button', { name: 'Open', exact: true }).click());
  assert.ok(String(unzipped(await file)['health-record.html']).includes(`${MARK}: behind a passphrase`));
  // As it was, for whoever comes after.
  await go(page, '/messages/protection');
  await page.getByRole('button', { name: 'Stop using a passphrase' }).click();
  await page.getByText('You have a new key').waitFor({ timeout: 60_000 });
  clean(mine, theirs);
});
