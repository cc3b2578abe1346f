//! Closes a concern about an access that is not over broken glass.

use shared::Fault;
use shared::api::access_concerns::ResolveAccessConcern;
use shared::aws::Aws;
use shared::http::changes;
use shared::serve::Service;
use shared::store::Casebook;

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<ResolveAccessConcern>(aws, Casebook::new(aws)?)
}
