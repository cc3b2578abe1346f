//! Changing one's address: codes to both, wrong ones, too many, too late, and Cognito that fails.

use crate::harness::Whose;
use crate::harness::function::Function;
use crate::harness::mail::{last_code, mails};
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, anonymous, body, signed_in};
use crate::harness::world::World;
use jiff::SignedDuration;
use serde_json::{Value, json};
use shared::access::{Claims, Role};
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::AccountId;
use std::time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

const REQUEST: &str = "request-email-change";
const CONFIRM: &str = "confirm-email-change";

/// Somebody who wants another address.
struct Mover<'a> {
    world: &'a World,
    old: String,
    new: String,
    claims: Claims,
}

impl<'a> Mover<'a> {
    async fn new(world: &'a World) -> Self {
        let (old, request) = world.new_address().await;
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        Self {
            world,
            old,
            new: body["email"].as_str().unwrap().to_owned(),
            claims: request.claims.unwrap(),
        }
    }

    fn account(&self) -> AccountId {
        self.claims.account
    }

    fn by(&self, body: &Value) -> Request {
        Request {
            claims: Some(self.claims.clone()),
            ..anonymous().json(body)
        }
    }

    fn request(&self) -> Request {
        self.by(&json!({"email": self.new}))
    }

    async fn asks(&self) -> Response {
        send(self.world, REQUEST, self.request()).await
    }

    async fn codes(&self) -> [String; 2] {
        let stack = &self.world.stack;
        [
            last_code(stack, &self.old).await,
            last_code(stack, &self.new).await,
        ]
    }

    fn confirmation(&self, [old, new]: [&str; 2]) -> Request {
        self.by(&json!({"old_address_code": old, "new_address_code": new}))
    }

    async fn confirms(&self, codes: [&str; 2]) -> Response {
        send(self.world, CONFIRM, self.confirmation(codes)).await
    }

    async fn confirms_rightly(&self) -> Response {
        let [old, new] = self.codes().await;
        self.confirms([&old, &new]).await
    }

    /// Address, whether it is verified, and the one that was asked for, as the pool has them.
    async fn in_pool(&self) -> [String; 3] {
        let [email, verified, requested] = self.attributes().await;
        let requested = requested.split_once('|');
        [
            email,
            verified,
            requested.map_or(String::new(), |(_, address)| address.to_owned()),
        ]
    }

    async fn attributes(&self) -> [String; 3] {
        let stack = &self.world.stack;
        let user = json!({
            "UserPoolId": stack.names[&Resource::UserPool], "Username": self.account(),
        });
        let user = stack.cognito("AdminGetUser", &user).await;
        let attributes = user["UserAttributes"].as_array().unwrap();
        ["email", "email_verified", "custom:new_email"].map(|name| {
            let found = attributes.iter().find(|one| one["Name"] == name);
            found.map_or(String::new(), |one| {
                one["Value"].as_str().unwrap().to_owned()
            })
        })
    }

    /// Sets what the pool keeps of a request, as one that comes late would.
    async fn keep_in_pool(&self, requested: &str) {
        let set = json!({
            "UserPoolId": self.world.stack.names[&Resource::UserPool],
            "Username": self.account(),
            "UserAttributes": [{"Name": "custom:new_email", "Value": requested}],
        });
        self.world
            .stack
            .cognito("AdminUpdateUserAttributes", &set)
            .await;
    }

    /// Proves both codes while Cognito does not answer.
    async fn confirms_in_vain(&self) {
        let [old, new] = self.codes().await;
        let torn =
            Recorder::failing(|call| call.actions[0] == "cognito-idp:AdminUpdateUserAttributes");
        let function = Function::recorded(&self.world.stack, CONFIRM, torn);
        let response = function.respond(self.confirmation([&old, &new])).await;
        assert_eq!(
            body(&response)["sign_in_service"],
            "pending",
            "{}",
            body(&response)
        );
        assert_eq!(self.in_pool().await, [&self.old, "true", &self.new]);
    }

