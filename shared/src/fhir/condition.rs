//! A Condition as a patient reads it (<https://hl7.org/fhir/R4/condition.html>).

use serde::Serialize;

use super::allergy::ONSET;
use super::datatypes::{code_of, label_of, labels_of};
use super::json::Object;
use super::observation::notes;
use super::reason::Reason;
use super::when::{Choice, When};

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Condition {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `active`, `recurrence`, `relapse`, `inactive`, `remission` or `resolved`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clinical_status: Option<String>,
    /// `confirmed`, `provisional`, `refuted`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_status: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub body_sites: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onset: Option<When>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abatement: Option<When>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

const ABATEMENT: Choice = Choice {
    date: "abatementDateTime",
    period: "abatementPeriod",
    age: "abatementAge",
    range: "abatementRange",
    words: "abatementString",
};

impl Condition {
    /// Reads a Condition's JSON. An error names the member that is malformed.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        Ok(Self {
            name: label_of(&object, "code")?,
            clinical_status: code_of(&object, "clinicalStatus")?,
            verification_status: code_of(&object, "verificationStatus")?,
            categories: labels_of(&object, "category")?,
            severity: label_of(&object, "severity")?,
            body_sites: labels_of(&object, "bodySite")?,
            onset: ONSET.read(&object)?,
            abatement: ABATEMENT.read(&object)?,
            recorded: object.text("recordedDate")?,
            notes: notes(&object)?,
        })
    }
}
