//! The directory table: practitioners, organizations and locations, which are not PHI.
//!
//! `PRACTITIONER#<id>` holds what is known of one; `ALIAS#Practitioner#<key>` leads from a key under
//! which files refer to them to their id. An id may be referred to before a file says whose it is:
//! then there are only aliases. Two ids that turn out to be one person's are merged: the row of
//! the one says `merged_into` the other.

use super::{Item, s, string};
use crate::Fault;
use crate::aws::{Aws, Resource, fault};
use crate::fhir::directory_id;
use crate::ids::PractitionerId;
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// How many aliases of one row are kept; the samples have at most three.
const ALIASES: usize = 16;

/// How many merges are followed.
const HOPS: usize = 4;

/// A practitioner, organization or location as a file lists it.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    /// The FHIR resource type.
    pub kind: &'static str,
    /// The key that stays the same from file to file.
    pub key: &'a str,
    pub aliases: &'a [String],
    pub npi: Option<&'a str>,
    pub name: Option<&'a str>,
    pub active: bool,
    pub json: &'a str,
}

/// A practitioner of the practice, as others call them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Colleague {
    pub practitioner: PractitionerId,
    pub name: Option<String>,
}

/// What a listed row did to the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    New,
    Changed,
    Unchanged,
}

/// Where an alias leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Alias {
    Unknown,
    To(Uuid),
    /// To several: a reference by it is nobody's.
    Ambiguous,
}

/// The directory table.
pub struct Directory {
    client: Client,
    table: String,
}

impl Directory {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::DirectoryTable)?,
        })
    }

    /// A practitioner who is listed and in practice, under the id that they have now.
    pub async fn practitioner(&self, id: PractitionerId) -> Result<Option<Colleague>, Fault> {
        let (id, row) = self.row("Practitioner", id.uuid()).await?;
        let active = |row: &Item| row.get("active") == Some(&AttributeValue::Bool(true));
        Ok(row.filter(active).map(|row| Colleague {
            practitioner: PractitionerId::new(id),
            name: string(&row, "name").map(str::to_owned),
        }))
    }

    /// The id behind a key that a file refers to without listing who it is. An unknown key makes an
    /// id, which a later file fills in. None if the key may mean several.
    pub async fn referred(&self, kind: &'static str, key: &str) -> Result<Option<Uuid>, Fault> {
        let alias = match self.alias(kind, key).await? {
            Alias::Unknown => self.claim(kind, key, directory_id(kind, key)).await?,
            known => known,
        };
        Ok(match alias {
            Alias::To(id) => Some(id),
            Alias::Ambiguous | Alias::Unknown => None,
        })
    }

    /// Stores a row under the id that its aliases lead to, else under a new one.
    pub async fn list(&self, listed: &Listed<'_>) -> Result<(Uuid, Change), Fault> {
        let kind = listed.kind;
        let keys: Vec<&str> = std::iter::once(listed.key)
            .chain(listed.aliases.iter().map(String::as_str))
            .filter({
                let mut seen = HashSet::new();
                move |key| seen.insert(*key)
            })
            .take(ALIASES)
            .collect();
        let aliases = try_join_all(keys.iter().map(|key| self.alias(kind, key))).await?;
        let mut same: Option<(Uuid, Option<Item>)> = None;
        let mut seen: HashMap<Uuid, Uuid> = HashMap::new();
        let mut merged = Vec::new();
        let mut contradicted = Vec::new();
        for (key, alias) in keys.iter().zip(&aliases) {
            let Alias::To(id) = *alias else { continue };
            let at = match seen.get(&id) {
                Some(at) => *at,
                None => {
                    let (at, row) = self.row(kind, id).await?;
                    if row.as_ref().is_some_and(|row| contradicts(row, listed.key)) {
                        contradicted.push(*key);
                        continue;
                    }
                    seen.insert(id, at);
                    same.get_or_insert((at, row));
                    at
                }
            };
            let is_same = same.as_ref().is_some_and(|(same, _)| *same == at);
            if at != id || !is_same {
                merged.push((*key, at));
            }
        }
        let (id, before) = match same {
            Some(same) => same,
            None => {
                let id = directory_id(kind, listed.key);
                (id, self.row(kind, id).await?.1)
            }
        };
        for (key, alias) in keys.iter().zip(&aliases) {
            if *alias == Alias::Unknown {
                self.claim(kind, key, id).await?;
            }
        }
        for key in contradicted {
            self.lead(kind, key, Alias::Ambiguous).await?;
        }
        for (key, other) in merged {
            self.lead(kind, key, Alias::To(id)).await?;
            if other != id {
                let row = Item::from([
                    ("pk".to_owned(), s(row_key(kind, other))),
                    ("merged_into".to_owned(), s(id.to_string())),
                ]);
                self.put(row).await?;
            }
        }
        let row = item(id, listed);
        let change = match before {
            None => Change::New,
            Some(before) if before == row => return Ok((id, Change::Unchanged)),
            Some(_) => Change::Changed,
        };
        self.put(row).await?;
        Ok((id, change))
    }

    /// The row of an id, and the id it was merged into.
    async fn row(&self, kind: &'static str, mut id: Uuid) -> Result<(Uuid, Option<Item>), Fault> {
        for _ in 0..HOPS {
            let row = self.get(row_key(kind, id)).await?;
            let into = row.as_ref().and_then(|row| string(row, "merged_into"));
            match into.and_then(|into| into.parse().ok()) {
                Some(other) => id = other,
                None => return Ok((id, row)),
            }
        }
        Err(Fault::Corrupt("merges in the directory go round"))
    }

    async fn alias(&self, kind: &'static str, key: &str) -> Result<Alias, Fault> {
        let item = self.get(alias_key(kind, key)).await?;
        item.as_ref().map_or(Ok(Alias::Unknown), leads_to)
    }

    /// Lets an alias lead to an id if it leads nowhere yet; returns where it leads then.
    async fn claim(&self, kind: &'static str, key: &str, id: Uuid) -> Result<Alias, Fault> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .item("pk", s(alias_key(kind, key)))
            .item("id", s(id.to_string()))
            .condition_expression("attribute_not_exists(pk)")
            .send()
            .await;
        match put {
            Ok(_) => Ok(Alias::To(id)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                self.alias(kind, key).await
            }
            Err(error) => Err(fault("DynamoDB", &error)),
        }
    }

    async fn lead(&self, kind: &'static str, key: &str, to: Alias) -> Result<(), Fault> {
        let mut row = Item::from([("pk".to_owned(), s(alias_key(kind, key)))]);
        match to {
            Alias::To(id) => row.insert("id".to_owned(), s(id.to_string())),
            _ => row.insert("ambiguous".to_owned(), AttributeValue::Bool(true)),
        };
        self.put(row).await
    }

    async fn get(&self, pk: String) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(answer.item)
    }

    async fn put(&self, row: Item) -> Result<(), Fault> {
        self.client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(row))
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(())
    }
}

