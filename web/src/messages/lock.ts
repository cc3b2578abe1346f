// Strict mode: a private key locked in the browser before it goes to the portal, which can then never
// open it alone. version (1) | kind (1) | rounds (4) | salt (32) | AES-256-GCM ciphertext and tag. The
// key comes from the passphrase by PBKDF2-SHA256, or from the passkey's PRF output by HKDF-SHA256, with
// a salt that is used once, so that the nonce is zero; the associated data is a label, the owner, the
// public key and all that stands before the ciphertext.

import { type Bytes, concat, framed, random, readUint32, uint32, utf8 } from './bytes.js';
import { MessageError } from './errors.js';
import type { Pair } from './hpke.js';
import type { Protection } from './keys.js';

/** What a private key is locked with. */
export type Lock =
  | { passphrase: string }
  /** What the WebAuthn extension `prf` gives for a passkey: 32 bytes. */
  | { prf: Bytes };

const HEADER = 38;
const KINDS = { passphrase: 1, passkey: 2 } as const;
/** OWASP asks for 600 000 rounds of PBKDF2-HMAC-SHA256. */
const ROUNDS = 600_000;
/** So many at most: whoever keeps the locked key must not be able to stop a browser with it. */
const MOST_ROUNDS = 10_000_000;
/** As NIST SP 800-63B-4 asks of a password that stands alone. */
const SHORTEST = 15;

export function protectionOf(lock: Lock): Exclude<Protection, 'portal'> {
  return 'passphrase' in lock ? 'passphrase' : 'passkey';
}

async function cipher(lock: Lock, salt: Bytes, rounds: number): Promise<CryptoKey> {
  const aes = { name: 'AES-GCM', length: 256 };
  const usages: KeyUsage[] = ['encrypt', 'decrypt'];
  if ('passphrase' in lock) {
    const secret = utf8(lock.passphrase.normalize('NFKC'));
    const key = await crypto.subtle.importKey('raw', secret, 'PBKDF2', false, ['deriveKey']);
    const parameters = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: rounds };
    return crypto.subtle.deriveKey(parameters, key, aes, false, usages);
  }
  const key = await crypto.subtle.importKey('raw', lock.prf, 'HKDF', false, ['deriveKey']);
  const parameters = { name: 'HKDF', hash: 'SHA-256', salt, info: utf8('portal/locked-key/v1') };
  return crypto.subtle.deriveKey(parameters, key, aes, false, usages);
}

function parameters(owner: string, publicKey: Bytes, header: Bytes): AesGcmParams {
  const additionalData = framed(utf8('portal/locked-key/v1'), utf8(owner), publicKey, header);
  return { name: 'AES-GCM', iv: new Uint8Array(12), additionalData };
}

export async function lockKey(owner: string, pair: Pair, lock: Lock): Promise<Bytes> {
  if ('passphrase' in lock && Array.from(lock.passphrase.normalize('NFKC')).length < SHORTEST) {
    throw new MessageError('weak-passphrase');
  }
  if ('prf' in lock && lock.prf.length < 32) throw new MessageError('wrong-secret');
  const rounds = 'passphrase' in lock ? ROUNDS : 0;
  const salt = random(32);
  const header = concat(Uint8Array.of(1, KINDS[protectionOf(lock)]), uint32(rounds), salt);
  const key = await cipher(lock, salt, rounds);
  const sealed = await crypto.subtle.encrypt(parameters(owner, pair.publicKey, header), key, pair.privateKey);
  return concat(header, new Uint8Array(sealed));
}

export async function unlockKey(owner: string, publicKey: Bytes, locked: Bytes, lock: Lock): Promise<Bytes> {
  const header = locked.slice(0, HEADER);
  const rounds = locked.length > HEADER ? readUint32(header.slice(2, 6)) : 0;
  const right = 'passphrase' in lock ? rounds >= ROUNDS && rounds <= MOST_ROUNDS : rounds === 0;
  if (header[0] !== 1 || header[1] !== KINDS[protectionOf(lock)] || !right) throw new MessageError('key-altered');
  const key = await cipher(lock, header.slice(6), rounds);
  try {
    const opened = await crypto.subtle.decrypt(parameters(owner, publicKey, header), key, locked.slice(HEADER));
    return new Uint8Array(opened);
  } catch {
    throw new MessageError('wrong-secret');
  }
}
