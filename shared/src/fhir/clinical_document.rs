//! A clinical document as a list of them shows it, and what is in it: a DocumentReference or the
//! presented form of a DiagnosticReport (<https://hl7.org/fhir/R4/documentreference.html>,
//! <https://hl7.org/fhir/R4/diagnosticreport.html>).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::datatypes::{CodeableConcept, Link, Period};
use super::json::Object;
use super::reason::Reason;

#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct ClinicalDocument {
    pub title: Option<String>,
    /// `current`, `superseded`; of a report `final`, `preliminary`, ...
    pub status: Option<String>,
    /// As the source wrote it.
    pub date: Option<String>,
    pub authors: Vec<String>,
    /// What a report concludes, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conclusion: Option<String>,
    #[serde(skip)]
    pub attachments: Vec<Attachment>,
}

/// An Attachment (<https://hl7.org/fhir/R4/datatypes.html#Attachment>).
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
#[serde(rename_all = "camelCase")]
pub struct Attachment {
    pub content_type: Option<String>,
    pub title: Option<String>,
    data: Option<String>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
struct Content {
    #[serde(default)]
    attachment: Attachment,
}

impl ClinicalDocument {
    /// Reads a DocumentReference's or a DiagnosticReport's JSON.
    pub fn parse(json: &str) -> Result<Self, Reason> {
        let object = Object::parse_str(json)?;
        let kind: Option<CodeableConcept> = object.get("type")?.or(object.get("code")?);
        let contents: Vec<Content> = object.list("content")?;
        let presented: Vec<Attachment> = object.list("presentedForm")?;
        let effective: Option<Period> = object.get("effectivePeriod")?;
        let authors: Vec<Link> = object.list("author")?;
        let performers: Vec<Link> = object.list("performer")?;
        let description = object.text("description")?;
        Ok(Self {
            title: kind
                .as_ref()
                .and_then(CodeableConcept::label)
                .map(str::to_owned)
                .or(description),
            status: object.text("status")?,
            date: object
                .text("date")?
                .or(object.text("effectiveDateTime")?)
                .or(effective.and_then(|period| period.start.or(period.end)))
                .or(object.text("issued")?),
            authors: authors
                .into_iter()
                .chain(performers)
                .filter_map(|author| author.display)
                .collect(),
            attachments: contents
                .into_iter()
                .map(|content| content.attachment)
                .chain(presented)
                .collect(),
            conclusion: object.text("conclusion")?,
        })
    }
}

impl Attachment {
    /// What is in it, if it is here and not at an address elsewhere.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        // FHIR's base64Binary may be broken into lines.
        let data: String = self
            .data
            .as_deref()?
            .chars()
            .filter(|c| !c.is_ascii_whitespace())
            .collect();
        STANDARD.decode(data).ok()
    }

    /// The text, if it is plain text in UTF-8.
    pub fn text(&self) -> Option<String> {
        let media_type = self.content_type.as_deref().unwrap_or_default();
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("text/plain") {
            return None;
        }
        String::from_utf8(self.bytes()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_references_and_reports() {
        let reference = r#"{"resourceType":"DocumentReference","status":"superseded","date":"2019-04-01",
            "type":{"coding":[{"code":"34117-2","display":"History and physical note"}]},
            "author":[{"display":"Dr. A"},{"reference":"Practitioner/1"}],
            "content":[{"attachment":{"contentType":"text/plain; charset=utf-8","data":"Y2Fm\nw6k="}},
                       {"attachment":{"contentType":"text/html","data":"PGI+"}},
                       {"attachment":{"url":"Binary/1"}}]}"#;
        let document = ClinicalDocument::parse(reference).unwrap();
        assert_eq!(document.title.as_deref(), Some("History and physical note"));
        assert_eq!(document.authors, ["Dr. A"]);
        let texts: Vec<_> = document.attachments.iter().map(Attachment::text).collect();
        assert_eq!(texts, [Some("café".to_owned()), None, None]);
        assert_eq!(
            document.attachments[1].bytes().as_deref(),
            Some(&b"<b>"[..])
        );
        assert_eq!(document.attachments[2].bytes(), None);

        let report = r#"{"status":"final","code":{"text":"Note"},"issued":"2020-01-01T00:00:00Z",
            "performer":[{"display":"Dr. B"}],"conclusion":"All is well","presentedForm":[{"contentType":"text/plain","data":"YQ=="}],
            "result":[{"reference":"Observation/1"}]}"#;
        let report = ClinicalDocument::parse(report).unwrap();
        assert_eq!(report.date.as_deref(), Some("2020-01-01T00:00:00Z"));
        assert_eq!(report.attachments[0].text().as_deref(), Some("a"));
        assert_eq!(report.conclusion.as_deref(), Some("All is well"));
        assert_eq!(report.authors, ["Dr. B"]);
        assert!(ClinicalDocument::parse(r#"{"content":7}"#).is_err());
    }
}
