//! Opens one concern about an access: what the provider explained, and what the privacy officer
//! found.

use shared::Fault;
use shared::access::Access;
use shared::api::access_concerns::{ExplainedConcern, GetAccessConcern};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::ConcernId;
use shared::phi::Opener;
use shared::serve::Service;
use shared::store::Casebook;

struct Handler {
    casebook: Casebook,
}

impl Change<GetAccessConcern> for Handler {
    async fn change(
        &self,
        access: &Access<ConcernId>,
        _: &Opener,
        (): (),
    ) -> Result<Changed<ExplainedConcern>, Problem> {
        let (concern, words) = self.casebook.read(access).await?;
        let about = concern.patient;
        let answer = words.map(|words| ExplainedConcern { concern, words });
        Ok(Changed::done(Vec::new(), answer)
            .about(Some(about))
            .regarding(access.concern().to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<GetAccessConcern>(
        aws,
        Handler {
            casebook: Casebook::new(aws)?,
        },
    )
}
