//! Notes that a provider of the care team has looked at an upload.

use http::StatusCode;
use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::documents::{ReviewDocument, Reviewed};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::{DocumentId, PatientId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::Documents;

struct Handler {
    documents: Documents,
}

impl Change<ReviewDocument> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        _: &Opener,
        document: DocumentId,
    ) -> Result<Changed<Reviewed>, Problem> {
        let now = Timestamp::now();
        let write = self
            .documents
            .review(access, document, not_to_be_reviewed(), now)?;
        let answer = Phi::new(Reviewed { reviewed_at: now });
        Ok(Changed::done(vec![write], answer).regarding(document.to_string()))
    }
}

const fn not_to_be_reviewed() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not-to-be-reviewed",
        "There is nothing to review here",
        "Uploads are reviewed once, when they are available. Load the list of documents again.",
    )
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ReviewDocument>(
        aws,
        Handler {
            documents: Documents::new(aws)?,
        },
    )
}
