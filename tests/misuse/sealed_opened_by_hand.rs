use shared::phi::Sealed;

async fn look(sealed: Sealed<String>) -> bool {
    sealed.found().await.is_ok()
}

fn main() {}
