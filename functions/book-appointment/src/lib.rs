//! Books an appointment: once, whoever else wants the time and however often the request is sent.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, Unproven};
use shared::api::appointments::{
    Acting, Appointment, BookAppointment, KeyedBooking, Particulars, Status, Transition, deceased,
    overlapping,
};
use shared::api::profile::Profile;
use shared::aws::Aws;
use shared::booking::{Chooser, span};
use shared::http::{Changed, Problem, Revise, revises};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::slots::Quantum;
use shared::store::{Appointments, Booked, HeldSlot, NewState, Offer, SealedRow, Taken, Taking};

struct Handler {
    appointments: Appointments,
}

/// What is offered, what is taken of the patient, what is kept for them, and the appointment that
/// this very request made before.
struct Found {
    offer: Option<Offer>,
    taken: Taken,
    hold: Option<HeldSlot>,
    former: Option<SealedRow>,
}

impl Revise<BookAppointment> for Handler {
    type Found = Found;

    async fn find(
        &self,
        whose: &Unproven<PatientId>,
        booking: &KeyedBooking,
    ) -> Result<Found, Problem> {
        let asked = &booking.asked;
        let span = span(asked.start);
        let (offer, taken, hold, former) = tokio::try_join!(
            self.appointments
                .schedule
                .offer(asked.practitioner, span.clone()),
            self.appointments.taken_of(whose, span.start..span.start),
            self.appointments.hold_of(whose),
            self.appointments.booked(whose, booking.id),
        )?;
        Ok(Found {
            offer,
            taken,
            hold,
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
            let answer = Appointment::new(&Booked::from_row(&row)?, &particulars);
            return Ok(Changed::done(Vec::new(), Phi::new(answer)).regarding(id.to_string()));
        }
        let now = Timestamp::now();
        let patient = access.patient();
        if Profile::open(patient, opener)?.deceased {
            return Err(deceased());
        }
        let chooser = Chooser {
            hold: hold.as_ref(),
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
            hold: chosen.hold,
            gone: &chosen.gone,
            now,
        };
        let writes = self.appointments.book(access, opener, new, taking)?;
        let answer = Appointment::new(&booked, &particulars);
        Ok(Changed::done(writes, Phi::new(answer)).regarding(id.to_string()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<BookAppointment>(
        aws,
        Handler {
            appointments: Appointments::new(aws)?,
        },
    )
}
