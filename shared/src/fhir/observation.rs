//! An Observation as a patient reads it (<https://hl7.org/fhir/R4/observation.html>).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::datatypes::{CodeableConcept, Period};
use super::json::Object;
use super::number::display_number;
use super::reason::Reason;

const LOINC: &str = "http://loinc.org";

#[derive(Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Observation {
    pub code: CodeableConcept,
    /// Codes of the categories, such as `laboratory`.
    pub categories: Vec<String>,
    pub status: Option<String>,
    /// As the source wrote it: a dateTime, an instant, or the start of a period.
    pub effective: Option<String>,
    pub issued: Option<String>,
    /// `None` if there is neither a value nor a reason for its absence, as where all is in the
    /// components.
    pub value: Option<Value>,
    pub components: Vec<Component>,
    pub reference_ranges: Vec<ReferenceRange>,
    pub interpretations: Vec<CodeableConcept>,
    pub notes: Vec<String>,
}

#[derive(Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Component {
    pub code: CodeableConcept,
    pub value: Option<Value>,
    pub reference_ranges: Vec<ReferenceRange>,
    pub interpretations: Vec<CodeableConcept>,
}

/// A value[x], or why there is none.
#[derive(Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
#[serde(rename_all = "kebab-case", tag = "kind", content = "of")]
pub enum Value {
    Quantity(Quantity),
    Coded(CodeableConcept),
    Text(String),
    Boolean(bool),
    /// The digits of the source.
    Integer(String),
    Range {
        low: Option<Quantity>,
        high: Option<Quantity>,
    },
    Ratio {
        numerator: Option<Quantity>,
        denominator: Option<Quantity>,
    },
    Time(String),
    DateTime(String),
    Period(Period),
    /// SampledData, or a type that R4 does not have: its JSON.
    Other(String),
    /// <https://terminology.hl7.org/CodeSystem-data-absent-reason.html>
    Absent(CodeableConcept),
}

#[derive(Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Quantity {
    /// The number's text in the source.
    pub value: Option<String>,
    /// `<`, `<=`, `>=` or `>`.
    pub comparator: Option<String>,
    pub unit: Option<String>,
    pub system: Option<String>,
    pub code: Option<String>,
}

#[derive(Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct ReferenceRange {
    pub low: Option<Quantity>,
    pub high: Option<Quantity>,
    pub kind: Option<CodeableConcept>,
    pub applies_to: Vec<CodeableConcept>,
    pub text: Option<String>,
}

