//! Keys and threads as a browser makes them, but for the encryption: the server cannot tell.

use super::Whose;
use super::function::Function;
use super::request::{With, body, signed_in};
use super::world::World;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::AccountId;
use uuid::Uuid;

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A new pair: public key and private key.
pub fn pair() -> (String, String) {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref()).unwrap();
    (
        base64url(pair.public_key().as_ref()),
        base64url(pkcs8.as_ref()),
    )
}

/// A sealed message, with random bytes for the ciphertext.
pub fn envelope(thread: Uuid, sender: AccountId, counter: u64, key_id: &str) -> String {
    envelope_of(thread, sender, counter, key_id, 64)
}

pub fn envelope_of(
    thread: Uuid,
    sender: AccountId,
    counter: u64,
    key_id: &str,
    ciphertext: usize,
) -> String {
    let mut bytes = vec![1];
    bytes.extend_from_slice(thread.as_bytes());
    bytes.extend_from_slice(sender.uuid().as_bytes());
    bytes.extend_from_slice(&counter.to_be_bytes());
    bytes.extend_from_slice(&URL_SAFE_NO_PAD.decode(key_id).unwrap());
    let mut random = vec![0; 32 + ciphertext];
    aws_lc_rs::rand::fill(&mut random).unwrap();
    bytes.append(&mut random);
    base64url(&bytes)
}

pub fn wrapped(party: &str, key_id: &str) -> Value {
    json!({"party": party, "key_id": key_id, "wrapped": base64url(&[4; 113])})
}

/// Parts of a path.
pub trait Paths: Sized {
    fn thread(self, thread: Uuid) -> Self;
    fn owner(self, owner: &str) -> Self;
    fn idempotent(self) -> Self;
}

impl Paths for Request {
    fn thread(mut self, thread: Uuid) -> Self {
        self.path.push(("thread".to_owned(), thread.to_string()));
        self
    }

    fn owner(mut self, owner: &str) -> Self {
        self.path.push(("owner".to_owned(), owner.to_owned()));
        self
    }

    fn idempotent(self) -> Self {
        self.header("idempotency-key", &Uuid::new_v4().to_string())
    }
}

impl World {
    pub async fn ask(&self, id: &str, request: Request) -> Response {
        Function::new(&self.stack, id).respond(request).await
    }

    /// The id of an owner's last key.
    pub async fn last_key(&self, owner: &str) -> Option<String> {
        let rows = self.stack.items(Resource::MessagesTable).await.into_iter();
        let mut rows: Vec<_> = rows
            .filter(|row| row["pk"] == format!("KEYS#{owner}"))
            .collect();
        rows.sort_by_key(|row| row["sk"].to_string());
        let id = rows.last()?["key_id"].as_str().unwrap();
        Some(base64url(&STANDARD.decode(id).unwrap()))
    }

    /// A registration of a new key behind the owner's last.
    pub async fn registration(&self, by: Request, owner: &str) -> Request {
        let account = by.claims.as_ref().unwrap().account.to_string();
        let whose = if owner == "account" { &account } else { owner };
        let (public, private) = pair();
        let mut body = json!({"public_key": public, "private_key": private});
        if let Some(previous) = self.last_key(whose).await {
            body["previous"] = previous.into();
        }
        by.owner(owner).json(&body)
    }

    /// The id of the last key, which is registered if there is none.
    pub async fn key(&self, by: Request, owner: &str) -> String {
        let account = by.claims.as_ref().unwrap().account.to_string();
        let whose = if owner == "account" { &account } else { owner };
        if let Some(key) = self.last_key(whose).await {
            return key;
        }
        let request = self.registration(by, owner).await;
        let response = self.ask("register-message-key", request).await;
        assert_eq!(response.status, 201, "{}", body(&response));
        body(&response)["key_id"].as_str().unwrap().to_owned()
    }

    /// The last keys of the patient and of the practice.
    pub async fn both_keys(&self) -> [String; 2] {
        [
            self.key(self.by_patient(), "account").await,
            self.key(self.by_provider(), "providers").await,
        ]
    }

