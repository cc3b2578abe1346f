//! The audit log for the privacy officer: a patient's partition, an account's records in the index
//! `by-actor`, or the portal's own days. None of it is a scan.

use super::{Item, patient_key, s, sortable, string};
use crate::Fault;
use crate::access::{Access, Practice};
use crate::api::audit_log::{Attributes, Criteria, Of};
use crate::audit::canonical;
use crate::aws::{Aws, Resource, fault};
use crate::ids::AccountId;
use aws_sdk_dynamodb::Client;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use jiff::tz::TimeZone;

const BY_ACTOR: &str = "by-actor";

/// A record as it is stored.
pub struct StoredRecord(Item);

impl StoredRecord {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        string(&self.0, name)
    }

    /// Everything but its keys, which say nothing that its attributes do not.
    pub fn attributes(&self) -> Attributes {
        let attributes = self
            .0
            .keys()
            .filter(|name| !["pk", "sk"].contains(&name.as_str()));
        let attributes = attributes.filter_map(|name| {
            let value = self.attribute(name)?;
            Some((name.clone(), value.to_owned()))
        });
        attributes.collect()
    }

    /// The form that its digest is made of.
    pub fn canonical(&self) -> Result<String, Fault> {
        canonical(&self.0)
    }

    fn sk(&self) -> Result<&str, Fault> {
        self.attribute("sk")
            .ok_or(Fault::Corrupt("an audit record"))
    }
}

/// Some records, newest first.
pub struct RecordsFound {
    pub records: Vec<StoredRecord>,
    /// Where the next page begins: the sort key of the last record that was looked at.
    pub next: Option<String>,
}

/// The audit table, for the privacy officer.
pub struct AuditLog {
    client: Client,
    table: String,
}

/// Records that are looked at together, from one sort key to another.
struct Stretch<'a> {
    index: Option<&'static str>,
    name: &'static str,
    key: String,
    from: &'a str,
    to: &'a str,
}

impl AuditLog {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::AuditTable)?,
        })
    }

    /// Up to so many records that meet the criteria, among the next so many that may.
    pub async fn search(
        &self,
        _: &Access<Practice>,
        criteria: &Criteria,
        after: Option<&str>,
        limit: usize,
        window: usize,
    ) -> Result<RecordsFound, Fault> {
        let (first, end) = criteria.range();
        // A record sorts behind its instant alone, and before the next.
        let from = first.map_or_else(|| "0".to_owned(), sortable);
        let end_key = end.map_or_else(|| "9".repeat(20), sortable);
        let to = after.filter(|after| **after < *end_key).unwrap_or(&end_key);
        let mut found = RecordsFound {
            records: Vec::new(),
            next: None,
        };
        if *to <= *from {
            return Ok(found);
        }
        let stretch = |index, name, key| Stretch {
            index,
            name,
            key,
            from: &from,
            to,
        };
        let stretches = match criteria.of() {
            Of::Patient(patient) => vec![stretch(None, "pk", patient_key(patient))],
            Of::Actor(actor) => vec![stretch(
                Some(BY_ACTOR),
                "actor",
                AccountId::to_string(&actor),
            )],
            Of::Portal => {
                let days = days(first, end).into_iter();
                days.map(|day| stretch(None, "pk", format!("PORTAL#{day}")))
                    .collect()
            }
        };
        let queries = stretches.iter().map(|stretch| self.newest(stretch, window));
        for (records, more) in try_join_all(queries).await? {
            for record in records {
                let sk = record.sk()?.to_owned();
                // The one after which the page begins is in the stretch.
                if after.is_some_and(|after| sk.as_str() >= after) {
                    continue;
                }
                if found.records.len() == limit {
                    return Ok(found);
                }
                if criteria.meet(|name| record.attribute(name)) {
                    found.records.push(record);
                }
                found.next = Some(sk);
            }
            // What is older comes on the next page.
            if more {
                return Ok(found);
            }
        }
        found.next = None;
        Ok(found)
    }

    /// The newest records of a stretch, and whether there are more.
    async fn newest(
        &self,
        stretch: &Stretch<'_>,
        window: usize,
    ) -> Result<(Vec<StoredRecord>, bool), Fault> {
        let window = i32::try_from(window).unwrap_or(i32::MAX).saturating_add(1);
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .set_index_name(stretch.index.map(str::to_owned))
            .key_condition_expression("#key = :key AND sk BETWEEN :from AND :to")
            .expression_attribute_names("#key", stretch.name)
            .expression_attribute_values(":key", s(&stretch.key))
            .expression_attribute_values(":from", s(stretch.from))
            .expression_attribute_values(":to", s(stretch.to))
            .scan_index_forward(false)
            .consistent_read(stretch.index.is_none())
            .limit(window)
            .send()
            .await
            .map_err(|error| fault("the audit table", &error))?;
        let records = answer.items.unwrap_or_default().into_iter();
        Ok((
            records.map(StoredRecord).collect(),
            answer.last_evaluated_key.is_some(),
        ))
    }
}

/// The days that a time has a part in, the last one first; they are UTC's, as the log's are.
fn days(from: Option<Timestamp>, to: Option<Timestamp>) -> Vec<jiff::civil::Date> {
    let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
    let (Some(from), Some(to)) = (from.map(day), to.map(day)) else {
        return Vec::new();
    };
    let mut days: Vec<_> = from
        .series(jiff::Span::new().days(1))
        .take_while(|day| *day <= to)
        .collect();
    days.reverse();
    days
}
