use shared::access::Access;
use shared::ids::PatientId;
use uuid::Uuid;

fn main() {
    let _: Access<PatientId> = Access { subject: PatientId::new(Uuid::nil()), by: todo!() };
}
