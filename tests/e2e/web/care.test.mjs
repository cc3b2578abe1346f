// What a patient does with the practice and with those who act for them, in real browsers on the
// deployed portal: visits, the waitlist, messages, corrections, proxies. The practice answers over
// the API; two people have a window each.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Messages } from '../../../web/dist/messages/index.js';
import { accounts, api, code, invoke, pause, signedIn } from '../portal.mjs';
import { as, at, clean, downloaded, escape, examine, focusOn, go, kept, launch, naughty, onHeading, open, PNG, press, refuse, settled, signInAs, titled, tokenOf, write } from './browser.mjs';

const [account, friend] = accounts.filter(({ role }) => role === 'patient');
const MARK = `Xylophone-${randomUUID().slice(0, 8)}`;
const REASON = `${MARK} cough for two weeks`;
const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);

let browser;
let mine;
let practice;
let patient;
let provider;

before(async () => {
  browser = await launch();
  const theirs = await open(browser);
  await signInAs(theirs.page, as('provider'));
  provider = await tokenOf(theirs.page);
  const availability = await api('GET', '/v1/availability', { token: provider });
  const weekly = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday'].map((name) =>
    ({ day: name, from: '13:00', to: '17:00', location: 'Main Street', types: ['check-up'] }));
  const rules = {
    specialty: 'family-medicine',
    time_zone: 'America/New_York',
    minimum_notice_minutes: 60,
    horizon_days: 60,
    start_every_minutes: 30,
    appointment_types: [{ code: 'check-up', name: 'Check-up', minutes: 30, modality: 'in-person' }],
    weekly,
    exceptions: [],
  };
  const set = await api('PUT', '/v1/availability', { token: provider, body: rules, headers: { 'if-match': availability.headers.get('etag') } });
  assert.equal(set.status, 200, set.text);
  mine = await open(browser);
  await signInAs(mine.page, account);
  await settled(mine.page);
  patient = (await api('GET', '/v1/account', { token: await tokenOf(mine.page) })).json.patient;
  const memory = new Map();
  const call = async (method, path, body, headers) => {
    const { status, json } = await api(method, path, { token: provider, body, headers });
    return { status, json };
  };
  const sub = JSON.parse(Buffer.from(provider.split('.')[1], 'base64url').toString()).sub;
  practice = new Messages(call, { account: sub, owner: 'providers' }, { get: async (name) => memory.get(name), set: async (name, value) => void memory.set(name, value) });
  // Nobody can write to the practice before it has a key: whoever of it looks at messages first makes it.
  // Here somebody did, so this browser is told that nobody has, and what it makes is refused.
  await theirs.page.route('**/message-keys', async (route) => {
    const response = await route.fetch();
    const { parties } = await response.json();
    await route.fulfill({ response, json: { parties: parties.map((one) => (one.party === 'providers' ? { ...one, keys: [] } : one)) } });
  });
  const made = theirs.page.waitForResponse((response) => response.url().endsWith('/v1/message-keys/providers'));
  await go(theirs.page, '/inbox');
  const response = await made;
  assert.equal(Buffer.from(response.request().postDataJSON().public_key, 'base64url').length, 65);
  assert.equal(response.status(), 409, await response.text());
  clean(theirs);
  await theirs.context.close();
});
after(() => browser?.close());

/** Looks for free times of the provider, from some days ahead. */
async function search(page, from, to) {
  await page.getByLabel('With whom').selectOption({ label: 'Family medicine' });
  await page.getByLabel('What for').selectOption('check-up');
  await page.getByLabel('From').fill(day(from));
  await page.getByLabel('To', { exact: true }).fill(day(to));
}

/** The portal does what it is asked for, its answer gets lost, and it is asked for the same again. */
async function askedTwice(page, where, press, meanwhile = () => undefined) {
  let lost = false;
  await page.route(where, async (route) => {
    if (lost || route.request().method() !== 'POST') return route.fallback();
    lost = true;
    assert.equal((await route.fetch()).status(), 201);
    return route.abort();
  });
  await press();
  await page.getByRole('alert').getByText('We cannot reach the portal').waitFor();
  await meanwhile();
  await press();
}

test('a visit is looked for, kept for ten minutes, and booked', async () => {
  const { page } = mine;
  await go(page, '/appointments');
  await examine(page, 'appointments');
  await page.getByRole('link', { name: 'Book a visit' }).click();
  await settled(page);
  await page.getByRole('button', { name: 'Show free times' }).click();
  await page.getByText('Choose a provider or a specialty.').waitFor();
  await search(page, 3, 9);
  await page.getByRole('button', { name: 'Show free times' }).click();
  const times = page.locator('.times button');
  await times.first().waitFor();
  assert.match(await times.first().innerText(), /^\d{1,2}:\d\d (AM|PM) E[SD]T/, 'a time has its zone');
  await examine(page, 'free-times');
  await times.nth(2).click();
  await page.getByRole('heading', { name: 'This time is kept for you' }).waitFor();
  assert.match(await page.getByRole('timer').innerText(), /^(10:00|9:\d\d)$/);
  await examine(page, 'kept');
  await page.getByRole('button', { name: 'Book this visit' }).click();
  await page.getByText('Write a few words about what the visit is for.').waitFor();
  await page.getByLabel('What is the visit about?').fill(REASON);
  await page.getByRole('button', { name: 'Book this visit' }).click();
  await page.getByText('Reason for the visit').waitFor();
  await settled(page);
  await titled(page, 'Visit – Patient portal');
  assert.match(await page.locator('h1').innerText(), /, 20\d\d at \d{1,2}:\d\d (AM|PM) E[SD]T$/);
  await examine(page, 'appointment');
  clean(mine);
});

