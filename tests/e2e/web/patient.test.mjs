// What a patient sees, in a real browser on the deployed portal: every screen in both themes and at
// three widths, accessible, without a violation of the policy, and without a personal word in
// anything that the browser keeps.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { accounts, api, pause, signedIn, wrongCode } from '../portal.mjs';
import { accessible, as, at, clean, downloaded, escape, examine, fits, focusOn, go, kept, launch, naughty, onHeading, open, PNG, refuse, settled, shoot, signInAs, tabTo, traces, WIDTHS, titled, tokenOf } from './browser.mjs';

const [account, neighbour] = accounts.filter(({ role }) => role === 'patient');
const SCREENS = {
  home: '/',
  'lab-results': '/lab-results',
  prescriptions: '/prescriptions',
  'health-record': '/health-record',
  conditions: '/health-record/conditions',
  'vital-signs': '/health-record/vital-signs',
  encounters: '/health-record/encounters',
  documents: '/documents',
  copies: '/copies',
  'who-looked': '/who-looked',
  profile: '/profile',
  appointments: '/appointments',
  'appointment-new': '/appointments/new',
  'waitlist-join': '/appointments/waitlist',
  messages: '/messages',
  protection: '/messages/protection',
  corrections: '/corrections',
  proxies: '/proxies',
  security: '/security',
};

let browser;
let window_;
let canaries;

before(async () => {
  browser = await launch();
  // What must never be kept: words that are in the record and nowhere else.
  const token = await signedIn(account);
  const { json: me } = await api('GET', '/v1/account', { token });
  const of = async (path) => (await api('GET', `/v1/patients/${me.patient}${path}`, { token })).json;
  const profile = await of('/profile');
  const { results } = await of('/lab-results?limit=5');
  const { entries } = await of('/health-record?section=conditions');
  canaries = [profile.name, profile.mrn, profile.birth_date, profile.contact.phone, ...results.map(({ name }) => name), ...entries.map(({ name }) => name)].filter(Boolean);
  assert.ok(canaries.length > 6);
  window_ = await open(browser);
});
after(() => browser?.close());

test('the sign-in screens are accessible and keep to the policy', async () => {
  for (const theme of ['light', 'dark']) {
    const window = await open(browser, { theme });
    const { page, context } = window;
    for (const path of ['/sign-in', '/activate', '/forgotten-password']) {
      await page.goto(at(path));
      await settled(page);
      await accessible(page, `${path} ${theme}`);
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        await shoot(page, `${path.slice(1)}-${theme}-${width}`);
        assert.ok(await fits(page), `${path} at ${width}`);
      }
    }
    clean(window);
    await context.close();
  }
});

test('the page comes with the headers that Amplify Hosting sends', async () => {
  for (const path of ['/', '/lab-results', '/config.json', '/nothing.js']) {
    const { headers } = await api('GET', path);
    assert.match(headers.get('content-security-policy'), /^default-src 'none';.*require-trusted-types-for 'script'; trusted-types 'none'$/);
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('cache-control'), 'no-store');
    assert.match(headers.get('strict-transport-security'), /max-age=63072000/);
  }
});

test('a wrong password and a wrong code are answered in words', async () => {
  const { page, context } = await open(browser);
  await page.goto(at('/sign-in'));
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByText('Enter an e-mail address').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('name')), 'email');
  await page.getByLabel('E-mail address').fill('nobody@example.org');
  await page.getByLabel('Password', { exact: true }).fill('Not the password 1!');
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('alert').getByText('The e-mail address or the password is not right').waitFor();
  await page.getByLabel('E-mail address').fill(account.email);
  await page.getByLabel('Password', { exact: true }).fill(account.password);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByLabel('6-digit code').fill(wrongCode(account.totp_secret));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText('This code is not right, or it was used before').waitFor();
  await context.close();
});

test('a patient signs in', async () => {
  const { page } = window_;
  await signInAs(page, account);
  await settled(page);
  const stored = await kept(page);
  assert.deepEqual(Object.keys(stored.local), [], 'tokens are in sessionStorage alone');
  assert.equal(stored.cookies, '');
});

for (const [name, path] of Object.entries(SCREENS)) {
  test(`${name}: accessible in both themes, and it fits`, async () => {
    const { page } = window_;
    await go(page, path);
    await examine(page, name);
    clean(window_);
  });
}

test('from the start page to a result and its values, by keyboard alone', async () => {
  const { page } = window_;
  await go(page, '/');
  await page.reload();
  await settled(page);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
  await tabTo(page, 'See all lab results');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Lab results' }).waitFor();
  await settled(page);
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1', 'the new screen is announced');
  for (let presses = 0; !(await page.evaluate(() => document.activeElement.matches('a.row'))); presses += 1) {
    assert.ok(presses < 30, 'a result is reached');
    await page.keyboard.press('Tab');
  }
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 2, name: 'Your result' }).waitFor();
  await settled(page);
  await tabTo(page, 'All lab results');
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'Lab results' }).waitFor();
});

test('a laboratory result has its value, its chart and its table', async () => {
  const { page } = window_;
  await go(page, '/lab-results');
  const row = page.locator('a.row').filter({ hasText: /Hemoglobin|Glucose|Cholesterol|Creatinine/ }).first();
  await row.click();
  await settled(page);
  await page.getByRole('heading', { name: 'How it changed over time' }).waitFor();
  await settled(page);
  await page.getByRole('table').first().waitFor();
  await titled(page, 'Lab result – Patient portal');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'H1');
  await examine(page, 'lab-result');
});

test('a refill is asked for and taken back, by keyboard alone', async () => {
  const { page } = window_;
  await go(page, '/prescriptions');
  const ask = page.getByRole('button', { name: /Ask for a refill/ }).first();
  await ask.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog');
  await dialog.waitFor();
  await examine(page, 'refill-dialog');
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  assert.match(await page.evaluate(() => document.activeElement.textContent), /Ask for a refill/, 'the focus goes back');
  await page.keyboard.press('Enter');
  await dialog.getByRole('button', { name: 'Send request' }).focus();
  await page.keyboard.press('Enter');
  await page.getByText('is with the practice').waitFor();
  await onHeading(page);
  await page.getByLabel('My refill requests').check();
  const back = page.getByRole('button', { name: 'Take back this request' }).first();
  await back.waitFor();
  await examine(page, 'refill-requests');
  await back.click();
  await page.getByText('Taken back').first().waitFor();
});

