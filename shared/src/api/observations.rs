//! An Observation as the portal shows it: a laboratory result, a vital sign, a survey's answer.

use crate::fhir::CodeableConcept;
use crate::fhir::observation::{Component, Observation, ReferenceRange, Value};
use serde::Serialize;

/// What was observed (FHIR R4 Observation), as its source gave it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Observed {
    /// The name of what was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loinc: Option<String>,
    /// FHIR ObservationStatus: `final`, `preliminary`, `amended`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued: Option<String>,
    /// The value as recorded, every digit of it; absent where there are only components.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// The value in words, rounded for people to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    pub reference_ranges: Vec<ReferenceRange>,
    /// False says that no reference range came with it or its components.
    pub reference_range_supplied: bool,
    /// As supplied: `High`, `Low`, ...
    pub interpretations: Vec<String>,
    /// False says that no interpretation came with it or its components.
    pub interpretation_supplied: bool,
    /// The interpretations in the portal's words.
    pub flags: Vec<Flag>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What an interpretation means
/// (<https://terminology.hl7.org/CodeSystem-v3-ObservationInterpretation.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    Critical,
    High,
    Low,
    Abnormal,
    Normal,
    Positive,
    Negative,
    Indeterminate,
    Detected,
    NotDetected,
    Resistant,
    Intermediate,
    Susceptible,
}

/// The flags of a code; none where it says something else.
fn flags_of(code: &str) -> &'static [Flag] {
    match code {
        "H" | "HU" | "H>" | "HX" | ">" => &[Flag::High],
        "HH" => &[Flag::Critical, Flag::High],
        "L" | "LU" | "L<" | "LX" | "<" => &[Flag::Low],
        "LL" => &[Flag::Critical, Flag::Low],
        "A" => &[Flag::Abnormal],
        "AA" => &[Flag::Critical, Flag::Abnormal],
        "N" => &[Flag::Normal],
        "POS" => &[Flag::Positive],
        "NEG" => &[Flag::Negative],
        "IND" | "E" => &[Flag::Indeterminate],
        "DET" => &[Flag::Detected],
        "ND" => &[Flag::NotDetected],
        "R" => &[Flag::Resistant],
        "I" => &[Flag::Intermediate],
        "S" => &[Flag::Susceptible],
        _ => &[],
    }
}

/// The flags of interpretations, each once.
pub fn flags<'a>(interpretations: impl Iterator<Item = &'a CodeableConcept>) -> Vec<Flag> {
    let mut flags = Vec::new();
    for coding in interpretations.flat_map(|interpretation| &interpretation.coding) {
        for flag in flags_of(coding.code.as_deref().unwrap_or_default()) {
            if !flags.contains(flag) {
                flags.push(*flag);
            }
        }
    }
    flags
}

impl Observed {
    pub fn of(observation: Observation) -> Self {
        let parts = || observation.components.iter();
        let part_ranges = parts().any(|part| !part.reference_ranges.is_empty());
        let interpretations: Vec<_> = observation
            .interpretations
            .iter()
            .chain(parts().flat_map(|part| &part.interpretations))
            .collect();
        Self {
            name: observation.code.label().map(str::to_owned),
            loinc: observation.loinc().map(str::to_owned),
            display: observation.display_value(),
            reference_range_supplied: part_ranges || !observation.reference_ranges.is_empty(),
            interpretation_supplied: !interpretations.is_empty(),
            flags: flags(interpretations.into_iter()),
            interpretations: observation
                .interpretations
                .iter()
                .filter_map(|interpretation| interpretation.label().map(str::to_owned))
                .collect(),
            status: observation.status,
            issued: observation.issued,
            value: observation.value,
            components: observation.components,
            reference_ranges: observation.reference_ranges,
            notes: observation.notes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(members: &str) -> Observed {
        let json = format!(r#"{{"resourceType":"Observation",{members}}}"#);
        Observed::of(Observation::parse(&json).unwrap())
    }

    #[test]
    fn flags_are_words() {
        let high = r#"{"coding":[{"code":"HH"},{"code":"H"}]}"#;
        let one = observed(&format!(r#""interpretation":[{high},{{"text":"odd"}}]"#));
        assert_eq!(one.flags, [Flag::Critical, Flag::High]);
        assert_eq!(one.interpretations, ["HH", "odd"]);
        assert!(one.interpretation_supplied && !one.reference_range_supplied);
        assert_eq!(
            serde_json::to_value(&one.flags).unwrap(),
            serde_json::json!(["critical", "high"])
        );
    }

    #[test]
    fn what_is_not_supplied_is_said_so() {
        let none = observed(r#""status":"final""#);
        assert!(!none.interpretation_supplied && !none.reference_range_supplied);
        let parts = observed(
            r#""component":[{"interpretation":[{"coding":[{"code":"LL"}]}],
                "referenceRange":[{"text":"below 5"}]}]"#,
        );
        assert!(parts.interpretation_supplied && parts.reference_range_supplied);
        assert_eq!(parts.flags, [Flag::Critical, Flag::Low]);
    }
}
