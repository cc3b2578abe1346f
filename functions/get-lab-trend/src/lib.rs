//! Reads one analyte over time.

use shared::Fault;
use shared::access::Unproven;
use shared::api::lab_results::LabResult;
use shared::api::lab_trends::{GetLabTrend, Listing, Trend};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::Records;

struct Handler {
    records: Records,
}

impl Read<GetLabTrend> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        listing: Listing,
    ) -> Result<Sealed<Trend>, Problem> {
        let (series, page) = (listing.series, &listing.page);
        let (span, after) = (listing.span(), page.after.as_deref());
        let found = self.records.series(whose, series, &span, after, page.limit);
        let found = found.await?;
        // A series that the patient does not have is like one that nobody has.
        if found.rows.is_empty() && page.after.is_none() && listing.days.is_open() {
            return Err(Problem::not_found());
        }
        Ok(Sealed::new(move |opener| {
            let results = found.rows.iter().map(|row| LabResult::open(row, opener));
            let mut results = results.collect::<Result<Vec<_>, _>>()?;
            // Where a held result stands would tell what it is of.
            results.retain(|result| {
                let is_shown = result.content.is_some() && listing.days.hold(result.recorded());
                is_shown || result.unreadable
            });
            let cursor = &listing.page.cursor;
            let next = found.next.map(|key| cursor.write(&key)).transpose()?;
            Ok(Trend::of(series, results, next))
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetLabTrend>(
        aws,
        Handler {
            records: Records::new(aws)?,
        },
    )
}