fn leads_to(item: &Item) -> Result<Alias, Fault> {
    if item.contains_key("ambiguous") {
        return Ok(Alias::Ambiguous);
    }
    let id = string(item, "id").and_then(|id| id.parse().ok());
    id.map(Alias::To)
        .ok_or(Fault::Corrupt("an alias in the directory"))
}

/// Whether a row is certainly another's: both have an identifier of the same system, and not the
/// same one. Two sources may well use one id for two people.
fn contradicts(row: &Item, key: &str) -> bool {
    let system = |key: &str| {
        let (system, _) = key.strip_prefix("identifier:")?.rsplit_once('|')?;
        Some(system.to_owned())
    };
    let Some(other) = string(row, "key") else {
        return false;
    };
    other != key && system(other).is_some() && system(other) == system(key)
}

fn item(id: Uuid, listed: &Listed<'_>) -> Item {
    let mut item = Item::from([
        ("pk".to_owned(), s(row_key(listed.kind, id))),
        ("key".to_owned(), s(listed.key)),
        ("active".to_owned(), AttributeValue::Bool(listed.active)),
        ("json".to_owned(), s(listed.json)),
    ]);
    for (name, value) in [("npi", listed.npi), ("name", listed.name)] {
        if let Some(value) = value {
            item.insert(name.to_owned(), s(value));
        }
    }
    item
}

fn row_key(kind: &str, id: Uuid) -> String {
    format!("{}#{id}", kind.to_ascii_uppercase())
}

/// A key of DynamoDB has at most 2,048 bytes; what an identifier holds has no such limit.
fn alias_key(kind: &str, key: &str) -> String {
    if key.len() <= 1024 {
        return format!("ALIAS#{kind}#{key}");
    }
    let hash = digest(&SHA256, key.as_bytes());
    let hex: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("ALIAS#{kind}#sha256:{hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_two_identifiers_of_one_system_contradict_each_other() {
        let contradicts =
            |one: &str, other: &str| contradicts(&Item::from([("key".to_owned(), s(one))]), other);
        assert!(contradicts("identifier:npi|1", "identifier:npi|2"));
        for (one, other) in [
            ("identifier:npi|1", "identifier:npi|1"),
            ("identifier:npi|1", "identifier:staff|2"),
            ("identifier:npi|1", "id:2"),
            ("id:1", "id:2"),
        ] {
            assert!(!contradicts(one, other), "{one} {other}");
        }
    }

    #[test]
    fn no_key_is_too_long() {
        let long = "x".repeat(100_000);
        assert!(alias_key("Practitioner", &long).len() < 2048);
        assert_eq!(alias_key("Location", "id:1"), "ALIAS#Location#id:1");
    }
}
