// A sealed message: version (1) | thread (16) | sender (16) | counter (8) | the sender's key id (32) |
// salt (32) | AES-256-GCM ciphertext and tag. The key comes from the thread's key and the salt by
// HKDF-SHA256 and is used once, so that the nonce is zero; the associated data is a label, the thread's
// commitment and all that stands before the ciphertext.

import {
  type Bytes,
  base64url,
  concat,
  framed,
  fromBase64url,
  random,
  readUint64,
  text,
  uint64,
  utf8,
  uuidBytes,
  uuidText,
} from './bytes.js';
import { MessageError } from './errors.js';

const HEADER = 105;
const PADDED_TO = 256;

/** What a message is sealed as. */
export type Kind = 'message' | 'subject';

export interface Header {
  thread: string;
  sender: string;
  /** Counts the sender's messages in the thread from 1; a subject is 0. */
  counter: number;
  keyId: string;
}

/** A thread's key, and what all who have it hold it to: AES-GCM alone opens under two keys. */
export interface ThreadKey {
  thread: string;
  secret: Bytes;
  commitment: Bytes;
}

async function derive(secret: Bytes, salt: Bytes, info: Bytes): Promise<Bytes> {
  const key = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveBits']);
  const parameters = { name: 'HKDF', hash: 'SHA-256', salt, info };
  return new Uint8Array(await crypto.subtle.deriveBits(parameters, key, 256));
}

export async function threadKey(thread: string, secret: Bytes): Promise<ThreadKey> {
  const info = framed(utf8('portal/thread-commitment/v1'), uuidBytes(thread));
  return { thread, secret, commitment: await derive(secret, new Uint8Array(), info) };
}

export const newThreadKey = (thread: string): Promise<ThreadKey> => threadKey(thread, random(32));

/** What the wrapping of a thread's key to a party's key is bound to. */
export function wrapInfo(thread: string, keyId: string): Bytes {
  return framed(utf8('portal/thread-key/v1'), uuidBytes(thread), fromBase64url(keyId));
}

async function cipher(kind: Kind, { thread, secret }: ThreadKey, salt: Bytes): Promise<CryptoKey> {
  const info = framed(utf8(`portal/${kind}/v1`), uuidBytes(thread));
  const key = await derive(secret, salt, info);
  return crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['encrypt', 'decrypt']);
}

function parameters(kind: Kind, { commitment }: ThreadKey, header: Bytes): AesGcmParams {
  const additionalData = framed(utf8(`portal/${kind}/v1`), commitment, header);
  return { name: 'AES-GCM', iv: new Uint8Array(12), additionalData };
}

/** Pads to full blocks, so that a length says little (ISO/IEC 7816-4). */
function padded(plaintext: Bytes): Bytes {
  const length = Math.ceil((plaintext.length + 1) / PADDED_TO) * PADDED_TO;
  return concat(plaintext, Uint8Array.of(0x80), new Uint8Array(length - plaintext.length - 1));
}

function unpadded(plaintext: Bytes): Bytes {
  const end = plaintext.lastIndexOf(0x80);
  if (end < 0) throw new MessageError('message-altered');
  return plaintext.slice(0, end);
}

export async function sealEnvelope(
  kind: Kind,
  key: ThreadKey,
  { sender, counter, keyId }: Omit<Header, 'thread'>,
  content: unknown,
): Promise<Bytes> {
  const salt = random(32);
  const header = concat(
    Uint8Array.of(1),
    uuidBytes(key.thread),
    uuidBytes(sender),
    uint64(counter),
    fromBase64url(keyId),
    salt,
  );
  const plaintext = padded(utf8(JSON.stringify(content)));
  const aes = await cipher(kind, key, salt);
  const sealed = await crypto.subtle.encrypt(parameters(kind, key, header), aes, plaintext);
  return concat(header, new Uint8Array(sealed));
}

/** What an envelope says of itself; nothing proves it before it is opened. */
export function readHeader(envelope: Bytes): Header {
  if (envelope[0] !== 1 || envelope.length < HEADER + 16) throw new MessageError('message-altered');
  return {
    thread: uuidText(envelope.slice(1, 17)),
    sender: uuidText(envelope.slice(17, 33)),
    counter: readUint64(envelope.slice(33, 41)),
    keyId: base64url(envelope.slice(41, 73)),
  };
}

export async function openEnvelope(kind: Kind, key: ThreadKey, envelope: Bytes): Promise<unknown> {
  const { thread } = readHeader(envelope);
  if (thread !== key.thread) throw new MessageError('other-thread');
  const header = envelope.slice(0, HEADER);
  const aes = await cipher(kind, key, header.slice(73));
  try {
    const plaintext = await crypto.subtle.decrypt(parameters(kind, key, header), aes, envelope.slice(HEADER));
    return JSON.parse(text(unpadded(new Uint8Array(plaintext)))) as unknown;
  } catch {
    throw new MessageError('message-altered');
  }
}
