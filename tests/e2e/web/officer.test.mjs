// A privacy officer's work in a real browser on the deployed portal, with a provider's window beside
// it: emergency access and its review, results held back, the audit log, disclosures.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Messages } from '../../../web/dist/messages/index.js';
import { accounts, api, signedIn } from '../portal.mjs';
import { as, clean, discreet, escape, examine, foreign, go, launch, onHeading, open, press, refuse, settled, signInAs, signInHere, titled, tokenOf, write } from './browser.mjs';

const MARK = `Celesta-${randomUUID().slice(0, 8)}`;
const explanation = `${MARK} brought in unconscious, and nothing is known of allergies`;

let browser;
let officer;
let provider;
/** Somebody whom the demo provider treats, and somebody with an account whom they do not. */
let patient;
let other;

async function call(token, method, path, { status = 200, ...rest } = {}) {
  const answer = await api(method, path, { token, ...rest });
  assert.equal(answer.status, status, answer.text);
  return answer.json;
}

before(async () => {
  browser = await launch();
  [officer, provider] = await Promise.all([open(browser), open(browser)]);
  await Promise.all([signInAs(officer.page, as('privacy-officer')), signInAs(provider.page, as('provider'))]);
  const { patients } = await call(await tokenOf(provider.page), 'GET', '/v1/my-patients');
  [patient] = patients;
  const treated = new Set(patients.map(({ id }) => id));
  for (const account of accounts.filter(({ role }) => role === 'patient')) {
    const token = await signedIn(account);
    const me = await call(token, 'GET', '/v1/account');
    if (!treated.has(me.patient)) other = { id: me.patient, account: me.id, token, profile: await call(token, 'GET', `/v1/patients/${me.patient}/profile`) };
  }
  assert.ok(patient && other);
});
after(() => browser?.close());

const SCREENS = {
  concerns: ['/', 'Concerns'],
  holds: ['/lab-holds', 'Results held back'],
  corrections: ['/correction-requests', 'Correction requests'],
  'audit-log': ['/audit-log', 'Audit log'],
  disclosures: ['/disclosures', 'Disclosures'],
};

for (const [name, [path, title]] of Object.entries(SCREENS)) {
  test(`${name}: accessible in both themes, and it fits`, async () => {
    const { page } = officer;
    await go(page, path);
    await titled(page, `${title} – Patient portal`);
    assert.equal(await page.getByRole('alert').count(), 0, 'nothing went wrong');
    await examine(page, `officer-${name}`);
    clean(officer);
  });
}

test('an address of another role says so, and nothing is asked of the portal', () =>
  foreign(officer.page, [`/patients/${patient.id}`, '/inbox', '/activation-codes']));

test('the privacy officer sees that a result is held back, and not what it says', async () => {
  const token = await tokenOf(provider.page);
  const { results: [result] } = await call(token, 'GET', `/v1/patients/${patient.id}/lab-results?limit=1`);
  const path = `/v1/patients/${patient.id}/lab-results/${result.id}/hold`;
  await call(token, 'POST', path, { status: 201, body: { reason: 'preventing-harm', explanation: `${MARK} in person first`, until: new Date(Date.now() + 86_400_000).toISOString() } });
  const { page } = officer;
  await go(page, '/lab-holds');
  await page.reload();
  await settled(page);
  await page.getByText(patient.id).first().waitFor();
  const text = await page.locator('main').innerText();
  assert.ok(!text.includes(MARK) && !text.includes(result.name));
  await examine(page, 'officer-holds-one');
  await call(token, 'DELETE', path);
});

