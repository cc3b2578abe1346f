//! Copies of a patient's whole record, to take away (45 CFR 164.524): as FHIR, to read, to print.

use super::codes::codes;
use super::text::Date;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::aws::Capability::{
    BeginExports, DownloadExports, KeepExports, ReadAccounts, ReadAppointments, ReadDirectory,
    ReadExports, ReadPatients, ReadRecords, RequestExports, UnwrapDataKeys, WriteAudit,
    WriteExports,
};
use crate::http::{Problem, Request};
use crate::ids::{ExportId, PatientId};
use crate::store::{Hold, PatientContext};
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

codes!(
    /// A form that a copy comes in.
    Format {
        /// A FHIR R4 Bundle of type collection.
        Fhir = "fhir",
        /// One page for a browser, with everything in it.
        Html = "html",
        /// To print or keep.
        Pdf = "pdf",
    }
);

codes!(
    /// A file of a copy.
    File {
        Fhir = "fhir",
        Html = "html",
        Pdf = "pdf",
        /// What is in the copy, what is not, and why.
        Manifest = "manifest",
    }
);

impl File {
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Fhir => "application/fhir+json",
            Self::Html => "text/html; charset=utf-8",
            Self::Pdf => "application/pdf",
            Self::Manifest => "application/json",
        }
    }

    /// What it is called once it is downloaded. It says nothing of whose it is.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fhir => "health-record.fhir.json",
            Self::Html => "health-record.html",
            Self::Pdf => "health-record.pdf",
            Self::Manifest => "manifest.json",
        }
    }
}

impl From<Format> for File {
    fn from(format: Format) -> Self {
        match format {
            Format::Fhir => Self::Fhir,
            Format::Html => Self::Html,
            Format::Pdf => Self::Pdf,
        }
    }
}

codes!(
    /// How far an export came.
    State {
        Requested = "requested",
        Building = "building",
        Ready = "ready",
        Failed = "failed",
        /// It was ready, and its files are gone.
        Expired = "expired",
    }
);

codes!(
    /// What is being done to an export.
    Step {
        Reading = "reading",
        Writing = "writing",
    }
);

codes!(
    /// Why an export failed.
    Failure {
        /// Something in the record could not be read.
        Unreadable = "unreadable",
        /// More than fits into files that can be downloaded.
        TooLarge = "too-large",
        /// The portal was out of order for longer than it tries.
        OutOfOrder = "out-of-order",
        /// Nothing was heard of it for too long.
        TookTooLong = "took-too-long",
    }
);

impl Failure {
    /// What the patient is told.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Unreadable => {
                "A part of the record could not be read, and a copy with a gap in it would be wrong. \
                 Ask for it again; if it stays, ask the practice for the copy."
            }
            Self::TooLarge => {
                "The record is too large for one copy. Ask for fewer years at a time."
            }
            Self::OutOfOrder => "The portal could not finish it. Ask for it again.",
            Self::TookTooLong => "It took too long. Ask for it again.",
        }
    }
}

/// The forms that somebody wants, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "Vec<Format>")]
pub struct Formats(Vec<Format>);

impl Default for Formats {
    fn default() -> Self {
        Self(vec![Format::Fhir, Format::Html, Format::Pdf])
    }
}

impl TryFrom<Vec<Format>> for Formats {
    type Error = &'static str;

    fn try_from(wanted: Vec<Format>) -> Result<Self, &'static str> {
        let mut each: Vec<Format> = Vec::new();
        for format in wanted {
            if each.contains(&format) {
                return Err("must name each format once");
            }
            each.push(format);
        }
        if each.is_empty() {
            return Err("must name at least one of fhir, html and pdf");
        }
        Ok(Self(each))
    }
}

impl Formats {
    pub fn wants(&self, format: Format) -> bool {
        self.0.contains(&format)
    }

    pub fn iter(&self) -> impl Iterator<Item = Format> {
        self.0.iter().copied()
    }
}

/// What is asked for: which forms, and of which days, first and last included. Entries without a
/// date are always part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    #[serde(default)]
    pub formats: Formats,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
}

/// What is asked for, and the `Idempotency-Key` it was sent with.
pub struct KeyedWanted {
    pub wanted: Wanted,
    pub idempotency_key: String,
}

