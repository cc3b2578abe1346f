//! What the functions write to their logs, kept for tests that read it, and shown with a test that
//! fails.

use std::sync::Mutex;

static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

#[allow(
    clippy::print_stdout,
    reason = "the test runner keeps it back unless the test fails"
)]
fn keep_line(bytes: &[u8]) {
    LINES.lock().unwrap().extend_from_slice(bytes);
    print!("{}", String::from_utf8_lossy(bytes));
}

/// Keeps every line from now on.
pub fn keep() {
    shared::telemetry::divert(keep_line);
}

/// What all tests together have written so far.
pub fn kept() -> String {
    String::from_utf8_lossy(&LINES.lock().unwrap()).into_owned()
}
