//! The waitlist: what patients wait for, and the times that are offered to them.

use super::availability::{Modality, Provider};
use super::open_slots::{OpenSlot, span};
use super::page::Page;
use super::schedule::MOST;
use super::text::{Clock, Date, Slug};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::Practice;
use crate::aws::Capability::{
    KeepWaitlist, ReadAccounts, ReadAppointments, ReadAvailability, ReadPatients, ReadWaitlist,
    UnwrapDataKeys, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::{PatientId, PractitionerId, WaitlistId};
use crate::phi::Opener;
use crate::store::Entry;
use ::http::StatusCode;
use jiff::Timestamp;
use jiff::civil;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Somebody waits for a time.
pub struct JoinWaitlist;

/// How many places a patient has at most.
pub const PLACES: usize = 5;

/// The most days of one wish.
const DAYS: i32 = 90;

/// What somebody waits for: days of the practice's, the last one included, and times as the provider's
/// clock shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// This provider, or any of the specialty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub practitioner: Option<PractitionerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub specialty: Option<Slug>,
    #[serde(rename = "type")]
    pub appointment_type: Slug,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modality: Option<Modality>,
    pub from: Date,
    pub to: Date,
    /// Not to begin before this time of the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Clock>,
    /// To end by this time of the day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Clock>,
}

impl Wish {
    /// The days.
    pub fn days(&self) -> Result<(civil::Date, civil::Date), Problem> {
        span(&self.from, &self.to, DAYS).map_err(|_| {
            let must = format!("must be a day from the one in from, {DAYS} days in all at most");
            Problem::field("/to", must)
        })
    }

    /// Is it for what this provider offers?
    pub fn is_for(&self, practitioner: PractitionerId, specialty: &str) -> bool {
        match (&self.practitioner, &self.specialty) {
            (Some(wanted), _) => *wanted == practitioner,
            (None, Some(wanted)) => wanted.as_str() == specialty,
            (None, None) => false,
        }
    }

    /// Is it for appointments of this type?
    pub fn suits(&self, code: &str, modality: Modality) -> bool {
        self.appointment_type.as_str() == code
            && self.modality.is_none_or(|wanted| wanted == modality)
    }

    /// Can anybody be waited for? A wish that no provider could ever grant is refused.
    pub fn check(&self, providers: &[Provider]) -> Result<(), Problem> {
        let mut wanted = providers
            .iter()
            .filter(|one| self.is_for(one.practitioner, &one.specialty))
            .peekable();
        if wanted.peek().is_none() {
            let (pointer, must) = match self.practitioner {
                Some(_) => (
                    "/practitioner",
                    "must be one of the providers that are listed",
                ),
                None => (
                    "/specialty",
                    "must be the specialty of a provider that is listed",
                ),
            };
            return Err(Problem::field(pointer, must));
        }
        let mut types = wanted.flat_map(|one| &one.appointment_types);
        if types.any(|kind| self.suits(&kind.code, kind.modality)) {
            return Ok(());
        }
        let must = "must be an appointment type that is offered, in this modality";
        Err(Problem::field("/type", must))
    }

    fn checked(self) -> Result<Self, Problem> {
        if self.practitioner.is_some() == self.specialty.is_some() {
            let must = "must name either a practitioner or a specialty";
            return Err(Problem::field("", must));
        }
        self.days()?;
        match (self.after, self.before) {
            (Some(after), Some(before)) if before <= after => {
                Err(Problem::field("/before", "must be later than after"))
            }
            _ => Ok(self),
        }
    }
}

/// A wish, and the id that it gets: the same for the same `Idempotency-Key` of the same account.
pub struct KeyedWish {
    pub id: WaitlistId,
    pub wish: Wish,
}

/// Keeps the ids of places apart from other ids that are made of names.
const WAITLIST: Uuid = Uuid::from_u128(0x8c47_2f0b_1d93_4e6a_b5f2_60d7_3a91_c8e4);

/// A place on the waitlist.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Place {
    pub id: WaitlistId,
    #[serde(flatten)]
    pub wish: Wish,
    pub joined_at: Timestamp,
    /// A time that is kept for the patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offer: Option<PlaceOffer>,
}

/// Booking the slot, or moving an appointment to it, before this takes it up.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PlaceOffer {
    #[serde(flatten)]
    pub slot: OpenSlot,
    pub until: Timestamp,
}

impl Place {
    pub fn new(entry: &Entry, now: Timestamp) -> Self {
        let offer = entry.offer(now).map(|offer| PlaceOffer {
            slot: offer.slot.clone(),
            until: offer.held.until,
        });
        Self {
            id: entry.id,
            wish: entry.wish.clone(),
            joined_at: entry.joined_at,
            offer,
        }
    }
}

