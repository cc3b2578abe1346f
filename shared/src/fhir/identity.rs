//! Who is who across files: keys under which a resource may be referred to, and the portal's ids.

use std::collections::{HashMap, HashSet};

use uuid::{Uuid, uuid};

use super::datatypes::Identifier;
use super::ssn;

/// The system of National Provider Identifiers
/// (<https://terminology.hl7.org/NamingSystem-npi.html>).
pub const NPI: &str = "http://hl7.org/fhir/sid/us-npi";

/// The namespace of every id that the portal derives (RFC 9562 section 5.5). It never changes:
/// another namespace would make every import store every resource a second time.
pub const NAMESPACE: Uuid = uuid!("5b0ad3c8-6f0e-4c0b-9a51-2d1f6a6b9f3e");

/// How keys begin that are made of a source's id, and of an identifier.
const ID: &str = "id:";
const IDENTIFIER: &str = "identifier:";

/// The portal's id of a patient's resource: UUIDv5 of `<patient>/<type>/<source id>`. Neither a
/// type nor a FHIR id can hold a slash, so two different resources never share a name.
pub fn portal_id(patient: Uuid, resource_type: &str, source_id: &str) -> Uuid {
    Uuid::new_v5(
        &NAMESPACE,
        format!("{patient}/{resource_type}/{source_id}").as_bytes(),
    )
}

/// The portal's id of a practitioner, organization or location: UUIDv5 of `<type>/<key>`, with the
/// canonical key that the reader gives it.
pub fn directory_id(resource_type: &str, key: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, format!("{resource_type}/{key}").as_bytes())
}

/// Ten digits of which the last is the Luhn check digit over the prefix 80840 (45 CFR 162.406).
/// Placeholders such as `20` are not: two sources use them for different people.
pub fn is_npi(value: &str) -> bool {
    if value.len() != 10 || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = "80840"
        .bytes()
        .chain(value.bytes())
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0') * if place % 2 == 1 { 2 } else { 1 };
            if digit > 9 { digit - 9 } else { digit }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// What a source's id makes of a resource: with the source's base URL where it is known, because
/// every server may have a `Patient/1` of its own (<https://hl7.org/fhir/R4/references.html#literal>).
pub(super) fn id_key(base: Option<&str>, resource_type: &str, id: &str) -> String {
    match base {
        Some(base) => format!("{ID}{base}/{resource_type}/{id}"),
        None => format!("{ID}{id}"),
    }
}

/// The source's id in a key that was made of one.
pub fn id_of_key(key: &str) -> Option<&str> {
    // Neither a type nor an id can hold a slash.
    key.strip_prefix(ID)?.rsplit('/').next()
}

/// Whether the key is an id without its source: another source may mean somebody else by it.
pub fn is_bare(key: &str) -> bool {
    key.strip_prefix(ID).is_some_and(|id| !id.contains('/'))
}

pub(super) fn identifier_key(system: &str, value: &str) -> String {
    format!("{IDENTIFIER}{system}|{value}")
}

/// The system of a key that was made of an identifier.
pub fn system_of_key(key: &str) -> Option<&str> {
    let (system, _) = key.strip_prefix(IDENTIFIER)?.rsplit_once('|')?;
    Some(system)
}

/// Identifiers that name one person or place wherever they appear: with a system and a value, not
/// a social security number, not a placeholder for an NPI.
fn global(identifiers: &[Identifier]) -> impl Iterator<Item = (&str, &str)> {
    identifiers
        .iter()
        .filter(|identifier| !ssn::is(identifier))
        .filter_map(|identifier| {
            let system = identifier
                .system
                .as_deref()
                .filter(|system| !system.is_empty())?;
            let value = identifier
                .value
                .as_deref()
                .filter(|value| !value.is_empty())?;
            (system != NPI || is_npi(value)).then_some((system, value))
        })
}

/// Whether both have identifiers of one system, and none of them is the same.
pub(super) fn differ(one: &[Identifier], other: &[Identifier]) -> bool {
    let (one, other) = (by_system(one), by_system(other));
    one.iter().any(|(system, values)| {
        let others = other.get(system);
        others.is_some_and(|others| values.is_disjoint(others))
    })
}

fn by_system(identifiers: &[Identifier]) -> HashMap<&str, HashSet<&str>> {
    let mut systems: HashMap<&str, HashSet<&str>> = HashMap::new();
    for (system, value) in global(identifiers) {
        systems.entry(system).or_default().insert(value);
    }
    systems
}

/// The key that stays the same from file to file: the NPI, else the first identifier that is good
/// everywhere, else the key of the source's id.
pub(super) fn canonical_key(id_key: &str, identifiers: &[Identifier]) -> String {
    global(identifiers)
        .find(|(system, _)| *system == NPI)
        .or_else(|| global(identifiers).next())
        .map_or_else(
            || id_key.to_owned(),
            |(system, value)| identifier_key(system, value),
        )
}

/// Every key under which another file may refer to the resource.
pub(super) fn aliases(id_key: &str, identifiers: &[Identifier]) -> Vec<String> {
    let mut keys = vec![id_key.to_owned()];
    let mut seen = HashSet::new();
    for (system, value) in global(identifiers) {
        let key = identifier_key(system, value);
        if seen.insert(key.clone()) {
            keys.push(key);
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifier(system: &str, value: &str) -> Identifier {
        Identifier {
            system: Some(system.to_owned()),
            value: Some(value.to_owned()),
            ..Identifier::default()
        }
    }

    #[test]
    fn ids_are_stable_and_apart() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let id = portal_id(one, "Observation", "a");
        assert_eq!(id.to_string(), "bd83898c-7608-5773-af54-23702c4ff7ea");
        assert_eq!(id, portal_id(one, "Observation", "a"));
        assert_ne!(id, portal_id(two, "Observation", "a"));
        assert_ne!(id, portal_id(one, "Condition", "a"));
    }

    #[test]
    fn an_id_belongs_to_its_source() {
        let (one, other) = (
            Some("https://a.example/fhir"),
            Some("https://b.example/fhir"),
        );
        let key = id_key(one, "Patient", "1");
        assert_eq!(key, "id:https://a.example/fhir/Patient/1");
        assert_ne!(key, id_key(other, "Patient", "1"));
        assert_ne!(key, id_key(None, "Patient", "1"));
        for (key, id, bare) in [
            (key.as_str(), Some("1"), false),
            ("id:1", Some("1"), true),
            ("identifier:urn:mrn|1", None, false),
        ] {
            assert_eq!((id_of_key(key), is_bare(key)), (id, bare), "{key}");
        }
        assert_eq!(system_of_key("identifier:urn:mrn|1"), Some("urn:mrn"));
        assert_eq!(system_of_key("id:1"), None);
    }

    #[test]
    fn a_placeholder_for_an_npi_identifies_nobody() {
        assert!(is_npi("9999999698"));
        assert!(is_npi("1234567893"));
        for not in ["1234567890", "20", "340", "", "123456789٣"] {
            assert!(!is_npi(not), "{not}");
        }
        assert_eq!(canonical_key("id:p1", &[identifier(NPI, "20")]), "id:p1");
        assert_eq!(aliases("id:p1", &[identifier(NPI, "20")]), ["id:p1"]);
        let two = [identifier("urn:staff", "7"), identifier(NPI, "1234567893")];
        assert_eq!(
            canonical_key("id:p1", &two),
            format!("identifier:{NPI}|1234567893")
        );
        assert_eq!(aliases("id:p1", &two).len(), 3);
        assert_eq!(canonical_key("id:p1", &two[..1]), "identifier:urn:staff|7");
    }
}
