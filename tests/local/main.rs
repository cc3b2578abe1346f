//! The local stack's parts against a real emulator.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that finds something amiss ends there"
)]

mod browser;
mod gate;
mod stack;
