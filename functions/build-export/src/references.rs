//! References in FHIR JSON (<https://hl7.org/fhir/R4/references.html>), found and replaced in the
//! text itself: every other byte stays as it was imported, digits of numbers too.

use serde_json::Value;
use std::borrow::Cow;

/// Replaces references: `replace` gets the member of the resource that a reference stands in, and
/// the reference.
pub(crate) fn replaced<'j>(
    json: &'j str,
    mut replace: impl FnMut(&str, &str) -> Option<String>,
) -> Cow<'j, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut member = String::new();
    let mut depth = 0_usize;
    let mut rest = json.bytes().enumerate();
    let mut is_reference = false;
    while let Some((at, byte)) = rest.next() {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let mut escaped = false;
                let end = rest.by_ref().find(|(_, byte)| {
                    let ends = *byte == b'"' && !escaped;
                    escaped = *byte == b'\\' && !escaped;
                    ends
                });
                let Some((end, _)) = end else { break };
                let token = json.get(at..=end).unwrap_or_default();
                let after = json.get(end + 1..).unwrap_or_default();
                if after.trim_ascii_start().starts_with(':') {
                    is_reference = token == "\"reference\"";
                    if depth == 1 {
                        member = token.trim_matches('"').to_owned();
                    }
                } else if std::mem::take(&mut is_reference)
                    && let Ok(Value::String(reference)) = serde_json::from_str(token)
                    && let Some(new) = replace(&member, &reference)
                {
                    out.push_str(json.get(copied..at).unwrap_or_default());
                    out.push_str(&Value::String(new).to_string());
                    copied = end + 1;
                }
            }
            b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => is_reference = false,
        }
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    Cow::Owned(out)
}

/// What a reference says of its target.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target<'r> {
    /// Inside the resource itself.
    Contained,
    Uuid(&'r str),
    /// `Type/id`, maybe with the base of a server.
    Literal {
        base: Option<&'r str>,
        kind: &'r str,
        id: &'r str,
    },
    /// `Type?identifier=system|value`, as transactions have them.
    Conditional {
        kind: &'r str,
        identifier: &'r str,
    },
    Other,
}

impl<'r> Target<'r> {
    pub(crate) fn of(reference: &'r str) -> Self {
        if reference.starts_with('#') {
            return Self::Contained;
        }
        if let Some(id) = reference.strip_prefix("urn:uuid:") {
            return Self::Uuid(id);
        }
        if let Some((kind, identifier)) = reference.split_once("?identifier=") {
            return Self::Conditional { kind, identifier };
        }
        let versionless = reference
            .split_once("/_history/")
            .map_or(reference, |(versionless, _)| versionless);
        let Some((path, id)) = versionless.rsplit_once('/') else {
            return Self::Other;
        };
        match path.rsplit_once('/') {
            Some((base, kind)) => Self::Literal {
                base: Some(base),
                kind,
                id,
            },
            None => Self::Literal {
                base: None,
                kind: path,
                id,
            },
        }
    }

    /// The type of what it leads to, if it says so.
    pub(crate) const fn kind(&self) -> Option<&'r str> {
        match self {
            Self::Literal { kind, .. } | Self::Conditional { kind, .. } => Some(kind),
            Self::Contained | Self::Uuid(_) | Self::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_references_and_nothing_else() {
        let json = r##"{"id":"reference","subject":{"reference" : "Patient/1","display":"\"reference\":\"x\""},
            "note":[{"text":"reference","value":1.50}],"encounter":{"reference":"urn:a\/b"},"x":{"reference":{"reference":"#c"}}}"##;
        let mut seen = Vec::new();
        let out = replaced(json, |member, reference| {
            seen.push(format!("{member} {reference}"));
            (member == "subject").then(|| "urn:\"1\"".to_owned())
        });
        assert_eq!(seen, ["subject Patient/1", "encounter urn:a/b", "x #c"]);
        assert_eq!(out, json.replace("\"Patient/1\"", r#""urn:\"1\"""#));
        assert!(matches!(replaced(json, |_, _| None), Cow::Borrowed(_)));
    }

    #[test]
    fn tells_what_a_reference_leads_to() {
        let literal = |base, kind, id| Target::Literal { base, kind, id };
        for (reference, expected) in [
            ("#a", Target::Contained),
            ("urn:uuid:1", Target::Uuid("1")),
            ("Patient/1", literal(None, "Patient", "1")),
            (
                "https://a.example/fhir/Patient/1/_history/2",
                literal(Some("https://a.example/fhir"), "Patient", "1"),
            ),
            (
                "Location?identifier=https://a.example/b|c",
                Target::Conditional {
                    kind: "Location",
                    identifier: "https://a.example/b|c",
                },
            ),
            ("nothing", Target::Other),
        ] {
            assert_eq!(Target::of(reference), expected);
        }
    }
}