/// A copy of a record, made or in the making.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Export {
    pub id: ExportId,
    /// The try that counts, or is under way.
    #[serde(skip)]
    pub attempt: u64,
    pub state: State,
    #[serde(flatten)]
    pub wanted: Wanted,
    pub requested_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Empty until it is ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileMade>,
    /// Until when the files can be downloaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_until: Option<Timestamp>,
    /// What went wrong, and what to do now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<&'static str>,
}

/// What a copy that may hold what was held since is answered with.
const WITHHELD: &str =
    "A result was held back since this copy was asked for. Ask for a new one: it comes without it.";

impl Export {
    /// As the caller may have it now: no copy is a way round a hold that came after it.
    pub fn now(self, context: &PatientContext, now: Timestamp) -> Self {
        let mut holds = context.holds().iter();
        let since = |hold: &Hold| hold.is_current(now) && hold.held_at > self.requested_at;
        if self.files.is_empty() || !holds.any(since) {
            return self;
        }
        Self {
            files: Vec::new(),
            available_until: None,
            problem: Some(WITHHELD),
            ..self
        }
    }
}

/// How far the making is.
#[derive(Debug, Clone, Copy, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Progress {
    pub step: Step,
    /// How many entries of the record were read.
    pub entries: u64,
}

/// A file that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct FileMade {
    pub file: File,
    pub bytes: u64,
    /// In hexadecimal digits.
    pub sha256: String,
}

/// Asks for a copy.
pub struct RequestExport;

impl Operation for RequestExport {
    const SPEC: &'static Spec = &Spec {
        id: "request-export",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/exports",
            auth: Auth::Token,
        },
        action: "RequestExport",
        audit: "export.request",
        needs: &[
            ReadAccounts,
            ReadPatients,
            RequestExports,
            BeginExports,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::ACCEPTED;
    type Subject = PatientId;
    type Input = KeyedWanted;
    type Output = Export;

    fn parse(request: &Request) -> Result<KeyedWanted, Problem> {
        request.no_query()?;
        let idempotency_key = request.idempotency_key()?.into();
        let wanted: Wanted = request.body()?;
        let days = [&wanted.from, &wanted.to].map(|date| date.as_ref().map(Date::day));
        if let [Some(from), Some(to)] = days
            && from > to
        {
            return Err(Problem::field("/to", "must not be before from"));
        }
        Ok(KeyedWanted {
            wanted,
            idempotency_key,
        })
    }
}

/// Sees how far copies came, and downloads their files.
pub struct GetExport;

/// Which export, and which file of it.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// All that there are unless told.
    pub export: Option<ExportId>,
    pub file: Option<File>,
}

/// The copies of the last days, newest first.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Exports {
    pub exports: Vec<Export>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download: Option<Download>,
}

/// Where a file is, for a minute.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Download {
    pub url: String,
    pub expires_at: Timestamp,
}

impl Operation for GetExport {
    const SPEC: &'static Spec = &Spec {
        id: "get-export",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/exports",
            auth: Auth::Token,
        },
        action: "GetExport",
        audit: "export.read",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadExports,
            DownloadExports,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Which;
    type Output = Exports;

    fn parse(request: &Request) -> Result<Which, Problem> {
        let which: Which = request.query()?;
        if which.file.is_some() && which.export.is_none() {
            return Err(Problem::field("query/export", "must say of which export"));
        }
        Ok(which)
    }

    fn regarding(which: &Which) -> Option<String> {
        let export = which.export?;
        Some(match which.file {
            Some(file) => format!("{export}/{}", file.as_str()),
            None => export.to_string(),
        })
    }
}

/// Makes a copy: somebody asked for it, which is an object in the bucket of the exports.
pub const BUILD_EXPORT: Spec = Spec {
    id: "build-export",
    trigger: Trigger::Event,
    action: "BuildExport",
    audit: "export.build",
    needs: &[
        ReadPatients,
        ReadRecords,
        ReadAppointments,
        ReadDirectory,
        KeepExports,
        WriteExports,
        UnwrapDataKeys,
        WriteAudit,
    ],
};
