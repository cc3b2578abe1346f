//! A patient's appointments.

use super::availability::Modality;
use super::codes::codes;
use super::open_slots::OpenSlot;
use super::page::{Limit, Page};
use super::text::{Instant, Line, Prose, Slug};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::{AppointmentOf, Caller, Role};
use crate::aws::Capability::{
    BookAppointments, HoldSlots, ReadAccounts, ReadAppointments, ReadAvailability, ReadPatients,
    ReadWaitlist, RelateAppointments, UnwrapDataKeys, UpdateAppointments, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::{AccountId, AppointmentId, HoldId, PatientId, PractitionerId};
use crate::phi::Opener;
use crate::practice::AgeBand;
use crate::store::{Booked, SealedRow};
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

codes!(
    /// How far an appointment has come.
    Status {
        Scheduled = "scheduled",
        Confirmed = "confirmed",
        Completed = "completed",
        Cancelled = "cancelled",
        NoShow = "no-show",
    }
);

impl Status {
    /// Is it still going to take place?
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Scheduled | Self::Confirmed)
    }

    /// May an appointment go from this status to the next? It is scheduled anew when it moves.
    pub const fn may_become(self, next: Self) -> bool {
        match next {
            Self::Confirmed => matches!(self, Self::Scheduled),
            Self::Scheduled | Self::Completed | Self::Cancelled | Self::NoShow => self.is_open(),
        }
    }
}

codes!(
    /// Why an appointment does not take place.
    CancelReason {
        NotNeeded = "not-needed",
        OtherPlans = "other-plans",
        Unwell = "unwell",
        Transport = "transport",
        ProviderUnavailable = "provider-unavailable",
        PracticeClosed = "practice-closed",
        AskedByPatient = "asked-by-patient",
        Other = "other",
    }
);

codes!(
    /// As what somebody acted.
    Acting {
        Patient = "patient",
        Proxy = "proxy",
        Practice = "practice",
    }
);

impl Acting {
    pub fn of(caller: &Caller, patient: PatientId) -> Self {
        match caller.row.role {
            Role::Patient if caller.row.patient == Some(patient) => Self::Patient,
            Role::Patient => Self::Proxy,
            Role::Provider | Role::Admin | Role::PrivacyOfficer => Self::Practice,
        }
    }
}

/// A step of an appointment: who took it to which status, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Transition {
    pub status: Status,
    pub at: Timestamp,
    pub by: AccountId,
    pub acting: Acting,
    /// Why it was cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<CancelReason>,
}

/// What was asked for when an appointment was booked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Asked {
    pub practitioner: PractitionerId,
    #[serde(rename = "type")]
    pub appointment_type: String,
    pub start: Timestamp,
    /// Why the patient comes, in the words of who booked it.
    pub reason: String,
}

/// What is sealed of an appointment.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Particulars {
    pub asked: Asked,
    pub type_name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub practitioner_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// For those who treat the patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// For the patient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

impl Particulars {
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        serde_json::from_slice(&row.open(opener)?).map_err(|_| Fault::Corrupt("an appointment"))
    }
}

/// An appointment (FHIR R4 Appointment), times in UTC.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Appointment {
    pub id: AppointmentId,
    pub status: Status,
    pub practitioner: PractitionerId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub practitioner_name: Option<String>,
    #[serde(rename = "type")]
    pub appointment_type: String,
    pub type_name: String,
    pub modality: Modality,
    pub start: Timestamp,
    pub end: Timestamp,
    /// The provider's, in which the times are to be shown.
    pub time_zone: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Why the patient comes; between an adolescent and the practice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Counts moves and the cancellation, as calendars do (RFC 5545 SEQUENCE).
    pub sequence: u64,
    /// What a change repeats in `If-Match`, in quotes.
    pub version: u64,
}

/// Is what somebody comes for kept from whoever asks? An adolescent's parents learn when, where and
/// with whom (45 CFR 164.502(g)(3)): the age is known where a parent asks.
fn is_confidential(opener: &Opener) -> bool {
    opener.context().age() == Some(AgeBand::Adolescent)
}

