//! Takes social security numbers out of a resource and leaves every other byte as it was.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::datatypes::Identifier;
use super::index::percent_decoded;
use super::json::Object;
use super::reason::Reason;

/// The system's OID (<https://terminology.hl7.org/NamingSystem-ssn.html>).
const OID: &str = "2.16.840.1.113883.4.1";

/// Whether the identifier is a social security number: by its system, by its type, or, where it has
/// no system and no code that calls it something else, by how it is written.
pub(super) fn is(identifier: &Identifier) -> bool {
    let system = identifier.system.as_deref().unwrap_or_default().trim();
    let kind = identifier.kind.as_ref();
    let mut texts = kind.into_iter().flat_map(|kind| {
        let codes = kind.coding.iter().flat_map(|one| [&one.code, &one.display]);
        codes.chain([&kind.text]).filter_map(Option::as_deref)
    });
    let is_coded = kind.is_some_and(|kind| kind.coding.iter().any(|one| one.code.is_some()));
    is_system(system)
        || texts.any(is_label)
        || (system.is_empty()
            && !is_coded
            && identifier
                .value
                .as_deref()
                .is_some_and(|value| is_written_as_one(value.trim().as_bytes())))
}

pub(super) fn is_system(system: &str) -> bool {
    let system = system.trim();
    // A host may be called anything; only what it calls the number counts.
    let name = system.split_once("://").map_or(system, |(_, rest)| {
        rest.split_once('/').map_or(rest, |(_, path)| path)
    });
    names_it(name) || system.trim_start_matches("urn:oid:") == OID
}

/// Whether a code or a text is the name of the number: `SS` is its code
/// (<https://terminology.hl7.org/CodeSystem-v2-0203.html>), and may be anything in a longer text.
fn is_label(text: &str) -> bool {
    let letters: String = words(text).concat();
    matches!(letters.as_str(), "ss" | "ssno" | "ssnumber") || names_it(text)
}

/// Whether the name has the word, however it is written: `us-ssn`, `patientSSN`, `Soc Sec #`.
fn names_it(name: &str) -> bool {
    let words = words(name);
    let letters = words.concat();
    words.iter().any(|word| word.starts_with("ssn"))
        || letters == "ssn"
        || letters.contains("socialsec")
        || letters.contains("socsec")
}

/// The words of a name in small letters, parted by anything else or by a capital after a small one.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut last_is_small = false;
    for letter in name.chars() {
        let begins = last_is_small && letter.is_ascii_uppercase();
        last_is_small = letter.is_ascii_lowercase();
        if begins || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter.is_alphanumeric()) {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words
}

/// Three, two and four digits, parted by hyphens or blanks.
fn is_written_as_one(value: &[u8]) -> bool {
    value.len() == 11
        && value.iter().enumerate().all(|(at, byte)| match at {
            3 | 6 => matches!(byte, b'-' | b' '),
            _ => byte.is_ascii_digit(),
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
    let begins = |word: &[u8]| {
        [b"ssn", b"s.s", b"s s", b"soc", b"\"ss", b" ss", b"\\u0"]
            .iter()
            .any(|other| word.eq_ignore_ascii_case(*other))
    };
    let bytes = json.as_bytes();
    bytes.windows(3).any(begins) || bytes.windows(11).any(is_written_as_one) || json.contains(OID)
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
fn is_query(json: &str) -> bool {
    let Ok(text) = serde_json::from_str::<Cow<'_, str>>(json) else {
        return false;
    };
    let token = text.split_once("?identifier=").map(|(_, token)| token);
    token.is_some_and(|token| {
        let decoded = percent_decoded(token).unwrap_or_else(|| token.to_owned());
        decoded
            .split_once('|')
            .is_some_and(|(system, _)| is_system(system))
    })
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
        if url.is_some_and(|url| is_system(&url)) {
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
    fn knows_it_by_any_name_and_by_how_it_is_written() {
        for identifier in [
            r#"{"system":"http://example.org/ssn","value":"999123456"}"#,
            r#"{"system":"urn:us:ssn","value":"999123456"}"#,
            r#"{"system":"https://a.example/fhir/sid/patientSSN","value":"999123456"}"#,
            r#"{"system":"https://a.example/social_security_number/","value":"999123456"}"#,
            r#"{"system":"2.16.840.1.113883.4.1","value":"999123456"}"#,
            r#"{"system":"urn:x","type":{"text":"Soc Sec #"},"value":"999123456"}"#,
            r#"{"type":{"text":"Social Security No."},"value":"999123456"}"#,
            r#"{"type":{"text":"SSN/TIN"},"value":"999123456"}"#,
            r#"{"type":{"text":"S.S.N."},"value":"999123456"}"#,
            r#"{"type":{"text":"SS#"},"value":"999123456"}"#,
            r#"{"type":{"coding":[{"code":"x","display":"Social security number"}]},"value":"9"}"#,
            r#"{"type":{"text":"Government number"},"value":"999-12-3456"}"#,
            r#"{"system":" ","type":{"text":"Id"},"value":" 999 12 3456 "}"#,
            r#"{"type":{"text":"\u0053\u0053\u004e"},"value":"999123456"}"#,
        ] {
            let json = format!(r#"{{"a":0,"identifier":[{identifier}]}}"#);
            assert_eq!(clean(&json).as_deref(), Ok(r#"{"a":0}"#), "{identifier}");
        }
        for query in [
            "Patient?identifier=http://example.org/ssn|999-12-3456",
            "Patient?identifier=http%3A%2F%2Fexample.org%2Fssn%7C999123456",
        ] {
            let json = format!(r#"{{"a":0,"subject":{{"reference":"{query}"}}}}"#);
            assert_eq!(clean(&json).as_deref(), Ok(r#"{"a":0}"#), "{query}");
        }
    }

    #[test]
    fn other_numbers_stay() {
        const MR: &str = r#""type":{"coding":[{"code":"MR"}],"text":"Medical Record Number"}"#;
        for identifier in [
            format!(r#"{{{MR},"value":"999123456"}}"#),
            format!(r#"{{{MR},"value":"999-12-3456"}}"#),
            format!(r#"{{{MR},"system":"https://ssn.example.org/mrn","value":"999123456"}}"#),
            r#"{"system":"urn:clinic","type":{"text":"MRN"},"value":"999-12-3456"}"#.to_owned(),
            r#"{"type":{"text":"Passport"},"value":"999123456"}"#.to_owned(),
            r#"{"type":{"text":"Associate's class number"},"value":"7"}"#.to_owned(),
        ] {
            let json = format!(r#"{{"note":"ssn","identifier":[{identifier}]}}"#);
            assert_eq!(clean(&json).as_deref(), Ok(json.as_str()));
        }
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
