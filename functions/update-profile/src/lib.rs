//! Changes how a patient can be reached.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::profile::{Profile, UpdateProfile, VersionedChange};
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
        let mut profile = Profile::open(access.patient(), opener)?;
        if profile.version != version {
            return Err(Problem::changed_meanwhile());
        }
        profile.contact = change.applied_to(profile.contact);
        profile.contact_source = "patient";
        profile.version = version.saturating_add(1);
        let contact = serde_json::to_vec(&profile.contact)
            .map_err(|_| Fault::Defect("contact details as JSON"))?;
        let now = Timestamp::now();
        let writes = self
            .patients
            .change_contact(access, opener, version, &contact, now)?;
        Ok(Changed::done(writes, Phi::new(profile)))
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
