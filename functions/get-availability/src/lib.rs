//! A provider's own availability.

use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::availability::{GetAvailability, OwnAvailability};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Schedule;

struct Handler {
    schedule: Schedule,
}

impl Change<GetAvailability> for Handler {
    /// Nothing changes; but whose availability it is only the account row tells.
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        (): (),
    ) -> Result<Changed<OwnAvailability>, Problem> {
        let practitioner = access.caller().row.practitioner;
        let practitioner = practitioner.ok_or(Fault::Defect("a provider who is nobody"))?;
        let stored = self.schedule.availability(practitioner).await?;
        let answer = OwnAvailability {
            version: stored.as_ref().map_or(0, |stored| stored.version),
            availability: stored.map(|stored| stored.availability),
        };
        Ok(Changed::done(Vec::new(), Phi::new(answer)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<GetAvailability>(
        aws,
        Handler {
            schedule: Schedule::new(aws)?,
        },
    )
}
