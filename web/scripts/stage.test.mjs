// What a stage's build has of its stage, with an API below a path; and that whoever deploys is told of
// every variable.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('../../', import.meta.url);
const text = (path) => readFileSync(new URL(path, root), 'utf8');
const VALUES = {
  API_URL: 'https://abc123.execute-api.us-east-1.amazonaws.com/portal',
  SIGN_IN_ORIGIN: 'https://cognito-idp.us-east-1.amazonaws.com',
  UPLOADS_ORIGIN: 'https://quarantine.s3.us-east-1.amazonaws.com',
  EXPORTS_ORIGIN: 'https://exports.s3.us-east-1.amazonaws.com',
  CHANNEL_ORIGIN: 'wss://def456.execute-api.us-east-1.amazonaws.com',
  USER_POOL_ID: 'us-east-1_Sample123',
  USER_POOL_CLIENT_ID: 'sampleclient',
};

/** Runs stage.mjs on a copy of what it changes. */
function staged(values) {
  const folder = mkdtempSync(join(tmpdir(), 'stage-'));
  try {
    mkdirSync(join(folder, 'web/scripts'), { recursive: true });
    mkdirSync(join(folder, 'web/site'));
    for (const file of ['customHttp.yml', 'web/scripts/stage.mjs']) copyFileSync(new URL(file, root), join(folder, file));
    const { status, stderr } = spawnSync(process.execPath, [join(folder, 'web/scripts/stage.mjs')], { env: { PATH: process.env.PATH, ...values }, encoding: 'utf8' });
    if (status !== 0) return { status, stderr };
    const config = JSON.parse(readFileSync(join(folder, 'web/site/config.json'), 'utf8'));
    return { status, config, headers: readFileSync(join(folder, 'customHttp.yml'), 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('the API’s whole address is for the app, its origin alone for the policy', () => {
  for (const API_URL of [VALUES.API_URL, `${VALUES.API_URL}/`]) {
    const { config, headers } = staged({ ...VALUES, API_URL });
    assert.deepEqual(config, {
      api: VALUES.API_URL,
      channel: `${VALUES.CHANNEL_ORIGIN}/portal`,
      userPoolId: VALUES.USER_POOL_ID,
      userPoolClientId: VALUES.USER_POOL_CLIENT_ID,
    });
    const [, allowed] = /connect-src ([^;]+);/.exec(headers);
    const origins = [new URL(VALUES.API_URL).origin, VALUES.SIGN_IN_ORIGIN, VALUES.UPLOADS_ORIGIN, VALUES.EXPORTS_ORIGIN, VALUES.CHANNEL_ORIGIN];
    assert.deepEqual(allowed.split(' '), ["'self'", ...origins]);
    assert.doesNotMatch(headers.replace(/^#.*$/gm, ''), /\$\{/);
  }
});

test('a build without one of its variables stops and names it', () => {
  for (const name of Object.keys(VALUES)) {
    const { [name]: _, ...others } = VALUES;
    const { status, stderr } = staged(others);
    assert.equal(status, 1);
    assert.equal(stderr.trim(), `not set: ${name}`);
  }
});

test('docs/DEPLOY.md and amplify.yml name every variable, and outputs that the stack has', () => {
  const wanted = staged({}).stderr.trim().replace('not set: ', '').split(', ');
  assert.deepEqual(wanted.toSorted(), Object.keys(VALUES).toSorted());
  const rows = text('docs/DEPLOY.md').split('\n').filter((line) => /^\| `[A-Z_]+`/.test(line));
  const step = rows.filter((row) => wanted.some((name) => row.includes(`\`${name}\``)));
  const named = step.flatMap((row) => [...row.split('|')[1].matchAll(/`(\w+)`/g)].map(([, name]) => name));
  assert.deepEqual(named.toSorted(), wanted.toSorted());
  const comment = text('amplify.yml').split('version:')[0];
  for (const name of wanted) assert.match(comment, new RegExp(`\\b${name}\\b`));

  const template = text('template.yaml');
  const outputs = new Set([...template.slice(template.indexOf('\nOutputs:')).matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name));
  const cited = step.flatMap((row) => [...row.split('|')[2].matchAll(/`([A-Z][a-z]\w+)`/g)].map(([, name]) => name));
  assert.ok(cited.length >= 5);
  for (const name of cited) assert.ok(outputs.has(name), name);
});
