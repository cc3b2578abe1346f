//! Approves or denies a refill request, by somebody who treats the patient.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::refills::{
    Decision, Refill, Review, ReviewRefill, prescription_not_active, refill_closed,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{PatientId, RecordId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Records, Requests, SealedRow, Section};
use std::collections::HashSet;

struct Handler {
    records: Records,
    refills: Requests<Refill>,
}

struct Found {
    row: Option<SealedRow>,
    active: HashSet<RecordId>,
}

impl Revise<ReviewRefill> for Handler {
    type Found = Found;

    async fn find(&self, whose: &Unproven<PatientId>, review: &Review) -> Result<Found, Problem> {
        let (row, active) = tokio::join!(
            self.refills.find(whose, review.refill),
            self.records.ids(whose, Section::ActivePrescriptions),
        );
        Ok(Found {
            row: row?,
            active: active?,
        })
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        found: Found,
        review: Review,
    ) -> Result<Changed<Refill>, Problem> {
        let Found { row, active } = found;
        let (state, reason) = (review.decision.state(), review.reason.map(Into::into));
        let (writes, refill) =
            self.refills
                .step(access, opener, row, &refill_closed(), |former| {
                    let next = former.after(access, opener, state, reason, Timestamp::now())?;
                    let lasts = active.contains(&next.prescription);
                    if review.decision == Decision::Approved && !lasts {
                        return Err(prescription_not_active());
                    }
                    Ok(next)
                })?;
        Ok(Changed::done(writes, Phi::new(refill)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<ReviewRefill>(
        aws,
        Handler {
            records: Records::new(aws)?,
            refills: Requests::new(aws)?,
        },
    )
}
