//! The record as it is stored, opened page by page.

use crate::{Handler, Stop};
use jiff::Timestamp;
use shared::Fault;
use shared::api::appointments::AppointmentDetail;
use shared::api::exports::{Failure, Step, Wanted};
use shared::api::text::Date;
use shared::ids::RecordId;
use shared::phi::Opener;
use shared::practice::Practice;
use shared::store::{Begun, ImportState, Section, StoredEntry, TIME_UNKNOWN};
use std::collections::BTreeMap;

/// The most JSON that one copy is made of. All forms of it are in memory, of 1 GB, one after the
/// other.
const MAX_BYTES: usize = 96 * 1024 * 1024;

/// What stands for appointments among the sections' prefixes.
pub(crate) const APPOINTMENTS: &str = "APPOINTMENT#";

/// An entry of the record.
pub(crate) struct Entry {
    pub(crate) id: RecordId,
    /// Its FHIR type.
    pub(crate) kind: String,
    /// None if the source marked it as never having been true.
    pub(crate) section: Option<Section>,
    /// The resource as it was imported.
    pub(crate) json: String,
    /// The Medication that a prescription refers to.
    pub(crate) medication: Option<String>,
}

/// What is copied, and how much of it is not.
pub(crate) struct WholeRecord {
    /// By section and clinical time, oldest first.
    pub(crate) entries: Vec<Entry>,
    /// What was booked in the portal, by its beginning, the earliest first.
    pub(crate) appointments: Vec<AppointmentDetail>,
    /// Outside of the days that were asked for, by the sections' prefixes.
    pub(crate) left_out: BTreeMap<&'static str, usize>,
    /// Results that a provider keeps back for a time, and reports of them.
    pub(crate) held: usize,
    /// Is there nothing that an import has yet to bring?
    pub(crate) complete: bool,
}

impl WholeRecord {
    pub(crate) fn len(&self) -> u64 {
        u64::try_from(self.entries.len()).unwrap_or(u64::MAX)
    }

    pub(crate) fn of(&self, section: Option<Section>) -> usize {
        let of_section = |entry: &&Entry| entry.section == section;
        self.entries.iter().filter(of_section).count()
    }
}

/// The instants that were asked for.
struct Range {
    from: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Range {
    fn of(wanted: &Wanted, practice: &Practice) -> Result<Self, Fault> {
        let day = |date: &Option<Date>| date.as_ref().and_then(Date::day);
        Ok(Self {
            from: day(&wanted.from)
                .map(|day| practice.start_of(day))
                .transpose()?,
            end: day(&wanted.to)
                .map(|day| practice.end_of(day))
                .transpose()?,
        })
    }

    /// Whether the clinical time of a sort key is among them. What has no time always is.
    fn holds(&self, sk: &str) -> bool {
        let time = sk.rsplit('#').nth(1).filter(|time| *time != TIME_UNKNOWN);
        let time = time.and_then(|time| time.parse::<Timestamp>().ok());
        time.is_none_or(|time| self.has(time))
    }

    fn has(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.end.is_none_or(|end| time < end)
    }
}

pub(crate) async fn read(
    handler: &Handler,
    begun: &Begun,
    opener: &Opener,
) -> Result<WholeRecord, Stop> {
    let (range, now) = (
        Range::of(&begun.wanted, &handler.practice)?,
        Timestamp::now(),
    );
    let mut record = WholeRecord {
        entries: Vec::new(),
        appointments: Vec::new(),
        left_out: BTreeMap::new(),
        held: 0,
        complete: opener.context().import_state() == ImportState::Complete,
    };
    let (mut bytes, mut after) = (0, None);
    for row in handler.record.appointments(begun).await? {
        // Nobody's eyes but the patient's: what providers wrote for each other stays with them.
        let detail = AppointmentDetail::open(&row, opener)?;
        if !range.has(detail.appointment.start) {
            *record.left_out.entry(APPOINTMENTS).or_default() += 1;
            continue;
        }
        bytes += detail.summary.as_ref().map_or(0, String::len);
        record.appointments.push(detail);
    }
    record
        .appointments
        .sort_by_key(|detail| (detail.appointment.start, detail.appointment.id.uuid()));
    loop {
        let page = handler.record.entries(begun, after.as_deref()).await?;
        for row in page.rows {
            let section = Section::of_key(row.sk()?);
            if !range.holds(row.sk()?) {
                let name = section.map_or("", Section::prefix);
                *record.left_out.entry(name).or_default() += 1;
                continue;
            }
            let (id, stored) = (row.entry_id()?, StoredEntry::open(&row, opener)?);
            // The copy is no way round a hold.
            let mut results = stored.links.results.iter().chain([&id]);
            let context = opener.context();
            if results.any(|result| {
                context
                    .hold(*result)
                    .is_some_and(|hold| hold.is_current(now))
            }) {
                record.held += 1;
                continue;
            }
            let entry = Entry {
                id,
                kind: row.resource_type()?.to_owned(),
                section,
                json: String::from(Box::<str>::from(stored.resource)),
                medication: stored
                    .medication
                    .map(|medication| String::from(Box::<str>::from(medication))),
            };
            bytes += entry.json.len() + entry.medication.as_ref().map_or(0, String::len);
            if bytes > MAX_BYTES {
                return Err(Failure::TooLarge.into());
            }
            record.entries.push(entry);
        }
        after = page.next;
        if after.is_none() {
            return Ok(record);
        }
        handler
            .exports
            .progress(begun, Step::Reading, record.len())
            .await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_the_practices_and_what_has_none_is_always_part_of_it() {
        let practice = Practice::new("America/New_York", 13, 18).unwrap();
        let wanted = serde_json::json!({"from": "2020-03-01", "to": "2020-03-31"});
        let wanted: Wanted = serde_json::from_value(wanted).unwrap();
        let range = Range::of(&wanted, &practice).unwrap();
        for (time, expected) in [
            ("2020-03-01T04:59:59.999Z", false),
            ("2020-03-01T05:00:00.000Z", true),
            ("2020-04-01T03:59:59.999Z", true),
            ("2020-04-01T04:00:00.000Z", false),
            ("0000-01-01T00:00:00.000Z", true),
        ] {
            assert_eq!(range.holds(&format!("LAB#{time}#id")), expected, "{time}");
        }
    }
}
