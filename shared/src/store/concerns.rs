//! Concerns about accesses: `CONCERNS#<state>` partitions of the patients table, a row for each
//! concern. What people wrote about one is sealed under the key of the patient whom it is about.

use super::accesses::{EMERGENCY, REPORT};
use super::patients::{BREAK_GLASS, TABLE, page};
use super::{
    Accounts, Item, PatientContext, Patients, SEALED, SealedRow, Write, b, patient_key, s,
};
use crate::Fault;
use crate::access::{Access, Practice, Unproven};
use crate::api::Operation;
use crate::api::access_concerns::{
    Closed, Closing, Concern, Kind, Outcome, Reported, State, Verdict, Words,
};
use crate::aws::{Aws, Resource, fault};
use crate::http::{Change, Changed, Problem};
use crate::ids::{AccountId, ConcernId};
use crate::phi::{DataKeys, Opener, Phi, Place};
use ::http::StatusCode;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Delete, Get, Put, TransactGetItem, TransactWriteItem, Update};
use jiff::{SignedDuration, Timestamp};

/// The write of a concern that nobody has looked at yet.
pub(super) fn raised(
    table: &str,
    opener: &Opener,
    concern: &Concern,
    explanation: Option<String>,
) -> Result<PutBuilder, Fault> {
    let words = Words {
        explanation,
        note: None,
    };
    put(table, opener, concern, &words)
}

fn put(
    table: &str,
    opener: &Opener,
    concern: &Concern,
    words: &Words,
) -> Result<PutBuilder, Fault> {
    let (pk, sk) = (partition(concern.state), concern.id.to_string());
    let place = Place {
        table: TABLE,
        pk: &pk,
        sk: &sk,
        attribute: SEALED,
    };
    let words = serde_json::to_vec(words).map_err(|_| Fault::Defect("words as JSON"))?;
    let mut put = Put::builder()
        .table_name(table)
        .item(SEALED, b(opener.seal(&place, &words)?))
        .item("kind", s(concern.kind.as_str()))
        .item("patient", s(concern.patient.to_string()))
        .item("opened_at", s(concern.opened_at.to_string()))
        .condition_expression("attribute_not_exists(pk)");
    let mut optional = vec![
        ("actor", concern.actor.map(|actor| actor.to_string())),
        ("grant", concern.grant.map(|grant| grant.to_string())),
        ("reason", concern.reason.map(|r| r.as_str().to_owned())),
    ];
    if let Some(access) = &concern.access {
        optional.extend([
            ("access", Some(access.id.to_string())),
            ("operation", Some(access.operation.clone())),
            ("accessed_at", Some(access.at.to_string())),
        ]);
    }
    if let Some(closed) = concern.closed {
        optional.extend([
            ("outcome", Some(closed.outcome.as_str().to_owned())),
            ("closed_at", Some(closed.closed_at.to_string())),
            ("closed_by", Some(closed.closed_by.to_string())),
        ]);
    }
    for (name, value) in optional {
        if let Some(value) = value {
            put = put.item(name, s(value));
        }
    }
    Ok(put.item("pk", s(&pk)).item("sk", s(&sk)))
}

fn partition(state: State) -> String {
    format!("CONCERNS#{}", state.as_str())
}

impl Concern {
    fn from_row(row: &SealedRow) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("a concern's row");
        let state = row.string("pk").and_then(|pk| pk.strip_prefix("CONCERNS#"));
        let closed = match row.parsed::<Outcome>("outcome")? {
            None => None,
            Some(outcome) => Some(Closed {
                outcome,
                closed_at: row.parsed("closed_at")?.ok_or(TORN)?,
                closed_by: row.parsed("closed_by")?.ok_or(TORN)?,
            }),
        };
        let access = match row.parsed("access")? {
            None => None,
            Some(id) => Some(Reported {
                id,
                operation: row.string("operation").ok_or(TORN)?.to_owned(),
                at: row.parsed("accessed_at")?.ok_or(TORN)?,
            }),
        };
        Ok(Self {
            access,
            id: row.parsed("sk")?.ok_or(TORN)?,
            kind: row.parsed("kind")?.ok_or(TORN)?,
            state: state.and_then(|state| state.parse().ok()).ok_or(TORN)?,
            patient: row.parsed("patient")?.ok_or(TORN)?,
            actor: row.parsed("actor")?,
            grant: row.parsed("grant")?,
            reason: row.parsed("reason")?,
            opened_at: row.parsed("opened_at")?.ok_or(TORN)?,
            closed,
        })
    }
}

/// A page of concerns, and the sort key after which the next page starts.
pub struct Listed {
    pub concerns: Vec<Concern>,
    pub next: Option<String>,
}

/// The work list.
pub struct Concerns {
    client: Client,
    table: String,
}

