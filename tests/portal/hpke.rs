//! The browsers' sealing against another implementation of RFC 9180, both ways.

use crate::harness::messages::base64url;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{
    Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal,
};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

type PrivateKey = <DhP256HkdfSha256 as Kem>::PrivateKey;
type PublicKey = <DhP256HkdfSha256 as Kem>::PublicKey;
type EncappedKey = <DhP256HkdfSha256 as Kem>::EncappedKey;

const INFO: &[u8] = b"portal/thread-key/v1 and so on";
const SECRET: &[u8] = &[0x5a; 32];

/// Opens what it is given, with a key that it makes, and seals its plaintext back.
const BROWSER: &str = "
import { hpke } from './dist/messages/index.js';
const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64url'));
const text = (bytes) => Buffer.from(bytes).toString('base64url');
const lines = (await import('node:readline')).createInterface({ input: process.stdin });
const pair = await hpke.generate();
console.log(JSON.stringify({ public_key: text(pair.publicKey) }));
for await (const line of lines) {
  const { info, sealed, public_key } = JSON.parse(line);
  const plaintext = await hpke.open(await hpke.privateKey(pair), bytes(info), bytes(sealed));
  const back = await hpke.seal(bytes(public_key), bytes(info), plaintext);
  console.log(JSON.stringify({ plaintext: text(plaintext), sealed: text(back) }));
  break;
}
process.exit(0);
";

fn bytes(value: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(value.as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_browser_and_another_implementation_understand_each_other() {
    use std::io::{BufRead, BufReader, Write};

    let web = xtask::tools::install_web().await.unwrap();
    let mut node = Command::new("node")
        .args(["--input-type=module", "--eval", BROWSER])
        .current_dir(web)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(node.stdout.take().unwrap()).lines();
    let mut line = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };

    let theirs = PublicKey::from_bytes(&bytes(&line()["public_key"])).unwrap();
    let (enc, ciphertext) = single_shot_seal::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
        &OpModeS::Base,
        &theirs,
        INFO,
        SECRET,
        b"",
    )
    .unwrap();
    let sealed = [enc.to_bytes().as_slice(), &ciphertext].concat();
    assert_eq!(sealed.len(), 113);
    let (private, public): (PrivateKey, PublicKey) = DhP256HkdfSha256::gen_keypair();
    let request = json!({
        "info": base64url(INFO),
        "sealed": base64url(&sealed),
        "public_key": base64url(public.to_bytes().as_slice()),
    });
    writeln!(node.stdin.take().unwrap(), "{request}").unwrap();
    let answer = line();
    assert_eq!(bytes(&answer["plaintext"]), SECRET);

    let sealed = bytes(&answer["sealed"]);
    let (enc, ciphertext) = sealed.split_at(65);
    let opened = single_shot_open::<AesGcm256, HkdfSha256, DhP256HkdfSha256>(
        &OpModeR::Base,
        &private,
        &EncappedKey::from_bytes(enc).unwrap(),
        INFO,
        ciphertext,
        b"",
    )
    .unwrap();
    assert_eq!(opened, SECRET);
    assert!(node.wait().unwrap().success());
}