test('a time is kept for as long as it is, whatever this clock says', async () => {
  const window = await open(browser);
  const { page, context } = window;
  await context.clock.install({ time: Date.now() + 2 * 3_600_000 });
  await signInAs(page, friend);
  await settled(page);
  await go(page, '/appointments/new');
  await search(page, 3, 9);
  await page.getByRole('button', { name: 'Show free times' }).click();
  await page.locator('.times button').nth(5).click();
  await page.getByRole('heading', { name: 'This time is kept for you' }).waitFor();
  assert.match(await page.getByRole('timer').innerText(), /^(10:00|9:\d\d)$/);
  clean(window);
  await context.close();
});

test('days that cannot be looked for are said to be so, and not exchanged for others', async () => {
  const { page } = mine;
  await go(page, '/security');
  await go(page, '/appointments/new');
  await page.getByText('14 days at a time').waitFor();
  let asked = 0;
  const slots = (url) => url.pathname === '/v1/open-slots';
  await page.route(slots, (route) => {
    asked += 1;
    return route.continue();
  });
  const show = page.getByRole('button', { name: 'Show free times' });
  for (const [from, to, says, name] of [
    [-2, 3, /^Choose .* or a later day\.$/, 'from'],
    [9, 3, /^Choose .* or a later day\.$/, 'to'],
    [3, 17, /^Choose .* or an earlier day: 14 days at a time\.$/, 'to'],
  ]) {
    await search(page, from, to);
    await show.click();
    await page.getByText(says).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('name')), name);
    assert.equal(await page.locator('.field.wrong').count(), 1);
  }
  await examine(page, 'search-wrong');
  assert.equal(asked, 0);
  await search(page, 3, 16);
  const answer = page.waitForResponse((response) => response.url().includes('/v1/open-slots'));
  await show.click();
  const { searchParams } = new URL((await answer).url());
  assert.deepEqual([searchParams.get('from'), searchParams.get('to')], [day(3), day(16)]);
  await page.unroute(slots);
  clean(mine);
});

test('somebody else was faster: the times that are left', async () => {
  const { page } = mine;
  await go(page, '/appointments/new');
  await search(page, 3, 9);
  await page.getByRole('button', { name: 'Show free times' }).click();
  const first = page.locator('.times button').first();
  await first.waitFor();
  await page.route('**/holds', (route) => refuse(route, 409, 'slot-taken', { next_slots: [] }));
  await first.click();
  await page.getByRole('alert').getByText('Somebody else has just taken this time').waitFor();
  await examine(page, 'slot-taken');
  await page.unroute('**/holds');
});

test('the visit is saved to a calendar, moved and cancelled', async () => {
  const { page } = mine;
  await go(page, '/');
  await page.getByRole('region', { name: 'Next visits' }).locator('a.row').first().click();
  await settled(page);
  const ics = String(await downloaded(page, () => page.getByRole('button', { name: 'Add to my calendar' }).click()));
  assert.match(ics, /^BEGIN:VCALENDAR/);
  assert.ok(!ics.includes(MARK));
  await page.getByRole('button', { name: 'Move this visit' }).click();
  const dialog = page.getByRole('dialog', { name: 'Move this visit' });
  // The next days may have no time left: then later ones have.
  const times = dialog.locator('.times button').first();
  for (let tries = 1; ; tries += 1) {
    await dialog.getByRole('button', { name: 'Later days' }).click();
    const found = await times.waitFor({ timeout: 7_000 }).then(() => true, () => false);
    if (found) break;
    assert.ok(tries < 4, 'no time to move to');
  }
  await examine(page, 'move-dialog');
  await dialog.locator('.times button').first().click();
  await page.getByText('Your visit is moved.').waitFor();
  await page.getByRole('button', { name: 'Cancel this visit' }).click();
  const sure = page.getByRole('dialog', { name: 'Cancel this visit?' });
  await examine(page, 'cancel-dialog');
  await page.keyboard.press('Escape');
  await sure.waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel this visit', 'the focus goes back');
  await page.keyboard.press('Enter');
  await sure.getByLabel('Why are you cancelling?').selectOption('unwell');
  await sure.getByRole('button', { name: 'Cancel the visit' }).click();
  await page.getByText('Your visit is cancelled.').waitFor();
  await onHeading(page);
  await examine(page, 'appointment-cancelled');
  clean(mine);
});

