// What a build has of its stage, from the environment: /config.json, and the origins in
// customHttp.yml. Amplify Hosting runs it after the build; see amplify.yml.
import { readFileSync, writeFileSync } from 'node:fs';

const wanted = ['API_URL', 'SIGN_IN_ORIGIN', 'UPLOADS_ORIGIN', 'CHANNEL_ORIGIN', 'USER_POOL_ID', 'USER_POOL_CLIENT_ID'];
const missing = wanted.filter((name) => !process.env[name]);
if (missing.length > 0) {
  console.error(`not set: ${missing.join(', ')}`);
  process.exit(1);
}
// The API may be below a path, which its origin has not.
const api = process.env.API_URL.replace(/\/$/, '');
const env = { ...process.env, API_ORIGIN: new URL(api).origin };
writeFileSync(
  new URL('../site/config.json', import.meta.url),
  JSON.stringify({ api, channel: `${env.CHANNEL_ORIGIN}/portal`, userPoolId: env.USER_POOL_ID, userPoolClientId: env.USER_POOL_CLIENT_ID }),
);
const headers = new URL('../../customHttp.yml', import.meta.url);
const text = readFileSync(headers, 'utf8');
writeFileSync(headers, text.replace(/\$\{(\w+_ORIGIN)\}/g, (_, name) => env[name] ?? ''));
