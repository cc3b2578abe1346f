//! Takes an open refill request back.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::refills::{Refill, State, WithdrawRefill, refill_closed};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{PatientId, RefillId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Requests, SealedRow};

struct Handler {
    refills: Requests<Refill>,
}

impl Revise<WithdrawRefill> for Handler {
    type Found = Option<SealedRow>;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        id: &RefillId,
    ) -> Result<Option<SealedRow>, Problem> {
        Ok(self.refills.find(whose, *id).await?)
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        found: Option<SealedRow>,
        _: RefillId,
    ) -> Result<Changed<Refill>, Problem> {
        let (writes, refill) =
            self.refills
                .step(access, opener, found, &refill_closed(), |former| {
                    former.after(access, opener, State::Withdrawn, None, Timestamp::now())
                })?;
        Ok(Changed::done(writes, Phi::new(refill)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<WithdrawRefill>(
        aws,
        Handler {
            refills: Requests::new(aws)?,
        },
    )
}
