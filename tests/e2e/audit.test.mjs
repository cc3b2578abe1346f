// The audit log of a portal that was used is what was written, until somebody changes a row of it.

import test from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { accounts, api, audit, dynamodb, home, invoke, logs, pause, portal, tokenFor } from './portal.mjs';

/** What `cargo xtask verify-audit` says, and whether it found nothing. */
async function verify() {
  try {
    const { stdout } = await promisify(execFile)(process.env.PORTAL_XTASK, ['verify-audit', '--home', home]);
    return { whole: true, said: stdout };
  } catch (error) {
    return { whole: false, said: error.stdout || error.message };
  }
}

/** Asks until there is an answer, for a minute. */
async function found(ask) {
  for (let waited = 0; waited < 60; waited += 1) {
    const answer = await ask();
    if (answer) return answer;
    await pause(1000);
  }
  throw new Error('not within a minute');
}

/** Whether the log group has a record. */
async function isArchived(id) {
  for (const chain of [0, 1, 2, 3]) {
    const asked = { logGroupName: portal.outputs.AuditLogGroup, logStreamName: `chain-${chain}` };
    const { events } = await logs('GetLogEvents', asked).catch(() => ({ events: [] }));
    if (events.some((event) => event.message.includes(id))) return true;
  }
  return false;
}

const account = accounts.find((one) => one.role === 'patient');
let record;

test('after ordinary use all is as it was written', async () => {
  const token = await tokenFor(account);
  const { json } = await api('GET', '/v1/account', { token });
  assert.equal((await api('GET', `/v1/patients/${json.patient}/profile`, { token })).status, 200);
  const records = await audit(`PATIENT#${json.patient}`);
  record = records.findLast((one) => one.operation === 'get-profile');
  assert.equal(record.outcome, 'success');
  await found(() => isArchived(record.id));
  await pause(2000);
  const { checkpoint } = await invoke('seal-audit', {});
  assert.ok(checkpoint >= 1);
  const { whole, said } = await verify();
  assert.ok(whole, said);
  assert.match(said, /^[1-9]\d* records up to checkpoint \d+: all as they were written$/m);
});

test('a record that somebody alters is named, and told of at once', async () => {
  const TableName = portal.outputs.AuditTableName;
  const Key = { pk: { S: record.pk }, sk: { S: record.sk } };
  const { Item } = await dynamodb('GetItem', { TableName, Key });
  await dynamodb('PutItem', { TableName, Item: { ...Item, outcome: { S: 'denied' } } });
  const { whole, said } = await verify();
  assert.equal(whole, false);
  const named = `^record ${record.id} \\(chain \\d, line \\d+\\) was altered in the table$`;
  assert.match(said, new RegExp(named, 'm'));
  const told = await found(async () => {
    const day = new Date().toISOString().slice(0, 10);
    const records = await audit(`PORTAL#${day}`);
    return records.find((one) => one.reason === 'audit-tampered');
  });
  assert.equal(told.operation, 'archive-audit');
  assert.equal(told.resource, record.id);
  // The row as it was; that it was changed stays in the archive.
  await dynamodb('PutItem', { TableName, Item });
});