test('emergency access: a reason, a countdown, and the privacy officer’s review beside it', async () => {
  const { page } = provider;
  await go(page, `/patients/${other.id}`);
  await page.getByRole('heading', { name: 'Record not open to you' }).waitFor();
  await examine(page, 'provider-not-theirs');
  await go(page, `/patients/${other.id}/emergency`);
  await examine(page, 'provider-emergency');
  // Who signed in long ago does so again, and comes back.
  await page.route('**/break-glass', (route) => refuse(route, 403, 'sign-in-again'));
  await page.getByLabel('What makes it necessary?').fill(explanation);
  await page.getByRole('button', { name: 'Open the record for one hour' }).click();
  await page.getByRole('alert').getByText('Please sign in again first').waitFor();
  await examine(page, 'provider-emergency-again');
  await page.unroute('**/break-glass');
  await page.getByRole('button', { name: 'Sign in again' }).click();
  await page.getByText('Sign in again, and you go on where you were.').waitFor();
  await signInHere(page, as('provider'));
  await page.getByRole('heading', { level: 1, name: 'Emergency access' }).waitFor();
  assert.equal(new URL(page.url()).pathname, `/patients/${other.id}/emergency`);
  await page.getByLabel('What makes it necessary?').fill(explanation);
  await page.getByRole('button', { name: 'Open the record for one hour' }).click();
  const timer = page.getByRole('timer');
  await timer.waitFor();
  await settled(page);
  assert.match(await timer.innerText(), /[1-5]?\d:\d\d left/);
  assert.equal(new URL(page.url()).pathname, `/patients/${other.id}`);
  await examine(page, 'provider-emergency-open');
  // Another tab, or a later sign-in, knows of it from the portal.
  await page.evaluate(() => sessionStorage.removeItem('emergencies'));
  await page.reload();
  await timer.waitFor();
  await settled(page);
  await go(page, `/patients/${other.id}/care-team`);
  assert.equal(await page.getByRole('button', { name: 'Add somebody' }).count(), 0, 'reading, and changing nothing');

  await go(officer.page, '/');
  await officer.page.reload();
  await settled(officer.page);
  // The review by keyboard alone.
  await press(officer.page, /^Emergency access/);
  await settled(officer.page);
  await officer.page.getByText(explanation).waitFor();
  await examine(officer.page, 'officer-concern');
  await press(officer.page, 'Review it');
  const dialog = officer.page.getByRole('dialog');
  await dialog.waitFor();
  await examine(officer.page, 'officer-concern-review');
  await escape(officer.page, /Review it/);
  await officer.page.keyboard.press('Enter');
  await dialog.waitFor();
  await write(officer.page, 'Outcome', 'Justified');
  assert.equal(await dialog.getByLabel('Outcome').inputValue(), 'justified');
  await write(officer.page, 'Your note', 'The emergency department confirms it');
  await press(officer.page, 'Save');
  await officer.page.getByText('The emergency department confirms it').waitFor();
  await officer.page.locator('.card-head .flag').getByText('Justified', { exact: true }).waitFor();
  await onHeading(officer.page);
});

test('a clock that is wrong by hours changes nothing of the hour', async () => {
  for (const hours of [2, -2]) {
    const window = await open(browser);
    const { page, context } = window;
    await context.clock.install({ time: Date.now() + hours * 3_600_000 });
    let asked = 0;
    page.on('request', (request) => { asked += Number(request.url().endsWith(`/v1/patients/${other.id}/summary`)); });
    await signInAs(page, as('provider'));
    await settled(page);
    await go(page, `/patients/${other.id}`);
    assert.match(await page.getByRole('timer').innerText(), /[45]\d:\d\d left/);
    await context.clock.runFor(5000);
    await page.getByRole('timer').waitFor();
    assert.equal(asked, 1, 'it is read once');
    clean(window);
    await context.close();
  }
});

test('from the concern to the log: what was done about this patient by this account, and what the whole record says', async () => {
  const { page } = officer;
  await go(page, '/');
  await page.getByLabel('Closed', { exact: true }).check();
  await page.getByRole('link', { name: /Emergency access/ }).first().click();
  await page.getByRole('link', { name: 'Look in the audit log' }).click();
  await titled(page, 'Audit log – Patient portal');
  const actor = await page.getByLabel('Number of the account').inputValue();
  assert.equal(await page.getByLabel('Number of the patient').inputValue(), other.id);
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  const list = page.getByRole('region', { name: 'Records, newest first' });
  const row = list.getByRole('listitem').filter({ hasText: 'emergency-access.' }).or(list.getByRole('listitem').filter({ hasText: 'break-glass' })).first();
  await list.getByRole('listitem').first().waitFor();
  await row.waitFor();
  await row.locator('summary').click();
  await row.getByText(actor).waitFor();
  await row.getByText(other.id).waitFor();
  await examine(page, 'officer-audit-found');
  // Everything that the portal says was done is in the log as it has it.
  const { records } = await call(await tokenOf(page), 'POST', '/v1/audit/search', { body: { patient: other.id, actor } });
  const shown = await list.locator('.row-name').allInnerTexts();
  assert.deepEqual(shown, records.map(({ action }) => action));
});

