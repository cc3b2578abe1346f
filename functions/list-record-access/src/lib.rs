//! Lists who looked at a patient's record, newest first.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Unproven;
use shared::api::record_access::{Accesses, ListRecordAccess, Listing, Of, Teller};
use shared::api::text::Date;
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::practice::Practice;
use shared::serve::Service;
use shared::store::{AccessLog, Patients, Position, Range};

/// So many records are looked at for a page of some people's accesses. Who is sparse among them gets
/// a short page, and a cursor.
const WINDOW: u16 = 400;

struct Handler {
    log: AccessLog,
    patients: Patients,
    practice: Practice,
}

impl Read<ListRecordAccess> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        Listing { of, days, page }: Listing,
    ) -> Result<Sealed<Accesses>, Problem> {
        let (from, to) = days;
        let range = Range {
            from: from.and_then(|day| self.begins(&day)),
            to: to.and_then(|day| self.ends(&day)),
        };
        let position = page.after.as_deref().map(Position::from_text);
        let window = match of {
            Of::Anyone => page.limit.into(),
            _ => WINDOW,
        };
        let patient = whose.patient();
        let (found, notes) = tokio::try_join!(
            self.log
                .newest(whose, range, position.unwrap_or_default(), window),
            self.patients.access_notes(whose),
        )?;
        Ok(Sealed::new(move |opener| {
            let teller = Teller::new(patient, opener, &notes)?;
            let (records, next) = found.accesses(page.limit, |record| teller.is_of(record, of));
            let accesses = records.into_iter().map(|record| teller.tell(record));
            Ok(Accesses {
                accesses: accesses.collect::<Result<_, _>>()?,
                next_cursor: next
                    .map(|next| page.cursor.write(&next.text()))
                    .transpose()?,
            })
        }))
    }
}

impl Handler {
    /// When a day begins; none for one before all time.
    fn begins(&self, day: &Date) -> Option<Timestamp> {
        let before = day.day()?.yesterday().ok()?;
        self.practice.end_of(before).ok()
    }

    /// When a day is over; none for one at the end of all time.
    fn ends(&self, day: &Date) -> Option<Timestamp> {
        self.practice.end_of(day.day()?).ok()
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListRecordAccess>(
        aws,
        Handler {
            log: AccessLog::new(aws)?,
            patients: Patients::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
