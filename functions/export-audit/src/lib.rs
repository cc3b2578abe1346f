//! Exports a part of the audit log, newest first, with what proves its records unchanged.

mod csv;

use shared::Fault;
use shared::access::{Access, Practice};
use shared::api::audit_log::{
    AuditFormat, ExportAudit, Exported, Exporting, RecordDigest, Verification,
};
use shared::audit::sha256;
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::{AuditLog, StoredRecord};

/// The most records of one part, and how many are looked at for it: a megabyte, as DynamoDB reads at
/// once and a function may well answer.
const MOST: usize = 1000;

struct Handler {
    log: AuditLog,
}

impl Change<ExportAudit> for Handler {
    async fn change(
        &self,
        access: &Access<Practice>,
        _: &Opener,
        export: Exporting,
    ) -> Result<Changed<Exported>, Problem> {
        let (after, before) = export.after().unzip();
        let found = self
            .log
            .search(access, &export.criteria, after, MOST, MOST)
            .await?;
        let exported = exported(&export, before, &found.records, found.next.as_deref())?;
        Ok(Changed::done(Vec::new(), Phi::new(exported)).about(export.criteria.patient()))
    }
}

/// The file, its digests, and where the next part begins.
fn exported(
    export: &Exporting,
    before: Option<&str>,
    records: &[StoredRecord],
    next: Option<&str>,
) -> Result<Exported, Fault> {
    let lines = records.iter().map(StoredRecord::canonical);
    let lines = lines.collect::<Result<Vec<_>, Fault>>()?;
    let digests: Vec<_> = lines.iter().map(|line| sha256(line)).collect();
    let chained = before.into_iter().chain(digests.iter().map(String::as_str));
    let chained: String = chained.map(|digest| format!("{digest}\n")).collect();
    let export_sha256 = sha256(&chained);
    let content = match export.format {
        AuditFormat::JsonLines => lines.iter().map(|line| format!("{line}\n")).collect(),
        AuditFormat::Csv => {
            let heading = before.is_none().then(csv::heading);
            let rows = records.iter().zip(&digests);
            let rows = rows.map(|(record, digest)| csv::row(record, digest));
            heading.into_iter().chain(rows).collect::<String>()
        }
    };
    let ids = records.iter().map(|record| record.attribute("id"));
    let digests = ids.zip(digests).map(|(id, sha256)| RecordDigest {
        id: id.unwrap_or_default().to_owned(),
        sha256,
    });
    Ok(Exported {
        format: export.format,
        verification: Verification {
            records: digests.collect(),
            content_sha256: sha256(&content),
            export_sha256: export_sha256.clone(),
        },
        content,
        next_cursor: next
            .map(|after| export.cursor(after, &export_sha256))
            .transpose()?,
    })
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ExportAudit>(
        aws,
        Handler {
            log: AuditLog::new(aws)?,
        },
    )
}
