//! Shows how far the copies of a patient's record are, and where to download them.

use jiff::Timestamp;
use shared::Fault;
use shared::access::Unproven;
use shared::api::exports::{self, GetExport, Which};
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::Sealed;
use shared::serve::Service;
use shared::store::{Exports, ExportsBucket};

struct Handler {
    exports: Exports,
    bucket: ExportsBucket,
}

impl Read<GetExport> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        which: Which,
    ) -> Result<Sealed<exports::Exports>, Problem> {
        let shelf = self.exports.of(whose).await?;
        let Some(id) = which.export else {
            let exports = shelf.into_exports();
            return Ok(Sealed::unkeyed(move |opener| {
                let exports = exports.into_iter();
                Ok(exports::Exports {
                    exports: exports
                        .map(|export| export.now(opener.context(), Timestamp::now()))
                        .collect(),
                    download: None,
                })
            }));
        };
        let export = shelf.export(id).ok_or(Problem::not_found())?.clone();
        let Some(file) = which.file else {
            return Ok(Sealed::unkeyed(move |opener| {
                Ok(exports::Exports {
                    exports: vec![export.now(opener.context(), Timestamp::now())],
                    download: None,
                })
            }));
        };
        // A file is there while the export is ready, and only in the forms that were wanted.
        if !export.files.iter().any(|made| made.file == file) {
            return Err(Problem::not_found());
        }
        // Signed here, without asking S3; it leaves with the answer, or not at all.
        let download = self
            .bucket
            .link(whose, &export, file, Timestamp::now())
            .await?;
        Ok(Sealed::unkeyed(move |opener| {
            let export = export.now(opener.context(), Timestamp::now());
            let still_there = !export.files.is_empty();
            Ok(exports::Exports {
                exports: vec![export],
                download: still_there.then_some(download),
            })
        }))
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<GetExport>(
        aws,
        Handler {
            exports: Exports::new(aws)?,
            bucket: ExportsBucket::new(aws)?,
        },
    )
}
