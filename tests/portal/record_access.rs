//! Who looked: every access to a patient's record is in the patient's list once, in plain words, with
//! who, why and how it ended; and what became of those that the patient reported.

use crate::harness::function::Function;
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{NOTE, REPORT, World, call, specs, token_specs};
use crate::harness::{Whose, sample};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};
use shared::access::Role;
use shared::api::record_access::{Kind, ground};
use shared::api::words::WORDS;
use shared::api::{Category, words};
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::{AccountId, PatientId};
use shared::practice::Practice;
use shared::store::sortable;
use std::collections::BTreeMap;
use uuid::Uuid;

const LIST: &str = "list-record-access";
const REPORTING: &str = "report-access-concern";

async fn ask(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

/// All pages of somebody's list, of so many accesses each.
async fn pages(world: &World, by: impl Fn() -> Request, limit: &str) -> Vec<Value> {
    let function = Function::new(&world.stack, LIST);
    let mut listed = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let mut request = by().query("limit", limit);
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let response = function.respond(request).await;
        let page = body(&response);
        assert_eq!(response.status, 200, "{page}");
        listed.extend(page["accesses"].as_array().unwrap().iter().cloned());
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return listed;
        }
    }
}

fn by(account: AccountId, patient: PatientId) -> Request {
    signed_in(account, Role::Patient).patient(patient)
}

/// What the patient sees, newest first.
async fn listed(world: &World) -> Vec<Value> {
    pages(world, || by(world.account, world.patient), "100").await
}

