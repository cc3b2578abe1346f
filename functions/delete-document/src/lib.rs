//! Takes an upload out of the record that no provider has looked at.

use http::StatusCode;
use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::documents::{DeleteDocument, Deleted};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::{DocumentId, PatientId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{DocumentFiles, Documents, file_key};
use std::sync::Arc;

struct Handler {
    documents: Arc<Documents>,
    files: Arc<DocumentFiles>,
}

impl Change<DeleteDocument> for Handler {
    /// The row first: from then on nobody gets at the file, whether it could be removed or not. The
    /// row forgets itself once it was; until then the same request tries again.
    async fn change(
        &self,
        access: &Access<PatientId>,
        _: &Opener,
        document: DocumentId,
    ) -> Result<Changed<Deleted>, Problem> {
        let now = Timestamp::now();
        let write = self.documents.delete(access, document, stays(), now)?;
        let (documents, files) = (Arc::clone(&self.documents), Arc::clone(&self.files));
        let patient = access.patient();
        let gone = Phi::new(Deleted { file: "gone" });
        Ok(Changed::done(vec![write], gone)
            .regarding(document.to_string())
            .follow_up(
                async move {
                    files.remove(&file_key(patient, document)).await?;
                    documents.forget(patient, document, now).await
                },
                |_| Deleted { file: "pending" },
            ))
    }
}

const fn stays() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "document-stays",
        "This is not a document that you can delete",
        "You can delete what you uploaded, once it was inspected and until a provider has looked at it. Load the list of documents again.",
    )
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<DeleteDocument>(
        aws,
        Handler {
            documents: Arc::new(Documents::new(aws)?),
            files: Arc::new(DocumentFiles::new(aws)?),
        },
    )
}
