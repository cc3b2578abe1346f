//! Documents: what patients hand in, and what the practice wrote.

use super::codes::codes;
use super::lab_holds::HeldResult;
use super::page::Page;
use super::text::{Line, NotText};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{
    AnnounceUploads, AttachUploads, DeleteUploads, DiscardDocuments, EncryptFiles, FetchDocuments,
    ReadAccounts, ReadDocuments, ReadPatients, ReadRecords, ReviewDocuments, SettleUploads,
    StoreDocuments, TakeUploads, UnwrapDataKeys, WriteAudit,
};
use crate::fhir::clinical_document::{Attachment, ClinicalDocument};
use crate::http::{Problem, Request};
use crate::ids::{DocumentId, PatientId};
use crate::phi::Opener;
use crate::store::{SealedRow, StoredEntry};
use ::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Not;

/// The largest file that a patient may hand in, in bytes.
pub const MAX_FILE: u64 = 10 * 1024 * 1024;

/// So long after it was announced an upload may take to be inspected.
const INSPECTED_WITHIN: SignedDuration = SignedDuration::from_mins(15);

codes! {
    /// The kinds of file that a patient may hand in.
    ContentType {
        Pdf = "application/pdf",
        Jpeg = "image/jpeg",
        Png = "image/png",
    }
}

impl ContentType {
    /// What a file of the kind is called: the first of these unless it already has one.
    pub const fn extensions(self) -> &'static [&'static str] {
        match self {
            Self::Pdf => &["pdf"],
            Self::Jpeg => &["jpg", "jpeg"],
            Self::Png => &["png"],
        }
    }

    pub fn extension(self) -> &'static str {
        self.extensions().first().copied().unwrap_or_default()
    }
}

codes! {
    /// Why a file was not taken.
    Rejection {
        /// It is not what arrived is said to be.
        OtherType = "other-type",
        /// It is not what was announced.
        Altered = "altered",
        Damaged = "damaged",
        Encrypted = "encrypted",
        /// It would do something when it is opened.
        ActiveContent = "active-content",
        /// It holds other files.
        Attachments = "attachments",
        Animated = "animated",
        TooManyPixels = "too-many-pixels",
        /// Reading it took too long or too much.
        TooComplex = "too-complex",
        /// The portal could not finish looking at it.
        NotInspected = "not-inspected",
    }
}

impl Rejection {
    /// The reason, and what to do about it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::OtherType => {
                "The file is not the kind that its name says. Save it as a PDF, JPEG or PNG and upload that."
            }
            Self::Altered => "What arrived is not the file that you chose. Upload it again.",
            Self::Damaged => {
                "The file is damaged or not complete. Open it, save it again and upload that."
            }
            Self::Encrypted => {
                "The PDF is protected. Save it without a password or restrictions and upload that."
            }
            Self::ActiveContent => {
                "The PDF has scripts, forms or other active parts. Print it to a new PDF and upload that."
            }
            Self::Attachments => {
                "The PDF has other files inside it. Upload them one by one, each as a PDF or a picture."
            }
            Self::Animated => "The picture is animated. Upload a still picture.",
            Self::TooManyPixels => {
                "The picture is too large to be looked at safely. Make it smaller and upload that."
            }
            Self::TooComplex => {
                "The file could not be read in the time that is allowed. Print it to a new PDF, or take a picture of it."
            }
            Self::NotInspected => "The portal could not look at the file. Upload it again.",
        }
    }
}

codes! {
    /// How far an upload is.
    Status {
        /// It was announced and has not arrived.
        Uploading = "uploading",
        /// It did not arrive while its link was good.
        Expired = "expired",
        Inspecting = "inspecting",
        Available = "available",
        Rejected = "rejected",
    }
}

/// A file's name that is safe to save under on any system: one line without separators, reserved
/// characters, leading dots or device names, which ends like its kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct FileName(String);

impl TryFrom<String> for FileName {
    type Error = NotText;

