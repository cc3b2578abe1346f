//! The directory table: practitioners, organizations and locations, which are not PHI.
//!
//! `PRACTITIONER#<id>` holds what is known of one; `ALIAS#Practitioner#<key>` leads from a key under
//! which files refer to them to their id. An id may be referred to before a file says whose it is:
//! then there are only aliases. Two ids that turn out to be one person's are merged: the row of
//! the one says `merged_into` the other. A row keeps every identifier that it was ever listed with,
//! so that a listing which leaves some out cannot make room for somebody else.

use super::{Item, s, string};
use crate::aws::{Aws, Resource, fault};
use crate::fhir::{NPI, directory_id, is_bare, system_of_key};
use crate::ids::PractitionerId;
use crate::{Fault, Reason};
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use futures_util::future::try_join_all;
use std::collections::{BTreeSet, HashMap, HashSet};
use uuid::Uuid;

/// How many aliases of one row are kept; the samples have at most three.
const ALIASES: usize = 16;

/// How often a listing is begun anew because another import was faster.
const ATTEMPTS: usize = 5;

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

/// What became of an attempt to list somebody.
enum Settled {
    As(Uuid, Change),
    /// All that they go by is an id of somebody else's.
    Nobody,
    /// Another import wrote to the same rows meanwhile.
    Overtaken,
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

    /// The resource behind a key that a file refers to, and its id; none if no file listed it.
    pub async fn resource(
        &self,
        kind: &'static str,
        key: &str,
    ) -> Result<Option<(Uuid, String)>, Fault> {
        match self.alias(kind, key).await? {
            Alias::To(id) => self.resource_of(kind, id).await,
            Alias::Unknown | Alias::Ambiguous => Ok(None),
        }
    }

    /// The same by the portal's own id.
    pub async fn resource_of(
        &self,
        kind: &'static str,
        id: Uuid,
    ) -> Result<Option<(Uuid, String)>, Fault> {
        let (id, row) = self.row(kind, id).await?;
        let json = row.as_ref().and_then(|row| string(row, "json"));
        Ok(json.map(|json| (id, json.to_owned())))
    }

    /// The practitioner with this id, unless it was merged into another's.
    pub async fn colleague(&self, id: PractitionerId) -> Result<Option<Colleague>, Fault> {
        let row = self.get(row_key("Practitioner", id.uuid())).await?;
        let row = row.filter(|row| !row.contains_key("merged_into"));
        Ok(row.map(|row| Colleague {
            practitioner: id,
            name: string(&row, "name").map(str::to_owned),
        }))
    }

    /// Stores a row under the id that its aliases lead to, else under a new one. None if all that
    /// it goes by is an id that is somebody else's, or may be.
    pub async fn list(&self, listed: &Listed<'_>) -> Result<Option<(Uuid, Change)>, Fault> {
        for _ in 0..ATTEMPTS {
            match self.settle(listed).await? {
                Settled::As(id, change) => return Ok(Some((id, change))),
                Settled::Nobody => return Ok(None),
                Settled::Overtaken => {}
            }
        }
        Err(Fault::Unavailable {
            service: "DynamoDB",
            reason: Reason::Conflict,
        })
    }