test('the profile is changed, and a change in another window is not lost', async () => {
  const { page } = window_;
  await go(page, '/profile');
  await page.getByRole('button', { name: 'Change this' }).click();
  await examine(page, 'profile-edit');
  await page.getByLabel('Phone', { exact: true }).fill('+1 617 555 0142');
  // A window of their own: this one's token may be over by now.
  const token = await signedIn(account);
  const { json: me } = await api('GET', '/v1/account', { token });
  const path = `/v1/patients/${me.patient}/profile`;
  const now = await api('GET', path, { token });
  const other = await api('PATCH', path, { token, headers: { 'if-match': now.headers.get('etag') }, body: { notifications: { documents: 'none' } } });
  assert.equal(other.status, 200, other.text);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('This changed while you had it open').waitFor();
  await examine(page, 'profile-conflict');
  await page.getByRole('button', { name: 'Load it again' }).click();
  await page.getByRole('button', { name: 'Change this' }).click();
  await page.getByLabel('Phone', { exact: true }).fill('+1 617 555 0142');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Your changes are saved.').waitFor();
  await page.getByText('+1 617 555 0142').waitFor();
});

test('a document is handed in, inspected, and a wrong one is refused in words', async () => {
  const { page } = window_;
  await go(page, '/documents');
  const file = page.locator('input[type=file]');
  await file.setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('x') });
  await page.getByText('This kind of file cannot be sent').waitFor();
  await file.setInputFiles({ name: 'picture.png', mimeType: 'image/png', buffer: PNG });
  await page.getByText('Your care team can see it now.').waitFor({ timeout: 30_000 });
  await settled(page);
  await examine(page, 'documents-sent');
  await page.getByRole('link', { name: /picture\.png/ }).first().click();
  await settled(page);
  const saved = await downloaded(page, () => page.getByRole('button', { name: 'Save to this device' }).click());
  assert.ok(saved.length > 0);
});

const PDF = Buffer.from('%PDF-1.4 and nothing else');

/** Drops a file on the part of the screen that takes documents; what is shown while it is over it. */
async function drop(page, name, type, bytes) {
  const target = page.getByRole('region', { name: 'Send a document' });
  const dataTransfer = await page.evaluateHandle(([name, type, base64]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name, { type }));
    return transfer;
  }, [name, type, bytes.toString('base64')]);
  await target.dispatchEvent('dragover', { dataTransfer });
  await page.locator('.drop.over').waitFor();
  await examine(page, 'documents-drop');
  await target.dispatchEvent('drop', { dataTransfer });
}

test('a document that is dropped shows how far it is, breaks off, is sent again, and is deleted', async () => {
  const { page } = window_;
  await go(page, '/security');
  await go(page, '/documents');
  const name = `dropped-${randomUUID()}.png`;
  const storage = (url) => url.origin !== new URL(at('/')).origin;
  let letGo;
  await page.route(storage, async (route) => {
    await new Promise((resolve) => { letGo = resolve; });
    await route.abort();
  });
  await drop(page, name, 'image/png', PNG);
  await page.getByRole('progressbar', { name: 'Sent so far' }).waitFor();
  await examine(page, 'documents-sending');
  letGo();
  await page.getByRole('alert').waitFor();
  await examine(page, 'documents-broken-off');
  await page.unroute(storage);
  await page.getByRole('button', { name: 'Choose a file again' }).click();
  await drop(page, name, 'image/png', PNG);
  await page.getByText('Your care team can see it now.').waitFor({ timeout: 30_000 });

  const row = page.getByRole('link', { name: new RegExp(name) }).filter({ hasText: 'Ready' });
  await row.click();
  const remove = page.getByRole('button', { name: 'Delete' });
  await remove.click();
  const dialog = page.getByRole('dialog', { name: 'Delete this document?' });
  await examine(page, 'document-delete');
  await escape(page, /^Delete/);
  await remove.click();
  await dialog.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('heading', { level: 1, name: 'Documents' }).waitFor();
  await settled(page);
  await row.waitFor({ state: 'detached' });
  assert.ok(![...window_.seen.urls].some((url) => url.includes(name)), 'its name is in no address');
});

test('a file that is not what it says is refused by the portal, in words', async () => {
  const { page } = window_;
  await go(page, '/security');
  await go(page, '/documents');
  const name = `letter-${randomUUID()}.pdf`;
  await page.locator('input[type=file]').setInputFiles({ name, mimeType: 'application/pdf', buffer: PDF });
  const alert = page.getByRole('alert');
  await alert.getByText('This file was not accepted').waitFor({ timeout: 30_000 });
  const why = await alert.locator('p').last().innerText();
  assert.ok(why.length > 10, why);
  await examine(page, 'documents-refused');
  await page.getByRole('link', { name: new RegExp(`${name}.*Not accepted`, 's') }).click();
  await page.getByRole('heading', { level: 1, name }).waitFor();
  await page.getByText(why).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Save to this device' }).count(), 0);
  await examine(page, 'document-refused');
});

