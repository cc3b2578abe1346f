//! The pool's password policy, which the emulator does not hold new passwords to.
use serde_json::Value;

/// Cognito's own list; a space counts as a symbol only inside the password.
const SYMBOLS: &str = "^$*.[]{}()?-\"!@#%&/\\,><':;|_~`+=";

/// What is wrong with a password under a `PasswordPolicy`, if anything is.
pub(super) fn objection(policy: &Value, password: &str) -> Option<&'static str> {
    let requires = |rule: &str| policy.get(rule).and_then(Value::as_bool).unwrap_or(false);
    let length = policy
        .get("MinimumLength")
        .and_then(Value::as_u64)
        .unwrap_or(8);
    let characters = password.chars().count();
    let has = |kind: fn(char) -> bool| password.chars().any(kind);

    if (characters as u64) < length {
        Some("Password not long enough")
    } else if characters > 256 {
        Some("Password too long")
    } else if password.trim() != password {
        Some("Password must not start or end with a space")
    } else if requires("RequireNumbers") && !has(|c| c.is_ascii_digit()) {
        Some("Password must have numeric characters")
    } else if requires("RequireUppercase") && !has(|c| c.is_ascii_uppercase()) {
        Some("Password must have uppercase characters")
    } else if requires("RequireLowercase") && !has(|c| c.is_ascii_lowercase()) {
        Some("Password must have lowercase characters")
    } else if requires("RequireSymbols") && !has(|c| c == ' ' || SYMBOLS.contains(c)) {
        Some("Password must have symbol characters")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn holds_passwords_to_the_policy() {
        let long = json!({"MinimumLength": 14});
        assert_eq!(objection(&long, "short"), Some("Password not long enough"));
        assert_eq!(objection(&long, "a long enough phrase"), None);
        assert_eq!(
            objection(&long, " padded with space "),
            Some("Password must not start or end with a space")
        );
        assert_eq!(
            objection(&long, &"x".repeat(257)),
            Some("Password too long")
        );

        let mixed = json!({"MinimumLength": 8, "RequireNumbers": true, "RequireUppercase": true,
            "RequireLowercase": true, "RequireSymbols": true});
        assert_eq!(objection(&mixed, "Abcdefg1!"), None);
        assert_eq!(
            objection(&mixed, "Abcdefgh!"),
            Some("Password must have numeric characters")
        );
        assert_eq!(
            objection(&mixed, "abcdefg1!"),
            Some("Password must have uppercase characters")
        );
        assert_eq!(
            objection(&mixed, "ABCDEFG1!"),
            Some("Password must have lowercase characters")
        );
        assert_eq!(
            objection(&mixed, "Abcdefg12"),
            Some("Password must have symbol characters")
        );
    }
}
