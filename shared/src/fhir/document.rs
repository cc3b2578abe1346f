//! The outer form of a file: a Bundle or NDJSON, taken apart into resources within fixed limits.

use std::cell::Cell;
use std::fmt;

use serde::de::{self, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::json::Object;
use super::reason::{FileError, Reason};
use super::resource_type::known;

/// The largest file that is read.
pub const MAX_FILE_BYTES: usize = 256 * 1024 * 1024;

/// The most entries or lines in one file.
pub const MAX_RESOURCES: usize = 500_000;

/// The deepest nesting; serde_json's own ceiling is 128, and R4's deepest resources stay under 40.
pub const MAX_DEPTH: usize = 100;

/// The form that a file turned out to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Transaction,
    Batch,
    Collection,
    /// One resource per line; also a file that is one single resource.
    Ndjson,
}

/// A resource as it stands in the file, or why there is none at that place.
pub(super) struct Part<'a> {
    /// The entry's index from 0, or the line's number from 1.
    pub(super) position: usize,
    pub(super) full_url: Option<String>,
    pub(super) json: Result<&'a RawValue, Reason>,
}

pub(super) struct Document<'a> {
    pub(super) format: Format,
    pub(super) parts: Vec<Part<'a>>,
}

pub(super) fn split(bytes: &[u8]) -> Result<Document<'_>, FileError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(FileError::TooLarge);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| FileError::NotUtf8 {
        byte: error.valid_up_to(),
    })?;
    // RFC 8259 section 8.1 lets a reader ignore a byte order mark; exports from Windows have one.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_ascii().is_empty() {
        return Err(FileError::Empty);
    }
    if is_ndjson(text) {
        return lines(text);
    }
    if let Some(line) = too_deep(text) {
        return Err(FileError::TooDeep { line });
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(value) => bundle(value),
        // A damaged first line must not cost the lines that follow it.
        Err(_) if nonblank(text).nth(1).is_some_and(is_resource) => lines(text),
        Err(error) => Err(FileError::NotJson {
            line: error.line(),
            column: error.column(),
        }),
    }
}

fn nonblank(text: &str) -> impl Iterator<Item = &str> {
    text.split('\n')
        .map(str::trim_ascii)
        .filter(|line| !line.is_empty())
}

/// Told by content: the first line that is not blank is a whole resource other than a Bundle.
fn is_ndjson(text: &str) -> bool {
    nonblank(text).next().is_some_and(is_resource)
}

fn is_resource(line: &str) -> bool {
    line.starts_with('{')
        && line.ends_with('}')
        && too_deep(line).is_none()
        && Object::parse_str(line)
            .and_then(|object| object.text("resourceType"))
            .is_ok_and(|name| name.is_some_and(|name| name != "Bundle" && known(&name).is_some()))
}

fn lines(text: &str) -> Result<Document<'_>, FileError> {
    let mut parts = Vec::new();
    for (index, line) in text.split('\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        if parts.len() >= MAX_RESOURCES {
            return Err(FileError::TooManyResources);
        }
        let json = if too_deep(line).is_some() {
            Err(Reason::TooDeep)
        } else {
            serde_json::from_str::<&RawValue>(line).map_err(|_| Reason::NotJson)
        };
        parts.push(Part {
            position: index + 1,
            full_url: None,
            json,
        });
    }
    Ok(Document {
        format: Format::Ndjson,
        parts,
    })
}

fn bundle(value: &RawValue) -> Result<Document<'_>, FileError> {
    let object = Object::parse(value).map_err(|reason| match reason {
        Reason::NotJson => FileError::NotABundle,
        _ => FileError::Malformed("top level"),
    })?;
    let malformed = |_| FileError::NotABundle;
    match object.text("resourceType").map_err(malformed)?.as_deref() {
        Some("Bundle") => {}
        Some(name) if known(name).is_some() => {
            let part = Part {
                position: 1,
                full_url: None,
                json: Ok(value),
            };
            return Ok(Document {
                format: Format::Ndjson,
                parts: vec![part],
            });
        }
        _ => return Err(FileError::NotABundle),
    }
    let kind = object
        .text("type")
        .map_err(|_| FileError::Malformed("type"))?;
    let format = match kind.as_deref() {
        Some("transaction") => Format::Transaction,
        Some("batch") => Format::Batch,
        Some("collection") => Format::Collection,
        _ => return Err(FileError::BundleType),
    };
    let entries = match object.raw("entry") {
        Some(raw) => entries(raw)?,
        None => Vec::new(),
    };
    let parts = entries
        .into_iter()
        .enumerate()
        .map(|(index, raw)| entry(index, raw))
        .collect();
    Ok(Document { format, parts })
}

fn entry(position: usize, raw: &RawValue) -> Part<'_> {
    let read = || {
        let object = Object::parse(raw).map_err(|reason| match reason {
            Reason::NotJson => Reason::Malformed("entry"),
            other => other,
        })?;
        let full_url = object.text("fullUrl")?;
        // A DELETE names what to delete by URL; a resource beside it would not be meant to be kept.
        if let Some(request) = object.raw("request") {
            let request = Object::parse(request).map_err(|_| Reason::Malformed("request"))?;
            if request
                .text("method")
                .map_err(|_| Reason::Malformed("request"))?
                .as_deref()
                == Some("DELETE")
            {
                return Err(Reason::NoResource);
            }
        }
        Ok((full_url, object.raw("resource").ok_or(Reason::NoResource)?))
    };
    match read() {
        Ok((full_url, json)) => Part {
            position,
            full_url,
            json: Ok(json),
        },
        Err(reason) => Part {
            position,
            full_url: None,
            json: Err(reason),
        },
    }
}

