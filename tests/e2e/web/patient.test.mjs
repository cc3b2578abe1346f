// What a patient sees, in a real browser on the deployed portal: every screen in both themes and at
// three widths, accessible, without a violation of the policy, and without a personal word in
// anything that the browser keeps.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { accounts, api, signedIn } from '../portal.mjs';
import { accessible, at, downloaded, examine, fits, go, kept, launch, open, settled, shoot, signInAs, tabTo, WIDTHS, titled } from './browser.mjs';

const account = accounts.find(({ role }) => role === 'patient');
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
    const { page, seen, context } = await open(browser, { theme });
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
    assert.deepEqual(seen.violations, []);
    assert.deepEqual(seen.console, []);
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
  await page.getByLabel('6-digit code').fill('000000');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
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
    const { page, seen } = window_;
    await go(page, path);
    await examine(page, name);
    assert.deepEqual(seen.violations, []);
    assert.deepEqual(seen.console, []);
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
  await page.getByRole('heading', { level: 2 }).first().waitFor();
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
  if ((await ask.count()) === 0) return;
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
  const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
  await file.setInputFiles({ name: 'picture.png', mimeType: 'image/png', buffer: png });
  await page.getByText('Your care team can see it now.').waitFor({ timeout: 30_000 });
  await settled(page);
  await examine(page, 'documents-sent');
  await page.getByRole('link', { name: /picture\.png/ }).first().click();
  await settled(page);
  const saved = await downloaded(page, () => page.getByRole('button', { name: 'Save to this device' }).click());
  assert.ok(saved.length > 0);
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

test('what goes wrong has an answer: slow, 429, 503, 404 and offline', async () => {
  const { page, context } = window_;
  const answers = {
    429: ['too-many-requests', 'That was a lot at once'],
    503: ['unavailable', 'The portal is not available right now'],
    404: ['not-found', 'We could not find this'],
  };
  for (const [status, [kind, says]] of Object.entries(answers)) {
    await page.route('**/health-record?section=allergies*', (route) =>
      route.fulfill({ status: Number(status), contentType: 'application/problem+json', headers: { 'retry-after': '7' }, body: JSON.stringify({ type: `/problems/${kind}`, title: '', status: Number(status), detail: '' }) }));
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

test('everything is there in Spanish', async () => {
  const { page } = window_;
  await go(page, '/');
  await page.getByRole('button', { name: 'Español' }).click();
  await page.getByRole('heading', { name: 'Resultados nuevos' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
  await examine(page, 'home-es');
  await page.getByRole('button', { name: 'English' }).click();
  await page.getByRole('heading', { name: 'New results' }).waitFor();
});

test('nothing of the record is in what the browser keeps', async () => {
  const { page, seen, context } = window_;
  const stored = JSON.stringify([await kept(page), await context.cookies(), [...seen.urls], seen.console]);
  for (const canary of canaries) {
    for (const spelling of [canary, encodeURIComponent(canary)]) assert.ok(!stored.includes(spelling), `${canary.length} letters of the record are kept`);
  }
  const { workers, caches, names, local } = await kept(page);
  assert.deepEqual({ workers, caches }, { workers: 0, caches: [] });
  // Drafts and what was seen of keys, sealed or as digests: another test looks into them.
  for (const name of names) assert.ok(['portal-drafts', 'portal-memory'].includes(name), name);
  assert.deepEqual(Object.keys(local), ['language']);
  assert.deepEqual(seen.violations, []);
});

test('nobody there: a warning after 13 minutes, the end after 15', async () => {
  const { page, context } = await open(browser);
  await page.clock.install();
  await signInAs(page, account);
  await settled(page);
  await page.clock.fastForward('13:05');
  const dialog = page.getByRole('dialog', { name: 'Are you still there?' });
  await dialog.waitFor();
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await accessible(page, `the warning ${theme}`);
  }
  await dialog.getByRole('button', { name: 'Stay signed in' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.clock.fastForward('15:05');
  await page.getByText('We signed you out because the portal was not used').waitFor();
  assert.deepEqual(Object.keys((await kept(page)).session), []);
  await context.close();
});

test('after signing out there is nothing, also not behind the back button', async () => {
  const { page } = window_;
  await go(page, '/lab-results');
  await page.getByRole('button', { name: 'Sign out' }).first().click();
  await page.getByText('You are signed out.').waitFor();
  assert.deepEqual(Object.keys((await kept(page)).session), []);
  await page.goBack().catch(() => undefined);
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  const text = await page.evaluate(() => document.body.innerText);
  for (const canary of canaries) assert.ok(!text.includes(canary));
});
