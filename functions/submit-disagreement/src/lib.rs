//! Takes a patient's statement of disagreement with a denied amendment.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::amendments::{
    Amendment, AmendmentRequest, Dispute, SubmitDisagreement, amendment_closed,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Requests, SealedRow};

struct Handler {
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
        Dispute {
            amendment,
            statement,
        }: Dispute,
    ) -> Result<Changed<AmendmentRequest>, Problem> {
        let row = found.ok_or(Problem::not_found())?;
        let former = Requests::<Amendment>::open(&row, opener)?;
        let now = Timestamp::now();
        let next = former.asked.disputed(access, opener, statement, now)?;
        let taken = amendment_closed();
        let writes = self
            .amendments
            .advance(access, opener, &former, &next, &taken)?;
        let answer = AmendmentRequest::new(next, &self.practice, now);
        Ok(Changed::done(writes, Phi::new(answer)).regarding(amendment.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<SubmitDisagreement>(
        aws,
        Handler {
            amendments: Requests::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
