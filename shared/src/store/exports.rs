//! Copies of records: `EXPORT#<id>` rows of the documents table, which hold ids, times and codes,
//! and the bucket of their files. An object `requests/<patient>/<export>` in it starts the making;
//! `files/<patient>/<export>/<attempt>/` is what a try came to. Tries may overlap, and the row says which one
//! counts.

use super::records::Entries;
use super::{
    Appointments, Item, Patients, Records, SealedRow, Write, n, number, patient_key, s, sortable,
    string,
};
use crate::Fault;
use crate::access::{Access, Unproven};
use crate::api::exports::{
    Download, Export, Failure, File, FileMade, KeyedWanted, Progress, State, Step, Wanted,
};
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AccountId, ExportId, PatientId};
use crate::phi::{DataKeys, Opener};
use ::http::StatusCode;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{Put, ReturnValue, TransactWriteItem, Update};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_sdk_s3::primitives::ByteStream;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use uuid::{Uuid, uuid};

/// Begins the sort keys of exports.
const EXPORT: &str = "EXPORT#";

/// Counts the requests of a patient, so that of two at once one is refused.
const EXPORTS: &str = "EXPORTS";

/// Keeps the ids of exports apart from other ids that are made of names.
const NAMESPACE: Uuid = uuid!("0a3e6b52-7d1c-4a5e-8f43-9c1d25b7e684");

/// How many copies a patient may ask for within a day.
const PER_DAY: usize = 5;

/// How often the making is tried: Lambda's first time and two more.
const ATTEMPTS: u64 = 3;

/// After which time an export that is not ready never will be. Three tries of five minutes and the
/// waits between them take less.
const PATIENCE: SignedDuration = SignedDuration::from_mins(30);

/// For how long files can be downloaded. The bucket deletes them within the day after.
const KEPT: SignedDuration = SignedDuration::from_hours(24);

/// For how long it is known that there was an export.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// For how long a link is good.
const LINK: Duration = Duration::from_secs(60);

const TORN: Fault = Fault::Corrupt("the row of an export");

fn key(export: ExportId) -> String {
    format!("{EXPORT}{export}")
}

/// The exports of a patient, newest first.
pub struct Shelf {
    version: u64,
    exports: Vec<Export>,
}

impl Shelf {
    fn of(rows: Vec<Item>, now: Timestamp) -> Result<Self, Fault> {
        let mut shelf = Self {
            version: 0,
            exports: Vec::new(),
        };
        for row in rows {
            match string(&row, "sk") {
                Some(EXPORTS) => shelf.version = number(&row, "version").ok_or(TORN)?,
                _ => shelf.exports.push(export(&row, now)?),
            }
        }
        shelf
            .exports
            .sort_by_key(|export| std::cmp::Reverse(export.requested_at));
        Ok(shelf)
    }

    pub fn into_exports(self) -> Vec<Export> {
        self.exports
    }

    pub fn export(&self, id: ExportId) -> Option<&Export> {
        self.exports.iter().find(|export| export.id == id)
    }

    /// The one that is in the making.
    pub fn running(&self) -> Option<&Export> {
        let mut exports = self.exports.iter();
        exports.find(|export| matches!(export.state, State::Requested | State::Building))
    }

    /// After how many seconds another may be asked for, if that is not now.
    pub fn wait(&self, now: Timestamp) -> Option<u16> {
        let day = SignedDuration::from_hours(24);
        let age = |export: &Export| now.duration_since(export.requested_at);
        let recent = self.exports.iter().filter(|export| age(export) < day);
        let first = recent.take(PER_DAY).nth(PER_DAY - 1)?;
        let seconds = (day - age(first)).as_secs().saturating_add(1);
        Some(u16::try_from(seconds).unwrap_or(u16::MAX))
    }
}

/// An export as its row says it, at this moment.
fn export(row: &Item, now: Timestamp) -> Result<Export, Fault> {
    let sk = string(row, "sk").and_then(|sk| sk.strip_prefix(EXPORT));
    let at = |name| string(row, name).map(|at| at.parse::<Timestamp>());
    let requested_at = at("requested_at").and_then(Result::ok).ok_or(TORN)?;
    let stored: State = string(row, "state")
        .and_then(|state| state.parse().ok())
        .ok_or(TORN)?;
    let ready_at = at("ready_at").transpose().map_err(|_| TORN)?;
    let available_until = ready_at.and_then(|at| at.checked_add(KEPT).ok());
    let state = match stored {
        State::Requested | State::Building if now.duration_since(requested_at) > PATIENCE => {
            State::Failed
        }
        State::Ready if available_until.is_none_or(|until| until <= now) => State::Expired,
        other => other,
    };
    let failure = match (state, stored) {
        (State::Failed, State::Failed) => Some(
            string(row, "reason")
                .and_then(|reason| reason.parse().ok())
                .unwrap_or(Failure::OutOfOrder),
        ),
        (State::Failed, _) => Some(Failure::TookTooLong),
        _ => None,
    };
    let step: Option<Step> = string(row, "step").and_then(|step| step.parse().ok());
    let files = string(row, "files").filter(|_| state == State::Ready);
    Ok(Export {
        id: sk.and_then(|id| id.parse().ok()).ok_or(TORN)?,
        attempt: number(row, "attempt").ok_or(TORN)?,
        state,
        wanted: wanted(row)?,
        requested_at,
        progress: step
            .filter(|_| state == State::Building)
            .map(|step| Progress {
                step,
                entries: number(row, "entries").unwrap_or(0),
            }),
        files: match files {
            Some(files) => serde_json::from_str(files).map_err(|_| TORN)?,
            None => Vec::new(),
        },
        available_until: available_until.filter(|_| state == State::Ready),
        problem: failure.map(Failure::words),
    })
}

