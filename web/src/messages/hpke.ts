// HPKE (RFC 9180) in base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
import { type Bytes, concat, equal, fromBase64url } from './bytes.js';
import { MessageError } from './errors.js';

export const suite = new CipherSuite({
  kem: new DhkemP256HkdfSha256(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

/** The length of an encapsulated key, an uncompressed point. */
const ENCAPSULATED = 65;

const P256 = { name: 'ECDH', namedCurve: 'P-256' } as const;

export interface Pair {
  /** An uncompressed point (SEC 1). */
  publicKey: Bytes;
  /** PKCS #8. */
  privateKey: Bytes;
}

export async function generate(): Promise<Pair> {
  const pair = await crypto.subtle.generateKey(P256, true, ['deriveBits']);
  return {
    publicKey: new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey)),
    privateKey: new Uint8Array(await crypto.subtle.exportKey('pkcs8', pair.privateKey)),
  };
}

/** A private key that is the public one's. */
export async function privateKey({ publicKey, privateKey: pkcs8 }: Pair): Promise<CryptoKey> {
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, P256, true, ['deriveBits']);
  const { x, y } = await crypto.subtle.exportKey('jwk', key);
  const point = concat(Uint8Array.of(4), fromBase64url(x ?? ''), fromBase64url(y ?? ''));
  if (!equal(point, publicKey)) throw new MessageError('key-altered');
  return key;
}

/** Seals to a public key: the encapsulated key, and the ciphertext behind it. */
export async function seal(publicKey: Bytes, info: Bytes, plaintext: Bytes): Promise<Bytes> {
  const recipientPublicKey = await suite.kem.deserializePublicKey(publicKey.buffer.slice(
    publicKey.byteOffset,
    publicKey.byteOffset + publicKey.length,
  ));
  const { enc, ct } = await suite.seal({ recipientPublicKey, info }, plaintext);
  return concat(new Uint8Array(enc), new Uint8Array(ct));
}

export async function open(recipientKey: CryptoKey, info: Bytes, sealed: Bytes): Promise<Bytes> {
  const enc = sealed.slice(0, ENCAPSULATED);
  return new Uint8Array(await suite.open({ recipientKey, enc, info }, sealed.slice(ENCAPSULATED)));
}
