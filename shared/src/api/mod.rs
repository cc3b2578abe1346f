//! What the portal offers: every operation, declared once.
//!
//! A [`Spec`] says how an operation is reached, what it may do and what its audit record calls it.
//! The pipeline, template.yaml, the access matrix and the audit coverage test are all held to it.

pub mod access_concerns;
pub mod account;
pub mod accounting;
pub mod amendments;
pub mod appointments;
pub mod audit_archive;
pub mod audit_log;
pub mod availability;
pub mod break_glass;
pub mod bytes;
pub mod calendars;
pub mod care_team;
pub mod channels;
mod codes;
pub mod dashboard;
pub mod days;
pub mod disclosures;
pub mod documents;
pub mod email_change;
pub mod events;
pub mod exports;
pub mod health_record;
pub mod import;
pub mod lab_holds;
pub mod lab_results;
pub mod lab_trends;
pub mod message_keys;
pub mod my_patients;
pub mod notices;
pub mod observations;
pub mod open_slots;
pub mod page;
pub mod prescriptions;
pub mod profile;
pub mod proxies;
pub mod record_access;
pub mod refills;
pub mod reminders;
pub mod requests;
pub mod schedule;
pub mod search;
pub mod sessions;
pub mod summary;
pub mod text;
pub mod threads;
pub mod users;
pub mod waitlist;
pub mod watch;
pub mod words;

use crate::Fault;
use crate::access::Resource;
use crate::aws::Capability;
use crate::http::{Content, Described, Problem, Request};
use ::http::StatusCode;
use serde::{Deserialize, Serialize};

/// How an operation is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// A route of the REST API. `Auth::Token` routes take a Cognito access token.
    Http {
        method: Method,
        path: &'static str,
        auth: Auth,
    },
    /// A route of the WebSocket API. `$connect` takes a ticket; what comes after stands on that.
    Socket { route: &'static str },
    /// An AWS service invokes it (a bucket notification, a Cognito trigger).
    Event,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A part of what the portal does for a patient, which a proxy may be granted by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
pub enum Category {
    Profile,
    LabResults,
    Prescriptions,
    HealthRecord,
    Documents,
    Appointments,
    Messages,
}

impl Category {
    pub const ALL: [Self; 7] = [
        Self::Profile,
        Self::LabResults,
        Self::Prescriptions,
        Self::HealthRecord,
        Self::Documents,
        Self::Appointments,
        Self::Messages,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::LabResults => "lab-results",
            Self::Prescriptions => "prescriptions",
            Self::HealthRecord => "health-record",
            Self::Documents => "documents",
            Self::Appointments => "appointments",
            Self::Messages => "messages",
        }
    }
}

impl TryFrom<String> for Category {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        let mut known = Self::ALL.into_iter();
        known.find(|category| category.as_str() == name).ok_or(
            "must be one of profile, lab-results, prescriptions, health-record, documents, \
             appointments and messages",
        )
    }
}

/// Who may reach a route before Cedar is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// A valid access token of the portal's user pool.
    Token,
    /// Nobody is signed in yet (activation).
    Open,
}

/// The declaration of an operation.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// The operation's name: its folder, its function, its binary.
    pub id: &'static str,
    pub trigger: Trigger,
    /// The Cedar action, an entity of type `Portal::Action`.
    pub action: &'static str,
    /// What the audit record calls it: `<resource>.<verb>`.
    pub audit: &'static str,
    /// Everything it may do in AWS; the role in template.yaml holds exactly this.
    pub needs: &'static [Capability],
}

