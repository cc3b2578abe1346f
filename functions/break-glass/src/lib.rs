//! Opens a patient's record to a provider who does not treat them, for an hour.

use http::StatusCode;
use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::Operation;
use shared::api::break_glass::{BreakGlass, BrokenGlass, Emergency};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Accounts, Allowance, Hour, Patients};
use shared::telemetry;

/// How often somebody may break the glass. Who needs more in an hour has more than an emergency.
const ALLOWANCE: Allowance = Allowance {
    requests: 10,
    window: 3600,
};

struct Handler {
    accounts: Accounts,
    patients: Patients,
}

impl Change<BreakGlass> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        emergency: Emergency,
    ) -> Result<Changed<BrokenGlass>, Problem> {
        let now = Timestamp::now();
        let (caller, context) = (access.caller(), opener.context());
        // A portal that somebody left open is not enough to get in with.
        if !caller.signed_in_recently(now) {
            return Ok(Changed::refused(Vec::new(), Problem::sign_in_again()));
        }
        if let Some(until) = caller.row.barred_until.filter(|until| now < *until) {
            return Ok(Changed::refused(Vec::new(), barred(until)));
        }
        let treats = |practitioner| context.is_on_care_team(practitioner, now);
        if caller.row.practitioner.is_some_and(treats) {
            return Err(already_permitted());
        }
        let former = context.break_glass(access.account());
        if let Some(live) = former.filter(|former| now < former.until) {
            return Err(already_broken(live.until));
        }
        let hour = Hour::beginning(emergency.reason, now)?;
        let mut writes = self.patients.break_glass(
            access,
            opener,
            &hour,
            emergency.explanation.into(),
            &already_broken(hour.until),
        )?;
        let (account, id) = (access.account(), BreakGlass::SPEC.id);
        writes.push(self.accounts.turn(account, id, ALLOWANCE, now)?);
        let answer = BrokenGlass {
            grant: hour.grant,
            until: hour.until,
        };
        Ok(Changed::done(writes, Phi::new(answer))
            .emergency(hour.grant, hour.reason)
            // The alarm in infra/alarms.yaml goes by it.
            .follow_up(
                async {
                    telemetry::count(BreakGlass::SPEC.id, "GlassBroken");
                    Ok(())
                },
                std::convert::identity,
            ))
    }
}

fn barred(until: Timestamp) -> Problem {
    let mut problem = Problem::new(
        StatusCode::FORBIDDEN,
        "barred",
        "You cannot break the glass for now",
        "",
    );
    problem.detail = format!(
        "An emergency access of yours was not justified. Until {until} ask somebody of the care team, \
         or the privacy officer to let you again."
    )
    .into();
    problem.with("until", until)
}

const fn already_permitted() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "already-permitted",
        "You are on this patient's care team",
        "Open the record; there is no glass to break.",
    )
}

fn already_broken(until: Timestamp) -> Problem {
    let mut problem = Problem::new(
        StatusCode::CONFLICT,
        "already-broken",
        "You have emergency access to this patient already",
        "",
    );
    problem.detail =
        format!("It lasts until {until} and cannot be made longer; after that, ask again.").into();
    problem.with("until", until)
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<BreakGlass>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            patients: Patients::new(aws)?,
        },
    )
}
