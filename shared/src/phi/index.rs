//! The blind index: equal values find each other by an HMAC that only KMS can compute.

use crate::Fault;
use crate::aws::fault;
use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::MacAlgorithmSpec;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What is looked up: the purpose keeps the same text under two purposes apart.
#[derive(Debug, Clone, Copy)]
pub enum Term<'a> {
    /// A medical record number, as the clinic writes it.
    Mrn(&'a str),
    /// A key under which files of the record system refer to a patient.
    Alias(&'a str),
    /// The name of an imported file, which may hold a patient's.
    File(&'a str),
    /// The address of somebody who is invited.
    Address(&'a str),
    /// An invitation: who sends it, as what, to whom, and the key of the request.
    Invitation {
        by: &'a str,
        key: &'a str,
        role: &'a str,
        address: &'a str,
    },
    /// A birth date and a family name in the form of [`crate::names::FamilyName`].
    FamilyName { birth_date: &'a str, name: &'a str },
    /// The same with the beginning of a name, which is another thing than a name as short.
    FamilyPrefix {
        birth_date: &'a str,
        prefix: &'a str,
    },
    /// What a change of an e-mail address proves: whose it is, the new address, and the codes that were
    /// mailed to the old one and the new one.
    EmailChange {
        account: &'a str,
        address: &'a str,
        old: &'a str,
        new: &'a str,
    },
    /// What an activation proves: number, date of birth and code together.
    Activation {
        mrn: &'a str,
        birth_date: &'a str,
        code: &'a str,
    },
}

impl Term<'_> {
    fn bytes(&self) -> Vec<u8> {
        let parts: &[&str] = match self {
            Self::Mrn(mrn) => &["mrn", mrn],
            Self::Alias(key) => &["alias", key],
            Self::File(name) => &["file", name],
            Self::Address(address) => &["address", address],
            Self::Invitation {
                by,
                key,
                role,
                address,
            } => &["invitation", by, key, role, address],
            Self::FamilyName { birth_date, name } => &["family-name", birth_date, name],
            Self::FamilyPrefix { birth_date, prefix } => &["family-prefix", birth_date, prefix],
            Self::EmailChange {
                account,
                address,
                old,
                new,
            } => &["email-change", account, address, old, new],
            Self::Activation {
                mrn,
                birth_date,
                code,
            } => &["activation", mrn, birth_date, code],
        };
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

/// Computes terms of the index. The key never leaves KMS.
pub struct BlindIndex {
    kms: Client,
    key_id: String,
}

impl BlindIndex {
    pub const fn new(kms: Client, key_id: String) -> Self {
        Self { kms, key_id }
    }

    /// The MAC of a term, as 43 characters of base64url.
    pub async fn mac(&self, term: Term<'_>) -> Result<String, Fault> {
        let answer = self
            .kms
            .generate_mac()
            .key_id(&self.key_id)
            .mac_algorithm(MacAlgorithmSpec::HmacSha256)
            .message(Blob::new(term.bytes()))
            .send()
            .await
            .map_err(|error| fault("KMS", &error))?;
        let mac = answer.mac.ok_or(Fault::Corrupt("KMS gave no MAC"))?;
        Ok(URL_SAFE_NO_PAD.encode(mac))
    }
}
