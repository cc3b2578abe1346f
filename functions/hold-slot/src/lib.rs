//! Keeps a time for a patient for ten minutes.

use jiff::{SignedDuration, Timestamp};
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::appointments::{
    Held, HoldSlot, Slot, deceased, overlapping, too_many_appointments,
};
use shared::api::profile::Profile;
use shared::api::text::Instant;
use shared::aws::Aws;
use shared::booking::{Chooser, most_appointments, span};
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::{HoldId, PatientId};
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::slots::Quantum;
use shared::store::{Appointments, HeldSlot, Offer, Roster, Taken};
use uuid::Uuid;

/// How long a time is kept.
const KEPT: SignedDuration = SignedDuration::from_mins(10);

struct Handler {
    appointments: Appointments,
    practice: Practice,
}

/// What is offered, what is taken of the patient, and what is kept for them.
struct Found {
    offer: Option<Offer>,
    taken: Taken,
    former: Option<HeldSlot>,
    roster: Roster,
}

impl Revise<HoldSlot> for Handler {
    type Found = Found;

    async fn find(&self, whose: &Unproven<PatientId>, slot: &Slot) -> Result<Found, Problem> {
        let span = span(slot.start.0);
        let (offer, taken, former, roster) = tokio::try_join!(
            self.appointments
                .schedule
                .offer(slot.practitioner, span.clone()),
            self.appointments.taken_of(whose, span.start..span.start),
            self.appointments.hold_of(whose),
            self.appointments.roster_of(whose),
        )?;
        Ok(Found {
            offer,
            taken,
            former,
            roster,
        })
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        Found {
            offer,
            taken,
            former,
            roster,
        }: Found,
        Slot {
            practitioner,
            appointment_type,
            start: Instant(start),
        }: Slot,
    ) -> Result<Changed<Held>, Problem> {
        let now = Timestamp::now();
        if Profile::open(access.patient(), opener)?.deceased {
            return Err(deceased());
        }
        let most = most_appointments(access.caller(), access.patient(), &self.practice);
        if most.is_some_and(|most| roster.count(now) >= most) {
            return Err(too_many_appointments());
        }
        let chooser = Chooser {
            kept: Vec::new(),
            own: former.as_ref().map(|former| former.id.uuid()),
            now,
        };
        let chosen = chooser.choose(offer.as_ref(), appointment_type.as_str(), start)?;
        let lasts = chosen.kind.length().lasts(Quantum::from(start));
        if !taken.is_free(lasts, &[], now) {
            return Err(overlapping());
        }
        let until = Timestamp::from_second((now + KEPT).as_second())
            .map_err(|_| Fault::Defect("ten minutes from now"))?;
        let hold = HeldSlot {
            id: HoldId::new(Uuid::now_v7()),
            practitioner,
            appointment_type: appointment_type.into(),
            start,
            busy: chosen.busy,
            until,
        };
        let writes = self
            .appointments
            .hold(access, &hold, former.as_ref(), &chosen.gone, now)?;
        let answer = Held {
            hold: hold.id,
            slot: chosen.slot,
            until,
        };
        Ok(Changed::done(writes, Phi::new(answer)).regarding(hold.id.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<HoldSlot>(
        aws,
        Handler {
            appointments: Appointments::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
