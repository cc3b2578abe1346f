//! Lists a section of a patient's health record, newest first, and counts all sections.

use shared::Fault;
use shared::access::Unproven;
use shared::api::health_record::{Count, Entry, HealthRecord, ListHealthRecord, Listing, Section};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::{ImportState, Records};

struct Handler {
    records: Records,
}

impl Read<ListHealthRecord> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        Listing { section, page }: Listing,
    ) -> Result<Sealed<HealthRecord>, Problem> {
        let found = match section {
            None => None,
            Some(section) => {
                let (stored, after) = (section.stored(), page.after.as_deref());
                let found = self.records.newest(whose, stored, after, page.limit);
                Some((section, found.await?))
            }
        };
        Ok(Sealed::new(move |opener| {
            let context = opener.context();
            let counts = context.counts(opener)?;
            let sections = Section::ALL.into_iter().map(|section| Count {
                section,
                count: counts.of(section.stored()),
            });
            let (entries, next) = match found {
                None => (None, None),
                Some((section, found)) => {
                    let rows = found.rows.iter();
                    let entries = rows.map(|row| Entry::open(section, row, opener));
                    (Some(entries.collect::<Result<_, _>>()?), found.next)
                }
            };
            Ok(HealthRecord {
                record_complete: context.import_state() == ImportState::Complete,
                sections: sections.collect(),
                entries,
                next_cursor: next.map(|sk| page.cursor.write(&sk)).transpose()?,
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListHealthRecord>(
        aws,
        Handler {
            records: Records::new(aws)?,
        },
    )
}
