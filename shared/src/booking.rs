//! What holding, booking and moving have in common: a time is chosen of what a provider offers.

use crate::access::Caller;
use crate::api::appointments::{Acting, slot_taken};
use crate::api::availability::AppointmentType;
use crate::api::open_slots::OpenSlot;
use crate::http::Problem;
use crate::ids::PatientId;
use crate::practice::Practice;
use crate::slots::Quantum;
use crate::store::{Kept, Offer};
use jiff::{SignedDuration, Timestamp};
use std::ops::Range;
use uuid::Uuid;

/// How far ahead somebody who comes second is offered other times.
const AHEAD: SignedDuration = SignedDuration::from_hours(3 * 24);

/// How many other times they are offered.
const NEXT: usize = 3;

/// What has to be known of a provider's time to book a slot, and to offer the next ones.
pub fn span(start: Timestamp) -> Range<Timestamp> {
    start..start.checked_add(AHEAD).unwrap_or(start)
}

/// How many appointments to come the patient may have when this caller makes them: the practice makes
/// as many as it sees fit.
pub fn most_appointments(
    caller: &Caller,
    patient: PatientId,
    practice: &Practice,
) -> Option<usize> {
    let by_practice = Acting::of(caller, patient) == Acting::Practice;
    (!by_practice).then(|| practice.open_appointments())
}

/// A time that is offered and free.
pub struct Chosen<'a> {
    pub kind: &'a AppointmentType,
    pub slot: OpenSlot,
    /// What it takes of the provider.
    pub busy: Range<Quantum>,
    /// What is kept for the patient, if it is this time.
    pub kept: Option<Kept<'a>>,
    /// What whoever comes second is answered: worked out before it is known who that is.
    pub gone: Problem,
}

/// Who chooses.
pub struct Chooser<'a> {
    /// What is kept for the patient.
    pub kept: Vec<Kept<'a>>,
    /// What may be taken over besides: the appointment that moves, or the hold that is given up.
    pub own: Option<Uuid>,
    pub now: Timestamp,
}

impl<'a> Chooser<'a> {
    /// The time of a type that begins at an instant; the problem if that is not to be had.
    pub fn choose(
        &self,
        offer: Option<&'a Offer>,
        appointment_type: &str,
        start: Timestamp,
    ) -> Result<Chosen<'a>, Problem> {
        let now = self.now;
        let offer = offer.ok_or_else(|| {
            Problem::field(
                "/practitioner",
                "must be one of the providers that are listed",
            )
        })?;
        let kind = offer.stored.availability.appointment_type(appointment_type);
        let kind = kind.ok_or_else(|| {
            Problem::field("/type", "must be one of the provider's appointment types")
        })?;
        let quantum = Quantum::starting(start);
        let found = quantum.and_then(|at| Some((at, offer.slot(kind, at, now)?)));
        let (at, slot) = found.ok_or_else(|| {
            let must = "must be the start of one of the provider's open slots for this type";
            Problem::field("/start", must)
        })?;
        let busy = kind.length().takes(at);
        let mut kept = self.kept.iter().copied();
        let kept =
            kept.find(|kept| (kept.slot()).is_for(offer.practitioner, appointment_type, &busy));
        let mut but: Vec<_> = self.own.into_iter().collect();
        but.extend(kept.map(|kept| kept.slot().id.uuid()));
        let others = || offer.open(kind, span(start), now);
        if !offer.is_free(kind, at, &but, now) {
            return Err(slot_taken(&others().take(NEXT).collect::<Vec<_>>()));
        }
        // Whoever is faster may take all of it.
        let apart = |other: &OpenSlot| {
            let other = kind.length().takes(Quantum::from(other.start));
            other.end <= busy.start || busy.end <= other.start
        };
        let gone = slot_taken(&others().filter(apart).take(NEXT).collect::<Vec<_>>());
        Ok(Chosen {
            kind,
            slot,
            busy,
            kept,
            gone,
        })
    }
}
