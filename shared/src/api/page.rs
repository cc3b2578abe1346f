//! Pages of lists.

use super::Spec;
use crate::http::{Cursor, Problem, Request};
use crate::store::Span;
use serde::Deserialize;

/// Which page of a list, of at most `MAX` entries; half of that unless told.
pub struct Page<const MAX: u8 = 100> {
    pub limit: u8,
    /// The sort key after which it starts.
    pub after: Option<String>,
    pub cursor: Cursor,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Query<const MAX: u8> {
    #[serde(default)]
    limit: Limit<MAX>,
    cursor: Option<String>,
}

/// How many entries a page holds: 1 to `MAX`, half of that unless told.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
pub(crate) struct Limit<const MAX: u8 = 100>(u8);

impl<const MAX: u8> Default for Limit<MAX> {
    fn default() -> Self {
        Self(MAX / 2)
    }
}

impl<const MAX: u8> TryFrom<String> for Limit<MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.parse() {
            // `+5` and `05` are numbers too.
            Ok(limit) if (1..=MAX).contains(&limit) && text == u8::to_string(&limit) => {
                Ok(Self(limit))
            }
            _ => Err(format!("must be a number from 1 to {MAX}")),
        }
    }
}

/// The same as a number in a body; `UNTOLD` of them unless told.
#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "u64")]
pub(crate) struct BodyLimit<const MAX: u8, const UNTOLD: u8>(pub u8);

impl<const MAX: u8, const UNTOLD: u8> Default for BodyLimit<MAX, UNTOLD> {
    fn default() -> Self {
        Self(UNTOLD)
    }
}

impl<const MAX: u8, const UNTOLD: u8> TryFrom<u64> for BodyLimit<MAX, UNTOLD> {
    type Error = String;

    fn try_from(limit: u64) -> Result<Self, String> {
        match u8::try_from(limit) {
            Ok(limit) if (1..=MAX).contains(&limit) => Ok(Self(limit)),
            _ => Err(format!("must be a number from 1 to {MAX}")),
        }
    }
}

impl<const MAX: u8> Page<MAX> {
    pub(crate) fn parse(request: &Request, spec: &Spec) -> Result<Self, Problem> {
        let query: Query<MAX> = request.query()?;
        Self::of(request, spec.id, query.limit, query.cursor)
    }

    /// Whether it goes on where it may: with other filters than the page before it does not.
    pub(crate) fn within(&self, span: &Span) -> Result<(), Problem> {
        match &self.after {
            Some(key) if !span.holds(key) => Err(Problem::field(
                "query/cursor",
                "must be of a former page of the same list, with the same filters",
            )),
            _ => Ok(()),
        }
    }

    /// The page of a list that takes more parameters than these.
    pub(crate) fn of(
        request: &Request,
        list: &'static str,
        limit: Limit<MAX>,
        after: Option<String>,
    ) -> Result<Self, Problem> {
        let cursor = Cursor::of(request, list)?;
        let after = after.map(|text| cursor.read(&text)).transpose()?;
        Ok(Self {
            limit: limit.0,
            after,
            cursor,
        })
    }
}
