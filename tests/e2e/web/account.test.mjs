// The way into the portal in a real browser: a letter with a code, the first password, an
// authenticator; and back in after the password was forgotten. By keyboard alone.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { TOTP } from 'otpauth';
import { code, issueCode, mails, pause, wrongCode } from '../portal.mjs';
import { at, clean, examine, go, kept, launch, open, settled, signInAs } from './browser.mjs';

const samples = new URL('../../data/synthea/', import.meta.url);
const file = readdirSync(samples).find((name) => name.includes('Gladys682_Schumm'));
const bundle = JSON.parse(readFileSync(new URL(encodeURIComponent(file), samples), 'utf8'));
const patient = bundle.entry.map(({ resource }) => resource).find(({ resourceType }) => resourceType === 'Patient');
const mrn = patient.identifier.find(({ type }) => type?.coding?.[0]?.code === 'MR').value;
const email = `gladys.${randomUUID().slice(0, 8)}@example.org`;
const password = `Correct horse ${randomUUID()} Staple`;
const another = `Another horse ${randomUUID()} Staple`;
/** The code that the emulator sends to whoever forgot a password. */
const RESET = '654321';

let browser;
let secret;
/** Where the account is made, and stays signed in. */
let mine;
/** Where it is signed in besides. */
let theirs;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** Types into the field that has the focus, once it is this one. */
async function type(page, label, text) {
  const field = page.getByLabel(label, { exact: true });
  for (let presses = 0; !(await field.evaluate((node) => node === document.activeElement)); presses += 1) {
    assert.ok(presses < 40, `${label} is reached by Tab`);
    await page.keyboard.press('Tab');
  }
  await page.keyboard.type(text);
}

test('a letter with a code becomes an account with a password and an authenticator, by keyboard', async () => {
  mine = await open(browser);
  const { page, seen } = mine;
  await page.goto(at('/activate'));
  await settled(page);
  await type(page, 'Record number', mrn);
  const [year, month, day] = patient.birthDate.split('-');
  await type(page, 'Date of birth', `${month}${day}${year}`);
  await type(page, 'Code from the letter', '0000-0000-0000-0000');
  await type(page, 'Your e-mail address', email);
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('We could not open an account with these details').waitFor();
  await examine(page, 'activation-refused');
  await page.getByLabel('Code from the letter').fill(issueCode(mrn, patient.birthDate));
  await page.getByLabel('Code from the letter').press('Enter');

  await page.getByRole('heading', { name: 'Choose a password' }).waitFor();
  // Whoever took too long begins anew with the same letter, and has not to write it all again.
  await page.getByRole('button', { name: 'Start again' }).click();
  assert.equal(await page.getByLabel('Record number').inputValue(), mrn);
  await page.getByLabel('Code from the letter').press('Enter');
  await page.getByRole('heading', { name: 'Choose a password' }).waitFor();
  await examine(page, 'first-password');
  await type(page, 'New password', 'short');
  await page.keyboard.press('Enter');
  await page.getByText('Use at least 14 characters.').waitFor();
  await page.getByLabel('New password', { exact: true }).fill(password);
  await type(page, 'New password again', password);
  await page.getByLabel('Show the password').check();
  for (const name of ['New password', 'New password again']) assert.equal(await page.getByLabel(name, { exact: true }).getAttribute('spellcheck'), 'false');
  await page.getByLabel('New password again').focus();
  await page.keyboard.press('Enter');

  await page.getByRole('heading', { name: 'Set up your sign-in codes' }).waitFor();
  await page.getByRole('img', { name: 'QR code for your authenticator app' }).waitFor();
  await page.getByText('I cannot scan it').click();
  secret = (await page.locator('.secret').textContent()).replaceAll(' ', '');
  assert.equal(new TOTP({ secret }).secret.base32, secret);
  await examine(page, 'authenticator');
  await type(page, '6-digit code', wrongCode(secret));
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('This code is not right').waitFor();
  await page.getByLabel('6-digit code').fill(await code(secret));
  await page.getByLabel('6-digit code').press('Enter');
  await page.getByRole('heading', { name: 'Confirm your e-mail address' }).waitFor();
  await settled(page);
  await examine(page, 'confirm-address');

  clean(mine);
  const stored = JSON.stringify([await kept(page), [...seen.urls]]);
  for (const canary of [mrn, patient.birthDate, secret, password]) assert.ok(!stored.includes(canary), 'a secret is kept');
});

