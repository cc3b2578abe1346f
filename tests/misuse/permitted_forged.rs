use shared::access::Permitted;
use shared::audit::Via;

fn main() {
    let _ = Permitted { via: Via("self".to_owned()) };
}