test('the waitlist offers a time that became free, and it is booked while it is kept', async () => {
  const { page } = mine;
  // Somebody else has the first time of a day, which is the only one wished for.
  const theirs = await signedIn(friend);
  const { json: { patient: neighbour } } = await api('GET', '/v1/account', { token: theirs });
  const { json: { slots } } = await api('GET', `/v1/open-slots?${new URLSearchParams({ specialty: 'family-medicine', type: 'check-up', from: day(10), to: day(16) })}`, { token: theirs });
  const { practitioner, type, start, time_zone: timeZone } = slots[0];
  const visits = `/v1/patients/${neighbour}/appointments`;
  const taken = await api('POST', visits, { token: theirs, headers: { 'idempotency-key': randomUUID() }, body: { practitioner, type, start, reason: 'A check-up' } });
  assert.equal(taken.status, 201, taken.text);
  const local = (options) => new Intl.DateTimeFormat('en-CA', { timeZone, ...options }).format(new Date(start));
  assert.equal(local({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }), '13:00');

  await go(page, '/appointments/waitlist');
  const date = local({ dateStyle: 'short' });
  await page.getByLabel('With whom').selectOption({ label: 'Family medicine' });
  await page.getByLabel('What for').selectOption(type);
  await page.getByLabel('From').fill(date);
  await page.getByLabel('To', { exact: true }).fill(date);
  await page.getByLabel('Not before (if it matters)').fill('13:00');
  await page.getByLabel('Finished by (if it matters)').fill('13:30');
  await page.getByRole('button', { name: 'Join the waitlist' }).click();
  await page.getByText('Waiting since').first().waitFor();
  await settled(page);
  const offered = page.getByText('A time is free for you');
  assert.equal(await offered.count(), 0, 'nothing is free yet');

  const given = await api('POST', `${visits}/${taken.json.id}/cancel`, { token: theirs, headers: { 'if-match': `"${taken.json.version}"` }, body: { reason: 'not-needed' } });
  assert.equal(given.status, 200, given.text);
  // The schedule may have been faster.
  await invoke('offer-openings', {});
  await page.reload();
  await settled(page);
  await offered.waitFor();
  await page.getByText(/^We keep it for you until \w+ \d+, 20\d\d at \d+:\d\d [AP]M E[SD]T\.$/).waitFor();
  const time = await page.locator('.notice strong').innerText();
  assert.match(time, / at 1:00 PM E[SD]T$/);
  await examine(page, 'offer');
  await page.getByRole('button', { name: 'Book this time' }).click();
  const dialog = page.getByRole('dialog', { name: 'Book this time' });
  await examine(page, 'offer-dialog');
  await dialog.getByRole('button', { name: 'Book this visit' }).click();
  await dialog.getByText('Write a few words about what the visit is for.').waitFor();
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Book this time', 'the focus goes back');
  await page.keyboard.press('Enter');
  await dialog.getByLabel('What is the visit about?').fill(REASON);
  await dialog.getByRole('button', { name: 'Book this visit' }).click();
  await page.getByRole('heading', { level: 1, name: time }).waitFor();
  await go(page, '/appointments');
  await page.getByLabel('Waitlist').check();
  await page.getByText('You are not on the waitlist').waitFor();
  clean(mine);
});

test('a place on the waitlist is taken and given up; a calendar has a secret address', async () => {
  const { page } = mine;
  await go(page, '/appointments/waitlist');
  await search(page, 20, 40);
  await page.getByLabel('Not before (if it matters)').fill('14:00');
  await examine(page, 'join-waitlist');
  await askedTwice(page, '**/v1/patients/*/waitlist', () => page.getByRole('button', { name: 'Join the waitlist' }).click());
  await page.getByText('Waiting since').first().waitFor();
  await settled(page);
  await examine(page, 'waitlist');
  await page.unroute('**/v1/patients/*/waitlist');
  // However often it was asked for, it is one place.
  await page.getByRole('button', { name: /^Leave the waitlist/ }).click();
  await page.getByText('You are not on the waitlist').waitFor();

  await page.getByLabel('My calendar').check();
  await page.getByRole('button', { name: 'Make a new address' }).click();
  const address = await page.locator('.secret').innerText();
  await examine(page, 'calendar');
  const calendar = await fetch(address);
  assert.equal(calendar.status, 200);
  assert.match(await calendar.text(), /^BEGIN:VCALENDAR/);
  await page.getByRole('button', { name: 'End my calendar' }).click();
  await page.getByText('The address no longer works.').waitFor();
  assert.equal((await fetch(address)).status, 404);
  clean(mine);
});

