// A browser on the deployed portal. It notes what must never happen: a violation of the policy, a
// word on the console, a personal value where the browser keeps things.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import { accounts, code, portal } from '../portal.mjs';

const { CHROMIUM: executablePath = '/usr/bin/chromium' } = process.env;

/** Where screenshots go, if anybody wants them. */
const shots = process.env.PORTAL_SHOTS;

export const launch = (...more) =>
  chromium.launch({
    executablePath,
    chromiumSandbox: false,
    args: [...more, '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });

/** What browsers note themselves: a refused request, by status alone, and a connection that is not there. */
const BROWSERS_OWN = /^Failed to load resource: (the server responded with a status of \d+|net::)|^WebSocket connection to .* failed: .*net::ERR_INTERNET_DISCONNECTED$/;

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
  const seen = { violations: [], console: [], cacheable: new Set(), urls: new Set(), titles: new Set() };
  await context.exposeFunction('noteViolation', (text) => seen.violations.push(text));
  await context.exposeFunction('noteTitle', (text) => seen.titles.add(text));
  await context.addInitScript(() => {
    // What a history keeps of each screen: its title, and what the app leaves with its address.
    const note = () => window.noteTitle(`${document.title} ${JSON.stringify(history.state)}`);
    new MutationObserver(note).observe(document, { subtree: true, childList: true, characterData: true });
    document.addEventListener('securitypolicyviolation', (event) => {
      window.noteViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  const page = await context.newPage();
  page.on('console', (message) => {
    if (!BROWSERS_OWN.test(message.text())) seen.console.push(message.text());
  });
  page.on('pageerror', (error) => seen.console.push(`uncaught: ${error.message}`));
  page.on('framenavigated', (frame) => seen.urls.add(frame.url()));
  page.on('request', (request) => seen.urls.add(request.url()));
  page.on('response', (response) => {
    if (response.url().includes('/v1/') && response.headers()['cache-control'] !== 'no-store') seen.cacheable.add(response.url());
  });
  return { context, page, seen };
}

export const at = (path) => `${portal.address}${path}`;

/** Signs in as somebody would. */
export async function signInAs(page, account) {
  await page.goto(at('/sign-in'));
  await signInHere(page, account);
}

/** The same, where somebody was led to. */
export async function signInHere(page, { email, password, totp_secret: secret }) {
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByLabel('6-digit code').fill(await code(secret));
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('button', { name: 'Sign out' }).first().waitFor({ state: 'attached' });
}

/** What breaks programs, from the list that this repository carries. */
export const naughty = JSON.parse(readFileSync(new URL('../../data/corpora/strings/blns.json', import.meta.url), 'utf8')).filter((text) => text.trim());

/** A picture of one point. */
export const PNG = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');

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

/** How long a file may take on a busy machine. */
const PATIENCE = 90_000;

/** What is saved after `press`; if the page says that something went wrong instead, this says what. */
export async function downloaded(page, press) {
  const file = page.waitForEvent('download', { timeout: PATIENCE });
  const alert = page.getByRole('alert').first();
  const problem = alert.waitFor({ timeout: PATIENCE }).then(async () => assert.fail(await alert.innerText()));
  // Whichever comes second is not waited for.
  for (const one of [file, problem]) one.catch(() => undefined);
  await press();
  return readFileSync(await (await Promise.race([file, problem])).path());
}

/** Everything in which a browser keeps something, as text. */
export const kept = (page) =>
  page.evaluate(async () => {
    const names = 'databases' in indexedDB ? (await indexedDB.databases()).map((one) => one.name) : [];
    const caches_ = 'caches' in window ? await caches.keys() : [];
    const workers = navigator.serviceWorker ? (await navigator.serviceWorker.getRegistrations()).length : 0;
    return { local: { ...localStorage }, session: { ...sessionStorage }, cookies: document.cookie, names, caches: caches_, workers, title: document.title, url: location.href, state: JSON.stringify(history.state) };
  });

/** All that the browser kept, or had in an address, a title, its history or its console, as text. */
export const traces = async ({ page, seen, context }) =>
  JSON.stringify([await kept(page), await context.cookies(), [...seen.urls], [...seen.titles], seen.console]);

/** Nothing was against the policy, nothing on the console, and no answer may be kept in a cache. */
export function clean(...windows) {
  for (const { seen } of windows) assert.deepEqual([seen.violations, seen.console, [...seen.cacheable]], [[], [], []]);
}

/** The window is clean, and the browser keeps none of these words. */
export async function discreet(window, words) {
  const { page, seen } = window;
  clean(window);
  assert.ok(seen.titles.size > 3, 'titles are watched');
  const all = await kept(page);
  const stored = await traces(window);
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

/** Answers in the portal's place with a problem of this kind. */
export const refuse = (route, status, kind, more = {}, headers = {}) =>
  route.fulfill({
    status,
    contentType: 'application/problem+json',
    headers: { 'cache-control': 'no-store', ...headers },
    body: JSON.stringify({ type: `/problems/${kind}`, title: '', status, detail: '', ...more }),
  });

/** Closes whatever dialog is open, and the focus goes back to what opened it. */
export async function escape(page, opener) {
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  assert.match(await page.evaluate(() => document.activeElement.textContent), opener, 'the focus goes back');
}

/** What had the focus is gone, and the screen's heading has it. */
export const onHeading = (page) => page.waitForFunction(() => document.activeElement?.tagName === 'H1');

/** The focus is on what says this and nothing else. */
export const focusOn = (page, text) => page.waitForFunction((expected) => document.activeElement?.textContent === expected, text);

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

/** What a code system or a computer says, where people read: what a term is of, units, dates in digits. */
const CODES = [
  / \((?:disorder|event|finding|morphologic abnormality|observable entity|procedure|product|qualifier value|regime\/therapy|situation|substance)\)/,
  /\[(?:Hg|degF|lb_av|in_i)\]|\{(?:score|count|#)\}/,
  /\b(?:19|20)\d\d-\d\d-\d\d\b/,
];

/** What is read is in plain words. What somebody wrote, and numbers of the log, stay as they are. */
async function worded(page, name) {
  const texts = await page.evaluate(() => {
    const walker = document.createTreeWalker(document.querySelector('main') ?? document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) if (!walker.currentNode.parentElement.closest('code, .quote, .document-text, .message-text')) found.push(walker.currentNode.data);
    return found;
  });
  assert.deepEqual(texts.filter((text) => CODES.some((code) => code.test(text))), [], `${name} is in plain words`);
}

/** What is typed is in no history of the browser's, but for what signs somebody in. */
async function unremembered(page, name) {
  const fields = await page.evaluate(() =>
    [...document.querySelectorAll('input:is([type=text], [type=email], [type=tel], [type=search], :not([type]))')].filter((node) => !node.hidden && !node.autocomplete).map((node) => node.name));
  assert.deepEqual(fields, [], `${name} says of each field what browsers may offer`);
}

/** Accessible in both themes, at every width without scrolling sideways, and whole at 400 %. */
export async function examine(page, name) {
  await worded(page, name);
  await unremembered(page, name);
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
  await reflows(page, name);
}

/** A screen of 1280 by 1024 at 400 %. */
const ZOOMED = { width: 320, height: 256 };
/** What somebody may set for themselves, by WCAG 1.4.12. */
const SPACED = '* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important } p { margin-block-end: 2em !important }';

/** Nothing is lost at 400 %, and nothing either when somebody spaces the text. */
export async function reflows(page, name) {
  const before = page.viewportSize();
  await page.setViewportSize(ZOOMED);
  await shoot(page, `${name}-400-percent`);
  assert.deepEqual(await lost(page), [], `${name} at 400 %`);
  await page.evaluate((rules) => {
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(rules);
    document.adoptedStyleSheets = [sheet];
  }, SPACED);
  await shoot(page, `${name}-spaced`);
  assert.deepEqual(await lost(page), [], `${name} with spaced text at 400 %`);
  await page.setViewportSize(before);
  assert.deepEqual(await lost(page), [], `${name} with spaced text at ${before.width}`);
  await page.evaluate(() => { document.adoptedStyleSheets = []; });
}

/** What of a page is out of reach: beyond its edge, cut off by what is around it, or in a part that
 * scrolls and that no key reaches. */
const lost = (page) =>
  page.evaluate(async () => {
    // What watches sizes draws anew.
    await new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });
    const found = [];
    const note = (what, node) => found.push(`${what}: ${node.nodeName.toLowerCase()}.${node.getAttribute('class') ?? ''} ${(node.textContent ?? '').trim().slice(0, 40)}`);
    const wide = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth > wide) note('the page scrolls sideways', document.documentElement);
    const scrolls = (node) => /auto|scroll/.test(getComputedStyle(node).overflowX + getComputedStyle(node).overflowY);
    const top = document.querySelector('dialog[open]') ?? document.body;
    const within = [top, ...top.querySelectorAll('*')].filter((node) => node.checkVisibility({ visibilityProperty: true }) && !node.closest('.unseen, .skip'));
    for (const node of within) {
      const over = [node.scrollWidth - node.clientWidth, node.scrollHeight - node.clientHeight];
      const { overflowX, overflowY, display, textOverflow } = getComputedStyle(node);
      // The caret shows the rest of a field, and the browser shortens a file's name.
      if (/^(INPUT|SELECT|TEXTAREA)$/.test(node.tagName)) continue;
      if (textOverflow === 'ellipsis') note('text is shortened', node);
      if (display === 'inline' || node instanceof SVGElement) continue;
      const hides = [overflowX, overflowY].map((one) => /hidden|clip/.test(one));
      if (hides.some((one, at) => one && over[at] > 1)) note('cut off', node);
      if (node !== document.body && scrolls(node) && over.some((one) => one > 1)) {
        const reached = node.tabIndex >= 0 || node.querySelector('a[href], button, input, select, textarea');
        if (!reached) note('no key scrolls it', node);
        if (over[0] > 1 && !node.querySelector('table')) note('scrolls sideways', node);
      }
    }
    const range = document.createRange();
    const words = document.createTreeWalker(top, NodeFilter.SHOW_TEXT);
    while (words.nextNode()) {
      const node = words.currentNode;
      const around = node.parentElement;
      if (!node.data.trim() || !within.includes(around) || around.closest('.table-scroll, select')) continue;
      range.selectNodeContents(node);
      for (const { left, right, width, height } of range.getClientRects()) {
        if (width > 0 && height > 0 && (left < -1 || right > wide + 1)) note('beyond the edge', around);
      }
    }
    for (const button of top.querySelectorAll('button, .button, .flag, .choice span')) {
      if (button.checkVisibility() && button.scrollWidth > button.clientWidth + 1 && getComputedStyle(button).display !== 'inline') note('words leave their frame', button);
    }
    return [...new Set(found)];
  });

/** Whether nothing has to be scrolled sideways. */
export const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth);

/** Goes on by Tab until the focus is on what is called so; it is seen at every step. */
export async function tabTo(page, name) {
  for (let presses = 0; presses < 150; presses += 1) {
    await page.keyboard.press('Tab');
    const { called, outline, seen, left } = await page.evaluate(() => {
      const node = document.activeElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(node);
      const { top, bottom } = node.getBoundingClientRect();
      const called = node.labels?.[0]?.textContent ?? node.getAttribute('aria-label') ?? node.textContent;
      return { called: called.trim(), outline: `${outlineStyle} ${outlineWidth}`, seen: bottom > 0 && top < innerHeight, left: node === document.body };
    });
    // Behind the last of the page is the browser's own.
    if (left) continue;
    assert.equal(outline, 'solid 3px', `the focus is seen on ${called.length} letters`);
    assert.ok(seen, `what has the focus is on the screen: ${called.length} letters`);
    if (name instanceof RegExp ? name.test(called) : called === name) return;
  }
  assert.fail(`${name} is not reached by Tab`);
}

/** By keyboard alone: goes there and presses it. */
export async function press(page, name) {
  await tabTo(page, name);
  await page.keyboard.press('Enter');
}

/** By keyboard alone: goes there and types, or chooses what begins so. */
export async function write(page, name, text) {
  await tabTo(page, name);
  await page.keyboard.type(text);
}