/// An operation that somebody asks for: behind the REST API, or as a handshake of the WebSocket API.
pub trait Operation: Send + Sync + 'static {
    const SPEC: &'static Spec;
    /// Whose data it touches; what Cedar calls the resource.
    type Subject: Resource;
    type Input: Send + Sync + 'static;
    type Output: Serialize + Described + Send + 'static;

    /// Turns a request into types that cannot hold invalid values.
    fn parse(request: &Request) -> Result<Self::Input, Problem>;

    /// What else it is about: an id that tells nothing of it, for the audit record.
    fn regarding(_: &Self::Input) -> Option<String> {
        None
    }

    /// The status of a success.
    const SUCCESS: StatusCode = StatusCode::OK;

    /// The status of this success, where there are several.
    fn status(_: &Self::Output) -> StatusCode {
        Self::SUCCESS
    }

    /// The media type of an answer.
    const MEDIA_TYPE: &'static str = "application/json";

    /// What goes over the wire: JSON, unless the answer is a file.
    fn content(answer: &Self::Output) -> Result<Content, Fault> {
        Content::json(answer)
    }

    /// The version of an answer that may be changed with `If-Match`.
    fn etag(_: &Self::Output) -> Option<u64> {
        None
    }
}

/// Sees every operation.
pub trait Visitor {
    /// One behind the API.
    fn operation<Op: Operation>(&mut self);

