//! Books an appointment: once, whoever else wants the time and however often the request is sent.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::appointments::{
    Acting, Appointment, BookAppointment, KeyedBooking, Particulars, Status, Transition, deceased,
    overlapping, too_many_appointments,
};
use shared::api::profile::Profile;
use shared::aws::Aws;
use shared::booking::{Chooser, most_appointments, span};
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::slots::Quantum;
use shared::store::{
    Appointments, Booked, Entry, HeldSlot, Kept, NewState, Offer, Roster, SealedRow, Taken, Taking,
};

struct Handler {
    appointments: Appointments,
    practice: Practice,
}

/// What is offered, what is taken of the patient, what is kept for them, how many appointments they
/// have, and the one that this very request made before.
struct Found {
    offer: Option<Offer>,
    taken: Taken,
    hold: Option<HeldSlot>,
    waitlist: Vec<Entry>,
    roster: Roster,
    former: Option<SealedRow>,
}

impl Revise<BookAppointment> for Handler {
    type Found = Found;

    /// Another request of the same patient's, or the very same one, may have come first.
    const ATTEMPTS: u32 = 2;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        booking: &KeyedBooking,
    ) -> Result<Found, Problem> {
        let asked = &booking.asked;
        let span = span(asked.start);
        let schedule = &self.appointments.schedule;
        let (offer, taken, hold, waitlist, roster, former) = tokio::try_join!(
            schedule.offer(asked.practitioner, span.clone()),
            self.appointments.taken_of(whose, span.start..span.start),
            self.appointments.hold_of(whose),
            schedule.waitlist_of(whose, Timestamp::now()),
            self.appointments.roster_of(whose),
            self.appointments.booked(whose, booking.id),
        )?;
        Ok(Found {
            offer,
            taken,
            hold,
            waitlist,
            roster,
            former,
        })
    }

    async fn revise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        Found {
            offer,
            taken,
            hold,
            waitlist,
            roster,
            former,
        }: Found,
        KeyedBooking { id, asked }: KeyedBooking,
    ) -> Result<Changed<Appointment>, Problem> {
        if let Some(row) = former {
            // This request was here before, and its answer got lost.
            let particulars = Particulars::open(&row, opener)?;
            if particulars.asked != asked {
                return Err(Problem::key_used_before());
            }
            let answer = Appointment::new(&Booked::from_row(&row)?, &particulars, opener);
            return Ok(Changed::done(Vec::new(), Phi::new(answer)).regarding(id.to_string()));
        }
        let now = Timestamp::now();
        let patient = access.patient();
        if Profile::open(patient, opener)?.deceased {
            return Err(deceased());
        }
        let most = most_appointments(access.caller(), patient, &self.practice);
        if most.is_some_and(|most| roster.count(now) >= most) {
            return Err(too_many_appointments());
        }
        let chooser = Chooser {
            kept: Kept::all(hold.as_ref(), &waitlist, now),
            own: None,
            now,
        };
        let chosen = chooser.choose(offer.as_ref(), &asked.appointment_type, asked.start)?;
        let lasts = chosen.kind.length().lasts(Quantum::from(asked.start));
        if !taken.is_free(lasts, &[], now) {
            return Err(overlapping());
        }
        let slot = &chosen.slot;
        let booked = Booked {
            id,
            practitioner: slot.practitioner,
            appointment_type: slot.appointment_type.clone(),
            modality: slot.modality,
            start: slot.start,
            end: slot.end,
            busy: chosen.busy,
            time_zone: slot.time_zone.clone(),
            status: Status::Scheduled,
            sequence: 0,
            version: 1,
            transitions: vec![Transition {
                status: Status::Scheduled,
                at: now,
                by: access.account(),
                acting: Acting::of(access.caller(), patient),
                reason: None,
            }],
        };
        let particulars = Particulars {
            asked,
            type_name: chosen.kind.name.as_str().to_owned(),
            practitioner_name: offer.as_ref().and_then(|offer| offer.stored.name.clone()),
            location: slot.location.clone(),
            notes: None,
            summary: None,
        };
        let new = NewState {
            booked: &booked,
            particulars: &particulars,
        };
        let taking = Taking {
            kept: chosen.kept,
            gone: &chosen.gone,
            roster: &roster,
            most,
            now,
        };
        let writes = self.appointments.book(access, opener, new, taking)?;
        let answer = Appointment::new(&booked, &particulars, opener);
        Ok(Changed::done(writes, Phi::new(answer)).regarding(id.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<BookAppointment>(
        aws,
        Handler {
            appointments: Appointments::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
