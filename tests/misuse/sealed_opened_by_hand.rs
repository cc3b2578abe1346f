use shared::phi::{Opener, Sealed};

fn look(sealed: Sealed<String>, opener: &Opener) -> bool {
    sealed.open(opener).is_ok()
}

fn main() {}
