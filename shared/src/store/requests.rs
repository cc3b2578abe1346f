//! What patients ask of the practice: `<KIND>#<request>` rows of a patient, which stay where they are
//! and keep every step; `<KIND>-KEY#<hash>` rows, by which a request that is sent twice is known; a row
//! `<KIND>S` that counts those without an answer, where nothing else bounds them; and for as long as a
//! request is open a copy in the partition `<KIND>S#open`, the practice's work list.
//! What is asked, and all that anybody writes about it, is sealed under the patient's key.

use super::patients::{TABLE, page};
use super::{
    Entries, Item, Panel, PatientContext, Patients, SEALED, SealedRow, Write, b, n, patient_key, s,
    string,
};
use crate::Fault;
use crate::access::{Access, Practice, Unproven};
use crate::api::text::Line;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AccountId, PatientId, PractitionerId};
use crate::phi::{Opener, Phi, Place};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::{PutBuilder, UpdateBuilder};
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem, Update};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;
use uuid::Uuid;

/// How many open requests of other people's patients are passed over for one page.
const PASSED_OVER: i32 = 1000;

/// Something that a patient asks for.
pub trait Asked: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    const KIND: &'static str;
    type Id: Copy + Display + FromStr + Send + Sync;

    fn id(&self) -> Self::Id;

    /// How many of a patient's may have no answer at once, where it is not one about each thing.
    const UNANSWERED: Option<u64> = None;

    /// Has the practice something to do about it?
    fn is_open(&self) -> bool;

    /// Does it wait for an answer?
    fn is_unanswered(&self) -> bool {
        self.is_open()
    }

    /// Where it stands among the open ones.
    fn turn(&self) -> String;

    /// What two requests cannot both be open about, if there is such a thing.
    fn about(&self) -> Option<String>;
}

/// A request as it is stored.
pub struct Standing<T> {
    pub asked: T,
    version: u64,
}

/// Requests of one kind.
pub struct Requests<T> {
    client: Client,
    table: String,
    kind: PhantomData<fn() -> T>,
}

