//! Shows a held laboratory result to its patient before the hold is over.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::lab_holds::{ReleaseLabResult, Released};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::{PatientId, RecordId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Patients;

struct Handler {
    patients: Patients,
}

impl Change<ReleaseLabResult> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        result: RecordId,
    ) -> Result<Changed<Released>, Problem> {
        let now = Timestamp::now();
        let regarding = result.to_string();
        let hold = opener.context().hold(result);
        let Some(hold) = hold.filter(|hold| hold.is_current(now)) else {
            return Ok(Changed::refused(Vec::new(), Problem::not_found()).regarding(regarding));
        };
        let writes = self.patients.release(access, opener, hold, now)?;
        let answer = Released {
            result,
            released_at: now,
        };
        Ok(Changed::done(writes, Phi::new(answer)).regarding(regarding))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ReleaseLabResult>(
        aws,
        Handler {
            patients: Patients::new(aws)?,
        },
    )
}
