//! Rounds a decimal for display, on its digits as text: never through a float.

/// Significant digits that are left of a longer number.
const DIGITS: i64 = 3;

/// A number beyond these many digits before or after its point is shown with an exponent.
const WIDEST: i64 = 12;

/// The number as a patient reads it.
///
/// The source's digits say how precise it is (<https://hl7.org/fhir/R4/datatypes.html#decimal>), so
/// a number of at most two decimals or four significant digits is shown as supplied: `1.10`,
/// `139.98`, `1.025`. A longer one is rounded, half away from zero, to three significant digits, but
/// never before its point (`52.692030001960916` is `52.7`, `1234.567` is `1235`); between 1 and 1.1
/// to three decimals, where specific gravities differ. What is not zero never becomes zero.
pub fn display_number(text: &str) -> String {
    rounded(text).unwrap_or_else(|| text.to_owned())
}

fn rounded(text: &str) -> Option<String> {
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if whole.is_empty() || !all.iter().all(u8::is_ascii_digit) || exponent.unsigned_abs() > 9_999 {
        return None;
    }
    let zeros = all.iter().take_while(|digit| **digit == b'0').count();
    let digits = all.get(zeros..)?;
    if digits.is_empty() {
        // Zero keeps its decimals, up to what is short.
        let decimals = fraction.len().min(2);
        return Some(if decimals == 0 {
            "0".into()
        } else {
            format!("0.{}", "0".repeat(decimals))
        });
    }
    // The value is 0.d1d2d3... times ten to the power of `point`.
    let point = i64::try_from(whole.len()).ok()? - i64::try_from(zeros).ok()? + exponent;
    let decimals = (i64::try_from(digits.len()).ok()? - point).max(0);
    let short = digits.len() <= 4 || decimals <= 2;
    if short && exponent == 0 && point <= WIDEST && point > -WIDEST {
        return None;
    }
    if point > WIDEST || point <= -WIDEST {
        let (digits, carried) = round(digits, DIGITS)?;
        let power = point - 1 + i64::from(carried);
        let (first, rest) = digits.split_at_checked(1)?;
        let rest = rest.trim_end_matches('0');
        let dot = if rest.is_empty() { "" } else { "." };
        return Some(format!("{sign}{first}{dot}{rest}e{power}"));
    }
    let near_one = point == 1 && digits.starts_with(b"10");
    let kept = if short {
        digits.len().try_into().ok()?
    } else {
        (DIGITS + i64::from(near_one)).max(point)
    };
    let (digits, carried) = round(digits, kept)?;
    Some(format!(
        "{sign}{}",
        plain(&digits, point + i64::from(carried), (kept - point).max(0))
    ))
}

/// The first `kept` digits, rounded, and whether a carry added a digit in front.
fn round(digits: &[u8], kept: i64) -> Option<(String, bool)> {
    let kept = usize::try_from(kept).ok()?;
    let up = digits.get(kept).is_some_and(|next| *next >= b'5');
    let mut left: Vec<u8> = digits
        .iter()
        .copied()
        .chain(std::iter::repeat(b'0'))
        .take(kept)
        .collect();
    let mut carry = up;
    for digit in left.iter_mut().rev() {
        if !carry {
            break;
        }
        carry = *digit == b'9';
        *digit = if carry { b'0' } else { *digit + 1 };
    }
    if carry {
        left.insert(0, b'1');
    }
    Some((String::from_utf8(left).ok()?, carry))
}

/// Writes 0.`digits` times ten to the power of `point` with that many decimals.
fn plain(digits: &str, point: i64, decimals: i64) -> String {
    let digit = |place: i64| {
        usize::try_from(place)
            .ok()
            .and_then(|place| digits.as_bytes().get(place))
            .map_or('0', |d| char::from(*d))
    };
    let mut text: String = if point <= 0 {
        "0".into()
    } else {
        (0..point).map(digit).collect()
    };
    if decimals > 0 {
        text.push('.');
        text.extend((0..decimals).map(|place| digit(point + place)));
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rounds_long_numbers_and_leaves_short_ones() {
        for (text, expected) in [
            ("52.692030001960916", "52.7"),
            ("1.10", "1.10"),
            ("140", "140"),
            ("140.0", "140.0"),
            ("139.98", "139.98"),
            ("1.025", "1.025"),
            ("0.125", "0.125"),
            ("0", "0"),
            ("0.0", "0.0"),
            ("-0.000000", "0.00"),
            ("374410", "374410"),
            ("1234.567", "1235"),
            ("42.864", "42.9"),
            ("1.0254321", "1.025"),
            ("9.99612", "10.00"),
            ("99.9612", "100.0"),
            ("999.9612", "1000"),
            ("-0.024698191007683334", "-0.0247"),
            ("-3.3138274392911726", "-3.31"),
            ("0.00012345", "0.000123"),
            ("0.0099996", "0.01000"),
            ("0.44792", "0.448"),
            ("1e3", "1000"),
            ("1.50E1", "15.0"),
            ("1.5e-3", "0.0015"),
            ("1e-300", "1e-300"),
            ("123456789012345678901234567890", "1.23e29"),
            ("0.000000000000000000012345", "1.23e-20"),
            ("9.999e20", "1e21"),
            ("1e99999999999999999999", "1e99999999999999999999"),
            ("abc", "abc"),
        ] {
            assert_eq!(display_number(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn stays_close_and_never_becomes_zero(value in prop::num::f64::NORMAL) {
            let text = format!("{value:?}");
            let shown: f64 = display_number(&text).parse().unwrap();
            prop_assert!(shown != 0.0);
            prop_assert!(((shown - value) / value).abs() <= 0.005_001, "{text} -> {shown}");
        }

        #[test]
        fn reads_anything(text in "[-+0-9.eE]{0,40}|\\PC*") {
            display_number(&text);
        }
    }
}
