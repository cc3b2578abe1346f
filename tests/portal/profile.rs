//! The profile: what the patient may set beside what the practice's records say, and what it was
//! before.

use crate::harness::Whose;
use crate::harness::function::Function;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::World;
use serde_json::{Value, json};
use shared::access::Role;
use shared::http::{Request, Response};

async fn ask(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

async fn profile(world: &World) -> Value {
    let request = world.by_patient().patient(world.patient);
    body(&ask(world, "get-profile", request).await)
}

async fn change(world: &World, version: u64, change: Value) -> Response {
    let request = world
        .by_patient()
        .patient(world.patient)
        .header("if-match", &format!("\"{version}\""));
    ask(world, "update-profile", request.json(&change)).await
}

async fn changes(world: &World, request: Request, limit: &str) -> Vec<Value> {
    let function = Function::new(&world.stack, "list-profile-changes");
    let mut listed = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut next = world
            .by_patient()
            .patient(world.patient)
            .query("limit", limit);
        next.claims = request.claims.clone();
        if let Some(cursor) = &cursor {
            next = next.query("cursor", cursor);
        }
        let response = function.respond(next).await;
        let page = body(&response);
        assert_eq!(response.status, 200, "{page}");
        listed.extend(page["changes"].as_array().unwrap().iter().cloned());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return listed;
        }
    }
}

fn field<'a>(change: &'a Value, name: &str) -> &'a Value {
    let mut fields = change["fields"].as_array().unwrap().iter();
    fields.find(|one| one["field"] == name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_patient_set_stands_beside_what_the_practice_says() {
    let world = World::new().await;
    let imported = profile(&world).await;
    assert_eq!(imported["set_by_patient"], json!([]));
    assert_eq!(imported["contact"], imported["from_practice"]["contact"]);
    assert_eq!(
        imported["preferred_language"],
        json!({"code": "en-US", "name": "English"})
    );
    let email = json!({"appointments": "email", "messages": "email", "documents": "email"});
    assert_eq!(imported["notifications"], email);

    let wanted = json!({"phone": "+1 617 555 0123", "preferred_language": "es",
        "notifications": {"appointments": "sms", "documents": "none"}});
    let response = change(&world, 0, wanted).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    let set = profile(&world).await;
    assert_eq!(body(&response), set);
    assert_eq!(
        set["set_by_patient"],
        json!(["phone", "preferred_language", "notifications"])
    );
    assert_eq!(set["contact"]["phone"], "+1 617 555 0123");
    assert_eq!(set["contact"]["address"], imported["contact"]["address"]);
    assert_eq!(
        set["preferred_language"],
        json!({"code": "es", "name": "Spanish"})
    );
    let chosen = json!({"appointments": "sms", "messages": "email", "documents": "none"});
    assert_eq!(set["notifications"], chosen);
    assert_eq!(set["from_practice"], imported["from_practice"]);

    // Null takes away what the practice says as well.
    let response = change(
        &world,
        1,
        json!({"preferred_language": null, "email": null}),
    )
    .await;
    assert_eq!(response.status, 200, "{}", body(&response));
    let set = profile(&world).await;
    assert!(set["preferred_language"].is_null());
    assert_eq!(set["from_practice"], imported["from_practice"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_messages_need_a_number_that_is_whole() {
    let world = World::new().await;
    let sms = json!({"notifications": {"messages": "sms"}});
    let before = profile(&world).await;
    for (wrong, pointer) in [
        (sms.clone(), "/notifications"),
        (
            json!({"phone": "617-555-0123", "notifications": {"messages": "sms"}}),
            "/notifications",
        ),
        (
            json!({"notifications": {"messages": "fax"}}),
            "/notifications/messages",
        ),
        (
            json!({"notifications": {"billing": "email"}}),
            "/notifications",
        ),
        (
            json!({"notifications": null, "preferred_language": "en-US"}),
            "/preferred_language",
        ),
    ] {
        let response = change(&world, 0, wrong).await;
        assert_eq!(response.status, 400, "{}", body(&response));
        assert_eq!(body(&response)["errors"][0]["pointer"], pointer);
    }
    assert_eq!(profile(&world).await, before);
    let phone = json!({"phone": "+16175550123"});
    assert_eq!(change(&world, 0, phone).await.status, 200);
    assert_eq!(change(&world, 1, sms).await.status, 200);
    // The number that messages go to does not go, nor become half of one.
    for phone in [Value::Null, json!("617 555 0123")] {
        let response = change(&world, 2, json!({"phone": phone})).await;
        assert_eq!(response.status, 400, "{}", body(&response));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_keeps_the_former_value() {
    let world = World::new().await;
    let imported = profile(&world).await;
    let number = |last: u64| format!("+1 617 555 012{last}");
    for version in 0..5 {
        let wanted = json!({"phone": number(version), "preferred_language": "es"});
        assert_eq!(change(&world, version, wanted).await.status, 200);
    }
    for limit in ["1", "2", "50"] {
        let listed = changes(&world, world.by_patient(), limit).await;
        assert_eq!(listed.len(), 5);
        for (at, change) in listed.iter().rev().enumerate() {
            let at = at as u64;
            assert_eq!(change["changed_by"], "you");
            assert!(change["changed_at"].is_string());
            let phone = field(change, "phone");
            assert_eq!(phone["value"], number(at));
            if at == 0 {
                assert_eq!(phone["former"], imported["contact"]["phone"]);
                assert_eq!(phone["former_source"], "practice");
                let language = field(change, "preferred_language");
                assert_eq!(language["former"]["name"], "English");
                assert_eq!(language["value"]["name"], "Spanish");
            } else {
                assert_eq!(phone["former"], number(at - 1));
                assert_eq!(phone["former_source"], "patient");
                // It was the same before.
                assert_eq!(change["fields"].as_array().unwrap().len(), 1);
            }
        }
    }
    let (proxy, _) = world.granted("friend@example.org", &["profile"]).await;
    let seen = changes(&world, signed_in(proxy, Role::Patient), "50").await;
    assert_eq!(seen[0]["changed_by"], "the patient");
    let (other, _) = world.granted("other@example.org", &["lab-results"]).await;
    let stranger = world.stack.sample("Noel_Reynolds").await;
    let stranger = Whose::Patient(stranger);
    let stranger = world.stack.account(Role::Patient, stranger).await;
    for request in [
        signed_in(other, Role::Patient),
        signed_in(stranger, Role::Patient),
        world.by_provider(),
        world.by_admin(),
        world.by_officer(),
    ] {
        let request = request.patient(world.patient);
        let response = ask(&world, "list-profile-changes", request).await;
        assert_eq!(response.status, 404);
    }
}
