//! The patient: the Patient resource as it was imported, with what the patient changed since.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use shared::Fault;
use shared::api::profile::{Address, PreferredLanguage, Profile};
use shared::phi::Opener;
use std::collections::BTreeMap;

const TORN: Fault = Fault::Corrupt("a Patient resource");

#[derive(Serialize)]
struct ContactPoint<'a> {
    system: &'static str,
    value: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PostalAddress<'a> {
    r#use: &'static str,
    line: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<&'a str>,
}

/// Patient.communication.
#[derive(Serialize)]
struct Communication<'a> {
    language: Language<'a>,
    preferred: bool,
}

#[derive(Serialize)]
struct Language<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    coding: Option<[Coding<'a>; 1]>,
    text: &'a str,
}

#[derive(Serialize)]
struct Coding<'a> {
    system: &'static str,
    code: &'a str,
}

impl<'a> From<&'a PreferredLanguage> for Communication<'a> {
    fn from(language: &'a PreferredLanguage) -> Self {
        let coding = language.code.as_deref().map(|code| {
            [Coding {
                system: "urn:ietf:bcp:47",
                code,
            }]
        });
        Self {
            language: Language {
                coding,
                text: &language.name,
            },
            preferred: true,
        }
    }
}

impl<'a> From<&'a Address> for PostalAddress<'a> {
    fn from(address: &'a Address) -> Self {
        Self {
            r#use: "home",
            line: &address.lines,
            city: address.city.as_deref(),
            state: address.state.as_deref(),
            postal_code: address.postal_code.as_deref(),
            country: address.country.as_deref(),
        }
    }
}

/// The Patient resource. The importer takes no patient without a medical record number, an
/// identifier of type MR, so that is in it.
pub(crate) fn resource(profile: &Profile, opener: &Opener) -> Result<String, Fault> {
    let imported = opener.context().profile()?.open(opener)?;
    let imported = String::from_utf8(imported).map_err(|_| TORN)?;
    let set = |name| profile.set_by_patient.contains(&name);
    let told = ["phone", "email", "address", "preferred_language"];
    if !told.into_iter().any(set) {
        return Ok(imported);
    }
    let contact = &profile.details.contact;
    let mut members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&imported).map_err(|_| TORN)?;
    if set("phone") || set("email") {
        let points = [("phone", &contact.phone), ("email", &contact.email)];
        let points = points.into_iter().filter_map(|(system, value)| {
            let value = value.as_deref()?;
            Some(ContactPoint { system, value })
        });
        replace(&mut members, "telecom", &points.collect::<Vec<_>>())?;
    }
    if set("address") {
        let address = contact.address.as_ref().map(PostalAddress::from);
        replace(&mut members, "address", &Vec::from_iter(address))?;
    }
    if set("preferred_language") {
        let language = profile.details.preferred_language.as_ref();
        let preferred = language.map(Communication::from);
        replace(&mut members, "communication", &Vec::from_iter(preferred))?;
    }
    serde_json::to_string(&members).map_err(|_| TORN)
}

/// FHIR has no empty lists.
fn replace<T: Serialize>(
    members: &mut BTreeMap<String, Box<RawValue>>,
    name: &str,
    values: &[T],
) -> Result<(), Fault> {
    // What extends a value that goes, goes with it.
    members.remove(&format!("_{name}"));
    members.remove(name);
    if !values.is_empty() {
        let values = to_raw_value(values).map_err(|_| TORN)?;
        members.insert(name.to_owned(), values);
    }
    Ok(())
}
