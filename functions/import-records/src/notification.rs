//! S3's notification of a new object, and the keys that belong to one file
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>).

use serde_json::Value;

const INBOX: &str = "inbox/";
const CONTINUE: &str = "continue/";
const REPORTS: &str = "reports/";

/// A file by its name below `inbox/`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) name: String,
    /// It was an object under `continue/` that was made.
    pub(crate) continued: bool,
}

impl Source {
    pub(crate) fn inbox_key(&self) -> String {
        format!("{INBOX}{}", self.name)
    }

    pub(crate) fn continue_key(&self) -> String {
        format!("{CONTINUE}{}", self.name)
    }

    /// `inbox/a.json` is reported on in `reports/a.json`, `inbox/a.ndjson` in
    /// `reports/a.ndjson.json`.
    pub(crate) fn report_key(&self) -> String {
        let end = if self.name.ends_with(".json") {
            ""
        } else {
            ".json"
        };
        format!("{REPORTS}{}{end}", self.name)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Notified {
    Object(Source),
    Unreadable,
}

/// The objects that an event tells of. Markers of folders are not files, and S3's test event tells
/// of nothing.
pub(crate) fn read(event: &Value) -> Vec<Notified> {
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Vec::new();
    }
    let Some(records) = event.get("Records").and_then(Value::as_array) else {
        return vec![Notified::Unreadable];
    };
    let object = |record: &Value| {
        let key = record.pointer("/s3/object/key").and_then(Value::as_str);
        let Some(key) = key.and_then(decoded) else {
            return Some(Notified::Unreadable);
        };
        let (name, continued) = match (key.strip_prefix(INBOX), key.strip_prefix(CONTINUE)) {
            (Some(name), _) => (name, false),
            (None, Some(name)) => (name, true),
            (None, None) => return Some(Notified::Unreadable),
        };
        (!name.is_empty() && !name.ends_with('/')).then(|| {
            Notified::Object(Source {
                name: name.to_owned(),
                continued,
            })
        })
    };
    records.iter().filter_map(object).collect()
}

/// Keys come as in a form: a plus is a space, other bytes are `%` and two digits.
fn decoded(key: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn notified(key: &str) -> Vec<Notified> {
        read(&json!({"Records": [{"s3": {"object": {"key": key}}}]}))
    }

    fn object(name: &str, continued: bool) -> Vec<Notified> {
        vec![Notified::Object(Source {
            name: name.to_owned(),
            continued,
        })]
    }

    #[test]
    fn reads_keys_as_s3_writes_them() {
        assert_eq!(
            notified("inbox/Jos%C3%A9+O%27Keefe+%28a%2Bb%29.json"),
            object("José O'Keefe (a+b).json", false)
        );
        assert_eq!(notified("continue/a/b"), object("a/b", true));
        for unreadable in ["inbox/%zz", "inbox/%F", "inbox/%FF", "elsewhere/a", ""] {
            assert_eq!(notified(unreadable), [Notified::Unreadable], "{unreadable}");
        }
        for folder in ["inbox/", "inbox/2026/", "continue/"] {
            assert_eq!(notified(folder), [], "{folder}");
        }
        assert_eq!(read(&json!({"Records": [{}]})), [Notified::Unreadable]);
        assert_eq!(read(&json!([])), [Notified::Unreadable]);
        assert_eq!(read(&json!({"Event": "s3:TestEvent"})), []);
    }

    #[test]
    fn a_report_is_json() {
        for (name, report) in [
            ("a.json", "reports/a.json"),
            ("b/a.ndjson", "reports/b/a.ndjson.json"),
        ] {
            let source = Source {
                name: name.to_owned(),
                continued: false,
            };
            assert_eq!(source.report_key(), report);
        }
    }
}
