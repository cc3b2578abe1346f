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
        id: RefillId,
    ) -> Result<Changed<Refill>, Problem> {
        let row = found.ok_or(Problem::not_found())?;
        let former = Requests::<Refill>::open(&row, opener)?;
        let now = Timestamp::now();
        let refill = former
            .asked
            .after(access, opener, State::Withdrawn, None, now)?;
        let taken = refill_closed();
        let writes = self
            .refills
            .advance(access, opener, &former, &refill, &taken)?;
        Ok(Changed::done(writes, Phi::new(refill)).regarding(id.to_string()))
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