fn wanted(row: &Item) -> Result<Wanted, Fault> {
    serde_json::from_str(string(row, "wanted").ok_or(TORN)?).map_err(|_| TORN)
}

/// An export whose making began.
pub struct Begun {
    pub patient: PatientId,
    pub id: ExportId,
    pub wanted: Wanted,
    pub requested_by: AccountId,
    attempt: u64,
}

impl Begun {
    /// Is there no further try if this one fails?
    pub const fn is_last(&self) -> bool {
        self.attempt >= ATTEMPTS
    }
}

/// What came of a making.
pub enum Made {
    Files(Vec<FileMade>),
    Failed(Failure),
}

/// The rows of exports.
pub struct Exports {
    client: Client,
    table: String,
}

impl Exports {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::DocumentsTable)?,
        })
    }

    /// The exports of a patient whose rows nobody has shown yet.
    pub async fn of(&self, whose: &Unproven<PatientId>) -> Result<Shelf, Fault> {
        self.shelf(whose.patient()).await
    }

    /// The exports of a patient before another is asked for.
    pub async fn before(&self, access: &Access<PatientId>) -> Result<Shelf, Fault> {
        self.shelf(access.patient()).await
    }

    async fn shelf(&self, patient: PatientId) -> Result<Shelf, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :export)")
            .expression_attribute_values(":pk", s(patient_key(patient)))
            .expression_attribute_values(":export", s("EXPORT"))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Shelf::of(answer.items.unwrap_or_default(), Timestamp::now())
    }

    /// The id of what is asked for: the same with the same key.
    pub fn id(access: &Access<PatientId>, keyed: &KeyedWanted) -> ExportId {
        let name = format!(
            "{}/{}/{}",
            access.patient(),
            access.account(),
            keyed.idempotency_key
        );
        ExportId::new(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }

    /// The writes of a request, and the export that they make.
    pub fn request(
        &self,
        access: &Access<PatientId>,
        shelf: &Shelf,
        id: ExportId,
        wanted: Wanted,
        now: Timestamp,
    ) -> Result<(Vec<Write>, Export), Fault> {
        let pk = patient_key(access.patient());
        let forgotten = now.checked_add(REMEMBERED).unwrap_or(now).as_second();
        let json = serde_json::to_string(&wanted).map_err(|_| Fault::Defect("a wish as JSON"))?;
        let row = Put::builder()
            .table_name(&self.table)
            .item("pk", s(&pk))
            .item("sk", s(key(id)))
            .item("requested", s(format!("{EXPORT}{}#{id}", sortable(now))))
            .item("requested_at", s(now.to_string()))
            .item("requested_by", s(access.account().to_string()))
            .item("wanted", s(json))
            .item("state", s(State::Requested.as_str()))
            .item("attempt", n(0))
            .item("expires_at", n(forgotten))
            .condition_expression("attribute_not_exists(pk)");
        let mut count = Put::builder()
            .table_name(&self.table)
            .item("pk", s(&pk))
            .item("sk", s(EXPORTS))
            .item("version", n(shelf.version.saturating_add(1)));
        count = match shelf.version {
            0 => count.condition_expression("attribute_not_exists(pk)"),
            seen => count
                .condition_expression("version = :seen")
                .expression_attribute_values(":seen", n(seen)),
        };
        let writes = [row, count].map(|put| {
            let put = put.build().map_err(|_| Fault::Defect("a put"))?;
            Ok(Write {
                item: TransactWriteItem::builder().put(put).build(),
                conflict: running(),
            })
        });
        let export = Export {
            id,
            attempt: 0,
            state: State::Requested,
            wanted,
            requested_at: now,
            progress: None,
            files: Vec::new(),
            available_until: None,
            problem: None,
        };
        let writes = writes.into_iter().collect::<Result<_, Fault>>()?;
        Ok((writes, export))
    }

    /// Begins the making, or the next try at it. None if there is nothing to make: it is not asked
    /// for, done, or too late.
    pub async fn begin(
        &self,
        patient: PatientId,
        id: ExportId,
        now: Timestamp,
    ) -> Result<Option<Begun>, Fault> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(patient_key(patient)))
            .key("sk", s(key(id)))
            .update_expression(
                "SET #state = :building, #step = :reading, entries = :none ADD attempt :one",
            )
            .condition_expression(
                "#state IN (:requested, :building) AND attempt < :attempts AND requested > :late",
            )
            .expression_attribute_names("#state", "state")
            .expression_attribute_names("#step", "step")
            .expression_attribute_values(":building", s(State::Building.as_str()))
            .expression_attribute_values(":requested", s(State::Requested.as_str()))
            .expression_attribute_values(":reading", s(Step::Reading.as_str()))
            .expression_attribute_values(":none", n(0))
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":attempts", n(ATTEMPTS))
            .expression_attribute_values(":late", s(late(now)))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        let row = match answer {
            Ok(answer) => answer.attributes.ok_or(TORN)?,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(fault("DynamoDB", &error)),
        };
        let requested_by = string(&row, "requested_by").and_then(|by| by.parse().ok());
        Ok(Some(Begun {
            patient,
            id,
            wanted: wanted(&row)?,
            requested_by: requested_by.ok_or(TORN)?,
            attempt: number(&row, "attempt").ok_or(TORN)?,
        }))
    }

    /// Notes how far the making is.
    pub async fn progress(&self, begun: &Begun, step: Step, entries: u64) -> Result<(), Fault> {
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(patient_key(begun.patient)))
            .key("sk", s(key(begun.id)))
            .update_expression("SET #step = :step, entries = :entries")
            .condition_expression("attempt = :attempt")
            .expression_attribute_names("#step", "step")
            .expression_attribute_values(":step", s(step.as_str()))
            .expression_attribute_values(":entries", n(entries))
            .expression_attribute_values(":attempt", n(begun.attempt))
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(())
    }

    /// The write that ends the making.
    pub fn finish(&self, begun: &Begun, made: &Made, now: Timestamp) -> Result<Write, Fault> {
        let update = Update::builder()
            .table_name(&self.table)
            .key("pk", s(patient_key(begun.patient)))
            .key("sk", s(key(begun.id)))
            .condition_expression("#state = :building AND attempt = :attempt")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":building", s(State::Building.as_str()))
            .expression_attribute_values(":attempt", n(begun.attempt));
        let update = match made {
            Made::Files(files) => {
                let files = serde_json::to_string(files).map_err(|_| Fault::Defect("files"))?;
                update
                    .update_expression("SET #state = :ready, ready_at = :now, files = :files")
                    .expression_attribute_values(":ready", s(State::Ready.as_str()))
                    .expression_attribute_values(":now", s(now.to_string()))
                    .expression_attribute_values(":files", s(files))
            }
            Made::Failed(failure) => update
                .update_expression("SET #state = :failed, reason = :reason")
                .expression_attribute_values(":failed", s(State::Failed.as_str()))
                .expression_attribute_values(":reason", s(failure.as_str())),
        };
        let update = update.build().map_err(|_| Fault::Defect("an update"))?;
        Ok(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict: running(),
        })
    }
}