impl<T: Asked> Requests<T> {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::PatientsTable)?,
            kind: PhantomData,
        })
    }

    /// A patient's request, still sealed.
    pub async fn find(
        &self,
        whose: &Unproven<PatientId>,
        id: T::Id,
    ) -> Result<Option<SealedRow>, Fault> {
        self.row(whose.patient(), &row_key::<T>(id)).await
    }

    /// The request that an account made with an `Idempotency-Key`, if it made one.
    pub async fn keyed(
        &self,
        whose: &Unproven<PatientId>,
        account: AccountId,
        key: &Line<8, 64>,
    ) -> Result<Option<T::Id>, Fault> {
        const TORN: Fault = Fault::Corrupt("the row of an idempotency key");
        let patient = whose.patient();
        let row = self
            .row(patient, &key_key::<T>(patient, account, key))
            .await?;
        row.map(|row| {
            let id = row.string("request").and_then(|id| id.parse().ok());
            id.ok_or(TORN)
        })
        .transpose()
    }

    /// The request again that was made with a key.
    pub async fn again(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        id: T::Id,
    ) -> Result<T, Fault> {
        let row = self.row(access.patient(), &row_key::<T>(id)).await?;
        let row = row.ok_or(Fault::Corrupt("an idempotency key without its request"))?;
        Ok(Self::open(&row, opener)?.asked)
    }

    /// A patient's requests, the newest first.
    pub async fn newest(
        &self,
        whose: &Unproven<PatientId>,
        after: Option<&str>,
        limit: u8,
    ) -> Result<Entries, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :kind)")
            .expression_attribute_values(":kind", s(format!("{}#", T::KIND)))
            .scan_index_forward(false)
            .limit(i32::from(limit));
        page(query, &patient_key(whose.patient()), after).await
    }

    /// What a patient's open requests are about, by that.
    pub async fn open_about(
        &self,
        whose: &Unproven<PatientId>,
    ) -> Result<HashMap<String, T::Id>, Fault> {
        const TORN: Fault = Fault::Corrupt("a row of what a request is about");
        let prefix = about_key::<T>("");
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
            .expression_attribute_values(":pk", s(patient_key(whose.patient())))
            .expression_attribute_values(":prefix", s(&prefix))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let rows = answer.items.unwrap_or_default().into_iter();
        rows.filter(|row| string(row, "state") == Some(OPEN))
            .map(|row| {
                let about = string(&row, "sk").and_then(|sk| sk.strip_prefix(&prefix));
                let request = string(&row, "request").and_then(|id| id.parse().ok());
                Ok((about.ok_or(TORN)?.to_owned(), request.ok_or(TORN)?))
            })
            .collect()
    }

    async fn row(&self, patient: PatientId, sk: &str) -> Result<Option<SealedRow>, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk = :sk")
            .expression_attribute_values(":pk", s(patient_key(patient)))
            .expression_attribute_values(":sk", s(sk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(sealed(answer.items).pop())
    }

    /// Opens a row of a request.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Standing<T>, Fault> {
        const TORN: Fault = Fault::Corrupt("a request's row");
        Ok(Standing {
            asked: serde_json::from_slice(&row.open(opener)?).map_err(|_| TORN)?,
            version: row.number("version").ok_or(TORN)?,
        })
    }

    /// The writes of a new request, and what to answer if there is no room for it. With the same key,
    /// or about the same, there is one.
    pub fn raise(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        new: &T,
        key: &Line<8, 64>,
        taken: &Problem,
    ) -> Result<Vec<Write>, Fault> {
        let patient = access.patient();
        let known = self
            .put(
                &patient_key(patient),
                &key_key::<T>(patient, access.account(), key),
            )
            .item("request", s(new.id().to_string()))
            .condition_expression("attribute_not_exists(pk)");
        let row = self
            .sealed(patient, opener, new, 0)?
            .condition_expression("attribute_not_exists(pk)");
        let mut writes = vec![
            put(known, &Problem::changed_meanwhile())?,
            put(row, &Problem::changed_meanwhile())?,
        ];
        if let Some(about) = self.about(patient, new) {
            let free = about
                .condition_expression("attribute_not_exists(pk) OR #state <> :open")
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":open", s(OPEN));
            writes.push(put(free, taken)?);
        }
        if let Some(most) = T::UNANSWERED {
            let one_more = count::<T>(patient, 1)
                .condition_expression("attribute_not_exists(unanswered) OR unanswered < :most")
                .expression_attribute_values(":most", n(most));
            writes.push(self.update(one_more, taken)?);
        }
        writes.push(put(
            self.waiting(patient, opener, new)?,
            &Problem::changed_meanwhile(),
        )?);
        Ok(writes)
    }

    /// A step on a request that was looked for: `next` says what becomes of it. None of the writes
    /// happens if somebody else took a step since.
    pub fn step(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        found: Option<SealedRow>,
        taken: &Problem,
        next: impl FnOnce(&T) -> Result<T, Problem>,
    ) -> Result<(Vec<Write>, T), Problem> {
        let row = found.ok_or(Problem::not_found())?;
        let former = Self::open(&row, opener)?;
        let next = next(&former.asked)?;
        let writes = self.advance(access, opener, &former, &next, taken)?;
        Ok((writes, next))
    }

    fn advance(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        former: &Standing<T>,
        new: &T,
        taken: &Problem,
    ) -> Result<Vec<Write>, Fault> {
        let patient = access.patient();
        let row = self
            .sealed(patient, opener, new, former.version.saturating_add(1))?
            .condition_expression("version = :seen")
            .expression_attribute_values(":seen", n(former.version));
        let mut writes = vec![put(row, taken)?];
        let was_open = former.asked.is_open();
        if let (true, Some(about)) = (was_open, self.about(patient, new)) {
            let own = about
                .condition_expression("#request = :request")
                .expression_attribute_names("#request", "request")
                .expression_attribute_values(":request", s(new.id().to_string()));
            writes.push(put(own, taken)?);
        }
        if T::UNANSWERED.is_some() && former.asked.is_unanswered() && !new.is_unanswered() {
            writes.push(self.update(count::<T>(patient, -1), taken)?);
        }
        let moved = !new.is_open() || new.turn() != former.asked.turn();
        if was_open && moved {
            let delete = Delete::builder()
                .table_name(&self.table)
                .key("pk", s(open_list::<T>()))
                .key("sk", s(former.asked.turn()))
                .build()
                .map_err(|_| Fault::Defect("a delete"))?;
            writes.push(Write {
                item: TransactWriteItem::builder().delete(delete).build(),
                conflict: taken.clone(),
            });
        }
        if new.is_open() {
            writes.push(put(self.waiting(patient, opener, new)?, taken)?);
        }
        Ok(writes)
    }

    fn update(&self, update: UpdateBuilder, conflict: &Problem) -> Result<Write, Fault> {
        let update = update.table_name(&self.table).build();
        let update = update.map_err(|_| Fault::Defect("an update"))?;
        Ok(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict: conflict.clone(),
        })
    }

    fn put(&self, pk: &str, sk: &str) -> PutBuilder {
        Put::builder()
            .table_name(&self.table)
            .item("pk", s(pk))
            .item("sk", s(sk))
    }

    fn sealed(
        &self,
        patient: PatientId,
        opener: &Opener,
        asked: &T,
        version: u64,
    ) -> Result<PutBuilder, Fault> {
        let (pk, sk) = (patient_key(patient), row_key::<T>(asked.id()));
        Ok(self
            .put(&pk, &sk)
            .item("version", n(version))
            .item(SEALED, b(seal(opener, &pk, &sk, asked)?)))
    }

    fn about(&self, patient: PatientId, asked: &T) -> Option<PutBuilder> {
        let state = if asked.is_open() { OPEN } else { "closed" };
        let about = asked.about()?;
        Some(
            self.put(&patient_key(patient), &about_key::<T>(&about))
                .item("request", s(asked.id().to_string()))
                .item("state", s(state)),
        )
    }

    fn waiting(&self, patient: PatientId, opener: &Opener, asked: &T) -> Result<PutBuilder, Fault> {
        let (pk, sk) = (open_list::<T>(), asked.turn());
        Ok(self
            .put(&pk, &sk)
            .item("patient", s(patient.to_string()))
            .item(SEALED, b(seal(opener, &pk, &sk, asked)?)))
    }
}

