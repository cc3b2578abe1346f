//! What every function of the portal stands on.
//!
//! An operation is declared in [`api`], implemented in `functions/<id>` and run by the pipeline in
//! [`http`], which is the only way from a request to a patient's data: caller, input, policy
//! ([`access`]), handler, audit record ([`audit`]), disclosure ([`phi`]).

pub mod access;
pub mod activation;
pub mod api;
pub mod audit;
pub mod aws;
pub mod booking;
pub mod calendar;
pub mod event;
pub mod fhir;
pub mod http;
pub mod identity;
pub mod ids;
pub mod mail;
pub mod names;
#[cfg(feature = "openapi")]
pub mod openapi;
pub mod openings;
pub mod outside;
pub mod phi;
pub mod practice;
pub mod serve;
pub mod slots;
pub mod store;
pub mod telemetry;
pub mod texts;
pub mod watch;

mod fault;

pub use fault::{Fault, Reason};