    async fn settle(&self, listed: &Listed<'_>) -> Result<Settled, Fault> {
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
        let mut known = Known::of(listed, &keys);
        let mut merged = Vec::new();
        let mut contradicted = Vec::new();
        for (key, alias) in keys.iter().zip(&aliases) {
            let Alias::To(id) = *alias else { continue };
            let at = match seen.get(&id) {
                Some(at) => *at,
                None => {
                    let (at, row) = self.row(kind, id).await?;
                    if let Some(row) = &row {
                        let other = Known::at(row);
                        if known.is_another(&other, key) {
                            contradicted.push(*key);
                            continue;
                        }
                        known.learn(other);
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
        for key in contradicted {
            self.lead(kind, key, Alias::Ambiguous).await?;
        }
        let (id, before) = match same {
            Some(same) => same,
            None => {
                let (id, row) = self.row(kind, directory_id(kind, listed.key)).await?;
                if let Some(row) = &row {
                    let other = Known::at(row);
                    if known.is_another(&other, listed.key) {
                        return Ok(Settled::Nobody);
                    }
                    known.learn(other);
                }
                (id, row)
            }
        };
        let row = item(id, listed, known);
        let change = match &before {
            None => Change::New,
            Some(before) if *before == row => Change::Unchanged,
            Some(_) => Change::Changed,
        };
        // Before the aliases: whoever follows one must find out who is there.
        if change != Change::Unchanged && !self.replace(before.as_ref(), row).await? {
            return Ok(Settled::Overtaken);
        }
        for (key, alias) in keys.iter().zip(&aliases) {
            if *alias == Alias::Unknown && self.claim(kind, key, id).await? != Alias::To(id) {
                return Ok(Settled::Overtaken);
            }
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
        Ok(Settled::As(id, change))
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

    /// Puts a row in the place of the one that was read. False if somebody else was listed there
    /// meanwhile.
    async fn replace(&self, before: Option<&Item>, row: Item) -> Result<bool, Fault> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(row));
        let put = match before.map(|before| before.get("identifiers")) {
            None => put.condition_expression("attribute_not_exists(pk)"),
            Some(None) => put.condition_expression("attribute_not_exists(identifiers)"),
            Some(Some(known)) => put
                .condition_expression("identifiers = :known")
                .expression_attribute_values(":known", known.clone()),
        };
        match put.send().await {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(false)
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

/// By what somebody is known wherever they appear.
struct Known {
    identifiers: BTreeSet<String>,
    npi: Option<String>,
}

impl Known {
    fn of(listed: &Listed<'_>, keys: &[&str]) -> Self {
        let identifiers = keys.iter().filter(|key| system_of_key(key).is_some());
        Self {
            identifiers: identifiers.map(|key| (*key).to_owned()).collect(),
            npi: listed.npi.map(str::to_owned),
        }
    }

    fn at(row: &Item) -> Self {
        let identifiers = row.get("identifiers").and_then(|list| list.as_l().ok());
        let identifiers = identifiers.into_iter().flatten();
        Self {
            identifiers: identifiers
                .filter_map(|one| one.as_s().ok().cloned())
                .collect(),
            npi: string(row, "npi").map(str::to_owned),
        }
    }

    /// Whether the other, whom the key led to, is somebody else, or may be. Two sources may well
    /// use one id for two people, so an id without its source is no reason to think them the same
    /// unless an identifier says so, or there is none on either side. An NPI decides where both
    /// have one; else two identifiers of one system that differ mean two people.
    fn is_another(&self, other: &Self, key: &str) -> bool {
        if let (Some(own), Some(others)) = (self.of_system(NPI), other.of_system(NPI)) {
            return own.is_disjoint(&others);
        }
        if is_bare(key) && self.identifiers.is_disjoint(&other.identifiers) {
            return !(self.identifiers.is_empty() && other.identifiers.is_empty());
        }
        let mut systems = self.identifiers.iter().filter_map(|key| system_of_key(key));
        systems.any(|system| {
            let both = self.of_system(system).zip(other.of_system(system));
            both.is_some_and(|(own, others)| own.is_disjoint(&others))
        })
    }

    /// The identifiers of a system, if there are any.
    fn of_system(&self, system: &str) -> Option<BTreeSet<&str>> {
        let of_system = |key: &&str| system_of_key(key) == Some(system);
        let keys = self.identifiers.iter().map(String::as_str);
        let found: BTreeSet<_> = keys.filter(of_system).collect();
        (!found.is_empty()).then_some(found)
    }

    /// Adds what is known of the same person elsewhere, where it was known first.
    fn learn(&mut self, other: Self) {
        self.identifiers.extend(other.identifiers);
        self.npi = other.npi.or(self.npi.take());
    }
}

fn item(id: Uuid, listed: &Listed<'_>, known: Known) -> Item {
    let identifiers = known.identifiers.into_iter().map(s).collect();
    let mut item = Item::from([
        ("pk".to_owned(), s(row_key(listed.kind, id))),
        ("identifiers".to_owned(), AttributeValue::L(identifiers)),
        ("active".to_owned(), AttributeValue::Bool(listed.active)),
        ("json".to_owned(), s(listed.json)),
    ]);
    let name = listed.name.map(str::to_owned);
    for (attribute, value) in [("npi", known.npi), ("name", name)] {
        if let Some(value) = value {
            item.insert(attribute.to_owned(), s(value));
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
    fn an_id_alone_makes_nobody_the_same() {
        const BARE: &str = "id:1";
        const FULL: &str = "id:https://a.example/fhir/Practitioner/1";
        const STAFF: &str = "identifier:urn:staff|7";
        let known = |identifiers: &[&str]| Known {
            identifiers: identifiers.iter().map(|key| (*key).to_owned()).collect(),
            npi: None,
        };
        let npi = |number: u8| format!("identifier:{NPI}|{number}");
        let (one, two) = (&*npi(1), &*npi(2));
        for (own, other, key, expected) in [
            (&[one][..], &[one][..], BARE, false),
            (&[one], &[two], BARE, true),
            (&[one], &[], BARE, true),
            (&[], &[one], BARE, true),
            (&[], &[], BARE, false),
            (&[one], &[STAFF], BARE, true),
            (&[one, STAFF], &[STAFF], BARE, false),
            // One source may know more of somebody with time, and less, but nothing else.
            (&[one], &[], FULL, false),
            (&[], &[one], FULL, false),
            (&[one], &[STAFF], FULL, false),
            (&[one], &[two], FULL, true),
            (&[one, STAFF], &[two, STAFF], STAFF, true),
            (
                &[STAFF, "identifier:urn:b|1"],
                &[STAFF, "identifier:urn:b|2"],
                STAFF,
                true,
            ),
            (
                &[one, "identifier:urn:b|1"],
                &[one, "identifier:urn:b|2"],
                one,
                false,
            ),
            (&[STAFF, "identifier:urn:staff|8"], &[STAFF], STAFF, false),
        ] {
            let (own, other) = (known(own), known(other));
            assert_eq!(
                own.is_another(&other, key),
                expected,
                "{key} {:?} {:?}",
                own.identifiers,
                other.identifiers
            );
        }
    }

    #[test]
    fn no_key_is_too_long() {
        let long = "x".repeat(100_000);
        assert!(alias_key("Practitioner", &long).len() < 2048);
        assert_eq!(alias_key("Location", "id:1"), "ALIAS#Location#id:1");
    }
}