test('a document, the profile, a copy and a proxy by keyboard alone', async () => {
  const { page } = window_;
  const { keyboard } = page;
  const to = async (place, title) => {
    await tabTo(page, place);
    await keyboard.press('Enter');
    await page.getByRole('heading', { level: 1, name: title }).waitFor();
    await settled(page);
  };
  await go(page, '/');
  await page.reload();
  await settled(page);
  await to('Documents', 'Documents');
  // Waited for before the key is near: it takes a moment until the browser asks the test for files.
  const chooser = page.waitForEvent('filechooser');
  await tabTo(page, 'Choose a file');
  await keyboard.press('Enter');
  await (await chooser).setFiles({ name: 'by-keyboard.png', mimeType: 'image/png', buffer: PNG });
  await page.getByText('Your care team can see it now.').waitFor({ timeout: 30_000 });
  await focusOn(page, 'Send a document');

  await to('Copies of my record', 'Copies of my record');
  await tabTo(page, /FHIR data/);
  await keyboard.press('Space');
  assert.equal(await page.getByLabel('FHIR data').isChecked(), true);
  await tabTo(page, 'Make a copy');

  await to('Profile', 'Profile');
  await tabTo(page, 'Change this');
  await keyboard.press('Enter');
  await tabTo(page, 'Phone');
  await keyboard.press('ControlOrMeta+A');
  await keyboard.type('+1 617 555 0143');
  await keyboard.press('Enter');
  await page.getByText('Your changes are saved.').waitFor();
  await page.getByText('+1 617 555 0143').waitFor();

  await to('Who can act for me', 'Who can act for me');
  await tabTo(page, 'Let somebody act for me');
  await keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Let somebody act for me' });
  await dialog.waitFor();
  await tabTo(page, 'Their name');
  await keyboard.type('Somebody Near');
  await tabTo(page, 'Give access');
  await keyboard.press('Enter');
  await dialog.getByText('Choose at least one.').waitFor();
  // What was written is not thrown away by one key.
  await keyboard.press('Escape');
  await focusOn(page, 'Go on writing');
  await keyboard.press('Enter');
  assert.equal(await dialog.getByLabel('Their name').inputValue(), 'Somebody Near');
  await keyboard.press('Escape');
  await focusOn(page, 'Go on writing');
  await tabTo(page, 'Throw it away');
  await keyboard.press('Enter');
  await dialog.waitFor({ state: 'detached' });
  assert.match(await page.evaluate(() => document.activeElement.textContent), /^Let somebody act for me/, 'the focus goes back');
});

test('a dialog in which something was written asks before it closes', async () => {
  const { page } = window_;
  await go(page, '/security');
  await go(page, '/corrections');
  const opener = page.getByRole('button', { name: 'Ask for a correction' });
  await opener.click();
  const dialog = page.getByRole('dialog', { name: 'Ask for a correction' });
  // What is chosen is chosen again at once.
  await dialog.getByLabel('Where is it?').selectOption('profile');
  await escape(page, /^Ask for a correction/);
  await opener.click();
  const field = dialog.getByLabel('What is wrong, and what should it be?');
  await field.fill('It takes long to write this again');
  await page.keyboard.press('Escape');
  await dialog.getByRole('alert').getByText('What you wrote is not sent. Throw it away?').waitFor();
  await focusOn(page, 'Go on writing');
  await examine(page, 'dialog-throw-away');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.activeElement.getAttribute('name') === 'change');
  assert.equal(await field.inputValue(), 'It takes long to write this again');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  // Escape does not throw away either.
  await focusOn(page, 'Go on writing');
  await page.keyboard.press('Escape');
  await field.waitFor();
  assert.equal(await field.inputValue(), 'It takes long to write this again');
  await dialog.getByRole('button', { name: 'Cancel' }).click();
  await dialog.getByRole('button', { name: 'Throw it away' }).click();
  await dialog.waitFor({ state: 'detached' });
  await focusOn(page, 'Ask for a correction');
  clean(window_);
});

/** Everything but to be read. */
const unread = (route) => (route.request().method() === 'GET' ? refuse(route, 503, 'unavailable') : route.fallback());

test('what was changed and cannot be read again is said so, above what was there before', async () => {
  const { page } = window_;
  await go(page, '/security');
  await go(page, '/profile');
  await page.getByRole('button', { name: 'Change this' }).click();
  const phone = `+1 617 555 01${50 + Math.floor(Math.random() * 50)}`;
  await page.getByLabel('Phone', { exact: true }).fill(phone);
  const profile = (url) => url.pathname.endsWith('/profile') && url.pathname.startsWith('/v1/');
  await page.route(profile, unread);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByText('Your changes are saved.').waitFor();
  const alert = page.getByRole('alert').getByText('The portal is not available right now');
  await alert.waitFor();
  assert.equal(await page.getByText(phone).count(), 0, 'what was there before');
  await examine(page, 'profile-not-read-again');
  // Who may see it no longer, or finds it gone, does not go on seeing it.
  const number = page.locator('main').getByText('Record number', { exact: true });
  assert.equal(await number.count(), 1);
  await page.unroute(profile);
  await page.route(profile, (route) => refuse(route, 404, 'not-found'));
  await page.getByRole('button', { name: 'Try again' }).click();
  await number.waitFor({ state: 'detached' });
  await page.getByRole('alert').waitFor();
  await page.unroute(profile);
  await go(page, '/security');
  await go(page, '/profile');
  await page.getByText(phone).waitFor();
});

test('a list that cannot be read again is read again from its beginning', async () => {
  const { page } = window_;
  await go(page, '/security');
  await go(page, '/corrections');
  const amendments = (url) => url.pathname.endsWith('/amendments');
  // Nothing is asked of the practice.
  await page.route(amendments, (route) => (route.request().method() === 'POST' ? route.fulfill({ status: 201, headers: { 'cache-control': 'no-store' }, json: { id: randomUUID() } }) : unread(route)));
  await page.getByRole('button', { name: 'Ask for a correction' }).click();
  const dialog = page.getByRole('dialog', { name: 'Ask for a correction' });
  await dialog.getByLabel('What is wrong, and what should it be?').fill('Nothing, really');
  await dialog.getByLabel('How do you know?').fill('It never arrives');
  await dialog.getByRole('button', { name: 'Send request' }).click();
  await page.getByText('Your request is with the practice.').waitFor();
  const alert = page.getByRole('alert').getByText('The portal is not available right now');
  await alert.waitFor();
  await page.unroute(amendments);
  const again = page.waitForRequest((request) => amendments(new URL(request.url())));
  await page.getByRole('button', { name: 'Try again' }).click();
  assert.equal(new URL((await again).url()).searchParams.get('cursor'), null);
  await alert.waitFor({ state: 'detached' });
  clean(window_);
});

