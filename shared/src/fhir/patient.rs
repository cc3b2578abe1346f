//! A patient's own particulars, from a file or from a stored Patient resource
//! (<https://hl7.org/fhir/R4/patient.html>).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::datatypes::{CodeableConcept, HumanName, Identifier};
use super::identity;
use super::json::Object;
use super::reason::Reason;
use super::ssn;
use super::time::{ClinicalTime, PartialDate};

/// The number under which the clinic knows the patient.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct MedicalRecordNumber {
    pub system: Option<String>,
    pub value: String,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
#[serde(rename_all = "kebab-case")]
pub enum Deceased {
    /// Not said, or said not to be.
    No,
    Yes,
    On(ClinicalTime),
}

#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct ContactPoint {
    pub system: Option<String>,
    pub value: Option<String>,
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub rank: Option<u32>,
}

#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Address {
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub text: Option<String>,
    #[serde(default)]
    pub line: Vec<Option<String>>,
    pub city: Option<String>,
    pub district: Option<String>,
    pub state: Option<String>,
    #[serde(rename = "postalCode")]
    pub postal_code: Option<String>,
    pub country: Option<String>,
}

impl Address {
    /// As written on an envelope: the street lines, `City, State Postcode`, the country.
    pub fn lines(&self) -> Vec<String> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let mut lines: Vec<String> = self.line.iter().filter_map(given).collect();
        let region: Vec<String> = [&self.state, &self.postal_code]
            .into_iter()
            .filter_map(given)
            .collect();
        let town: Vec<String> = given(&self.city)
            .into_iter()
            .chain((!region.is_empty()).then(|| region.join(" ")))
            .collect();
        if !town.is_empty() {
            lines.push(town.join(", "));
        }
        if !lines.is_empty() {
            lines.extend(given(&self.country));
        } else if let Some(text) = given(&self.text) {
            lines.extend(text.lines().map(str::to_owned));
        }
        lines
    }
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct Communication {
    language: Option<CodeableConcept>,
    #[serde(default)]
    preferred: bool,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Patient {
    pub medical_record_number: Option<MedicalRecordNumber>,
    /// All but social security numbers.
    pub identifiers: Vec<Identifier>,
    pub names: Vec<HumanName>,
    pub birth_date: Option<PartialDate>,
    pub deceased: Deceased,
    pub gender: Option<String>,
    pub telecom: Vec<ContactPoint>,
    pub addresses: Vec<Address>,
    /// The preferred language, else the only one: a BCP 47 tag where the source has one.
    pub language: Option<CodeableConcept>,
    /// False for a record that is out of use or replaced by another
    /// (<https://hl7.org/fhir/R4/patient.html#links>).
    pub active: bool,
}

impl Patient {
    /// Reads a Patient resource's JSON.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        Self::read(&Object::parse_str(json)?)
    }

    pub(super) fn read(object: &Object<'_>) -> Result<Self, Reason> {
        let mut identifiers: Vec<Identifier> = object.list("identifier")?;
        identifiers.retain(|identifier| !ssn::is(identifier));
        let birth_date = object
            .text("birthDate")?
            .map(|text| PartialDate::parse(&text).ok_or(Reason::Malformed("birthDate")))
            .transpose()?;
        let deceased = match object.text("deceasedDateTime")? {
            Some(text) => Deceased::On(
                ClinicalTime::parse(&text).ok_or(Reason::Malformed("deceasedDateTime"))?,
            ),
            None if object.get("deceasedBoolean")?.unwrap_or(false) => Deceased::Yes,
            None => Deceased::No,
        };
        let spoken: Vec<Communication> = object.list("communication")?;
        let language = match spoken.iter().position(|one| one.preferred) {
            Some(at) => spoken.into_iter().nth(at),
            None if spoken.len() == 1 => spoken.into_iter().next(),
            None => None,
        };
        Ok(Self {
            medical_record_number: medical_record_number(&identifiers),
            identifiers,
            names: object.list("name")?,
            birth_date,
            deceased,
            gender: object.text("gender")?,
            telecom: object.list("telecom")?,
            addresses: object.list("address")?,
            language: language.and_then(|one| one.language),
            active: object.get("active")?.unwrap_or(true) && !is_replaced(object)?,
        })
    }

    /// Whether one medical record number cannot be both patients': their birth dates differ, or, as
    /// one of them has none, no word of their family names is the same, or their genders or their
    /// identifiers of one system differ.
    pub fn contradicts(&self, other: &Self) -> bool {
        match (&self.birth_date, &other.birth_date) {
            (Some(one), Some(other)) => !one.agrees(other),
            // An update may leave the date out; then all else that it says must fit.
            _ => {
                let genders = self.known_gender().zip(other.known_gender());
                self.family_words().is_disjoint(&other.family_words())
                    || genders.is_some_and(|(one, other)| one != other)
                    || identity::differ(&self.identifiers, &other.identifiers)
            }
        }
    }

    fn known_gender(&self) -> Option<&str> {
        self.gender.as_deref().filter(|gender| *gender != "unknown")
    }

    /// The family names, former ones included; the last word where a name is only written out.
    pub fn family_names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().filter_map(|name| {
            let written = || name.text.as_deref()?.split_whitespace().next_back();
            name.family.as_deref().or_else(written)
        })
    }

    fn family_words(&self) -> HashSet<String> {
        self.names
            .iter()
            .filter_map(|name| name.family.as_ref().or(name.text.as_ref()))
            .flat_map(|name| name.split(|letter: char| !letter.is_alphanumeric()))
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect()
    }

    /// The resource with the birth date of what was known before, if it gives none itself: without
    /// it the next file's patient could not be told from somebody else of the name.
    pub fn with_birth_date_of(before: &str, json: Box<RawValue>) -> Result<Box<RawValue>, Reason> {
        let (before, object) = (Object::parse_str(before)?, Object::parse(&json)?);
        let date = before.raw("birthDate").filter(|_| !object.has("birthDate"));
        let Some(date) = date else {
            return Ok(json);
        };
        let mut text = format!("{{\"birthDate\":{date}");
        for (key, value) in object.members().filter(|(key, _)| *key != "birthDate") {
            let key = serde_json::to_string(key).map_err(|_| Reason::Unreadable)?;
            text.extend([",", &key, ":", value.get()]);
        }
        text.push('}');
        RawValue::from_string(text).map_err(|_| Reason::Unreadable)
    }

    /// The official name, else the usual one, else the first that is not a former one.
    pub fn display_name(&self) -> Option<String> {
        HumanName::choose(&self.names)?.display()
    }

    pub fn phones(&self) -> impl Iterator<Item = &ContactPoint> {
        self.contacts("phone")
    }

    pub fn emails(&self) -> impl Iterator<Item = &ContactPoint> {
        self.contacts("email")
    }

    /// The current address: home first, former ones never.
    pub fn address(&self) -> Option<&Address> {
        let with = |usage: &str| {
            self.addresses
                .iter()
                .find(|a| a.usage.as_deref() == Some(usage))
        };
        with("home").or_else(|| {
            self.addresses
                .iter()
                .find(|a| !matches!(a.usage.as_deref(), Some("old" | "temp" | "billing")))
        })
    }

    /// Every key under which another file may refer to the patient.
    pub fn aliases(&self, id_key: &str) -> Vec<String> {
        identity::aliases(id_key, &self.identifiers)
    }

    fn contacts(&self, system: &'static str) -> impl Iterator<Item = &ContactPoint> {
        self.telecom.iter().filter(move |contact| {
            contact.system.as_deref() == Some(system)
                && contact.usage.as_deref() != Some("old")
                && contact
                    .value
                    .as_deref()
                    .is_some_and(|value| !value.trim().is_empty())
        })
    }
}

