//! Answers a request to amend the record: accepts it, denies it, says why it takes longer, or links the
//! disagreement with a denial to what it is about.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
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
        review: Review,
    ) -> Result<Changed<AmendmentRequest>, Problem> {
        let (now, practice) = (Timestamp::now(), &self.practice);
        let (writes, next) =
            self.amendments
                .step(access, opener, found, &amendment_closed(), |former| {
                    former.reviewed(access, opener, review.verdict, practice, now)
                })?;
        let answer = AmendmentRequest::new(next, practice, now);
        Ok(Changed::done(writes, Phi::new(answer)))
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
