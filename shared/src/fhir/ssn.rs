//! Takes social security numbers out of a resource and leaves every other byte as it was.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::datatypes::Identifier;
use super::json::Object;
use super::reason::Reason;

/// Both names of the system (<https://terminology.hl7.org/NamingSystem-ssn.html>).
const SYSTEMS: [&str; 2] = ["hl7.org/fhir/sid/us-ssn", "urn:oid:2.16.840.1.113883.4.1"];

/// Code of <https://terminology.hl7.org/CodeSystem-v2-0203.html>.
const TYPE: &str = "SS";

/// Whether the identifier is a social security number, by its system or its type.
pub(super) fn is(identifier: &Identifier) -> bool {
    identifier.system.as_deref().is_some_and(is_system)
        || identifier.kind.as_ref().is_some_and(|kind| {
            kind.has_code(TYPE)
                || kind.text.as_deref().is_some_and(|text| {
                    let text = text.trim().to_ascii_lowercase();
                    matches!(text.as_str(), "ssn" | "social security number")
                })
        })
}

pub(super) fn is_system(system: &str) -> bool {
    let system = system.trim().trim_end_matches('/').to_ascii_lowercase();
    let system = system
        .strip_prefix("http://")
        .or_else(|| system.strip_prefix("https://"))
        .unwrap_or(system.as_str());
    SYSTEMS.contains(&system)
}

fn is_extension_url(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    is_system(&url)
        || url.rsplit(['/', '#', ':']).next().is_some_and(|name| {
            name.split(['-', '_']).any(|word| word == "ssn")
                || name
                    .replace(['-', '_'], "")
                    .contains("socialsecuritynumber")
        })
}

/// The resource without social security numbers: the same slice where it held none. Identifiers go
/// as whole elements, extensions with them, and a narrative that repeats the number goes as well.
pub(super) fn without(json: &RawValue) -> Result<Cow<'_, RawValue>, Reason> {
    if !may_hold(json.get()) {
        return Ok(Cow::Borrowed(json));
    }
    let mut numbers = Vec::new();
    let Cut::Changed(text) = cut(json, &mut numbers, true)? else {
        return Ok(Cow::Borrowed(json));
    };
    let mut clean = RawValue::from_string(text).map_err(|_| Reason::Unreadable)?;
    if repeats(clean.get(), &numbers) {
        clean = without_member(&clean, "text")?;
    }
    if repeats(clean.get(), &numbers) {
        return Err(Reason::SocialSecurityNumber);
    }
    Ok(Cow::Owned(clean))
}

/// A cheap look that spares most resources the walk; an escape may hide any letter.
fn may_hold(json: &str) -> bool {
    json.contains("ssn")
        || json.contains("SSN")
        || json.contains("Ssn")
        || json.contains("\"SS\"")
        || json.contains("2.16.840.1.113883.4.1\"")
        || json.contains("\\u00")
        || json.contains("ocial")
        || json.contains("OCIAL")
}

/// Whether the number stands in the text, with dashes or without.
fn repeats(json: &str, numbers: &[String]) -> bool {
    numbers.iter().any(|number| {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        digits.len() >= 9 && (json.contains(number.as_str()) || json.contains(&digits))
    })
}

enum Cut {
    Kept,
    Changed(String),
    Gone,
}

fn cut(json: &RawValue, numbers: &mut Vec<String>, top: bool) -> Result<Cut, Reason> {
    match json.get().as_bytes().first() {
        Some(b'{') => cut_object(json, numbers, top),
        Some(b'[') => {
            let elements: Vec<&RawValue> =
                serde_json::from_str(json.get()).map_err(|_| Reason::Unreadable)?;
            let mut pieces = Vec::with_capacity(elements.len());
            for element in elements {
                pieces.push((element.get(), cut(element, numbers, false)?));
            }
            Ok(assemble(json.get(), &pieces))
        }
        Some(b'"') if is_query(json.get()) => Ok(Cut::Gone),
        _ => Ok(Cut::Kept),
    }
}

/// Whether the string is a conditional reference by social security number.
fn is_query(text: &str) -> bool {
    text.contains("?identifier=") && SYSTEMS.iter().any(|system| text.contains(system))
}

fn cut_object(json: &RawValue, numbers: &mut Vec<String>, top: bool) -> Result<Cut, Reason> {
    let object = Object::parse(json)?;
    if !top {
        // Objects that are no identifier fail to read as one, or lack system and type.
        if let Ok(identifier) = serde_json::from_str::<Identifier>(json.get())
            && is(&identifier)
        {
            numbers.extend(identifier.value);
            return Ok(Cut::Gone);
        }
        let url = object
            .text("url")
            .ok()
            .flatten()
            .filter(|_| is_extension(&object));
        if url.is_some_and(|url| is_extension_url(&url)) {
            numbers.extend(object.text("valueString").ok().flatten());
            return Ok(Cut::Gone);
        }
    }
    let mut pieces = Vec::new();
    for (key, value) in object.members() {
        let outcome = cut(value, numbers, false)?;
        if is_extension(&object) && key.starts_with("value") && matches!(outcome, Cut::Gone) {
            return Ok(Cut::Gone);
        }
        pieces.push((value.get(), outcome));
    }
    Ok(assemble(json.get(), &pieces))
}

/// Whether the object has the members of <https://hl7.org/fhir/R4/extensibility.html> and no other.
fn is_extension(object: &Object<'_>) -> bool {
    object.has("url")
        && object
            .members()
            .all(|(key, _)| matches!(key, "url" | "id" | "extension") || key.starts_with("value"))
}

