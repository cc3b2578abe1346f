//! A prescription as a patient reads it (<https://hl7.org/fhir/R4/medicationrequest.html>).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::datatypes::{CodeableConcept, Link};
use super::json::Object;
use super::reason::Reason;

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(Debug))]
pub struct Prescription {
    /// From the concept, the contained or attached Medication, or the reference's display.
    pub name: Option<String>,
    pub status: Option<String>,
    pub intent: Option<String>,
    pub authored_on: Option<String>,
    /// One for each instruction; empty if the source gives none that can be shown whole.
    pub dosage: Vec<String>,
    pub reasons: Vec<String>,
}

impl Prescription {
    /// Reads a MedicationRequest's JSON, with that of the Medication it refers to, if at hand.
    pub fn parse(json: &str, medication: Option<&str>) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let reasons: Vec<CodeableConcept> = object.list("reasonCode")?;
        let dosage: Vec<&RawValue> = object.list("dosageInstruction")?;
        Ok(Self {
            name: name(&object, medication)?,
            status: object.text("status")?,
            intent: object.text("intent")?,
            authored_on: object.text("authoredOn")?,
            dosage: dosage
                .into_iter()
                .filter_map(|raw| instruction(raw).transpose())
                .collect::<Result<_, _>>()?,
            reasons: reasons
                .iter()
                .filter_map(|one| one.label().map(str::to_owned))
                .collect(),
        })
    }
}

fn name(object: &Object<'_>, medication: Option<&str>) -> Result<Option<String>, Reason> {
    let concept: Option<CodeableConcept> = object.get("medicationCodeableConcept")?;
    if let Some(label) = concept.as_ref().and_then(CodeableConcept::label) {
        return Ok(Some(label.to_owned()));
    }
    let Some(link) = object.get::<Link>("medicationReference")? else {
        return Ok(None);
    };
    let local = link
        .reference
        .as_deref()
        .and_then(|text| text.strip_prefix('#'));
    let found = match local {
        Some(id) => object
            .list::<&RawValue>("contained")?
            .into_iter()
            .find(|raw| {
                Object::parse(raw)
                    .and_then(|inner| inner.text("id"))
                    .is_ok_and(|own| own.as_deref() == Some(id))
            })
            .map(RawValue::get),
        None => medication,
    };
    let code: Option<CodeableConcept> = match found {
        Some(json) => Object::parse_str(json)?.get("code")?,
        None => None,
    };
    Ok(code
        .as_ref()
        .and_then(CodeableConcept::label)
        .map(str::to_owned)
        .or(link.display))
}

/// The members of a structured dosage that [`instruction`] can put into words. With any other, half
/// an instruction would read like a whole one, so none is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Structured<'a> {
    #[serde(rename = "id")]
    _id: Option<String>,
    #[serde(rename = "sequence", borrow)]
    _sequence: Option<&'a RawValue>,
    #[serde(rename = "text")]
    _text: Option<String>,
    #[serde(default)]
    additional_instruction: Vec<CodeableConcept>,
    patient_instruction: Option<String>,
    timing: Option<Timing<'a>>,
    as_needed_boolean: Option<bool>,
    as_needed_codeable_concept: Option<CodeableConcept>,
    site: Option<CodeableConcept>,
    route: Option<CodeableConcept>,
    #[serde(default)]
    dose_and_rate: Vec<DoseAndRate<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Timing<'a> {
    #[serde(borrow)]
    repeat: Option<Repeat<'a>>,
    code: Option<CodeableConcept>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Repeat<'a> {
    frequency: Option<u32>,
    #[serde(borrow)]
    period: Option<&'a RawValue>,
    period_unit: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DoseAndRate<'a> {
    /// Ordered or calculated: says nothing to the patient.
    #[serde(rename = "type")]
    _kind: Option<CodeableConcept>,
    #[serde(borrow)]
    dose_quantity: Option<Dose<'a>>,
}

#[derive(Deserialize)]
struct Dose<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    unit: Option<String>,
    comparator: Option<String>,
}

/// The text of the instruction, else its structure in words.
fn instruction(raw: &RawValue) -> Result<Option<String>, Reason> {
    let object = Object::parse(raw).map_err(|_| Reason::Malformed("dosageInstruction"))?;
    if let Some(text) = object.text("text")?.filter(|text| !text.trim().is_empty()) {
        return Ok(Some(text));
    }
    let structured: Result<Structured<'_>, _> = serde_json::from_str(raw.get());
    Ok(structured.ok().as_ref().and_then(in_words))
}

