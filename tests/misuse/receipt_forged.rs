use shared::audit::Receipt;
use uuid::Uuid;

fn main() {
    let _ = Receipt { record: Uuid::nil() };
}
