//! Cognito's post-authentication trigger: somebody signed in with every factor.

use jiff::Timestamp;
use serde_json::Value;
use shared::Fault;
use shared::api::account::RECORD_SIGN_IN;
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
    async fn handle(&self, event: Value, record: &mut Record) -> Result<Handled, Fault> {
        let account = trigger_account(&event)?;
        record.actor = Some(account);
        let row = self.accounts.account(account).await?;
        let Some(row) = row.filter(|row| row.status == Status::Active) else {
            return Ok(Handled::refused("account-not-active"));
        };
        record.role = Some(row.role);
        let write = self.accounts.signed_in(&row, Timestamp::now())?;
        Ok(Handled {
            answer: event,
            writes: vec![write],
            outcome: Outcome::Success,
            reason: None,
        })
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    events(
        aws,
        &RECORD_SIGN_IN,
        Handler {
            accounts: Accounts::new(aws)?,
        },
    )
}