test('the log is searched by action and outcome, and says what is wrong with a search', async () => {
  const { page, seen } = officer;
  await go(page, '/audit-log');
  const field = (name) => page.getByLabel(name);
  await field('Number of the patient').fill('somebody');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await page.getByText('Copy the whole number from the log or from a concern.').waitFor();
  assert.equal(await field('Number of the patient').evaluate((node) => node === document.activeElement), true, 'the focus is on what is wrong');
  await field('Number of the patient').fill('');
  await field('Number of the account').fill('');
  await field('From').fill('2020-01-01T00:00');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await page.getByText('Without a patient or an account, choose a beginning and an end at most seven days apart.').waitFor();
  await examine(page, 'officer-audit-wrong');
  await field('Number of the patient').fill(other.id);
  await field('Until').fill('');
  await page.getByRole('button', { name: 'Export', exact: true }).click();
  await page.getByText('An export has a beginning and an end, at most 366 days apart.').waitFor();

  await field('What was done').fill('account.read');
  await field('How it ended').selectOption('denied');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await page.getByText('Nothing was found').waitFor();
  await examine(page, 'officer-audit-empty');
  await field('What was done').fill('');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  const flags = page.getByRole('region', { name: 'Records, newest first' }).locator('.flag');
  await flags.first().waitFor();
  assert.deepEqual([...new Set(await flags.allInnerTexts())], ['Not allowed'], 'the provider was not let in before');
  // What is looked for is in a body, and in no address.
  assert.ok([...seen.urls].every((url) => !url.includes('account.read') && !(url.includes('/audit') && url.includes(other.id))));
});

test('a page at a time: the rest is asked for', async () => {
  const { page } = officer;
  const actor = (await call(await tokenOf(provider.page), 'GET', '/v1/account')).id;
  const token = await tokenOf(provider.page);
  for (let reads = 0; reads < 55; reads += 1) await call(token, 'GET', '/v1/account');
  await go(page, '/audit-log');
  await page.getByLabel('How it ended').selectOption('');
  await page.getByLabel('Number of the patient').fill('');
  await page.getByLabel('From').fill('');
  await page.getByLabel('Number of the account').fill(actor);
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  const rows = page.getByRole('region', { name: 'Records, newest first' }).getByRole('listitem');
  await rows.first().waitFor();
  const first = await rows.count();
  assert.ok(first <= 50);
  await page.getByRole('button', { name: 'Show more' }).click();
  await page.waitForFunction((before) => document.querySelectorAll('.rows > li').length > before, first);
});

