//! Gives a patient a code to make an account with.

use http::StatusCode;
use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Practice};
use shared::activation::{Activations, Issue, child};
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
        // Somebody who tries numbers, or prints letter after letter, shows in the denials.
        let issued = match issued {
            Issue::Done(issued) => issued,
            Issue::UnknownNumber => {
                return Ok(Changed::refused(Vec::new(), Problem::not_found()));
            }
            Issue::Child(patient) => {
                return Ok(Changed::refused(Vec::new(), child()).about(Some(patient)));
            }
            Issue::TooMany {
                patient,
                retry_after,
            } => {
                let problem = too_many_codes(retry_after);
                return Ok(Changed::refused(Vec::new(), problem).about(Some(patient)));
            }
        };
        let letter = ActivationLetter {
            code: issued.code.grouped(),
            expires_at: Timestamp::from_second(issued.expires_at)
                .map_err(|_| Fault::Defect("an expiry"))?,
        };
        Ok(Changed::done(vec![issued.write], Phi::new(letter)).about(Some(issued.patient)))
    }
}

fn too_many_codes(retry_after: u16) -> Problem {
    Problem {
        retry_after: Some(retry_after),
        ..Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-many-codes",
            "There are no more codes for this patient today",
            "The last letter still opens the account unless its code was mistyped too often. Find \
             out why it takes so many, and wait as many seconds as Retry-After says.",
        )
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    let activations = Activations::new(aws)?;
    changes::<IssueActivation>(aws, Handler { activations })
}