impl Appointment {
    pub fn new(booked: &Booked, particulars: &Particulars, opener: &Opener) -> Self {
        let reason = || particulars.asked.reason.clone();
        Self {
            id: booked.id,
            status: booked.status,
            practitioner: booked.practitioner,
            practitioner_name: particulars.practitioner_name.clone(),
            appointment_type: booked.appointment_type.clone(),
            type_name: particulars.type_name.clone(),
            modality: booked.modality,
            start: booked.start,
            end: booked.end,
            time_zone: booked.time_zone.clone(),
            location: particulars.location.clone(),
            reason: (!is_confidential(opener)).then(reason),
            sequence: booked.sequence,
            version: booked.version,
        }
    }

    /// Opens a stored appointment.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        let booked = Booked::from_row(row)?;
        Ok(Self::new(&booked, &Particulars::open(row, opener)?, opener))
    }
}

/// A time that nobody else can book for some minutes.
pub struct HoldSlot;

/// Which time.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Slot {
    pub practitioner: PractitionerId,
    #[serde(rename = "type")]
    pub appointment_type: Slug,
    pub start: Instant,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Held {
    pub hold: HoldId,
    #[serde(flatten)]
    pub slot: OpenSlot,
    /// A patient has one hold; booking the slot before this takes it up.
    pub until: Timestamp,
}

impl Operation for HoldSlot {
    const SPEC: &'static Spec = &Spec {
        id: "hold-slot",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/holds",
            auth: Auth::Token,
        },
        action: "HoldSlot",
        audit: "slot.hold",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadAvailability,
            ReadAppointments,
            HoldSlots,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = Slot;
    type Output = Held;

    fn parse(request: &Request) -> Result<Slot, Problem> {
        request.no_query()?;
        request.body()
    }
}

/// An appointment that begins to exist.
pub struct BookAppointment;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Booking {
    practitioner: PractitionerId,
    #[serde(rename = "type")]
    appointment_type: Slug,
    start: Instant,
    reason: Line<1, 500>,
}

/// What is to be booked, and the id that it gets: the same for the same `Idempotency-Key` of the same
/// account.
pub struct KeyedBooking {
    pub id: AppointmentId,
    pub asked: Asked,
}

/// Keeps the ids of appointments apart from other ids that are made of names.
const APPOINTMENTS: Uuid = Uuid::from_u128(0x3e1f_60b4_92cd_4a57_8f0e_c5d7_1b2a_7a46);

impl Operation for BookAppointment {
    const SPEC: &'static Spec = &Spec {
        id: "book-appointment",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/appointments",
            auth: Auth::Token,
        },
        action: "BookAppointment",
        audit: "appointment.book",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadAvailability,
            ReadAppointments,
            BookAppointments,
            RelateAppointments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = KeyedBooking;
    type Output = Appointment;

    fn parse(request: &Request) -> Result<KeyedBooking, Problem> {
        request.no_query()?;
        let key = request.idempotency_key()?;
        let patient: PatientId = request.path("patient")?;
        let claims = request.claims.as_ref().ok_or(Problem::unauthenticated())?;
        let name = format!("{patient} {} {}", claims.account, key.as_str());
        let Booking {
            practitioner,
            appointment_type,
            start: Instant(start),
            reason,
        } = request.body()?;
        Ok(KeyedBooking {
            id: AppointmentId::new(Uuid::new_v5(&APPOINTMENTS, name.as_bytes())),
            asked: Asked {
                practitioner,
                appointment_type: appointment_type.into(),
                start,
                reason: reason.into(),
            },
        })
    }

    fn etag(appointment: &Appointment) -> Option<u64> {
        Some(appointment.version)
    }
}

/// A patient's appointments.
pub struct ListAppointments;

codes!(
    /// Which of them.
    When {
        /// Those that are not over, the next one first.
        Upcoming = "upcoming",
        /// Those that are over, the last one first.
        Past = "past",
    }
);

