//! Closes a concern about an access that is not over broken glass.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::access_concerns::{Closing, Concern, ResolveAccessConcern};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::ConcernId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Casebook;

struct Handler {
    casebook: Casebook,
}

impl Change<ResolveAccessConcern> for Handler {
    async fn change(
        &self,
        access: &Access<ConcernId>,
        _: &Opener,
        closing: Closing,
    ) -> Result<Changed<Concern>, Problem> {
        let (concern, writes) = self
            .casebook
            .close(access, closing, Timestamp::now())
            .await?;
        let about = concern.patient;
        Ok(Changed::done(writes, Phi::new(concern))
            .about(Some(about))
            .regarding(access.concern().to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ResolveAccessConcern>(
        aws,
        Handler {
            casebook: Casebook::new(aws)?,
        },
    )
}
