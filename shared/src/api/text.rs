//! Text that a person typed: trimmed, of a known length, without control characters.

use crate::Fault;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Letters, spaces and punctuation of any script on one line, `MIN` to `MAX` characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Line<const MIN: usize, const MAX: usize>(String);

/// Why a text is not taken. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotText(String);

impl NotText {
    pub(crate) fn new(must: &str) -> Self {
        Self(must.to_owned())
    }
}

impl fmt::Display for NotText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Control characters, line and paragraph separators, and the marks that turn text around
/// (Unicode Technical Report 36, bidirectional overrides).
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
}

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Line<MIN, MAX> {
    type Error = NotText;

    fn try_from(text: String) -> Result<Self, NotText> {
        let trimmed = text.trim();
        if trimmed.chars().any(is_hidden) {
            return Err(NotText::new("must not hold control characters"));
        }
        if !(MIN..=MAX).contains(&trimmed.chars().count()) {
            return Err(NotText(format!("must be {MIN} to {MAX} characters long")));
        }
        Ok(Self(trimmed.to_owned()))
    }
}

impl<const MIN: usize, const MAX: usize> From<Line<MIN, MAX>> for String {
    fn from(line: Line<MIN, MAX>) -> Self {
        line.0
    }
}

impl<const MIN: usize, const MAX: usize> Line<MIN, MAX> {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Several lines of it: paragraphs that somebody wrote about a patient, `MIN` to `MAX` characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Prose<const MIN: usize, const MAX: usize>(String);

impl<const MIN: usize, const MAX: usize> TryFrom<String> for Prose<MIN, MAX> {
    type Error = NotText;

    fn try_from(text: String) -> Result<Self, NotText> {
        let lines: Vec<_> = text.trim().lines().collect();
        let text = lines.join("\n");
        if lines.iter().any(|line| line.chars().any(is_hidden)) {
            return Err(NotText::new("must not hold control characters"));
        }
        if !(MIN..=MAX).contains(&text.chars().count()) {
            return Err(NotText(format!("must be {MIN} to {MAX} characters long")));
        }
        Ok(Self(text))
    }
}

impl<const MIN: usize, const MAX: usize> From<Prose<MIN, MAX>> for String {
    fn from(prose: Prose<MIN, MAX>) -> Self {
        prose.0
    }
}

/// A whole number, `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "openapi", schemars(with = "u16"))]
#[serde(try_from = "serde_json::Value", into = "u16")]
pub struct Number<const MIN: u16, const MAX: u16>(u16);

impl<const MIN: u16, const MAX: u16> TryFrom<serde_json::Value> for Number<MIN, MAX> {
    type Error = NotText;

