//! The portal's own chores: the local stack, and what tests and samples need of it.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "talking to the terminal is what these commands are for"
)]

pub mod activation;
pub mod aws;
pub mod bench;
pub mod check;
pub mod down;
pub mod emulator;
pub mod gate;
pub mod home;
pub mod listeners;
pub mod mailbox;
pub mod openapi;
pub mod sample;
pub mod site;
pub mod stack;
pub mod steps;
pub mod template;
pub mod test;
pub mod tools;
pub mod totp;
pub mod up;
pub mod verify_audit;
