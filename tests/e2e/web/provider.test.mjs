// A provider's work in a real browser on the deployed portal, and beside it a patient's window, in
// which it is there at once or when they look: hours, visits, messages, the care team, documents,
// refills and corrections.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { accounts, api, dynamodb, portal, practitioners } from '../portal.mjs';
import { as, clean, discreet, escape, examine, foreign, go, launch, onHeading, open, PNG, press, refuse, settled, signInAs, tabTo, titled, tokenOf, write } from './browser.mjs';

const MARK = `Marimba-${randomUUID().slice(0, 8)}`;

let browser;
let provider;
let theirs;
/** Of whom the window beside is. */
let patient;
let canaries;

/** A call as whoever is signed in there; what it answers. */
async function call({ page }, method, path, { status = 200, ...rest } = {}) {
  const answer = await api(method, path, { token: await tokenOf(page), ...rest });
  assert.equal(answer.status, status, answer.text);
  return answer.json;
}

before(async () => {
  browser = await launch();
  [provider, theirs] = await Promise.all([open(browser), open(browser)]);
  await signInAs(provider.page, as('provider'));
  const treated = new Map();
  let cursor = '';
  do {
    const page = await call(provider, 'GET', `/v1/my-patients${cursor && `?cursor=${encodeURIComponent(cursor)}`}`);
    for (const one of page.patients) treated.set(one.id, one);
    cursor = page.next_cursor ?? '';
  } while (cursor);
  await signInAs(theirs.page, accounts.find(({ role }) => role === 'patient'));
  patient = treated.get((await call(theirs, 'GET', '/v1/account')).patient);
  assert.ok(patient, 'the demo provider treats the first demo patient');
  const { results } = await call(provider, 'GET', `/v1/patients/${patient.id}/lab-results?limit=5`);
  canaries = [MARK, patient.name, patient.mrn, patient.birth_date, ...results.map(({ name }) => name)];
  assert.ok(canaries.length > 5);
});
after(() => browser?.close());

/** Goes to the screen as it is now: nothing that was read before is shown. */
async function anew({ page }, path) {
  await go(page, '/security');
  await go(page, path);
  await page.reload();
  await settled(page);
}

const SCREENS = {
  day: ['/', 'My day'],
  availability: ['/availability', 'My hours'],
  patients: ['/patients', 'Patients'],
  inbox: ['/inbox', 'Messages'],
  refills: ['/refills', 'Refill requests'],
  waiting: ['/waiting', 'Waitlist'],
  corrections: ['/correction-requests', 'Correction requests'],
  record: ['/patients/$', 'Overview'],
  'record-labs': ['/patients/$/lab-results', 'Lab results'],
  'record-prescriptions': ['/patients/$/prescriptions', 'Prescriptions'],
  'record-sections': ['/patients/$/health-record', 'Health record'],
  'record-conditions': ['/patients/$/health-record/conditions', 'Health conditions'],
  'record-documents': ['/patients/$/documents', 'Documents'],
  'record-messages': ['/patients/$/threads', 'Messages'],
  'record-profile': ['/patients/$/profile', 'Profile'],
  'record-team': ['/patients/$/care-team', 'Care team'],
};

for (const [name, [path, title]] of Object.entries(SCREENS)) {
  test(`${name}: accessible in both themes, and it fits`, async () => {
    const { page } = provider;
    await go(page, path.replace('$', patient.id));
    await titled(page, `${title} – Patient portal`);
    assert.equal(await page.getByRole('alert').count(), 0, 'nothing went wrong');
    await examine(page, `provider-${name}`);
    clean(provider);
  });
}

test('an address of another role says so, and nothing is asked of the portal', () =>
  foreign(provider.page, ['/activation-codes', '/lab-results', '/audit-log', '/disclosures']));