impl Concerns {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::PatientsTable)?,
        })
    }

    /// Concerns in this state, newest first.
    pub async fn list(
        &self,
        _: &Access<Practice>,
        state: State,
        after: Option<&str>,
        limit: u8,
    ) -> Result<Listed, Fault> {
        let query = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .scan_index_forward(false)
            .limit(i32::from(limit));
        let found = page(query, &partition(state), after).await?;
        let concerns = found.rows.iter().map(Concern::from_row);
        Ok(Listed {
            concerns: concerns.collect::<Result<_, _>>()?,
            next: found.next,
        })
    }

    /// A concern over glass that was not broken justly, and who broke it. What was written about it
    /// stays sealed.
    pub async fn broken_glass(
        &self,
        access: &Access<ConcernId>,
    ) -> Result<(Concern, AccountId), Problem> {
        let row = self.row(access.concern()).await?;
        let concern = Concern::from_row(&row.ok_or(Problem::not_found())?)?;
        let actor = concern.actor.filter(|_| concern.kind == Kind::BreakGlass);
        let actor = actor.ok_or(another_kind())?;
        let outcome = concern.closed.map(|closed| closed.outcome);
        if outcome != Some(Outcome::Reviewed(Verdict::NotJustified)) {
            return Err(nobody_barred());
        }
        Ok((concern, actor))
    }

    /// The row of a concern, open or resolved: both are looked at in one moment, or one that is just
    /// being closed could be missed.
    async fn row(&self, id: ConcernId) -> Result<Option<SealedRow>, Fault> {
        let gets = [State::Open, State::Resolved]
            .into_iter()
            .map(|state| {
                let get = Get::builder()
                    .table_name(&self.table)
                    .key("pk", s(partition(state)))
                    .key("sk", s(id.to_string()))
                    .build()
                    .map_err(|_| Fault::Defect("a get"))?;
                Ok(TransactGetItem::builder().get(get).build())
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        let answer = self
            .client
            .transact_get_items()
            .set_transact_items(Some(gets))
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let found = answer.responses.unwrap_or_default().into_iter();
        let mut found = found.filter_map(|response| response.item);
        let row = found.find(|item: &Item| !item.is_empty());
        Ok(row.map(|item| SealedRow::new(TABLE, item)))
    }
}

/// The concerns with what was written about them. A permission on a concern opens that, and no more
/// of the patient than that.
pub struct Casebook {
    accounts: Accounts,
    concerns: Concerns,
    patients: Patients,
    keys: DataKeys,
}

/// How long somebody breaks no glass whose access was not justified: long enough to talk to them.
const BARRED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// A concern whose patient's key is at hand.
struct Case {
    concern: Concern,
    words: Words,
    opener: Opener,
}

impl Casebook {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            accounts: Accounts::new(aws)?,
            concerns: Concerns::new(aws)?,
            patients: Patients::new(aws)?,
            keys: DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey)?),
        })
    }

    /// A concern and what was written about it.
    pub async fn read(&self, access: &Access<ConcernId>) -> Result<(Concern, Phi<Words>), Problem> {
        let row = self.concerns.row(access.concern()).await?;
        let row = row.ok_or(Problem::not_found())?;
        let concern = Concern::from_row(&row)?;
        let case = self.case(concern, &row).await?;
        Ok((case.concern, Phi::new(case.words)))
    }

    /// The writes that close a concern, and the concern as it then is. What was not justified ends
    /// at once, and whoever did it breaks no other glass for a day.
    async fn close(
        &self,
        access: &Access<ConcernId>,
        closing: Closing,
        now: Timestamp,
    ) -> Result<(Concern, Vec<Write>), Problem> {
        let row = self.concerns.row(access.concern()).await?;
        let row = row.ok_or(Problem::not_found())?;
        let concern = Concern::from_row(&row)?;
        if concern.state == State::Resolved {
            return Err(closed_already());
        }
        if !closing.outcome.closes(concern.kind) {
            return Err(another_kind());
        }
        let mut case = self.case(concern, &row).await?;
        let mut writes = vec![self.delete(&case.concern)?];
        case.concern.state = State::Resolved;
        case.concern.closed = Some(Closed {
            outcome: closing.outcome,
            closed_at: now,
            closed_by: access.account(),
        });
        case.words.note = Some(closing.note.into());
        let put = put(
            &self.concerns.table,
            &case.opener,
            &case.concern,
            &case.words,
        )?;
        let put = put.build().map_err(|_| Fault::Defect("a put"))?;
        writes.push(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: closed_already(),
        });
        writes.extend(self.note(&case.concern)?);
        if closing.outcome == Outcome::Reviewed(Verdict::NotJustified) {
            writes.extend(self.end(&case.concern, case.opener.context(), now)?);
            if let Some(actor) = case.concern.actor {
                writes.push(self.accounts.bar(actor, Some(now + BARRED_FOR))?);
            }
        }
        Ok((case.concern, writes))
    }

    async fn case(&self, concern: Concern, row: &SealedRow) -> Result<Case, Fault> {
        let whose = Unproven::new(concern.patient);
        let context = self.patients.context(&whose).await?;
        let wrapped = context
            .wrapped_key()
            .ok_or(Fault::Corrupt("the patient has no data key"))?;
        let key = self.keys.unwrap(concern.patient, wrapped).await?;
        let opener = Opener {
            key: Some(key),
            context,
            caller: None,
        };
        let words = serde_json::from_slice(&row.open(&opener)?)
            .map_err(|_| Fault::Corrupt("what was written about a concern"))?;
        Ok(Case {
            concern,
            words,
            opener,
        })
    }

    fn delete(&self, concern: &Concern) -> Result<Write, Fault> {
        let delete = Delete::builder()
            .table_name(&self.concerns.table)
            .key("pk", s(partition(concern.state)))
            .key("sk", s(concern.id.to_string()))
            .condition_expression("attribute_exists(pk)")
            .build()
            .map_err(|_| Fault::Defect("a delete"))?;
        Ok(Write {
            item: TransactWriteItem::builder().delete(delete).build(),
            conflict: closed_already(),
        })
    }

    /// The write that lets the patient know what came of it, where the patient looks for it.
    fn note(&self, concern: &Concern) -> Result<Option<Write>, Fault> {
        let emergency = concern.grant.map(|grant| format!("{EMERGENCY}{grant}"));
        let sk = match (concern.kind, &concern.access) {
            (Kind::PatientReport, Some(access)) => Some(format!("{REPORT}{}", access.id)),
            (Kind::PatientReport, None) => None,
            (Kind::BreakGlass, _) => emergency,
        };
        let (Some(sk), Some(closed)) = (sk, concern.closed) else {
            return Ok(None);
        };
        let update = Update::builder()
            .table_name(&self.concerns.table)
            .key("pk", s(patient_key(concern.patient)))
            .key("sk", s(sk))
            .update_expression("SET outcome = :outcome, closed_at = :at")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":outcome", s(closed.outcome.as_str()))
            .expression_attribute_values(":at", s(closed.closed_at.to_string()))
            .build()
            .map_err(|_| Fault::Defect("an update"))?;
        Ok(Some(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict: Problem::changed_meanwhile(),
        }))
    }

    /// The write that ends the access that a concern is about, if it has not ended by itself.
    fn end(
        &self,
        concern: &Concern,
        context: &PatientContext,
        now: Timestamp,
    ) -> Result<Option<Write>, Fault> {
        let live = concern
            .actor
            .and_then(|actor| context.break_glass(actor))
            .filter(|broken| Some(broken.grant) == concern.grant && now < broken.until);
        let Some(live) = live else {
            return Ok(None);
        };
        let update = Update::builder()
            .table_name(&self.concerns.table)
            .key("pk", s(patient_key(concern.patient)))
            .key("sk", s(format!("{BREAK_GLASS}{}", live.account)))
            .update_expression("SET #until = :now")
            .condition_expression("#grant = :grant")
            .expression_attribute_names("#until", "until")
            .expression_attribute_names("#grant", "grant")
            .expression_attribute_values(":now", s(now.to_string()))
            .expression_attribute_values(":grant", s(live.grant.to_string()))
            .build()
            .map_err(|_| Fault::Defect("an update"))?;
        Ok(Some(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict: Problem::changed_meanwhile(),
        }))
    }
}

/// Every operation that closes a concern does it alike: which outcomes it takes is its input's matter.
impl<Op> Change<Op> for Casebook
where
    Op: Operation<Subject = ConcernId, Input = Closing, Output = Concern>,
{
    async fn change(
        &self,
        access: &Access<ConcernId>,
        _: &Opener,
        closing: Closing,
    ) -> Result<Changed<Concern>, Problem> {
        let (concern, writes) = self.close(access, closing, Timestamp::now()).await?;
        let about = concern.patient;
        Ok(Changed::done(writes, Phi::new(concern))
            .about(Some(about))
            .regarding(access.concern().to_string()))
    }
}

/// Only what was not justified keeps somebody from breaking the glass.
const fn nobody_barred() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "nobody-barred",
        "Nobody is kept from emergency access over this",
        "Open the concern that was reviewed as not justified.",
    )
}

const fn closed_already() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "concern-closed",
        "This concern is closed already",
        "Open it to see how it ended.",
    )
}

const fn another_kind() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "concern-kind",
        "A concern of this kind is closed in another way",
        "Review broken glass, and resolve whatever else is of concern.",
    )
}
