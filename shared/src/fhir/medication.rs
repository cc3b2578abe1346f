//! A prescription as a patient reads it (<https://hl7.org/fhir/R4/medicationrequest.html>).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::datatypes::{CodeableConcept, Link, Period};
use super::json::Object;
use super::reason::Reason;

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Prescription {
    /// From the concept, the contained or attached Medication, or the reference's display.
    pub name: Option<String>,
    pub status: Option<String>,
    pub intent: Option<String>,
    pub authored_on: Option<String>,
    /// One for each instruction; empty if the source gives none that can be shown whole.
    pub dosage: Vec<String>,
    /// Does the source say more about the dosage than words could be found for?
    pub dosage_beyond_words: bool,
    /// In the source's words, and where it refers to conditions, by what it calls them there.
    pub reasons: Vec<String>,
    /// Why it has its status.
    pub status_reason: Option<String>,
    /// An order not to take it (`doNotPerform`).
    pub prohibits: bool,
    pub requester: Option<Requester>,
    pub refills_allowed: Option<u32>,
    /// The last moment at which it is to be dispensed.
    pub valid_until: Option<String>,
    pub notes: Vec<String>,
}

/// Who prescribed it.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct Requester {
    pub display: Option<String>,
    /// Is nobody else named, who could be taken for the requester?
    pub alone: bool,
}

impl Prescription {
    /// Reads a MedicationRequest's JSON, with that of the Medication it refers to, if at hand.
    pub fn parse(json: &str, medication: Option<&str>) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let labels = |concepts: Vec<CodeableConcept>| -> Vec<String> {
            let labels = concepts.iter().filter_map(CodeableConcept::label);
            labels.map(str::to_owned).collect()
        };
        let mut reasons = labels(object.list("reasonCode")?);
        let conditions: Vec<Link> = object.list("reasonReference")?;
        reasons.extend(conditions.into_iter().filter_map(|link| link.display));
        let status_reason: Option<CodeableConcept> = object.get("statusReason")?;
        let dispensing = Dispensing::of(&object)?;
        let notes: Vec<Note> = object.list("note")?;
        let dosage = object.list::<&RawValue>("dosageInstruction")?.into_iter();
        let dosage = dosage.map(instruction).collect::<Result<Vec<_>, _>>()?;
        let requester: Option<Link> = object.get("requester")?;
        Ok(Self {
            name: name(&object, medication)?,
            status: object.text("status")?,
            intent: object.text("intent")?,
            authored_on: object.text("authoredOn")?,
            dosage_beyond_words: dosage.contains(&Instruction::BeyondWords),
            dosage: dosage.into_iter().filter_map(Instruction::words).collect(),
            reasons,
            status_reason: status_reason
                .as_ref()
                .and_then(CodeableConcept::label)
                .map(str::to_owned),
            prohibits: object.get("doNotPerform")?.unwrap_or(false),
            requester: requester.map(|link| Requester {
                display: link.display,
                alone: !object.has("recorder") && !object.has("performer"),
            }),
            refills_allowed: dispensing.refills,
            valid_until: dispensing.until,
            notes: notes.into_iter().filter_map(|note| note.text).collect(),
        })
    }
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct Note {
    text: Option<String>,
}

/// What the prescription says to whoever dispenses it.
#[derive(Default)]
struct Dispensing {
    refills: Option<u32>,
    until: Option<String>,
}

