//! The patient: the Patient resource as it was imported, with what the patient changed since.

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use shared::Fault;
use shared::api::profile::{Address, Profile};
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
    if profile.contact_source != "patient" {
        return Ok(imported);
    }
    let contact = &profile.contact;
    let mut members: BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(&imported).map_err(|_| TORN)?;
    let points = [("phone", &contact.phone), ("email", &contact.email)];
    let points = points.into_iter().filter_map(|(system, value)| {
        let value = value.as_deref()?;
        Some(ContactPoint { system, value })
    });
    replace(&mut members, "telecom", &points.collect::<Vec<_>>())?;
    let address = contact.address.as_ref().map(PostalAddress::from);
    replace(&mut members, "address", &Vec::from_iter(address))?;
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
