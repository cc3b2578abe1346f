//! Asks for a copy of a patient's record; build-export makes it.

use http::StatusCode;
use jiff::Timestamp;
use shared::Fault;
use shared::access::Access;
use shared::api::exports::{Export, KeyedWanted, RequestExport, State};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::serve::Service;
use shared::store::exports::running;
use shared::store::{Exports, ExportsBucket};
use std::sync::Arc;

struct Handler {
    exports: Exports,
    bucket: Arc<ExportsBucket>,
}

impl Change<RequestExport> for Handler {
    async fn change(
        &self,
        access: &Access<PatientId>,
        _: &Opener,
        keyed: KeyedWanted,
    ) -> Result<Changed<Export>, Problem> {
        let now = Timestamp::now();
        let (patient, id) = (access.patient(), Exports::id(access, &keyed));
        let shelf = self.exports.before(access).await?;
        let (writes, export) = match shelf.export(id) {
            Some(known) if known.wanted == keyed.wanted => (Vec::new(), known.clone()),
            Some(_) => return Err(Problem::key_used_before()),
            None => {
                if shelf.running().is_some() {
                    return Err(running());
                }
                if let Some(seconds) = shelf.wait(now) {
                    return Err(too_many(seconds));
                }
                self.exports
                    .request(access, &shelf, id, keyed.wanted, now)?
            }
        };
        let waits = export.state == State::Requested;
        let changed = Changed::done(writes, Phi::new(export)).regarding(id.to_string());
        if !waits {
            return Ok(changed);
        }
        // Also when the same is asked for again: the first time, this may have been what failed.
        let bucket = Arc::clone(&self.bucket);
        Ok(changed.follow_up(async move { bucket.begin(patient, id).await }, not_begun))
    }
}

fn not_begun(export: Export) -> Export {
    Export {
        problem: Some(
            "The portal could not begin with it. Send the same request again, with the same \
             Idempotency-Key.",
        ),
        ..export
    }
}

const fn too_many(retry_after: u16) -> Problem {
    let mut problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-exports",
        "Five copies of this record were asked for within a day",
        "Download one of those, or ask again when Retry-After says.",
    );
    problem.retry_after = Some(retry_after);
    problem
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<RequestExport>(
        aws,
        Handler {
            exports: Exports::new(aws)?,
            bucket: Arc::new(ExportsBucket::new(aws)?),
        },
    )
}
