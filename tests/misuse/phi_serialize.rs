use shared::phi::Phi;

fn main() {
    let name = Phi::new("PHI".to_owned());
    let _ = serde_json::to_string(&name);
}