test('a file beside the place for it, or one of several, is not sent, and the portal stays', async () => {
  const { page } = window_;
  await go(page, '/security');
  await go(page, '/documents');
  const sent = [];
  const note = (request) => request.method() === 'POST' && request.url().endsWith('/documents') && sent.push(request.url());
  page.on('request', note);
  /** Drops so many files there; whether the browser leaves them alone. */
  const dropped = (where, many) => page.evaluate(([selector, count]) => {
    const dataTransfer = new DataTransfer();
    for (let at = 0; at < count; at += 1) dataTransfer.items.add(new File(['x'], `${at}.png`, { type: 'image/png' }));
    const node = document.querySelector(selector);
    return ['dragover', 'drop'].map((type) => !node.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer })));
  }, [where, many]);
  assert.deepEqual(await dropped('h1', 1), [true, true]);
  assert.equal(await page.getByRole('alert').count(), 0);
  assert.deepEqual(await dropped('.drop', 2), [true, true]);
  await page.getByRole('alert').getByText('Documents go one at a time. What you dropped was not sent.').waitFor();
  await examine(page, 'documents-one-at-a-time');
  page.off('request', note);
  assert.deepEqual(sent, []);
  // Elsewhere the browser does as it likes.
  await go(page, '/security');
  assert.deepEqual(await dropped('h1', 1), [false, false]);
  clean(window_);
});

/** Takes documents in the portal's place, and answers each look at them with what `look` does. */
async function pretend(page, look) {
  const headers = { 'cache-control': 'no-store' };
  const announced = () => {
    const id = randomUUID();
    return { id, name: 'picture.png', upload: { method: 'PUT', url: at(`/v1/taken/${id}`), headers: {} } };
  };
  await page.route((url) => url.pathname.endsWith('/documents'), (route) =>
    (route.request().method() === 'POST' ? route.fulfill({ status: 201, headers, json: announced() }) : route.fallback()));
  await page.route((url) => url.pathname.startsWith('/v1/taken/'), (route) => route.fulfill({ status: 200, headers }));
  const looks = { count: 0 };
  await page.route((url) => /^\/v1\/.*\/documents\/[0-9a-f-]{36}$/.test(url.pathname), (route) => {
    looks.count += 1;
    const id = new URL(route.request().url()).pathname.split('/').at(-1);
    return look(route, (status) => route.fulfill({ headers, json: { kind: 'upload', id, name: 'picture.png', content_type: 'image/png', size: PNG.length, requested_at: new Date().toISOString(), status } }));
  });
  return looks;
}

test('an inspection is waited for a minute; one that fails, and a file that did not arrive, are said to be so', async () => {
  const window = await open(browser);
  const { page, context } = window;
  await context.clock.install();
  await signInAs(page, account);
  await settled(page);
  await go(page, '/documents');
  const choose = page.getByRole('button', { name: 'Choose a file', exact: true });
  const hand = async () => {
    await choose.focus();
    await page.locator('input[type=file]').setInputFiles({ name: 'picture.png', mimeType: 'image/png', buffer: PNG });
  };
  let down = false;
  let status = 'inspecting';
  const looks = await pretend(page, (route, answer) => (down ? refuse(route, 503, 'unavailable') : answer(status)));
  await hand();
  await page.getByText('Sent. It is being checked').waitFor();
  await focusOn(page, 'Send a document');
  await context.clock.fastForward('01:05');
  await page.getByText('The check takes longer than usual.').waitFor();
  await examine(page, 'documents-late');
  const so = looks.count;
  await context.clock.fastForward('02:00');
  await pause(1000);
  // One may have been under way.
  assert.ok(so > 0 && looks.count <= so + 1, `${so} looks, then ${looks.count}`);
  await page.getByRole('button', { name: 'Send another document' }).click();
  await choose.waitFor();

  down = true;
  await hand();
  await page.getByRole('alert').getByText('The portal is not available right now').waitFor();
  await examine(page, 'documents-not-looked-at');
  const failed = looks.count;
  await context.clock.fastForward('00:30');
  await pause(1000);
  assert.equal(looks.count, failed, 'nothing is asked any more');
  down = false;
  status = 'expired';
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('alert').getByText('This file did not arrive').waitFor();
  await focusOn(page, 'Send a document');
  await examine(page, 'documents-expired');
  await page.getByRole('button', { name: 'Send another document' }).click();
  await choose.waitFor();
  await focusOn(page, 'Send a document');
  clean(window);
  await context.close();
});

test('in a theme of the system’s own colours buttons, choices and the chart are there', async () => {
  const window = await open(browser);
  const { page, context } = window;
  await page.emulateMedia({ forcedColors: 'active' });
  await page.goto(at('/sign-in'));
  await settled(page);
  /** What can be pressed and has nothing that sets it off from the page; the system takes colours and shadows. */
  const flat = () => page.evaluate(() => {
    const visible = (node) => node.checkVisibility() && !node.closest('.unseen');
    return [...document.querySelectorAll('.button, input:not([type=checkbox], [type=radio]), select, textarea, .flag, .notice, .card')]
      .filter((node) => visible(node) && !node.matches('.quiet') && !(parseFloat(getComputedStyle(node).borderTopWidth) >= 1 && getComputedStyle(node).borderTopStyle !== 'none'))
      .map((node) => `${node.className} ${node.textContent.length}`);
  });
  assert.deepEqual(await flat(), []);
  await shoot(page, 'sign-in-forced-colors');
  await tabTo(page, 'E-mail address');
  await signInAs(page, account);
  await settled(page);
  for (const path of ['/', '/lab-results', '/documents', '/messages', '/profile']) {
    await go(page, path);
    assert.deepEqual(await flat(), [], path);
    await shoot(page, `forced-colors${path.replace('/', '-')}`);
  }
  await go(page, '/lab-results');
  await page.locator('a.row').filter({ hasText: /Hemoglobin|Glucose|Cholesterol|Creatinine/ }).first().click();
  await page.getByRole('heading', { name: 'How it changed over time' }).waitFor();
  await settled(page);
  await shoot(page, 'forced-colors-lab-result');
  const drawn = await page.evaluate(() => {
    const ground = getComputedStyle(document.body).backgroundColor;
    const lines = [...document.querySelectorAll('.chart path, .chart line, .chart circle, .chart polyline')];
    const seen = ({ stroke, fill }) => [stroke, fill].some((color) => color !== 'none' && color !== ground && !/^rgba.*, 0\)$/.test(color));
    return [lines.length, lines.filter((line) => !seen(getComputedStyle(line))).map((line) => line.outerHTML.slice(0, 80))];
  });
  assert.ok(drawn[0] > 3, 'the chart is there');
  assert.deepEqual(drawn[1], []);
  clean(window);
  await context.close();
});

