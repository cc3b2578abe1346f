//! An Immunization as a patient reads it (<https://hl7.org/fhir/R4/immunization.html>).

use serde::Serialize;

use super::datatypes::{label_of, labels_of};
use super::json::Object;
use super::observation::{self, Quantity, notes};
use super::reason::Reason;

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Immunization {
    /// The vaccine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `completed` or `not-done`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Why it was not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// A date, or words where the source has no date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub occurrence: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lot_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dose: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Immunization {
    /// Reads an Immunization's JSON. An error names the member that is malformed.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let dose = observation::quantity(&object, "doseQuantity")?;
        Ok(Self {
            name: label_of(&object, "vaccineCode")?,
            status: object.text("status")?,
            status_reason: label_of(&object, "statusReason")?,
            occurrence: object
                .text("occurrenceDateTime")?
                .or(object.text("occurrenceString")?),
            lot_number: object.text("lotNumber")?,
            dose: dose.as_ref().and_then(Quantity::display),
            site: label_of(&object, "site")?,
            route: label_of(&object, "route")?,
            reasons: labels_of(&object, "reasonCode")?,
            notes: notes(&object)?,
        })
    }
}
