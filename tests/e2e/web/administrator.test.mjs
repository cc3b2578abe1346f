// An administrator's work in a real browser on the deployed portal: invitations, roles, accounts that
// are switched off and on, activation codes.

import { after, before, test } from 'node:test';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { api, cognito, firstSignIn, practitioners, signedIn } from '../portal.mjs';
import { as, at, clean, discreet, escape, examine, foreign, go, launch, open, refuse, settled, signInAs, titled, tokenOf, write } from './browser.mjs';

const email = `another.${randomUUID().slice(0, 8)}@example.org`;

let browser;
let admin;
let patient;
/** Somebody of the directory who has no account. */
let practitioner;

before(async () => {
  browser = await launch();
  admin = await open(browser);
  await signInAs(admin.page, as('admin'));
  const token = await signedIn(as('provider'));
  const { json: { patients } } = await api('GET', '/v1/my-patients', { token });
  [patient] = patients;
  const taken = await Promise.all(patients.map(({ id }) => api('GET', `/v1/patients/${id}/care-team`, { token })));
  const treating = new Set(taken.flatMap(({ json }) => json.members.map((one) => one.practitioner)));
  ({ practitioner } = (await practitioners()).findLast((one) => !treating.has(one.practitioner)));
});
after(() => browser?.close());

const SCREENS = {
  users: ['/', 'People'],
  invite: ['/users/invite', 'Invite somebody'],
  codes: ['/activation-codes', 'Activation codes'],
  security: ['/security', 'Sign-in and security'],
};

for (const [name, [path, title]] of Object.entries(SCREENS)) {
  test(`${name}: accessible in both themes, and it fits`, async () => {
    const { page } = admin;
    await go(page, path);
    await titled(page, `${title} – Patient portal`);
    assert.equal(await page.getByRole('alert').count(), 0, 'nothing went wrong');
    await examine(page, `admin-${name}`);
    clean(admin);
  });
}

test('an address of another role says so, and nothing is asked of the portal', async () => {
  await foreign(admin.page, ['/inbox', '/lab-holds', '/audit-log', `/patients/${patient.id}`]);
  await examine(admin.page, 'admin-foreign');
});

/** The card of the account, once it is found. */
async function found(page) {
  await page.locator('nav').getByRole('link', { name: 'People' }).click();
  await settled(page);
  await page.getByLabel('E-mail address begins with').fill(email.slice(0, 12));
  await page.getByRole('button', { name: 'Search' }).click();
  const card = page.locator('section.card').filter({ has: page.getByRole('heading', { name: email }) });
  await card.waitFor();
  return card;
}

/** The account as the portal has it. */
async function stored(page) {
  const { json } = await api('POST', '/v1/users/search', { token: await tokenOf(page), body: { search: email } });
  return json.users[0];
}

test('an administrator invites somebody, and is told what takes two', async () => {
  const { page } = admin;
  await go(page, '/users/invite');
  await page.getByLabel('Role').selectOption('admin');
  await page.getByText('This takes two administrators').waitFor();
  await examine(page, 'admin-invite-admin');
  await page.getByLabel('Role').selectOption('privacy-officer');
  const address = page.getByLabel('E-mail address');
  const send = page.getByRole('button', { name: 'Send the invitation' });
  for (const [typed, says] of [['', 'Fill in “E-mail address”.'], ['nobody', 'Enter an e-mail address, like name@example.com.']]) {
    await address.fill(typed);
    await send.click();
    await page.getByText(says).waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute('name')), 'email');
  }
  await examine(page, 'admin-invite-wrong');
  await page.route('**/v1/users', (route) => refuse(route, 400, 'invalid-input', { errors: [{ pointer: '/email', detail: '' }] }));
  await address.fill(email);
  await send.click();
  await page.getByText('Please check this.').waitFor();
  await page.unroute('**/v1/users');
  // By keyboard alone.
  await page.getByLabel('E-mail address').fill('');
  await page.reload();
  await settled(page);
  await write(page, 'Role', 'Privacy');
  await write(page, 'E-mail address', email);
  await page.keyboard.press('Enter');
  await page.getByText('The invitation is sent.').waitFor();
  const card = await found(page);
  await card.getByText('Privacy officer', { exact: true }).waitFor();
  await examine(page, 'admin-users-found');
});