impl Dispensing {
    fn of(object: &Object<'_>) -> Result<Self, Reason> {
        let Some(raw) = object.raw("dispenseRequest") else {
            return Ok(Self::default());
        };
        let request = Object::parse(raw).map_err(|_| Reason::Malformed("dispenseRequest"))?;
        let validity: Option<Period> = request.get("validityPeriod")?;
        Ok(Self {
            refills: request.get("numberOfRepeatsAllowed")?,
            until: validity.and_then(|period| period.end),
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

/// The members of a structured dosage (<https://hl7.org/fhir/R4/dosage.html>) that [`instruction`]
/// can put into words. With any other, half an instruction would read like a whole one, so none is
/// given.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
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
    method: Option<CodeableConcept>,
    #[serde(default)]
    dose_and_rate: Vec<DoseAndRate<'a>>,
    max_dose_per_period: Option<Ratio<'a>>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Timing<'a> {
    #[serde(borrow)]
    repeat: Option<Repeat<'a>>,
    code: Option<CodeableConcept>,
}

/// <https://hl7.org/fhir/R4/datatypes.html#Timing>
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Repeat<'a> {
    frequency: Option<u32>,
    frequency_max: Option<u32>,
    #[serde(borrow)]
    period: Option<&'a RawValue>,
    #[serde(borrow)]
    period_max: Option<&'a RawValue>,
    period_unit: Option<String>,
    #[serde(default)]
    day_of_week: Vec<String>,
    #[serde(default)]
    time_of_day: Vec<String>,
    #[serde(default)]
    when: Vec<String>,
    bounds_duration: Option<Quantity<'a>>,
    bounds_period: Option<Period>,
    count: Option<u32>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DoseAndRate<'a> {
    /// Ordered or calculated: says nothing to the patient.
    #[serde(rename = "type")]
    _kind: Option<CodeableConcept>,
    #[serde(borrow)]
    dose_quantity: Option<Quantity<'a>>,
    #[serde(borrow)]
    dose_range: Option<Range<'a>>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct Range<'a> {
    #[serde(borrow)]
    low: Option<Quantity<'a>>,
    #[serde(borrow)]
    high: Option<Quantity<'a>>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct Ratio<'a> {
    #[serde(borrow)]
    numerator: Option<Quantity<'a>>,
    #[serde(borrow)]
    denominator: Option<Quantity<'a>>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct Quantity<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    unit: Option<String>,
    code: Option<String>,
    comparator: Option<String>,
}

impl Quantity<'_> {
    /// The number and its unit.
    fn parts(&self) -> Option<(&str, Option<&str>)> {
        if self.comparator.is_some() {
            return None;
        }
        let unit = self.unit.as_deref().or(self.code.as_deref());
        let unit = unit.filter(|unit| !unit.trim().is_empty());
        Some((whole(self.value?.get()), unit))
    }

    fn words(&self) -> Option<String> {
        let (value, unit) = self.parts()?;
        Some(unit.map_or_else(|| value.to_owned(), |unit| format!("{value} {unit}")))
    }

    /// A span of time (UCUM).
    fn span(&self) -> Option<String> {
        let value = whole(self.value?.get());
        self.comparator.is_none().then_some(())?;
        span(value, self.code.as_deref().or(self.unit.as_deref())?)
    }
}

/// What can be said of an instruction.
#[derive(PartialEq, Eq)]
enum Instruction {
    Words(String),
    /// It says nothing.
    Nothing,
    BeyondWords,
}

impl Instruction {
    fn words(self) -> Option<String> {
        match self {
            Self::Words(words) => Some(words),
            Self::Nothing | Self::BeyondWords => None,
        }
    }
}

/// The text of the instruction, else its structure in words.
fn instruction(raw: &RawValue) -> Result<Instruction, Reason> {
    let object = Object::parse(raw).map_err(|_| Reason::Malformed("dosageInstruction"))?;
    if let Some(text) = object.text("text")?.filter(|text| !text.trim().is_empty()) {
        return Ok(Instruction::Words(text));
    }
    let structured: Result<Structured<'_>, _> = serde_json::from_str(raw.get());
    let words = structured.ok().as_ref().and_then(in_words);
    Ok(match words {
        None => Instruction::BeyondWords,
        Some(words) if words.is_empty() => Instruction::Nothing,
        Some(words) => Instruction::Words(words.join(", ")),
    })
}

fn in_words(dosage: &Structured<'_>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    if let Some(method) = &dosage.method {
        words.push(method.label()?.to_owned());
    }
    match dosage.dose_and_rate.as_slice() {
        [] => {}
        [one] => words.push(format!("{} per dose", dose(one)?)),
        _ => return None,
    }
    if let Some(timing) = &dosage.timing {
        match (&timing.repeat, &timing.code) {
            (Some(repeat), _) => words.extend(how_often(repeat)?),
            (None, Some(code)) => words.push(code.label()?.to_owned()),
            (None, None) => return None,
        }
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
    if let Some(most) = &dosage.max_dose_per_period {
        let per = most.denominator.as_ref()?.span()?;
        let per = per.strip_prefix("1 ").unwrap_or(&per);
        let most = most.numerator.as_ref()?.words()?;
        words.push(format!("at most {most} per {per}"));
    }
    for instruction in &dosage.additional_instruction {
        words.push(instruction.label()?.to_owned());
    }
    words.extend(dosage.patient_instruction.clone());
    Some(words)
}

fn dose(dose: &DoseAndRate<'_>) -> Option<String> {
    match (&dose.dose_quantity, &dose.dose_range) {
        (Some(dose), None) => dose.words(),
        (None, Some(range)) => {
            let (low, unit) = range.low.as_ref()?.parts()?;
            let (high, same) = range.high.as_ref()?.parts()?;
            (unit.is_none() || unit == same).then_some(())?;
            let unit = same.map(|unit| format!(" {unit}")).unwrap_or_default();
            Some(format!("{low} to {high}{unit}"))
        }
        _ => None,
    }
}

fn how_often(repeat: &Repeat<'_>) -> Option<Vec<String>> {
    let mut words = Vec::new();
    match (repeat.frequency, repeat.period) {
        (None, None) if repeat.frequency_max.is_none() && repeat.period_max.is_none() => {}
        (frequency, Some(period)) => {
            let times = times(frequency.unwrap_or(1), repeat.frequency_max)?;
            let unit = repeat.period_unit.as_deref()?;
            let every = match (whole(period.get()), repeat.period_max) {
                (low, Some(high)) => format!("{low} to {}", span(whole(high.get()), unit)?),
                ("1", None) => time_unit(unit)?.to_owned(),
                (period, None) => span(period, unit)?,
            };
            words.push(format!("{times} every {every}"));
        }
        _ => return None,
    }
    let days = repeat.day_of_week.iter().map(|day| day_of_week(day));
    let days = days.collect::<Option<Vec<_>>>()?;
    if !days.is_empty() {
        words.push(format!("on {}", days.join(" and ")));
    }
    if !repeat.time_of_day.is_empty() {
        words.push(format!("at {}", repeat.time_of_day.join(" and ")));
    }
    for event in &repeat.when {
        words.push(event_timing(event)?.to_owned());
    }
    if let Some(count) = repeat.count {
        words.push(format!("{} in all", times(count, None)?));
    }
    if let Some(duration) = &repeat.bounds_duration {
        words.push(format!("for {}", duration.span()?));
    }
    if let Some(period) = &repeat.bounds_period {
        let start = period.start.iter().map(|start| format!("from {start}"));
        words.extend(start.chain(period.end.iter().map(|end| format!("until {end}"))));
    }
    (!words.is_empty()).then_some(words)
}

fn times(frequency: u32, most: Option<u32>) -> Option<String> {
    Some(match (frequency, most) {
        (0, _) => return None,
        (low, Some(high)) if low != high => format!("{low} to {high} times"),
        (1, _) => "once".to_owned(),
        (2, _) => "twice".to_owned(),
        (many, _) => format!("{many} times"),
    })
}

fn span(value: &str, unit: &str) -> Option<String> {
    let plural = if value == "1" { "" } else { "s" };
    Some(format!("{value} {}{plural}", time_unit(unit)?))
}

/// <https://hl7.org/fhir/R4/valueset-units-of-time.html>
fn time_unit(code: &str) -> Option<&'static str> {
    Some(match code {
        "s" => "second",
        "min" => "minute",
        "h" => "hour",
        "d" => "day",
        "wk" => "week",
        "mo" => "month",
        "a" => "year",
        _ => return None,
    })
}

fn day_of_week(code: &str) -> Option<&'static str> {
    Some(match code {
        "mon" => "Monday",
        "tue" => "Tuesday",
        "wed" => "Wednesday",
        "thu" => "Thursday",
        "fri" => "Friday",
        "sat" => "Saturday",
        "sun" => "Sunday",
        _ => return None,
    })
}

/// <https://hl7.org/fhir/R4/valueset-event-timing.html>, but for the codes with an offset's meaning.
fn event_timing(code: &str) -> Option<&'static str> {
    Some(match code {
        "MORN" => "in the morning",
        "NOON" => "at noon",
        "AFT" => "in the afternoon",
        "EVE" => "in the evening",
        "NIGHT" => "at night",
        "HS" => "before going to sleep",
        "WAKE" => "after waking",
        "C" => "at a meal",
        "CM" => "at breakfast",
        "CD" => "at lunch",
        "CV" => "at dinner",
        "AC" => "before a meal",
        "ACM" => "before breakfast",
        "ACD" => "before lunch",
        "ACV" => "before dinner",
        "PC" => "after a meal",
        "PCM" => "after breakfast",
        "PCD" => "after lunch",
        "PCV" => "after dinner",
        _ => return None,
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
                Some("1 to 4 times every day"),
            ),
            (
                r#"{"method":{"text":"Swallow"},"doseAndRate":[{"doseRange":{"low":{"value":1,"unit":"tablet"},"high":{"value":2,"unit":"tablet"}}}],"timing":{"repeat":{"frequency":1,"period":4,"periodMax":6,"periodUnit":"h","when":["PC"],"boundsDuration":{"value":5,"code":"d"}}},"maxDosePerPeriod":{"numerator":{"value":8,"unit":"tablet"},"denominator":{"value":1,"code":"d"}}}"#,
                Some(
                    "Swallow, 1 to 2 tablet per dose, once every 4 to 6 hours, after a meal, for 5 days, at most 8 tablet per day",
                ),
            ),
            (
                r#"{"timing":{"repeat":{"dayOfWeek":["mon","thu"],"timeOfDay":["08:00:00"],"count":6,"boundsPeriod":{"end":"2027-01-31"}}}}"#,
                Some("on Monday and Thursday, at 08:00:00, 6 times in all, until 2027-01-31"),
            ),
            (
                r#"{"timing":{"repeat":{"frequency":1,"period":1,"periodUnit":"d","offset":30}}}"#,
                None,
            ),
            (
                r#"{"timing":{"repeat":{"frequency":1,"period":1,"periodUnit":"d","when":["ICM"]}}}"#,
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

    #[test]
    fn tells_no_instruction_from_one_that_is_beyond_words() {
        for (members, beyond) in [
            (r#""status":"active""#, false),
            (
                r#""dosageInstruction":[{"sequence":1,"asNeededBoolean":false}]"#,
                false,
            ),
            (
                r#""dosageInstruction":[{"doseAndRate":[{"rateQuantity":{"value":1}}]}]"#,
                true,
            ),
            (
                r#""dosageInstruction":[{"text":"One"},{"timing":{"event":["2019"]}}]"#,
                true,
            ),
        ] {
            assert_eq!(
                parse(members, None).dosage_beyond_words,
                beyond,
                "{members}"
            );
        }
    }

    #[test]
    fn tells_who_why_and_how_often() {
        let one = parse(
            r#""reasonCode":[{"text":"Pain"}],"reasonReference":[{"reference":"Condition/1"},{"display":"Gout"}],
            "requester":{"display":"A doctor"},"doNotPerform":true,"statusReason":{"text":"Reaction"},
            "dispenseRequest":{"numberOfRepeatsAllowed":3,"validityPeriod":{"end":"2027-01-31"}},
            "note":[{"text":"Not with milk"}]"#,
            None,
        );
        assert_eq!(one.reasons, ["Pain", "Gout"]);
        let requester = one.requester.unwrap();
        assert_eq!(requester.display.as_deref(), Some("A doctor"));
        assert!(requester.alone && one.prohibits);
        assert_eq!(one.refills_allowed, Some(3));
        assert_eq!(one.valid_until.as_deref(), Some("2027-01-31"));
        assert_eq!(one.status_reason.as_deref(), Some("Reaction"));
        assert_eq!(one.notes, ["Not with milk"]);
        assert!(
            !parse(r#""requester":{},"recorder":{}"#, None)
                .requester
                .unwrap()
                .alone
        );
    }
}
