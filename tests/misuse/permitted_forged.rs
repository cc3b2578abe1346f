use shared::access::Permitted;
use shared::audit::Via;

fn forge(via: Via) -> Permitted {
    Permitted { via }
}

fn main() {}