/// The index key of a request before which it is too late to begin.
fn late(now: Timestamp) -> String {
    let since = now.checked_sub(PATIENCE).unwrap_or(now);
    format!("{EXPORT}{}", sortable(since))
}

/// One copy is made after the other.
pub const fn running() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "export-running",
        "A copy of this record is being made",
        "Wait until it is ready, or has failed, before you ask for another.",
    )
}

/// The bucket of the files.
pub struct ExportsBucket {
    client: aws_sdk_s3::Client,
    bucket: String,
}

impl ExportsBucket {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.s3().clone(),
            bucket: aws.name(Resource::ExportsBucket)?,
        })
    }

    /// Has an export made: whoever sees this object sees two ids.
    pub async fn begin(&self, patient: PatientId, id: ExportId) -> Result<(), Fault> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(format!("requests/{patient}/{id}"))
            .body(ByteStream::from_static(b""))
            .send()
            .await
            .map_err(|error| fault("S3", &error))?;
        Ok(())
    }

    /// Stores a file of an export. It may be large, and so may take longer than other calls.
    pub async fn put(&self, begun: &Begun, file: File, bytes: Vec<u8>) -> Result<(), Fault> {
        let patiently = TimeoutConfig::builder()
            .operation_attempt_timeout(Duration::from_secs(60))
            .operation_timeout(Duration::from_secs(120))
            .build();
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(place(begun.patient, begun.id, begun.attempt, file))
            .content_type(file.media_type())
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(aws_sdk_s3::config::Builder::new().timeout_config(patiently))
            .send()
            .await
            .map_err(|error| fault("S3", &error))?;
        Ok(())
    }

    /// A link to a file, which the browser saves and does not show.
    pub async fn link(
        &self,
        whose: &Unproven<PatientId>,
        export: &Export,
        file: File,
        now: Timestamp,
    ) -> Result<Download, Fault> {
        const WRONG: Fault = Fault::Defect("a presigned link");
        let expires_at = now.checked_add(LINK).map_err(|_| WRONG)?;
        let presigned = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(place(whose.patient(), export.id, export.attempt, file))
            .response_content_type(file.media_type())
            .response_content_disposition(format!("attachment; filename=\"{}\"", file.name()))
            .response_cache_control("no-store")
            .presigned(PresigningConfig::expires_in(LINK).map_err(|_| WRONG)?)
            .await
            .map_err(|_| WRONG)?;
        Ok(Download {
            url: presigned.uri().to_owned(),
            expires_at,
        })
    }
}

