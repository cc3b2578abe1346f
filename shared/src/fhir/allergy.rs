//! An AllergyIntolerance as a patient reads it
//! (<https://hl7.org/fhir/R4/allergyintolerance.html>).

use serde::Serialize;
use serde_json::value::RawValue;

use super::datatypes::{code_of, label_of, labels_of};
use super::json::Object;
use super::observation::notes;
use super::reason::Reason;
use super::when::{Choice, When};

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Allergy {
    /// What the patient reacts to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `active`, `inactive` or `resolved`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clinical_status: Option<String>,
    /// `unconfirmed`, `confirmed`, `refuted`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification_status: Option<String>,
    /// `allergy` or `intolerance`.
    #[serde(rename = "type")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// `food`, `medication`, `environment`, `biologic`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// `low`, `high` or `unable-to-assess`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub criticality: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub onset: Option<When>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_occurrence: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Reaction {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub manifestations: Vec<String>,
    /// `mild`, `moderate` or `severe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

pub(super) const ONSET: Choice = Choice {
    date: "onsetDateTime",
    period: "onsetPeriod",
    age: "onsetAge",
    range: "onsetRange",
    words: "onsetString",
};

impl Allergy {
    /// Reads an AllergyIntolerance's JSON. An error names the member that is malformed.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let reactions: Vec<&RawValue> = object.list("reaction")?;
        Ok(Self {
            name: label_of(&object, "code")?,
            clinical_status: code_of(&object, "clinicalStatus")?,
            verification_status: code_of(&object, "verificationStatus")?,
            kind: object.text("type")?,
            categories: object.list("category")?,
            criticality: object.text("criticality")?,
            onset: ONSET.read(&object)?,
            recorded: object.text("recordedDate")?,
            last_occurrence: object.text("lastOccurrence")?,
            reactions: reactions
                .into_iter()
                .map(reaction)
                .collect::<Result<_, _>>()?,
            notes: notes(&object)?,
        })
    }
}

fn reaction(raw: &RawValue) -> Result<Reaction, Reason> {
    let object = Object::parse(raw).map_err(|_| Reason::Malformed("reaction"))?;
    Ok(Reaction {
        manifestations: labels_of(&object, "manifestation")?,
        severity: object.text("severity")?,
        description: object.text("description")?,
    })
}