impl Observation {
    /// Reads an Observation's JSON. An error names the member that is malformed.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let categories: Vec<CodeableConcept> = object.list("category")?;
        let effective_period: Option<Period> = object.get("effectivePeriod")?;
        let components: Vec<&RawValue> = object.list("component")?;
        Ok(Self {
            code: object.get("code")?.unwrap_or_default(),
            categories: categories
                .into_iter()
                .flat_map(|category| category.coding)
                .filter_map(|coding| coding.code)
                .collect(),
            status: object.text("status")?,
            effective: object
                .text("effectiveDateTime")?
                .or(object.text("effectiveInstant")?)
                .or(effective_period.and_then(|period| period.start.or(period.end))),
            issued: object.text("issued")?,
            value: value(&object)?,
            components: components
                .into_iter()
                .map(component)
                .collect::<Result<_, _>>()?,
            reference_ranges: reference_ranges(&object)?,
            interpretations: object.list("interpretation")?,
            notes: notes(&object)?,
        })
    }

    pub fn loinc(&self) -> Option<&str> {
        self.code.loinc()
    }

    /// System and code of what was measured: what two results of one analyte have in common. LOINC
    /// where it is given, else the first code that has a system.
    pub fn analyte(&self) -> Option<(&str, &str)> {
        if let Some(loinc) = self.loinc() {
            return Some((LOINC, loinc));
        }
        let mut codings = self.code.coding.iter();
        codings.find_map(|coding| Some((coding.system.as_deref()?, coding.code.as_deref()?)))
    }

    /// The value in words, rounded for display only; of components the name and value of each.
    pub fn display_value(&self) -> Option<String> {
        if let Some(value) = &self.value {
            return value.display();
        }
        let parts: Vec<String> = self
            .components
            .iter()
            .filter_map(|component| {
                let value = component.value.as_ref()?.display()?;
                Some(match component.code.label() {
                    Some(label) => format!("{label}: {value}"),
                    None => value,
                })
            })
            .collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

impl CodeableConcept {
    pub fn loinc(&self) -> Option<&str> {
        let mut codings = self.coding.iter();
        let coding = codings.find(|coding| coding.system.as_deref() == Some(LOINC))?;
        coding.code.as_deref()
    }
}

impl Value {
    /// In words, rounded for display only. `None` for what has no short form.
    pub fn display(&self) -> Option<String> {
        match self {
            Self::Quantity(quantity) => quantity.display(),
            Self::Coded(concept) | Self::Absent(concept) => concept.label().map(str::to_owned),
            Self::Text(text) | Self::Time(text) | Self::DateTime(text) => Some(text.clone()),
            Self::Boolean(true) => Some("Yes".to_owned()),
            Self::Boolean(false) => Some("No".to_owned()),
            Self::Integer(digits) => Some(display_number(digits)),
            Self::Range { low, high } => range(low.as_ref(), high.as_ref()),
            Self::Ratio {
                numerator,
                denominator,
            } => {
                let (numerator, denominator) = (numerator.as_ref()?, denominator.as_ref()?);
                Some(format!(
                    "{} : {}",
                    numerator.display()?,
                    denominator.display()?
                ))
            }
            Self::Period(Period { start, end }) => match (start, end) {
                (Some(start), Some(end)) => Some(format!("{start} – {end}")),
                (Some(start), None) => Some(format!("from {start}")),
                (None, Some(end)) => Some(format!("until {end}")),
                (None, None) => None,
            },
            Self::Other(_) => None,
        }
    }
}

impl Quantity {
    /// `<5.0 mg/dL`; the UCUM code stands in for a unit that is not given.
    pub fn display(&self) -> Option<String> {
        let number = self.display_value()?;
        Some(match self.shown_unit() {
            Some(unit) => format!("{number} {unit}"),
            None => number,
        })
    }

    /// The comparator and the rounded number without its unit.
    pub fn display_value(&self) -> Option<String> {
        let number = display_number(self.value.as_deref()?);
        Some(format!(
            "{}{number}",
            self.comparator.as_deref().unwrap_or_default()
        ))
    }

    fn shown_unit(&self) -> Option<&str> {
        // UCUM writes what has no unit as 1, and annotations such as {score} in braces.
        let code = self.code.as_deref().filter(|code| *code != "1");
        self.unit
            .as_deref()
            .or(code)
            .filter(|unit| !unit.trim().is_empty())
    }
}

impl ReferenceRange {
    /// The text if there is one, else the limits as supplied.
    pub fn display(&self) -> Option<String> {
        self.text
            .clone()
            .filter(|text| !text.trim().is_empty())
            .or_else(|| range(self.low.as_ref(), self.high.as_ref()))
    }
}

fn range(low: Option<&Quantity>, high: Option<&Quantity>) -> Option<String> {
    match (
        low.and_then(Quantity::display),
        high.and_then(Quantity::display),
    ) {
        (Some(low_text), Some(high_text)) => {
            let same = low.map(Quantity::shown_unit) == high.map(Quantity::shown_unit);
            let low_text = low
                .filter(|_| same)
                .and_then(Quantity::display_value)
                .unwrap_or(low_text);
            Some(format!("{low_text} – {high_text}"))
        }
        (Some(low), None) => Some(format!("≥ {low}")),
        (None, Some(high)) => Some(format!("≤ {high}")),
        (None, None) => None,
    }
}

/// The value[x] that is there, else the reason for its absence.
fn value(object: &Object<'_>) -> Result<Option<Value>, Reason> {
    let bounds = |member: &'static str, names: [&'static str; 2]| {
        object
            .raw(member)
            .map(|raw| {
                let inner = Object::parse(raw).map_err(|_| Reason::Malformed(member))?;
                let [one, other] = names;
                Ok((quantity(&inner, one)?, quantity(&inner, other)?))
            })
            .transpose()
    };
    if let Some(quantity) = quantity(object, "valueQuantity")? {
        return Ok(Some(Value::Quantity(quantity)));
    }
    if let Some(concept) = object.get("valueCodeableConcept")? {
        return Ok(Some(Value::Coded(concept)));
    }
    if let Some(text) = object.text("valueString")? {
        return Ok(Some(Value::Text(text)));
    }
    if let Some(flag) = object.get("valueBoolean")? {
        return Ok(Some(Value::Boolean(flag)));
    }
    if let Some(raw) = object.raw("valueInteger") {
        return Ok(Some(Value::Integer(number(raw, "valueInteger")?)));
    }
    if let Some((low, high)) = bounds("valueRange", ["low", "high"])? {
        return Ok(Some(Value::Range { low, high }));
    }
    if let Some((numerator, denominator)) = bounds("valueRatio", ["numerator", "denominator"])? {
        return Ok(Some(Value::Ratio {
            numerator,
            denominator,
        }));
    }
    if let Some(time) = object.text("valueTime")? {
        return Ok(Some(Value::Time(time)));
    }
    if let Some(time) = object.text("valueDateTime")? {
        return Ok(Some(Value::DateTime(time)));
    }
    if let Some(period) = object.get("valuePeriod")? {
        return Ok(Some(Value::Period(period)));
    }
    let other = object.members().find(|(key, value)| {
        key.strip_prefix("value")
            .is_some_and(|name| name.starts_with(char::is_uppercase))
            && value.get() != "null"
    });
    if let Some((_, raw)) = other {
        return Ok(Some(Value::Other(raw.get().to_owned())));
    }
    Ok(object.get("dataAbsentReason")?.map(Value::Absent))
}

