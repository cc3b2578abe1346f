//! Imports clinical data.
use shared::Fault;
use shared::aws::Aws;
use shared::serve::Service;

pub fn service(_: &Aws) -> Result<Service, Fault> {
    Err(Fault::Defect("not there yet"))
}
