//! How patients are found: `FIND#<MAC>` partitions of the patients table, a row `PATIENT#<id>` for
//! each patient of whom the term behind the MAC is true. A row `FIND` in the patient's own partition
//! says which partitions they are in, so that they leave those of a former name.

use super::{BATCH, Imports, Item, Patients, patient_key, s, string, write_batch};
use crate::Fault;
use crate::access::{Access, Practice};
use crate::aws::fault;
use crate::ids::PatientId;
use aws_sdk_dynamodb::types::{AttributeValue, DeleteRequest, PutRequest, WriteRequest};
use futures_util::future::try_join_all;
use std::collections::BTreeSet;

/// The sort key of the row that says where a patient can be found.
const FIND: &str = "FIND";

/// What a search looks for, by its MAC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sought {
    Mrn(String),
    Name(String),
}

impl Sought {
    /// The MAC: the same for the same terms, and telling nothing of them.
    pub fn mac(&self) -> &str {
        match self {
            Self::Mrn(mac) | Self::Name(mac) => mac,
        }
    }
}

impl Patients {
    /// The patients whom a search finds, `limit` of them at most.
    pub async fn found(
        &self,
        _: &Access<Practice>,
        sought: &Sought,
        limit: i32,
    ) -> Result<Vec<PatientId>, Fault> {
        let pk = match sought {
            Sought::Mrn(mac) => format!("MRN#{mac}"),
            Sought::Name(mac) => find_key(mac),
        };
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(pk))
            .consistent_read(true)
            .limit(limit)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let patients = answer.items().iter().map(|item| {
            let patient = string(item, "patient").and_then(|id| id.parse().ok());
            patient.ok_or(Fault::Corrupt("a row that leads to a patient"))
        });
        patients.collect()
    }
}

impl Imports {
    /// Lets a patient be found by these MACs and no others. What it does is noted before it is done,
    /// so that an import that breaks off leaves nothing behind that the next one does not see.
    pub async fn find_by(&self, patient: PatientId, macs: &BTreeSet<String>) -> Result<(), Fault> {
        let pk = patient_key(patient);
        let before = self.found_by(&pk).await?;
        if before == *macs {
            return Ok(());
        }
        self.note(&pk, "ADD macs :macs", macs).await?;
        let stale: BTreeSet<String> = before.difference(macs).cloned().collect();
        let puts = macs.iter().map(|mac| put(mac, patient));
        let deletes = stale.iter().map(|mac| delete(mac, patient));
        let requests = puts.chain(deletes).collect::<Result<Vec<_>, _>>()?;
        let batches = requests.chunks(BATCH);
        try_join_all(batches.map(|batch| write_batch(&self.client, &self.table, batch.to_vec())))
            .await?;
        self.note(&pk, "DELETE macs :macs", &stale).await
    }

    async fn found_by(&self, pk: &str) -> Result<BTreeSet<String>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(FIND))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let item = answer.item.unwrap_or_default();
        let macs = item.get("macs").and_then(|macs| macs.as_ss().ok());
        Ok(macs.into_iter().flatten().cloned().collect())
    }

    async fn note(&self, pk: &str, change: &str, macs: &BTreeSet<String>) -> Result<(), Fault> {
        // DynamoDB has no empty sets.
        if macs.is_empty() {
            return Ok(());
        }
        let macs = AttributeValue::Ss(macs.iter().cloned().collect());
        self.client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(FIND))
            .update_expression(change)
            .expression_attribute_values(":macs", macs)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(())
    }
}

fn put(mac: &str, patient: PatientId) -> Result<WriteRequest, Fault> {
    let mut item = key(mac, patient);
    item.insert("patient".to_owned(), s(patient.to_string()));
    let put = PutRequest::builder().set_item(Some(item)).build();
    let put = put.map_err(|_| Fault::Defect("a put"))?;
    Ok(WriteRequest::builder().put_request(put).build())
}

fn delete(mac: &str, patient: PatientId) -> Result<WriteRequest, Fault> {
    let delete = DeleteRequest::builder()
        .set_key(Some(key(mac, patient)))
        .build();
    let delete = delete.map_err(|_| Fault::Defect("a delete"))?;
    Ok(WriteRequest::builder().delete_request(delete).build())
}

fn key(mac: &str, patient: PatientId) -> Item {
    Item::from([
        ("pk".to_owned(), s(find_key(mac))),
        ("sk".to_owned(), s(patient_key(patient))),
    ])
}

fn find_key(mac: &str) -> String {
    format!("FIND#{mac}")
}
