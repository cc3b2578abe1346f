//! Answers a request to amend the record: accepts it, denies it, or says why it takes longer.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Role, Unproven};
use shared::api::amendments::{
    Amendment, AmendmentRequest, Review, ReviewAmendment, amendment_closed,
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

impl Revise<ReviewAmendment> for Handler {
    type Found = Option<SealedRow>;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        review: &Review,
    ) -> Result<Option<SealedRow>, Problem> {
        Ok(self.amendments.find(whose, review.amendment).await?)
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        found: Option<SealedRow>,
        Review { amendment, verdict }: Review,
    ) -> Result<Changed<AmendmentRequest>, Problem> {
        let row = found.ok_or(Problem::not_found())?;
        let former = Requests::<Amendment>::open(&row, opener)?;
        // The policy lets the care team answer; what is not clinical is the privacy officer's.
        let is_officer = access.caller().row.role == Role::PrivacyOfficer;
        if !is_officer && !former.asked.part.is_clinical() {
            let refused = Changed::refused(Vec::new(), Problem::forbidden());
            return Ok(refused.regarding(amendment.to_string()));
        }
        let now = Timestamp::now();
        let next = former
            .asked
            .reviewed(access, opener, verdict, &self.practice, now)?;
        let taken = amendment_closed();
        let writes = self
            .amendments
            .advance(access, opener, &former, &next, &taken)?;
        let answer = AmendmentRequest::new(next, &self.practice, now);
        Ok(Changed::done(writes, Phi::new(answer)).regarding(amendment.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<ReviewAmendment>(
        aws,
        Handler {
            amendments: Requests::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
