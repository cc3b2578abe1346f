// Every word of the app is in the catalogs, and every one of them in Spanish.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';

const files = ['en', 'es', 'staff/en', 'staff/es'].map((name) => new URL(`../src/words/locales/${name}.po`, import.meta.url));
const before = files.map((file) => readFileSync(file, 'utf8'));
execFileSync('npx', ['lingui', 'extract', '--clean'], { cwd: new URL('..', import.meta.url), stdio: 'ignore' });
const after = files.map((file) => readFileSync(file, 'utf8'));
files.forEach((file, at) => writeFileSync(file, before[at]));

const ids = (catalog) => new Set(catalog.split('\n\n').slice(1).map((entry) => entry.slice(entry.indexOf('msgid'), entry.indexOf('msgstr'))));
const wrong = [];
files.forEach((_, at) => {
  const [had, has] = [ids(before[at]), ids(after[at])];
  for (const id of has) if (!had.has(id)) wrong.push(`not in the catalog (npm run words): ${id.trim()}`);
  for (const id of had) if (!has.has(id)) wrong.push(`nobody says this any more (npm run words): ${id.trim()}`);
});
for (const entry of [after[1], after[3]].flatMap((catalog) => catalog.split('\n\n').slice(1))) {
  if (/msgstr ""\s*$/.test(entry)) wrong.push(`not in Spanish: ${entry.trim()}`);
}
if (wrong.length > 0) {
  console.error(wrong.join('\n'));
  process.exit(1);
}
