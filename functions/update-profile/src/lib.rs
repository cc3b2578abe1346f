//! Changes what a patient may set in the profile: how to reach them, in which language, about what.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::profile::{Own, Profile, UpdateProfile, VersionedChange};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Patients;

struct Handler {
    patients: Patients,
}

impl Change<UpdateProfile> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        VersionedChange { version, change }: VersionedChange,
    ) -> Result<Changed<Profile>, Problem> {
        let patient = access.patient();
        let own = Own::open(opener)?;
        let before = Profile::with(patient, opener, &own)?;
        if before.version != version {
            return Err(Problem::changed_meanwhile());
        }
        let own = change.applied_to(own);
        let mut after = Profile::with(patient, opener, &own)?;
        after.check_notifications()?;
        after.version = version.saturating_add(1);
        let json = |what: Result<Vec<u8>, _>| what.map_err(|_| Fault::Defect("a profile as JSON"));
        let contact = json(serde_json::to_vec(&own))?;
        let changes = json(serde_json::to_vec(&before.changes_to(&after)?))?;
        let now = Timestamp::now();
        let writes = self
            .patients
            .change_contact(access, opener, version, &contact, &changes, now)?;
        Ok(Changed::done(writes, Phi::new(after)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<UpdateProfile>(
        aws,
        Handler {
            patients: Patients::new(aws)?,
        },
    )
}
