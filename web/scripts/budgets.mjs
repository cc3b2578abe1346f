// Holds the built app to its budgets, in bytes as gzip sends them: what the first screen loads, what
// any other screen adds, and the styles.
import { gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';

const KB = 1000;
const BUDGET = { initial: 150 * KB, screen: 40 * KB, styles: 15 * KB };
const site = new URL('../site/', import.meta.url);
const manifest = JSON.parse(readFileSync(new URL('manifest.json', site), 'utf8'));
const size = (file) => gzipSync(readFileSync(new URL(file, site)), { level: 9 }).length;

/** A chunk and all that it imports. */
function withImports(key, found = new Set()) {
  if (found.has(key)) return found;
  found.add(key);
  for (const other of manifest[key].imports ?? []) withImports(other, found);
  return found;
}

const sum = (keys) => [...keys].reduce((total, key) => total + size(manifest[key].file), 0);
const entry = Object.keys(manifest).find((key) => manifest[key].isEntry);
// The language is loaded before anything is shown, so it counts.
const language = Object.keys(manifest).find((key) => key.endsWith('locales/en.po'));
const initial = withImports(entry);
withImports(language, initial);

const over = [];
const check = (name, bytes, budget) => {
  console.log(`${(bytes / KB).toFixed(1).padStart(7)} kB of ${budget / KB}  ${name}`);
  if (bytes > budget) over.push(name);
};

check('the first screen', sum(initial), BUDGET.initial);
for (const key of Object.keys(manifest).filter((key) => manifest[key].isDynamicEntry && /screens\/|session\/|locales\/staff\//.test(key))) {
  check(key, sum([...withImports(key)].filter((one) => !initial.has(one))), BUDGET.screen);
}
const styles = new Set(Object.values(manifest).flatMap(({ css = [] }) => css));
check('styles', [...styles].reduce((total, file) => total + size(file), 0), BUDGET.styles);
if (over.length > 0) {
  console.error(`over budget: ${over.join(', ')}`);
  process.exit(1);
}
