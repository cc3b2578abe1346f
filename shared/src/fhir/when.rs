//! When something was so, in whichever of FHIR's ways the source wrote it: a date, a period, an age,
//! a range or words (<https://hl7.org/fhir/R4/formats.html#choice>).

use serde::Serialize;

use super::datatypes::Period;
use super::json::Object;
use super::observation::{self, Quantity};
use super::reason::Reason;

/// Dates with the precision that the source gave them; what is no date in words.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(test, derive(Debug))]
pub struct When {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// The members of one choice, such as `onsetDateTime` and its siblings.
pub(super) struct Choice {
    pub(super) date: &'static str,
    pub(super) period: &'static str,
    pub(super) age: &'static str,
    pub(super) range: &'static str,
    pub(super) words: &'static str,
}

impl Choice {
    pub(super) fn read(&self, object: &Object<'_>) -> Result<Option<When>, Reason> {
        if let Some(start) = object.text(self.date)? {
            return Ok(Some(When {
                start: Some(start),
                ..When::default()
            }));
        }
        if let Some(period) = period(object, self.period)? {
            return Ok(Some(period));
        }
        let words = match observation::quantity(object, self.age)? {
            Some(age) => Quantity::display(&age),
            None => match observation::range_of(object, self.range)? {
                Some(range) => Some(range),
                None => object.text(self.words)?,
            },
        };
        Ok(words.map(|text| When {
            text: Some(text),
            ..When::default()
        }))
    }
}

/// A member that is a Period.
pub(super) fn period(object: &Object<'_>, member: &'static str) -> Result<Option<When>, Reason> {
    let period: Option<Period> = object.get(member)?;
    Ok(period.map(|Period { start, end }| When {
        start,
        end,
        text: None,
    }))
}
