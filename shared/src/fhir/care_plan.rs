//! A CarePlan as a patient reads it (<https://hl7.org/fhir/R4/careplan.html>).

use serde::Serialize;
use serde_json::value::RawValue;

use super::datatypes::{label_of, labels_of};
use super::json::Object;
use super::observation::notes;
use super::reason::Reason;
use super::when::{When, period};

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct CarePlan {
    /// The title; where there is none, the last of the categories, which says most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// `active`, `completed`, `revoked`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<When>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub activities: Vec<Activity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Activity {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `not-started`, `in-progress`, `completed`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

impl CarePlan {
    /// Reads a CarePlan's JSON. An error names the member that is malformed.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let categories = labels_of(&object, "category")?;
        let activities: Vec<&RawValue> = object.list("activity")?;
        Ok(Self {
            name: object.text("title")?.or(categories.last().cloned()),
            categories,
            status: object.text("status")?,
            intent: object.text("intent")?,
            period: period(&object, "period")?,
            description: object.text("description")?,
            activities: activities
                .into_iter()
                .filter_map(|raw| activity(raw).transpose())
                .collect::<Result<_, _>>()?,
            notes: notes(&object)?,
        })
    }
}

/// None where the activity is only a reference to a resource of its own.
fn activity(raw: &RawValue) -> Result<Option<Activity>, Reason> {
    const MALFORMED: Reason = Reason::Malformed("activity");
    let object = Object::parse(raw).map_err(|_| MALFORMED)?;
    let Some(detail) = object.raw("detail") else {
        return Ok(None);
    };
    let detail = Object::parse(detail).map_err(|_| MALFORMED)?;
    Ok(Some(Activity {
        name: label_of(&detail, "code")?,
        status: detail.text("status")?,
        description: detail.text("description")?,
    }))
}
