//! A DiagnosticReport as its results name it (<https://hl7.org/fhir/R4/diagnosticreport.html>).

use serde::Serialize;

use super::datatypes::{CodeableConcept, label_of};
use super::json::Object;
use super::reason::Reason;

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Report {
    pub title: Option<String>,
    pub status: Option<String>,
    pub issued: Option<String>,
    /// Codes of the categories, such as `LAB` or `HM`.
    pub categories: Vec<String>,
}

impl Report {
    /// Reads a DiagnosticReport's JSON. An error names the member that is malformed.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let categories: Vec<CodeableConcept> = object.list("category")?;
        Ok(Self {
            title: label_of(&object, "code")?,
            status: object.text("status")?,
            issued: object.text("issued")?,
            categories: categories
                .into_iter()
                .flat_map(|category| category.coding)
                .filter_map(|coding| coding.code)
                .collect(),
        })
    }
}
