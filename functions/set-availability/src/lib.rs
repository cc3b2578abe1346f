//! Sets when a provider can be booked. What is booked stays; the answer says what does not fit.

use jiff::{Timestamp, ToSpan};
use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::availability::{
    AvailabilitySet, BookedOutside, Provider, SetAvailability, VersionedAvailability,
};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PractitionerId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::slots::{Quantum, Timetable};
use shared::store::{Booked, Directory, Schedule};

/// How far ahead anybody can have booked, in hours: the longest horizon that there is.
const HORIZON: i64 = 366 * 24;

/// How many appointments are read at once.
const PAGE: u8 = 200;

struct Handler {
    schedule: Schedule,
    directory: Directory,
}

impl Change<SetAvailability> for Handler {
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        VersionedAvailability {
            version,
            availability,
        }: VersionedAvailability,
    ) -> Result<Changed<AvailabilitySet>, Problem> {
        let practitioner = access.caller().row.practitioner;
        let practitioner = practitioner.ok_or(Fault::Defect("a provider who is nobody"))?;
        let now = Timestamp::now();
        let timetable = availability.timetable()?;
        let (former, colleague, booked_outside) = tokio::try_join!(
            self.schedule.availability(practitioner),
            self.directory.practitioner(practitioner),
            self.outside(access, practitioner, &timetable, now),
        )?;
        if former.as_ref().map_or(0, |former| former.version) != version {
            return Err(Problem::changed_meanwhile());
        }
        let name = colleague.and_then(|colleague| colleague.name);
        let provider = Provider::new(practitioner, name, &availability);
        let writes = self.schedule.set_availability(
            access,
            former.as_ref(),
            &provider,
            &availability,
            now,
        )?;
        let answer = AvailabilitySet {
            availability,
            booked_outside,
            version: version.saturating_add(1),
        };
        Ok(Changed::done(writes, Phi::new(answer)).regarding(practitioner.to_string()))
    }
}

impl Handler {
    /// The appointments to come that do not lie within hours for their type.
    async fn outside(
        &self,
        access: &Access<Practice>,
        practitioner: PractitionerId,
        timetable: &Timetable,
        now: Timestamp,
    ) -> Result<Vec<BookedOutside>, Fault> {
        let until = now
            .checked_add(HORIZON.hours())
            .map_err(|_| Fault::Defect("a year from now"))?;
        let mut outside = Vec::new();
        let mut after = None;
        loop {
            let page = self
                .schedule
                .appointments_of(access, practitioner, now..until, after.as_deref(), PAGE)
                .await?;
            for row in &page.appointments {
                let booked = Booked::from_row(row)?;
                let span = Quantum::from(booked.start)..Quantum::from(booked.end);
                let kind = booked.appointment_type.as_str();
                if booked.status.is_open() && timetable.around(kind, span).is_none() {
                    outside.push(BookedOutside {
                        appointment: booked.id,
                        start: booked.start,
                        end: booked.end,
                    });
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(outside);
            }
        }
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<SetAvailability>(
        aws,
        Handler {
            schedule: Schedule::new(aws)?,
            directory: Directory::new(aws)?,
        },
    )
}
