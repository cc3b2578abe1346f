// How fast Lighthouse finds the first screens, on a slow telephone with a slow connection (its
// simulation of both). Fails if the median of a few runs is below 95.

import { faults, screens } from './lighthouse.mjs';

const RUNS = 5;
const LEAST = 95;
const METRICS = ['first-contentful-paint', 'largest-contentful-paint', 'total-blocking-time', 'cumulative-layout-shift', 'speed-index'];
const slow = [];

await screens(['performance'], async (name, look) => {
  const reports = [];
  for (let run = 0; run < RUNS; run += 1) reports.push(await look());
  const score = ({ categories }) => Math.round(categories.performance.score * 100);
  reports.sort((one, other) => score(one) - score(other));
  const median = reports[Math.floor(RUNS / 2)];
  console.log(`${name}: ${score(median)} (${reports.map(score).join(', ')})`);
  for (const metric of METRICS) console.log(`  ${metric}: ${median.audits[metric].displayValue}`);
  if (score(median) < LEAST) slow.push(name, ...faults(median, 'performance'));
});

if (slow.length > 0) {
  console.error(`below ${LEAST}: ${slow.join('\n')}`);
  process.exitCode = 1;
}
