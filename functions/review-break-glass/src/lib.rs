//! Closes the concern over broken glass with the privacy officer's verdict.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::access_concerns::{Closing, Concern, ReviewBreakGlass};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::ConcernId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Casebook;

struct Handler {
    casebook: Casebook,
}

impl Change<ReviewBreakGlass> for Handler {
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
    changes::<ReviewBreakGlass>(
        aws,
        Handler {
            casebook: Casebook::new(aws)?,
        },
    )
}
