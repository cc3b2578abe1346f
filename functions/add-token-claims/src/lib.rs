//! Cognito's pre-token-generation trigger (event version 2): adds the patient's id to the access
//! token, and refuses tokens to accounts that may not be used.

use serde_json::{Value, json};
use shared::Fault;
use shared::api::account::ADD_TOKEN_CLAIMS;
use shared::audit::{Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::identity::trigger_account;
use shared::serve::Service;
use shared::store::{Accounts, Status};

struct Handler {
    accounts: Accounts,
}

impl Handle for Handler {
    async fn handle(&self, mut event: Value, record: &mut Record) -> Result<Handled, Fault> {
        let account = trigger_account(&event)?;
        record.actor = Some(account);
        let row = self.accounts.account(account).await?;
        let Some(row) = row.filter(|row| row.status == Status::Active) else {
            return Ok(Handled::refused("account-not-active"));
        };
        record.role = Some(row.role);
        if let (Some(patient), Some(event)) = (row.patient, event.as_object_mut()) {
            let claims = json!({
                "claimsAndScopeOverrideDetails": {
                    "accessTokenGeneration": {
                        "claimsToAddOrOverride": { "patient_id": patient }
                    }
                }
            });
            event.insert("response".to_owned(), claims);
        }
        Ok(Handled {
            answer: event,
            writes: Vec::new(),
            outcome: Outcome::Success,
            reason: None,
        })
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    events(
        aws,
        &ADD_TOKEN_CLAIMS,
        Handler {
            accounts: Accounts::new(aws)?,
        },
    )
}