    fn try_from(value: serde_json::Value) -> Result<Self, NotText> {
        let number = value.as_u64().and_then(|number| u16::try_from(number).ok());
        number
            .filter(|number| (MIN..=MAX).contains(number))
            .map(Self)
            .ok_or_else(|| NotText(format!("must be a whole number from {MIN} to {MAX}")))
    }
}

impl<const MIN: u16, const MAX: u16> From<Number<MIN, MAX>> for u16 {
    fn from(number: Number<MIN, MAX>) -> Self {
        number.0
    }
}

impl<const MIN: u16, const MAX: u16> Number<MIN, MAX> {
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl<const MAX: u16> Default for Number<0, MAX> {
    fn default() -> Self {
        Self(0)
    }
}

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $parse:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl TryFrom<String> for $name {
            type Error = NotText;

            fn try_from(text: String) -> Result<Self, NotText> {
                let parse: fn(&str) -> Result<String, &'static str> = $parse;
                parse(text.trim()).map(Self).map_err(NotText::new)
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text!(
    /// An e-mail address (RFC 5321: at most 254 characters), in lower case.
    Email,
    |text| {
        const MUST: &str = "must be an e-mail address such as name@example.org";
        let (local, domain) = text.rsplit_once('@').ok_or(MUST)?;
        let plain = |c: char| c.is_ascii_graphic() && !"()<>[]\\,;:\"@".contains(c);
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        };
        let well_formed = text.len() <= 254
            && (1..=64).contains(&local.len())
            && local.chars().all(plain)
            && local.split('.').all(|part| !part.is_empty())
            && domain.contains('.')
            && domain.split('.').all(label);
        well_formed.then(|| text.to_ascii_lowercase()).ok_or(MUST)
    }
);

text!(
    /// How an e-mail address begins, in lower case: characters that one may hold, and none that
    /// means something to a search.
    EmailPrefix,
    |text| {
        let plain = |c: char| c.is_ascii_graphic() && !"()<>[]\\,;:\"".contains(c);
        ((1..=254).contains(&text.len()) && text.chars().all(plain))
            .then(|| text.to_ascii_lowercase())
            .ok_or("must be the beginning of an e-mail address")
    }
);

text!(
    /// A telephone number as people write it: 7 to 15 digits (ITU-T E.164), with spaces, dots,
    /// hyphens, parentheses and a leading plus.
    Phone,
    |text| {
        const MUST: &str = "must be a telephone number of 7 to 15 digits";
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let body = text.strip_prefix('+').unwrap_or(text);
        let plain = body.chars().all(|c| c.is_ascii_digit() || " .-()".contains(c));
        (plain && (7..=15).contains(&digits) && text.len() <= 32)
            .then(|| text.to_owned())
            .ok_or(MUST)
    }
);

text!(
    /// A code of a terminology (<https://hl7.org/fhir/R4/datatypes.html#code>), without spaces.
    Code,
    |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        ((1..=32).contains(&text.len()) && text.chars().all(plain))
            .then(|| text.to_owned())
            .ok_or("must be a code of letters, digits, hyphens, dots and underscores")
    }
);

text!(
    /// A calendar date (RFC 3339 full-date).
    Date,
    |text| {
        const MUST: &str = "must be a date such as 1980-12-31";
        let date: jiff::civil::Date = text.parse().map_err(|_| MUST)?;
        let text_again = date.to_string();
        (text_again == text).then_some(text_again).ok_or(MUST)
    }
);

text!(
    /// A word that the practice calls something by: lower-case letters, digits and hyphens.
    Slug,
    |text| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        ((2..=40).contains(&text.len()) && text.chars().all(plain))
            .then(|| text.to_owned())
            .ok_or("must be 2 to 40 lower-case letters, digits and hyphens")
    }
);

text!(
    /// The name of a time zone (IANA).
    Zone,
    |text| {
        let zone = jiff::tz::TimeZone::get(text).ok();
        zone.and_then(|zone| zone.iana_name().map(str::to_owned))
            .ok_or("must be an IANA time zone such as America/New_York")
    }
);

/// A time on the clock, in minutes since midnight: `00:00` to `24:00`, each five minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Clock(u16);

impl TryFrom<String> for Clock {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let number = |part: &str| -> Option<u16> {
            let digits = part.len() == 2 && part.chars().all(|c| c.is_ascii_digit());
            digits.then(|| part.parse().ok()).flatten()
        };
        let time = text
            .split_once(':')
            .and_then(|(hours, minutes)| Some((number(hours)?, number(minutes)?)));
        time.filter(|(hours, minutes)| {
            *hours < 24 && *minutes < 60 || (*hours, *minutes) == (24, 0)
        })
        .filter(|(_, minutes)| minutes % 5 == 0)
        .map(|(hours, minutes)| Self(hours * 60 + minutes))
        .ok_or("must be a time such as 08:30, a multiple of five minutes")
    }
}

impl From<Clock> for String {
    fn from(clock: Clock) -> Self {
        format!("{:02}:{:02}", clock.0 / 60, clock.0 % 60)
    }
}

impl Clock {
    pub const fn minutes(self) -> u16 {
        self.0
    }
}

/// An instant (RFC 3339): date, time and offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
pub struct Instant(pub jiff::Timestamp);

impl TryFrom<String> for Instant {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        // Time zones in brackets (RFC 9557) would be taken as well.
        let plain = |c: char| c.is_ascii_digit() || "-+:.TZ".contains(c);
        let time = text.chars().all(plain).then(|| text.parse().ok());
        time.flatten()
            .map(Self)
            .ok_or("must be a time such as 2027-01-31T17:00:00Z")
    }
}

impl Date {
    pub fn day(&self) -> Option<jiff::civil::Date> {
        self.0.parse().ok()
    }
}

text!(
    /// What the clinic printed: letters and digits without those that look alike (Crockford's
    /// base 32), in groups; case and hyphens do not matter.
    ActivationCode,
    |text| {
        normalized(text, 16).ok_or("must be the 16 letters and digits that the practice gave you")
    }
);

text!(
    /// What the portal mailed, in the same letters and digits.
    MailCode,
    |text| normalized(text, 8).ok_or("must be the 8 letters and digits of the e-mail")
);

/// Crockford's base 32.
const CODE_SYMBOLS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// A code as it was made, if it is one of that length.
fn normalized(text: &str, length: usize) -> Option<String> {
    let code: String = text
        .chars()
        .filter(|c| !matches!(c, '-' | ' '))
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            c => c,
        })
        .collect();
    let known = |c: char| c.is_ascii() && CODE_SYMBOLS.contains(&(c as u8));
    (code.len() == length && code.chars().all(known)).then_some(code)
}

