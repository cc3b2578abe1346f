//! What administrators do with accounts: invitations and changes that Cognito fails in the middle of,
//! the last administrator, what takes two of them, and the comparison with the user pool.

use crate::harness::function::{Function, trigger};
use crate::harness::recorder::{Call, Recorder};
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::World;
use crate::harness::{Stack, Whose};
use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::{AccountId, PractitionerId};
use std::time::Duration;
use uuid::Uuid;

async fn respond(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

/// The same while Cognito, or a part of it, fails.
async fn respond_without(
    world: &World,
    id: &str,
    part: &'static str,
    request: Request,
) -> Response {
    let recorder = Recorder::failing(move |call| call.actions[0].starts_with(part));
    Function::recorded(&world.stack, id, recorder)
        .respond(request)
        .await
}

async fn admin(world: &World) -> AccountId {
    world.stack.account(Role::Admin, Whose::Nobody).await
}

fn by(admin: AccountId) -> Request {
    signed_in(admin, Role::Admin)
}

fn invitation(world: &World, by: Request, email: &str, key: &str) -> Request {
    by.header("idempotency-key", key).json(&json!({
        "role": "provider", "email": email, "practitioner": world.practitioner,
    }))
}

fn update(by: Request, whom: AccountId, version: u64, change: &Value) -> Request {
    by.account(whom)
        .header("if-match", &format!("\"{version}\""))
        .json(change)
}

async fn administrators(stack: &Stack) -> Vec<String> {
    let mut rows = stack.items(Resource::AccountsTable).await.into_iter();
    let row = rows.find(|row| row["pk"] == "ADMINISTRATORS");
    let mut accounts: Vec<String> =
        serde_json::from_value(row.unwrap()["accounts"].clone()).unwrap();
    accounts.sort();
    accounts
}

/// A user as the pool has them: groups, and whether they are enabled.
async fn in_pool(stack: &Stack, account: AccountId) -> (Vec<String>, bool) {
    let user = json!({"UserPoolId": stack.names[&Resource::UserPool], "Username": account});
    let groups = stack.cognito("AdminListGroupsForUser", &user).await;
    let groups = groups["Groups"].as_array().unwrap().iter();
    let groups = groups.map(|group| group["GroupName"].as_str().unwrap().to_owned());
    let user = stack.cognito("AdminGetUser", &user).await;
    (groups.collect(), user["Enabled"] == true)
}

async fn users(stack: &Stack, email: &str) -> Vec<Value> {
    stack.users(&format!("email = \"{email}\"")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_makes_a_user_and_an_account() {
    let world = World::new().await;
    let before = world.stack.audit().await;
    let request = invitation(
        &world,
        world.by_admin(),
        "New.Doctor@example.org",
        "first-key",
    );
    let response = respond(&world, "invite-user", request).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    let answer = body(&response);
    assert_eq!(
        (&answer["state"], &answer["role"]),
        (&json!("done"), &json!("provider"))
    );
    let account: AccountId = answer["id"].as_str().unwrap().parse().unwrap();
    let row = world.stack.account_row(account).await;
    assert_eq!(row["role"], "provider");
    assert_eq!(row["practitioner"], world.practitioner.to_string());
    assert_eq!(
        in_pool(&world.stack, account).await,
        (vec!["providers".to_owned()], true)
    );
    let user = users(&world.stack, "new.doctor@example.org")
        .await
        .remove(0);
    assert_eq!(user["UserStatus"], "FORCE_CHANGE_PASSWORD");
    let attributes = user["Attributes"].as_array().unwrap();
    assert!(attributes.contains(&json!({"Name": "email_verified", "Value": "true"})));
    let records = world.stack.records_since(&before).await;
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["resource"], format!("{account} provider"));
    assert_eq!(records[0]["via"], "administration");
    assert!(!records[0].to_string().contains("doctor"), "{}", records[0]);

    // The same again: the same account. With another key: another mail, and the same account.
    for key in ["first-key", "other-key"] {
        let request = invitation(&world, world.by_admin(), "new.doctor@example.org", key);
        let again = respond(&world, "invite-user", request).await;
        assert_eq!(again.status, 201, "{}", body(&again));
        assert_eq!(body(&again)["id"], account.to_string());
    }
    // As something else, the address is taken; so is one that somebody signs in with.
    let other = json!({"role": "privacy-officer", "email": "new.doctor@example.org"});
    let request = world
        .by_admin()
        .header("idempotency-key", "first-key")
        .json(&other);
    let response = respond(&world, "invite-user", request).await;
    assert_eq!(response.status, 409);
    assert_eq!(body(&response)["type"], "/problems/address-taken");
    let password = json!({
        "UserPoolId": world.stack.names[&Resource::UserPool], "Username": account,
        "Password": "A-password-of-their-own-1", "Permanent": true,
    });
    world.stack.cognito("AdminSetUserPassword", &password).await;
    let request = invitation(
        &world,
        world.by_admin(),
        "new.doctor@example.org",
        "third-key",
    );
    assert_eq!(respond(&world, "invite-user", request).await.status, 409);
    assert_eq!(users(&world.stack, "new.doctor@example.org").await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invitation_that_breaks_off_goes_on_with_the_same_key() {
    let world = World::new().await;
    let address = "new@example.org";
    let request = |key| invitation(&world, world.by_admin(), address, key);
    for (part, made) in [
        ("cognito-idp:AdminGetUser", 0),
        ("cognito-idp:AdminCreateUser", 0),
        ("cognito-idp:AdminAddUserToGroup", 1),
        ("dynamodb:PutItem", 1),
    ] {
        let accounts = world.stack.items(Resource::AccountsTable).await;
        let before = world.stack.audit().await;
        // The audit record of the failure is a single put; the transaction begins with the account.
        let recorder = Recorder::failing(move |call| {
            call.actions[0].starts_with(part) && (made == 0 || call.actions != ["dynamodb:PutItem"])
        });
        let function = Function::recorded(&world.stack, "invite-user", recorder);
        assert_eq!(
            function.respond(request("key-of-the-first")).await.status,
            503,
            "{part}"
        );
        assert_eq!(
            world.stack.items(Resource::AccountsTable).await,
            accounts,
            "{part}"
        );
        assert_eq!(users(&world.stack, address).await.len(), made, "{part}");
        let records = world.stack.records_since(&before).await;
        assert_eq!(records.len(), 1, "{part}: {records:#?}");
        assert_eq!(records[0]["outcome"], "failure");
    }
    // Nobody gets a token as the user that is left.
    let user = users(&world.stack, address).await.remove(0);
    let account: AccountId = user["Username"].as_str().unwrap().parse().unwrap();
    let claims = Function::new(&world.stack, "add-token-claims");
    claims
        .handle(trigger("add-token-claims", account))
        .await
        .unwrap_err();
    // Neither another request nor another administrator takes them over.
    assert_eq!(
        respond(&world, "invite-user", request("other-key"))
            .await
            .status,
        409
    );
    let other = invitation(&world, by(admin(&world).await), address, "key-of-the-first");
    assert_eq!(respond(&world, "invite-user", other).await.status, 409);
    let response = respond(&world, "invite-user", request("key-of-the-first")).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    assert_eq!(body(&response)["id"], account.to_string());
    assert_eq!(users(&world.stack, address).await.len(), 1);
    claims
        .handle(trigger("add-token-claims", account))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_and_changes_name_what_is_not_right() {
    let world = World::new().await;
    let id = Uuid::new_v4();
    for (wrong, pointer) in [
        (
            json!({"role": "patient", "email": "a@example.org"}),
            "/role",
        ),
        (
            json!({"role": "provider", "email": "a@example.org"}),
            "/practitioner",
        ),
        (
            json!({"role": "provider", "email": "a@example.org", "practitioner": id}),
            "/practitioner",
        ),
        (
            json!({"role": "admin", "email": "a@example.org", "practitioner": id}),
            "/practitioner",
        ),
    ] {
        let request = world
            .by_admin()
            .header("idempotency-key", "some-key")
            .json(&wrong);
        let response = respond(&world, "invite-user", request).await;
        assert_eq!(response.status, 400, "{wrong}");
        assert_eq!(body(&response)["errors"][0]["pointer"], pointer, "{wrong}");
    }
    for (wrong, pointer) in [
        (json!({}), ""),
        (json!({"role": "provider"}), "/practitioner"),
        (
            json!({"role": "provider", "practitioner": id}),
            "/practitioner",
        ),
        (json!({"practitioner": id}), "/practitioner"),
    ] {
        let request = update(world.by_admin(), world.officer, 0, &wrong);
        let response = respond(&world, "update-user", request).await;
        assert_eq!(response.status, 400, "{wrong}: {}", body(&response));
        assert_eq!(body(&response)["errors"][0]["pointer"], pointer, "{wrong}");
    }
    let nobody = AccountId::new(Uuid::new_v4());
    let request = update(world.by_admin(), nobody, 0, &json!({"status": "disabled"}));
    assert_eq!(respond(&world, "update-user", request).await.status, 404);
    for id in ["sign-out-user", "reset-user-mfa"] {
        let request = world.by_admin().account(nobody);
        let request = request.json(&json!({"identity_check": "video-call-photo-id"}));
        assert_eq!(respond(&world, id, request).await.status, 404, "{id}");
    }
    let request = update(
        world.by_admin(),
        world.officer,
        1,
        &json!({"status": "disabled"}),
    );
    assert_eq!(respond(&world, "update-user", request).await.status, 412);
}

/// Patients stay patients, with or without a record of their own, and staff stays staff.
#[tokio::test(flavor = "multi_thread")]
async fn patients_and_staff_do_not_become_each_other() {
    let world = World::new().await;
    let representative = world.stack.account(Role::Patient, Whose::Nobody).await;
    let staff = json!({"role": "provider", "practitioner": world.practitioner});
    for (whom, change) in [
        (world.account, &staff),
        (representative, &staff),
        (world.account, &json!({"role": "admin"})),
        (world.provider, &json!({"role": "patient"})),
    ] {
        let before = world.stack.account_row(whom).await;
        let request = update(world.by_admin(), whom, 0, change);
        let response = respond(&world, "update-user", request).await;
        assert_eq!(response.status, 409, "{change}");
        assert_eq!(body(&response)["type"], "/problems/other-kind-of-account");
        assert_eq!(world.stack.account_row(whom).await, before);
    }
    // But a patient's account may be disabled.
    let request = update(
        world.by_admin(),
        world.account,
        0,
        &json!({"status": "disabled"}),
    );
    assert_eq!(respond(&world, "update-user", request).await.status, 200);
    assert_eq!(
        world.stack.account_row(world.account).await["patient"],
        world.patient.to_string()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_holds_with_the_next_request() {
    let world = World::new().await;
    let get = Function::new(&world.stack, "get-account");
    let own = || signed_in(world.provider, Role::Provider);
    assert_eq!(get.respond(own()).await.status, 200);
    let before = world.stack.audit().await;
    let request = update(
        world.by_admin(),
        world.provider,
        0,
        &json!({"status": "disabled"}),
    );
    let response = respond(&world, "update-user", request).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    assert_eq!(response.etag, Some(1));
    assert_eq!(body(&response)["sign_in_service"], "done");
    let records = world.stack.records_since(&before).await;
    assert_eq!(
        records[0]["resource"],
        format!("{} provider disabled", world.provider)
    );
    assert_eq!(get.respond(own()).await.status, 401);
    assert!(!in_pool(&world.stack, world.provider).await.1);

    // Enabled again, who was signed in before is not.
    let request = update(
        world.by_admin(),
        world.provider,
        1,
        &json!({"status": "active"}),
    );
    assert_eq!(respond(&world, "update-user", request).await.status, 200);
    assert_eq!(get.respond(own()).await.status, 401);
    assert!(in_pool(&world.stack, world.provider).await.1);
    let row = world.stack.account_row(world.provider).await;
    assert_eq!(row["practitioner"], world.practitioner.to_string());
    assert_eq!(row["changed_by"], world.admin.to_string());

    // Another role: another group, and no practitioner.
    let request = update(
        world.by_admin(),
        world.provider,
        2,
        &json!({"role": "privacy-officer"}),
    );
    let response = respond(&world, "update-user", request).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    let (groups, _) = in_pool(&world.stack, world.provider).await;
    assert_eq!(groups, ["privacy-officers"]);
    let row = world.stack.account_row(world.provider).await;
    assert!(row["practitioner"].is_null());
    assert_eq!(row["version"], "3");
}

/// Cognito fails at each of its steps: the change holds, says that Cognito does not know yet, and
/// the comparison makes up for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_cognito_missed_is_made_up_for() {
    let world = World::new().await;
    let change = json!({"role": "privacy-officer", "status": "disabled"});
    for part in [
        "cognito-idp:",
        "cognito-idp:AdminDisableUser",
        "cognito-idp:AdminListGroupsForUser",
        "cognito-idp:AdminRemoveUserFromGroup",
        "cognito-idp:AdminAddUserToGroup",
        "cognito-idp:AdminUserGlobalSignOut",
    ] {
        let whose = Whose::Practitioner(world.practitioner);
        let whom = world.stack.account(Role::Provider, whose).await;
        let request = update(world.by_admin(), whom, 0, &change);
        let response = respond_without(&world, "update-user", part, request).await;
        assert_eq!(response.status, 200, "{part}: {}", body(&response));
        assert_eq!(body(&response)["sign_in_service"], "pending", "{part}");
        let row = world.stack.account_row(whom).await;
        assert_eq!(
            (&row["role"], &row["status"]),
            (&json!("privacy-officer"), &json!("disabled"))
        );
        let get = Function::new(&world.stack, "get-account");
        let still = signed_in(whom, Role::Provider);
        assert_eq!(get.respond(still).await.status, 401, "{part}");

        let answer = reconcile(&world.stack, Recorder::default()).await.unwrap();
        assert_eq!(answer["not_mended"], 0, "{part}: {answer}");
        let aligned = (vec!["privacy-officers".to_owned()], false);
        assert_eq!(in_pool(&world.stack, whom).await, aligned, "{part}");
    }
    // Sending it again does the same, without another change of the row.
    let whom = world
        .stack
        .account(Role::Provider, Whose::Practitioner(world.practitioner))
        .await;
    let disable = json!({"status": "disabled"});
    let request = update(world.by_admin(), whom, 0, &disable);
    respond_without(&world, "update-user", "cognito-idp:", request).await;
    assert!(in_pool(&world.stack, whom).await.1);
    let request = update(world.by_admin(), whom, 1, &disable);
    let response = respond(&world, "update-user", request).await;
    assert_eq!(body(&response)["sign_in_service"], "done");
    assert_eq!(response.etag, Some(1));
    assert!(!in_pool(&world.stack, whom).await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_administers_themselves() {
    let world = World::new().await;
    admin(&world).await;
    let accounts = world.stack.items(Resource::AccountsTable).await;
    for (id, change) in [
        ("update-user", json!({"status": "disabled"})),
        ("update-user", json!({"role": "privacy-officer"})),
        ("sign-out-user", json!({})),
        (
            "reset-user-mfa",
            json!({"identity_check": "in-person-photo-id"}),
        ),
    ] {
        let before = world.stack.audit().await;
        let request = update(world.by_admin(), world.admin, 0, &change);
        assert_eq!(respond(&world, id, request).await.status, 403, "{id}");
        let records = world.stack.records_since(&before).await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["outcome"], "denied");
        assert_eq!(records[0]["resource"], world.admin.to_string());
    }
    assert_eq!(world.stack.items(Resource::AccountsTable).await, accounts);
}

/// Of two administrators who remove each other at once one stays, every time.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays() {
    let world = World::new().await;
    for change in [
        json!({"status": "disabled"}),
        json!({"role": "provider", "practitioner": world.practitioner}),
    ] {
        let one = administrators(&world.stack)
            .await
            .remove(0)
            .parse()
            .unwrap();
        let other = admin(&world).await;
        let versions = [
            world.stack.account_row(one).await,
            world.stack.account_row(other).await,
        ];
        let version = |row: &Value| row["version"].as_str().map_or(0, |v| v.parse().unwrap());
        let functions = [(); 2].map(|()| Function::new(&world.stack, "update-user"));
        let (first, second) = tokio::join!(
            functions[0].respond(update(by(one), other, version(&versions[1]), &change)),
            functions[1].respond(update(by(other), one, version(&versions[0]), &change)),
        );
        let statuses = [first.status.as_u16(), second.status.as_u16()];
        let done = statuses.iter().filter(|status| **status == 200).count();
        assert_eq!(done, 1, "{statuses:?}");
        assert!(
            statuses.iter().all(|s| [200, 401, 409, 503].contains(s)),
            "{statuses:?}"
        );
        let left = administrators(&world.stack).await;
        let stays = if statuses[0] == 200 { one } else { other };
        assert_eq!(left, [stays.to_string()]);
        assert_eq!(world.stack.account_row(stays).await["status"], "active");
        assert_eq!(world.stack.account_row(stays).await["role"], "admin");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_cannot_be_taken_from_the_set() {
    let world = World::new().await;
    // Somebody whom nobody counts acts as an administrator, on the only one who is counted.
    let uncounted = admin(&world).await;
    let set = json!({"pk": {"S": "ADMINISTRATORS"}, "accounts": {"SS": [world.admin]}});
    world.stack.put(Resource::AccountsTable, set).await;
    for change in [
        json!({"status": "disabled"}),
        json!({"role": "provider", "practitioner": world.practitioner}),
    ] {
        let request = update(by(uncounted), world.admin, 0, &change);
        let response = respond(&world, "update-user", request).await;
        assert_eq!(response.status, 409, "{change}: {}", body(&response));
        assert_eq!(body(&response)["type"], "/problems/last-administrator");
        let row = world.stack.account_row(world.admin).await;
        assert_eq!(
            (&row["role"], &row["status"]),
            (&json!("admin"), &json!("active"))
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_watch_over_others_take_two_administrators() {
    let world = World::new().await;
    // Alone there is nobody to ask.
    let invite = |by: Request, role: &str, email: &str, key: &str| {
        by.header("idempotency-key", key)
            .json(&json!({"role": role, "email": email}))
    };
    let request = invite(
        world.by_admin(),
        "admin",
        "second@example.org",
        "key-of-one",
    );
    let response = respond(&world, "invite-user", request).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    let second: AccountId = body(&response)["id"].as_str().unwrap().parse().unwrap();
    let mut both = vec![world.admin.to_string(), second.to_string()];
    both.sort();
    assert_eq!(administrators(&world.stack).await, both);

    for role in ["admin", "privacy-officer"] {
        let address = format!("{role}@example.org");
        let ask = |by: Request| invite(by, role, &address, "key-of-asking");
        // Asking twice is not consenting.
        for _ in 0..2 {
            let response = respond(&world, "invite-user", ask(world.by_admin())).await;
            assert_eq!(response.status, 202, "{}", body(&response));
            assert_eq!(body(&response)["state"], "awaiting-approval");
            assert!(body(&response)["expires_at"].is_string());
            assert!(users(&world.stack, &address).await.is_empty());
        }
        // Nor is consenting to something else.
        let other = invite(
            by(second),
            role,
            "somebody-else@example.org",
            "key-of-asking",
        );
        assert_eq!(respond(&world, "invite-user", other).await.status, 202);
        let response = respond(&world, "invite-user", ask(by(second))).await;
        assert_eq!(response.status, 201, "{}", body(&response));
        // Its answer got lost: the same again.
        let again = respond(&world, "invite-user", ask(by(second))).await;
        assert_eq!(body(&again)["id"], body(&response)["id"]);
    }

    let change = json!({"role": "admin"});
    let response = respond(
        &world,
        "update-user",
        update(world.by_admin(), world.officer, 0, &change),
    )
    .await;
    assert_eq!(response.status, 202);
    assert_eq!(
        world.stack.account_row(world.officer).await["role"],
        "privacy-officer"
    );
    let response = respond(
        &world,
        "update-user",
        update(world.by_admin(), world.officer, 0, &change),
    )
    .await;
    assert_eq!(response.status, 202);
    let response = respond(
        &world,
        "update-user",
        update(by(second), world.officer, 0, &change),
    )
    .await;
    assert_eq!(response.status, 200, "{}", body(&response));
    assert_eq!(
        world.stack.account_row(world.officer).await["role"],
        "admin"
    );
    assert!(
        administrators(&world.stack)
            .await
            .contains(&world.officer.to_string())
    );
    // Taking the role away takes one; giving it back takes two again.
    let disable = update(
        world.by_admin(),
        world.officer,
        1,
        &json!({"status": "disabled"}),
    );
    assert_eq!(respond(&world, "update-user", disable).await.status, 200);
    assert!(
        !administrators(&world.stack)
            .await
            .contains(&world.officer.to_string())
    );
    let enable = update(
        world.by_admin(),
        world.officer,
        2,
        &json!({"status": "active"}),
    );
    assert_eq!(respond(&world, "update-user", enable).await.status, 202);
}

/// What was asked for too long ago, or by somebody who is no administrator any more, is asked anew.
#[tokio::test(flavor = "multi_thread")]
async fn old_requests_are_not_consented_to() {
    let world = World::new().await;
    let (second, third) = (admin(&world).await, admin(&world).await);
    let change = json!({"role": "admin"});
    let ask = |by: Request| update(by, world.officer, 0, &change);
    assert_eq!(
        respond(&world, "update-user", ask(world.by_admin()))
            .await
            .status,
        202
    );
    let key = format!("APPROVAL#{}#admin", world.officer);
    let expired = json!({
        "pk": {"S": key}, "requested_by": {"S": world.admin}, "expires_at": {"N": "1760000000"},
    });
    world.stack.put(Resource::AccountsTable, expired).await;
    assert_eq!(
        respond(&world, "update-user", ask(by(second))).await.status,
        202
    );
    let disable = update(world.by_admin(), second, 0, &json!({"status": "disabled"}));
    assert_eq!(respond(&world, "update-user", disable).await.status, 200);
    assert_eq!(
        respond(&world, "update-user", ask(by(third))).await.status,
        202
    );
    assert_eq!(
        respond(&world, "update-user", ask(world.by_admin()))
            .await
            .status,
        200
    );
}

/// Whoever removes the others is not alone by it: for seven days they need consent as before.
#[tokio::test(flavor = "multi_thread")]
async fn who_removes_the_others_grants_nothing_alone() {
    let world = World::new().await;
    for (version, change) in [
        json!({"status": "disabled"}),
        json!({"role": "provider", "practitioner": world.practitioner}),
    ]
    .into_iter()
    .enumerate()
    {
        let other = admin(&world).await;
        let request = update(world.by_admin(), other, 0, &change);
        assert_eq!(respond(&world, "update-user", request).await.status, 200);
        assert_eq!(
            administrators(&world.stack).await,
            [world.admin.to_string()]
        );
        let grant = update(
            world.by_admin(),
            world.officer,
            0,
            &json!({"role": "admin"}),
        );
        let response = respond(&world, "update-user", grant).await;
        assert_eq!(response.status, 202, "{}", body(&response));
        for role in ["admin", "privacy-officer"] {
            let address = format!("{role}-{version}@example.org");
            let invite = json!({"role": role, "email": address});
            let request = world.by_admin().header("idempotency-key", "some-key");
            let response = respond(&world, "invite-user", request.json(&invite)).await;
            assert_eq!(response.status, 202, "{}", body(&response));
            assert!(users(&world.stack, &address).await.is_empty());
        }
    }
    // Seven days later there is nobody to wait for.
    let ago = jiff::Timestamp::now().as_second() - 7 * 86_400;
    for (removed_at, status) in [(ago + 60, 202), (ago - 1, 200)] {
        let set = json!({
            "pk": {"S": "ADMINISTRATORS"}, "accounts": {"SS": [world.admin]},
            "removed_at": {"N": removed_at.to_string()},
        });
        world.stack.put(Resource::AccountsTable, set).await;
        let grant = update(
            world.by_admin(),
            world.officer,
            0,
            &json!({"role": "admin"}),
        );
        let response = respond(&world, "update-user", grant).await;
        assert_eq!(response.status, status, "{}", body(&response));
    }
}

/// What the privacy officer hears of at once.
#[tokio::test(flavor = "multi_thread")]
async fn powers_given_and_taken_raise_alarms() {
    let world = World::new().await;
    let counted = |operation: &str, metric: &str| {
        let lines = crate::harness::lines::kept();
        let lines = lines
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let is_one = |line: &Value| line["operation"] == operation && line[metric] == 1;
        lines.filter(is_one).count()
    };
    let before = counted("update-user", "PowersChanged");
    let disable = update(
        world.by_admin(),
        world.officer,
        0,
        &json!({"status": "disabled"}),
    );
    assert_eq!(respond(&world, "update-user", disable).await.status, 200);
    assert!(counted("update-user", "PowersChanged") > before);
    let before = counted("invite-user", "PowersGranted");
    let invite = json!({"role": "privacy-officer", "email": "officer@example.org"});
    let request = world.by_admin().header("idempotency-key", "some-key");
    let response = respond(&world, "invite-user", request.json(&invite)).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    assert!(counted("invite-user", "PowersGranted") > before);
}

/// Two accounts of one practitioner would be two people who act as one.
#[tokio::test(flavor = "multi_thread")]
async fn a_practitioner_has_one_account() {
    let world = World::new().await;
    let stack = &world.stack;
    let owner = async |practitioner: PractitionerId| {
        let key = format!("PRACTITIONER-OF#{practitioner}");
        let mut rows = stack.items(Resource::AccountsTable).await.into_iter();
        let row = rows.find(|row| row["pk"] == key.as_str());
        row.map(|row| row["account"].as_str().unwrap().to_owned())
    };
    let taken = |response: &Response| {
        assert_eq!(response.status, 409, "{}", body(response));
        assert_eq!(body(response)["type"], "/problems/practitioner-taken");
    };
    let invite = |email: &str| invitation(&world, world.by_admin(), email, "key-of-inviting");
    let response = respond(&world, "invite-user", invite("first@example.org")).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    let first: AccountId = body(&response)["id"].as_str().unwrap().parse().unwrap();
    assert_eq!(owner(world.practitioner).await, Some(first.to_string()));

    // Nobody else is mailed, and no other account becomes the practitioner's.
    taken(&respond(&world, "invite-user", invite("second@example.org")).await);
    assert!(users(stack, "second@example.org").await.is_empty());
    let as_practitioner = json!({"role": "provider", "practitioner": world.practitioner});
    let other = stack.account(Role::PrivacyOfficer, Whose::Nobody).await;
    let change = |version| update(world.by_admin(), other, version, &as_practitioner);
    taken(&respond(&world, "update-user", change(0)).await);
    assert_eq!(stack.account_row(other).await["role"], "privacy-officer");

    // Disabled it keeps the practitioner, and is enabled again.
    for (version, status) in [(0, "disabled"), (1, "active")] {
        let request = update(world.by_admin(), first, version, &json!({"status": status}));
        assert_eq!(respond(&world, "update-user", request).await.status, 200);
        taken(&respond(&world, "update-user", change(0)).await);
    }

    // As somebody else it makes room.
    let colleague = json!({"practitioner": world.colleague});
    let request = update(world.by_admin(), first, 2, &colleague);
    assert_eq!(respond(&world, "update-user", request).await.status, 200);
    assert_eq!(owner(world.practitioner).await, None);
    assert_eq!(owner(world.colleague).await, Some(first.to_string()));
    let response = respond(&world, "update-user", change(0)).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    assert_eq!(owner(world.practitioner).await, Some(other.to_string()));
    let request = update(
        world.by_admin(),
        other,
        1,
        &json!({"role": "privacy-officer"}),
    );
    assert_eq!(respond(&world, "update-user", request).await.status, 200);
    assert_eq!(owner(world.practitioner).await, None);

    // Of two invitations at once one is done.
    let functions = [(); 2].map(|()| Function::new(stack, "invite-user"));
    let (one, two) = tokio::join!(
        functions[0].respond(invite("one@example.org")),
        functions[1].respond(invite("two@example.org")),
    );
    let statuses = [one.status.as_u16(), two.status.as_u16()];
    let done = statuses.iter().filter(|status| **status == 201).count();
    assert!(done <= 1, "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_find_accounts_and_say_nothing_of_records() {
    let world = World::new().await;
    for number in 0..5 {
        let practitioner = world.stack.practitioner("Dr. Search").await;
        let request = world
            .by_admin()
            .header("idempotency-key", &format!("key-number-{number}"))
            .json(&json!({
                "role": "provider",
                "email": format!("dr.search-{number}@example.org"),
                "practitioner": practitioner,
            }));
        assert_eq!(respond(&world, "invite-user", request).await.status, 201);
    }
    let list = Function::new(&world.stack, "list-users");
    let search = |body: &Value| world.by_admin().json(body);
    let before = world.stack.audit().await;
    let found = body(&list.respond(search(&json!({"search": "DR.Search-"}))).await);
    assert_eq!(found["users"].as_array().unwrap().len(), 5);
    let user = &found["users"][0];
    assert_eq!(user["email"], "dr.search-0@example.org");
    assert_eq!(
        (&user["role"], &user["status"]),
        (&json!("provider"), &json!("invited"))
    );
    assert_eq!((&user["mfa"], &user["version"]), (&json!(false), &json!(0)));
    let records = world.stack.records_since(&before).await;
    assert!(
        !records[0].to_string().to_lowercase().contains("search-"),
        "{}",
        records[0]
    );

    // Pages, each from the one before, for the same search alone.
    let mut cursor = Value::Null;
    let mut seen = Vec::new();
    loop {
        let mut page = json!({"search": "dr.search-", "limit": 2});
        if !cursor.is_null() {
            page["cursor"] = cursor.clone();
            let mut other = page.clone();
            other["search"] = json!("dr.");
            let refused = list.respond(search(&other)).await;
            assert_eq!(body(&refused)["errors"][0]["pointer"], "/cursor");
        }
        let page = body(&list.respond(search(&page)).await);
        let emails = page["users"].as_array().unwrap().iter();
        seen.extend(emails.map(|user| user["email"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), 5);

    let patients = body(&list.respond(search(&json!({"role": "patient"}))).await);
    assert_eq!(patients["users"].as_array().unwrap().len(), 1);
    assert!(!patients.to_string().contains(&world.patient.to_string()));
    let nobody = body(&list.respond(search(&json!({"search": "*"}))).await);
    assert_eq!(nobody["users"], json!([]));
    for wrong in ["\"", "a\" or email ^= \"", "a\\", "a b", "é", ""] {
        let response = list.respond(search(&json!({"search": wrong}))).await;
        assert_eq!(
            body(&response)["errors"][0]["pointer"],
            "/search",
            "{wrong}"
        );
    }
    for wrong in [json!(0), json!(21), json!(-1), json!("5"), json!(1.5)] {
        let response = list.respond(search(&json!({"limit": wrong}))).await;
        assert_eq!(body(&response)["errors"][0]["pointer"], "/limit", "{wrong}");
    }
    for wrong in ["", "zyxw", "AAAA"] {
        let response = list.respond(search(&json!({"cursor": wrong}))).await;
        assert_eq!(
            body(&response)["errors"][0]["pointer"],
            "/cursor",
            "{wrong}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrators_letter_opens_an_account() {
    let world = World::new().await;
    let issue = |mrn: &str| world.by_admin().json(&json!({"mrn": mrn}));
    let before = world.stack.audit().await;
    let first = body(&respond(&world, "issue-activation", issue(&world.mrn)).await);
    let response = respond(&world, "issue-activation", issue(&world.mrn)).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    let second = body(&response);
    let fields: Vec<_> = second.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["code", "expires_at"]);
    let code = second["code"].as_str().unwrap();
    assert!(code.len() == 19 && code.matches('-').count() == 3, "{code}");
    let records = world.stack.records_since(&before).await;
    assert_eq!(records.len(), 2);
    assert_eq!(records[0]["patient"], world.patient.to_string());
    assert!(!records[0].to_string().contains(&world.mrn));

    let profile = signed_in(world.account, Role::Patient).patient(world.patient);
    let profile = body(&respond(&world, "get-profile", profile).await);
    let activate = |code: &Value, email: &str| {
        let body = json!({
            "mrn": world.mrn, "birth_date": profile["birth_date"], "code": code, "email": email,
        });
        let request = crate::harness::request::anonymous();
        request
            .header("idempotency-key", "the-patients-key")
            .json(&body)
    };
    // The old code is dead, the new one is good.
    let dead = activate(&first["code"], "ann@example.org");
    assert_eq!(respond(&world, "activate-account", dead).await.status, 403);
    let good = activate(&second["code"], "ann@example.org");
    assert_eq!(respond(&world, "activate-account", good).await.status, 201);

    let before = world.stack.audit().await;
    let accounts = world.stack.items(Resource::AccountsTable).await;
    let response = respond(&world, "issue-activation", issue("no such number")).await;
    assert_eq!(response.status, 404);
    let records = world.stack.records_since(&before).await;
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["outcome"], &records[0]["reason"]),
        (&json!("denied"), &json!("not-found"))
    );
    assert_eq!(world.stack.items(Resource::AccountsTable).await, accounts);
}

/// Letter after letter would be guess after guess.
#[tokio::test(flavor = "multi_thread")]
async fn a_patient_gets_three_codes_a_day() {
    let world = World::new().await;
    let issue = async || {
        let request = world.by_admin().json(&json!({"mrn": world.mrn}));
        respond(&world, "issue-activation", request).await
    };
    let profile = signed_in(world.account, Role::Patient).patient(world.patient);
    let profile = body(&respond(&world, "get-profile", profile).await);
    let activate = async |code: &Value| {
        let body = json!({
            "mrn": world.mrn, "birth_date": profile["birth_date"], "code": code,
            "email": "ann@example.org",
        });
        let request = crate::harness::request::anonymous();
        let request = request.header("idempotency-key", "the-patients-key");
        respond(&world, "activate-account", request.json(&body))
            .await
            .status
    };
    let row = || crate::harness::letter::activation_row(&world);
    let wrong = json!("AAAA-AAAA-AAAA-AAAA");
    for failed in ["0", "1"] {
        assert_eq!(issue().await.status, 201);
        assert_eq!(row().await["attempts"], failed, "a code gives none back");
        assert_eq!(activate(&wrong).await, 403);
    }
    let last = issue().await;
    assert_eq!(last.status, 201);
    let before = world.stack.audit().await;
    let response = issue().await;
    assert_eq!(response.status, 429, "{}", body(&response));
    assert_eq!(body(&response)["type"], "/problems/too-many-codes");
    assert_eq!(response.retry_after, Some(u16::MAX));
    let records = world.stack.records_since(&before).await;
    assert_eq!(records.len(), 1);
    assert_eq!(
        (&records[0]["outcome"], &records[0]["patient"]),
        (&json!("denied"), &json!(world.patient.to_string()))
    );
    // The last letter is as good as it was.
    assert_eq!(row().await["attempts"], "2");
    assert_eq!(activate(&body(&last)["code"]).await, 201);

    // A day after the first it begins anew.
    let age = async |seconds: i64| {
        let accounts = world.stack.names[&Resource::AccountsTable].clone();
        let since = jiff::Timestamp::now().as_second() - seconds;
        let age = json!({
            "TableName": accounts, "Key": {"pk": {"S": row().await["pk"]}},
            "UpdateExpression": "SET codes_since = :since",
            "ExpressionAttributeValues": {":since": {"N": since.to_string()}},
        });
        world.stack.dynamodb("UpdateItem", age).await;
    };
    age(86_300).await;
    let response = issue().await;
    assert_eq!(response.status, 429);
    assert!((1..=100).contains(&response.retry_after.unwrap()));
    age(86_401).await;
    assert_eq!(issue().await.status, 201);
    assert_eq!(row().await["codes"], "1");

    // When every attempt has failed another code would be dead before it is printed.
    for _ in 0..5 {
        assert_eq!(activate(&wrong).await, 403);
    }
    assert_eq!(issue().await.status, 429);
    age(86_401).await;
    let response = issue().await;
    assert_eq!(response.status, 201);
    assert_eq!(row().await["attempts"], "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn resetting_a_second_factor_is_written_down_first() {
    let world = World::new().await;
    let get = Function::new(&world.stack, "get-account");
    let own = || signed_in(world.provider, Role::Provider);
    let reset = || {
        let request = world.by_admin().account(world.provider);
        request.json(&json!({"identity_check": "callback-to-number-on-file"}))
    };
    let before = world.stack.audit().await;
    let part = "cognito-idp:AdminDeleteSoftwareToken";
    let response = respond_without(&world, "reset-user-mfa", part, reset()).await;
    assert_eq!(
        (response.status.as_u16(), &body(&response)["reset"]),
        (200, &json!(false))
    );
    let response = respond(&world, "reset-user-mfa", reset()).await;
    assert_eq!(
        (response.status.as_u16(), &body(&response)["reset"]),
        (200, &json!(true))
    );
    assert_eq!(get.respond(own()).await.status, 401);
    let told = format!("{} callback-to-number-on-file", world.provider);
    let records = world.stack.records_since(&before).await;
    let records: Vec<_> = records
        .iter()
        .filter(|r| r["operation"] == "reset-user-mfa")
        .collect();
    assert_eq!(records.len(), 2);
    assert!(
        records
            .iter()
            .all(|record| record["resource"] == told.as_str())
    );
    // Passkeys sign nobody in any more, and that comes first.
    let part = "cognito-idp:AdminSetUserMFAPreference";
    let recorder = Recorder::failing(move |call| call.actions[0] == part);
    let function = Function::recorded(&world.stack, "reset-user-mfa", recorder);
    assert_eq!(body(&function.respond(reset()).await)["reset"], false);
    let calls = function.recorder.calls();
    let called = |action: &str| calls.iter().find(|call| call.actions[0] == action);
    let preference: Value = serde_json::from_str(&called(part).unwrap().body).unwrap();
    assert_eq!(preference["WebAuthnMfaSettings"], json!({"Enabled": false}));
    assert_eq!(preference["Username"], world.provider.to_string());
    assert!(preference["SoftwareTokenMfaSettings"].is_null());
    assert!(called("cognito-idp:AdminDeleteSoftwareToken").is_none());
    // No record, no reset.
    let audit = world.stack.names[&Resource::AuditTable].clone();
    let recorder = Recorder::failing(move |call| call.resources.contains(&audit));
    let function = Function::recorded(&world.stack, "reset-user-mfa", recorder);
    assert_eq!(function.respond(reset()).await.status, 503);
    let actions = function.recorder.actions();
    assert!(
        !actions
            .iter()
            .any(|action| action.starts_with("cognito-idp:")),
        "{actions:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_somebody_out_holds_even_if_cognito_fails() {
    let world = World::new().await;
    let get = Function::new(&world.stack, "get-account");
    for (part, said) in [("cognito-idp:", "pending"), ("nothing", "done")] {
        let whom = world
            .stack
            .account(Role::PrivacyOfficer, Whose::Nobody)
            .await;
        let own = || signed_in(whom, Role::PrivacyOfficer);
        assert_eq!(get.respond(own()).await.status, 200);
        let request = world.by_admin().account(whom);
        let response = respond_without(&world, "sign-out-user", part, request).await;
        assert_eq!(response.status, 200);
        assert_eq!(body(&response)["sign_in_service"], said);
        assert_eq!(get.respond(own()).await.status, 401);
    }
}

/// A run in which nothing is too young to be looked at.
async fn reconcile(stack: &Stack, recorder: Recorder) -> Result<Value, shared::event::Failed> {
    reconcile_within(stack, recorder, Duration::from_secs(60)).await
}

async fn reconcile_within(
    stack: &Stack,
    recorder: Recorder,
    budget: Duration,
) -> Result<Value, shared::event::Failed> {
    let aws = stack.aws(&recorder);
    let at_once = SignedDuration::from_secs(-1);
    let service = reconcile_accounts::service_within(&aws, budget, at_once).unwrap();
    let function = Function::of(recorder, service);
    function.handle(json!({"source": "aws.events"})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_drift_is_mended_or_reported() {
    let world = World::new().await;
    let stack = &world.stack;
    let pool = &stack.names[&Resource::UserPool];
    // Left behind by an invitation that broke off.
    let torn = Recorder::failing(|call| call.actions.len() > 1);
    let torn = Function::recorded(stack, "invite-user", torn);
    let request = invitation(&world, world.by_admin(), "torn@example.org", "the-torn-key");
    assert_eq!(torn.respond(request).await.status, 503);
    // In two groups; disabled without reason; an administrator whom nobody counts; one who is none.
    let group = json!({"UserPoolId": pool, "Username": world.officer, "GroupName": "admins"});
    stack.cognito("AdminAddUserToGroup", &group).await;
    let user = json!({"UserPoolId": pool, "Username": world.provider});
    stack.cognito("AdminDisableUser", &user).await;
    let uncounted = admin(&world).await;
    let set = json!({
        "pk": {"S": "ADMINISTRATORS"}, "accounts": {"SS": [world.admin, world.officer]},
    });
    stack.put(Resource::AccountsTable, set).await;

    // As deployed it leaves alone what is younger than a day.
    let function = Function::new(stack, "reconcile-accounts");
    let deployed =
        Recorder::failing(|call| call.actions[0] == "cognito-idp:AdminListGroupsForUser");
    let failing = Function::recorded(stack, "reconcile-accounts", deployed);
    let answer = failing.handle(json!({})).await.unwrap();
    // Each of the five who have an account, and nobody kept from being looked at by another.
    assert_eq!(
        (&answer["not_mended"], &answer["complete"]),
        (&json!(5), &json!(true)),
        "{answer}"
    );
    assert_eq!(users(stack, "torn@example.org").await.len(), 1);

    let before = stack.audit().await;
    let answer = reconcile(stack, Recorder::default()).await.unwrap();
    assert_eq!(
        (&answer["mended"], &answer["not_mended"]),
        (&json!(5), &json!(0)),
        "{answer}"
    );
    assert_eq!(answer["complete"], true);
    assert!(users(stack, "torn@example.org").await.is_empty());
    assert_eq!(in_pool(stack, world.officer).await.0, ["privacy-officers"]);
    assert!(in_pool(stack, world.provider).await.1);
    let mut both = [world.admin.to_string(), uncounted.to_string()];
    both.sort();
    assert_eq!(administrators(stack).await, both);
    let records = stack.records_since(&before).await;
    let told: Vec<_> = records
        .iter()
        .filter_map(|record| record["resource"].as_str())
        .collect();
    assert_eq!((records.len(), told.len()), (6, 5), "{records:#?}");
    assert!(records.iter().all(|record| record["outcome"] == "success"));
    // The next run finds nothing.
    let before = stack.audit().await;
    let answer = function.handle(json!({})).await.unwrap();
    assert_eq!(
        (&answer["mended"], &answer["not_mended"]),
        (&json!(0), &json!(0))
    );
    assert_eq!(stack.records_since(&before).await.len(), 1);

    // Somebody of whom nobody knows where they come from is reported, and stays.
    let create = json!({"UserPoolId": pool, "Username": "stranger@example.org"});
    stack.cognito("AdminCreateUser", &create).await;
    let before = stack.audit().await;
    let answer = reconcile(stack, Recorder::default()).await.unwrap();
    assert_eq!(
        (&answer["mended"], &answer["not_mended"]),
        (&json!(0), &json!(1)),
        "{answer}"
    );
    assert_eq!(users(stack, "stranger@example.org").await.len(), 1);
    let records = stack.records_since(&before).await;
    assert!(
        records.iter().any(|record| record["outcome"] == "failure"),
        "{records:#?}"
    );

    // What could not be mended is reported, and mended by the next run.
    stack.cognito("AdminDisableUser", &user).await;
    let recorder = Recorder::failing(|call| call.actions[0] == "cognito-idp:AdminEnableUser");
    let answer = reconcile(stack, recorder).await.unwrap();
    assert_eq!(
        (&answer["mended"], &answer["not_mended"]),
        (&json!(0), &json!(2)),
        "{answer}"
    );
    let answer = reconcile(stack, Recorder::default()).await.unwrap();
    assert_eq!(
        (&answer["mended"], &answer["not_mended"]),
        (&json!(1), &json!(1)),
        "{answer}"
    );
}

/// Consent is not waited for from somebody who cannot sign in any more.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_whose_user_is_gone_is_not_counted() {
    let world = World::new().await;
    let stack = &world.stack;
    let gone = admin(&world).await;
    let mut both = [world.admin.to_string(), gone.to_string()];
    both.sort();
    assert_eq!(administrators(stack).await, both);
    let user = json!({"UserPoolId": stack.names[&Resource::UserPool], "Username": gone});
    stack.cognito("AdminDeleteUser", &user).await;
    let before = stack.audit().await;
    // Nobody is taken out for an answer that did not come.
    let failing = |call: &Call| call.actions[0] == "cognito-idp:AdminListGroupsForUser";
    reconcile(stack, Recorder::failing(failing)).await.unwrap();
    assert_eq!(administrators(stack).await, both);
    let answer = reconcile(stack, Recorder::default()).await.unwrap();
    assert_eq!(
        (&answer["mended"], &answer["not_mended"]),
        (&json!(1), &json!(0)),
        "{answer}"
    );
    assert_eq!(administrators(stack).await, [world.admin.to_string()]);
    let told = format!("{gone} gone");
    let records = stack.records_since(&before).await;
    assert!(records.iter().any(|one| one["resource"] == told.as_str()));

    // The last one stays: without any, anybody would grant anything.
    let user = json!({"UserPoolId": stack.names[&Resource::UserPool], "Username": world.admin});
    stack.cognito("AdminDeleteUser", &user).await;
    reconcile(stack, Recorder::default()).await.unwrap();
    assert_eq!(administrators(stack).await, [world.admin.to_string()]);
}

/// Somebody sends the invitation again while the user that the first try left is being removed.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_made_meanwhile_keeps_its_user() {
    let world = std::sync::Arc::new(World::new().await);
    let stack = &world.stack;
    let torn = Recorder::failing(|call| call.actions.len() > 1);
    let torn = Function::recorded(stack, "invite-user", torn);
    let request = invitation(&world, world.by_admin(), "torn@example.org", "the-torn-key");
    assert_eq!(torn.respond(request).await.status, 503);
    let user = users(stack, "torn@example.org").await.remove(0);
    let item = json!({
        "pk": {"S": format!("ACCOUNT#{}", user["Username"].as_str().unwrap())},
        "role": {"S": "provider"}, "status": {"S": "active"},
        "practitioner": {"S": world.practitioner},
    });
    let meanwhile = std::sync::Arc::clone(&world);
    let recorder = Recorder::failing(move |call| {
        if call.actions == ["dynamodb:PutItem"] && call.body.contains("abandoned") {
            let put = meanwhile.stack.put(Resource::AccountsTable, item.clone());
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(put));
        }
        false
    });
    let answer = reconcile(stack, recorder).await.unwrap();
    assert_eq!(
        (&answer["mended"], &answer["not_mended"]),
        (&json!(0), &json!(0)),
        "{answer}"
    );
    assert_eq!(users(stack, "torn@example.org").await.len(), 1);
}

/// More users than a page has: a run that has no more time goes on where it broke off.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_comparison_goes_on_in_the_next_run() {
    let world = World::new().await;
    for _ in 0..60 {
        let id = PractitionerId::new(Uuid::new_v4());
        world
            .stack
            .account(Role::Provider, Whose::Practitioner(id))
            .await;
    }
    let last = world
        .stack
        .account(Role::PrivacyOfficer, Whose::Nobody)
        .await;
    let user = json!({"UserPoolId": world.stack.names[&Resource::UserPool], "Username": last});
    world.stack.cognito("AdminDisableUser", &user).await;
    let no_time = Duration::ZERO;
    let first = reconcile_within(&world.stack, Recorder::default(), no_time)
        .await
        .unwrap();
    assert_eq!(
        (&first["users"], &first["complete"]),
        (&json!(60), &json!(false)),
        "{first}"
    );
    let second = reconcile_within(&world.stack, Recorder::default(), no_time)
        .await
        .unwrap();
    assert_eq!(
        (&second["mended"], &second["complete"]),
        (&json!(1), &json!(true)),
        "{second}"
    );
    let third = reconcile_within(&world.stack, Recorder::default(), no_time)
        .await
        .unwrap();
    assert_eq!(third["users"], 60, "{third}");
}