test('a message goes to the care team, who answers; both hear of it at once', async () => {
  const { page } = mine;
  // There is a document to attach.
  await go(page, '/documents');
  await page.locator('input[type=file]').setInputFiles({ name: 'knee.png', mimeType: 'image/png', buffer: PNG });
  await page.getByText('Your care team can see it now.').waitFor({ timeout: 30_000 });
  await go(page, '/messages');
  await examine(page, 'messages');
  await page.getByRole('link', { name: 'Write a message' }).click();
  await settled(page);
  await page.getByLabel('Subject').fill(`${MARK} about my knee`);
  await page.getByLabel('Your message').fill(`${MARK}: it hurts when I walk`);
  await page.getByText('Your draft is kept on this device').waitFor();
  await examine(page, 'message-new');
  // The draft is there when somebody comes back.
  await go(page, '/messages');
  await page.getByRole('link', { name: 'Write a message' }).click();
  await page.waitForFunction(() => document.querySelector('textarea')?.value !== '');
  assert.equal(await page.getByLabel('Your message').inputValue(), `${MARK}: it hurts when I walk`);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('heading', { name: `${MARK} about my knee` }).waitFor();
  await page.getByText(`${MARK}: it hurts when I walk`).waitFor();
  await page.getByText('Your care team has not read your last message yet.').waitFor();

  const waiting = (await practice.inbox()).find(({ subject }) => subject.startsWith(MARK));
  const thread = waiting.stored.id;
  const [first] = await practice.read(patient, thread);
  assert.equal(first.text, `${MARK}: it hurts when I walk`);
  await practice.markRead(patient, thread);
  await page.getByText(/^Your care team read this on/).waitFor();
  // Text that looks like markup is text.
  const answer = `${MARK}: since when? <img src=x onerror=alert(1)> \u202Erev ﷽ 👩‍⚕️`;
  await practice.send(patient, thread, { text: answer });
  await page.getByText(answer).waitFor();
  // But for letters with a hundred marks, within which nothing breaks, all of it keeps to the screen.
  const list = naughty.filter((text) => !/\n|\p{M}{9}/u.test(text)).join('\n').slice(0, 14_000);
  await practice.send(patient, thread, { text: list });
  await page.waitForFunction((text) => [...document.querySelectorAll('.message-text')].some((node) => node.textContent === text), list);
  assert.equal(await page.locator('.message :is(img, script, iframe, svg, a)').count(), 0);
  await examine(page, 'thread');

  await page.getByRole('button', { name: 'Attach a document' }).click();
  await page.getByRole('dialog', { name: 'Attach documents' }).waitFor();
  await settled(page);
  await examine(page, 'attach-dialog');
  const documents = page.getByRole('dialog').getByRole('checkbox');
  await documents.first().check();
  await page.getByRole('dialog').getByRole('button', { name: 'Attach', exact: true }).click();
  await page.getByLabel('Your answer').fill(`${MARK}: for a week`);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText(`${MARK}: for a week`, { exact: true }).locator('visible=true').first().waitFor();
  await page.waitForFunction(() => document.querySelector('textarea')?.value === '');
  await page.locator('.message').getByRole('link', { name: 'Attached document 1' }).waitFor();
  await page.getByRole('button', { name: 'Put this conversation away' }).click();
  await page.getByRole('heading', { name: 'Messages' }).waitFor();
  await page.getByLabel('Put away').check();
  await page.getByText(`${MARK} about my knee`).waitFor();
  clean(mine);
});

test('messages that the portal cannot take now say so, are not lost, and are there once', async () => {
  const { page, context } = mine;
  const alert = page.getByRole('alert');
  const gateway = (route) => route.fulfill({ status: 429, contentType: 'text/html', headers: { 'cache-control': 'no-store' }, body: '<h1>Too many</h1>' });
  const refusals = [
    [(route) => refuse(route, 429, 'too-many-requests', {}, { 'retry-after': '90' }), 'That was a lot at once'],
    [(route) => refuse(route, 503, 'unavailable', {}, { 'retry-after': '1' }), 'The portal is not available right now'],
    [gateway, 'That was a lot at once'],
  ];
  /** Nothing that did not work is taken for something that was altered. */
  const told = async (says) => {
    await alert.getByText(says).waitFor();
    assert.equal(await page.getByText('These messages do not fit together').count(), 0);
  };
  const list = '**/v1/patients/*/threads*';
  await go(page, '/');
  await page.reload();
  await settled(page);
  await page.route(list, refusals[0][0]);
  await go(page, '/messages');
  await told(refusals[0][1]);
  await alert.getByText('Try again in 90 seconds.').waitFor();
  await examine(page, 'messages-busy');
  await page.unroute(list);
  for (const [refusal, says] of refusals.slice(1)) {
    await page.route(list, refusal);
    await page.getByRole('button', { name: 'Try again' }).click();
    await told(says);
    await page.unroute(list);
  }
  await context.setOffline(true);
  await page.getByRole('button', { name: 'Try again' }).click();
  await told('You are offline');
  await context.setOffline(false);
  await page.getByRole('button', { name: 'Try again' }).click();
  await alert.waitFor({ state: 'detached' });

  const send = () => page.getByRole('button', { name: 'Send', exact: true }).click();
  /** Writes, is refused in every way, is offline, and hears nothing; then it is sent. */
  const insist = async (field, text, where) => {
    await page.getByLabel(field).fill(text);
    for (const [refusal, says] of refusals) {
      await page.route(where, (route) => (route.request().method() === 'POST' ? refusal(route) : route.fallback()));
      await send();
      await told(says);
      assert.equal(await page.getByLabel(field).inputValue(), text);
      await page.unroute(where);
    }
    await context.setOffline(true);
    await send();
    await told('You are offline');
    await context.setOffline(false);
    await askedTwice(page, where, send);
  };
  const subject = `${MARK} insisted on`;
  await go(page, '/messages/new');
  await page.getByLabel('Subject').fill(subject);
  await insist('Your message', `${MARK}: once and no more`, list);
  await page.getByRole('heading', { name: subject }).waitFor();
  await page.locator('.message').getByText(`${MARK}: once and no more`).waitFor();
  await page.unroute(list);
  await settled(page);
  await insist('Your answer', `${MARK}: and this once`, '**/v1/patients/*/threads/*/messages');
  await page.locator('.message').getByText(`${MARK}: and this once`).waitFor();
  await page.unroute('**/v1/patients/*/threads/*/messages');
  // Who loads the page anew before they send it again has sent it once, too.
  const draft = page.getByLabel('Your answer');
  await settled(page);
  await draft.fill(`${MARK}: loaded anew`);
  await askedTwice(page, '**/v1/patients/*/threads/*/messages', send, async () => {
    await page.reload();
    await settled(page);
    await page.waitForFunction((text) => document.querySelector('textarea[name=text]')?.value === text, `${MARK}: loaded anew`);
    await page.locator('.message').getByText(`${MARK}: loaded anew`).waitFor();
  });
  await page.waitForFunction(() => document.querySelector('textarea[name=text]')?.value === '');
  await page.unroute('**/v1/patients/*/threads/*/messages');
  const there = (await practice.list(patient)).filter((one) => one.subject === subject);
  assert.equal(there.length, 1);
  const texts = (await practice.read(patient, there[0].stored.id)).map(({ text }) => text);
  assert.deepEqual(texts, [`${MARK}: once and no more`, `${MARK}: and this once`, `${MARK}: loaded anew`]);
  clean(mine);
});