pub(super) fn quantity(
    object: &Object<'_>,
    member: &'static str,
) -> Result<Option<Quantity>, Reason> {
    #[derive(Deserialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    struct Written<'a> {
        #[serde(borrow)]
        value: Option<&'a RawValue>,
        comparator: Option<String>,
        unit: Option<String>,
        system: Option<String>,
        code: Option<String>,
    }
    let Some(written) = object.get::<Written<'_>>(member)? else {
        return Ok(None);
    };
    Ok(Some(Quantity {
        value: written.value.map(|raw| number(raw, member)).transpose()?,
        comparator: written.comparator,
        unit: written.unit,
        system: written.system,
        code: written.code,
    }))
}

/// A member that is a Range, in words.
pub(super) fn range_of(
    object: &Object<'_>,
    member: &'static str,
) -> Result<Option<String>, Reason> {
    let Some(raw) = object.raw(member) else {
        return Ok(None);
    };
    let inner = Object::parse(raw).map_err(|_| Reason::Malformed(member))?;
    let (low, high) = (quantity(&inner, "low")?, quantity(&inner, "high")?);
    Ok(range(low.as_ref(), high.as_ref()))
}

/// A JSON number's own text.
fn number(raw: &RawValue, member: &'static str) -> Result<String, Reason> {
    let text = raw.get();
    if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        Ok(text.to_owned())
    } else {
        Err(Reason::Malformed(member))
    }
}

fn component(raw: &RawValue) -> Result<Component, Reason> {
    let object = Object::parse(raw).map_err(|_| Reason::Malformed("component"))?;
    Ok(Component {
        code: object.get("code")?.unwrap_or_default(),
        value: value(&object)?,
        reference_ranges: reference_ranges(&object)?,
        interpretations: object.list("interpretation")?,
    })
}

fn reference_ranges(object: &Object<'_>) -> Result<Vec<ReferenceRange>, Reason> {
    let ranges: Vec<&RawValue> = object.list("referenceRange")?;
    ranges
        .into_iter()
        .map(|raw| {
            let range = Object::parse(raw).map_err(|_| Reason::Malformed("referenceRange"))?;
            Ok(ReferenceRange {
                low: quantity(&range, "low")?,
                high: quantity(&range, "high")?,
                kind: range.get("type")?,
                applies_to: range.list("appliesTo")?,
                text: range.text("text")?,
            })
        })
        .collect()
}

