//! Gives one document: a clinical one with what is in it, an upload with a link that is good for a
//! minute.

use jiff::{SignedDuration, Timestamp};
use shared::Fault;
use shared::access::Unproven;
use shared::api::documents::{
    Clinical, Content, Document, DownloadLink, GetDocument, OneDocument, Status, Upload,
};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::{DocumentId, PatientId, RecordId};
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::{DocumentFiles, Documents, Records, Section, file_key};

/// So many seconds a link is good.
const LINK: u64 = 60;

struct Handler {
    documents: Documents,
    records: Records,
    files: DocumentFiles,
}

impl Read<GetDocument> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        document: DocumentId,
    ) -> Result<Sealed<OneDocument>, Problem> {
        let now = Timestamp::now();
        let until = now
            .checked_add(SignedDuration::from_secs(LINK.cast_signed()))
            .map_err(|_| Fault::Defect("a time out of range"))?;
        let entry = RecordId::new(document.uuid());
        // Signing is no call: nobody has the link before it is disclosed.
        let key = file_key(whose.patient(), document);
        let (upload, written, report, link) = tokio::join!(
            self.documents.upload(whose, document),
            self.records.entry(whose, Section::Documents, entry),
            self.records.entry(whose, Section::DiagnosticReports, entry),
            self.files.link(&key, LINK),
        );
        if let Some(row) = upload? {
            let url = link?.uri().to_owned();
            return Ok(Sealed::new(move |opener| {
                let upload = Upload::open(&row, opener, now)?;
                let available = upload.status == Status::Available;
                Ok(OneDocument {
                    document: Document::Upload(upload),
                    download: available.then_some(DownloadLink { url, until }),
                    contents: Vec::new(),
                })
            }));
        }
        let row = written?.or(report?).ok_or(Problem::not_found())?;
        Ok(Sealed::new(move |opener| {
            let clinical = Clinical::open(&row, opener)?;
            let clinical = clinical.ok_or(Fault::Corrupt("a document"))?;
            let contents = clinical
                .document
                .attachments
                .iter()
                .map(Content::of)
                .collect();
            Ok(OneDocument {
                document: Document::Clinical(clinical),
                download: None,
                contents,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetDocument>(
        aws,
        Handler {
            documents: Documents::new(aws)?,
            records: Records::new(aws)?,
            files: DocumentFiles::new(aws)?,
        },
    )
}
