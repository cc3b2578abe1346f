//! The practice's letter, with which a patient makes their account.

use super::Stack;
use super::recorder::Recorder;
use super::request::{With, anonymous, body, signed_in};
use super::world::{World, call, specs};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::Request;
use shared::ids::{AccountId, PatientId};
use shared::phi::{BlindIndex, Term};
use shared::store::{Accounts, Activation};
use uuid::Uuid;

#[derive(Debug, Clone)]
pub struct Letter {
    pub mrn: String,
    pub birth_date: String,
    pub code: String,
}

impl Letter {
    /// A letter to the patient of the world, good for a day.
    pub async fn to_the_patient(world: &World) -> Self {
        Self::until(world, Timestamp::now().as_second() + 86_400).await
    }

    /// One that is good until a second; the code of the letter before it dies.
    pub async fn until(world: &World, expires_at: i64) -> Self {
        Self::write(&world.stack, world.patient, world.account, expires_at).await
    }

    /// A letter to any patient, whose account tells us what to write.
    pub async fn of(stack: &Stack, patient: PatientId, account: AccountId) -> Self {
        let tomorrow = Timestamp::now().as_second() + 86_400;
        Self::write(stack, patient, account, tomorrow).await
    }

    async fn write(stack: &Stack, patient: PatientId, account: AccountId, expires_at: i64) -> Self {
        let aws = stack.aws(&Recorder::default());
        let spec = specs().into_iter().find(|spec| spec.id == "get-profile");
        let request = signed_in(account, Role::Patient).patient(patient);
        let profile = body(&call(&aws, spec.unwrap(), request).await);
        let letter = Self {
            mrn: profile["mrn"].as_str().unwrap().to_owned(),
            birth_date: profile["birth_date"].as_str().unwrap().to_owned(),
            code: Uuid::new_v4().simple().to_string()[..16].to_ascii_uppercase(),
        };
        let index = BlindIndex::new(aws.kms().clone(), aws.name(Resource::IndexKey).unwrap());
        let term = Term::Activation {
            mrn: &letter.mrn,
            birth_date: &letter.birth_date,
            code: &letter.code,
        };
        let activation = Activation {
            patient,
            proof: index.mac(term).await.unwrap(),
            expires_at,
            used: None,
        };
        let number = index.mac(Term::Mrn(&letter.mrn)).await.unwrap();
        let accounts = Accounts::new(&aws).unwrap();
        let write = accounts.issue_activation(&number, &activation).unwrap();
        let transaction = aws.dynamodb().transact_write_items();
        transaction.transact_items(write.item).send().await.unwrap();
        letter
    }

    /// A request with what the letter says.
    pub fn request(&self, email: &str, idempotency_key: &str) -> Request {
        anonymous()
            .header("idempotency-key", idempotency_key)
            .json(&json!({
                "mrn": self.mrn,
                "birth_date": self.birth_date,
                "code": self.code,
                "email": email,
            }))
    }
}

/// The one activation row that there is.
pub async fn activation_row(world: &World) -> Value {
    let rows = world.stack.items(Resource::AccountsTable).await.into_iter();
    let mut rows: Vec<_> = rows
        .filter(|row| row["pk"].as_str().unwrap().starts_with("ACTIVATION#"))
        .collect();
    assert_eq!(rows.len(), 1, "{rows:#?}");
    rows.remove(0)
}