pub struct Listing {
    pub when: When,
    pub page: Page,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Appointments {
    /// May be fewer than asked for, and still not the last page: there is a `next_cursor` then.
    pub appointments: Vec<Appointment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Query {
    when: Option<When>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

impl Operation for ListAppointments {
    const SPEC: &'static Spec = &Spec {
        id: "list-appointments",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/appointments",
            auth: Auth::Token,
        },
        action: "ListAppointments",
        audit: "appointment.list",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadAppointments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Listing;
    type Output = Appointments;

    fn parse(request: &Request) -> Result<Listing, Problem> {
        let query: Query = request.query()?;
        let when = query.when.unwrap_or(When::Upcoming);
        // A cursor is a place in one of the two.
        let list = match when {
            When::Upcoming => "list-appointments upcoming",
            When::Past => "list-appointments past",
        };
        let page = Page::of(request, list, query.limit, query.cursor)?;
        Ok(Listing { when, page })
    }
}

/// One appointment, with its steps.
pub struct GetAppointment;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct AppointmentDetail {
    #[serde(flatten)]
    pub appointment: Appointment,
    /// What the patient is to know of the visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The visit's notes, for providers alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Its steps, the first one first.
    pub transitions: Vec<Transition>,
}

impl AppointmentDetail {
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        let particulars = Particulars::open(row, opener)?;
        Ok(Self::new(Booked::from_row(row)?, particulars, opener))
    }

    pub fn new(booked: Booked, particulars: Particulars, opener: &Opener) -> Self {
        let caller = opener.caller();
        let is_provider = caller.is_some_and(|caller| caller.row.role == Role::Provider);
        Self {
            appointment: Appointment::new(&booked, &particulars, opener),
            summary: particulars.summary.filter(|_| !is_confidential(opener)),
            notes: particulars.notes.filter(|_| is_provider),
            transitions: booked.transitions,
        }
    }
}

impl Operation for GetAppointment {
    const SPEC: &'static Spec = &Spec {
        id: "get-appointment",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/appointments/{appointment}",
            auth: Auth::Token,
        },
        action: "GetAppointment",
        audit: "appointment.read",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadAppointments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = AppointmentOf;
    type Input = ();
    type Output = AppointmentDetail;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }

    fn etag(detail: &AppointmentDetail) -> Option<u64> {
        Some(detail.appointment.version)
    }
}

/// The same appointment at another time of the same provider's.
pub struct RescheduleAppointment;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Move {
    start: Instant,
}

/// A new start, and the version that is moved.
pub struct VersionedMove {
    pub version: u64,
    pub start: Timestamp,
}

impl Operation for RescheduleAppointment {
    const SPEC: &'static Spec = &Spec {
        id: "reschedule-appointment",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/appointments/{appointment}/reschedule",
            auth: Auth::Token,
        },
        action: "RescheduleAppointment",
        audit: "appointment.reschedule",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadAvailability,
            ReadAppointments,
            BookAppointments,
            RelateAppointments,
            ReadWaitlist,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = AppointmentOf;
    type Input = VersionedMove;
    type Output = AppointmentDetail;

    fn parse(request: &Request) -> Result<VersionedMove, Problem> {
        request.no_query()?;
        let version = request.if_match()?;
        let Move {
            start: Instant(start),
        } = request.body()?;
        Ok(VersionedMove { version, start })
    }

    fn etag(detail: &AppointmentDetail) -> Option<u64> {
        Some(detail.appointment.version)
    }
}

/// An appointment that will not take place.
pub struct CancelAppointment;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Cancellation {
    reason: CancelReason,
}

pub struct VersionedCancellation {
    pub version: u64,
    pub reason: CancelReason,
}

impl Operation for CancelAppointment {
    const SPEC: &'static Spec = &Spec {
        id: "cancel-appointment",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/appointments/{appointment}/cancel",
            auth: Auth::Token,
        },
        action: "CancelAppointment",
        audit: "appointment.cancel",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadAppointments,
            BookAppointments,
            RelateAppointments,
            ReadWaitlist,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = AppointmentOf;
    type Input = VersionedCancellation;
    type Output = AppointmentDetail;

    fn parse(request: &Request) -> Result<VersionedCancellation, Problem> {
        request.no_query()?;
        let version = request.if_match()?;
        let Cancellation { reason } = request.body()?;
        Ok(VersionedCancellation { version, reason })
    }

    fn etag(detail: &AppointmentDetail) -> Option<u64> {
        Some(detail.appointment.version)
    }
}

/// What the practice needs to say how an appointment went on.
const MARKING: &[crate::aws::Capability] = &[
    ReadAccounts,
    ReadPatients,
    ReadAppointments,
    UpdateAppointments,
    UnwrapDataKeys,
    WriteAudit,
];

/// The practice expects the patient.
pub struct ConfirmAppointment;

