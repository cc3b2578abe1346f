//! Cancels an appointment, and frees its time.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, AppointmentOf, Unproven};
use shared::api::appointments::{
    Acting, AppointmentDetail, CancelAppointment, Particulars, Status, VersionedCancellation,
    too_late, wrong_status,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::phi::{Opener, Phi};
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{Appointments, Booked, NewState, SealedRow, kept_until};

struct Handler {
    appointments: Appointments,
    practice: Practice,
}

impl Revise<CancelAppointment> for Handler {
    /// The appointment, and whether anybody waits for what becomes free.
    type Found = (Option<SealedRow>, bool);

    async fn find(
        &self,
        whose: &Unproven<AppointmentOf>,
        _: &VersionedCancellation,
    ) -> Result<(Option<SealedRow>, bool), Problem> {
        let found = tokio::try_join!(
            self.appointments.appointment(whose),
            self.appointments.schedule.somebody_waits(),
        )?;
        Ok(found)
    }

    async fn revise(
        &self,
        access: &Access<AppointmentOf>,
        opener: &Opener,
        (found, somebody_waits): (Option<SealedRow>, bool),
        VersionedCancellation { version, reason }: VersionedCancellation,
    ) -> Result<Changed<AppointmentDetail>, Problem> {
        let row = found.ok_or(Problem::not_found())?;
        let former = Booked::from_row(&row)?;
        if former.version != version {
            return Err(Problem::changed_meanwhile());
        }
        if !former.status.may_become(Status::Cancelled) {
            return Err(wrong_status());
        }
        let now = Timestamp::now();
        let by_practice = Acting::of(access.caller(), access.patient()) == Acting::Practice;
        if !by_practice && former.start.duration_since(now) < self.practice.cancellation() {
            return Err(too_late());
        }
        let cancelled = Booked {
            sequence: former.sequence.saturating_add(1),
            ..former.clone()
        };
        let booked = cancelled.step(
            Status::Cancelled,
            access.caller(),
            access.patient(),
            Some(reason),
            now,
        );
        let particulars = Particulars::open(&row, opener)?;
        let new = NewState {
            booked: &booked,
            particulars: &particulars,
        };
        let keeping = somebody_waits.then(|| kept_until(now));
        let writes = self
            .appointments
            .cancel(access, opener, &former, new, keeping)?;
        let answer = AppointmentDetail::new(booked, particulars, opener);
        Ok(Changed::done(writes, Phi::new(answer)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<CancelAppointment>(
        aws,
        Handler {
            appointments: Appointments::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