/// The elements of the array, or an error before a hostile number of them takes memory.
fn entries(raw: &RawValue) -> Result<Vec<&RawValue>, FileError> {
    struct Bounded<'c>(&'c Cell<bool>);

    impl<'de> Visitor<'de> for Bounded<'_> {
        type Value = Vec<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an array")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(one) = seq.next_element::<&'de RawValue>()? {
                if all.len() >= MAX_RESOURCES {
                    self.0.set(true);
                    return Err(de::Error::custom(""));
                }
                all.push(one);
            }
            Ok(all)
        }
    }

    let too_many = Cell::new(false);
    let mut reader = serde_json::Deserializer::from_str(raw.get());
    (&mut reader)
        .deserialize_seq(Bounded(&too_many))
        .map_err(|_| {
            if too_many.get() {
                FileError::TooManyResources
            } else {
                FileError::Malformed("entry")
            }
        })
}

/// The line where nesting passes [`MAX_DEPTH`]: raw values are skipped without recursion, so
/// nothing else would stop a file of a million brackets before the typed readers meet it.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut line, mut quoted, mut escaped) = (0_usize, 1_usize, false, false);
    for byte in text.bytes() {
        match byte {
            b'\n' => line += 1,
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Some(line);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(text: &str) -> Result<(Format, Vec<Result<(), Reason>>), FileError> {
        split(text.as_bytes()).map(|document| {
            let parts = document
                .parts
                .iter()
                .map(|part| part.json.map(|_| ()))
                .collect();
            (document.format, parts)
        })
    }

    #[test]
    fn tells_bundles_from_lines() {
        let bundle = r#"{"resourceType":"Bundle","type":"batch","entry":[{"resource":{}}]}"#;
        assert_eq!(outcome(bundle), Ok((Format::Batch, vec![Ok(())])));
        assert_eq!(
            outcome(&format!("\u{feff}\n{bundle}\r\n")),
            Ok((Format::Batch, vec![Ok(())]))
        );
        let line = r#"{"resourceType":"Patient","id":"1"}"#;
        assert_eq!(outcome(line), Ok((Format::Ndjson, vec![Ok(())])));
        assert_eq!(
            outcome("{\n \"resourceType\": \"Patient\"\n}"),
            Ok((Format::Ndjson, vec![Ok(())]))
        );
        assert_eq!(
            outcome(&format!("\n{line}\r\n\n{{\"half\n{line}\n")),
            Ok((Format::Ndjson, vec![Ok(()), Err(Reason::NotJson), Ok(())]))
        );
        assert_eq!(
            outcome(&format!("{{\"half\n{line}\n")),
            Ok((Format::Ndjson, vec![Err(Reason::NotJson), Ok(())]))
        );
    }

    #[test]
    fn refuses_a_file_with_a_typed_reason() {
        let deep = format!(
            "{{\"resourceType\":\"Bundle\",\"type\":\"batch\",\n\"x\":{}{}}}",
            "[".repeat(1_000_000),
            "]".repeat(1_000_000)
        );
        let many = format!(
            r#"{{"resourceType":"Bundle","type":"batch","entry":[1{}]}}"#,
            ",1".repeat(MAX_RESOURCES)
        );
        for (text, expected) in [
            ("", FileError::Empty),
            ("\u{feff} \n", FileError::Empty),
            ("{\"a\":\n ?}", FileError::NotJson { line: 2, column: 2 }),
            ("[]", FileError::NotABundle),
            ("7", FileError::NotABundle),
            ("{}", FileError::NotABundle),
            (r#"{"resourceType":"Jane Doe"}"#, FileError::NotABundle),
            (
                r#"{"resourceType":"Bundle","type":"searchset"}"#,
                FileError::BundleType,
            ),
            (
                r#"{"resourceType":"Bundle","type":7}"#,
                FileError::Malformed("type"),
            ),
            (
                r#"{"resourceType":"Bundle","type":"batch","entry":{}}"#,
                FileError::Malformed("entry"),
            ),
            (
                r#"{"resourceType":"Bundle","resourceType":"Bundle","type":"batch"}"#,
                FileError::Malformed("top level"),
            ),
            (deep.as_str(), FileError::TooDeep { line: 2 }),
            (many.as_str(), FileError::TooManyResources),
        ] {
            assert_eq!(outcome(text), Err(expected), "{:.60}", text);
        }
        assert_eq!(
            split(b"\xff\xfe{\0}\0").err(),
            Some(FileError::NotUtf8 { byte: 0 })
        );
    }

    #[test]
    fn an_entry_without_a_resource_is_one_reason_not_the_file() {
        let text = r#"{"resourceType":"Bundle","type":"batch","entry":[
            {"request":{"method":"DELETE","url":"Patient/1"}}, 7, {"resource":null},
            {"fullUrl":7,"resource":{}}, {"resource":{},"resource":{}}]}"#;
        let expected = vec![
            Err(Reason::NoResource),
            Err(Reason::Malformed("entry")),
            Err(Reason::NoResource),
            Err(Reason::Malformed("fullUrl")),
            Err(Reason::DuplicateKey),
        ];
        assert_eq!(outcome(text), Ok((Format::Batch, expected)));
    }
}