/** A weekday at least so many days from now. */
function weekday(ahead) {
  const at = new Date(Date.now() + ahead * 86_400_000);
  while ([0, 6].includes(at.getUTCDay())) at.setUTCDate(at.getUTCDate() + 1);
  return at.toISOString().slice(0, 10);
}

/** The kinds of visits and who has them, as a patient is told. */
async function bookable() {
  const { providers } = await call(theirs, 'GET', '/v1/providers');
  const { practitioner, appointment_types: [{ code: type }] } = providers.find(({ specialty }) => specialty === 'family-medicine');
  return { practitioner, type };
}

async function free(from, to) {
  const { practitioner, type } = await bookable();
  const { slots } = await call(theirs, 'GET', `/v1/open-slots?provider=${practitioner}&type=${type}&from=${from}&to=${to}`);
  return slots;
}

test('a provider sets their hours, and days that are different', async () => {
  const { page } = provider;
  await go(page, '/availability');
  const part = (name) => page.getByRole('region', { name });
  for (const name of ['Every week', 'Days that are different']) {
    const remove = part(name).getByRole('button', { name: /^Remove/ });
    for (let left = await remove.count(); left > 0; left -= 1) await remove.first().click();
  }
  await page.getByText('No hours yet.').waitFor();
  await page.getByLabel('Specialty').fill('Family medicine');
  await page.getByLabel('Name', { exact: true }).first().fill('Office visit');
  await page.getByLabel('How many days ahead').fill('45');
  for (let day = 0; day < 5; day += 1) await page.getByRole('button', { name: 'Add hours' }).click();
  await page.getByRole('group', { name: /Wednesday/ }).first().waitFor();
  const [closed, longer] = [weekday(10), weekday(20)];
  const different = part('Days that are different');
  await different.getByRole('button', { name: 'Add a day' }).click();
  await different.getByLabel('Date').fill(closed);
  await different.getByRole('button', { name: 'Add a day' }).click();
  await different.getByLabel('Date').nth(1).fill(longer);
  await different.getByLabel('What is different').nth(1).selectOption('hours');
  await different.getByLabel('From').fill('19:00');
  await different.getByLabel('To', { exact: true }).fill('18:00');
  await examine(page, 'provider-availability-filled');
  await page.getByRole('button', { name: 'Save my hours' }).click();
  await page.getByRole('alert').getByText('A day with other hours needs a beginning and an end.').waitFor();
  await different.getByLabel('To', { exact: true }).fill('20:00');
  await page.getByRole('button', { name: 'Save my hours' }).click();
  await page.getByText('Your hours are saved.').waitFor();
  assert.equal(await page.getByRole('alert').count(), 0);
  const { availability } = await call(provider, 'GET', '/v1/availability');
  assert.equal(availability.horizon_days, 45);
  assert.equal(availability.specialty, 'family-medicine');
  assert.equal(availability.weekly.length, 5);
  // What a patient can book is what was said.
  assert.deepEqual(await free(closed, closed), []);
  const hours = (await free(longer, longer)).map(({ start }) => new Date(start).toLocaleTimeString('en-US', { timeZone: 'America/New_York', hour: 'numeric' }));
  assert.ok(hours.includes('7 PM') && hours.includes('9 AM'), hours.join());
});

/** Books a free time as the patient. */
async function book(reason) {
  const { practitioner, type } = await bookable();
  const { start } = (await free(weekday(2), weekday(8)))[0];
  await call(theirs, 'POST', `/v1/patients/${patient.id}/holds`, { status: 201, body: { practitioner, type, start } });
  const { id } = await call(theirs, 'POST', `/v1/patients/${patient.id}/appointments`, { status: 201, headers: { 'idempotency-key': randomUUID() }, body: { practitioner, type, start, reason } });
  return { id, start };
}

const standing = (page, status) => page.locator('.card-head .flag').getByText(status, { exact: true }).waitFor();

