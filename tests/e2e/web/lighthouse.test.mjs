// Lighthouse on a telephone finds no barrier and no bad practice, before somebody signs in and after.
// How fast it is depends on the machine: `npm run lighthouse` measures that.

import { test } from 'node:test';
import assert from 'node:assert/strict';
import { faults, screens } from './lighthouse.mjs';

const PERFECT = ['accessibility', 'best-practices'];

test('accessibility and best practices are at 100', async () => {
  const seen = [];
  await screens(PERFECT, async (name, look) => {
    const report = await look();
    for (const category of PERFECT) {
      assert.equal(report.categories[category].score, 1, `${name}: ${faults(report, category).join('\n')}`);
    }
    seen.push(report.finalDisplayedUrl);
  });
  // Who is not signed in is sent to the sign-in screen, which would then be looked at twice.
  assert.deepEqual(seen.map((url) => new URL(url).pathname), ['/sign-in', '/']);
});
