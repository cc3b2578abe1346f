//! Pages of lists.

use super::Spec;
use crate::http::{Cursor, Problem, Request};
use serde::Deserialize;

/// Which page of a list, of at most `MAX` entries; half of that unless told.
pub struct Page<const MAX: u8 = 100> {
    pub limit: u8,
    /// The sort key after which it starts.
    pub after: Option<String>,
    pub cursor: Cursor,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query<const MAX: u8> {
    #[serde(default)]
    limit: Limit<MAX>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Limit<const MAX: u8>(u8);

impl<const MAX: u8> Default for Limit<MAX> {
    fn default() -> Self {
        Self(MAX / 2)
    }
}

impl<const MAX: u8> TryFrom<String> for Limit<MAX> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let limit = text.parse().ok();
        let limit = limit.filter(|limit| (1..=MAX).contains(limit));
        limit
            .map(Self)
            .ok_or_else(|| format!("must be a number from 1 to {MAX}"))
    }
}

impl<const MAX: u8> Page<MAX> {
    pub(crate) fn parse(request: &Request, spec: &Spec) -> Result<Self, Problem> {
        let query: Query<MAX> = request.query()?;
        let cursor = Cursor::of(request, spec.id)?;
        let after = query.cursor.map(|text| cursor.read(&text)).transpose()?;
        Ok(Self {
            limit: query.limit.0,
            after,
            cursor,
        })
    }
}