fn place(patient: PatientId, id: ExportId, attempt: u64, file: File) -> String {
    format!("files/{patient}/{id}/{attempt}/{}", file.as_str())
}

/// A patient's record from its first row to its last, for the one function that copies it.
pub struct WholeRecord {
    patients: Patients,
    records: Records,
    appointments: Appointments,
    keys: DataKeys,
}

impl WholeRecord {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            patients: Patients::new(aws)?,
            records: Records::new(aws)?,
            appointments: Appointments::new(aws)?,
            keys: DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey)?),
        })
    }

    /// What opens the record of an export that was asked for.
    pub async fn opener(&self, begun: &Begun) -> Result<Opener, Fault> {
        let context = self.patients.context(&Unproven::new(begun.patient)).await?;
        let wrapped = context
            .wrapped_key()
            .ok_or(Fault::Corrupt("the patient has no data key"))?;
        let key = self.keys.unwrap(begun.patient, wrapped).await?;
        Ok(Opener {
            key: Some(key),
            context,
            caller: None,
        })
    }

    /// The next megabyte of entries, by section and clinical time.
    pub async fn entries(&self, begun: &Begun, after: Option<&str>) -> Result<Entries, Fault> {
        self.records.everything(begun.patient, after).await
    }

    /// All appointments.
    pub async fn appointments(&self, begun: &Begun) -> Result<Vec<SealedRow>, Fault> {
        self.appointments.everything(begun.patient).await
    }
}

impl SealedRow {
    /// The FHIR type of an entry of the record.
    pub fn resource_type(&self) -> Result<&str, Fault> {
        self.string("type")
            .ok_or(Fault::Corrupt("a record entry without its type"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(state: &str, minutes_ago: i64) -> (Item, Timestamp) {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let at = now
            .checked_sub(SignedDuration::from_mins(minutes_ago))
            .unwrap();
        let id = Uuid::now_v7();
        let row = Item::from([
            ("sk".to_owned(), s(format!("EXPORT#{id}"))),
            ("state".to_owned(), s(state)),
            ("wanted".to_owned(), s(r#"{"formats":["fhir"]}"#)),
            ("requested_at".to_owned(), s(at.to_string())),
            ("ready_at".to_owned(), s(at.to_string())),
            ("attempt".to_owned(), n(1)),
        ]);
        (row, now)
    }

    #[test]
    fn nothing_is_in_the_making_for_ever_and_nothing_is_ready_for_ever() {
        for (stored, minutes_ago, shown) in [
            ("requested", 1, State::Requested),
            ("building", 29, State::Building),
            ("building", 31, State::Failed),
            ("requested", 31, State::Failed),
            ("ready", 31, State::Ready),
            ("ready", 24 * 60 + 1, State::Expired),
            ("failed", 1, State::Failed),
        ] {
            let (row, now) = row(stored, minutes_ago);
            let export = export(&row, now).unwrap();
            assert_eq!(export.state, shown, "{stored} {minutes_ago}");
            assert_eq!(export.problem.is_some(), shown == State::Failed);
        }
    }

    #[test]
    fn a_patient_asks_for_five_a_day() {
        let rows = |ages: &[i64]| {
            let rows = ages.iter().map(|age| row("failed", *age).0).collect();
            let (_, now) = row("failed", 0);
            Shelf::of(rows, now).unwrap().wait(now)
        };
        assert_eq!(rows(&[1, 2, 3, 4]), None);
        assert_eq!(rows(&[1, 2, 3, 4, 24 * 60 + 1]), None);
        assert_eq!(rows(&[1, 2, 3, 4, 24 * 60 - 1]), Some(61));
        assert_eq!(rows(&[1, 2, 3, 4, 5, 24 * 60 - 1]), Some(u16::MAX));
    }
}
