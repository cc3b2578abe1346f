// A running portal as a client sees it, and its audit table as its operator does.

import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Amplify } from 'aws-amplify';
import { confirmSignIn, fetchAuthSession, signIn } from 'aws-amplify/auth';
import { cognitoUserPoolsTokenProvider } from 'aws-amplify/auth/cognito';
import { TOTP } from 'otpauth';

export const home = process.env.PORTAL_HOME;
if (!home) throw new Error('PORTAL_HOME names the folder of a portal that is up');

export const portal = JSON.parse(readFileSync(join(home, 'portal.json'), 'utf8'));
export const accounts = JSON.parse(readFileSync(join(home, 'accounts.json'), 'utf8'));

/** Keeps tokens in memory, where a browser would keep them in its session storage. */
class Memory {
  #kept = new Map();
  async setItem(key, value) { this.#kept.set(key, value); }
  async getItem(key) { return this.#kept.get(key) ?? null; }
  async removeItem(key) { this.#kept.delete(key); }
  async clear() { this.#kept.clear(); }
}

/** Forgets whoever was signed in, without telling the portal. */
export function newBrowser() {
  Amplify.configure({
    Auth: {
      Cognito: {
        userPoolId: portal.user_pool_id,
        userPoolClientId: portal.user_pool_client_id,
        userPoolEndpoint: `${portal.address}/cognito/`,
      },
    },
  });
  cognitoUserPoolsTokenProvider.setKeyValueStorage(new Memory());
}

/** An activation code as the practice would print it. */
export function issueCode(mrn, birthDate) {
  const args = ['activation', '--home', home, '--mrn', mrn, '--birth-date', birthDate];
  return execFileSync(process.env.PORTAL_XTASK, args, { encoding: 'utf8' }).trim();
}

const PERIOD = 30_000;
const shown = join(home, 'codes-shown');

/**
 * The code of an authenticator whose clock may be off by a step, as Cognito allows; never one that any
 * journey was shown before: a code is good once.
 */
export async function code(secret) {
  const totp = new TOTP({ secret, period: PERIOD / 1000 });
  const whose = createHash('sha256').update(secret).digest('hex');
  mkdirSync(shown, { recursive: true });
  for (;;) {
    const now = Date.now();
    const step = Math.floor(now / PERIOD);
    // The one before is soon over; it is not begun with in the last third of a step.
    const good = now % PERIOD < 20_000 ? [step, step + 1, step - 1] : [step, step + 1];
    // Whoever makes the file has the code, though several journeys run at once.
    const mine = good.find((one) => isFirst(join(shown, `${whose}-${one}`)));
    if (mine !== undefined) return totp.generate({ timestamp: mine * PERIOD });
    await pause(500);
  }
}

function isFirst(file) {
  try {
    writeFileSync(file, '', { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Signs somebody in with both factors, in a browser of their own; the access token. */
export async function signedIn({ email, password, totp_secret: secret }) {
  newBrowser();
  let { nextStep } = await signIn({ username: email, password });
  if (nextStep.signInStep !== 'CONFIRM_SIGN_IN_WITH_TOTP_CODE') throw new Error(nextStep.signInStep);
  ({ nextStep } = await confirmSignIn({ challengeResponse: await code(secret) }));
  if (nextStep.signInStep !== 'DONE') throw new Error(`sign-in ended at ${nextStep.signInStep}`);
  const { tokens } = await fetchAuthSession();
  return tokens.accessToken.toString();
}

/** What a token says. */
export const claims = (jwt) => JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString());

/**
 * The access token of a demo account, for whoever needs no session of their own. Files of journeys share
 * it as long as it is good for three minutes: another sign-in has to wait for another code.
 */
export async function tokenFor(account) {
  const file = join(home, `token-${account.email}`);
  const kept = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  if (kept && claims(kept).exp * 1000 - Date.now() > 180_000) return kept;
  const token = await signedIn(account);
  writeFileSync(file, token, { mode: 0o600 });
  return token;
}

/** The first sign-in of somebody who got a temporary password; their authenticator's secret. */
export async function firstSignIn({ email, temporaryPassword, password }) {
  newBrowser();
  await signIn({ username: email, password: temporaryPassword });
  const { nextStep } = await confirmSignIn({ challengeResponse: password });
  const secret = nextStep.totpSetupDetails.sharedSecret;
  await confirmSignIn({ challengeResponse: await code(secret) });
  return secret;
}

/** A code of the right form that the authenticator does not show, now or next. */
export function wrongCode(secret) {
  const totp = new TOTP({ secret });
  const near = [-60, -30, 0, 30, 60].map((s) => totp.generate({ timestamp: Date.now() + s * 1000 }));
  return ['000000', '111111', '222222', '333333', '444444', '555555'].find((c) => !near.includes(c));
}

/** A request to the API; the answer's status, headers and JSON. */
export async function api(method, path, { token, body, headers = {} } = {}) {
  const response = await fetch(`${portal.address}${path}`, {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
  });
  const text = await response.text();
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  return { status: response.status, headers: response.headers, text, json };
}

/** Calls DynamoDB as the emulator's root user. */
export const dynamodb = (operation, body) =>
  asRoot('dynamodb', `DynamoDB_20120810.${operation}`, body);

/** The practitioners of the directory who practise, by id and name. */
export async function practitioners() {
  const { Items } = await dynamodb('Scan', {
    TableName: portal.outputs.DirectoryTableName,
    FilterExpression: 'begins_with(pk, :one) AND active = :yes AND attribute_not_exists(merged_into)',
    ExpressionAttributeValues: { ':one': { S: 'PRACTITIONER#' }, ':yes': { BOOL: true } },
  });
  return Items.filter(({ name }) => name).map(({ pk, name }) => ({ practitioner: pk.S.split('#')[1], name: name.S }));
}

/** Calls Cognito as the emulator's root user. */
export const cognito = (operation, body) =>
  asRoot('cognito-idp', `AWSCognitoIdentityProviderService.${operation}`, {
    UserPoolId: portal.user_pool_id,
    ...body,
  });

/** Calls CloudWatch Logs as the emulator's root user. */
export const logs = (operation, body) => asRoot('logs', `Logs_20140328.${operation}`, body);

/** The mails that the emulator took for an address, oldest first. */
export async function mails(to) {
  const response = await fetch(`${portal.emulator}/_ministack/ses/messages`);
  const { messages } = await response.json();
  return Object.values(messages).flat().filter((mail) => mail.To.includes(to));
}

/** The text messages that the emulator took for a number, oldest first. */
export async function texts(number) {
  const query = new URLSearchParams({ phoneNumber: number });
  const response = await fetch(`${portal.emulator}/_ministack/sns/sms-messages?${query}`);
  const found = [];
  JSON.stringify(await response.json(), (_, value) => {
    if (value?.PhoneNumber === number) found.push(value.Message);
    return value;
  });
  return found;
}

/** Invokes a function as the emulator's root user; what it answers. */
export async function invoke(operation, event) {
  const response = await fetch(`${portal.emulator}/2015-03-31/functions/portal-${operation}/invocations`, {
    method: 'POST',
    headers: { authorization: root('lambda') },
    body: JSON.stringify(event),
  });
  if (!response.ok) throw new Error(`${operation}: ${await response.text()}`);
  return response.json();
}

const samples = new URL('../data/synthea/', import.meta.url);

/** The file of the first demo patient, as the practice's record system wrote it. */
export function sample() {
  const name = readdirSync(samples).find((file) => file.includes('Brent_Beer'));
  return JSON.parse(readFileSync(new URL(name, samples), 'utf8')).entry;
}

/** The record system sends more of the first demo patient: entries of a bundle, about `who`. */
export async function sends(entriesAbout) {
  const who = sample().find(({ resource }) => resource.resourceType === 'Patient');
  const entry = [who, ...entriesAbout(who.fullUrl)];
  const file = `more-${randomUUID()}.json`;
  const of = (folder) => `${portal.emulator}/${portal.outputs.ImportBucketName}/${folder}/${file}`;
  const headers = { authorization: root('s3'), 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
  const body = JSON.stringify({ resourceType: 'Bundle', type: 'collection', entry });
  const put = await fetch(of('inbox'), { method: 'PUT', headers, body });
  if (!put.ok) throw new Error(await put.text());
  for (let tries = 0; tries < 120; tries += 1) {
    const report = await fetch(of('reports'), { headers });
    if (report.ok) {
      const { state, ...rest } = await report.json();
      if (state === 'complete') return;
      if (state !== 'continued') throw new Error(JSON.stringify({ state, ...rest }));
    }
    await pause(500);
  }
  throw new Error('it was not imported');
}

/** Subscribes a queue to a topic as its operator could; a function that takes what has come. */
export async function listen(topic) {
  const name = `journey-${randomUUID()}`;
  const queue = `arn:aws:sqs:${portal.region}:${topic.split(':')[4]}:${name}`;
  const statement = {
    Effect: 'Allow',
    Principal: { Service: 'sns.amazonaws.com' },
    Action: 'sqs:SendMessage',
    Resource: queue,
    Condition: { ArnEquals: { 'aws:SourceArn': topic } },
  };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  const { QueueUrl } = await asRoot('sqs', 'AmazonSQS.CreateQueue', { QueueName: name, Attributes: { Policy } });
  await query('sns', { Action: 'Subscribe', Version: '2010-03-31', TopicArn: topic, Protocol: 'sqs', Endpoint: queue });
  return async () => {
    const { Messages = [] } = await asRoot('sqs', 'AmazonSQS.ReceiveMessage', { QueueUrl, MaxNumberOfMessages: 10 });
    return Messages.map(({ Body }) => JSON.parse(Body));
  };
}

/** A call in AWS's older form, as the emulator's root user. */
async function query(service, form) {
  const response = await fetch(portal.emulator, {
    method: 'POST',
    headers: { authorization: root(service) },
    body: new URLSearchParams(form),
  });
  if (!response.ok) throw new Error(`${form.Action}: ${await response.text()}`);
}

const root = (service) =>
  `AWS4-HMAC-SHA256 Credential=test/20260101/${portal.region}/${service}/aws4_request, SignedHeaders=host, Signature=none`;

async function asRoot(service, target, body) {
  const response = await fetch(portal.emulator, {
    method: 'POST',
    headers: {
      'content-type': service === 'dynamodb' ? 'application/x-amz-json-1.0' : 'application/x-amz-json-1.1',
      'x-amz-target': target,
      authorization: root(service),
    },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${target}: ${await response.text()}`);
  return response.json();
}

/** The audit records of a partition, oldest first. */
export async function audit(pk) {
  const records = [];
  let start;
  do {
    const page = await dynamodb('Query', {
      TableName: portal.outputs.AuditTableName,
      KeyConditionExpression: 'pk = :pk',
      ExpressionAttributeValues: { ':pk': { S: pk } },
      ConsistentRead: true,
      ...(start ? { ExclusiveStartKey: start } : {}),
    });
    for (const item of page.Items) {
      records.push(Object.fromEntries(Object.entries(item).map(([name, value]) => [name, value.S])));
    }
    start = page.LastEvaluatedKey;
  } while (start);
  return records;
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
