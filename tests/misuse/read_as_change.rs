use shared::access::Unproven;
use shared::ids::PatientId;
use shared::phi::Opener;
use shared::store::Patients;

/// Whoever merely named a patient can change nothing.
fn change(patients: &Patients, whose: &Unproven<PatientId>, opener: &Opener) {
    let _ = patients.change_contact(whose, opener, 0, b"{}", b"{}", jiff::Timestamp::UNIX_EPOCH);
}

fn main() {}
