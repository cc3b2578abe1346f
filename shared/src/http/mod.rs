//! From a request to a response: the pipeline that every operation of the API runs in.

mod cursor;
mod pipeline;
mod problem;
mod request;
mod response;

pub use cursor::Cursor;
pub(crate) use pipeline::Pipeline;
pub use pipeline::{Change, Changed, Read, Revise, changes, reads, revises};
pub use problem::{Extension, FieldError, Problem};
pub(crate) use request::Object;
pub use request::{Described, MAX_BODY, Request};
pub use response::{Content, Response};
