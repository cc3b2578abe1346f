//! Lists the patients on whose care team the caller is, newest activity first.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::my_patients::{ListMyPatients, MOST, MyPatient, MyPatients};
use shared::api::page::Page;
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::Opener;
use shared::serve::Service;
use shared::store::{Panel, Patients};

struct Handler {
    patients: Patients,
    panel: Panel,
}

impl Change<ListMyPatients> for Handler {
    /// Nothing changes; but whose patients they are must be permitted before they are looked for.
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        page: Page<MOST>,
    ) -> Result<Changed<MyPatients>, Problem> {
        let practitioner = access.caller().row.practitioner;
        let practitioner = practitioner.ok_or(Fault::Defect("a provider who is nobody"))?;
        let index = self
            .patients
            .panel(access, practitioner, page.after.as_deref(), page.limit)
            .await?;
        let now = Timestamp::now();
        let mut contexts = self.panel.contexts(access, index.patients).await?;
        contexts.retain(|(_, context)| context.is_on_care_team(practitioner, now));
        let open = |patient, opener: &Opener| MyPatient::open(patient, practitioner, opener);
        let patients = self.panel.open(access, contexts, open).await?;
        let next = index.next.map(|next| page.cursor.write(&next));
        let next_cursor = next.transpose()?;
        let answer = patients.map(|patients| MyPatients {
            patients,
            next_cursor,
        });
        Ok(Changed::done(Vec::new(), answer))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ListMyPatients>(
        aws,
        Handler {
            patients: Patients::new(aws)?,
            panel: Panel::new(aws)?,
        },
    )
}
