//! Takes a patient's statement of disagreement with a denied amendment.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::Operation;
use shared::api::amendments::{
    Amendment, AmendmentRequest, Dispute, SubmitDisagreement, amendment_closed,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Accounts, Allowance, Requests, SealedRow};

/// How often somebody may disagree in half a day.
const ALLOWANCE: Allowance = Allowance {
    requests: 30,
    window: 43_200,
};

struct Handler {
    accounts: Accounts,
    amendments: Requests<Amendment>,
    practice: Practice,
}

impl Revise<SubmitDisagreement> for Handler {
    type Found = Option<SealedRow>;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        dispute: &Dispute,
    ) -> Result<Option<SealedRow>, Problem> {
        Ok(self.amendments.find(whose, dispute.amendment).await?)
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        found: Option<SealedRow>,
        dispute: Dispute,
    ) -> Result<Changed<AmendmentRequest>, Problem> {
        let now = Timestamp::now();
        let (mut writes, next) =
            self.amendments
                .step(access, opener, found, &amendment_closed(), |former| {
                    former.disputed(access, opener, dispute.statement, now)
                })?;
        let operation = SubmitDisagreement::SPEC.id;
        writes.push(
            self.accounts
                .turn(access.account(), operation, ALLOWANCE, now)?,
        );
        let answer = AmendmentRequest::new(next, &self.practice, now);
        Ok(Changed::done(writes, Phi::new(answer)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<SubmitDisagreement>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            amendments: Requests::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
