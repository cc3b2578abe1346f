//! Records as comma-separated values (RFC 4180).

use shared::store::StoredRecord;

/// What a record may have, in the order of the columns; the digest follows.
const COLUMNS: [&str; 21] = [
    "id",
    "at",
    "operation",
    "action",
    "outcome",
    "reason",
    "purpose",
    "actor",
    "role",
    "practitioner",
    "name",
    "patient",
    "acting_for",
    "resource",
    "via",
    "grant",
    "emergency",
    "risk",
    "source_ip",
    "user_agent",
    "request_id",
];

/// The first row.
pub(crate) fn heading() -> String {
    line(COLUMNS.into_iter().chain(["sha256"]))
}

/// A record's row.
pub(crate) fn row(record: &StoredRecord, sha256: &str) -> String {
    let cells = COLUMNS.map(|name| record.attribute(name).unwrap_or_default());
    line(cells.into_iter().chain([sha256]))
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<_> = cells.map(cell).collect();
    format!("{}\r\n", cells.join(","))
}

/// A cell in quotation marks. What a spreadsheet would take for a formula, as a browser's name may be
/// made to look like, gets an apostrophe before it.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let mark = if formula { "'" } else { "" };
    format!("\"{mark}{}\"", text.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_is_a_formula_or_ends_early() {
        assert_eq!(cell("plain, text"), "\"plain, text\"");
        assert_eq!(cell("a \"b\""), "\"a \"\"b\"\"\"");
        for begins in ["=", "+", "-", "@", "\t", "\r", "\n"] {
            assert_eq!(cell(&format!("{begins}1+1")), format!("\"'{begins}1+1\""));
        }
    }
}