impl Operation for JoinWaitlist {
    const SPEC: &'static Spec = &Spec {
        id: "join-waitlist",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/waitlist",
            auth: Auth::Token,
        },
        action: "JoinWaitlist",
        audit: "waitlist.join",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadAvailability,
            ReadAppointments,
            KeepWaitlist,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = KeyedWish;
    type Output = Place;

    fn parse(request: &Request) -> Result<KeyedWish, Problem> {
        request.no_query()?;
        let key = request.idempotency_key()?;
        let patient: PatientId = request.path("patient")?;
        let claims = request.claims.as_ref().ok_or(Problem::unauthenticated())?;
        let name = format!("{patient} {} {}", claims.account, key.as_str());
        let wish: Wish = request.body()?;
        Ok(KeyedWish {
            id: WaitlistId::new(Uuid::new_v5(&WAITLIST, name.as_bytes())),
            wish: wish.checked()?,
        })
    }
}

/// What a patient waits for.
pub struct ListWaitlist;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Places {
    /// The first that was taken comes first.
    pub places: Vec<Place>,
}

impl Operation for ListWaitlist {
    const SPEC: &'static Spec = &Spec {
        id: "list-waitlist",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/waitlist",
            auth: Auth::Token,
        },
        action: "ListWaitlist",
        audit: "waitlist.list",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadAppointments,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = ();
    type Output = Places;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}

/// Somebody waits no longer. What was offered to them is offered to the next.
pub struct LeaveWaitlist;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Left {
    pub id: WaitlistId,
}

impl Operation for LeaveWaitlist {
    const SPEC: &'static Spec = &Spec {
        id: "leave-waitlist",
        trigger: Trigger::Http {
            method: Method::Delete,
            path: "/v1/patients/{patient}/waitlist/{place}",
            auth: Auth::Token,
        },
        action: "LeaveWaitlist",
        audit: "waitlist.leave",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadAppointments,
            KeepWaitlist,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = WaitlistId;
    type Output = Left;

    fn parse(request: &Request) -> Result<WaitlistId, Problem> {
        request.no_query()?;
        request.path("place")
    }

    fn regarding(place: &WaitlistId) -> Option<String> {
        Some(place.to_string())
    }
}

/// Who waits for a time of the caller's.
pub struct ListWaitingPatients;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct WaitingPatients {
    /// In their turn.
    pub waiting: Vec<WaitingPatient>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct WaitingPatient {
    pub patient: PatientId,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    #[serde(flatten)]
    pub place: Place,
}

impl WaitingPatient {
    /// Opens who it is that waits.
    pub fn open(entry: &Entry, opener: &Opener, now: Timestamp) -> Result<Self, Fault> {
        let imported = super::profile::imported(opener)?;
        Ok(Self {
            patient: entry.patient,
            name: imported.display_name().unwrap_or_default(),
            birth_date: imported.birth_date.map(|date| date.as_str().to_owned()),
            place: Place::new(entry, now),
        })
    }
}

impl Operation for ListWaitingPatients {
    const SPEC: &'static Spec = &Spec {
        id: "list-waiting-patients",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/waitlist",
            auth: Auth::Token,
        },
        action: "ListWaitingPatients",
        audit: "waitlist.read",
        needs: &[
            ReadAccounts,
            ReadWaitlist,
            ReadAvailability,
            ReadPatients,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = Practice;
    type Input = Page<MOST>;
    type Output = WaitingPatients;

    fn parse(request: &Request) -> Result<Page<MOST>, Problem> {
        Page::parse(request, Self::SPEC)
    }
}

/// Offers what has become free to those who wait, in their turn.
pub const OFFER_OPENINGS: Spec = Spec {
    id: "offer-openings",
    trigger: Trigger::Event,
    action: "OfferOpenings",
    audit: "waitlist.offer",
    needs: &[
        ReadWaitlist,
        ReadAvailability,
        ReadAppointments,
        crate::aws::Capability::OfferOpenings,
        ReadPatients,
        UnwrapDataKeys,
        crate::aws::Capability::SendMail,
        crate::aws::Capability::SendTexts,
        WriteAudit,
    ],
};

/// The patient waits for as much as one can.
pub const fn too_many_places() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "too-many-places",
        "The patient has five places on the waitlist already",
        "Leave one of them first.",
    )
}

/// The last day of the wish is over.
pub fn in_the_past() -> Problem {
    Problem::field("/to", "must be today or later, on the practice's calendar")
}