pub(super) fn notes(object: &Object<'_>) -> Result<Vec<String>, Reason> {
    #[derive(Deserialize)]
    #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
    struct Annotation {
        text: Option<String>,
    }
    let notes: Vec<Annotation> = object.list("note")?;
    Ok(notes.into_iter().filter_map(|note| note.text).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(members: &str) -> Option<String> {
        Observation::parse(&format!(r#"{{"resourceType":"Observation",{members}}}"#))
            .unwrap()
            .display_value()
    }

    #[test]
    fn shows_each_kind_of_value() {
        for (members, expected) in [
            (
                r#""valueQuantity":{"value":1.10,"comparator":"<","unit":"mg/dL"}"#,
                Some("<1.10 mg/dL"),
            ),
            (
                r#""valueQuantity":{"value":52.692030001960916,"code":"%"}"#,
                Some("52.7 %"),
            ),
            (
                r#""valueQuantity":{"value":374410,"code":"1"}"#,
                Some("374410"),
            ),
            (r#""valueQuantity":{"unit":"mg"}"#, None),
            (
                r#""valueCodeableConcept":{"coding":[{"code":"N","display":"Negative"}]}"#,
                Some("Negative"),
            ),
            (r#""valueString":"as \"written\"""#, Some("as \"written\"")),
            (r#""valueBoolean":false"#, Some("No")),
            (r#""valueInteger":7"#, Some("7")),
            (
                r#""valueRange":{"low":{"value":1,"unit":"g"},"high":{"value":2.0,"unit":"g"}}"#,
                Some("1 – 2.0 g"),
            ),
            (
                r#""valueRange":{"low":{"value":1,"unit":"g"}}"#,
                Some("≥ 1 g"),
            ),
            (
                r#""valueRatio":{"numerator":{"value":1},"denominator":{"value":128}}"#,
                Some("1 : 128"),
            ),
            (r#""valueTime":"10:30:00""#, Some("10:30:00")),
            (r#""valueDateTime":"2019-04""#, Some("2019-04")),
            (r#""valuePeriod":{"start":"2019"}"#, Some("from 2019")),
            (r#""valueSampledData":{"period":10}"#, None),
            (
                r#""dataAbsentReason":{"coding":[{"code":"not-performed","display":"Not Performed"}]}"#,
                Some("Not Performed"),
            ),
            (r#""status":"final""#, None),
        ] {
            assert_eq!(shown(members).as_deref(), expected, "{members}");
        }
    }

    #[test]
    fn keeps_what_was_supplied() {
        let observation = Observation::parse(
            r#"{"code":{"coding":[{"system":"http://loinc.org","code":"2093-3"}],"text":"Cholesterol"},
            "category":[{"coding":[{"code":"laboratory"}]}],"status":"final",
            "effectivePeriod":{"start":"2019-04"},"valueQuantity":{"value":210.500},
            "referenceRange":[{"low":{"value":100},"high":{"value":200.0,"unit":"mg/dL"},
              "appliesTo":[{"text":"adults"}]},{"text":"below 200"}],
            "interpretation":[{"coding":[{"code":"H"}],"text":"High"}],
            "note":[{"text":"fasting"},{}],
            "component":[{"code":{"text":"part"},"dataAbsentReason":{"coding":[{"code":"unknown"}]}}]}"#,
        )
        .unwrap();
        assert_eq!(observation.loinc(), Some("2093-3"));
        assert_eq!(observation.effective.as_deref(), Some("2019-04"));
        let Some(Value::Quantity(quantity)) = &observation.value else {
            panic!()
        };
        assert_eq!(quantity.value.as_deref(), Some("210.500"));
        assert_eq!(
            observation.reference_ranges[0].display().as_deref(),
            Some("100 – 200.0 mg/dL")
        );
        assert_eq!(
            observation.reference_ranges[1].display().as_deref(),
            Some("below 200")
        );
        assert_eq!(observation.interpretations[0].label(), Some("High"));
        assert_eq!(observation.notes, ["fasting"]);
        let Some(Value::Absent(reason)) = &observation.components[0].value else {
            panic!()
        };
        assert_eq!(reason.label(), Some("unknown"));
    }

    #[test]
    fn names_the_member_that_is_malformed() {
        for (json, member) in [
            (r#"{"valueQuantity":{"value":"7"}}"#, "valueQuantity"),
            (r#"{"valueInteger":"7"}"#, "valueInteger"),
            (r#"{"component":[7]}"#, "component"),
            (r#"{"code":"x"}"#, "code"),
        ] {
            assert_eq!(
                Observation::parse(json),
                Err(Reason::Malformed(member)),
                "{json}"
            );
        }
    }
}