/// Five random bits a symbol.
fn random<const LENGTH: usize>() -> Result<String, Fault> {
    let mut random = [0; LENGTH];
    aws_lc_rs::rand::fill(&mut random).map_err(|_| Fault::Defect("random numbers"))?;
    let symbols = random
        .iter()
        .filter_map(|byte| CODE_SYMBOLS.get(usize::from(byte % 32)));
    Ok(symbols.map(|&symbol| char::from(symbol)).collect())
}

/// Groups of four.
fn grouped(code: &str) -> String {
    let mut grouped = String::new();
    for (at, symbol) in code.chars().enumerate() {
        if at > 0 && at % 4 == 0 {
            grouped.push('-');
        }
        grouped.push(symbol);
    }
    grouped
}

impl ActivationCode {
    /// A new code: 80 random bits.
    pub fn random() -> Result<Self, Fault> {
        random::<16>().map(Self)
    }

    /// As it is printed: four groups of four.
    pub fn grouped(&self) -> String {
        grouped(&self.0)
    }
}

impl MailCode {
    /// A new code: 40 random bits.
    pub fn random() -> Result<Self, Fault> {
        random::<8>().map(Self)
    }

    /// As it is mailed: two groups of four.
    pub fn grouped(&self) -> String {
        grouped(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(text: &str) -> Option<String> {
        Email::try_from(text.to_owned()).ok().map(Into::into)
    }

    #[test]
    fn addresses() {
        assert_eq!(
            email(" Ann.O'Neil+x@Example.ORG ").as_deref(),
            Some("ann.o'neil+x@example.org")
        );
        for wrong in [
            "",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a b@c.de",
            "a@b..c",
            "a@-b.c",
            "a\n@b.co",
            "ä@b.co",
            "a..b@c.de",
        ] {
            assert_eq!(email(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn beginnings_of_addresses_hold_nothing_that_a_search_understands() {
        let prefix = |text: &str| EmailPrefix::try_from(text.to_owned());
        assert_eq!(prefix(" Ann.O'N ").unwrap().as_str(), "ann.o'n");
        assert!(prefix("ann@example.org").is_ok());
        for wrong in ["", "a\"", "a\" or \"1", "a\\", "a b", "ä", "a\nb", "(a"] {
            assert!(prefix(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn lines() {
        type Short = Line<1, 5>;
        assert_eq!(
            Short::try_from(" José ".to_owned()).unwrap().as_str(),
            "José"
        );
        for wrong in ["", "   ", "123456", "a\0b", "a\nb", "\u{202E}ab"] {
            assert!(Short::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn prose_keeps_its_lines_and_nothing_hidden() {
        let prose = |text: &str| Prose::<1, 12>::try_from(text.to_owned());
        assert_eq!(prose(" one\r\ntwo \n").unwrap().0, "one\ntwo");
        for wrong in ["", "\n", "a\tb", "a\u{0}b", "\u{202E}ab", "1234567890123"] {
            assert!(prose(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn clocks_show_five_minutes() {
        let clock = |text: &str| Clock::try_from(text.to_owned());
        assert_eq!(clock("08:35").map(Clock::minutes), Ok(515));
        assert_eq!(clock("24:00").map(String::from).as_deref(), Ok("24:00"));
        for wrong in [
            "8:30", "08:31", "24:05", "12:60", "+8:00", "0830", "", "08:30:00",
        ] {
            assert!(clock(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn zones_have_their_own_spelling() {
        let zone = |text: &str| Zone::try_from(text.to_owned());
        assert_eq!(
            zone("america/new_york").unwrap().as_str(),
            "America/New_York"
        );
        for wrong in ["", "America/Atlantis", "EST5EDT,M3.2.0,M11.1.0", "+05:00"] {
            assert!(zone(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn codes_are_forgiving_where_paper_is_not() {
        let code = ActivationCode::try_from("abcd-efgh-o1l2-3456".to_owned()).unwrap();
        assert_eq!(code.as_str(), "ABCDEFGH01123456");
        let new = ActivationCode::random().unwrap();
        assert_eq!(ActivationCode::try_from(new.grouped()).unwrap(), new);
        assert_eq!(new.grouped().len(), 19);
        let mailed = MailCode::random().unwrap();
        assert_eq!(mailed.grouped().len(), 9);
        assert_eq!(MailCode::try_from(mailed.grouped()).unwrap(), mailed);
        assert!(MailCode::try_from(new.grouped()).is_err());
        assert!(ActivationCode::try_from("ABCD-EFGH-JKMN-PQR".to_owned()).is_err());
        assert!(ActivationCode::try_from("ABCD-EFGH-JKMN-PQRU".to_owned()).is_err());
    }

    #[test]
    fn dates_are_whole() {
        assert!(Date::try_from("2024-02-29".to_owned()).is_ok());
        for wrong in [
            "2023-02-29",
            "2024-2-9",
            "2024",
            "20240229",
            "2024-02-29T00:00:00Z",
        ] {
            assert!(Date::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