/// The identifier of type MR (<https://terminology.hl7.org/CodeSystem-v2-0203.html>): the official
/// one, else the first that is not a former one.
fn medical_record_number(identifiers: &[Identifier]) -> Option<MedicalRecordNumber> {
    let current = || {
        identifiers.iter().filter(|identifier| {
            identifier
                .kind
                .as_ref()
                .is_some_and(|kind| kind.has_code("MR"))
                && identifier.usage.as_deref() != Some("old")
                && identifier
                    .value
                    .as_deref()
                    .is_some_and(|value| !value.trim().is_empty())
        })
    };
    let chosen = current()
        .find(|identifier| identifier.usage.as_deref() == Some("official"))
        .or_else(|| current().next())?;
    Some(MedicalRecordNumber {
        system: chosen.system.clone(),
        value: chosen.value.clone()?,
    })
}

fn is_replaced(object: &Object<'_>) -> Result<bool, Reason> {
    #[derive(Deserialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    struct Linked {
        #[serde(rename = "type")]
        kind: Option<String>,
    }
    let links: Vec<Linked> = object.list("link")?;
    Ok(links
        .iter()
        .any(|link| link.kind.as_deref() == Some("replaced-by")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chooses_what_is_current() {
        let patient = Patient::parse(
            r#"{"resourceType":"Patient","identifier":[
                {"type":{"coding":[{"code":"MR"}]},"use":"old","value":"1"},
                {"type":{"coding":[{"code":"MR"}]},"system":"urn:a","value":"2"},
                {"type":{"coding":[{"code":"MR"}]},"use":"official","system":"urn:b","value":"3"},
                {"type":{"coding":[{"code":"SS"}]},"value":"999-12-3456"}],
              "name":[{"use":"maiden","family":"Roe","given":["Jane"]},
                {"use":"usual","text":" Jane Doe "}],
              "telecom":[{"system":"phone","value":"1","use":"old"},{"system":"phone","value":"2"},
                {"system":"email","value":"j@a.example"}],
              "address":[{"use":"old","city":"Oldtown"},
                {"line":["1 Main St",null],"city":"Boston","state":"MA","postalCode":"02101","country":"US"}],
              "birthDate":"1980-05","deceasedBoolean":true,
              "communication":[{"language":{"text":"English"}},
                {"language":{"coding":[{"code":"es"}]},"preferred":true}],
              "link":[{"type":"replaced-by","other":{"reference":"Patient/2"}}]}"#,
        )
        .unwrap();
        assert_eq!(patient.medical_record_number.as_ref().unwrap().value, "3");
        assert_eq!(patient.identifiers.len(), 3);
        assert_eq!(patient.display_name().as_deref(), Some("Jane Doe"));
        assert_eq!(patient.phones().count(), 1);
        assert_eq!(patient.emails().count(), 1);
        assert_eq!(
            patient.address().unwrap().lines(),
            ["1 Main St", "Boston, MA 02101", "US"]
        );
        assert_eq!(patient.birth_date.as_ref().unwrap().full(), None);
        assert_eq!(patient.deceased, Deceased::Yes);
        assert_eq!(patient.language.as_ref().unwrap().label(), Some("es"));
        assert!(!patient.active);
    }

    #[test]
    fn one_number_may_be_two_peoples() {
        let patient = |rest: &str| {
            let json = r#"{"identifier":[{"type":{"coding":[{"code":"MR"}]},"value":"999123456"}@"#;
            Patient::parse(&json.replace('@', rest)).unwrap()
        };
        let known = patient(
            r#",{"system":"urn:pass","value":"1"}],"birthDate":"1980-05-06","gender":"female",
            "name":[{"family":"Roe"}]}"#,
        );
        assert_eq!(
            known.medical_record_number.as_ref().unwrap().value,
            "999123456"
        );
        for (rest, expected) in [
            (r#"],"birthDate":"1980-05-06"}"#, false),
            (
                r#"],"birthDate":"1980-05-07","name":[{"family":"Roe"}]}"#,
                true,
            ),
            (r#"],"name":[{"family":"Doe-Roe"}]}"#, false),
            (r#"],"name":[{"family":"Doe"}]}"#, true),
            (r#"]}"#, true),
            (r#"],"gender":"unknown","name":[{"family":"Roe"}]}"#, false),
            (r#"],"gender":"male","name":[{"family":"Roe"}]}"#, true),
            (
                r#",{"system":"urn:pass","value":"2"}],"name":[{"family":"Roe"}]}"#,
                true,
            ),
            (
                r#",{"system":"urn:card","value":"2"}],"name":[{"family":"Roe"}]}"#,
                false,
            ),
        ] {
            let other = patient(rest);
            assert_eq!(known.contradicts(&other), expected, "{rest}");
            assert_eq!(other.contradicts(&known), expected, "{rest}");
        }
    }

    #[test]
    fn a_known_birth_date_stays_known() {
        let with = |json: &str| {
            let json = RawValue::from_string(json.to_owned()).unwrap();
            let before = r#"{"gender":"female","birthDate":"1980-05-06"}"#;
            let json = Patient::with_birth_date_of(before, json).unwrap();
            json.get().to_owned()
        };
        assert_eq!(
            with(r#"{"active":true,"birthDate":null,"x":1.50}"#),
            r#"{"birthDate":"1980-05-06","active":true,"x":1.50}"#
        );
        let own = r#"{"birthDate":"1980"}"#;
        assert_eq!(with(own), own);
    }

    #[test]
    fn names_the_member_that_is_malformed() {
        for (json, member) in [
            (r#"{"birthDate":"1980-13-01"}"#, "birthDate"),
            (r#"{"name":{"text":"Jane"}}"#, "name"),
            (r#"{"deceasedDateTime":7}"#, "deceasedDateTime"),
            (r#"{"active":"yes"}"#, "active"),
        ] {
            assert_eq!(Patient::parse(json), Err(Reason::Malformed(member)));
        }
    }
}
