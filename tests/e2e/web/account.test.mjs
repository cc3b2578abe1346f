// The way into the portal in a real browser: a letter with a code, the first password, an
// authenticator; and back in after the password was forgotten. By keyboard alone.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { TOTP } from 'otpauth';
import { code, cognito, issueCode } from '../portal.mjs';
import { accessible, at, kept, launch, open, settled, shoot } from './browser.mjs';

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
  const { page, seen, context } = await open(browser);
  await page.goto(at('/activate'));
  await settled(page);
  await type(page, 'Record number', mrn);
  const [year, month, day] = patient.birthDate.split('-');
  await type(page, 'Date of birth', `${month}${day}${year}`);
  await type(page, 'Code from the letter', '0000-0000-0000-0000');
  await type(page, 'Your e-mail address', email);
  await page.keyboard.press('Enter');
  await page.getByRole('alert').getByText('We could not open an account with these details').waitFor();
  await accessible(page, 'activation refused');
  await page.getByLabel('Code from the letter').fill(issueCode(mrn, patient.birthDate));
  await page.getByLabel('Code from the letter').press('Enter');

  await page.getByRole('heading', { name: 'Choose a password' }).waitFor();
  await accessible(page, 'first password');
  await shoot(page, 'first-password');
  await type(page, 'New password', 'short');
  await page.keyboard.press('Enter');
  await page.getByText('Use at least 14 characters.').waitFor();
  await page.getByLabel('New password', { exact: true }).fill(password);
  await type(page, 'New password again', password);
  await page.keyboard.press('Enter');

  await page.getByRole('heading', { name: 'Set up your sign-in codes' }).waitFor();
  await page.getByRole('img', { name: 'QR code for your authenticator app' }).waitFor();
  await page.getByText('I cannot scan it').click();
  secret = (await page.locator('.secret').textContent()).replaceAll(' ', '');
  assert.equal(new TOTP({ secret }).secret.base32, secret);
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await accessible(page, `authenticator ${theme}`);
    await shoot(page, `authenticator-${theme}`);
  }
  await type(page, '6-digit code', await code(secret));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  await settled(page);

  assert.deepEqual(seen.violations, []);
  assert.deepEqual(seen.console, []);
  const stored = JSON.stringify([await kept(page), [...seen.urls]]);
  for (const canary of [mrn, patient.birthDate, secret, password]) assert.ok(!stored.includes(canary), 'a secret is kept');
  await context.close();
});

test('a forgotten password is set anew, and the authenticator is asked for all the same', async () => {
  // An address that was given at activation is not verified yet, and gets no code until it is.
  await cognito('AdminUpdateUserAttributes', { Username: email, UserAttributes: [{ Name: 'email_verified', Value: 'true' }] });
  const { page, seen, context } = await open(browser);
  await page.goto(at('/sign-in'));
  await page.getByRole('link', { name: 'I forgot my password' }).click();
  await type(page, 'E-mail address', email);
  await page.keyboard.press('Enter');
  await page.getByLabel('New password', { exact: true }).waitFor();
  await accessible(page, 'new password');
  await shoot(page, 'new-password');
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
  await page.getByLabel('6-digit code').fill(await code(secret));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('heading', { name: /^Hello/ }).waitFor();
  assert.deepEqual(seen.violations, []);
  assert.deepEqual(seen.console, []);
  await context.close();
});

test('who forgot it and has no account is told the same', async () => {
  const { page, context } = await open(browser);
  await page.goto(at('/forgotten-password'));
  await page.getByLabel('E-mail address').fill(`nobody.${randomUUID()}@example.org`);
  await page.getByLabel('E-mail address').press('Enter');
  await page.getByLabel('New password', { exact: true }).waitFor();
  await context.close();
});