test('a conversation that is loaded anew is marked as read', async () => {
  const { page } = mine;
  const { stored: { id } } = (await practice.list(patient)).find(({ subject }) => subject === `${MARK} insisted on`);
  await go(page, '/');
  await practice.read(patient, id);
  await practice.send(patient, id, { text: `${MARK}: read this` });
  const read = page.waitForResponse((response) => response.url().endsWith(`/threads/${id}/read`));
  await page.goto(at(`/messages/${id}`));
  assert.equal((await read).status(), 200);
  await page.locator('.message').getByText(`${MARK}: read this`).waitFor();
  clean(mine);
});

test('nothing is written before it is known who could read it', async () => {
  const { page } = mine;
  const { stored: { id } } = (await practice.list(patient)).find(({ subject }) => subject === `${MARK} insisted on`);
  const keys = (url) => url.pathname.endsWith('/message-keys') && url.pathname.startsWith('/v1/');
  await go(page, `/messages/${id}`);
  await page.getByLabel('Your answer').waitFor();
  await page.goto(at('/'));
  await settled(page);
  await page.route(keys, (route) => refuse(route, 403, 'forbidden'));
  await go(page, `/messages/${id}`);
  await page.getByRole('alert').first().waitFor();
  assert.equal(await page.getByLabel('Your answer').count(), 0);
  await page.unroute(keys);
  await page.reload();
  await page.getByLabel('Your answer').waitFor();
  clean(mine);
});

test('messages are locked with a passphrase, and open with it alone', async () => {
  const { page } = mine;
  const passphrase = `four words ${randomUUID()}`;
  await go(page, '/messages/protection');
  await examine(page, 'protection');
  await page.getByLabel('New passphrase', { exact: true }).fill(passphrase);
  await page.getByLabel('New passphrase again').fill(passphrase);
  await page.getByRole('button', { name: 'Lock my messages' }).click();
  await page.getByText('Check the box if you agree.').waitFor();
  await page.getByLabel('I know that nobody can open my messages').check();
  await page.getByRole('button', { name: 'Lock my messages' }).click();
  await page.getByText('You have a new key').waitFor({ timeout: 60_000 });
  // What was written before stays open to the key before; what comes now takes the passphrase.
  await go(page, '/messages/new');
  await page.getByLabel('Subject').fill(`${MARK} locked`);
  await page.getByLabel('Your message').fill(`${MARK}: behind a passphrase`);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByRole('heading', { name: `${MARK} locked` }).waitFor();
  await go(page, '/security');
  await page.reload();
  await settled(page);
  await page.getByRole('navigation').getByRole('link', { name: 'Messages' }).click();
  const dialog = page.getByRole('dialog', { name: 'Open your messages' });
  await dialog.waitFor();
  await examine(page, 'passphrase-dialog');
  await dialog.getByLabel('Passphrase').fill('not the passphrase');
  await dialog.getByRole('button', { name: 'Open', exact: true }).click();
  await page.getByRole('alert').getByText('This is not your passphrase').waitFor();
  await page.getByRole('button', { name: 'Try again' }).click();
  await dialog.getByLabel('Passphrase').fill(passphrase);
  await dialog.getByRole('button', { name: 'Open', exact: true }).click();
  await page.getByText(`${MARK} locked`).waitFor();
  // As it was, for whoever comes after.
  await go(page, '/messages/protection');
  await page.getByRole('button', { name: 'Stop using a passphrase' }).click();
  await page.getByText('You have a new key').waitFor({ timeout: 60_000 });
  clean(mine);
});