/** The code in the mail that came last, once there are more than so many. */
async function mailed(to, before, form) {
  for (let tries = 0; tries < 100; tries += 1) {
    const all = await mails(to);
    if (all.length > before) return all.at(-1).BodyText.match(form)[0];
    await pause(100);
  }
  return assert.fail('no mail came');
}

test('before the address is confirmed no code comes to it for who forgot the password', async () => {
  const { page, context } = await open(browser);
  await page.goto(at('/forgotten-password'));
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('E-mail address').press('Enter');
  await page.getByLabel('New password', { exact: true }).waitFor();
  await page.getByLabel('Code from the e-mail').fill(RESET);
  await page.getByLabel('New password', { exact: true }).fill(another);
  await page.getByLabel('New password again').fill(another);
  await page.getByRole('button', { name: 'Save password' }).click();
  await page.getByRole('alert').getByText('This code is not right, or it is too old').waitFor();
  assert.deepEqual(await mails(email), []);
  await context.close();
});

test('the address is confirmed with a code that comes to it, later than at once', async () => {
  const { page } = mine;
  await page.getByRole('link', { name: 'Later' }).click();
  await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  await settled(page);
  await go(page, '/security');
  await page.getByText('Your address is not confirmed yet').waitFor();
  await examine(page, 'security-unconfirmed');
  await page.getByRole('link', { name: 'Confirm my address' }).click();
  await page.getByRole('button', { name: 'Send me a code' }).press('Enter');
  const first = await mailed(email, 0, /\d{6}/);
  assert.equal(await page.getByLabel('Code from the e-mail').evaluate((node) => node === document.activeElement), true, 'the code can be typed at once');
  await page.keyboard.type(first === '000000' ? '000001' : '000000');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('This code is not right, or it is too old').waitFor();
  await examine(page, 'confirm-address-wrong');
  await page.getByRole('button', { name: 'Send another code' }).click();
  await page.getByLabel('Code from the e-mail').fill(await mailed(email, 1, /\d{6}/));
  await page.keyboard.press('Enter');
  await page.getByText('Your address is confirmed.').waitFor();
  await examine(page, 'confirm-address-done');
  await page.getByRole('link', { name: 'Go to the start page' }).click();
  await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  await go(page, '/security');
  await page.getByText('Your address is confirmed.').waitFor();
  clean(mine);
});

test('a forgotten password is set anew, and the authenticator is asked for all the same', async () => {
  theirs = await open(browser);
  const { page } = theirs;
  await page.goto(at('/sign-in'));
  await page.getByRole('link', { name: 'I forgot my password' }).click();
  await type(page, 'E-mail address', email);
  await page.keyboard.press('Enter');
  await page.getByLabel('New password', { exact: true }).waitFor();
  await examine(page, 'new-password');
  await type(page, 'Code from the e-mail', RESET);
  await type(page, 'New password', another);
  await type(page, 'New password again', another);
  await page.keyboard.press('Enter');
  await page.getByText('Your new password is saved.').waitFor();

  const signIn = async (word) => {
    await page.getByLabel('E-mail address').fill(email);
    await page.getByLabel('Password', { exact: true }).fill(word);
    await page.getByRole('button', { name: 'Continue' }).click();
  };
  await signIn(password);
  await page.getByRole('alert').getByText('The e-mail address or the password is not right').waitFor();
  await signIn(another);
  await page.getByLabel('6-digit code').waitFor();
  await examine(page, 'sign-in-code');
  await page.getByLabel('6-digit code').fill(await code(secret));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  clean(theirs);
});