test('a copy of the record is made', async () => {
  const { page } = window_;
  await go(page, '/copies');
  await page.locator('form').getByRole('button', { name: 'Make a copy' }).click();
  const save = page.getByRole('button', { name: 'Save the web page' }).first();
  await save.waitFor({ timeout: 60_000 });
  await examine(page, 'copies-ready');
  assert.match(String(await downloaded(page, () => save.click())).slice(0, 200), /<!doctype html>/i);
});

test('a copy that could not be made, and one that a hold took away, say so', async () => {
  const { page } = window_;
  const copy = { formats: ['pdf'], requested_at: '2026-05-01T12:00:00Z' };
  const exports = [
    { ...copy, id: randomUUID(), state: 'failed', problem: 'It took too long. Ask for it again.' },
    { ...copy, id: randomUUID(), state: 'ready', problem: 'A result was held back since this copy was asked for. Ask for a new one: it comes without it.' },
    { ...copy, id: randomUUID(), state: 'expired' },
  ];
  await page.route('**/exports', (route) => route.fulfill({ headers: { 'cache-control': 'no-store' }, json: { exports } }));
  await go(page, '/');
  await page.reload();
  await settled(page);
  await go(page, '/copies');
  const cards = page.getByRole('region', { name: 'Your copies' }).getByRole('listitem');
  for (const [at, flag] of ['Did not work', 'No longer there', 'Deleted after a day'].entries()) await cards.nth(at).getByText(flag, { exact: true }).waitFor();
  await page.getByText('It took too long. Ask for it again.').waitFor();
  await page.getByText(/^A result was held back since/).waitFor();
  assert.equal(await page.getByRole('button', { name: /^Save the/ }).count(), 0);
  await examine(page, 'copies-failed');
  await page.getByRole('button', { name: 'Español' }).click();
  await page.getByText('Tardó demasiado. Pídala de nuevo.').waitFor();
  await page.getByText(/^Se retuvo un resultado/).waitFor();
  await page.getByRole('button', { name: 'English' }).click();
  await page.unroute('**/exports');
  await page.reload();
  await settled(page);
});

test('what goes wrong has an answer: slow, 429, 503, 404 and offline', async () => {
  const { page, context } = window_;
  const answers = {
    429: ['too-many-requests', 'That was a lot at once'],
    503: ['unavailable', 'The portal is not available right now'],
    404: ['not-found', 'We could not find this'],
  };
  for (const [status, [kind, says]] of Object.entries(answers)) {
    await page.route('**/health-record?section=allergies*', (route) => refuse(route, Number(status), kind, {}, { 'retry-after': '7' }));
    await go(page, '/health-record');
    await page.getByRole('link', { name: /Allergies/ }).click();
    await page.getByRole('alert').getByText(says).waitFor();
    await examine(page, `problem-${status}`);
    await page.unroute('**/health-record?section=allergies*');
    if (status !== '404') {
      await page.getByRole('button', { name: 'Try again' }).click();
      await page.getByRole('alert').waitFor({ state: 'detached' });
    }
    // Begins anew, with nothing of it read.
    await go(page, '/');
    await page.reload();
    await settled(page);
  }
  await page.route('**/health-record?section=procedures*', () => undefined);
  await go(page, '/health-record');
  await page.getByRole('link', { name: /Procedures/ }).click();
  await page.getByText('This is taking longer than usual').waitFor({ timeout: 12_000 });
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  await go(page, '/health-record');
  await context.setOffline(true);
  await page.getByText('You are offline. What you see').waitFor();
  await page.getByRole('link', { name: /Vaccines/ }).click();
  await page.getByRole('alert').getByText('You are offline').waitFor();
  await context.setOffline(false);
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('alert').waitFor({ state: 'detached' });
});

test('a token that is refused is got anew, and nobody notices', async () => {
  const { page } = window_;
  const tokens = [];
  await page.route('**/health-record?section=immunizations*', (route) => {
    tokens.push(route.request().headers().authorization);
    return tokens.length > 1 ? route.continue() : refuse(route, 401, 'unauthenticated');
  });
  await go(page, '/');
  await page.reload();
  await go(page, '/health-record/immunizations');
  await page.locator('main section.card').first().waitFor();
  assert.equal(tokens.length, 2);
  assert.notEqual(tokens[0], tokens[1]);
  await page.unroute('**/health-record?section=immunizations*');
});

test('a change that nobody answers is not lost: offline, then saved', async () => {
  const { page, context } = window_;
  await go(page, '/corrections');
  await page.getByRole('button', { name: 'Ask for a correction' }).click();
  const dialog = page.getByRole('dialog', { name: 'Ask for a correction' });
  await dialog.getByLabel('What is wrong, and what should it be?').fill('My middle name is missing');
  await dialog.getByLabel('How do you know?').fill('It is on my card');
  await context.setOffline(true);
  await dialog.getByRole('button', { name: 'Send request' }).click();
  await dialog.getByRole('alert').getByText('You are offline').waitFor();
  assert.equal(await dialog.getByLabel('How do you know?').inputValue(), 'It is on my card');
  await context.setOffline(false);
  await dialog.getByRole('button', { name: 'Send request' }).click();
  await page.getByText('Your request is with the practice.').waitFor();
});