test('a correction is asked for, denied and disagreed with', async () => {
  const { page } = mine;
  await go(page, '/corrections');
  await page.getByRole('button', { name: 'Ask for a correction' }).click();
  const dialog = page.getByRole('dialog', { name: 'Ask for a correction' });
  await examine(page, 'correction-dialog');
  await dialog.getByLabel('What is wrong, and what should it be?').fill(`${MARK} I never smoked`);
  await dialog.getByLabel('How do you know?').fill('I would know');
  await askedTwice(page, '**/v1/patients/*/amendments', () => dialog.getByRole('button', { name: 'Send request' }).click());
  await page.getByText('Your request is with the practice.').waitFor();
  await page.unroute('**/v1/patients/*/amendments');
  const list = await api('GET', `/v1/patients/${patient}/amendments`, { token: await tokenOf(page) });
  const [{ id }, ...more] = list.json.amendments.filter(({ change }) => change.startsWith(MARK));
  assert.deepEqual(more, [], 'it is there once');
  const denied = await api('POST', `/v1/patients/${patient}/amendments/${id}/review`, { token: provider, body: { deny: { basis: 'accurate-and-complete', explanation: 'It was asked for twice' } } });
  assert.equal(denied.status, 200, denied.text);
  await page.reload();
  await settled(page);
  await examine(page, 'corrections');
  await page.getByRole('button', { name: 'I disagree' }).first().click();
  await examine(page, 'disagree-dialog');
  await page.getByLabel('Why you disagree').fill(`${MARK} it is not right`);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  await page.getByText('You disagreed').first().waitFor();
  clean(mine);
});

test('an access that looks wrong is told to the privacy officer, who closes it', async () => {
  const { page } = mine;
  const officers = await signedIn(accounts.find(({ role }) => role === 'privacy-officer'));
  const read = await api('GET', `/v1/patients/${patient}/profile`, { token: provider });
  assert.equal(read.status, 200, read.text);
  await go(page, '/who-looked');
  const wrong = page.getByRole('button', { name: 'This looks wrong' }).first();
  await wrong.click();
  await examine(page, 'report-dialog');
  await escape(page, /^This looks wrong/);
  await wrong.click();
  const explanation = `${MARK} nobody treats me there`;
  await page.getByLabel(/^What looks wrong/).fill(explanation);
  await page.getByRole('button', { name: 'Send', exact: true }).click();
  const thanks = page.getByRole('dialog', { name: 'Thank you for telling us' });
  await thanks.waitFor();
  await focusOn(page, 'Thank you for telling us');
  await examine(page, 'report-sent-dialog');
  await thanks.getByRole('button', { name: 'Close' }).click();
  await thanks.waitFor({ state: 'detached' });
  await onHeading(page);

  const { json: { concerns } } = await api('GET', '/v1/access-concerns', { token: officers });
  const told = await Promise.all(concerns.map(({ id }) => api('GET', `/v1/access-concerns/${id}`, { token: officers })));
  const { json: concern } = told.find(({ json }) => json.explanation === explanation);
  assert.deepEqual([concern.patient, concern.state], [patient, 'open']);
  const theirs = await open(browser);
  await signInAs(theirs.page, accounts.find(({ role }) => role === 'privacy-officer'));
  await go(theirs.page, `/concerns/${concern.id}`);
  await theirs.page.getByRole('button', { name: 'Close it' }).click();
  await examine(theirs.page, 'close-concern-dialog');
  await theirs.page.getByLabel('Outcome').selectOption('no-issue');
  await theirs.page.getByLabel('Your note').fill('The provider stood in for another');
  await theirs.page.getByRole('button', { name: 'Save' }).click();
  await theirs.page.getByText('Closed on').waitFor();
  clean(theirs);
  await theirs.context.close();
  const { json: closed } = await api('GET', `/v1/access-concerns/${concern.id}`, { token: officers });
  assert.deepEqual([closed.state, closed.outcome], ['resolved', 'no-issue']);
  clean(mine);
});

test('a friend acts for the patient in what was granted, until it ends', async () => {
  const { page } = mine;
  await go(page, '/proxies');
  await examine(page, 'proxies');
  await page.getByRole('button', { name: 'Let somebody act for me' }).click();
  const dialog = page.getByRole('dialog', { name: 'Let somebody act for me' });
  await dialog.getByRole('button', { name: 'Give access' }).click();
  await dialog.getByText('Choose at least one.').waitFor();
  await examine(page, 'grant-dialog');
  await dialog.getByLabel('Their name').fill('Somebody Near');
  await dialog.getByLabel('Their e-mail address').fill(friend.email);
  await dialog.getByLabel('Visits').check();
  await dialog.getByLabel('Lab results').check();
  await askedTwice(page, '**/v1/patients/*/proxies', () => dialog.getByRole('button', { name: 'Give access' }).click());
  await page.getByText('Saved. If the person has no account yet').waitFor();
  await page.unroute('**/v1/patients/*/proxies');
  await page.getByRole('heading', { name: 'Somebody Near' }).waitFor();

  const theirs = await open(browser);
  await signInAs(theirs.page, friend);
  await settled(theirs.page);
  const choice = theirs.page.getByLabel('Whose record');
  await choice.selectOption({ index: 1 });
  await theirs.page.getByText(/^You are acting for/).waitFor();
  await settled(theirs.page);
  const places = await theirs.page.getByRole('navigation').getByRole('listitem').allInnerTexts();
  assert.deepEqual(places, ['Home', 'Visits', 'Lab results', 'Who can act for me']);
  await examine(theirs.page, 'acting-home');
  await theirs.page.getByRole('navigation').getByRole('link', { name: 'Lab results' }).click();
  await settled(theirs.page);
  await theirs.page.locator('a.row').first().waitFor();
  // It holds when the page is loaded anew.
  await theirs.page.reload();
  await theirs.page.getByText(/^You are acting for/).waitFor();

  await page.getByRole('button', { name: /^End this access/ }).first().click();
  await examine(page, 'end-access-dialog');
  await page.getByRole('dialog').getByRole('button', { name: 'End it' }).click();
  await page.getByText('Nobody can act for you').waitFor();
  await onHeading(page);
  await theirs.page.reload();
  await settled(theirs.page);
  assert.equal(await theirs.page.getByText(/^You are acting for/).count(), 0);
  // Their session is ended elsewhere: the next request says so, and nothing stays.
  await theirs.page.route('**/v1/patients/**', (route) => refuse(route, 401, 'unauthenticated'));
  await theirs.page.getByRole('navigation').getByRole('link', { name: 'Documents' }).click();
  await theirs.page.getByText('Your session has ended. Please sign in again.').waitFor();
  assert.deepEqual(Object.keys((await kept(theirs.page)).session), []);
  clean(theirs);
  await theirs.context.close();
  clean(mine);
});

