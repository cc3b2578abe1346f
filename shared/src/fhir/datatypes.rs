//! The FHIR data types that views share, with the members that the portal reads
//! (<https://hl7.org/fhir/R4/datatypes.html>).

use serde::{Deserialize, Serialize};

use super::json::Object;
use super::reason::Reason;
use super::time::ClinicalTime;

#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Coding {
    pub system: Option<String>,
    pub code: Option<String>,
    pub display: Option<String>,
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct CodeableConcept {
    #[serde(default)]
    pub coding: Vec<Coding>,
    pub text: Option<String>,
}

impl CodeableConcept {
    /// What a person reads: the text, else the first display, else the first code.
    pub fn label(&self) -> Option<&str> {
        let given =
            |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        self.text
            .as_deref()
            .filter(|text| !text.trim().is_empty())
            .or_else(|| {
                self.coding
                    .iter()
                    .find(|coding| given(&coding.display))?
                    .display
                    .as_deref()
            })
            .or_else(|| {
                self.coding
                    .iter()
                    .find(|coding| given(&coding.code))?
                    .code
                    .as_deref()
            })
    }

    pub(super) fn has_code(&self, code: &str) -> bool {
        self.coding
            .iter()
            .any(|coding| coding.code.as_deref() == Some(code))
    }
}

/// What a person reads of a member that is a CodeableConcept.
pub(super) fn label_of(
    object: &Object<'_>,
    member: &'static str,
) -> Result<Option<String>, Reason> {
    let concept: Option<CodeableConcept> = object.get(member)?;
    Ok(concept.and_then(|concept| concept.label().map(str::to_owned)))
}

/// The same of a member that is a list of them.
pub(super) fn labels_of(object: &Object<'_>, member: &'static str) -> Result<Vec<String>, Reason> {
    let concepts: Vec<CodeableConcept> = object.list(member)?;
    let labels = concepts.iter().filter_map(CodeableConcept::label);
    Ok(labels.map(str::to_owned).collect())
}

/// The code of a status that is a CodeableConcept, or the text of one without a code.
pub(super) fn code_of(object: &Object<'_>, member: &'static str) -> Result<Option<String>, Reason> {
    let concept: Option<CodeableConcept> = object.get(member)?;
    Ok(concept.and_then(|concept| {
        let code = concept.coding.into_iter().find_map(|coding| coding.code);
        code.or(concept.text)
    }))
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Period {
    pub start: Option<String>,
    pub end: Option<String>,
}

impl Period {
    pub(super) fn starts(&self) -> Option<ClinicalTime> {
        ClinicalTime::parse(self.start.as_deref()?)
    }

    /// Whether every bound given is a date.
    pub(super) fn is_sound(&self) -> bool {
        [&self.start, &self.end]
            .into_iter()
            .flatten()
            .all(|bound| ClinicalTime::parse(bound).is_some())
    }
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Identifier {
    #[serde(rename = "use")]
    pub usage: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<CodeableConcept>,
    pub system: Option<String>,
    pub value: Option<String>,
    pub period: Option<Period>,
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct HumanName {
    #[serde(rename = "use")]
    pub usage: Option<String>,
    pub text: Option<String>,
    pub family: Option<String>,
    #[serde(default)]
    pub given: Vec<Option<String>>,
    #[serde(default)]
    pub prefix: Vec<Option<String>>,
    #[serde(default)]
    pub suffix: Vec<Option<String>>,
}

impl HumanName {
    /// The text if there is one, else prefix, given, family, suffix.
    pub fn display(&self) -> Option<String> {
        if let Some(text) = self
            .text
            .as_deref()
            .map(str::trim)
            .filter(|text| !text.is_empty())
        {
            return Some(text.to_owned());
        }
        let words: Vec<&str> = self
            .prefix
            .iter()
            .chain(&self.given)
            .chain([&self.family])
            .chain(&self.suffix)
            .filter_map(Option::as_deref)
            .map(str::trim)
            .filter(|word| !word.is_empty())
            .collect();
        (!words.is_empty()).then(|| words.join(" "))
    }

    /// The name to show: official, else usual, else the first that is not a former one.
    pub(super) fn choose(names: &[Self]) -> Option<&Self> {
        let with = |usage: &str| {
            names
                .iter()
                .find(|n| n.usage.as_deref() == Some(usage) && n.display().is_some())
        };
        let former = |name: &Self| matches!(name.usage.as_deref(), Some("old" | "maiden"));
        with("official")
            .or_else(|| with("usual"))
            .or_else(|| {
                names
                    .iter()
                    .find(|name| !former(name) && name.display().is_some())
            })
            .or_else(|| names.iter().find(|name| name.display().is_some()))
    }
}

/// A reference as written (<https://hl7.org/fhir/R4/references.html>).
#[derive(Clone, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub(super) struct Link {
    pub(super) reference: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) identifier: Option<Identifier>,
    pub(super) display: Option<String>,
}
