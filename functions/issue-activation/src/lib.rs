//! Gives a patient a code to make an account with.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Practice};
use shared::activation::Activations;
use shared::api::users::{ActivationLetter, IssueActivation, Recipient};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::serve::Service;

struct Handler {
    activations: Activations,
}

impl Change<IssueActivation> for Handler {
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        recipient: Recipient,
    ) -> Result<Changed<ActivationLetter>, Problem> {
        let mrn = recipient.mrn.as_str();
        let issued = self
            .activations
            .issue(access, mrn, Timestamp::now())
            .await?;
        // Somebody who tries numbers shows in the denials.
        let Some(issued) = issued else {
            return Ok(Changed::refused(Vec::new(), Problem::not_found()));
        };
        let letter = ActivationLetter {
            code: issued.code.grouped(),
            expires_at: Timestamp::from_second(issued.expires_at)
                .map_err(|_| Fault::Defect("an expiry"))?,
        };
        Ok(Changed::done(vec![issued.write], Phi::new(letter)).about(Some(issued.patient)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    let activations = Activations::new(aws)?;
    changes::<IssueActivation>(aws, Handler { activations })
}