test('somebody gets another role', async () => {
  const { page } = admin;
  const card = await found(page);
  await card.getByRole('button', { name: /^Change the role/ }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Role').selectOption('provider');
  await examine(page, 'admin-role');
  await escape(page, /^Change the role/);
  await card.getByRole('button', { name: /^Change the role/ }).click();
  await dialog.getByLabel('Role').selectOption('provider');
  await dialog.getByLabel('Number in the directory').fill(practitioner);
  await dialog.getByRole('button', { name: 'Change the role' }).click();
  await page.getByText(`The role of ${email} is changed.`).waitFor();
  await card.getByText('Provider', { exact: true }).waitFor();
  const user = await stored(page);
  assert.deepEqual([user.role, user.practitioner], ['provider', practitioner]);
});

test('an account is switched off, and on again; its sessions are ended', async () => {
  const { page } = admin;
  const card = await found(page);
  await card.getByRole('button', { name: /^Switch off/ }).click();
  await examine(page, 'admin-switch-off');
  await page.getByRole('dialog').getByRole('button', { name: 'Switch off' }).click();
  await page.getByText(`The account of ${email} is changed.`).waitFor();
  await card.getByText('Switched off').waitFor();
  assert.equal((await stored(page)).status, 'disabled');
  await card.getByRole('button', { name: /^Switch on/ }).click();
  await examine(page, 'admin-switch-on');
  await page.getByRole('dialog').getByRole('button', { name: 'Switch on' }).click();
  await card.getByRole('button', { name: /^Switch off/ }).waitFor();
  assert.notEqual((await stored(page)).status, 'disabled');
  await card.getByRole('button', { name: /^Sign out everywhere/ }).click();
  await examine(page, 'admin-sign-out');
  await page.getByRole('dialog').getByRole('button', { name: 'Sign out everywhere' }).click();
  await page.getByText(`${email} is signed out everywhere.`).waitFor();
});

test('an authenticator that was lost is taken away, and another one is set up at the next sign-in', async () => {
  const { page } = admin;
  const temporaryPassword = `Temporary-${randomUUID()}-1`;
  const password = `Correct horse ${randomUUID()} Staple`;
  await cognito('AdminSetUserPassword', { Username: email, Password: temporaryPassword, Permanent: false });
  await firstSignIn({ email, temporaryPassword, password });
  const card = await found(page);
  await card.getByText('Set up', { exact: true }).waitFor();
  const lost = card.getByRole('button', { name: /^Lost authenticator/ });
  await lost.click();
  const dialog = page.getByRole('dialog');
  await examine(page, 'admin-reset');
  await escape(page, /^Lost authenticator/);
  await lost.click();
  await dialog.getByLabel('How do you know who it is?').selectOption('callback-to-number-on-file');
  await dialog.getByRole('button', { name: 'Take it away' }).click();
  await page.getByText(`At the next sign-in, ${email} sets up a new authenticator.`).waitFor();
  await card.getByText('Not set up yet').waitFor();
  assert.equal(await lost.count(), 0);
  assert.equal((await stored(page)).mfa, false);
  const theirs = await open(browser);
  await theirs.page.goto(at('/sign-in'));
  await theirs.page.getByLabel('E-mail address').fill(email);
  await theirs.page.getByLabel('Password', { exact: true }).fill(password);
  await theirs.page.getByRole('button', { name: 'Continue' }).click();
  await theirs.page.getByRole('heading', { name: 'Set up your sign-in codes' }).waitFor();
  clean(admin, theirs);
  await theirs.context.close();
});

test('an activation code is shown once', async () => {
  const { page } = admin;
  await go(page, '/activation-codes');
  await page.getByLabel('Record number').fill(patient.mrn);
  await page.getByRole('button', { name: 'Make a code' }).click();
  const code = page.locator('.big-code');
  await code.waitFor();
  const shown = await code.innerText();
  assert.match(shown, /\S{8,}/);
  await examine(page, 'admin-code');
  await page.getByRole('button', { name: 'Done' }).click();
  await code.waitFor({ state: 'detached' });
  assert.ok(!(await page.locator('body').innerText()).includes(shown));
});

test('everything is there in Spanish', async () => {
  const { page } = admin;
  await go(page, '/');
  await page.getByRole('button', { name: 'Español' }).click();
  await page.locator('nav').getByRole('link', { name: 'Personas' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'es');
  await examine(page, 'admin-es');
});

test('nothing of anybody is in what the browser keeps', () =>
  discreet(admin, [patient.name, patient.mrn, patient.birth_date, email]));
