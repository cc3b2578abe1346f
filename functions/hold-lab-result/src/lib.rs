//! Keeps a laboratory result from its patient for a time.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::lab_holds::{Held, HoldLabResult, Holding};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Hold, Patients, Records, SealedRow, Section};

/// The longest hold: a request for access is answered within 30 days (45 CFR 164.524(b)(2)).
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The most results of one patient that are held at once. Each is a row of the patient's context, and
/// one transaction can move all of them to the history.
const MOST: usize = 20;

struct Handler {
    patients: Patients,
    records: Records,
}

impl Revise<HoldLabResult> for Handler {
    type Found = Option<SealedRow>;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        holding: &Holding,
    ) -> Result<Option<SealedRow>, Problem> {
        let result = self
            .records
            .entry(whose, Section::LabResults, holding.result);
        Ok(result.await?)
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        found: Option<SealedRow>,
        holding: Holding,
    ) -> Result<Changed<Held>, Problem> {
        let now = Timestamp::now();
        let regarding = holding.result.to_string();
        if found.is_none() {
            return Ok(Changed::refused(Vec::new(), Problem::not_found()).regarding(regarding));
        }
        if holding.until <= now || holding.until > now + LONGEST {
            return Err(Problem::field(
                "/until",
                "must be to come, and at most 30 days from now",
            ));
        }
        let holds = opener.context().holds().iter();
        let mut current = holds.filter(|hold| hold.is_current(now));
        if current.clone().any(|hold| hold.result == holding.result) {
            return Err(already_held());
        }
        if current.nth(MOST - 1).is_some() {
            return Err(too_many_holds());
        }
        let hold = Hold::new(
            holding.result,
            holding.reason,
            access.account(),
            now,
            holding.until,
        );
        let explanation = holding.explanation.as_str();
        let writes = self
            .patients
            .hold(access, opener, &hold, explanation, &already_held())?;
        let answer = Held {
            result: hold.result,
            reason: hold.reason,
            held_at: hold.held_at,
            until: hold.until,
        };
        Ok(Changed::done(writes, Phi::new(answer)).regarding(regarding))
    }
}

const fn already_held() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "already-held",
        "This result is held already",
        "Release it first to hold it for another reason or another time.",
    )
}

const fn too_many_holds() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "too-many-holds",
        "Twenty results of this patient are held already",
        "Release one of them first, or wait until a hold is over.",
    )
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<HoldLabResult>(
        aws,
        Handler {
            patients: Patients::new(aws)?,
            records: Records::new(aws)?,
        },
    )
}