    fn try_from(text: String) -> Result<Self, NotText> {
        let line = String::from(Line::<1, 150>::try_from(text)?);
        let safe: String = line
            .chars()
            .map(|c| if "/\\:*?\"<>|".contains(c) { '_' } else { c })
            .collect();
        let safe = safe.trim_matches(['.', ' ']);
        if safe.is_empty() {
            return Err(NotText::new("must be the name of a file"));
        }
        let stem = safe.split('.').next().unwrap_or_default().trim();
        let device = ["con", "prn", "aux", "nul"].contains(&stem.to_ascii_lowercase().as_str())
            || (stem.len() == 4
                && stem.ends_with(|c: char| c.is_ascii_digit())
                && ["com", "lpt"]
                    .iter()
                    .any(|name| stem.to_ascii_lowercase().starts_with(name)));
        Ok(Self(if device {
            format!("_{safe}")
        } else {
            safe.to_owned()
        }))
    }
}

impl From<FileName> for String {
    fn from(name: FileName) -> Self {
        name.0
    }
}

impl FileName {
    /// The name with an ending of the kind: nobody opens `letter.exe.pdf` as a program.
    pub fn of(self, content_type: ContentType) -> Self {
        let ending = self.0.rsplit_once('.').map(|(_, ending)| ending);
        let fits = ending.is_some_and(|ending| {
            let mut known = content_type.extensions().iter();
            known.any(|known| ending.eq_ignore_ascii_case(known))
        });
        if fits {
            self
        } else {
            Self(format!("{}.{}", self.0, content_type.extension()))
        }
    }
}

/// How long a file is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "u64")]
pub struct Size(u64);

impl TryFrom<u64> for Size {
    type Error = &'static str;

    fn try_from(bytes: u64) -> Result<Self, &'static str> {
        (1..=MAX_FILE)
            .contains(&bytes)
            .then_some(Self(bytes))
            .ok_or("must be a number of bytes from 1 to 10485760 (10 MB)")
    }
}

impl Size {
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// A SHA-256 checksum in base64, as S3 takes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
pub struct Checksum(String);

impl TryFrom<String> for Checksum {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let digest = STANDARD.decode(&text).ok();
        digest
            .is_some_and(|digest| digest.len() == 32)
            .then_some(Self(text))
            .ok_or("must be the file's SHA-256 in base64 (RFC 4648 section 4), 44 characters")
    }
}

impl Checksum {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Announces a file, and says where to put it.
pub struct RequestUpload;

/// The file that a patient is about to upload.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewUpload {
    pub name: FileName,
    pub content_type: ContentType,
    pub size: Size,
    pub sha256: Checksum,
}

pub struct KeyedUpload {
    pub file: NewUpload,
    pub idempotency_key: Line<8, 64>,
}

/// Where to put the file.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UploadRequested {
    pub id: DocumentId,
    pub name: FileName,
    pub status: Status,
    pub upload: UploadLink,
}

/// A request that takes the announced file and no other.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct UploadLink {
    pub method: &'static str,
    pub url: String,
    /// To be sent as they are: they are signed.
    pub headers: BTreeMap<String, String>,
    pub until: Timestamp,
}

impl Operation for RequestUpload {
    const SPEC: &'static Spec = &Spec {
        id: "request-upload",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/documents",
            auth: Auth::Token,
        },
        action: "RequestUpload",
        audit: "document.request-upload",
        needs: &[
            ReadAccounts,
            ReadPatients,
            AnnounceUploads,
            AttachUploads,
            EncryptFiles,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = KeyedUpload;
    type Output = UploadRequested;
    const SUCCESS: StatusCode = StatusCode::CREATED;

    fn parse(request: &Request) -> Result<KeyedUpload, Problem> {
        request.no_query()?;
        Ok(KeyedUpload {
            idempotency_key: request.idempotency_key()?,
            file: request.body()?,
        })
    }
}

/// A patient's documents, newest first.
pub struct ListDocuments;

/// A page of documents.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct DocumentList {
    pub documents: Vec<Document>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A document.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Document {
    /// The patient handed it in.
    Upload(Upload),
    /// The practice, or another, wrote it.
    Clinical(Clinical),
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Upload {
    pub id: DocumentId,
    pub name: String,
    pub content_type: ContentType,
    /// In bytes; of what is available as it is kept, which was written anew.
    pub size: u64,
    pub requested_at: Timestamp,
    pub status: Status,
    /// Why it was not taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejection: Option<Rejected>,
    /// When a provider looked at it; from then on it stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reviewed_at: Option<Timestamp>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Rejected {
    pub reason: Rejection,
    pub detail: &'static str,
}

/// A FHIR R4 DocumentReference, or a DiagnosticReport that is a note.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Clinical {
    pub id: DocumentId,
    /// The patient, and whoever acts for them, see no more than this of a report whose result is held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HeldResult>,
    #[serde(flatten)]
    pub document: Option<ClinicalDocument>,
    /// What was imported cannot be shown: ask the practice. Said of those alone.
    #[serde(skip_serializing_if = "Not::not")]
    pub unreadable: bool,
}