test('a visit that a patient booked is in the day, is confirmed, and cancelled with a reason', async () => {
  const { page } = provider;
  const { id, start } = await book(`${MARK} cough for two weeks`);
  await go(page, '/');
  await page.getByLabel('Go to a day').fill(start.slice(0, 10));
  await page.getByLabel('Week').check();
  await settled(page);
  const row = page.locator('a.row').filter({ hasText: `${MARK} cough for two weeks` });
  await row.waitFor();
  await examine(page, 'provider-week');
  await row.click();
  await settled(page);
  await titled(page, 'Visit – Patient portal');
  await examine(page, 'provider-visit');
  assert.equal(await page.getByRole('button', { name: 'Write it up' }).count(), 0, 'it has not begun');
  await page.getByRole('button', { name: 'Confirm' }).click();
  await standing(page, 'Confirmed');
  // Who sees it in an emergency changes nothing, and sees how long it is open.
  await page.evaluate(([id, until]) => sessionStorage.setItem('emergencies', JSON.stringify({ [id]: until })), [patient.id, new Date(Date.now() + 1_800_000).toISOString()]);
  await page.reload();
  await page.getByRole('timer').getByText(/\d:\d\d/).waitFor();
  await settled(page);
  assert.equal(await page.getByRole('button', { name: 'Cancel the visit' }).count(), 0);
  await page.evaluate(() => sessionStorage.removeItem('emergencies'));
  await page.reload();
  await settled(page);
  const cancel = page.getByRole('button', { name: 'Cancel the visit' });
  await cancel.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await examine(page, 'provider-visit-cancel');
  await escape(page, /Cancel the visit/);
  await page.keyboard.press('Enter');
  await dialog.getByLabel('Why').selectOption('provider-unavailable');
  await dialog.getByRole('button', { name: 'Cancel the visit' }).click();
  await standing(page, 'Cancelled');
  await anew(theirs, `/appointments/${id}`);
  await theirs.page.getByText('The provider could not be there').waitFor();
});

/** Has a visit begin an hour ago. Nobody can book the past, and nobody waits for it here. */
async function begun(id) {
  const start = new Date(Math.floor(Date.now() / 300_000) * 300_000 - 3_600_000);
  const text = (at) => ({ S: at.toISOString().replace('.000Z', 'Z') });
  await dynamodb('UpdateItem', {
    TableName: portal.outputs.ScheduleTableName,
    Key: { pk: { S: `PATIENT#${patient.id}` }, sk: { S: `APPOINTMENT#${id}` } },
    UpdateExpression: 'SET #start = :start, #end = :end',
    ConditionExpression: 'attribute_exists(pk)',
    ExpressionAttributeNames: { '#start': 'start', '#end': 'end' },
    ExpressionAttributeValues: { ':start': text(start), ':end': text(new Date(start.getTime() + 1_800_000)) },
  });
}

test('a visit is written up: the patient reads the summary, and not the notes', async () => {
  const { page } = provider;
  const { id } = await book(`${MARK} sore knee`);
  await begun(id);
  await anew(provider, `/patients/${patient.id}/visits/${id}`);
  await page.getByRole('button', { name: 'Write it up' }).click();
  const dialog = page.getByRole('dialog', { name: 'Write up the visit' });
  await examine(page, 'provider-visit-write-up');
  await escape(page, /Write it up/);
  await page.getByRole('button', { name: 'Write it up' }).click();
  await dialog.getByLabel('Notes for the care team').fill(`${MARK} suspects the meniscus`);
  await dialog.getByLabel('Summary for the patient').fill(`${MARK} rest the knee for two weeks\nthen come back`);
  await dialog.getByRole('button', { name: 'Complete the visit' }).click();
  await standing(page, 'Completed');
  await page.getByText(`${MARK} suspects the meniscus`).waitFor();
  await examine(page, 'provider-visit-completed');
  await anew(theirs, `/appointments/${id}`);
  await theirs.page.getByRole('region', { name: 'After your visit' }).getByText(`${MARK} rest the knee for two weeks`).waitFor();
  assert.ok(!(await theirs.page.locator('main').innerText()).includes('suspects the meniscus'));
  await examine(theirs.page, 'patient-visit-completed');
});

