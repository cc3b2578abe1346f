// What Lighthouse says of a screen, as on a telephone: in a window of the browser that the other
// tests drive, so that somebody can have signed in before.

import lighthouse from 'lighthouse';
import puppeteer from 'puppeteer-core';
import { accounts } from '../portal.mjs';
import { at, launch, open, settled, signInAs } from './browser.mjs';

const PORT = 9000 + (process.pid % 1000);

const SCREENS = [
  ['sign-in', '/sign-in', () => undefined],
  ['dashboard', '/', (page) => signInAs(page, accounts.find(({ role }) => role === 'patient'))],
];

/** Calls `then` with what looks at a screen, before somebody signs in and after, as on a computer that is
 * so many times slower. */
export async function screens(categories, then) {
  const browser = await launch(`--remote-debugging-port=${PORT}`);
  try {
    for (const [name, path, enter] of SCREENS) {
      const { page, context } = await open(browser);
      await page.goto(at('/sign-in'));
      await settled(page);
      await enter(page);
      await settled(page);
      const other = await puppeteer.connect({ browserURL: `http://127.0.0.1:${PORT}`, defaultViewport: null });
      const contexts = await Promise.all(other.browserContexts().map((one) => one.pages()));
      const same = contexts.flat().find((one) => one.url().startsWith(at('/')));
      await then(name, async (cpuSlowdownMultiplier = 1) => {
        // What is in the session storage is what keeps somebody signed in.
        const flags = { port: PORT, onlyCategories: categories, disableStorageReset: true, logLevel: 'silent', throttling: { cpuSlowdownMultiplier } };
        return (await lighthouse(at(path), flags, undefined, same)).lhr;
      });
      await other.disconnect();
      await context.close();
    }
  } finally {
    await browser.close();
  }
}

/** What of a category is not as it should be. */
export function faults(report, category) {
  const { auditRefs } = report.categories[category];
  return auditRefs
    .map(({ id, weight }) => ({ weight, ...report.audits[id] }))
    .filter(({ weight, score }) => weight > 0 && score !== null && score < 1)
    .map(({ id, title, details }) => `${id}: ${title} ${JSON.stringify(details?.items ?? []).slice(0, 600)}`);
}