/// What of an upload's row is sealed.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Particulars {
    pub name: FileName,
}

impl Upload {
    /// Opens a row. How far it is follows from the clock where nothing more may come: an upload
    /// expires, and an inspection that does not end counts as one that failed.
    pub fn open(row: &SealedRow, opener: &Opener, now: Timestamp) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("an upload's row");
        let particulars: Particulars =
            serde_json::from_slice(&row.open(opener)?).map_err(|_| TORN)?;
        let until: Timestamp = row.parsed("upload_until")?.ok_or(TORN)?;
        let (status, rejection) = match row.parsed::<Status>("status")?.ok_or(TORN)? {
            Status::Uploading if until < now => (Status::Expired, None),
            Status::Inspecting if now.duration_since(until) > INSPECTED_WITHIN => {
                (Status::Rejected, Some(Rejection::NotInspected))
            }
            Status::Rejected => (
                Status::Rejected,
                Some(row.parsed("rejection")?.ok_or(TORN)?),
            ),
            status => (status, None),
        };
        Ok(Self {
            id: row.document_id()?,
            name: particulars.name.into(),
            content_type: row.parsed("content_type")?.ok_or(TORN)?,
            size: row
                .number("stored_size")
                .or_else(|| row.number("size"))
                .ok_or(TORN)?,
            requested_at: row.parsed("requested_at")?.ok_or(TORN)?,
            status,
            rejection: rejection.map(|reason| Rejected {
                reason,
                detail: reason.words(),
            }),
            reviewed_at: row.parsed("reviewed_at")?,
        })
    }
}

impl Clinical {
    /// Opens an entry of the record that is a document, as the caller may see it.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        let entry = StoredEntry::open(row, opener)?;
        let document = ClinicalDocument::parse(entry.resource.get());
        let results = entry.links.results.iter();
        let holds = results.map(|result| HeldResult::of(*result, opener));
        let hold = holds
            .collect::<Result<Vec<_>, Fault>>()?
            .into_iter()
            .flatten();
        // It is to be seen when the last of them is.
        let hold = hold.max_by_key(|hold| hold.until);
        let open = hold.as_ref().is_none_or(HeldResult::is_open);
        Ok(Self {
            id: row.document_id()?,
            hold,
            unreadable: open && document.is_err(),
            document: document.ok().filter(|_| open),
        })
    }
}

impl SealedRow {
    /// The id of the document: the last part of its sort key.
    fn document_id(&self) -> Result<DocumentId, Fault> {
        let id = self.sk()?.rsplit('#').next().and_then(|id| id.parse().ok());
        id.ok_or(Fault::Corrupt("the sort key of a document"))
    }
}

impl Operation for ListDocuments {
    const SPEC: &'static Spec = &Spec {
        id: "list-documents",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/documents",
            auth: Auth::Token,
        },
        action: "ListDocuments",
        audit: "document.list",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadDocuments,
            ReadRecords,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Page;
    type Output = DocumentList;

    fn parse(request: &Request) -> Result<Page, Problem> {
        Page::parse(request, Self::SPEC)
    }
}

/// One document, with what is in it or a link to that.
pub struct GetDocument;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct OneDocument {
    #[serde(flatten)]
    pub document: Document,
    /// Where an available upload is fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<DownloadLink>,
    /// What is in a clinical document.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contents: Vec<Content>,
}

/// A GET without further headers; the file comes as an attachment.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct DownloadLink {
    pub url: String,
    pub until: Timestamp,
}

/// An attachment. Plain text is given as text; anything else is bytes that nobody looked at, to be
/// saved and not to be shown.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Content {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// In base64; absent as well where the practice's system keeps it elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

impl Content {
    pub fn of(attachment: &Attachment) -> Self {
        let text = attachment.text();
        let data = match text {
            Some(_) => None,
            None => attachment.bytes().map(|bytes| STANDARD.encode(bytes)),
        };
        Self {
            title: attachment.title.clone(),
            content_type: attachment.content_type.clone(),
            text,
            data,
        }
    }
}