    /// The row of the change.
    async fn row(&self) -> Option<Value> {
        let key = format!("EMAIL-CHANGE#{}", self.account());
        let rows = self.world.stack.items(Resource::AccountsTable).await;
        rows.into_iter().find(|row| row["pk"] == key.as_str())
    }

    /// Sets an attribute of the row, as time or a defect would.
    async fn set(&self, name: &str, value: Value) {
        let stack = &self.world.stack;
        let set = json!({
            "TableName": stack.names[&Resource::AccountsTable],
            "Key": {"pk": {"S": format!("EMAIL-CHANGE#{}", self.account())}},
            "UpdateExpression": "SET #name = :value",
            "ExpressionAttributeNames": {"#name": name},
            "ExpressionAttributeValues": {":value": value},
        });
        stack.dynamodb("UpdateItem", set).await;
    }
}

async fn send(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

fn kind(response: &Response) -> String {
    let problem = body(response);
    format!(
        "{} {}",
        response.status.as_u16(),
        problem["type"].as_str().unwrap_or_default()
    )
}

/// A comparison in which nothing is too young to be looked at.
async fn reconciled(world: &World) -> Value {
    let recorder = Recorder::default();
    let aws = world.stack.aws(&recorder);
    let at_once = SignedDuration::from_secs(-1);
    let minute = Duration::from_secs(60);
    let service = reconcile_accounts::service_within(&aws, minute, at_once).unwrap();
    let function = Function::of(recorder, service);
    function.handle(json!({})).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_codes_change_the_address() {
    let world = World::new().await;
    let mover = Mover::new(&world).await;
    let before = world.stack.audit().await;
    let response = mover.asks().await;
    assert_eq!(response.status, 202, "{}", body(&response));
    assert_eq!(body(&response)["sent"], true);
    assert_eq!(mover.in_pool().await, [&mover.old, "true", &mover.new]);

    // One mail each, with a code of its own and nothing of anybody.
    let [old, new] = mover.codes().await;
    assert_ne!(old, new);
    for (address, code) in [(&mover.old, &old), (&mover.new, &new)] {
        let mails = mails(&world.stack, address).await;
        assert_eq!(mails.len(), 1);
        let (subject, text) = &mails[0];
        assert_eq!(subject, "Your portal code");
        assert!(
            text.contains(code.as_str()) && !text.contains('@'),
            "{text}"
        );
    }

    let response = mover.confirms([&old.to_lowercase(), &new]).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    assert_eq!(body(&response)["sign_in_service"], "done");
    assert_eq!(mover.in_pool().await, [&mover.new, "true", ""]);
    // Whoever was signed in is out, and the old address hears of it.
    let mut account = mover.request();
    account.body.clear();
    assert_eq!(send(&world, "get-account", account).await.status, 401);
    let notices = mails(&world.stack, &mover.old).await;
    assert_eq!(notices.len(), 2);
    assert!(!notices[1].1.contains('@'), "{}", notices[1].1);
    assert_eq!(mails(&world.stack, &mover.new).await.len(), 1);

    // Neither address nor code is in the log or in the table.
    let records = world.stack.audit().await;
    let new_records = records.iter().filter(|one| !before.contains(one));
    let told: Vec<_> = new_records
        .filter(|one| one["actor"] == mover.account().to_string())
        .map(|one| {
            (
                one["operation"].as_str().unwrap(),
                one["outcome"].as_str().unwrap(),
            )
        })
        .collect();
    let expected = [
        (REQUEST, "success"),
        (CONFIRM, "success"),
        ("get-account", "denied"),
    ];
    assert_eq!(told, expected);
    let rows = world.stack.scan(Resource::AccountsTable).await;
    let rows = json!([records, rows]).to_string();
    for text in [&mover.old, &mover.new, &old, &new, &old.replace('-', "")] {
        assert!(!rows.contains(text.as_str()), "{text}");
    }

    // The codes are used up.
    let mover = Mover {
        claims: mover.by(&json!({})).since(-2).claims.unwrap(),
        ..mover
    };
    let again = mover.confirms([&old, &new]).await;
    assert_eq!(kind(&again), "403 /problems/codes-refused");
    assert_eq!(mover.in_pool().await, [&mover.new, "true", ""]);
    assert_eq!(reconciled(&world).await["mended"], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_is_not_enough_and_five_guesses_are_all() {
    let world = World::new().await;
    let mover = Mover::new(&world).await;
    let nothing = mover.confirms(["AAAA-AAAA", "AAAA-AAAA"]).await;
    assert_eq!(kind(&nothing), "403 /problems/codes-refused");
    mover.asks().await;
    let [old, new] = mover.codes().await;
    let refused = body(&nothing)["detail"].clone();
    for wrong in [
        [&*new, &*old],
        [&*old, "AAAA-AAAA"],
        ["AAAA-AAAA", &*new],
        [&*old, &*old],
    ] {
        let response = mover.confirms(wrong).await;
        assert_eq!(kind(&response), "403 /problems/codes-refused");
        assert_eq!(body(&response)["detail"], refused);
    }
    // Nobody else's codes, and nobody else with the codes.
    let other = Mover::new(&world).await;
    other.asks().await;
    let response = other.confirms([&old, &new]).await;
    assert_eq!(kind(&response), "403 /problems/codes-refused");
    // After the fifth failure the right ones are wrong.
    assert_eq!(mover.confirms(["AAAA-AAAA", "AAAA-AAAA"]).await.status, 403);
    let dead = mover.confirms([&old, &new]).await;
    assert_eq!(kind(&dead), "403 /problems/codes-refused");
    assert_eq!(mover.in_pool().await, [&mover.old, "true", &mover.new]);

    // New codes are good, and the old ones are not.
    assert_eq!(mover.asks().await.status, 202);
    assert_eq!(mover.confirms([&old, &new]).await.status, 403);
    // Guesses at once count one by one.
    let mut guesses = JoinSet::new();
    for _ in 0..12 {
        let function = Function::new(&world.stack, CONFIRM);
        let request = mover.confirmation(["AAAA-AAAA", "AAAA-AAAA"]);
        guesses.spawn(async move { function.respond(request).await.status.as_u16() });
    }
    let statuses = guesses.join_all().await;
    assert!(statuses.iter().all(|status| *status == 403), "{statuses:?}");
    assert_eq!(mover.confirms_rightly().await.status, 403);

    // An hour is all.
    assert_eq!(mover.asks().await.status, 202);
    let now = jiff::Timestamp::now().as_second();
    mover
        .set("codes_expire_at", json!({"N": now.to_string()}))
        .await;
    let late = mover.confirms_rightly().await;
    assert_eq!(kind(&late), "403 /problems/codes-refused");
    assert_eq!(mover.in_pool().await[0], mover.old);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_ask_and_how_often() {
    let world = World::new().await;
    let mover = Mover::new(&world).await;
    let stale = mover.request().since(901);
    let response = send(&world, REQUEST, stale).await;
    assert_eq!(kind(&response), "403 /problems/sign-in-again");
    let own = mover.by(&json!({"email": mover.old.to_uppercase()}));
    let response = send(&world, REQUEST, own).await;
    assert_eq!(body(&response)["errors"][0]["pointer"], "/email");
    assert!(mails(&world.stack, &mover.old).await.is_empty());
    for _ in 0..3 {
        assert_eq!(mover.asks().await.status, 202);
    }
    let response = mover.asks().await;
    assert_eq!(kind(&response), "429 /problems/too-many-requests");
    assert_eq!(mails(&world.stack, &mover.new).await.len(), 3);
    // What was asked for last is as good as it was.
    assert_eq!(mover.confirms_rightly().await.status, 200);
    // Everybody has an address.
    for (account, role) in [
        (world.provider, Role::Provider),
        (world.admin, Role::Admin),
        (world.officer, Role::PrivacyOfficer),
    ] {
        let email = format!("{}@example.org", Uuid::new_v4().simple());
        let request = signed_in(account, role).since(0);
        let response = send(&world, REQUEST, request.json(&json!({"email": email}))).await;
        assert_eq!(response.status, 202, "{role:?}");
    }
}

/// Whether an address is somebody's is told to those who read mail there, and to nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_belongs_to_one_account() {
    let world = World::new().await;
    let free = Mover::new(&world).await;
    let taken = Mover::new(&world).await;
    world
        .stack
        .account_at(&taken.new, Role::Patient, Whose::Nobody)
        .await;
    let [one, other] = [free.asks().await, taken.asks().await];
    let fields = |response: &Response| -> Vec<String> {
        body(response)
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect()
    };
    assert_eq!((one.status, fields(&one)), (other.status, fields(&other)));
    let texts = [&free.new, &taken.new].map(|address| mails(&world.stack, address));
    let [one, other] = futures(texts).await;
    assert_eq!(one.len(), other.len());
    assert_eq!(one[0].0, other[0].0);

    let response = taken.confirms_rightly().await;
    assert_eq!(kind(&response), "409 /problems/address-taken");
    assert_eq!(taken.in_pool().await[0], taken.old);
    // Nor when somebody gets it while the codes are on their way.
    world
        .stack
        .account_at(&free.new, Role::Patient, Whose::Nobody)
        .await;
    let response = free.confirms_rightly().await;
    assert_eq!(kind(&response), "409 /problems/address-taken");
    assert_eq!(free.in_pool().await[0], free.old);
}

async fn futures<T>([one, other]: [impl Future<Output = T>; 2]) -> [T; 2] {
    let (one, other) = tokio::join!(one, other);
    [one, other]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cognito_missed_is_made_up_for() {
    let world = World::new().await;
    let mover = Mover::new(&world).await;
    let torn =
        |part: &'static str| Recorder::failing(move |call| call.actions[0].starts_with(part));
    for part in ["ses:", "cognito-idp:AdminUpdateUserAttributes"] {
        let function = Function::recorded(&world.stack, REQUEST, torn(part));
        let response = function.respond(mover.request()).await;
        assert_eq!(response.status, 202, "{part}: {}", body(&response));
        assert_eq!(body(&response)["sent"], false, "{part}");
    }
    let response = mover.asks().await;
    assert_eq!(body(&response)["sent"], true);

    // It is written down, and the sign-in is as it was.
    let [old, new] = mover.codes().await;
    let function = Function::recorded(
        &world.stack,
        CONFIRM,
        torn("cognito-idp:AdminUpdateUserAttributes"),
    );
    let response = function.respond(mover.confirmation([&old, &new])).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    assert_eq!(body(&response)["sign_in_service"], "pending");
    assert_eq!(mover.in_pool().await, [&mover.old, "true", &mover.new]);
    // Nothing comes between.
    let rate = format!("RATE#{}#{REQUEST}", mover.account());
    let rows = world.stack.scan(Resource::AccountsTable).await.into_iter();
    let mut rows = rows.filter(|row| row["pk"]["S"].as_str().unwrap().starts_with(&rate));
    let mut count = rows.next().unwrap();
    count["taken"]["N"] = "0".into();
    world.stack.put(Resource::AccountsTable, count).await;
    let again = send(&world, REQUEST, mover.request().since(-2)).await;
    assert_eq!(kind(&again), "409 /problems/change-under-way");

    let before = world.stack.audit().await;
    let answer = reconciled(&world).await;
    assert_eq!(
        (&answer["mended"], &answer["not_mended"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(mover.in_pool().await, [&mover.new, "true", ""]);
    let records = world.stack.audit().await;
    let told = format!("{} address-pending", mover.account());
    let mut records = records.iter().filter(|one| !before.contains(one));
    assert!(records.any(|one| one["resource"] == told.as_str()));
    let again = send(&world, REQUEST, {
        let email = json!({"email": format!("{}@example.org", Uuid::new_v4().simple())});
        mover.by(&email).since(-2)
    });
    assert_eq!(again.await.status, 202);

    // What was asked for and let run out is forgotten.
    assert_eq!(reconciled(&world).await["mended"], 0);
    mover.set("codes_expire_at", json!({"N": "1"})).await;
    assert_eq!(reconciled(&world).await["mended"], 1);
    assert_eq!(mover.in_pool().await, [&mover.new, "true", ""]);
}

/// Which comparison told what of an account since.
async fn told(world: &World, before: &[Value], account: AccountId) -> Vec<(String, String)> {
    let records = world.stack.records_since(before).await.into_iter();
    let records = records.filter(|one| one["operation"] == "reconcile-accounts");
    let told = records.filter_map(|one| {
        let resource = one["resource"]
            .as_str()?
            .strip_prefix(&account.to_string())?;
        let outcome = one["outcome"].as_str().unwrap();
        Some((resource.trim().to_owned(), outcome.to_owned()))
    });
    told.collect()
}

/// Only the address that was proven is ever carried out, whatever reached the pool last.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_not_proven_is_not_carried_out() {
    let world = World::new().await;
    for late in ["evil@example.org", "AAAA|evil@example.org"] {
        let mover = Mover::new(&world).await;
        mover.asks().await;
        let [_, _, first] = mover.attributes().await;
        assert!(first.ends_with(&format!("|{}", mover.new)), "{first}");
        mover.confirms_in_vain().await;
        mover.keep_in_pool(late).await;
        let before = world.stack.audit().await;
        assert_eq!(reconciled(&world).await["not_mended"], 0);
        assert_eq!(mover.in_pool().await, [&mover.old, "true", ""]);
        let told = told(&world, &before, mover.account()).await;
        assert_eq!(
            told,
            [("address-forgotten".to_owned(), "success".to_owned())]
        );
    }
    // Nor is it confirmed: what an earlier request left in the pool has another proof.
    let mover = Mover::new(&world).await;
    mover.asks().await;
    let [_, _, first] = mover.attributes().await;
    mover.asks().await;
    mover.keep_in_pool(&first).await;
    let response = mover.confirms_rightly().await;
    assert_eq!(kind(&response), "403 /problems/codes-refused");
    assert_eq!(mover.in_pool().await[0], mover.old);
}

/// Whoever got the address meanwhile keeps it, and whoever wanted it may ask for another at once.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_somebody_got_meanwhile_is_given_up() {
    let world = World::new().await;
    let mover = Mover::new(&world).await;
    mover.asks().await;
    mover.confirms_in_vain().await;
    let owner = world
        .stack
        .account_at(&mover.new, Role::Patient, Whose::Nobody)
        .await;
    let before = world.stack.audit().await;
    let answer = reconciled(&world).await;
    assert_eq!(
        (&answer["mended"], &answer["not_mended"]),
        (&json!(1), &json!(0))
    );
    assert_eq!(mover.in_pool().await, [&mover.old, "true", ""]);
    assert_eq!(mover.row().await, None);
    let told = told(&world, &before, mover.account()).await;
    assert_eq!(told, [("address-taken".to_owned(), "success".to_owned())]);
    let users = world
        .stack
        .users(&format!("email = \"{}\"", mover.new))
        .await;
    assert_eq!(users.len(), 1);
    assert!(json!(users).to_string().contains(&owner.to_string()));
    assert_eq!(reconciled(&world).await["mended"], 0);

    let another = format!("{}@example.org", Uuid::new_v4().simple());
    let again = mover.by(&json!({"email": another})).since(-2);
    assert_eq!(send(&world, REQUEST, again).await.status, 202);
    assert_eq!(mover.in_pool().await, [&mover.old, "true", &another]);
}
