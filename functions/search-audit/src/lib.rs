//! Searches the audit log, newest first.

use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::audit_log::{Found, Search, SearchAudit};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{AuditLog, StoredRecord};

/// So many records are looked at for a page. Where few of them are looked for, it is a short one, and
/// has a cursor.
const WINDOW: usize = 400;

struct Handler {
    log: AuditLog,
}

impl Change<SearchAudit> for Handler {
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        search: Search,
    ) -> Result<Changed<Found>, Problem> {
        let limit = usize::from(search.limit);
        let found = self
            .log
            .search(access, &search.criteria, search.after(), limit, WINDOW)
            .await?;
        let next_cursor = found.next.map(|after| search.cursor(&after)).transpose()?;
        let records = found.records.iter().map(StoredRecord::attributes);
        let answer = Phi::new(Found {
            records: records.collect(),
            next_cursor,
        });
        // It is one of the accesses to that patient's data.
        Ok(Changed::done(Vec::new(), answer).about(search.criteria.patient()))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<SearchAudit>(
        aws,
        Handler {
            log: AuditLog::new(aws)?,
        },
    )
}
