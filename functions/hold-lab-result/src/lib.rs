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
use shared::store::holds::MOST;
use shared::store::{Hold, Patients, Records, SealedRow, Section};

/// The longest that a result is held, all holds on it together, from the first one on: a request for
/// access is answered within 30 days (45 CFR 164.524(b)(2)), and whoever keeps something back for longer
/// than an exception takes blocks information (171.103, 171.201(b)).
const LONGEST: SignedDuration = SignedDuration::from_hours(30 * 24);

struct Handler {
    patients: Patients,
    records: Records,
}

/// What a hold goes by.
struct Found {
    result: Option<SealedRow>,
    first_held: Option<Timestamp>,
}

impl Revise<HoldLabResult> for Handler {
    type Found = Found;

    async fn find(&self, whose: &Unproven<PatientId>, holding: &Holding) -> Result<Found, Problem> {
        let (result, first_held) = tokio::try_join!(
            self.records
                .entry(whose, Section::LabResults, holding.result),
            self.patients.first_held(whose, holding.result),
        )?;
        Ok(Found { result, first_held })
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        found: Found,
        holding: Holding,
    ) -> Result<Changed<Held>, Problem> {
        let now = Timestamp::now();
        let regarding = holding.result.to_string();
        if found.result.is_none() {
            return Ok(Changed::refused(Vec::new(), Problem::not_found()).regarding(regarding));
        }
        let holds = opener.context().holds().iter();
        let current = holds.filter(|hold| hold.is_current(now));
        if current.clone().any(|hold| hold.result == holding.result) {
            return Err(already_held());
        }
        let last = found.first_held.unwrap_or(now) + LONGEST;
        if last <= now {
            return Err(held_long_enough());
        }
        if holding.until <= now || holding.until > last {
            return Err(Problem::field(
                "/until",
                "must be to come, and at most 30 days after the result was held first",
            ));
        }
        // Of those that come at once, the transaction counts.
        if current.count() >= MOST {
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
        let writes = self.patients.hold(
            access,
            opener,
            &hold,
            found.first_held.is_none(),
            explanation,
            [&already_held(), &too_many_holds()],
        )?;
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

const fn held_long_enough() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "held-long-enough",
        "This result was held for the first time more than 30 days ago",
        "A result is kept back for 30 days at most, all holds together. Tell the patient about it now.",
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