/// The work list of one kind of requests.
pub struct WorkList<T> {
    requests: Requests<T>,
    patients: Patients,
    panel: Panel,
}

/// A page of open requests by patient, still sealed, and the sort key after which the next page
/// starts.
#[derive(Default)]
pub struct Waiting {
    rows: HashMap<PatientId, Vec<SealedRow>>,
    pub next: Option<String>,
}

impl Waiting {
    pub fn patients(&self) -> impl Iterator<Item = PatientId> {
        self.rows.keys().copied()
    }
}

impl<T: Asked> WorkList<T> {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            requests: Requests::new(aws)?,
            patients: Patients::new(aws)?,
            panel: Panel::new(aws)?,
        })
    }

    /// Open requests by their turn: of all patients, or of those whom a practitioner treats. The
    /// index of panels says whom to look at, and the patients' own rows have the last word.
    pub async fn page(
        &self,
        access: &Access<Practice>,
        practitioner: Option<PractitionerId>,
        after: Option<&str>,
        limit: u8,
    ) -> Result<Waiting, Fault> {
        const TORN: Fault = Fault::Corrupt("a row of a work list");
        let (open, panel) = tokio::join!(self.open_after(after), async {
            match practitioner {
                Some(practitioner) => {
                    let panel = self.patients.whole_panel(access, practitioner).await?;
                    Ok::<_, Fault>(Some(panel))
                }
                None => Ok(None),
            }
        });
        let (open, panel) = (open?, panel?);
        let mut waiting = Waiting::default();
        let mut taken = 0;
        for row in open.rows {
            if taken == limit {
                return Ok(waiting);
            }
            let patient: PatientId = row.parsed("patient")?.ok_or(TORN)?;
            waiting.next = Some(row.sk()?.to_owned());
            let theirs = |panel: &HashSet<PatientId>| panel.contains(&patient);
            if panel.as_ref().is_none_or(theirs) {
                waiting.rows.entry(patient).or_default().push(row);
                taken += 1;
            }
        }
        waiting.next = open.next;
        Ok(waiting)
    }

    async fn open_after(&self, after: Option<&str>) -> Result<Entries, Fault> {
        let query = self
            .requests
            .client
            .query()
            .table_name(&self.requests.table)
            .key_condition_expression("pk = :pk")
            .limit(PASSED_OVER);
        page(query, &open_list::<T>(), after).await
    }

    /// The context rows of those patients who are there, and whom the practitioner treats now.
    pub async fn current(
        &self,
        access: &Access<Practice>,
        practitioner: Option<PractitionerId>,
        waiting: &Waiting,
        now: Timestamp,
    ) -> Result<Vec<(PatientId, PatientContext)>, Fault> {
        let patients = waiting.patients().collect();
        let mut contexts = self.panel.contexts(access, patients).await?;
        contexts.retain(|(_, context)| {
            practitioner.is_none_or(|practitioner| context.is_on_care_team(practitioner, now))
        });
        Ok(contexts)
    }

    /// Opens the requests of these patients, in their turn.
    pub async fn open<U>(
        &self,
        access: &Access<Practice>,
        contexts: Vec<(PatientId, PatientContext)>,
        waiting: &Waiting,
        open: impl Fn(PatientId, T, &Opener) -> Result<U, Fault>,
    ) -> Result<Phi<Vec<U>>, Fault> {
        let of_each = |patient: PatientId, opener: &Opener| {
            let rows = waiting.rows.get(&patient).into_iter().flatten();
            let opened = rows.map(|row| {
                let asked = serde_json::from_slice(&row.open(opener)?)
                    .map_err(|_| Fault::Corrupt("a row of a work list"))?;
                Ok((row.sk()?.to_owned(), open(patient, asked, opener)?))
            });
            opened.collect::<Result<Vec<_>, Fault>>()
        };
        let opened = self.panel.open(access, contexts, of_each).await?;
        Ok(opened.map(|lists| {
            let mut all: Vec<_> = lists.into_iter().flatten().collect();
            all.sort_by(|(one, _), (other, _)| one.cmp(other));
            all.into_iter().map(|(_, one)| one).collect()
        }))
    }
}