/// Puts a container together again from what is left of its values, each with the text that stood
/// before it; only the text of what is gone, and a comma, is missing.
fn assemble(whole: &str, pieces: &[(&str, Cut)]) -> Cut {
    if pieces
        .iter()
        .all(|(_, outcome)| matches!(outcome, Cut::Kept))
    {
        return Cut::Kept;
    }
    // FHIR knows neither empty arrays nor empty objects (https://hl7.org/fhir/R4/json.html).
    if pieces
        .iter()
        .all(|(_, outcome)| matches!(outcome, Cut::Gone))
    {
        return Cut::Gone;
    }
    let mut text = String::with_capacity(whole.len());
    let mut end = 0;
    let mut first = true;
    for (value, outcome) in pieces {
        // A piece is a slice of the whole, so its address tells where it stands.
        let start = value.as_ptr() as usize - whole.as_ptr() as usize;
        let before = whole.get(end..start).unwrap_or_default();
        end = start + value.len();
        let kept = match outcome {
            Cut::Gone => {
                if first && text.is_empty() {
                    text.push_str(before.get(..1).unwrap_or_default());
                }
                continue;
            }
            Cut::Kept => value,
            Cut::Changed(changed) => changed.as_str(),
        };
        // The first that is left takes the opening bracket, not the comma of what stood before it.
        match before.trim_ascii_start().strip_prefix(',') {
            Some(rest) if first => text.push_str(rest),
            _ => text.push_str(before),
        }
        text.push_str(kept);
        first = false;
    }
    text.push_str(whole.get(end..).unwrap_or_default());
    Cut::Changed(text)
}

fn without_member(json: &RawValue, name: &str) -> Result<Box<RawValue>, Reason> {
    let object = Object::parse(json)?;
    let pieces: Vec<_> = object
        .members()
        .map(|(key, value)| (value.get(), if key == name { Cut::Gone } else { Cut::Kept }))
        .collect();
    match assemble(json.get(), &pieces) {
        Cut::Changed(text) => RawValue::from_string(text).map_err(|_| Reason::Unreadable),
        Cut::Kept => Ok(json.to_owned()),
        Cut::Gone => Err(Reason::SocialSecurityNumber),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(json: &str) -> Result<String, Reason> {
        without(serde_json::from_str(json).unwrap()).map(|clean| clean.get().to_owned())
    }

    const SSN: &str = r#"{"system":"http://hl7.org/fhir/sid/us-ssn","value":"999-12-3456"}"#;

    #[test]
    fn cuts_the_element_and_nothing_else() {
        for (template, expected) in [
            (
                r#"{"a":1.10, "identifier": [ @ , {"value":"7"} ]}"#,
                r#"{"a":1.10, "identifier": [ {"value":"7"} ]}"#,
            ),
            (
                r#"{"identifier":[{"value":"7"}, @]}"#,
                r#"{"identifier":[{"value":"7"}]}"#,
            ),
            (
                r#"{"identifier":[{"value":"7"}, @, {"value":"8"}]}"#,
                r#"{"identifier":[{"value":"7"}, {"value":"8"}]}"#,
            ),
            (r#"{"identifier":[@],"b":15.00}"#, r#"{"b":15.00}"#),
            (r#"{"b":15.00, "identifier":[@,@]}"#, r#"{"b":15.00}"#),
            (
                r#"{"extension":[{"url":"x","valueIdentifier":@},{"url":"y","valueCode":"F"}]}"#,
                r#"{"extension":[{"url":"y","valueCode":"F"}]}"#,
            ),
            (
                r#"{"a":0,"extension":[{"url":"http://a.example/us-ssn","valueString":"999-12-3456"}]}"#,
                r#"{"a":0}"#,
            ),
            (
                r#"{"a":{"subject":{"identifier":@,"display":"é"}}}"#,
                r#"{"a":{"subject":{"display":"é"}}}"#,
            ),
            (
                r#"{"a":0,"subject":{"reference":"Patient?identifier=http://hl7.org/fhir/sid/us-ssn|999-12-3456"}}"#,
                r#"{"a":0}"#,
            ),
            (
                r#"{"text":{"div":"SSN 999123456"},"a":0,"identifier":[@]}"#,
                r#"{"a":0}"#,
            ),
        ] {
            assert_eq!(
                clean(&template.replace('@', SSN)).as_deref(),
                Ok(expected),
                "{template}"
            );
        }
    }

    #[test]
    fn knows_it_by_type_or_escaped_system() {
        let by_type = r#"{"a":0,"identifier":[{"type":{"coding":[{"code":"SS"}]},"value":"9"}]}"#;
        assert_eq!(clean(by_type).as_deref(), Ok(r#"{"a":0}"#));
        let escaped =
            r#"{"a":0,"identifier":[{"system":"http:\/\/hl7.org\/fhir\/sid\/us-\u0073sn"}]}"#;
        assert_eq!(clean(escaped).as_deref(), Ok(r#"{"a":0}"#));
    }

    #[test]
    fn what_cannot_be_cut_is_refused() {
        let json = format!(r#"{{"name":[{{"text":"Jo 999-12-3456"}}],"identifier":[{SSN}]}}"#);
        assert_eq!(clean(&json), Err(Reason::SocialSecurityNumber));
    }

    #[test]
    fn a_resource_without_one_stays_the_same_slice() {
        let json: &RawValue = serde_json::from_str(r#"{"note":[{"text":"social ssn"}]}"#).unwrap();
        assert!(matches!(without(json), Ok(Cow::Borrowed(same)) if same.get() == json.get()));
    }
}