    /// One that AWS invokes.
    fn event(&mut self, spec: &'static Spec);
}

/// Lists every operation once.
pub fn visit_all(visitor: &mut impl Visitor) {
    // Signing in
    visitor.operation::<account::ActivateAccount>();
    visitor.operation::<account::GetAccount>();
    visitor.operation::<account::SignOutEverywhere>();
    visitor.operation::<sessions::ListSessions>();
    visitor.operation::<sessions::EndSession>();
    visitor.operation::<email_change::RequestEmailChange>();
    visitor.operation::<email_change::ConfirmEmailChange>();
    // A patient's record
    visitor.operation::<dashboard::GetDashboard>();
    visitor.operation::<profile::GetProfile>();
    visitor.operation::<profile::UpdateProfile>();
    visitor.operation::<profile::ListProfileChanges>();
    // Prescriptions
    visitor.operation::<prescriptions::ListPrescriptions>();
    visitor.operation::<refills::RequestRefill>();
    visitor.operation::<refills::WithdrawRefill>();
    visitor.operation::<refills::ListRefillRequests>();
    visitor.operation::<refills::ListOpenRefills>();
    visitor.operation::<refills::ReviewRefill>();
    // Amendments
    visitor.operation::<amendments::RequestAmendment>();
    visitor.operation::<amendments::ListAmendments>();
    visitor.operation::<amendments::ListOpenAmendments>();
    visitor.operation::<amendments::ReviewAmendment>();
    visitor.operation::<amendments::SubmitDisagreement>();
    // Record access
    visitor.operation::<record_access::ListRecordAccess>();
    visitor.operation::<record_access::ReportAccessConcern>();
    // The audit, read and watched
    visitor.operation::<accounting::AccountDisclosures>();
    visitor.operation::<accounting::SuspendAccounting>();
    visitor.operation::<audit_log::SearchAudit>();
    visitor.operation::<audit_log::ExportAudit>();
    visitor.event(&watch::WATCH_ACCESS);
    // Laboratory results
    visitor.operation::<lab_results::ListLabResults>();
    visitor.operation::<lab_results::GetLabResult>();
    visitor.operation::<lab_trends::GetLabTrend>();
    visitor.operation::<lab_holds::HoldLabResult>();
    visitor.operation::<lab_holds::ReleaseLabResult>();
    visitor.operation::<lab_holds::ListLabHolds>();
    // The health record
    visitor.operation::<health_record::ListHealthRecord>();
    // Documents
    visitor.operation::<documents::RequestUpload>();
    visitor.operation::<documents::ListDocuments>();
    visitor.operation::<documents::GetDocument>();
    visitor.operation::<documents::DeleteDocument>();
    visitor.operation::<documents::ReviewDocument>();
    visitor.event(&documents::INSPECT_UPLOAD);
    // Export
    visitor.operation::<exports::RequestExport>();
    visitor.operation::<exports::GetExport>();
    visitor.event(&exports::BUILD_EXPORT);
    // Messages
    visitor.operation::<message_keys::RegisterMessageKey>();
    visitor.operation::<message_keys::UnlockMessageKey>();
    visitor.operation::<message_keys::GetMessageKeys>();
    visitor.operation::<threads::StartThread>();
    visitor.operation::<threads::ListThreads>();
    visitor.operation::<threads::ListInbox>();
    visitor.operation::<threads::ReadThread>();
    visitor.operation::<threads::SendMessage>();
    visitor.operation::<threads::MarkThreadRead>();
    visitor.operation::<threads::HideThread>();
    visitor.operation::<threads::ShareThread>();
    visitor.operation::<threads::CloseThread>();
    visitor.operation::<threads::AssignThread>();
    visitor.operation::<disclosures::DiscloseMessages>();
    // Real time
    visitor.operation::<channels::OpenChannel>();
    visitor.operation::<channels::ConnectChannel>();
    visitor.event(&channels::DISCONNECT_CHANNEL);
    visitor.operation::<events::ListEvents>();
    visitor.event(&events::DELIVER_EVENTS);
    visitor.event(&notices::SEND_NOTICES);
    // Proxies
    visitor.operation::<proxies::GrantProxy>();
    visitor.operation::<proxies::ListProxies>();
    visitor.operation::<proxies::RevokeProxy>();
    visitor.operation::<proxies::ListProxiedPatients>();
    // Care
    visitor.operation::<my_patients::ListMyPatients>();
    visitor.operation::<search::FindPatient>();
    visitor.operation::<summary::GetPatientSummary>();
    visitor.operation::<care_team::GetCareTeam>();
    visitor.operation::<care_team::ChangeCareTeam>();
    // Appointments
    visitor.operation::<availability::GetAvailability>();
    visitor.operation::<availability::SetAvailability>();
    visitor.operation::<availability::ListProviders>();
    visitor.operation::<open_slots::ListOpenSlots>();
    visitor.operation::<appointments::HoldSlot>();
    visitor.operation::<appointments::BookAppointment>();
    visitor.operation::<appointments::ListAppointments>();
    visitor.operation::<appointments::GetAppointment>();
    visitor.operation::<appointments::RescheduleAppointment>();
    visitor.operation::<appointments::CancelAppointment>();
    visitor.operation::<appointments::ConfirmAppointment>();
    visitor.operation::<appointments::CompleteAppointment>();
    visitor.operation::<appointments::MarkNoShow>();
    visitor.operation::<schedule::ListSchedule>();
    visitor.operation::<waitlist::JoinWaitlist>();
    visitor.operation::<waitlist::ListWaitlist>();
    visitor.operation::<waitlist::LeaveWaitlist>();
    visitor.operation::<waitlist::ListWaitingPatients>();
    visitor.event(&waitlist::OFFER_OPENINGS);
    visitor.operation::<calendars::GetCalendar>();
    visitor.operation::<calendars::OpenCalendar>();
    visitor.operation::<calendars::RevokeCalendar>();
    visitor.operation::<calendars::ReadCalendar>();
    visitor.event(&reminders::SEND_REMINDERS);
    // Emergencies
    visitor.operation::<break_glass::BreakGlass>();
    visitor.operation::<access_concerns::ListAccessConcerns>();
    visitor.operation::<access_concerns::GetAccessConcern>();
    visitor.operation::<access_concerns::ReviewBreakGlass>();
    visitor.operation::<access_concerns::ResolveAccessConcern>();
    visitor.operation::<access_concerns::AllowBreakGlass>();
    // Administration
    visitor.operation::<users::InviteUser>();
    visitor.operation::<users::IssueActivation>();
    visitor.operation::<users::ListUsers>();
    visitor.operation::<users::UpdateUser>();
    visitor.operation::<users::SignOutUser>();
    visitor.operation::<users::ResetUserMfa>();
    visitor.event(&users::RECONCILE_ACCOUNTS);
    // The audit's archive
    visitor.event(&audit_archive::ARCHIVE_AUDIT);
    visitor.event(&audit_archive::SEAL_AUDIT);
    visitor.event(&audit_archive::VERIFY_AUDIT);
    // What AWS invokes
    visitor.event(&import::IMPORT_RECORDS);
    visitor.event(&account::ADD_TOKEN_CLAIMS);
    visitor.event(&account::RECORD_SIGN_IN);
    visitor.event(&account::RECORD_AUTH_EVENTS);
}
