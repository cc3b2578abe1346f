//! Says that the patient was there, with the notes of the visit and what the patient is to know.

use jiff::Timestamp;
use shared::Fault;
use shared::access::{Access, AppointmentOf, Unproven};
use shared::api::appointments::{
    AppointmentDetail, CompleteAppointment, Particulars, Status, VersionedVisit, not_begun,
    wrong_status,
};
use shared::aws::Aws;
use shared::http::{Changed, Problem, Revise, revises};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{Appointments, Booked, NewState, SealedRow};

struct Handler {
    appointments: Appointments,
}

impl Revise<CompleteAppointment> for Handler {
    type Found = Option<SealedRow>;

    async fn find(
        &self,
        whose: &Unproven<AppointmentOf>,
        _: &VersionedVisit,
    ) -> Result<Option<SealedRow>, Problem> {
        Ok(self.appointments.appointment(whose).await?)
    }

    async fn revise(
        &self,
        access: &Access<AppointmentOf>,
        opener: &Opener,
        found: Option<SealedRow>,
        VersionedVisit { version, visit }: VersionedVisit,
    ) -> Result<Changed<AppointmentDetail>, Problem> {
        let row = found.ok_or(Problem::not_found())?;
        let former = Booked::from_row(&row)?;
        if former.version != version {
            return Err(Problem::changed_meanwhile());
        }
        if !former.status.may_become(Status::Completed) {
            return Err(wrong_status());
        }
        let now = Timestamp::now();
        if now < former.start {
            return Err(not_begun());
        }
        let booked = former.clone().step(
            Status::Completed,
            access.caller(),
            access.patient(),
            None,
            now,
        );
        let particulars = Particulars {
            notes: Some(visit.notes.into()),
            summary: visit.summary.map(Into::into),
            ..Particulars::open(&row, opener)?
        };
        let new = NewState {
            booked: &booked,
            particulars: &particulars,
        };
        let writes = self.appointments.mark(access, opener, &former, new)?;
        let answer = AppointmentDetail::new(booked, particulars, opener);
        Ok(Changed::done(writes, Phi::new(answer)))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    revises::<CompleteAppointment>(
        aws,
        Handler {
            appointments: Appointments::new(aws)?,
        },
    )
}
