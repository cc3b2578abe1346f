//! Asks the practice to refill an active prescription.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::Operation;
use shared::api::prescriptions::{Group, Prescription};
use shared::api::refills::{
    KeyedRefill, Refill, RefillRequest, RequestRefill, prescription_not_active, refill_open,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{PatientId, RefillId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Accounts, Allowance, Records, Requests, SealedRow, Section, Write};
use std::collections::HashMap;

/// How often somebody may ask in half a day: requests that are withdrawn and asked again count too.
const ALLOWANCE: Allowance = Allowance {
    requests: 30,
    window: 43_200,
};

struct Handler {
    accounts: Accounts,
    records: Records,
    refills: Requests<Refill>,
}

struct Found {
    active: Vec<SealedRow>,
    /// What the account asked for with the same key.
    before: Option<RefillId>,
    open: HashMap<String, RefillId>,
}

impl Revise<RequestRefill> for Handler {
    type Found = Found;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        input: &KeyedRefill,
    ) -> Result<Found, Problem> {
        let (active, before, open) = tokio::join!(
            self.records.whole(whose, Section::ActivePrescriptions),
            self.refills
                .keyed(whose, input.account, &input.idempotency_key),
            self.refills.open_about(whose),
        );
        Ok(Found {
            active: active?,
            before: before?,
            open: open?,
        })
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        found: Found,
        input: KeyedRefill,
    ) -> Result<Changed<RefillRequest>, Problem> {
        let new = input.refill;
        let active = found
            .active
            .iter()
            .find(|row| row.entry_id().is_ok_and(|id| id == new.prescription));
        if let Some(before) = found.before {
            let refill = self.refills.again(access, opener, before).await?;
            if !refill.is(&new) {
                return Err(Problem::key_used_before());
            }
            return Ok(answer(Vec::new(), refill, active.is_some()));
        }
        let Some(row) = active else {
            return Err(prescription_not_active());
        };
        let prescription = Prescription::open(row, Group::Active, &found.open, opener)?;
        if prescription.open_refill_request.is_some() {
            return Err(refill_open());
        }
        if !prescription.can_request_refill {
            return Err(prescription_not_active());
        }
        let note = new.note.map(Into::into);
        let now = Timestamp::now();
        let refill = Refill::requested(access, opener, &prescription, note, now)?;
        let key = &input.idempotency_key;
        let mut writes = self
            .refills
            .raise(access, opener, &refill, key, &refill_open())?;
        let operation = RequestRefill::SPEC.id;
        writes.push(
            self.accounts
                .turn(access.account(), operation, ALLOWANCE, now)?,
        );
        Ok(answer(writes, refill, true))
    }
}

fn answer(writes: Vec<Write>, refill: Refill, prescription_active: bool) -> Changed<RefillRequest> {
    let id = refill.id.to_string();
    let answer = RefillRequest {
        refill,
        prescription_active,
    };
    Changed::done(writes, Phi::new(answer)).regarding(id)
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<RequestRefill>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            records: Records::new(aws)?,
            refills: Requests::new(aws)?,
        },
    )
}
