//! A CareTeam as a patient reads it (<https://hl7.org/fhir/R4/careteam.html>). Who treats the
//! patient now, and so may see the record, is the portal's own list.

use serde::Serialize;
use serde_json::value::RawValue;

use super::datatypes::{Link, labels_of};
use super::json::Object;
use super::observation::notes;
use super::reason::Reason;
use super::when::{When, period};

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct CareTeam {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `active`, `inactive`, `proposed`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<When>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub participants: Vec<Participant>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Participant {
    /// As the source shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<When>,
}

impl CareTeam {
    /// Reads a CareTeam's JSON. An error names the member that is malformed.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let participants: Vec<&RawValue> = object.list("participant")?;
        Ok(Self {
            name: object.text("name")?,
            status: object.text("status")?,
            categories: labels_of(&object, "category")?,
            period: period(&object, "period")?,
            reasons: labels_of(&object, "reasonCode")?,
            participants: participants
                .into_iter()
                .map(participant)
                .collect::<Result<_, _>>()?,
            notes: notes(&object)?,
        })
    }
}

fn participant(raw: &RawValue) -> Result<Participant, Reason> {
    let object = Object::parse(raw).map_err(|_| Reason::Malformed("participant"))?;
    let member: Option<Link> = object.get("member")?;
    Ok(Participant {
        name: member.and_then(|member| member.display),
        roles: labels_of(&object, "role")?,
        period: period(&object, "period")?,
    })
}