test('a patient does not come', async () => {
  const { page } = provider;
  const { id } = await book(`${MARK} second opinion`);
  await begun(id);
  await anew(provider, `/patients/${patient.id}/visits/${id}`);
  await page.getByRole('button', { name: 'Did not come' }).click();
  await examine(page, 'provider-visit-no-show');
  await page.getByRole('dialog').getByRole('button', { name: 'Did not come' }).click();
  await standing(page, 'Missed');
});

test('a conversation: the patient writes, the practice reads, answers, takes it on and closes it', async () => {
  const { page } = provider;
  await go(page, '/inbox');
  await settled(page);
  // Whoever looked at messages first made the practice's key; before, nobody could write to it.
  const keys = await call(provider, 'GET', `/v1/patients/${patient.id}/message-keys`);
  assert.ok(keys.parties.find(({ party }) => party === 'providers').keys.length > 0);
  await go(theirs.page, '/messages/new');
  await theirs.page.getByLabel('Subject').fill(`${MARK} my elbow`);
  await theirs.page.getByLabel('Your message').fill(`${MARK}: it is swollen`);
  await theirs.page.getByRole('button', { name: 'Send', exact: true }).click();
  await theirs.page.getByText('Your care team has not read your last message yet.').waitFor();

  await page.getByLabel('Not read yet').check();
  const row = page.getByRole('link', { name: new RegExp(`${MARK} my elbow`) });
  await row.getByText('1 new').waitFor();
  await row.getByText('Nobody’s yet').waitFor();
  await examine(page, 'provider-inbox-new');
  await row.click();
  await page.getByText(`${MARK}: it is swollen`).waitFor();
  await settled(page);
  await theirs.page.getByText(/^Your care team read this on/).waitFor();
  await page.getByLabel('Your answer').fill(`${MARK}: put ice on it`);
  // Who looks something up before they send it finds it as it was.
  await page.getByText('Your draft is kept on this device').waitFor();
  await page.getByRole('link', { name: 'This patient’s messages' }).click();
  await page.getByRole('link', { name: new RegExp(`${MARK} my elbow`) }).click();
  await page.waitForFunction((text) => document.querySelector('textarea[name=text]')?.value === text, `${MARK}: put ice on it`);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.locator('.message.mine').getByText(`${MARK}: put ice on it`).waitFor();
  await theirs.page.getByText(`${MARK}: put ice on it`).waitFor();

  const whose = page.getByLabel('Who takes care of it');
  const [, practitioner] = await whose.locator('option').evaluateAll((all) => all.map(({ value }) => value));
  await whose.selectOption(practitioner);
  await page.waitForFunction((chosen) => [...document.querySelectorAll('select')].some(({ value, disabled }) => value === chosen && !disabled), practitioner);
  const { threads } = await call(provider, 'GET', `/v1/patients/${patient.id}/threads`);
  assert.ok(threads.some(({ assigned }) => assigned === practitioner), 'it is somebody’s');
  await examine(page, 'provider-thread');

  await page.getByRole('button', { name: 'Close the conversation' }).click();
  await page.getByRole('dialog').waitFor();
  await examine(page, 'provider-thread-close');
  await escape(page, /Close the conversation/);
  await page.getByRole('button', { name: 'Close the conversation' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Close the conversation' }).click();
  await page.getByText('This conversation is closed. Nobody can write in it any more.').waitFor();
  assert.equal(await page.getByLabel('Your answer').count(), 0);
  await examine(page, 'provider-thread-closed');
  await theirs.page.reload();
  await theirs.page.getByText('The practice closed this conversation.').waitFor();
  await go(page, `/patients/${patient.id}/threads`);
  await page.getByRole('link', { name: new RegExp(`${MARK} my elbow.*Closed`, 's') }).waitFor();
});

test('somebody comes to the care team for a time, and leaves it', async () => {
  const { page } = provider;
  // Somebody who was on the team before can come again.
  const path = `/v1/patients/${patient.id}/care-team`;
  const { members } = await call(provider, 'GET', path);
  const on = new Set(members.map((one) => one.practitioner));
  const former = (await practitioners()).find((one) => !on.has(one.practitioner));
  for (const change of ['add', 'remove']) {
    const { headers } = await api('GET', path, { token: await tokenOf(page) });
    await call(provider, 'POST', path, { headers: { 'if-match': headers.get('etag') }, body: { [change]: { practitioner: former.practitioner } } });
  }
  await anew(provider, `/patients/${patient.id}/care-team`);
  await page.getByRole('region', { name: 'Earlier' }).getByText(former.name).waitFor();
  const now = page.getByRole('region', { name: 'On the team now' });
  const row = now.getByRole('listitem').filter({ hasText: former.name });
  assert.equal(await row.count(), 0);
  await page.getByRole('button', { name: 'Add somebody' }).click();
  const dialog = page.getByRole('dialog', { name: 'Add somebody to the team' });
  await dialog.getByLabel('Who').selectOption(former.practitioner);
  await examine(page, 'provider-team-add');
  await escape(page, /Add somebody/);
  await page.getByRole('button', { name: 'Add somebody' }).click();
  await dialog.getByLabel('Who').selectOption(former.practitioner);
  await dialog.getByRole('button', { name: 'Add', exact: true }).click();
  await row.waitFor();
  await row.getByRole('button', { name: /^Set an end/ }).click();
  await examine(page, 'provider-team-end');
  const year = new Date().getFullYear() + 1;
  await page.getByRole('dialog').getByLabel('Until the evening of').fill(`${year}-03-04`);
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await row.getByText(new RegExp(`until March 4, ${year}`)).waitFor();
  await row.getByRole('button', { name: /^Take off the team/ }).click();
  await examine(page, 'provider-team-remove');
  await page.getByRole('dialog').getByRole('button', { name: 'Take off the team' }).click();
  await row.waitFor({ state: 'detached' });
  const { members: left } = await call(provider, 'GET', path);
  assert.ok(!left.some((one) => !one.former && one.practitioner === former.practitioner));
});

test('whoever can be added is on all pages of the list', async () => {
  const { page } = provider;
  const [first, last] = ['first', 'last'].map((name) => ({ practitioner: randomUUID(), name: `${MARK} ${name}`, specialty: 'family-medicine', appointment_types: [] }));
  const providers = (url) => url.pathname === '/v1/providers';
  await page.route(providers, (route) => {
    const further = new URL(route.request().url()).searchParams.get('cursor') === 'further';
    return route.fulfill({ headers: { 'cache-control': 'no-store' }, json: further ? { providers: [last] } : { providers: [first], next_cursor: 'further' } });
  });
  await anew(provider, `/patients/${patient.id}/care-team`);
  await page.getByRole('button', { name: 'Add somebody' }).click();
  const who = page.getByRole('dialog', { name: 'Add somebody to the team' }).getByLabel('Who');
  for (const { practitioner } of [first, last]) await who.selectOption(practitioner);
  await escape(page, /Add somebody/);
  await page.unroute(providers);
  // The names that are none are forgotten.
  await page.reload();
  await settled(page);
  clean(provider);
});

test('a document that the patient sent is looked at, and stays', async () => {
  const { page } = provider;
  const name = `${MARK}.png`;
  await anew(theirs, '/documents');
  await theirs.page.locator('input[type=file]').setInputFiles({ name, mimeType: 'image/png', buffer: PNG });
  await theirs.page.getByText('Your care team can see it now.').waitFor({ timeout: 30_000 });
  await anew(provider, `/patients/${patient.id}/documents`);
  const row = page.getByRole('link', { name: new RegExp(name) });
  await row.getByText('New', { exact: true }).waitFor();
  await row.click();
  await page.getByRole('heading', { name }).waitFor();
  await settled(page);
  await examine(page, 'provider-document');
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save to this device' }).click();
  assert.equal((await download).suggestedFilename(), 'document.png', 'its name is nobody else’s business');
  await page.getByRole('button', { name: 'I looked at it' }).click();
  await page.getByText('Looked at on').waitFor();
  assert.equal(await page.getByRole('button', { name: 'I looked at it' }).count(), 0);
  await examine(page, 'provider-document-reviewed');
  await anew(theirs, '/documents');
  await theirs.page.getByRole('link', { name: new RegExp(name) }).click();
  await theirs.page.getByText('Read by your care team').waitFor();
  assert.equal(await theirs.page.getByRole('button', { name: 'Delete' }).count(), 0);
});

/** Asks for a refill as the patient; what for. */
async function askForRefill(note) {
  const { page } = theirs;
  await anew(theirs, '/prescriptions');
  await page.getByRole('button', { name: /^Ask for a refill/ }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('textbox').fill(note);
  await dialog.getByRole('button', { name: 'Send request' }).click();
  await page.getByText('is with the practice').waitFor();
}

test('refills are approved and refused, and the patient reads why', async () => {
  const { page } = provider;
  for (const [what, button, title, words] of [['approved', /^Approve/, 'Approve this refill?', 'ready at the pharmacy'], ['denied', /^Say no/, 'Say no to this refill?', 'come and see us first']]) {
    await askForRefill(`${MARK} ${what}`);
    await anew(provider, '/refills');
    const card = page.locator('section.card').filter({ hasText: `${MARK} ${what}` });
    await card.waitFor();
    await card.getByRole('button', { name: button }).click();
    const dialog = page.getByRole('dialog', { name: title });
    await examine(page, `provider-refill-${what}`);
    await escape(page, /^(Approve|Say no)/);
    await card.getByRole('button', { name: button }).click();
    await dialog.getByRole('textbox').fill(`${MARK} ${words}`);
    await dialog.getByRole('button', { name: button }).click();
    await page.getByText('Your answer is saved.').waitFor();
    await card.waitFor({ state: 'detached' });
    await onHeading(page);
    await anew(theirs, '/prescriptions');
    await theirs.page.getByLabel('My refill requests').check();
    await theirs.page.getByText(`${MARK} ${words}`).waitFor();
  }
});

test('corrections are accepted, denied and put off, and the patient reads why', async () => {
  const { page } = provider;
  const ask = (change) => call(theirs, 'POST', `/v1/patients/${patient.id}/amendments`, { status: 201, headers: { 'idempotency-key': randomUUID() }, body: { part: 'health-record', change, reason: 'I would know' } });
  const cases = {
    Accept: ['Accept the correction', 'What was corrected?', 'it says so now'],
    Deny: ['Deny the correction', 'Explain it in plain words.', 'the letter says otherwise'],
    Delay: ['Take 30 more days', 'Why does it take longer?', 'we wait for the other practice'],
  };
  for (const what of Object.keys(cases)) await ask(`${MARK} ${what}: I never smoked`);
  await anew(provider, '/correction-requests');
  await page.getByText(`${MARK} Delay: I never smoked`).waitFor();
  await examine(page, 'provider-corrections-open');
  for (const [what, [button, field, words]] of Object.entries(cases)) {
    const card = page.locator('section.card').filter({ hasText: `${MARK} ${what}: I never smoked` });
    await card.getByRole('button', { name: button }).click();
    const dialog = page.getByRole('dialog', { name: button });
    await examine(page, `provider-correction-${what}`);
    await dialog.getByLabel(field).fill(`${MARK} ${words}`);
    await dialog.getByRole('button', { name: button }).click();
    await page.getByText('Your answer is saved.').waitFor();
    if (what === 'Delay') await card.getByText('Takes longer').first().waitFor();
    else await card.waitFor({ state: 'detached' });
  }
  await anew(theirs, '/corrections');
  for (const [, , words] of Object.values(cases)) await theirs.page.getByText(`${MARK} ${words}`).waitFor();
  await examine(theirs.page, 'patient-corrections-answered');
});

test('a result is held back, and released', async () => {
  const { page } = provider;
  await go(page, `/patients/${patient.id}/lab-results`);
  await page.locator('.card a.row').first().click();
  await page.getByRole('heading', { name: 'What the patient sees' }).waitFor();
  await settled(page);
  await examine(page, 'provider-lab');
  await page.getByRole('button', { name: 'Hold it back' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Explanation').fill(`${MARK} we talk about it in person first`);
  await examine(page, 'provider-lab-hold');
  await dialog.getByRole('button', { name: 'Hold it back' }).click();
  await page.getByText(/^Held back until/).waitFor();
  const result = new URL(page.url()).pathname.split('/').at(-1);
  // Meanwhile the patient is told that there is a result, and until when it is held.
  const held = await call(theirs, 'GET', `/v1/patients/${patient.id}/lab-results/${result}`);
  assert.deepEqual(Object.keys(held).sort(), ['effective', 'hold', 'id']);
  await page.getByRole('button', { name: 'Release it to the patient now' }).click();
  await page.getByRole('button', { name: 'Hold it back' }).waitFor();
  const released = await call(theirs, 'GET', `/v1/patients/${patient.id}/lab-results/${result}`);
  assert.ok(released.name && !released.hold);
});

test('a form says itself what is wrong with it, and what the portal finds wrong, and asks before it is thrown away', async () => {
  const { page } = provider;
  await go(page, `/patients/${patient.id}/lab-results`);
  await page.locator('.card a.row').first().click();
  await page.getByRole('heading', { name: 'What the patient sees' }).waitFor();
  await settled(page);
  await page.getByRole('button', { name: 'Hold it back' }).click();
  const dialog = page.getByRole('dialog');
  const send = dialog.getByRole('button', { name: 'Hold it back' });
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('name'));
  const holds = (url) => url.pathname.endsWith('/hold');
  let sent = 0;
  await page.route(holds, (route) => {
    sent += 1;
    return refuse(route, 400, 'invalid-input', { errors: [{ pointer: '/until', detail: '' }] });
  });
  await send.click();
  await dialog.getByText('Fill in “Explanation”.').waitFor();
  assert.equal(await focused(), 'explanation');
  await dialog.getByLabel('Explanation').fill('short');
  await send.click();
  await dialog.getByText('Write at least 10 characters.').waitFor();
  await dialog.getByLabel('Until the evening of').fill('2001-02-03');
  await dialog.getByLabel('Explanation').fill(`${MARK} is long enough`);
  await send.click();
  await dialog.getByText(/^Choose .* or a later day\.$/).waitFor();
  assert.equal(await focused(), 'until');
  assert.equal(sent, 0, 'nothing was sent so far');
  await examine(page, 'provider-form-wrong');
  await dialog.getByLabel('Until the evening of').fill(new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10));
  await send.click();
  await dialog.getByText('Please check this.').waitFor();
  await page.waitForFunction(() => document.activeElement.getAttribute('name') === 'until');
  assert.equal(sent, 1);
  await page.unroute(holds);
  await dialog.getByRole('button', { name: 'Go back' }).click();
  await dialog.getByText('What you wrote is not sent. Throw it away?').waitFor();
  await examine(page, 'provider-form-throw-away');
  await dialog.getByRole('button', { name: 'Throw it away' }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Hold it back', 'the focus goes back');
  clean(provider);
});

test('a patient is found by name and date of birth, and none of it is in an address', async () => {
  const { page, seen } = provider;
  await go(page, '/patients');
  await page.getByLabel('Search', { exact: true }).check();
  const family = patient.name.split(' ').at(-1);
  await page.getByLabel('Family name').fill(family);
  await page.getByRole('textbox', { name: 'Date of birth' }).fill(patient.birth_date);
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('link', { name: new RegExp(family) }).waitFor();
  await examine(page, 'provider-patients-found');
  assert.ok([...seen.urls].every((url) => !url.includes(family)));
});

test('a provider’s day by keyboard alone: a visit, a message, a refill, a result', async () => {
  const { page } = provider;
  const { keyboard } = page;
  const arrived = async (title) => {
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
    await settled(page);
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1', 'the screen is announced');
  };
  const what = `${MARK} by keyboard`;
  const { start } = await book(what);
  await askForRefill(what);
  await go(theirs.page, '/messages/new');
  await theirs.page.getByLabel('Subject').fill(what);
  await theirs.page.getByLabel('Your message').fill(what);
  await theirs.page.getByRole('button', { name: 'Send', exact: true }).click();
  await theirs.page.getByText('Your care team has not read your last message yet.').waitFor();

  await anew(provider, '/');
  await tabTo(page, 'Later');
  const row = page.locator('a.row').filter({ hasText: what });
  for (let days = 0; days < 14 && (await row.count()) === 0; days += 1) {
    await keyboard.press('Enter');
    await settled(page);
  }
  assert.equal(await row.count(), 1, start);
  await press(page, new RegExp(what));
  await page.getByRole('heading', { name: 'About this visit' }).waitFor();
  await press(page, 'Confirm');
  await standing(page, 'Confirmed');
  await press(page, 'Cancel the visit');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await escape(page, /^Cancel the visit/);

  await press(page, 'Messages');
  await arrived('Messages');
  await press(page, new RegExp(what));
  await page.locator('.message').getByText(what).waitFor();
  await settled(page);
  await write(page, 'Your answer', `${MARK}: typed`);
  await press(page, 'Send');
  await page.locator('.message.mine').getByText(`${MARK}: typed`).waitFor();

  await press(page, 'Refill requests');
  await arrived('Refill requests');
  await page.getByText(what).waitFor();
  await press(page, /^Approve/);
  await dialog.waitFor();
  await write(page, /^A word to the patient/, `${MARK}: ready`);
  await press(page, 'Approve');
  await page.getByText('Your answer is saved.').waitFor();
  await onHeading(page);

  await press(page, 'Patients');
  await arrived('Patients');
  await press(page, new RegExp(patient.name));
  await arrived(new RegExp(patient.name));
  await press(page, 'Lab results');
  await arrived(/Lab results/);
  await press(page, new RegExp((await page.locator('a.row .row-name').first().textContent()).replace(/[^\w ]/g, '.')));
  await arrived(/./);
  assert.match(new URL(page.url()).pathname, /\/lab-results\/.+/);
  clean(provider);
});

test('everything is there in Spanish', async () => {
  const { page } = provider;
  await go(page, '/');
  await page.getByRole('button', { name: 'Español' }).click();
  await page.locator('nav').getByRole('link', { name: 'Mi día' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
  await examine(page, 'provider-es');
  await go(page, '/availability');
  await page.getByRole('heading', { name: 'Mi horario' }).waitFor();
  await settled(page);
  assert.equal(await page.getByLabel('Especialidad').inputValue(), 'Medicina familiar');
  await examine(page, 'provider-availability-es');
  await go(page, `/patients/${patient.id}`);
  await page.getByRole('heading', { name: 'Resultados más recientes' }).waitFor();
  await examine(page, 'provider-record-es');
});

test('nothing of anybody is in what the browsers keep', async () => {
  await theirs.page.getByRole('button', { name: 'Español' }).click();
  await theirs.page.locator('html[lang=es]').waitFor();
  for (const window of [provider, theirs]) await discreet(window, canaries);
});
