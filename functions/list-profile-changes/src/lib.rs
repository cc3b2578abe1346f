//! Lists what was changed in a patient's profile, newest first.

use shared::Fault;
use shared::access::Unproven;
use shared::api::page::Page;
use shared::api::profile::{ListProfileChanges, ProfileChanges, ProfileVersion};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::Patients;

struct Handler {
    patients: Patients,
}

impl Read<ListProfileChanges> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        page: Page,
    ) -> Result<Sealed<ProfileChanges>, Problem> {
        let after = page.after.as_deref();
        let found = self
            .patients
            .profile_changes(whose, after, page.limit)
            .await?;
        Ok(Sealed::new(move |opener| {
            let changes = found.rows.iter();
            Ok(ProfileChanges {
                changes: changes
                    .map(|row| ProfileVersion::open(row, opener))
                    .collect::<Result<_, _>>()?,
                next_cursor: found.next.map(|sk| page.cursor.write(&sk)).transpose()?,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListProfileChanges>(
        aws,
        Handler {
            patients: Patients::new(aws)?,
        },
    )
}
