//! Keys of messages: who owns them, the log that shows when one changed, and the private key, which
//! only its owner gets. docs/MESSAGES.md says what they are for.

use super::bytes::{Bytes, Digest};
use super::codes::codes;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::access::{Caller, KeyOwner, Role};
use crate::aws::Capability::{
    CountRequests, OpenPrivateKeys, ReadAccounts, ReadMessageKeys, ReadPatients, ReadPrivateKeys,
    SealPrivateKeys, WriteAudit, WriteMessageKeys,
};
use crate::http::{Problem, Request};
use crate::ids::{AccountId, PatientId};
use ::http::StatusCode;
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

codes! {
    /// A part of the practice that has a key of its own, which everybody of one role unlocks.
    Group {
        Providers = "providers",
    }
}

/// Who takes part in threads: an account of a patient or proxy, or a group of the practice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub enum Party {
    Account(AccountId),
    Group(Group),
}

impl Party {
    /// As whom a caller reads and writes.
    pub fn of(caller: &Caller) -> Self {
        match caller.row.role {
            // A privacy officer reads for the practice.
            Role::Provider | Role::PrivacyOfficer => Self::Group(Group::Providers),
            _ => Self::Account(caller.row.account),
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => account.fmt(f),
            Self::Group(group) => f.write_str(group.as_str()),
        }
    }
}

impl FromStr for Party {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let account = text.parse().map(Self::Account);
        account
            .or_else(|_| text.parse().map(Self::Group))
            .map_err(|_| "must be the id of an account, or providers")
    }
}

impl TryFrom<String> for Party {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        text.parse()
    }
}

impl From<Party> for String {
    fn from(party: Party) -> Self {
        party.to_string()
    }
}

/// A P-256 public key, an uncompressed point (SEC 1, section 2.3.3).
pub type PublicKey = Bytes<65, 65>;

/// A private key in PKCS #8.
pub type Pkcs8 = Bytes<64, 256>;

codes! {
    /// Who can open a private key.
    Protection {
        /// Whoever the portal hands it to.
        Portal = "portal",
        /// Nobody without the passphrase: the browser wrapped it before it left.
        Passphrase = "passphrase",
        /// Nobody without the passkey, in the same way.
        Passkey = "passkey",
    }
}

/// A private key that a browser wrapped: version, kind, rounds, salt, and the ciphertext. The portal
/// sees no more of it than its length.
pub type LockedKey = Bytes<118, 310>;

/// What there is of a private key.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    PrivateKey(Pkcs8),
    LockedKey(LockedKey),
}

impl Secret {
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::PrivateKey(key) => key.as_slice(),
            Self::LockedKey(key) => key.as_slice(),
        }
    }

    /// What stands behind a protection.
    pub fn new(protection: Protection, bytes: Vec<u8>) -> Option<Self> {
        match protection {
            Protection::Portal => Pkcs8::new(bytes).map(Self::PrivateKey),
            Protection::Passphrase | Protection::Passkey => {
                LockedKey::new(bytes).map(Self::LockedKey)
            }
        }
    }
}

/// A public key in its owner's log. Its id commits to every key before it, and to who can open the
/// private one.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct LoggedKey {
    pub key_id: Digest,
    pub public_key: PublicKey,
    pub protection: Protection,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// As the server says; the id does not commit to it.
    pub registered_at: Timestamp,
}

/// The id of a key: SHA-256 over a label, the owner, the key's number in the log from 1, the public
/// key and the id of the key before, and the protection of the private key unless that is the portal's
/// alone; each with its length in four bytes before it.
pub fn key_id(
    owner: Party,
    number: u32,
    public_key: &PublicKey,
    previous: Option<&Digest>,
    protection: Protection,
) -> Option<Digest> {
    let mut context = digest::Context::new(&digest::SHA256);
    let owner = owner.to_string();
    let number = number.to_be_bytes();
    let mut parts = vec![
        &b"portal/message-key/v1"[..],
        owner.as_bytes(),
        &number,
        public_key.as_slice(),
        previous.map_or(&[][..], Digest::as_slice),
    ];
    if protection != Protection::Portal {
        parts.push(protection.as_str().as_bytes());
    }
    for part in parts {
        let length = u32::try_from(part.len()).ok()?;
        context.update(&length.to_be_bytes());
        context.update(part);
    }
    Digest::new(context.finish().as_ref().to_vec())
}

/// Registers a key, the owner's first or one in place of the last.
pub struct RegisterMessageKey;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct NewKeyBody {
    public_key: PublicKey,
    private_key: Option<Pkcs8>,
    protection: Option<Protection>,
    locked_key: Option<LockedKey>,
    previous: Option<Digest>,
}

/// A pair of keys, and the key that it follows. That the two belong together is known where the private
/// key can be seen; a browser holds what it unlocks to the public key in any case.
pub struct NewKey {
    pub owner: Party,
    pub public_key: PublicKey,
    pub secret: Secret,
    pub protection: Protection,
    pub previous: Option<Digest>,
}