fn in_words(dosage: &Structured<'_>) -> Option<String> {
    let mut words = Vec::new();
    match dosage.dose_and_rate.as_slice() {
        [] => {}
        [one] => words.push(dose(one.dose_quantity.as_ref()?)?),
        _ => return None,
    }
    if let Some(timing) = &dosage.timing {
        words.push(match (&timing.repeat, &timing.code) {
            (Some(repeat), _) => how_often(repeat)?,
            (None, Some(code)) => code.label()?.to_owned(),
            (None, None) => return None,
        });
    }
    if let Some(route) = &dosage.route {
        words.push(route.label()?.to_owned());
    }
    if let Some(site) = &dosage.site {
        words.push(site.label()?.to_owned());
    }
    match &dosage.as_needed_codeable_concept {
        Some(reason) => words.push(format!("as needed for {}", reason.label()?)),
        None if dosage.as_needed_boolean == Some(true) => words.push("as needed".to_owned()),
        None => {}
    }
    for instruction in &dosage.additional_instruction {
        words.push(instruction.label()?.to_owned());
    }
    words.extend(dosage.patient_instruction.clone());
    (!words.is_empty()).then(|| words.join(", "))
}

fn dose(dose: &Dose<'_>) -> Option<String> {
    if dose.comparator.is_some() {
        return None;
    }
    let value = whole(dose.value?.get());
    Some(
        match dose.unit.as_deref().filter(|unit| !unit.trim().is_empty()) {
            Some(unit) => format!("{value} {unit} per dose"),
            None => format!("{value} per dose"),
        },
    )
}

fn how_often(repeat: &Repeat<'_>) -> Option<String> {
    let unit = match repeat.period_unit.as_deref()? {
        "s" => "second",
        "min" => "minute",
        "h" => "hour",
        "d" => "day",
        "wk" => "week",
        "mo" => "month",
        "a" => "year",
        _ => return None,
    };
    let times = match repeat.frequency? {
        0 => return None,
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        many => format!("{many} times"),
    };
    Some(match whole(repeat.period?.get()) {
        "1" => format!("{times} every {unit}"),
        period => format!("{times} every {period} {unit}s"),
    })
}

/// `1.0` tablets are one tablet.
fn whole(number: &str) -> &str {
    match number.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|digit| digit == b'0') => whole,
        _ => number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(members: &str, medication: Option<&str>) -> Prescription {
        Prescription::parse(&format!("{{{members}}}"), medication).unwrap()
    }

    #[test]
    fn finds_the_name_wherever_it_is() {
        let attached = r#"{"resourceType":"Medication","id":"m","code":{"text":"Attached"}}"#;
        for (members, medication, expected) in [
            (
                r#""medicationCodeableConcept":{"coding":[{"display":"Coded"}]}"#,
                None,
                Some("Coded"),
            ),
            (
                r##""contained":[{"resourceType":"Medication","id":"m","code":{"text":"Contained"}}],"medicationReference":{"reference":"#m"}"##,
                None,
                Some("Contained"),
            ),
            (
                r##""contained":[{"id":"x"}],"medicationReference":{"reference":"#m"}"##,
                Some(attached),
                None,
            ),
            (
                r#""medicationReference":{"reference":"Medication/m"}"#,
                Some(attached),
                Some("Attached"),
            ),
            (
                r#""medicationReference":{"reference":"Medication/m","display":"Shown"}"#,
                None,
                Some("Shown"),
            ),
            (r#""status":"active""#, None, None),
        ] {
            assert_eq!(
                parse(members, medication).name.as_deref(),
                expected,
                "{members}"
            );
        }
    }

    #[test]
    fn puts_a_dosage_into_words_or_leaves_it_out() {
        for (dosage, expected) in [
            (
                r#"{"text":"Take as directed","timing":{"event":["2019"]}}"#,
                Some("Take as directed"),
            ),
            (
                r#"{"sequence":1,"timing":{"repeat":{"frequency":1,"period":1.0,"periodUnit":"d"}},"asNeededBoolean":false,"doseAndRate":[{"type":{"coding":[{"code":"ordered"}]},"doseQuantity":{"value":1.0}}]}"#,
                Some("1 per dose, once every day"),
            ),
            (
                r#"{"timing":{"repeat":{"frequency":2,"period":4,"periodUnit":"h"}},"asNeededBoolean":true,"doseAndRate":[{"doseQuantity":{"value":2.50,"unit":"mg"}}]}"#,
                Some("2.50 mg per dose, twice every 4 hours, as needed"),
            ),
            (
                r#"{"timing":{"code":{"text":"BID"}},"route":{"text":"oral"}}"#,
                Some("BID, oral"),
            ),
            (
                r#"{"timing":{"repeat":{"frequency":1,"frequencyMax":4,"period":1,"periodUnit":"d"}}}"#,
                None,
            ),
            (
                r#"{"doseAndRate":[{"doseQuantity":{"value":1}}],"maxDosePerPeriod":{}}"#,
                None,
            ),
            (r#"{"doseAndRate":[{"rateQuantity":{"value":1}}]}"#, None),
            (r#"{"sequence":1}"#, None),
        ] {
            let members = format!(r#""dosageInstruction":[{dosage}]"#);
            assert_eq!(
                parse(&members, None).dosage.first().map(String::as_str),
                expected,
                "{dosage}"
            );
        }
        assert!(Prescription::parse(r#"{"dosageInstruction":[7]}"#, None).is_err());
    }
}
