//! Time-based one-time passwords (RFC 6238) as authenticator apps make them: SHA-1, 30 s, 6 digits.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;

/// How long one code is current.
pub const STEP: Duration = Duration::from_secs(30);

/// The code that an authenticator shows at `time` for a base32 `secret`.
pub fn code_at(secret: &str, time: SystemTime) -> Result<String> {
    let seconds = time.duration_since(UNIX_EPOCH)?.as_secs();
    let secret = secret.trim_end_matches('=').to_ascii_uppercase();
    let key = BASE32_NOPAD
        .decode(secret.as_bytes())
        .context("the TOTP secret is not base32")?;
    Ok(format!(
        "{:06}",
        hotp(&key, seconds / STEP.as_secs()) % 1_000_000
    ))
}

/// The code that an authenticator shows now.
pub fn code(secret: &str) -> Result<String> {
    code_at(secret, SystemTime::now())
}

/// RFC 4226: the 31-bit number that the digits are taken from.
fn hotp(key: &[u8], counter: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let offset = usize::from(tag.as_ref().last().copied().unwrap_or(0) & 0xf);
    tag.as_ref()
        .iter()
        .skip(offset)
        .take(4)
        .fold(0, |number, byte| (number << 8) | u32::from(*byte))
        & 0x7fff_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, the SHA-1 rows.
    #[test]
    fn answers_as_the_rfc_says() {
        let key = b"12345678901234567890";
        for (seconds, code) in [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ] {
            assert_eq!(
                hotp(key, seconds / 30) % 100_000_000,
                code,
                "at {seconds} s"
            );
        }
    }

    #[test]
    fn takes_secrets_as_people_paste_them() {
        let at = UNIX_EPOCH + Duration::from_secs(59);
        let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        assert_eq!(code_at(secret, at).unwrap(), "287082");
        assert_eq!(code_at(&secret.to_lowercase(), at).unwrap(), "287082");
        assert!(code_at("not base32!", at).is_err());
    }
}