test('a friend who acts for one of two goes on when they keep it, and when they give up the other', async () => {
  const token = await tokenOf(mine.page);
  const path = `/v1/patients/${patient}/proxies`;
  const grant = { name: 'Somebody Near', email: friend.email, relationship: 'friend', categories: ['appointments'], until: day(30) };
  const granted = await api('POST', path, { token, headers: { 'idempotency-key': randomUUID() }, body: grant });
  assert.equal(granted.status, 201, granted.text);
  const theirs = await open(browser);
  const { page } = theirs;
  // There is nobody else in the demo who could let them act: the second is made up.
  const other = { id: randomUUID(), proxy: randomUUID(), name: 'Somebody Farther' };
  let both = true;
  await page.route('**/v1/account/patients*', async (route) => {
    const response = await route.fetch();
    const { patients, ...rest } = await response.json();
    await route.fulfill({ response, json: { ...rest, patients: both ? [...patients, { ...patients.find(({ id }) => id === patient), ...other }] : patients } });
  });
  await page.route(`**/v1/patients/${other.id}/proxies/${other.proxy}`, (route) => {
    both = false;
    return route.fulfill({ status: 200, headers: { 'cache-control': 'no-store' }, json: {} });
  });
  await signInAs(page, friend);
  await settled(page);
  const { json: { patients } } = await api('GET', '/v1/account/patients', { token: await tokenOf(page) });
  const { name } = patients.find(({ id }) => id === patient);
  await go(page, '/proxies');
  const card = (whose) => page.locator('section.card').filter({ has: page.getByRole('heading', { level: 3, name: whose, exact: true }) });
  await card(name).getByRole('button', { name: /^Act for/ }).click();
  const acting = page.getByText(`You are acting for ${name}.`);
  await acting.waitFor();
  const dialog = page.getByRole('dialog', { name: 'Give this up?' });
  const giveUp = async (whose) => {
    await card(whose).getByRole('button', { name: /^Give this up/ }).click();
    await dialog.waitFor();
  };
  await giveUp(other.name);
  await examine(page, 'give-up-dialog');
  await escape(page, /^Give this up/);
  assert.equal(await acting.count(), 1, 'after Escape');
  await giveUp(name);
  await dialog.getByRole('button', { name: 'Keep it' }).click();
  await dialog.waitFor({ state: 'detached' });
  assert.equal(await acting.count(), 1, 'after keeping it');
  await giveUp(other.name);
  await dialog.getByRole('button', { name: 'End it' }).click();
  await card(other.name).waitFor({ state: 'detached' });
  assert.equal(await acting.count(), 1, 'after giving up the other');
  await giveUp(name);
  await dialog.getByRole('button', { name: 'End it' }).click();
  await acting.waitFor({ state: 'detached' });
  await card(name).waitFor({ state: 'detached' });
  const { json: { proxies } } = await api('GET', path, { token });
  assert.ok(proxies.every(({ state }) => state !== 'active'));
  clean(theirs);
  await theirs.context.close();
});

