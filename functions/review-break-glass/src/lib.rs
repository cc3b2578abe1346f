//! Closes the concern over broken glass with the privacy officer's verdict.

use shared::Fault;
use shared::api::access_concerns::ReviewBreakGlass;
use shared::aws::Aws;
use shared::http::changes;
use shared::serve::Service;
use shared::store::Casebook;

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ReviewBreakGlass>(aws, Casebook::new(aws)?)
}
