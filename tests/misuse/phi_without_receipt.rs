use shared::phi::Phi;

fn main() {
    let name = Phi::new("PHI".to_owned());
    let _ = name.disclose(&());
}
