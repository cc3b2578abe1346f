// A browser on the deployed portal. It notes what must never happen: a violation of the policy, a
// word on the console, a personal value where the browser keeps things.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import { accounts, code, portal } from '../portal.mjs';

const PLACES = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = PLACES.find((path) => path && existsSync(path));
if (!executablePath) throw new Error('Chromium is needed: apt install chromium, or name it in CHROMIUM');

/** Where screenshots go, if anybody wants them. */
const shots = process.env.PORTAL_SHOTS;

export const launch = () =>
  chromium.launch({
    executablePath,
    chromiumSandbox: false,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });

/** A window of its own: nothing is shared with another. */
export async function open(browser, { width = 1280, height = 900, theme = 'light', locale = 'en-US' } = {}) {
  const context = await browser.newContext({
    viewport: { width, height },
    colorScheme: theme,
    locale,
    timezoneId: 'America/New_York',
    reducedMotion: 'reduce',
    acceptDownloads: true,
  });
  const page = await context.newPage();
  const seen = { violations: [], console: [], urls: new Set(), titles: new Set() };
  await page.exposeFunction('noteViolation', (text) => seen.violations.push(text));
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      window.noteViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  // The browser itself notes every refused request, by status alone; everything else is the app's.
  page.on('console', (message) => {
    if (!/^Failed to load resource: (the server responded with a status of \d+|net::)/.test(message.text())) seen.console.push(message.text());
  });
  page.on('pageerror', (error) => seen.console.push(`uncaught: ${error.message}`));
  page.on('framenavigated', (frame) => seen.urls.add(frame.url()));
  page.on('request', (request) => seen.urls.add(request.url()));
  return { context, page, seen };
}

export const at = (path) => `${portal.address}${path}`;

/** Signs in as somebody would. */
export async function signInAs(page, { email, password, totp_secret: secret }) {
  await page.goto(at('/sign-in'));
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByLabel('6-digit code').fill(await code(secret));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).first().waitFor({ state: 'attached' });
}

/** The demo account of a role. */
export const as = (role) => accounts.find((account) => account.role === role);

/** The token of whoever is signed in there. */
export const tokenOf = (page) => page.evaluate(() => Object.entries(sessionStorage).find(([name]) => name.endsWith('.accessToken'))[1]);

/** Waits until nothing is being loaded. */
export async function settled(page) {
  await page.locator('h1').first().waitFor();
  await page.waitForFunction(() => !document.querySelector('.skeleton'), undefined, { timeout: 20_000 });
}

/** A route says its title once it is there. */
export const titled = (page, title) => page.waitForFunction((expected) => document.title === expected, title);

/** What axe finds against WCAG 2.0 to 2.2, A and AA. */
export async function accessible(page, what) {
  const { violations } = await new AxeBuilder({ page }).withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']).analyze();
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`);
  assert.deepEqual(found, [], what);
}

export async function shoot(page, name) {
  if (!shots) return;
  mkdirSync(shots, { recursive: true });
  await page.screenshot({ path: join(shots, `${name}.png`), fullPage: true });
}

/** Everything in which a browser keeps something, as text. */
export const kept = (page) =>
  page.evaluate(async () => {
    const names = 'databases' in indexedDB ? (await indexedDB.databases()).map((one) => one.name) : [];
    const caches_ = 'caches' in window ? await caches.keys() : [];
    const workers = navigator.serviceWorker ? (await navigator.serviceWorker.getRegistrations()).length : 0;
    return { local: { ...localStorage }, session: { ...sessionStorage }, cookies: document.cookie, names, caches: caches_, workers, title: document.title, url: location.href, state: JSON.stringify(history.state) };
  });

/** Nothing was against the policy or on the console, and the browser keeps none of these words. */
export async function discreet({ page, seen, context }, words) {
  assert.deepEqual(seen.violations, []);
  assert.deepEqual(seen.console, []);
  const all = await kept(page);
  const stored = JSON.stringify([all, await context.cookies(), [...seen.urls]]);
  for (const word of words) {
    for (const spelling of [word, encodeURIComponent(word)]) assert.ok(!stored.includes(spelling), `${word.length} letters of somebody are kept`);
  }
  assert.deepEqual(Object.keys(all.local), ['language']);
  assert.deepEqual([all.cookies, all.workers, all.caches], ['', 0, []]);
}

/** An address of another role says so, and nothing is asked of the portal. */
export async function foreign(page, paths) {
  for (const path of paths) {
    await go(page, '/security');
    const asked = [];
    const note = (request) => request.url().includes('/v1/') && asked.push(request.url());
    page.on('request', note);
    await go(page, path);
    await page.getByRole('heading', { name: 'This page is not for your account' }).waitFor();
    page.off('request', note);
    assert.deepEqual(asked, []);
  }
}

/** Closes whatever dialog is open, and the focus goes back to what opened it. */
export async function escape(page, opener) {
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.match(await page.evaluate(() => document.activeElement.textContent), opener, 'the focus goes back');
}

/** The widths of a telephone, a tablet and a computer. */
export const WIDTHS = [360, 768, 1280];

/** Goes somewhere within the app, which stays loaded, and the tokens with it. */
export async function go(page, path) {
  const moved = await page.evaluate((to) => {
    if (location.pathname === to) return false;
    document.querySelector('article.page')?.setAttribute('data-left', '');
    history.pushState(null, '', to);
    dispatchEvent(new PopStateEvent('popstate', { state: null }));
    return true;
  }, path);
  if (moved) await page.locator('article.page:not([data-left])').waitFor();
  await settled(page);
}

/** Accessible in both themes, and at every width without scrolling sideways. */
export async function examine(page, name) {
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await accessible(page, `${name} ${theme}`);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      await shoot(page, `${name}-${theme}-${width}`);
      assert.ok(await fits(page), `${name} at ${width}`);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Whether nothing has to be scrolled sideways. */
export const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);
