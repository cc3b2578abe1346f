// Lighthouse on a telephone finds no barrier and no bad practice, before somebody signs in and after, and
// both screens fast.

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

/** A telephone of the middle by Lighthouse's BenchmarkIndex, as Chrome's DevTools calibrate it: this
 * machine is slowed down to it, however fast it is itself. */
const TELEPHONE = 1000;
const LEAST = 0.95;
/** The best of so many: the portal beside it, and whatever else the machine does, only makes it slower. */
const RUNS = 5;
const METRICS = ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time', 'cumulative-layout-shift', 'speed-index'];

test('performance is at 95 or more, on a slow connection', async (context) => {
  await screens(['performance'], async (name, look) => {
    const { environment } = await look();
    const slower = Math.max(1, environment.benchmarkIndex / TELEPHONE);
    let best;
    for (let run = 0; run < RUNS && !(best?.categories.performance.score >= LEAST); run += 1) {
      const report = await look(slower);
      if (!best || report.categories.performance.score > best.categories.performance.score) best = report;
    }
    const metrics = METRICS.map((metric) => `${metric} ${best.audits[metric].displayValue}`);
    context.diagnostic(`${name}: ${Math.round(best.categories.performance.score * 100)} at ${slower.toFixed(1)} times slower: ${metrics.join(', ')}`);
    assert.ok(best.categories.performance.score >= LEAST, `${name}: ${faults(best, 'performance').join('\n')}`);
  });
});
