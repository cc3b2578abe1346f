//! An Encounter as a patient reads it (<https://hl7.org/fhir/R4/encounter.html>).

use serde::Serialize;
use serde_json::value::RawValue;

use super::datatypes::{Coding, label_of, labels_of};
use super::json::Object;
use super::reason::Reason;
use super::when::{When, period};

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Encounter {
    /// What kind of visit it was; the class in words where there is no type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub types: Vec<String>,
    /// `AMB`, `IMP`, `EMER`, ... (<https://terminology.hl7.org/ValueSet-v3-ActEncounterCode.html>)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// `finished`, `in-progress`, `cancelled`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<When>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discharge_disposition: Option<String>,
}

impl Encounter {
    /// Reads an Encounter's JSON. An error names the member that is malformed.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let types = labels_of(&object, "type")?;
        let class: Option<Coding> = object.get("class")?;
        let hospitalization = object.raw("hospitalization").map(hospitalization);
        Ok(Self {
            name: types.first().cloned().or(class
                .as_ref()
                .and_then(|class| class.display.clone().or(class.code.clone()))),
            types,
            class: class.and_then(|class| class.code),
            status: object.text("status")?,
            period: period(&object, "period")?,
            reasons: labels_of(&object, "reasonCode")?,
            discharge_disposition: hospitalization.transpose()?.flatten(),
        })
    }
}

fn hospitalization(raw: &RawValue) -> Result<Option<String>, Reason> {
    let object = Object::parse(raw).map_err(|_| Reason::Malformed("hospitalization"))?;
    label_of(&object, "dischargeDisposition")
}
