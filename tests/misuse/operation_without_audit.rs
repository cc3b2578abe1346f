use shared::api::{Auth, Method, Spec, Trigger};

const SPEC: Spec = Spec {
    id: "read-diary",
    trigger: Trigger::Http { method: Method::Get, path: "/v1/diary", auth: Auth::Token },
    action: "ReadDiary",
    needs: &[],
};

fn main() {
    let _ = SPEC.id;
}
