//! Signed checkpoints: how far the chains had come at a time, in one line of canonical JSON, and the
//! signature of that line. Each has the hash of the one before it.

use super::chain::{CHAINS, Head, hash};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

/// What is signed. The fields stand in the order of their names: so it is canonical (RFC 8785).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// When it was made, in milliseconds since 1970.
    pub at: i64,
    /// Of each chain, by its number.
    pub chains: Vec<Head>,
    pub number: u64,
    /// The hash of the signed line of the checkpoint before.
    pub previous: String,
}

impl Checkpoint {
    /// Before the first.
    pub fn start() -> Self {
        Self {
            at: 0,
            chains: (0..CHAINS).map(|_| Head::start()).collect(),
            number: 0,
            previous: String::new(),
        }
    }
}

/// A checkpoint as it stands in the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    pub checkpoint: Checkpoint,
    /// The line that is signed.
    pub text: String,
    /// ECDSA over P-256 and SHA-256, in DER.
    signature: Vec<u8>,
}

impl Signed {
    /// Two lines: the checkpoint, and its signature in base64.
    pub fn write(text: &str, signature: &[u8]) -> String {
        format!("{text}\n{}\n", BASE64_STANDARD.encode(signature))
    }

    pub fn read(object: &[u8]) -> Option<Self> {
        let object = std::str::from_utf8(object).ok()?;
        let (text, signature) = object.split_once('\n')?;
        let checkpoint: Checkpoint = serde_json::from_str(text).ok()?;
        (checkpoint.chains.len() == usize::from(CHAINS)).then_some(())?;
        Some(Self {
            checkpoint,
            text: text.to_owned(),
            signature: BASE64_STANDARD.decode(signature.trim_end()).ok()?,
        })
    }

    pub fn hash(&self) -> String {
        hash(self.text.as_bytes())
    }

    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key.0);
        key.verify(self.text.as_bytes(), &self.signature).is_ok()
    }
}

/// The public half of the key that checkpoints are signed with.
pub struct PublicKey(Vec<u8>);

impl PublicKey {
    /// A `SubjectPublicKeyInfo`, as KMS gives it.
    pub const fn from_der(der: Vec<u8>) -> Self {
        Self(der)
    }

    /// The same between the lines of a PEM file.
    pub fn from_pem(pem: &str) -> Option<Self> {
        let (_, rest) = pem.split_once("-----BEGIN PUBLIC KEY-----")?;
        let (body, _) = rest.split_once("-----END PUBLIC KEY-----")?;
        let body: String = body.split_whitespace().collect();
        BASE64_STANDARD.decode(body).ok().map(Self)
    }
}
