// RFC 9180's test vector for this suite (mode 0, KEM 16, KDF 1, AEAD 2). Its thousand encryptions are
// held as one digest, as Go's standard library holds them: inputs are drawn from SHAKE128 of nothing,
// and the ciphertexts go into another SHAKE128.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Bytes } from './bytes.js';
import * as hpke from './hpke.js';

const hex = (digits: string): Bytes => Uint8Array.from(Buffer.from(digits, 'hex'));

const VECTOR = {
  info: hex('4f6465206f6e2061204772656369616e2055726e'),
  ikmE: hex('a90d3417c3da9cb6c6ae19b4b5dd6cc9529a4cc24efb7ae0ace1f31887a8cd6c'),
  ikmR: hex('a0ce15d49e28bd47a18a97e147582d814b08cbe00109fed5ec27d1b4e9f6f5e3'),
  skRm: '317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2',
  pkRm: '04abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c685136f853148544876de76c0f2ef99cdc3a05ccf5ded7860c7c021238f9e2073d2356c',
  enc: '04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0',
  encryptions: '8d3263541fc1695b6e88ff3a1208577c',
};

/** What SHAKE128 of nothing gives, in portions whose lengths it gives as well. */
function* inputs(): Generator<Bytes, never> {
  const source = createHash('shake128', { outputLength: 1_000_000 }).digest();
  for (let at = 0; ; ) {
    const length = source[at] ?? 0;
    yield Uint8Array.from(source.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
}

test("RFC 9180's vector", async () => {
  const { suite } = hpke;
  const recipientKey = await suite.kem.deriveKeyPair(VECTOR.ikmR.buffer);
  const serialized = async (key: CryptoKey): Promise<string> =>
    Buffer.from(await suite.kem.serializePublicKey(key)).toString('hex');
  assert.equal(await serialized(recipientKey.publicKey), VECTOR.pkRm);
  const secret = Buffer.from(await suite.kem.serializePrivateKey(recipientKey.privateKey));
  assert.equal(secret.toString('hex'), VECTOR.skRm);

  const sender = await suite.createSenderContext({
    recipientPublicKey: recipientKey.publicKey,
    info: VECTOR.info,
    ekm: await suite.kem.deriveKeyPair(VECTOR.ikmE.buffer),
  });
  assert.equal(Buffer.from(sender.enc).toString('hex'), VECTOR.enc);
  const recipient = await suite.createRecipientContext({
    recipientKey: recipientKey.privateKey,
    enc: hex(VECTOR.enc),
    info: VECTOR.info,
  });
  const drawn = inputs();
  const sink = createHash('shake128', { outputLength: 16 });
  for (let at = 0; at < 1000; at += 1) {
    const aad = drawn.next().value;
    const plaintext = drawn.next().value;
    const ciphertext = await sender.seal(plaintext, aad);
    sink.update(Buffer.from(ciphertext));
    assert.deepEqual(new Uint8Array(await recipient.open(ciphertext, aad)), plaintext);
  }
  assert.equal(sink.digest('hex'), VECTOR.encryptions);
});

test('what is sealed to a key opens with it, for the same purpose', async () => {
  const pair = await hpke.generate();
  const key = await hpke.privateKey(pair);
  const [info, other, secret] = [hex('01'), hex('02'), hex('beef')];
  const sealed = await hpke.seal(pair.publicKey, info, secret);
  assert.equal(sealed.length, 65 + secret.length + 16);
  assert.deepEqual(await hpke.open(key, info, sealed), secret);
  await assert.rejects(hpke.open(key, other, sealed));
  const another = await hpke.generate();
  await assert.rejects(hpke.open(await hpke.privateKey(another), info, sealed));
});

test('a private key that is not the public one is refused', async () => {
  const [one, other] = [await hpke.generate(), await hpke.generate()];
  const wrong = { publicKey: one.publicKey, privateKey: other.privateKey };
  await assert.rejects(hpke.privateKey(wrong), { code: 'key-altered' });
});