/// The patient's entry of a request.
async fn entry_of(world: &World, request_id: &str) -> Value {
    let records = world.stack.audit().await;
    let is_of = |entry: &Value| {
        records
            .iter()
            .any(|one| one["id"] == entry["id"] && one["request_id"] == request_id)
    };
    let mut found = listed(world).await;
    found.retain(is_of);
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

/// Makes a request and returns the patient's entry of it.
async fn told(world: &World, id: &str, request: Request) -> Value {
    let request_id = request.request_id.clone();
    ask(world, id, request).await;
    entry_of(world, &request_id).await
}

#[test]
fn every_operation_has_words_and_every_ground() {
    let mut declared: Vec<_> = specs().iter().map(|spec| spec.id).collect();
    let mut known: Vec<_> = WORDS.iter().map(|(id, _)| *id).collect();
    declared.sort_unstable();
    known.sort_unstable();
    assert_eq!(declared, known);
    for spec in specs() {
        // Whatever names a patient is told to that patient.
        if crate::harness::world::is_about_a_patient(spec) {
            let (_, words) = WORDS.iter().find(|(id, _)| *id == spec.id).unwrap();
            assert!(words.is_some(), "{}", spec.id);
        }
    }
    let policies = include_str!("../../shared/policies/portal.cedar");
    let vias = policies
        .lines()
        .filter_map(|line| line.strip_prefix("@via(\"")?.strip_suffix("\")"));
    for via in vias {
        assert!(
            ground(via, Kind::Provider, "get-profile").is_some(),
            "{via}"
        );
    }
    // Only the import is what another system sent; all else that nobody asked for is the portal's.
    for spec in specs() {
        let told = ground("service", Kind::Portal, spec.id).unwrap();
        let is_sent = told == "The practice's own record system sent it.";
        assert_eq!(is_sent, spec.id == "import-records", "{}", spec.id);
    }
}

/// What the audit log holds of the patient, by request.
async fn requests(world: &World) -> BTreeMap<String, usize> {
    let pk = format!("PATIENT#{}", world.patient);
    let mut requests = BTreeMap::new();
    for record in world.stack.audit().await {
        if record["pk"] == *pk {
            let id = record["request_id"].as_str().unwrap().to_owned();
            *requests.entry(id).or_default() += 1;
        }
    }
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn every_access_is_in_the_list_once() {
    let world = World::new().await;
    let aws = world.stack.aws(&Recorder::default());
    for spec in token_specs() {
        let response = call(&aws, spec, world.allowed(spec).await).await;
        assert!(response.status.is_success(), "{}", spec.id);
        // The same by somebody who may not, and the other way round: who may, badly.
        let mut request = world.allowed(spec).await;
        request.claims = world.by_stranger().await.claims;
        call(&aws, spec, request).await;
        let request = world.allowed(spec).await.query("unknown", "parameter");
        assert_eq!(call(&aws, spec, request).await.status, 400, "{}", spec.id);
    }
    // Done, and then it was not: two records of one access.
    for _ in 0..3 {
        let recorder = Recorder::failing(|call| call.actions == ["kms:Decrypt"]);
        let function = Function::recorded(&world.stack, "get-profile", recorder);
        let response = function.respond(by(world.account, world.patient)).await;
        assert_eq!(response.status, 503);
    }
    // While an accounting is suspended there is more to leave out: see accounting.rs.
    crate::accounting::end_suspensions(&world).await;
    let expected = requests(&world).await;
    assert!(expected.len() > 60, "{}", expected.len());
    // The import as well: that it began, and that it ended.
    let twice = expected.values().filter(|records| **records == 2).count();
    assert_eq!(twice, 4, "{expected:#?}");

    let records = world.stack.audit().await;
    let request_of = |entry: &Value| {
        let record = records.iter().find(|record| record["id"] == entry["id"]);
        record.map(|record| record["request_id"].as_str().unwrap().to_owned())
    };
    for limit in ["1", "7", "100"] {
        let listed = pages(&world, || by(world.account, world.patient), limit).await;
        let times: Vec<_> = listed
            .iter()
            .map(|one| one["at"].as_str().unwrap())
            .collect();
        assert!(times.is_sorted_by(|newer, older| newer >= older));
        let mut found = BTreeMap::new();
        for request in listed.iter().filter_map(request_of) {
            *found.entry(request).or_insert(0) += 1;
        }
        for (request, count) in &found {
            assert_eq!(*count, 1, "{request} in pages of {limit}");
        }
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            expected.keys().collect::<Vec<_>>(),
            "in pages of {limit}"
        );
        for entry in &listed {
            let text = entry["what"]["text"].as_str().unwrap();
            let operation = entry["what"]["operation"].as_str().unwrap();
            let words = words::of(operation);
            assert_ne!(words, words::of("no-such-operation"), "{operation}");
            let done = entry["outcome"]["code"] == "done";
            assert_eq!(text, if done { words.did } else { words.tried });
            assert!(!(done && entry["why"].is_null()), "{entry}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_and_why_in_plain_words() {
    let world = World::new().await;
    let own = told(&world, "get-profile", by(world.account, world.patient)).await;
    assert_eq!(own["who"], json!({"kind": "you", "text": "You"}));
    assert_eq!(own["what"]["text"], "Looked at the profile");
    assert_eq!(own["why"]["text"], "It is your own record.");
    assert_eq!(own["from"]["source_ip"], "198.51.100.7");

    let request = world.by_provider().patient(world.patient);
    let treated = told(&world, "list-lab-results", request).await;
    let team = body(&ask(&world, "get-care-team", by(world.account, world.patient)).await);
    let members = team["members"].as_array().unwrap().iter();
    let mut members = members.filter(|one| one["practitioner"] == world.practitioner.to_string());
    let name = members.next().unwrap()["name"].as_str().unwrap();
    assert_eq!(treated["who"]["kind"], "provider");
    assert_eq!(treated["who"]["name"], name);
    assert_eq!(treated["why"]["text"], "They are on the care team.");
    assert!(
        treated["from"].is_null(),
        "where somebody else was is theirs"
    );

    // Whoever is not on the care team any more, and never was, has a name as well: the log's.
    let newcomer = a_new_provider(&world).await;
    let request = signed_in(newcomer, Role::Provider).patient(world.patient);
    let refused = told(&world, "get-profile", request).await;
    let text = "A new colleague, who works at the practice";
    assert_eq!(refused["who"]["text"], text);
    assert_eq!(refused["what"]["text"], "Tried to look at the profile");
    assert_eq!(refused["outcome"]["code"], "refused");
    assert!(refused["why"].is_null());

    let (proxy, grant) = world.granted("friend@example.org", &["profile"]).await;
    let acted = told(&world, "get-profile", by(proxy, world.patient)).await;
    let friend = json!({
        "kind": "proxy", "name": "Somebody Else", "text": "Somebody Else, who acts for you",
    });
    assert_eq!(acted["who"], friend);
    let revoke = by(world.account, world.patient).proxy(grant);
    assert_eq!(ask(&world, "revoke-proxy", revoke).await.status, 200);
    let refused = told(&world, "get-profile", by(proxy, world.patient)).await;
    assert_eq!(refused["who"], friend, "also when the grant is over");
    assert_eq!(refused["outcome"]["code"], "refused");

    let administrator = world.by_admin().patient(world.patient);
    let refused = told(&world, "get-profile", administrator).await;
    assert_eq!(refused["who"]["kind"], "administrator");
    let letter = world.by_admin().json(&json!({"mrn": world.mrn}));
    let letter = told(&world, "issue-activation", letter).await;
    assert_eq!(letter["outcome"]["code"], "done");
    let nobody = signed_in(AccountId::new(Uuid::new_v4()), Role::Patient).patient(world.patient);
    let nobody = told(&world, "get-profile", nobody).await;
    assert_eq!(nobody["who"]["kind"], "other");

    let all = listed(&world).await;
    let import = all.last().unwrap();
    assert_eq!(import["who"]["text"], "The portal itself");
    assert_eq!(import["what"]["text"], "Brought the record up to date");
    assert_eq!(import["outcome"]["code"], "done");
    let reading = all.iter().find(|one| one["what"]["operation"] == LIST);
    assert_eq!(reading.unwrap()["what"]["text"], "Looked at this list");
}

/// A provider whom an administrator invited.
async fn a_new_provider(world: &World) -> AccountId {
    let spec = specs().into_iter().find(|spec| spec.id == "invite-user");
    let request = world.allowed(spec.unwrap()).await;
    let invited = body(&ask(world, "invite-user", request).await);
    let account: AccountId = invited["id"].as_str().unwrap().parse().unwrap();
    let rows = world.stack.items(Resource::AccountsTable).await;
    let key = format!("ACCOUNT#{account}");
    let row = rows.iter().find(|row| row["pk"] == *key).unwrap();
    assert_eq!(row["name"], "A new colleague");
    account
}

#[tokio::test(flavor = "multi_thread")]
async fn emergencies_with_their_reason_and_review() {
    let world = World::new().await;
    for (verdict, text) in [
        (
            "justified",
            "The privacy officer checked it: it was needed.",
        ),
        (
            "not-justified",
            "The privacy officer checked it: it was not needed. The access was ended.",
        ),
    ] {
        let request = world.emergency().await;
        let (broken, claims) = (request.request_id.clone(), request.claims.clone());
        assert_eq!(ask(&world, "break-glass", request).await.status, 201);
        let mut request = world.by_stranger().await;
        request.claims = claims;
        let read = request.request_id.clone();
        assert_eq!(ask(&world, "get-profile", request).await.status, 200);
        for entry in [
            entry_of(&world, &broken).await,
            entry_of(&world, &read).await,
        ] {
            let why = &entry["why"];
            assert_eq!(why["via"], "break-glass");
            assert_eq!(why["text"], "They said that it was to treat an emergency.");
            assert_eq!(why["emergency"]["reason"], "emergency-treatment");
            assert!(why["emergency"]["verdict"].is_null());
        }
        let open = body(&ask(&world, "list-access-concerns", world.by_officer()).await);
        let concern = open["concerns"][0]["id"].as_str().unwrap();
        let review = json!({"verdict": verdict, "note": NOTE});
        let review = world.by_officer().concern(concern).json(&review);
        assert_eq!(ask(&world, "review-break-glass", review).await.status, 200);
        for entry in [
            entry_of(&world, &broken).await,
            entry_of(&world, &read).await,
        ] {
            assert_eq!(entry["why"]["emergency"]["verdict"], verdict);
            assert_eq!(entry["why"]["emergency"]["text"], text);
            assert!(
                !entry.to_string().contains(NOTE),
                "the note is the officer's"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_and_its_answer() {
    let world = World::new().await;
    let access = world.an_access().await;
    let words = json!({"explanation": REPORT});
    let response = ask(&world, REPORTING, world.report(&access, &words)).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    let report = body(&response);
    // The answer got lost: it is the same, and there is one concern.
    let again = ask(&world, REPORTING, world.report(&access, &json!({}))).await;
    assert_eq!(
        (again.status, body(&again)),
        (response.status, report.clone())
    );
    let open = body(&ask(&world, "list-access-concerns", world.by_officer()).await);
    let open = open["concerns"].as_array().unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["kind"], "patient-report");
    assert_eq!(open[0]["actor"], world.provider.to_string());
    assert_eq!(open[0]["access"]["id"], access);
    assert_eq!(open[0]["access"]["operation"], "get-profile");
    let concern = open[0]["id"].as_str().unwrap();
    let get = world.by_officer().concern(concern);
    let opened = body(&ask(&world, "get-access-concern", get).await);
    assert_eq!(opened["explanation"], REPORT);

    let entry = |all: Vec<Value>| all.into_iter().find(|one| one["id"] == *access).unwrap();
    assert_eq!(entry(listed(&world).await)["report"], report);
    let resolution = json!({"outcome": "sanctioned", "note": NOTE});
    let resolve = world.by_officer().concern(concern).json(&resolution);
    let resolved = ask(&world, "resolve-access-concern", resolve).await;
    assert_eq!(resolved.status, 200, "{}", body(&resolved));
    let answered = entry(listed(&world).await)["report"].clone();
    assert_eq!(answered["outcome"], "sanctioned");
    assert_eq!(answered["reported_at"], report["reported_at"]);
    assert!(answered["resolved_at"].is_string());
    assert!(!answered.to_string().contains(NOTE));
    let again = ask(&world, REPORTING, world.report(&access, &json!({}))).await;
    assert_eq!(body(&again), answered);

    // Words are not needed; nor is anybody's access but the patient's own taken.
    let access = world.an_access().await;
    let bare = ask(&world, REPORTING, world.report(&access, &json!({}))).await;
    assert_eq!(bare.status, 201, "{}", body(&bare));
    let open = body(&ask(&world, "list-access-concerns", world.by_officer()).await);
    let get = world
        .by_officer()
        .concern(open["concerns"][0]["id"].as_str().unwrap());
    let opened = body(&ask(&world, "get-access-concern", get).await);
    assert!(opened["explanation"].is_null(), "{opened}");
    let other = world.stack.sample("Noel_Reynolds").await;
    let theirs = world.stack.audit().await.into_iter();
    let mut theirs = theirs.filter(|one| one["patient"] == other.to_string());
    let theirs = theirs.next().unwrap()["id"].as_str().unwrap().to_owned();
    for id in [
        theirs,
        Uuid::now_v7().to_string(),
        Uuid::new_v4().to_string(),
    ] {
        let before = world.stack.items(Resource::PatientsTable).await.len();
        let response = ask(&world, REPORTING, world.report(&id, &words)).await;
        assert_eq!(response.status, 404, "{}", body(&response));
        assert_eq!(
            world.stack.items(Resource::PatientsTable).await.len(),
            before
        );
    }
    let malformed = ask(&world, REPORTING, world.report("1", &words)).await;
    assert_eq!(malformed.status, 400);
    assert_eq!(body(&malformed)["errors"][0]["pointer"], "path/access");
}

/// Whoever is complained about may stand close to somebody else who sees the list.
#[tokio::test(flavor = "multi_thread")]
async fn who_complained_is_told_to_the_patient_and_to_nobody_else() {
    let world = World::new().await;
    let all = Category::ALL.map(Category::as_str);
    let (proxy, _) = world.granted("friend@example.org", &all).await;
    let (other, _) = world.granted("neighbour@example.org", &all).await;
    let find = async |account, access: &str| {
        let all = pages(&world, || by(account, world.patient), "100").await;
        all.into_iter().find(|one| one["id"] == *access).unwrap()
    };
    let of_patient = world.an_access().await;
    let report = world.report(&of_patient, &json!({"explanation": REPORT}));
    assert_eq!(ask(&world, REPORTING, report).await.status, 201);
    assert!(find(world.account, &of_patient).await["report"].is_object());
    assert!(find(proxy, &of_patient).await["report"].is_null());

    let of_proxy = world.an_access().await;
    let report = |account, access: &str| {
        let mut request = by(account, world.patient).json(&json!({}));
        request.path.push(("access".to_owned(), access.to_owned()));
        request
    };
    let reported = ask(&world, REPORTING, report(proxy, &of_proxy)).await;
    assert_eq!(reported.status, 201, "{}", body(&reported));
    for account in [world.account, proxy] {
        assert!(find(account, &of_proxy).await["report"].is_object());
        let again = ask(&world, REPORTING, report(account, &of_proxy)).await;
        assert_eq!(body(&again), body(&reported));
    }
    assert!(find(other, &of_proxy).await["report"].is_null());
    for (account, access) in [(proxy, &of_patient), (other, &of_proxy)] {
        let refused = ask(&world, REPORTING, report(account, access)).await;
        assert_eq!(refused.status, 409);
        assert_eq!(body(&refused)["type"], "/problems/reported-already");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_at_once_are_one_and_not_too_many() {
    let world = World::new().await;
    let access = world.an_access().await;
    let functions = [(); 2].map(|()| Function::new(&world.stack, REPORTING));
    let words = json!({});
    let answers = tokio::join!(
        functions[0].respond(world.report(&access, &words)),
        functions[1].respond(world.report(&access, &words)),
    );
    for answer in [answers.0, answers.1] {
        assert!([201, 503].contains(&answer.status.as_u16()));
    }
    for _ in 0..19 {
        let access = world.an_access().await;
        let response = functions[0].respond(world.report(&access, &words)).await;
        assert_eq!(response.status, 201, "{}", body(&response));
    }
    let access = world.an_access().await;
    let response = functions[0].respond(world.report(&access, &words)).await;
    assert_eq!(response.status, 429, "{}", body(&response));
    assert!(body(&response)["type"] == "/problems/too-many-requests");
    let rows = world.stack.items(Resource::PatientsTable).await;
    let concerns = rows.iter().filter(|row| row["pk"] == "CONCERNS#open");
    assert_eq!(concerns.count(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_some_people_and_some_days() {
    let world = World::new().await;
    let (proxy, _) = world.granted("friend@example.org", &["profile"]).await;
    ask(&world, "get-profile", by(proxy, world.patient)).await;
    world.an_access().await;
    let letter = world.by_admin().json(&json!({"mrn": world.mrn}));
    ask(&world, "issue-activation", letter).await;
    let kinds = |of: &'static str| {
        let world = &world;
        async move {
            let request = || by(world.account, world.patient).query("of", of);
            let listed = pages(world, request, "1").await;
            let kinds = listed
                .iter()
                .map(|one| one["who"]["kind"].as_str().unwrap());
            let mut kinds: Vec<_> = kinds.map(str::to_owned).collect();
            kinds.sort();
            kinds.dedup();
            kinds
        }
    };
    assert_eq!(
        kinds("others").await,
        ["administrator", "portal", "provider", "proxy"]
    );
    assert_eq!(kinds("proxies").await, ["proxy"]);
    assert_eq!(kinds("providers").await, ["provider"]);
    assert_eq!(kinds("staff").await, ["administrator"]);
    assert_eq!(kinds("portal").await, ["portal"]);
    assert_eq!(kinds("anyone").await.len(), 5);

    let practice = Practice::new("America/New_York", 13, 18).unwrap();
    let today = practice.today(Timestamp::now());
    let days = |from: String, to: String| {
        let request = by(world.account, world.patient);
        ask(&world, LIST, request.query("from", &from).query("to", &to))
    };
    let (yesterday, tomorrow) = (today.yesterday().unwrap(), today.tomorrow().unwrap());
    let count = |response: Response| body(&response)["accesses"].as_array().unwrap().len();
    // Around midnight an access may be yesterday's.
    assert!(count(days(yesterday.to_string(), today.to_string()).await) > 4);
    assert_eq!(
        count(days(tomorrow.to_string(), "9999-12-31".to_owned()).await),
        0
    );
    let long_ago = (today - 1.year()).to_string();
    assert_eq!(count(days(long_ago.clone(), long_ago).await), 0);
    assert_eq!(
        count(days("-009999-01-01".to_owned(), "-009999-01-01".to_owned()).await),
        0
    );
    assert!(count(days("0000-01-01".to_owned(), "9999-12-31".to_owned()).await) > 4);

    for (name, value, pointer) in [
        ("of", "everybody", "query/of"),
        ("from", "2026-13-01", "query/from"),
        ("to", "yesterday", "query/to"),
        ("limit", "101", "query/limit"),
        ("cursor", "nonsense", "query/cursor"),
        ("until", "2026-01-01", "query"),
    ] {
        let request = by(world.account, world.patient).query(name, value);
        let response = ask(&world, LIST, request).await;
        assert_eq!(response.status, 400, "{name}");
        assert_eq!(body(&response)["errors"][0]["pointer"], pointer);
    }
    let backwards = days(today.to_string(), yesterday.to_string()).await;
    assert_eq!(body(&backwards)["errors"][0]["pointer"], "query/to");
}

/// A cursor stands in a URL: it does not grow with what is behind it. Hundreds of imports which brought
/// nothing new, and as many that failed before they began.
#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_imports_fit_into_a_cursor() {
    let world = World::new().await;
    let (name, file) = sample("Luigi_Wiegand");
    world.stack.import(&name, file).await;
    let rows = world.stack.scan(Resource::AuditTable).await.into_iter();
    let pk = format!("PATIENT#{}", world.patient);
    let mut rows = rows.filter(|row| row["pk"]["S"] == *pk && row["reason"]["S"] == "unchanged");
    let unchanged = rows
        .next()
        .expect("a record of an import that changed nothing");
    assert_eq!(unchanged["outcome"]["S"], "success");
    let newest = listed(&world).await.remove(0);
    assert_eq!(
        newest["outcome"]["text"],
        "It was done. There was nothing new in it."
    );
    let earlier = Timestamp::now() - SignedDuration::from_hours(1);
    for number in 0..300_i64 {
        let at = earlier + SignedDuration::from_millis(number);
        let id = Uuid::new_v4();
        let mut row = unchanged.clone();
        row["sk"]["S"] = format!("{}#{id}", sortable(at)).into();
        row["at"]["S"] = at.to_string().into();
        row["id"]["S"] = id.to_string().into();
        row["request_id"]["S"] = Uuid::new_v4().to_string().into();
        if number % 2 == 0 {
            row["outcome"]["S"] = "failure".into();
            row["reason"]["S"] = "unavailable".into();
        }
        world.stack.put(Resource::AuditTable, row).await;
    }
    // Both of the files that came are called the same here.
    let all = requests(&world).await.len() + 1;
    let function = Function::new(&world.stack, LIST);
    for (of, limit) in [("anyone", "50"), ("providers", "1")] {
        let (mut listed, mut cursor) = (0, None::<String>);
        loop {
            let mut request = by(world.account, world.patient);
            request = request.query("of", of).query("limit", limit);
            if let Some(cursor) = &cursor {
                assert!(cursor.len() < 1500, "{}", cursor.len());
                request = request.query("cursor", cursor);
            }
            let page = body(&function.respond(request).await);
            listed += page["accesses"].as_array().unwrap().len();
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        let expected = if of == "anyone" { all } else { 0 };
        assert_eq!(listed, expected, "{of}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cursors_are_good_for_one_list_of_one_sign_in() {
    let world = World::new().await;
    world.an_access().await;
    let request = || by(world.account, world.patient).query("limit", "1");
    let page = body(&ask(&world, LIST, request()).await);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert!(!cursor.contains("2026"), "an instant is no part of a URL");
    let mut tampered = cursor.to_owned().into_bytes();
    let middle = tampered.len() / 2;
    tampered[middle] = if tampered[middle] == b'A' { b'B' } else { b'A' };
    let tampered = String::from_utf8(tampered).unwrap();
    let other = world.stack.sample("Noel_Reynolds").await;
    let account = Whose::Patient(other);
    let account = world.stack.account(Role::Patient, account).await;
    for (id, request) in [
        (LIST, request().query("cursor", &tampered)),
        (LIST, by(account, other).query("cursor", cursor)),
        (
            LIST,
            world
                .by_patient_at("another sign-in")
                .patient(world.patient)
                .query("cursor", cursor),
        ),
        (
            "list-profile-changes",
            by(world.account, world.patient).query("cursor", cursor),
        ),
        ("list-lab-results", request().query("cursor", cursor)),
    ] {
        let response = ask(&world, id, request).await;
        assert_eq!(response.status, 400, "{id}");
        assert_eq!(body(&response)["errors"][0]["pointer"], "query/cursor");
    }
    // One that goes on before the first day, or begins behind the last, is no error.
    for (name, day) in [("from", "9000-01-01"), ("to", "2000-01-01")] {
        let request = request().query("cursor", cursor).query(name, day);
        let response = ask(&world, LIST, request).await;
        assert_eq!(response.status, 200, "{}", body(&response));
        assert_eq!(body(&response)["accesses"], json!([]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn proxies_see_it_only_with_a_grant_of_everything() {
    let world = World::new().await;
    let all = Category::ALL.map(Category::as_str);
    let (trusted, _) = world.granted("trusted@example.org", &all).await;
    let (other, _) = world.granted("other@example.org", &all[1..]).await;
    let access = world.an_access().await;
    let seen = pages(&world, || by(trusted, world.patient), "100").await;
    let provider = seen.iter().find(|one| one["id"] == *access).unwrap();
    assert_eq!(provider["who"]["kind"], "provider");
    let patient = told(&world, "get-profile", by(trusted, world.patient)).await;
    assert_eq!(patient["who"]["text"], "Somebody Else, who acts for you");
    ask(&world, "get-profile", by(world.account, world.patient)).await;
    let seen = pages(&world, || by(trusted, world.patient), "100").await;
    assert!(seen.iter().any(|one| one["who"]["text"] == "The patient"));
    assert!(
        seen.iter()
            .any(|one| one["who"]["text"] == "You, for the patient")
    );

    let request = by(trusted, world.patient).access(&access).json(&json!({}));
    assert_eq!(ask(&world, REPORTING, request).await.status, 201);
    let refused = ask(&world, LIST, by(other, world.patient)).await;
    assert_eq!(refused.status, 404);
    let request = by(other, world.patient).access(&access).json(&json!({}));
    assert_eq!(ask(&world, REPORTING, request).await.status, 404);
    for request in [world.by_provider(), world.by_admin(), world.by_officer()] {
        let response = ask(&world, LIST, request.patient(world.patient)).await;
        assert_eq!(response.status, 404);
    }
}

/// The patient is six years old: what that is, is the practice's to say.
#[tokio::test(flavor = "multi_thread")]
async fn parents_see_it_as_long_as_the_patient_is_a_child() {
    let world = World::new().await;
    let request = world
        .by_provider()
        .patient(world.patient)
        .header("idempotency-key", "parent-of-the-patient")
        .json(&json!({
            "email": "parent@example.org", "name": "A Parent", "relationship": "parent",
            "categories": ["profile", "health-record", "appointments"],
        }));
    let granted = ask(&world, "grant-proxy", request).await;
    assert_eq!(granted.status, 201, "{}", body(&granted));
    let grant = body(&granted)["id"].as_str().unwrap().to_owned();
    let (_, parent) = world.stack.proxy_row(&grant).await;
    let spec = specs().into_iter().find(|spec| spec.id == LIST).unwrap();
    for (adolescent, adult, status) in [(13, 18, 200), (5, 18, 404), (0, 5, 404)] {
        let practice = Practice::new("America/New_York", adolescent, adult).unwrap();
        let aws = world.stack.aws_of(&Recorder::default(), practice);
        let response = call(&aws, spec, by(parent, world.patient)).await;
        assert_eq!(response.status, status, "{}", body(&response));
    }
    let practice = Practice::new("America/New_York", 13, 18).unwrap();
    let aws = world.stack.aws_of(&Recorder::default(), practice);
    let spec = specs()
        .into_iter()
        .find(|spec| spec.id == "get-profile")
        .unwrap();
    let request = by(parent, world.patient);
    let id = request.request_id.clone();
    assert_eq!(call(&aws, spec, request).await.status, 200);
    let seen = entry_of(&world, &id).await;
    assert_eq!(seen["who"]["text"], "A Parent, who acts for you");
    let text =
        "A parent or guardian may see some or all of the record until the patient is of age.";
    assert_eq!(seen["why"]["text"], text);
    // The same is true of an adolescent, of whom they see less.
    let practice = Practice::new("America/New_York", 5, 18).unwrap();
    let narrowed = world.stack.aws_of(&Recorder::default(), practice);
    let mut known = specs().into_iter();
    let appointments = known.find(|spec| spec.id == "list-appointments").unwrap();
    let request = by(parent, world.patient);
    let id = request.request_id.clone();
    assert_eq!(call(&narrowed, appointments, request).await.status, 200);
    assert_eq!(entry_of(&world, &id).await["why"]["text"], text);
    let mut revoke = by(parent, world.patient);
    revoke.path.push(("proxy".to_owned(), grant));
    let mut specs = specs().into_iter();
    let spec = specs.find(|spec| spec.id == "revoke-proxy").unwrap();
    assert_eq!(call(&aws, spec, revoke).await.status, 200);
    let later = listed(&world).await;
    let later = later.iter().find(|one| one["id"] == seen["id"]).unwrap();
    assert_eq!(later["who"], seen["who"]);
    assert_eq!(later["why"]["text"], text);
}

/// 45 CFR 164.502(f): the record of somebody who died is protected, and whoever stands in for them
/// sees who used it.
#[tokio::test(flavor = "multi_thread")]
async fn the_record_of_somebody_who_died() {
    let stack = crate::harness::Stack::new().await;
    let patient = stack.sample("Barney_Abbott").await;
    let world = World::around(stack, patient).await;
    let all = Category::ALL.map(Category::as_str);
    let (executor, _) = world.granted("executor@example.org", &all).await;
    let profile = body(&ask(&world, "get-profile", by(executor, patient)).await);
    assert_eq!(profile["deceased"], true);
    let seen = pages(&world, || by(executor, patient), "100").await;
    assert!(
        seen.iter()
            .any(|one| one["what"]["operation"] == "get-profile")
    );
}
