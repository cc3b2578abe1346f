use shared::access::{Access, Caller};
use shared::ids::PatientId;

fn forge(subject: PatientId, by: Caller) -> Access<PatientId> {
    Access { subject, by }
}

fn main() {}
