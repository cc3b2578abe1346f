//! An allergy or a condition as a list of them shows it
//! (<https://hl7.org/fhir/R4/allergyintolerance.html>, <https://hl7.org/fhir/R4/condition.html>).

use serde::Serialize;

use super::datatypes::CodeableConcept;
use super::json::Object;
use super::reason::Reason;

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Finding {
    pub name: Option<String>,
    /// `active`, `resolved`, ...
    pub clinical_status: Option<String>,
    /// When it began, else when it was recorded, as the source wrote it.
    pub since: Option<String>,
}

impl Finding {
    /// Reads an AllergyIntolerance's or a Condition's JSON.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let code: Option<CodeableConcept> = object.get("code")?;
        let status: Option<CodeableConcept> = object.get("clinicalStatus")?;
        let onset = object.text("onsetDateTime")?;
        Ok(Self {
            name: code
                .as_ref()
                .and_then(CodeableConcept::label)
                .map(str::to_owned),
            clinical_status: status
                .and_then(|status| status.coding.into_iter().find_map(|coding| coding.code)),
            since: onset.or(object.text("recordedDate")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_both_have() {
        let allergy = r#"{"code":{"text":"Allergy to mould"},"recordedDate":"2007-12-05",
            "clinicalStatus":{"coding":[{"code":"active"}]}}"#;
        let allergy = Finding::parse(allergy).unwrap();
        assert_eq!(allergy.name.as_deref(), Some("Allergy to mould"));
        assert_eq!(allergy.clinical_status.as_deref(), Some("active"));
        assert_eq!(allergy.since.as_deref(), Some("2007-12-05"));
        let condition = r#"{"onsetDateTime":"2001","recordedDate":"2002"}"#;
        assert_eq!(
            Finding::parse(condition).unwrap().since.as_deref(),
            Some("2001")
        );
        assert!(Finding::parse(r#"{"code":"mould"}"#).is_err());
    }
}