/// The log has gone on since the caller read it.
pub const fn key_log_moved() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "key-log-moved",
        "Another key was registered in the meantime",
        "Read the keys again; register another one after the last if it is still needed.",
    )
}

/// The log is as long as one may be.
pub const fn too_many_keys() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "too-many-keys",
        "Too many keys were registered",
        "Ask the practice what is wrong: a key lasts for years.",
    )
}

impl Operation for RegisterMessageKey {
    const SPEC: &'static Spec = &Spec {
        id: "register-message-key",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/message-keys/{owner}",
            auth: Auth::Token,
        },
        action: "RegisterMessageKey",
        audit: "message-key.register",
        needs: &[
            ReadAccounts,
            ReadMessageKeys,
            WriteMessageKeys,
            SealPrivateKeys,
            WriteAudit,
        ],
    };
    type Subject = KeyOwner;
    type Input = NewKey;
    type Output = LoggedKey;

    const SUCCESS: StatusCode = StatusCode::CREATED;

    fn parse(request: &Request) -> Result<NewKey, Problem> {
        request.no_query()?;
        let owner = owner(request)?;
        let NewKeyBody {
            public_key,
            private_key,
            protection,
            locked_key,
            previous,
        } = request.body()?;
        let protection = protection.unwrap_or(Protection::Portal);
        let secret = match (protection, private_key, locked_key) {
            (Protection::Portal, Some(key), None) => Secret::PrivateKey(key),
            (Protection::Passphrase | Protection::Passkey, None, Some(key)) => {
                Secret::LockedKey(key)
            }
            (Protection::Portal, ..) => {
                const MUST: &str = "must be sent, and no locked_key, where the portal protects it";
                return Err(Problem::field("/private_key", MUST));
            }
            (Protection::Passphrase | Protection::Passkey, ..) => {
                const MUST: &str =
                    "must be sent, and no private_key, where the portal alone cannot open it";
                return Err(Problem::field("/locked_key", MUST));
            }
        };
        if let Secret::PrivateKey(key) = &secret {
            let pair = PrivateKey::from_private_key_der(&ECDH_P256, key.as_slice())
                .and_then(|private| Ok(private.compute_public_key()?));
            if !pair.is_ok_and(|public| public.as_ref() == public_key.as_slice()) {
                return Err(Problem::field(
                    "/private_key",
                    "must be the private key, in PKCS #8, of the P-256 public_key",
                ));
            }
        }
        Ok(NewKey {
            owner,
            public_key,
            secret,
            protection,
            previous,
        })
    }
}

/// Hands a private key to its owner.
pub struct UnlockMessageKey;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct LockedBody {
    key_id: Digest,
}

/// Which key, of whom.
pub struct Locked {
    pub owner: Party,
    /// Who asks for it.
    pub account: AccountId,
    pub key_id: Digest,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Unlocked {
    pub key_id: Digest,
    pub protection: Protection,
    #[serde(flatten)]
    pub secret: Secret,
}

impl Operation for UnlockMessageKey {
    const SPEC: &'static Spec = &Spec {
        id: "unlock-message-key",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/message-keys/{owner}/unlock",
            auth: Auth::Token,
        },
        action: "UnlockMessageKey",
        audit: "message-key.unlock",
        needs: &[
            ReadAccounts,
            CountRequests,
            ReadPrivateKeys,
            OpenPrivateKeys,
            WriteAudit,
        ],
    };
    type Subject = KeyOwner;
    type Input = Locked;
    type Output = Unlocked;

    fn parse(request: &Request) -> Result<Locked, Problem> {
        request.no_query()?;
        let LockedBody { key_id } = request.body()?;
        Ok(Locked {
            owner: owner(request)?,
            account: account(request)?,
            key_id,
        })
    }
}

/// Whose key the request is about, once it is permitted: what the verified token says.
fn owner(request: &Request) -> Result<Party, Problem> {
    let owner: KeyOwner = request.path("owner")?;
    Ok(owner.party(account(request)?))
}

fn account(request: &Request) -> Result<AccountId, Problem> {
    let claims = request.claims.as_ref().ok_or(Problem::unauthenticated())?;
    Ok(claims.account)
}

/// The public keys of everybody who may take part in a patient's threads now.
pub struct GetMessageKeys;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct MessageKeys {
    pub parties: Vec<KeyLog>,
}

/// A party and its keys, oldest first; a party that has registered none has none.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct KeyLog {
    pub party: Party,
    pub relationship: Relationship,
    pub keys: Vec<LoggedKey>,
}

codes! {
    /// What a party is to the patient's threads.
    Relationship {
        Patient = "patient",
        Proxy = "proxy",
        Practice = "practice",
    }
}

impl Operation for GetMessageKeys {
    const SPEC: &'static Spec = &Spec {
        id: "get-message-keys",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/message-keys",
            auth: Auth::Token,
        },
        action: "GetMessageKeys",
        audit: "message-key.list",
        needs: &[ReadAccounts, ReadPatients, ReadMessageKeys, WriteAudit],
    };
    type Subject = PatientId;
    type Input = ();
    type Output = MessageKeys;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}
