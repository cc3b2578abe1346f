//! Asks the practice to amend the record.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::Operation;
use shared::api::amendments::{
    Amendment, AmendmentRequest, KeyedAmendment, RequestAmendment, too_many_amendments,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{AmendmentId, PatientId};
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Accounts, Allowance, Requests};

/// How often somebody may ask in half a day, answered or not.
const ALLOWANCE: Allowance = Allowance {
    requests: 30,
    window: 43_200,
};

struct Handler {
    accounts: Accounts,
    amendments: Requests<Amendment>,
    practice: Practice,
}

impl Revise<RequestAmendment> for Handler {
    /// What the account asked for with the same key.
    type Found = Option<AmendmentId>;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        input: &KeyedAmendment,
    ) -> Result<Option<AmendmentId>, Problem> {
        let (account, key) = (input.account, &input.idempotency_key);
        Ok(self.amendments.keyed(whose, account, key).await?)
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        before: Option<AmendmentId>,
        input: KeyedAmendment,
    ) -> Result<Changed<AmendmentRequest>, Problem> {
        let now = Timestamp::now();
        let (new, key) = (input.amendment, &input.idempotency_key);
        let (writes, amendment) = if let Some(before) = before {
            let amendment = self.amendments.again(access, opener, before).await?;
            if !amendment.is(&new) {
                return Err(Problem::key_used_before());
            }
            (Vec::new(), amendment)
        } else {
            let amendment = Amendment::requested(access, opener, new, &self.practice, now)?;
            let too_many = too_many_amendments();
            let mut writes = self
                .amendments
                .raise(access, opener, &amendment, key, &too_many)?;
            let operation = RequestAmendment::SPEC.id;
            writes.push(
                self.accounts
                    .turn(access.account(), operation, ALLOWANCE, now)?,
            );
            (writes, amendment)
        };
        let id = amendment.id.to_string();
        let answer = AmendmentRequest::new(amendment, &self.practice, now);
        Ok(Changed::done(writes, Phi::new(answer)).regarding(id))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<RequestAmendment>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            amendments: Requests::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
