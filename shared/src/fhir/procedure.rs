//! A Procedure as a patient reads it (<https://hl7.org/fhir/R4/procedure.html>).

use serde::Serialize;

use super::datatypes::{label_of, labels_of};
use super::json::Object;
use super::observation::notes;
use super::reason::Reason;
use super::when::{Choice, When};

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Procedure {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `completed`, `in-progress`, `not-done`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub performed: Option<When>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub body_sites: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

const PERFORMED: Choice = Choice {
    date: "performedDateTime",
    period: "performedPeriod",
    age: "performedAge",
    range: "performedRange",
    words: "performedString",
};

impl Procedure {
    /// Reads a Procedure's JSON. An error names the member that is malformed.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        Ok(Self {
            name: label_of(&object, "code")?,
            status: object.text("status")?,
            status_reason: label_of(&object, "statusReason")?,
            category: label_of(&object, "category")?,
            performed: PERFORMED.read(&object)?,
            reasons: labels_of(&object, "reasonCode")?,
            body_sites: labels_of(&object, "bodySite")?,
            outcome: label_of(&object, "outcome")?,
            notes: notes(&object)?,
        })
    }
}