/** Where the API answers with what people wrote or a practice recorded. */
const WRITTEN = new Set(['name', 'text', 'title', 'display', 'medication', 'dosage', 'reasons', 'notes', 'reason', 'change', 'explanation', 'type_name', 'practitioner_name', 'location', 'description', 'roles', 'authors', 'lines', 'city', 'phone', 'site', 'outcome', 'reactions', 'manifestations', 'prescriber', 'body_sites', 'user_agent']);

test('naughty strings are shown as they are, and do nothing', async () => {
  const window = await open(browser);
  const { page, seen, context } = window;
  await signInAs(page, account);
  await page.setViewportSize({ width: 360, height: 800 });
  await settled(page);
  let next = 0;
  const asNaughty = (value, key) => {
    if (typeof value === 'string') return WRITTEN.has(key) ? naughty[next++ % naughty.length] : value;
    if (Array.isArray(value)) return value.map((one) => asNaughty(one, key));
    if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, asNaughty(one, name)]));
    return value;
  };
  await page.route('**/v1/patients/**', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: asNaughty(await response.json()) });
  });
  const dialogs = [];
  page.on('dialog', (dialog) => {
    dialogs.push(dialog.message());
    void dialog.dismiss();
  });
  const before = await page.evaluate(() => Object.keys(window).length);
  const shown = new Set();
  const look = async (path) => {
    const foreign = await page.evaluate(() => [...document.querySelectorAll('main :is(script, iframe, img, object, embed, link, style, audio, video, form[action], a[href^="javascript"])')].map((node) => node.outerHTML));
    assert.deepEqual(foreign, [], path);
    // Nothing breaks within a letter, and some have a hundred marks.
    const wide = await page.evaluate(() => [...document.querySelectorAll('main :not(.unseen, svg *, .table-scroll *)')]
      .filter((node) => node.children.length === 0 && node.getBoundingClientRect().right > innerWidth + 1 && !/\p{M}{9}/u.test(node.textContent))
      .map((node) => `${node.nodeName} ${node.className} ${node.textContent.slice(0, 60)}`));
    assert.deepEqual(wide, [], `${path} keeps its width`);
    const text = await page.locator('main').evaluate((node) => node.textContent);
    for (const one of naughty) if (one.trim().length > 1 && text.includes(one)) shown.add(one);
  };
  const paths = [...Object.values(SCREENS), '/health-record/allergies', '/health-record/procedures', '/health-record/immunizations', '/health-record/care-plans', '/health-record/care-teams'];
  // A record may have fewer texts than the list.
  for (let rounds = 0; rounds < 4 && next <= naughty.length; rounds += 1) {
    for (const path of [...paths, '/lab-results']) {
      await go(page, '/security');
      await go(page, path);
      await look(path);
    }
    await page.reload();
    await settled(page);
  }
  await go(page, '/lab-results');
  await page.locator('a.row').first().click();
  await page.getByRole('heading', { level: 2, name: 'Your result' }).waitFor();
  await settled(page);
  await look('a result');
  assert.ok(next > naughty.length, `all of them were sent: ${next}`);
  assert.ok(shown.size > 100, `and many are on the screen: ${shown.size}`);
  assert.ok(Math.abs((await page.evaluate(() => Object.keys(window).length)) - before) < 3, 'no name appeared');
  clean(window);
  assert.deepEqual(dialogs, []);
  assert.ok([...seen.urls].every((url) => /^(about|data|blob):/.test(url) || url.startsWith(at('/'))), 'nothing else was asked');
  await context.close();
});

