// Every word of the app is in a macro and in the catalogs, and every one of them in Spanish; so is every sentence of the
// API's that the app shows.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';

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

/** What is read of an attribute. */
const READ = new Set(['label', 'title', 'alt', 'placeholder', 'aria-label', 'aria-description']);
const app = new URL('../src/', import.meta.url);
for (const name of readdirSync(app, { recursive: true }).filter((one) => one.endsWith('.tsx'))) {
  const source = ts.createSourceFile(name, readFileSync(new URL(name, app), 'utf8'), ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const look = (node) => {
    if (ts.isJsxElement(node) && ['Trans', 'Plural'].includes(node.openingElement.tagName.getText())) return;
    const text = ts.isJsxText(node) ? node.text
      : ts.isJsxAttribute(node) && READ.has(node.name.getText()) && node.initializer && ts.isStringLiteral(node.initializer) ? node.initializer.text
        : ts.isBinaryExpression(node) && node.left.getText() === 'document.title' && !ts.isIdentifier(node.right) ? node.right.getText() : '';
    if (/\p{L}{2}/u.test(text)) wrong.push(`in no macro, so in English alone (${name}): ${text.trim()}`);
    ts.forEachChild(node, look);
  };
  look(source);
}

const api = (name) => readFileSync(new URL(`../../shared/src/api/${name}.rs`, import.meta.url), 'utf8').split('#[cfg(test)]')[0];
/** The sentences within a part of a file. */
const sentences = (text) =>
  [...text.matchAll(/"((?:[^"\\]|\\[\s\S])*)"/g)].map(([, one]) => one.replace(/\\\s+/g, '')).filter((one) => /^(?:[A-Z{].* |You$)/.test(one));
const between = (text, from, to) => text.slice(text.indexOf(from), text.indexOf(to, text.indexOf(from)));
const access = api('record_access');
const portal = new Set([
  ...sentences(api('words')),
  ...sentences(between(access, 'fn who(', 'pub const fn reported_already')),
  ...sentences(between(access, 'impl Report {', 'pub struct ReportAccessConcern')),
  ...sentences(between(api('documents'), 'fn words(', '\n}')),
  ...sentences(between(api('exports'), 'fn words(', '\n}')),
  ...sentences(between(api('exports'), 'const WITHHELD', ';')),
].flatMap((one) => (one.includes('{for_whom}') ? ['you', 'the patient'].map((whom) => one.replace('{for_whom}', whom)) : [one])));
const said = readFileSync(new URL('../src/words/said.ts', import.meta.url), 'utf8');
const known = new Set([...said.matchAll(/^ {2}(?:'([^']+)'|"([^"]+)"|(\w+)): '[^']+',$/gm)].map(([, single, double, bare]) => single ?? double ?? bare));
for (const one of portal) if (!known.has(one)) wrong.push(`not in said.ts: ${one}`);
for (const one of known) if (!portal.has(one)) wrong.push(`the portal does not say this any more: ${one}`);
const did = (text, entry) => new Map([...text.matchAll(entry)].map(([, id, words]) => [id, words]));
const declared = did(api('words'), /\("([a-z-]+)", words\("([^"]*)"/g);
const shown = did(readFileSync(new URL('../src/screens/staff/operations.ts', import.meta.url), 'utf8'), /^ {2}'([a-z-]+)': ['"](.*)['"],$/gm);
for (const id of new Set([...declared.keys(), ...shown.keys()])) {
  if (declared.get(id) !== shown.get(id)) wrong.push(`operations.ts and words.rs differ on ${id}: ${shown.get(id)}, ${declared.get(id)}`);
}
if (portal.size < 100) wrong.push('the sentences of the API were not found');
if (wrong.length > 0) {
  console.error(wrong.join('\n'));
  process.exit(1);
}