impl Operation for GetDocument {
    const SPEC: &'static Spec = &Spec {
        id: "get-document",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/documents/{document}",
            auth: Auth::Token,
        },
        action: "GetDocument",
        audit: "document.read",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadDocuments,
            ReadRecords,
            FetchDocuments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = DocumentId;
    type Output = OneDocument;

    fn parse(request: &Request) -> Result<DocumentId, Problem> {
        request.no_query()?;
        request.path("document")
    }

    fn regarding(document: &DocumentId) -> Option<String> {
        Some(document.to_string())
    }
}

/// Takes an upload out of the record that no provider has looked at.
pub struct DeleteDocument;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Deleted {
    /// `gone`, or `pending` if the file could not be removed: send the request again.
    pub file: &'static str,
}

impl Operation for DeleteDocument {
    const SPEC: &'static Spec = &Spec {
        id: "delete-document",
        trigger: Trigger::Http {
            method: Method::Delete,
            path: "/v1/patients/{patient}/documents/{document}",
            auth: Auth::Token,
        },
        action: "DeleteDocument",
        audit: "document.delete",
        needs: &[
            ReadAccounts,
            ReadPatients,
            DeleteUploads,
            DiscardDocuments,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = DocumentId;
    type Output = Deleted;

    fn parse(request: &Request) -> Result<DocumentId, Problem> {
        request.no_query()?;
        request.path("document")
    }
}

/// Notes that a provider has looked at an upload.
pub struct ReviewDocument;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Reviewed {
    pub reviewed_at: Timestamp,
}

impl Operation for ReviewDocument {
    const SPEC: &'static Spec = &Spec {
        id: "review-document",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/documents/{document}/review",
            auth: Auth::Token,
        },
        action: "ReviewDocument",
        audit: "document.review",
        needs: &[ReadAccounts, ReadPatients, ReviewDocuments, WriteAudit],
    };
    type Subject = PatientId;
    type Input = DocumentId;
    type Output = Reviewed;

    fn parse(request: &Request) -> Result<DocumentId, Problem> {
        request.no_query()?;
        request.path("document")
    }
}

/// What came into the quarantine bucket is looked at.
pub const INSPECT_UPLOAD: Spec = Spec {
    id: "inspect-upload",
    trigger: Trigger::Event,
    action: "InspectUpload",
    audit: "document.inspect",
    needs: &[
        SettleUploads,
        TakeUploads,
        StoreDocuments,
        EncryptFiles,
        WriteAudit,
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str, content_type: ContentType) -> Option<String> {
        let name = FileName::try_from(text.to_owned()).ok()?;
        Some(name.of(content_type).into())
    }

    #[test]
    fn names_are_safe_to_save_under() {
        for (text, safe) in [
            (" Überweisung 3.PDF ", "Überweisung 3.PDF"),
            ("../../etc/passwd", "_.._etc_passwd.pdf"),
            ("C:\\letter.pdf", "C__letter.pdf"),
            ("letter.exe", "letter.exe.pdf"),
            (".htaccess", "htaccess.pdf"),
            ("a\"; filename=\"b", "a_; filename=_b.pdf"),
            ("nul.pdf", "_nul.pdf"),
            ("COM1", "_COM1.pdf"),
            ("command.pdf", "command.pdf"),
            ("photo.jpeg", "photo.jpeg.pdf"),
        ] {
            assert_eq!(
                name(text, ContentType::Pdf).as_deref(),
                Some(safe),
                "{text}"
            );
        }
        assert_eq!(name("a.JPEG", ContentType::Jpeg).as_deref(), Some("a.JPEG"));
        for wrong in [
            "",
            " ",
            "...",
            "a\nb.pdf",
            "a\u{202E}fdp.exe",
            &"a".repeat(151),
        ] {
            assert_eq!(name(wrong, ContentType::Pdf), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_checksum_is_a_whole_sha_256() {
        let right = STANDARD.encode([7; 32]);
        assert!(Checksum::try_from(right.clone()).is_ok());
        for wrong in [
            "",
            &right[..40],
            &STANDARD.encode([7; 31]),
            &format!("{right} "),
        ] {
            assert!(Checksum::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