test('everything is there in Spanish', async () => {
  const { page } = window_;
  await go(page, '/');
  await page.getByRole('button', { name: 'Español' }).click();
  await page.getByRole('heading', { name: 'Resultados nuevos' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
  await examine(page, 'home-es');
  // What the portal itself says, too.
  await go(page, '/who-looked');
  await page.locator('main select').selectOption('portal');
  // What was imported comes last.
  const imported = page.getByText('Actualizó el expediente').first();
  const more = page.getByRole('button', { name: 'Mostrar más' });
  await imported.or(more).first().waitFor();
  while (!(await imported.isVisible())) {
    await Promise.all([page.waitForResponse((response) => response.url().includes('cursor=')), more.click()]);
    await imported.or(more).first().waitFor();
  }
  await page.getByText('Lo envió el sistema de expedientes del consultorio.').first().waitFor();
  await examine(page, 'who-looked-es');
  await page.getByLabel('Mostrar').selectOption('anyone');
  await settled(page);
  const told = page.locator('main ul.stack > li');
  await told.first().waitFor();
  const sentences = await told.locator('h2, p:not(.hint)').allInnerTexts();
  assert.ok(sentences.length > 2);
  for (const one of sentences) assert.doesNotMatch(one, /\b(the|Looked|Opened|Tried|Somebody|You|They|It is)\b/, one);
  for (const path of Object.values(SCREENS)) {
    await go(page, path);
    await page.waitForFunction(() => document.title.endsWith(' – Portal del paciente'));
  }
  // The choice of a language keeps the focus where it is.
  await page.getByRole('button', { name: 'English' }).click();
  await titled(page, 'Sign-in and security – Patient portal');
  assert.notEqual(await page.evaluate(() => document.activeElement.tagName), 'H1');
});

test('who was offline until the token ran out is signed in still', async () => {
  const window = await open(browser);
  const { page, context } = window;
  await context.clock.install();
  await signInAs(page, account);
  await settled(page);
  let asked = 0;
  await page.route('**/cognito/', (route) => {
    asked += 1;
    return route.abort();
  });
  await context.clock.fastForward('06:00');
  await page.keyboard.press('Shift');
  await page.getByRole('navigation').getByRole('link', { name: 'Prescriptions' }).click();
  await page.getByRole('alert').getByText('We cannot reach the portal').waitFor();
  assert.ok(asked > 0, 'a new token was asked for');
  await page.unroute('**/cognito/');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.getByRole('button', { name: /Ask for a refill/ }).first().waitFor();
  clean(window);
  await context.close();
});

test('a new token is the other tab’s, too', async () => {
  const { page, context } = await open(browser);
  await signInAs(page, neighbour);
  await settled(page);
  const opened = context.waitForEvent('page');
  await page.evaluate(() => void open('/lab-results'));
  const other = await opened;
  await settled(other);
  const before = await tokenOf(page);
  assert.equal(await tokenOf(other), before);
  let refused = false;
  await page.route('**/health-record?section=immunizations*', (route) => {
    if (refused) return route.continue();
    refused = true;
    return refuse(route, 401, 'unauthenticated');
  });
  await go(page, '/health-record/immunizations');
  const renewed = await tokenOf(page);
  assert.notEqual(renewed, before);
  await other.waitForFunction((token) => Object.values(sessionStorage).includes(token), renewed);
  await context.close();
});

test('a screen that was never loaded comes once there is a connection again', async () => {
  const window = await open(browser);
  const { page, context } = window;
  await signInAs(page, account);
  await settled(page);
  await context.setOffline(true);
  await page.getByRole('navigation').getByRole('link', { name: 'Corrections' }).click();
  await page.getByText('You are offline. What you see').waitFor();
  await page.waitForTimeout(1500);
  assert.equal(await page.getByRole('navigation').count() > 0, true, 'the app is there');
  await context.setOffline(false);
  await page.getByRole('heading', { level: 1, name: 'Corrections' }).waitFor();
  clean(window);
  await context.close();
});

test('nothing of the record is in what the browser keeps', async () => {
  const { page, seen } = window_;
  assert.ok(seen.titles.size > Object.keys(SCREENS).length / 2, 'titles are watched');
  const stored = await traces(window_);
  for (const canary of canaries) {
    for (const spelling of [canary, encodeURIComponent(canary)]) assert.ok(!stored.includes(spelling), `${canary.length} letters of the record are kept`);
  }
  const { workers, caches, names, local } = await kept(page);
  assert.deepEqual({ workers, caches }, { workers: 0, caches: [] });
  // Drafts and what was seen of keys, sealed or as digests: another test looks into them.
  for (const name of names) assert.ok(['portal-drafts', 'portal-memory'].includes(name), name);
  assert.deepEqual(Object.keys(local), ['language']);
  clean(window_);
});

test('nobody there: a warning after 13 minutes, the end after 15', async () => {
  const { page, context } = await open(browser);
  await context.clock.install();
  await signInAs(page, neighbour);
  await settled(page);
  // A tab that the first one opens has its tokens.
  const opened = context.waitForEvent('page');
  await page.evaluate(() => void open('/prescriptions'));
  const tabs = [page, await opened];
  const [, other] = tabs;
  await settled(other);
  const pass = (time) => context.clock.fastForward(time);
  const warning = (tab) => tab.getByRole('dialog', { name: 'Are you still there?' });
  const warned = async () => (await Promise.all(tabs.map((tab) => warning(tab).count()))).join();

  await pass('12:50');
  assert.equal(await warned(), '0,0', 'not before 13 minutes');
  await pass('00:15');
  for (const tab of tabs) await warning(tab).waitFor();
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await accessible(page, `the warning ${theme}`);
  }
  await shoot(page, 'idle-warning');
  await warning(page).getByRole('button', { name: 'Stay signed in' }).click();
  for (const tab of tabs) await warning(tab).waitFor({ state: 'detached' });

  // What is done in one tab counts for the other.
  await pass('10:00');
  await other.keyboard.press('Shift');
  await pass('10:00');
  assert.equal(await warned(), '0,0');
  await pass('04:50');
  for (const tab of tabs) await warning(tab).waitFor();
  assert.deepEqual(tabs.map((tab) => new URL(tab.url()).pathname), ['/', '/prescriptions'], 'not before 15 minutes');
  await pass('00:15');
  for (const tab of tabs) {
    await tab.getByText('We signed you out because the portal was not used').waitFor();
    assert.deepEqual(Object.keys((await kept(tab)).session), []);
  }
  await context.close();
});

test('a tab that is brought back after 15 minutes is signed out before it shows anything', async () => {
  const { page, context } = await open(browser);
  // Nobody has to wait for another code.
  const people = [account, neighbour, as('privacy-officer')];
  await signInAs(page, people.shift());
  await settled(page);
  const left = (ago) => page.evaluate((at) => sessionStorage.setItem('active-at', String(at)), Date.now() - ago);

  await left(14 * 60_000);
  await page.reload();
  await settled(page);
  assert.equal(new URL(page.url()).pathname, '/', 'not before 15 minutes');

  const asked = [];
  page.on('request', (request) => request.url().includes('/v1/') && asked.push(request.url()));
  for (const [what, leave] of Object.entries({
    'an hour ago': () => left(60 * 60_000),
    'in an hour': () => left(-60 * 60_000),
    'nobody knows when': () => page.evaluate(() => sessionStorage.removeItem('active-at')),
  })) {
    if (new URL(page.url()).pathname !== '/') {
      await signInAs(page, people.shift());
      await settled(page);
      asked.length = 0;
    }
    await leave();
    await page.reload();
    await page.getByText('We signed you out because the portal was not used').waitFor();
    assert.deepEqual(asked, [], what);
    assert.deepEqual(Object.keys((await kept(page)).session), [], what);
  }
  await context.close();
});

test('a tab that is brought back goes on while another one is in use', async () => {
  const { page, context } = await open(browser);
  await signInAs(page, account);
  await settled(page);
  const opened = context.waitForEvent('page');
  await page.evaluate(() => void open('/prescriptions'));
  const other = await opened;
  await settled(other);
  await other.evaluate((at) => sessionStorage.setItem('active-at', String(at)), Date.now() - 60 * 60_000);
  await page.keyboard.press('Shift');
  await other.reload();
  await settled(other);
  assert.equal(new URL(other.url()).pathname, '/prescriptions');
  await context.close();
});

test('who else uses the browser keeps nobody’s session alive, and ends nobody’s', async () => {
  const { page, context } = await open(browser);
  await context.clock.install();
  const theirs = await context.newPage();
  for (const [tab, role] of [[page, 'provider'], [theirs, 'admin']]) {
    await signInAs(tab, as(role));
    await settled(tab);
  }
  await context.clock.fastForward('14:00');
  for (const tab of [page, theirs]) await tab.getByRole('dialog', { name: 'Are you still there?' }).waitFor();
  await theirs.getByRole('button', { name: 'Stay signed in' }).click();
  await context.clock.fastForward('01:30');
  await page.getByText('We signed you out because the portal was not used').waitFor();
  await go(theirs, '/security');
  assert.equal(new URL(theirs.url()).pathname, '/security');
  // Nor does the browser bring one back for them.
  await signInAs(page, as('provider'));
  await settled(page);
  await page.evaluate(() => sessionStorage.setItem('active-at', String(Date.now() - 3_600_000)));
  await theirs.keyboard.press('Shift');
  await page.reload();
  await page.getByText('We signed you out because the portal was not used').waitFor();
  await go(theirs, '/activation-codes');
  assert.equal(new URL(theirs.url()).pathname, '/activation-codes');
  await context.close();
});

test('a session ends after 15 minutes on an address that does not exist, too', async () => {
  const { page, context } = await open(browser);
  await context.clock.install();
  await signInAs(page, as('privacy-officer'));
  await settled(page);
  await go(page, '/no-such-screen');
  await page.getByRole('heading', { name: 'This page does not exist' }).waitFor();
  await context.clock.fastForward('15:05');
  await page.getByText('We signed you out because the portal was not used').waitFor();
  assert.deepEqual(Object.keys((await kept(page)).session), []);
  await context.close();
});

test('nobody signs in where somebody is, and a session that is gone takes the page with it', async () => {
  const { page, context } = await open(browser);
  await signInAs(page, neighbour);
  await settled(page);
  for (const path of ['/activate', '/forgotten-password', '/sign-in']) {
    await page.evaluate((to) => {
      history.pushState(null, '', to);
      dispatchEvent(new PopStateEvent('popstate', { state: null }));
    }, path);
    await page.waitForURL(at('/'));
    await settled(page);
  }
  // As Amplify does when Cognito refuses a token.
  await page.evaluate(() => {
    window.isThisPage = true;
    for (const name of Object.keys(sessionStorage)) if (name.startsWith('CognitoIdentityServiceProvider')) sessionStorage.removeItem(name);
  });
  await page.getByRole('navigation').getByRole('link', { name: 'Documents' }).click();
  await page.getByText('Your session has ended.').waitFor();
  assert.equal(await page.evaluate(() => window.isThisPage), undefined);
  await context.close();
});

test('what somebody entered and left at the sign-in screens is gone after 15 minutes', async () => {
  const { page, context } = await open(browser);
  await context.clock.install();
  await page.goto(at('/activate'));
  await settled(page);
  const field = page.getByLabel('Record number');
  await field.pressSequentially('12345');
  await context.clock.fastForward('14:00');
  assert.equal(await field.inputValue(), '12345');
  await page.keyboard.press('Shift');
  await context.clock.fastForward('14:00');
  assert.equal(await field.inputValue(), '12345');
  const gone = page.waitForEvent('load');
  await context.clock.fastForward('01:05');
  await gone;
  await settled(page);
  assert.equal(await field.inputValue(), '');
  await context.close();
});

test('a document from elsewhere is saved as what it is, and never as a program', async () => {
  const { page } = window_;
  const id = randomUUID();
  const contents = [
    { title: 'Letter.pdf.exe', content_type: 'text/html', data: btoa('<script>1</script>') },
    { title: '..\u002f\u202efdp.exe', content_type: 'application/PDF; x=y', data: btoa('%PDF-1.7') },
    { title: 'Report.PDF', content_type: 'application/pdf', data: btoa('%PDF-1.7') },
    { title: 'Re\u202eport', content_type: 'constructor', data: btoa('%PDF-1.7') },
  ];
  const url = (at) => at.pathname.endsWith(`/documents/${id}`) && at.pathname.startsWith('/v1/');
  await page.route(url, (route) => route.fulfill({ headers: { 'cache-control': 'no-store' }, json: { kind: 'clinical', id, status: 'current', contents } }));
  await go(page, `/documents/${id}`);
  const buttons = page.getByRole('button', { name: 'Save to this device' });
  for (const [at, name] of ['Letter.pdf.exe.bin', '..  fdp.exe.pdf', 'Report.PDF', 'Re port.bin'].entries()) {
    const download = page.waitForEvent('download');
    await buttons.nth(at).click();
    // The browser itself has no file begin with a point.
    assert.equal((await download).suggestedFilename().replace(/^[._ ]+/, ''), name.replace(/^[. ]+/, ''));
  }
  await page.unroute(url);
});

test('signing out in one tab is signing out in all of them', async () => {
  const { page, context } = await open(browser);
  await signInAs(page, neighbour);
  await settled(page);
  const opened = context.waitForEvent('page');
  await page.evaluate(() => void open('/lab-results'));
  const other = await opened;
  await settled(other);
  await other.getByRole('button', { name: 'Sign out' }).first().click();
  for (const tab of [page, other]) {
    await tab.getByText('You are signed out.').waitFor();
    assert.deepEqual(Object.keys((await kept(tab)).session), []);
  }
  await context.close();
});

test('after signing out there is nothing, also not behind the back button', async () => {
  const { page } = window_;
  await go(page, '/lab-results');
  await page.getByRole('button', { name: 'Sign out' }).first().click();
  await page.getByText('You are signed out.').waitFor();
  assert.deepEqual(Object.keys((await kept(page)).session), []);
  await page.evaluate(() => history.back());
  // The screen before is gone to, and nobody is let in.
  await page.waitForURL(at('/sign-in'));
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  const text = await page.evaluate(() => document.body.innerText);
  for (const canary of canaries) assert.ok(!text.includes(canary));
});