/// `state` of what an open request is about.
const OPEN: &str = "open";

fn row_key<T: Asked>(id: T::Id) -> String {
    format!("{}#{id}", T::KIND)
}

fn about_key<T: Asked>(about: &str) -> String {
    format!("{}-OF#{about}", T::KIND)
}

/// Counts a patient's requests that have no answer.
fn count<T: Asked>(patient: PatientId, by: i8) -> UpdateBuilder {
    Update::builder()
        .key("pk", s(patient_key(patient)))
        .key("sk", s(format!("{}S", T::KIND)))
        .update_expression("ADD unanswered :by")
        .expression_attribute_values(":by", n(by))
}

fn key_key<T: Asked>(patient: PatientId, account: AccountId, key: &Line<8, 64>) -> String {
    let name = format!("{account} {}", key.as_str());
    let hash = Uuid::new_v5(&patient.uuid(), name.as_bytes());
    format!("{}-KEY#{hash}", T::KIND)
}

fn open_list<T: Asked>() -> String {
    format!("{}S#open", T::KIND)
}

fn seal(opener: &Opener, pk: &str, sk: &str, asked: &impl Serialize) -> Result<Vec<u8>, Fault> {
    let place = Place {
        table: TABLE,
        pk,
        sk,
        attribute: SEALED,
    };
    let asked = serde_json::to_vec(asked).map_err(|_| Fault::Defect("a request as JSON"))?;
    opener.seal(&place, &asked)
}

fn sealed(items: Option<Vec<Item>>) -> Vec<SealedRow> {
    let items = items.unwrap_or_default().into_iter();
    items.map(|item| SealedRow::new(TABLE, item)).collect()
}

fn put(put: PutBuilder, conflict: &Problem) -> Result<Write, Fault> {
    let put = put.build().map_err(|_| Fault::Defect("a put"))?;
    Ok(Write {
        item: TransactWriteItem::builder().put(put).build(),
        conflict: conflict.clone(),
    })
}
