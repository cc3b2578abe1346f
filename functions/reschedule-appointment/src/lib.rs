//! Moves an appointment: the new time is taken and the old one freed, or nothing happens.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, AppointmentOf, Unproven};
use shared::api::appointments::{
    Acting, AppointmentDetail, Particulars, RescheduleAppointment, Status, VersionedMove, deceased,
    overlapping, too_late, wrong_status,
};
use shared::api::profile::Profile;
use shared::aws::Aws;
use shared::booking::{Chooser, span};
use shared::http::{Changed, Problem, Revise, revises};
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::slots::Quantum;
use shared::store::{
    Appointments, Booked, Entry, HeldSlot, Kept, NewState, Offer, Roster, SealedRow, Taken, Taking,
    kept_until,
};

struct Handler {
    appointments: Appointments,
    practice: Practice,
}

/// The appointment, what its provider offers, what is taken of the patient and kept for them, their
/// appointments, and whether anybody waits for what becomes free.
struct Found {
    row: SealedRow,
    former: Booked,
    offer: Option<Offer>,
    taken: Taken,
    hold: Option<HeldSlot>,
    waitlist: Vec<Entry>,
    roster: Roster,
    somebody_waits: bool,
}

impl Revise<RescheduleAppointment> for Handler {
    type Found = Option<Found>;

    async fn find(
        &self,
        whose: &Unproven<AppointmentOf>,
        new: &VersionedMove,
    ) -> Result<Option<Found>, Problem> {
        let span = span(new.start);
        let patient = whose.whose();
        let schedule = &self.appointments.schedule;
        let (row, taken, hold, waitlist, roster, somebody_waits) = tokio::try_join!(
            self.appointments.appointment(whose),
            self.appointments.taken_of(&patient, span.start..span.start),
            self.appointments.hold_of(&patient),
            schedule.waitlist_of(&patient, Timestamp::now()),
            self.appointments.roster_of(&patient),
            schedule.somebody_waits(),
        )?;
        let Some(row) = row else {
            return Ok(None);
        };
        // Only the appointment says whose time it takes.
        let former = Booked::from_row(&row)?;
        Ok(Some(Found {
            offer: schedule.offer(former.practitioner, span).await?,
            row,
            former,
            taken,
            hold,
            waitlist,
            roster,
            somebody_waits,
        }))
    }

    async fn revise(
        &self,
        access: &Access<AppointmentOf>,
        opener: &Opener,
        found: Option<Found>,
        VersionedMove { version, start }: VersionedMove,
    ) -> Result<Changed<AppointmentDetail>, Problem> {
        let Found {
            row,
            former,
            offer,
            taken,
            hold,
            waitlist,
            roster,
            somebody_waits,
        } = found.ok_or(Problem::not_found())?;
        let now = Timestamp::now();
        let patient = access.patient();
        if former.version != version {
            return Err(Problem::changed_meanwhile());
        }
        if !former.status.may_become(Status::Scheduled) {
            return Err(wrong_status());
        }
        let by_practice = Acting::of(access.caller(), patient) == Acting::Practice;
        if !by_practice && former.start.duration_since(now) < self.practice.cancellation() {
            return Err(too_late());
        }
        if Profile::open(patient, opener)?.deceased {
            return Err(deceased());
        }
        if start == former.start {
            return Err(Problem::field("/start", "must be another time than it has"));
        }
        let own = former.id.uuid();
        let chooser = Chooser {
            kept: Kept::all(hold.as_ref(), &waitlist, now),
            own: Some(own),
            now,
        };
        let chosen = chooser.choose(offer.as_ref(), &former.appointment_type, start)?;
        let lasts = chosen.kind.length().lasts(Quantum::from(start));
        if !taken.is_free(lasts, &[own], now) {
            return Err(overlapping());
        }
        let slot = chosen.slot;
        let moved = Booked {
            modality: slot.modality,
            start: slot.start,
            end: slot.end,
            busy: chosen.busy,
            time_zone: slot.time_zone,
            sequence: former.sequence.saturating_add(1),
            ..former.clone()
        };
        let moved = moved.step(Status::Scheduled, access.caller(), patient, None, now);
        let particulars = Particulars {
            type_name: chosen.kind.name.as_str().to_owned(),
            location: slot.location,
            ..Particulars::open(&row, opener)?
        };
        let new = NewState {
            booked: &moved,
            particulars: &particulars,
        };
        let taking = Taking {
            kept: chosen.kept,
            gone: &chosen.gone,
            roster: &roster,
            most: None,
            now,
        };
        let keeping = somebody_waits.then(|| kept_until(now));
        let writes = self
            .appointments
            .reschedule(access, opener, &former, new, taking, keeping)?;
        let answer = AppointmentDetail::new(moved, particulars, opener);
        Ok(Changed::done(writes, Phi::new(answer)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<RescheduleAppointment>(
        aws,
        Handler {
            appointments: Appointments::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