test('one of two sessions is ended from the other, and each attempt to sign in is listed', async () => {
  const { page } = mine;
  await go(page, '/');
  await go(page, '/security');
  const now = page.getByRole('region', { name: 'Signed in now' });
  assert.equal(await now.getByText('this one').count(), 1);
  const attempts = page.getByRole('region', { name: 'Sign-ins and attempts' }).getByRole('listitem');
  await attempts.filter({ hasText: 'Sign-in: done' }).first().waitFor();
  await examine(page, 'security-sessions');
  const end = now.getByRole('button', { name: /^Sign out ?: / });
  await end.waitFor();
  assert.equal(await end.count(), 1);
  await end.click();
  await end.waitFor({ state: 'detached' });
  await theirs.page.getByRole('navigation').getByRole('link', { name: 'Prescriptions' }).click();
  await theirs.page.getByText('Your session has ended. Please sign in again.').waitFor();
  assert.deepEqual(Object.keys((await kept(theirs.page)).session), []);
  await go(page, '/prescriptions');
  assert.equal(await page.getByRole('alert').count(), 0, 'the other goes on');
  clean(mine, theirs);
});

test('another e-mail address takes a code from each, and signs out everywhere', async () => {
  const { page } = mine;
  const next = email.replace('gladys.', 'gladys.next.');
  await go(page, '/security');
  const card = page.getByRole('region', { name: 'E-mail address you sign in with' });
  await card.getByLabel('New e-mail address').fill('gladys');
  await card.getByRole('button', { name: 'Send the codes' }).click();
  await card.getByText('Enter an e-mail address, like name@example.com.').waitFor();
  const before = (await mails(email)).length;
  await card.getByLabel('New e-mail address').fill(next);
  await card.getByRole('button', { name: 'Send the codes' }).click();
  await card.getByText('Two e-mails are on their way.').waitFor();
  await examine(page, 'security-address-codes');
  const [old, fresh] = [await mailed(email, before, /\b[0-9A-Z]{4}-[0-9A-Z]{4}\b/), await mailed(next, 0, /\b[0-9A-Z]{4}-[0-9A-Z]{4}\b/)];
  const change = async (one, other) => {
    await card.getByLabel('Code from the old address').fill(one);
    await card.getByLabel('Code from the new address').fill(other);
    await card.getByRole('button', { name: 'Change the address' }).click();
  };
  await change(fresh, old);
  await card.getByRole('alert').waitFor();
  await examine(page, 'security-address-refused');
  await change(old, fresh);
  await page.getByText('Your address is changed. Sign in with the new one.').waitFor();
  assert.deepEqual(Object.keys((await kept(page)).session), []);
  await signInAs(page, { email: next, password: another, totp_secret: secret });
  await settled(page);
  assert.ok(![...mine.seen.urls].some((url) => url.includes('gladys')), 'no address is in an address');
  clean(mine);
});

test('signing out everywhere ends this session and every other', async () => {
  const { page } = mine;
  await signInAs(theirs.page, { email: email.replace('gladys.', 'gladys.next.'), password: another, totp_secret: secret });
  await settled(theirs.page);
  await go(page, '/security');
  await page.getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.getByText('You are signed out on all your devices.').waitFor();
  assert.deepEqual(Object.keys((await kept(page)).session), []);
  await theirs.page.getByRole('navigation').getByRole('link', { name: 'Documents' }).click();
  await theirs.page.getByText('Your session has ended. Please sign in again.').waitFor();
  clean(mine, theirs);
});

test('who forgot it and has no account is told the same', async () => {
  const { page, context } = await open(browser);
  await page.goto(at('/forgotten-password'));
  await page.getByLabel('E-mail address').fill(`nobody.${randomUUID()}@example.org`);
  await page.getByLabel('E-mail address').press('Enter');
  await page.getByLabel('New password', { exact: true }).waitFor();
  await context.close();
});