test('from signing in to signing out by keyboard alone: a result, a visit, a message', async () => {
  const window = await open(browser);
  const { page, context } = window;
  const { keyboard } = page;
  /** A new screen is there, and has the focus. */
  const arrived = async (title) => {
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
    await settled(page);
    assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1', 'the screen is announced');
  };
  await page.goto(at('/sign-in'));
  await settled(page);
  await write(page, 'E-mail address', friend.email);
  await write(page, 'Password', friend.password);
  await keyboard.press('Enter');
  await page.getByLabel('6-digit code').waitFor();
  await write(page, '6-digit code', await code(friend.totp_secret));
  await keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: /^Hello/ }).waitFor();
  await settled(page);

  await press(page, 'See all lab results');
  await arrived('Lab results');
  await press(page, (await page.locator('a.row').first().textContent()).trim());
  await page.getByRole('heading', { level: 2, name: 'Your result' }).waitFor();
  await arrived(/./);

  await press(page, 'Visits');
  await arrived('Visits');
  await press(page, 'Book a visit');
  await arrived('Book a visit');
  await write(page, 'With whom', 'Family');
  await write(page, 'What for', 'Check');
  const date = (days) => day(days).replace(/^(\d{4})-(\d\d)-(\d\d)$/, '$2$3$1');
  await write(page, 'From', date(3));
  await write(page, 'To', date(9));
  await press(page, 'Show free times');
  await page.locator('.times button').first().waitFor();
  await press(page, / E[SD]T/);
  await page.getByRole('heading', { name: 'This time is kept for you' }).waitFor();
  await write(page, 'What is the visit about?', REASON);
  await press(page, 'Book this visit');
  await page.getByText('Reason for the visit').waitFor();
  await arrived(/, 20\d\d at /);
  await press(page, 'Cancel this visit');
  await page.getByRole('dialog').waitFor();
  await keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Cancel this visit', 'the focus goes back');

  await press(page, 'Messages');
  await arrived('Messages');
  await press(page, 'Write a message');
  await arrived('Write a message');
  await write(page, 'Subject', `${MARK} by keyboard`);
  await write(page, 'Your message', `${MARK}: typed`);
  await press(page, 'Send');
  await arrived(`${MARK} by keyboard`);
  await page.getByText(`${MARK}: typed`).waitFor();
  await press(page, 'Sign out');
  await page.getByText('You are signed out.').waitFor();
  clean(window);
  await context.close();
});

test('a draft that somebody chose to keep is there after a time away, locked; others are gone', async () => {
  const window = await open(browser);
  const { page, context } = window;
  await context.clock.install();
  const text = `${MARK} to be gone on with`;
  const begin = async () => {
    await signInAs(page, friend);
    await settled(page);
    await go(page, '/messages/new');
    return page.getByLabel('Your message');
  };
  const away = async () => {
    await context.clock.fastForward('15:05');
    await page.getByText('We signed you out because the portal was not used').waitFor();
    return (await page.evaluate(databases))['portal-drafts'];
  };
  const choice = page.getByLabel('Keep it, too');
  let field = await begin();
  await field.fill(text);
  await choice.check();
  await examine(page, 'message-draft-kept');
  const left = await away();
  assert.equal(left.length, 3, 'the draft, the choice, and the key as it was locked');
  assert.ok(!left.join().includes(MARK) && !left.join().includes('a key'));

  field = await begin();
  await page.waitForFunction((expected) => document.querySelector('textarea')?.value === expected, text);
  assert.equal(await choice.isChecked(), true);
  await choice.uncheck();
  assert.deepEqual(await away(), []);
  field = await begin();
  await page.getByRole('button', { name: 'Send', exact: true }).waitFor();
  assert.equal(await field.inputValue(), '');

  // A window that is closed and not signed out of leaves nothing that opens either.
  await field.fill(text);
  await page.getByText('Your draft is kept on this device').waitFor();
  assert.ok((await page.evaluate(databases))['portal-drafts'].join().includes('a key'));
  await page.close();
  const next = await context.newPage();
  await next.goto(at('/sign-in'));
  for (let tries = 0; (await next.evaluate(databases))['portal-drafts'].length > 0; tries += 1) {
    assert.ok(tries < 50, 'the draft is gone');
    await pause(100);
  }
  clean(window);
  await context.close();
});

test('nothing of it is in what the browser keeps, and nothing at all of the drafts after signing out', async () => {
  const { page, seen } = mine;
  await go(page, '/messages/new');
  await page.getByLabel('Your message').fill(`${MARK} never sent`);
  await page.getByText('Your draft is kept on this device').waitFor();
  const stored = async () => JSON.stringify([await kept(page), await page.evaluate(databases), [...seen.urls], seen.console]);
  const before = await stored();
  assert.ok(!before.includes(MARK) && !before.includes(encodeURIComponent(MARK)));
  assert.ok(!before.includes('Somebody Near'));
  await page.getByRole('button', { name: 'Sign out' }).first().click();
  await page.getByText('You are signed out.').waitFor();
  const { 'portal-drafts': drafts } = await page.evaluate(databases);
  assert.deepEqual(drafts, []);
  assert.ok(!(await stored()).includes(MARK));
});

/** All that is in the page's databases: bytes as text, so that a word in them is found. */
async function databases() {
  const found = {};
  for (const { name } of await indexedDB.databases()) {
    const settled = (request) => new Promise((resolve, reject) => { request.onsuccess = () => resolve(request.result); request.onerror = () => reject(request.error); });
    const database = await settled(indexedDB.open(name));
    const entries = database.transaction('drafts').objectStore('drafts');
    const word = (part) => (part instanceof Uint8Array ? new TextDecoder('latin1').decode(part) : part instanceof CryptoKey ? 'a key' : part);
    const text = (value) => JSON.stringify(value, (_, part) => word(part));
    const [keys, values] = await Promise.all([settled(entries.getAllKeys()), settled(entries.getAll())]);
    found[name] = keys.map((key, at) => `${key} ${text(values[at])}`);
    database.close();
  }
  return found;
}
