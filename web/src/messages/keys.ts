// Public keys: a log for each owner, in which every id commits to all keys before it.

import { type Bytes, base64url, fromBase64url, framed, sha256, uint32, utf8 } from './bytes.js';
import { MessageError } from './errors.js';

/** Who can open a private key: the portal's word alone, or a secret of its owner's besides. */
export type Protection = 'portal' | 'passphrase' | 'passkey';

/** A key as the server tells it. */
export interface LoggedKey {
  key_id: string;
  public_key: string;
  protection: Protection;
  previous?: string;
  registered_at: string;
}

/** An owner's keys, oldest first. */
export interface KeyLog {
  party: string;
  relationship: 'patient' | 'proxy' | 'practice';
  keys: LoggedKey[];
}

export async function keyId(
  owner: string,
  number: number,
  publicKey: Bytes,
  previous?: string,
  protection: Protection = 'portal',
): Promise<string> {
  const before = previous === undefined ? new Uint8Array() : fromBase64url(previous);
  const parts = [utf8('portal/message-key/v1'), utf8(owner), uint32(number), publicKey, before];
  if (protection !== 'portal') parts.push(utf8(protection));
  return base64url(await sha256(framed(...parts)));
}

/** Holds every id of a log to what it commits to; the id of the last key. */
export async function verifyLog({ party, keys }: KeyLog): Promise<string | undefined> {
  let previous: string | undefined;
  for (const [at, key] of keys.entries()) {
    const id = await keyId(party, at + 1, fromBase64url(key.public_key), previous, key.protection);
    if (id !== key.key_id || key.previous !== previous) throw new MessageError('key-altered');
    previous = id;
  }
  return previous;
}

/** What a browser remembers from one session to the next. */
export interface Memory {
  get(name: string): Promise<string | undefined>;
  set(name: string, value: string): Promise<void>;
}

/** Holds a log to what was seen of it before. True if there is a key that nobody has accepted yet. */
export async function hasNewKey(memory: Memory, log: KeyLog): Promise<boolean> {
  const head = await verifyLog(log);
  const known = await memory.get(`key/${log.party}`);
  if (known === undefined) {
    if (head !== undefined) await memory.set(`key/${log.party}`, head);
    return false;
  }
  // Every id commits to those before it: if the last one seen is there, so are all.
  if (!log.keys.some((key) => key.key_id === known)) throw new MessageError('key-log-forked');
  return head !== known;
}

/** The person at the browser knows of the new key. */
export async function accept(memory: Memory, log: KeyLog): Promise<void> {
  await hasNewKey(memory, log);
  const head = log.keys.at(-1);
  if (head) await memory.set(`key/${log.party}`, head.key_id);
}

/** The last key's id as two people compare it, by telephone or at the desk. */
export function fingerprint(log: KeyLog): string {
  const head = log.keys.at(-1);
  if (!head) throw new MessageError('no-key');
  const digits = Array.from(fromBase64url(head.key_id).slice(0, 20), (byte) => byte.toString(16).padStart(2, '0'));
  return (digits.join('').match(/.{4}/g) ?? []).join(' ');
}