/** Exports what the fields say; both files. */
async function exported(page, format) {
  await page.getByRole('button', { name: 'Export', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Export records' });
  await dialog.getByLabel('Format').selectOption(format);
  await examine(page, `officer-export-${format}`);
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  await dialog.getByText(/as (it is|they are) in the log/).waitFor({ timeout: 60_000 });
  await examine(page, `officer-exported-${format}`);
  const digest = await dialog.locator('code').innerText();
  const files = {};
  for (const [what, name] of [['records', 'Save the records'], ['proof', 'Save the proof']]) {
    const download = page.waitForEvent('download');
    await dialog.getByRole('button', { name }).click();
    const saved = await download;
    files[what] = { name: saved.suggestedFilename(), mimeType: 'application/octet-stream', buffer: readFileSync(await saved.path()) };
  }
  await escape(page, /^Export/);
  return { ...files, digest };
}

const sha256 = (text) => createHash('sha256').update(text).digest('hex');

async function checked(page, { records, proof }) {
  await page.getByLabel('The records').setInputFiles(records);
  await page.getByLabel('The proof').setInputFiles(proof);
  await page.getByRole('region', { name: 'Check a saved export' }).getByRole('button', { name: 'Check' }).click();
}

test('an export is saved with its proof; the proof finds what was altered', async () => {
  const { page } = officer;
  // Begun anew, with nothing found yet.
  await go(page, '/security');
  await go(page, '/audit-log');
  const today = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  await page.getByLabel('Number of the account').fill('');
  await page.getByLabel('Number of the patient').fill(other.id);
  await page.getByLabel('From').fill('2026-01-01T00:00');
  await page.getByLabel('Until').fill(`${today}T00:00`);
  const json = await exported(page, 'json-lines');
  const lines = json.records.buffer.toString().split('\n').slice(0, -1);
  assert.ok(lines.length > 3);
  assert.ok(lines.every((line) => JSON.parse(line).patient === other.id));
  // Counted by hand: each line's digest, and those of them all.
  assert.equal(json.digest, sha256(lines.map((line) => `${sha256(line)}\n`).join('')));
  assert.ok(!json.records.name.includes(other.id) && json.records.name.endsWith('.jsonl'));
  await checked(page, json);
  await page.getByText('The records are as they were exported').waitFor();
  await page.getByRole('region', { name: 'Check a saved export' }).getByText(json.digest).waitFor();
  await examine(page, 'officer-export-checked');
  const altered = Buffer.from(json.records.buffer.toString().replace('"denied"', '"success"'));
  assert.notEqual(altered.compare(json.records.buffer), 0);
  await checked(page, { ...json, records: { ...json.records, buffer: altered } });
  await page.getByRole('alert').getByText('These files do not fit together').waitFor();
  await examine(page, 'officer-export-altered');
  // A proof that was made to fit the file has digests that make no whole.
  const proof = JSON.parse(json.proof.buffer.toString());
  proof.file_sha256 = sha256(altered);
  proof.parts[0].records.forEach((record, at) => { record.sha256 = sha256(altered.toString().split('\n')[at]); });
  await checked(page, { records: { ...json.records, buffer: altered }, proof: { ...json.proof, buffer: Buffer.from(JSON.stringify(proof)) } });
  await page.getByRole('alert').getByText('These files do not fit together').waitFor();

  const csv = await exported(page, 'csv');
  const rows = csv.records.buffer.toString().split('\r\n').slice(0, -1);
  assert.ok(rows[0].startsWith('"id","at","operation"') && rows.length > lines.length, 'the export before is a record itself');
  await checked(page, csv);
  await page.getByText('The records are as they were exported').waitFor();
});

test('an export that is altered on the way is not saved', async () => {
  const { page } = officer;
  await page.route('**/v1/audit/export', async (route) => {
    const response = await route.fetch();
    const json = await response.json();
    await route.fulfill({ response, json: { ...json, content: json.content.replace('"success"', '"failure"') } });
  });
  await page.getByRole('button', { name: 'Export', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'Export records' });
  await dialog.getByRole('button', { name: 'Export', exact: true }).click();
  await dialog.getByRole('alert').getByText('The records were altered on the way').waitFor();
  assert.equal(await dialog.getByRole('button', { name: 'Save the records' }).count(), 0);
  await examine(page, 'officer-export-broken');
  await page.unroute('**/v1/audit/export');
  await escape(page, /^Export/);
});

test('messages are passed on, accounted for, and left out for an agency', async () => {
  const { page } = officer;
  // The patient wrote to the practice before.
  const memory = () => { const kept = new Map(); return { get: async (name) => kept.get(name), set: async (name, value) => void kept.set(name, value) }; };
  const asked = (token) => async (method, path, body, headers) => { const { status, json } = await api(method, path, { token, body, headers }); return { status, json }; };
  const token = await tokenOf(provider.page);
  // Whoever of the practice looks at messages first makes its key.
  await go(provider.page, `/patients/${patient.id}/threads`);
  await provider.page.waitForFunction(async ([path, token]) => {
    const { parties } = await (await fetch(path, { headers: { authorization: `Bearer ${token}` } })).json();
    return parties.find(({ party }) => party === 'providers').keys.length > 0;
  }, [`/v1/patients/${patient.id}/message-keys`, token]);
  const writer = new Messages(asked(other.token), { account: other.account, owner: 'account' }, memory());
  await writer.start(other.id, 'billing', `${MARK} my bill`, { text: `${MARK}: it is too high` });

  await go(page, '/disclosures');
  await page.getByLabel('Number of the patient').fill('somebody');
  await page.getByRole('button', { name: 'Show the accounting' }).click();
  await page.getByText('Copy the whole number from the log or from a concern.').waitFor();
  await page.getByLabel('Number of the patient').fill(randomUUID());
  await page.getByRole('button', { name: 'Show the accounting' }).click();
  await page.getByText('There is no such patient').waitFor();
  await page.getByLabel('Number of the patient').fill(other.id);
  await page.getByRole('button', { name: 'Show the accounting' }).click();
  await page.getByText('Nothing to account for').waitFor();
  await examine(page, 'officer-disclosures-none');

  await page.getByRole('button', { name: 'Pass messages on' }).click();
  const dialog = page.getByRole('dialog');
  await examine(page, 'officer-disclose');
  await escape(page, /Pass messages on/);
  await page.getByRole('button', { name: 'Pass messages on' }).click();
  await dialog.getByLabel('Who gets them').fill(`${MARK} County sheriff`);
  await dialog.getByLabel('Their address').fill('Main Street 1');
  await dialog.getByLabel('Ground').selectOption('law-enforcement');
  await dialog.getByLabel('Why? The patient reads this.').fill(`${MARK} a warrant of the court`);
  await dialog.getByRole('button', { name: 'Open the messages for one hour' }).click();
  const opened = page.getByRole('region', { name: 'Messages to pass on' });
  await opened.getByRole('button', { name: new RegExp(`^Read.*${MARK}`) }).click();
  await opened.getByText(`${MARK}: it is too high`).waitFor();
  await examine(page, 'officer-disclosed');
  const download = page.waitForEvent('download');
  await opened.getByRole('button', { name: /^Save to this device/ }).click();
  const saved = await download;
  assert.match(readFileSync(await saved.path(), 'utf8'), new RegExp(`^> ${MARK} my bill\n\n1/1\n.+\nThe patient, or somebody who acts for them\n> ${MARK}: it is too high\n$`));
  assert.ok(!saved.suggestedFilename().includes(MARK));
  const accounting = page.getByRole('region', { name: /^Passed on from/ });
  await accounting.getByText(`${MARK} County sheriff`).waitFor();
  const patients = async () => (await call(other.token, 'GET', `/v1/patients/${other.id}/disclosures`)).disclosures.map(({ recipient }) => recipient);
  assert.deepEqual(await patients(), [`${MARK} County sheriff`]);

  await page.getByRole('button', { name: 'Leave something out' }).click();
  await dialog.getByLabel('Kind of agency').selectOption('law-enforcement');
  await dialog.getByLabel('Agency', { exact: true }).fill(`${MARK} county  SHERIFF`);
  await dialog.getByLabel('Who said it').fill('Somebody of theirs');
  await dialog.getByLabel('How they said it').selectOption('oral');
  await dialog.getByText('A spoken word holds for 30 days').waitFor();
  await dialog.getByLabel('Left out until').fill(new Date(Date.now() + 10 * 86_400_000).toISOString().slice(0, 10));
  await examine(page, 'officer-suspend');
  await dialog.getByRole('button', { name: 'Leave them out' }).click();
  await page.getByText('1 disclosure is left out now.').waitFor();
  await page.getByRole('region', { name: 'Left out for an agency' }).getByText('By word of mouth').waitFor();
  await examine(page, 'officer-suspended');
  assert.deepEqual(await patients(), []);
});

test('everything is there in Spanish', async () => {
  const { page } = officer;
  await go(page, '/');
  await page.getByRole('button', { name: 'Español' }).click();
  await page.locator('nav').getByRole('link', { name: 'Casos' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
  await examine(page, 'officer-es');
  for (const [path, heading] of [['/audit-log', 'Registro de auditoría'], ['/disclosures', 'Divulgaciones']]) {
    await go(page, path);
    await page.getByRole('heading', { name: heading }).waitFor();
    await examine(page, `officer${path.replace('/', '-')}-es`);
  }
});

test('nothing of anybody is in what the browser keeps', async () => {
  await provider.page.getByRole('button', { name: 'Español' }).click();
  await provider.page.locator('html[lang=es]').waitFor();
  const words = [patient, other.profile].flatMap(({ name, mrn, birth_date }) => [name, mrn, birth_date]);
  for (const window of [officer, provider]) await discreet(window, [MARK, ...words]);
});