    /// The body of a new thread of the patient's.
    pub async fn new_thread(&self, thread: Uuid) -> Value {
        let [own, practice] = self.both_keys().await;
        json!({
            "thread": thread,
            "category": "medical-question",
            "subject": envelope(thread, self.account, 0, &own),
            "message": envelope(thread, self.account, 1, &own),
            "commitment": base64url(&[7; 32]),
            "keys": [
                wrapped(&self.account.to_string(), &own),
                wrapped("providers", &practice),
            ],
        })
    }

    pub fn about_patient(&self) -> Request {
        self.by_patient().patient(self.patient)
    }

    pub fn by_provider_about_patient(&self) -> Request {
        self.by_provider().patient(self.patient)
    }

    /// A thread of the patient's with one message.
    pub async fn thread(&self) -> Uuid {
        let thread = Uuid::new_v4();
        let request = self.about_patient().idempotent();
        let request = request.json(&self.new_thread(thread).await);
        let response = self.ask("start-thread", request).await;
        assert_eq!(response.status, 201, "{}", body(&response));
        thread
    }

    /// A message of the patient's.
    pub async fn message(&self, thread: Uuid, counter: u64) -> Request {
        let [own, _] = self.both_keys().await;
        let message = envelope(thread, self.account, counter, &own);
        let request = self.about_patient().thread(thread).idempotent();
        request.json(&json!({"message": message}))
    }

    /// A message of the practice's.
    pub async fn answer(&self, thread: Uuid, counter: u64) -> Request {
        let [_, practice] = self.both_keys().await;
        let message = envelope(thread, self.provider, counter, &practice);
        let request = self.by_provider_about_patient().thread(thread);
        request.idempotent().json(&json!({"message": message}))
    }

    /// A request about messages that succeeds.
    pub async fn about_messages(&self, id: &str) -> Option<Request> {
        let request = match id {
            "register-message-key" => {
                let account = self.stack.account(Role::Patient, Whose::Nobody).await;
                let by = signed_in(account, Role::Patient);
                self.registration(by, "account").await
            }
            "unlock-message-key" => {
                let key = self.key(self.by_patient(), "account").await;
                let request = self.by_patient().owner("account");
                request.json(&json!({"key_id": key}))
            }
            "get-message-keys" => {
                self.both_keys().await;
                self.about_patient()
            }
            "start-thread" => {
                let body = self.new_thread(Uuid::new_v4()).await;
                self.about_patient().idempotent().json(&body)
            }
            "list-threads" => {
                self.thread().await;
                self.about_patient()
            }
            "list-inbox" => {
                self.thread().await;
                self.by_provider()
            }
            "read-thread" | "close-thread" => self.about_patient().thread(self.thread().await),
            "send-message" => self.message(self.thread().await, 2).await,
            "mark-thread-read" => {
                let thread = self.thread().await;
                let request = self.by_provider_about_patient().thread(thread);
                request.json(&json!({"through": 1}))
            }
            "hide-thread" => {
                let request = self.about_patient().thread(self.thread().await);
                request.json(&json!({"through": 1}))
            }
            "disclose-messages" => self.disclosure(),
            "share-thread" => {
                let thread = self.thread().await;
                let keys = json!([wrapped("providers", &base64url(&[5; 32]))]);
                self.about_patient()
                    .thread(thread)
                    .json(&json!({"keys": keys}))
            }
            "assign-thread" => {
                let thread = self.thread().await;
                let request = self.by_provider_about_patient().thread(thread);
                request.json(&json!({"practitioner": self.practitioner}))
            }
            _ => return None,
        };
        Some(request)
    }

    /// The privacy officer passes messages on.
    pub fn disclosure(&self) -> Request {
        let request = self.by_officer().since(0).patient(self.patient);
        request.idempotent().json(&json!({
            "purpose": "judicial-proceeding",
            "statement": "CANARY-940 is a witness",
            "recipient": "CANARY-941 county court",
            "address": "CANARY-942 Court Street",
        }))
    }

    /// An account of a patient's proxy.
    pub fn by_account(&self, account: AccountId) -> Request {
        signed_in(account, Role::Patient).patient(self.patient)
    }
}
