//! Announces a file, and signs a link that takes it and no other.

use jiff::{SignedDuration, Timestamp};
use shared::Fault;
use shared::access::Access;
use shared::api::documents::{
    KeyedUpload, Particulars, RequestUpload, Status, UploadLink, UploadRequested,
};
use shared::aws::{Aws, Resource};
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::{DocumentId, PatientId};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Admitted, Announced, Documents, Quarantine, Quota, file_key};
use uuid::Uuid;

/// So many seconds a link is good.
const LINK: u64 = 300;

/// As many links may be open at the same time, about, as one window of the first has; the second is
/// what a patient may hand in in a day.
const QUOTAS: [Quota; 2] = [
    Quota {
        uploads: 10,
        window: 300,
    },
    Quota {
        uploads: 50,
        window: 86_400,
    },
];

struct Handler {
    documents: Documents,
    quarantine: Quarantine,
    kms_key: String,
}

impl Change<RequestUpload> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        KeyedUpload {
            file,
            idempotency_key,
        }: KeyedUpload,
    ) -> Result<Changed<UploadRequested>, Problem> {
        let now = Timestamp::now();
        let patient = access.patient();
        // The same request again is the same document, with a link that is good once more.
        let name = format!("{} {}", access.account(), idempotency_key.as_str());
        let id = DocumentId::new(Uuid::new_v5(&patient.uuid(), name.as_bytes()));
        let admitted = Admitted {
            content_type: file.content_type.as_str(),
            size: file.size.bytes(),
            sha256: file.sha256.as_str(),
        };
        let link = self
            .quarantine
            .link(&file_key(patient, id), &admitted, &self.kms_key, LINK)
            .await?;
        let until = now
            .checked_add(SignedDuration::from_secs(LINK.cast_signed()))
            .map_err(|_| Fault::Defect("a time out of range"))?;
        let name = file.name.of(file.content_type);
        let particulars = serde_json::to_vec(&Particulars { name: name.clone() })
            .map_err(|_| Fault::Defect("an upload's particulars"))?;
        let announced = Announced {
            id,
            content_type: file.content_type,
            size: admitted.size,
            sha256: admitted.sha256,
            particulars: &particulars,
            until,
        };
        let writes =
            self.documents
                .announce(access, opener, &announced, &QUOTAS, used_before(), now)?;
        let answer = UploadRequested {
            id,
            name,
            status: Status::Uploading,
            upload: UploadLink {
                method: "PUT",
                url: link.url,
                headers: link.headers,
                until,
            },
        };
        Ok(Changed::done(writes, Phi::new(answer)).regarding(id.to_string()))
    }
}

fn used_before() -> Problem {
    Problem {
        detail:
            "Another file came with it, or this one has arrived: look at the documents, and send \
                 what is not there with a new Idempotency-Key."
                .into(),
        ..Problem::key_used_before()
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<RequestUpload>(
        aws,
        Handler {
            documents: Documents::new(aws)?,
            quarantine: Quarantine::new(aws)?,
            kms_key: aws.name(Resource::DataKey)?,
        },
    )
}