impl Operation for ConfirmAppointment {
    const SPEC: &'static Spec = &Spec {
        id: "confirm-appointment",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/appointments/{appointment}/confirm",
            auth: Auth::Token,
        },
        action: "ConfirmAppointment",
        audit: "appointment.confirm",
        needs: MARKING,
    };
    type Subject = AppointmentOf;
    /// The version.
    type Input = u64;
    type Output = AppointmentDetail;

    fn parse(request: &Request) -> Result<u64, Problem> {
        request.no_query()?;
        request.if_match()
    }

    fn etag(detail: &AppointmentDetail) -> Option<u64> {
        Some(detail.appointment.version)
    }
}

/// The patient was there.
pub struct CompleteAppointment;

/// What is written about the visit.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// For those who treat the patient.
    pub notes: Prose<1, 10_000>,
    /// For the patient.
    pub summary: Option<Prose<1, 10_000>>,
}

pub struct VersionedVisit {
    pub version: u64,
    pub visit: Visit,
}

impl Operation for CompleteAppointment {
    const SPEC: &'static Spec = &Spec {
        id: "complete-appointment",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/appointments/{appointment}/complete",
            auth: Auth::Token,
        },
        action: "CompleteAppointment",
        audit: "appointment.complete",
        needs: MARKING,
    };
    type Subject = AppointmentOf;
    type Input = VersionedVisit;
    type Output = AppointmentDetail;

    fn parse(request: &Request) -> Result<VersionedVisit, Problem> {
        request.no_query()?;
        let version = request.if_match()?;
        let visit = request.body()?;
        Ok(VersionedVisit { version, visit })
    }

    fn etag(detail: &AppointmentDetail) -> Option<u64> {
        Some(detail.appointment.version)
    }
}

/// The patient did not come.
pub struct MarkNoShow;

impl Operation for MarkNoShow {
    const SPEC: &'static Spec = &Spec {
        id: "mark-no-show",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/appointments/{appointment}/no-show",
            auth: Auth::Token,
        },
        action: "MarkNoShow",
        audit: "appointment.no-show",
        needs: MARKING,
    };
    type Subject = AppointmentOf;
    /// The version.
    type Input = u64;
    type Output = AppointmentDetail;

    fn parse(request: &Request) -> Result<u64, Problem> {
        request.no_query()?;
        request.if_match()
    }

    fn etag(detail: &AppointmentDetail) -> Option<u64> {
        Some(detail.appointment.version)
    }
}

/// The time is taken, by the time it was looked at or since. The next ones are in the answer.
pub fn slot_taken(next: &[OpenSlot]) -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "slot-taken",
        "Somebody else has this time now",
        "Choose one of next_slots, or look for open slots again.",
    )
    .with("next_slots", next)
}

/// The patient has another appointment at that time.
pub const fn overlapping() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "appointment-overlaps",
        "The patient has another appointment at that time",
        "Choose another time, or move the other appointment first.",
    )
}

/// The patient has as many appointments to come as patients make for themselves.
pub const fn too_many_appointments() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "too-many-appointments",
        "You have as many appointments to come as can be made here",
        "Cancel one that you do not need, or call the practice for another one.",
    )
}

/// Nobody makes an appointment for somebody who has died.
pub const fn deceased() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "patient-deceased",
        "There are no more appointments for this record",
        "Our records say that this person has died, and we are sorry for your loss. If that is a \
         mistake, please call the practice, and we will put it right.",
    )
}

/// The patient decides until the practice relies on it.
pub const fn too_late() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "too-late",
        "It is too close to the appointment to change it here",
        "Please call the practice: they will move or cancel it with you.",
    )
}

/// The status does not allow the step.
pub const fn wrong_status() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "appointment-status",
        "The appointment is not in a state for this",
        "Load it again. Only one that is scheduled or confirmed can be changed, and one is \
         confirmed once.",
    )
}

/// Nobody can say yet how it went.
pub const fn not_begun() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "appointment-not-begun",
        "The appointment has not begun",
        "Do this after its start. Until then it can be moved or cancelled.",
    )
}

/// The same request arrived twice at the same moment.
pub const fn sent_twice() -> Problem {
    let mut problem = Problem::new(
        StatusCode::CONFLICT,
        "sent-twice",
        "This booking is being made by a request with the same Idempotency-Key",
        "Send it again to get its answer.",
    );
    problem.retry_after = Some(1);
    problem
}
