//! Requests to amend the record: the clock, who answers, and what remains readable.

use crate::audit_coverage::the_new_record;
use crate::harness::Whose;
use crate::harness::function::Function;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{EXPLANATION, NOTE, World};
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use shared::access::Role;
use shared::api::amendments::{Amendment, AmendmentRequest};
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::practice::Practice;
use tokio::task::JoinSet;
use uuid::Uuid;

async fn send(world: &World, id: &str, request: Request) -> Response {
    Function::new(&world.stack, id).respond(request).await
}

fn kind(response: &Response) -> String {
    let problem = body(response);
    format!("{} {}", response.status.as_u16(), problem["type"])
}

async fn amendments(world: &World) -> Vec<Value> {
    let list = world.by_patient().patient(world.patient);
    let answer = world.done("list-amendments", list).await;
    answer["amendments"].as_array().unwrap().clone()
}

async fn open(world: &World, by: Request) -> Vec<Value> {
    let answer = world.done("list-open-amendments", by).await;
    answer["amendments"].as_array().unwrap().clone()
}

fn denial() -> Value {
    json!({"deny": {"basis": "accurate-and-complete", "explanation": NOTE}})
}

fn in_days(days: i32) -> String {
    let practice = Practice::new("America/New_York", 13, 18).unwrap();
    let today = practice.today(Timestamp::now());
    today.saturating_add(days.days()).to_string()
}

/// As somebody else.
fn by(mut request: Request, other: &Request) -> Request {
    request.claims.clone_from(&other.claims);
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_denied_and_disputed() {
    let world = World::new().await;
    let entry = Uuid::new_v4().to_string();
    let ask =
        json!({"part": "lab-results", "entry": entry, "change": EXPLANATION, "reason": "why"});
    let asking = world.by_patient().patient(world.patient);
    let asking = asking.header("idempotency-key", "a-key-of-its-own");
    let before = world.stack.audit().await;
    let response = send(&world, "request-amendment", asking.json(&ask)).await;
    assert_eq!(response.status, 201, "{}", body(&response));
    let asked = body(&response);
    assert_eq!(asked["state"], "requested");
    assert_eq!(asked["entry"], *entry);
    assert_eq!(asked["due"], in_days(60));
    assert_eq!(asked["overdue"], false);
    let record = the_new_record(&before, &world.stack.audit().await, "request-amendment");
    assert_eq!(record["resource"], asked["id"]);
    let id = asked["id"].as_str().unwrap();

    for by in [world.by_officer(), world.by_provider()] {
        let open = open(&world, by).await;
        assert_eq!(open.len(), 1);
        assert_eq!(open[0]["id"], id);
        assert_eq!(open[0]["change"], EXPLANATION);
        assert_eq!(open[0]["patient"]["mrn"], world.mrn);
    }
    // There is nothing to disagree with yet.
    let disagree = || {
        let request = world.by_patient().patient(world.patient).amendment(id);
        request.json(&json!({"statement": "It was measured twice"}))
    };
    let response = send(&world, "submit-disagreement", disagree()).await;
    assert_eq!(kind(&response), "409 \"/problems/not-denied\"");

    let before = world.stack.audit().await;
    let review = world.review_amendment(id, &denial());
    let denied = world.done("review-amendment", review).await;
    assert_eq!(denied["denial_basis"], "accurate-and-complete");
    let record = the_new_record(&before, &world.stack.audit().await, "review-amendment");
    assert_eq!(record["patient"], world.patient.to_string());
    assert_eq!(record["via"], "privacy-officer");
    assert!(open(&world, world.by_officer()).await.is_empty());
    let accept = world.review_amendment(id, &json!({"accept": {"done": "Put right"}}));
    let response = send(&world, "review-amendment", accept).await;
    assert_eq!(kind(&response), "409 \"/problems/amendment-closed\"");

    world.done("submit-disagreement", disagree()).await;
    let response = send(&world, "submit-disagreement", disagree()).await;
    assert_eq!(kind(&response), "409 \"/problems/not-denied\"");
    let all = amendments(&world).await;
    assert_eq!(all.len(), 1);
    let history = all[0]["history"].as_array().unwrap();
    let steps: Vec<_> = history
        .iter()
        .map(|step| {
            let text = step["text"].as_str();
            (&step["state"], &step["by"]["role"], text)
        })
        .map(|(state, role, text)| (state.as_str().unwrap(), role.as_str().unwrap(), text))
        .collect();
    assert_eq!(
        steps,
        [
            ("requested", "patient", None),
            ("denied", "privacy-officer", Some(NOTE)),
            ("disputed", "patient", Some("It was measured twice")),
        ]
    );
}

/// A disagreement waits on the work list until it stands with the entry (164.526(d)(4)), with the
/// practice's rebuttal, if there is one (164.526(d)(3)).
#[tokio::test(flavor = "multi_thread")]
async fn a_disagreement_is_somebodys_work() {
    let world = World::new().await;
    let link = |rebuttal: Option<&str>| {
        let mut link = json!({"link": {"done": "All of it stands with the entry"}});
        if let Some(rebuttal) = rebuttal {
            link["link"]["rebuttal"] = rebuttal.into();
        }
        link
    };
    for (rebuttal, by_provider) in [(None, false), (Some("It was measured right"), true)] {
        let id = world.amendment().await;
        let review = |answer: &Value| {
            let request = world.review_amendment(&id, answer);
            if by_provider {
                by(request, &world.by_provider())
            } else {
                request
            }
        };
        // There is nothing to link yet, before the denial and after it.
        let response = send(&world, "review-amendment", review(&link(rebuttal))).await;
        assert_eq!(kind(&response), "409 \"/problems/not-disputed\"");
        world.done("review-amendment", review(&denial())).await;
        assert!(open(&world, world.by_officer()).await.is_empty());
        let response = send(&world, "review-amendment", review(&link(rebuttal))).await;
        assert_eq!(kind(&response), "409 \"/problems/not-disputed\"");

        let disagree = world.by_patient().patient(world.patient).amendment(&id);
        let disagree = disagree.json(&json!({"statement": "CANARY-940 was measured twice"}));
        world.done("submit-disagreement", disagree).await;
        for by in [world.by_officer(), world.by_provider()] {
            let open = open(&world, by).await;
            assert_eq!(open.len(), 1);
            assert_eq!(
                (&open[0]["id"], &open[0]["state"]),
                (&json!(id), &json!("disputed"))
            );
            assert_eq!(
                open[0]["history"][2]["text"],
                "CANARY-940 was measured twice"
            );
            assert_eq!(open[0]["overdue"], false);
        }
        // The denial stands, and takes no other answer.
        for answer in [denial(), json!({"accept": {"done": "Put right"}})] {
            let response = send(&world, "review-amendment", review(&answer)).await;
            assert_eq!(kind(&response), "409 \"/problems/amendment-closed\"");
        }
        let before = world.stack.audit().await;
        let linked = world
            .done("review-amendment", review(&link(rebuttal)))
            .await;
        let record = the_new_record(&before, &world.stack.audit().await, "review-amendment");
        assert_eq!(record["resource"], *id);
        assert_eq!(linked["state"], "linked");
        assert!(open(&world, world.by_officer()).await.is_empty());
        let rows = world.stack.items(Resource::PatientsTable).await;
        assert!(rows.iter().all(|row| row["pk"] != "AMENDMENTS#open"));
        // The patient has a copy of the rebuttal.
        let all = amendments(&world).await;
        let theirs = all.iter().find(|one| one["id"] == *id).unwrap();
        let steps = theirs["history"].as_array().unwrap()[3..].iter();
        let steps: Vec<_> = steps
            .map(|step| {
                (
                    step["state"].as_str().unwrap(),
                    step["text"].as_str().unwrap(),
                )
            })
            .collect();
        let linked = ("linked", "All of it stands with the entry");
        match rebuttal {
            Some(rebuttal) => assert_eq!(steps, [("rebutted", rebuttal), linked]),
            None => assert_eq!(steps, [linked]),
        }
        let response = send(&world, "review-amendment", review(&link(rebuttal))).await;
        assert_eq!(kind(&response), "409 \"/problems/not-disputed\"");
    }
}

/// How many of the patient's requests are counted as unanswered.
async fn counted(world: &World) -> usize {
    let rows = world.stack.items(Resource::PatientsTable).await;
    let count = rows.iter().find(|row| row["sk"] == "AMENDMENTS");
    count.map_or(0, |count| {
        count["unanswered"].as_str().unwrap().parse().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_wait_at_most_even_at_once() {
    let world = World::new().await;
    let mut asking = JoinSet::new();
    for _ in 0..40 {
        let function = Function::new(&world.stack, "request-amendment");
        let request = world.amend("other");
        asking.spawn(async move { function.respond(request).await });
    }
    let answers = asking.join_all().await;
    // So many at once may also be more than the emulator can do in time.
    let asked = answers.iter().filter(|answer| answer.status == 201).count();
    assert!(asked <= 20, "{asked}");
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        let kind = kind(answer);
        let expected = [
            "409 \"/problems/too-many-amendments\"",
            "503 \"/problems/unavailable\"",
        ];
        assert!(expected.contains(&kind.as_str()), "{kind}");
    }
    let waiting = amendments(&world).await.len();
    assert!(waiting <= 20, "{waiting}");
    assert_eq!(counted(&world).await, waiting);
    for _ in waiting..20 {
        world.done("request-amendment", world.amend("other")).await;
    }
    let response = send(&world, "request-amendment", world.amend("other")).await;
    assert_eq!(kind(&response), "409 \"/problems/too-many-amendments\"");
    let all = amendments(&world).await;
    assert_eq!(all.len(), 20);

    // An answer makes room for one more, an extension does not; nor does a disagreement take it.
    let id = |at: usize| all[at]["id"].as_str().unwrap();
    let longer = world.review_amendment(id(0), &json!({"extend": {"reason": "Asked"}}));
    world.done("review-amendment", longer).await;
    assert_eq!(counted(&world).await, 20);
    let deny = world.review_amendment(id(0), &denial());
    world.done("review-amendment", deny).await;
    assert_eq!(counted(&world).await, 19);
    world.done("request-amendment", world.amend("other")).await;
    let disagree = world.by_patient().patient(world.patient).amendment(id(0));
    let disagree = disagree.json(&json!({"statement": "No"}));
    world.done("submit-disagreement", disagree).await;
    assert_eq!(counted(&world).await, 20);
    let response = send(&world, "request-amendment", world.amend("other")).await;
    assert_eq!(kind(&response), "409 \"/problems/too-many-amendments\"");
}

/// Whoever has too many answers to read cannot be flooded: an account has turns for each of these.
#[tokio::test(flavor = "multi_thread")]
async fn so_many_in_half_a_day() {
    let world = World::new().await;
    let prescription = world.prescription().await;
    let refill = world.refill(&prescription).await;
    let withdraw = world.by_patient().patient(world.patient).refill(&refill);
    world.done("withdraw-refill", withdraw).await;
    let id = world.amendment().await;
    let deny = world.review_amendment(&id, &denial());
    world.done("review-amendment", deny).await;
    let disagree = |id: &str| {
        let request = world.by_patient().patient(world.patient).amendment(id);
        request.json(&json!({"statement": "No"}))
    };
    world.done("submit-disagreement", disagree(&id)).await;
    // Another denied one, which could be disagreed with.
    let id = world.amendment().await;
    let deny = world.review_amendment(&id, &denial());
    world.done("review-amendment", deny).await;
    for (operation, request) in [
        ("request-refill", world.ask_for(&prescription)),
        ("request-amendment", world.amend("other")),
        ("submit-disagreement", disagree(&id)),
    ] {
        let window = Timestamp::now().as_second().div_euclid(43_200);
        let rate = format!("RATE#{}#{operation}#43200#{window}", world.account);
        let count = json!({"pk": {"S": rate}, "taken": {"N": "30"}});
        world.stack.put(Resource::AccountsTable, count).await;
        let response = send(&world, operation, request).await;
        assert_eq!(
            kind(&response),
            "429 \"/problems/too-many-requests\"",
            "{operation}"
        );
        assert!(response.retry_after.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_days_more_once() {
    let world = World::new().await;
    let first = world.amendment().await;
    let second = world.amendment().await;
    let extend = json!({"extend": {"reason": "The laboratory has been asked"}});
    let longer = world.review_amendment(&first, &extend);
    let extended = world.done("review-amendment", longer).await;
    assert_eq!(extended["state"], "extended");
    assert_eq!(extended["due"], in_days(90));
    let again = world.review_amendment(&first, &extend);
    let response = send(&world, "review-amendment", again).await;
    assert_eq!(kind(&response), "409 \"/problems/not-extendable\"");
    // What is due first comes first.
    let open = open(&world, world.by_officer()).await;
    let ids: Vec<_> = open.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&second, &first]);
    let accept = json!({"accept": {"done": "The value is struck out"}});
    let accept = world.review_amendment(&first, &accept);
    assert_eq!(
        world.done("review-amendment", accept).await["state"],
        "accepted"
    );
    let all = amendments(&world).await;
    let of_first = all.iter().find(|one| one["id"] == *first).unwrap();
    assert_eq!(of_first["history"].as_array().unwrap().len(), 3);
}

/// The clock is the practice's: the last day is over at midnight there.
#[test]
fn overdue_on_the_practices_calendar() {
    let practice = Practice::new("America/New_York", 13, 18).unwrap();
    for (state, now, overdue) in [
        ("requested", "2027-02-01T04:59:59Z", false),
        ("requested", "2027-02-01T05:00:00Z", true),
        ("extended", "2027-02-01T05:00:00Z", true),
        ("accepted", "2027-02-01T05:00:00Z", false),
        ("denied", "2027-02-01T05:00:00Z", false),
        ("disputed", "2027-02-01T05:00:00Z", false),
    ] {
        let amendment: Amendment = serde_json::from_value(json!({
            "id": Uuid::nil(), "part": "other", "change": "this", "reason": "that",
            "state": state, "requested_at": "2026-12-02T17:00:00Z", "due": "2027-01-31",
            "history": [],
        }))
        .unwrap();
        let request = AmendmentRequest::new(amendment, &practice, now.parse().unwrap());
        assert_eq!(request.overdue, overdue, "{state} {now}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_answers() {
    let world = World::new().await;
    let clinical = world.amendment().await;
    let profile = world
        .done("request-amendment", world.amend("profile"))
        .await;
    let profile = profile["id"].as_str().unwrap();
    let provider = world.by_provider();
    let accept = json!({"accept": {"done": "Put right"}});
    let review = |id: &str| by(world.review_amendment(id, &accept), &provider);
    // What is not clinical is the privacy officer's.
    let before = world.stack.audit().await;
    let response = send(&world, "review-amendment", review(profile)).await;
    assert_eq!(kind(&response), "403 \"/problems/forbidden\"");
    let record = the_new_record(&before, &world.stack.audit().await, "review-amendment");
    assert_eq!(record["outcome"], "denied");
    let answered = world.done("review-amendment", review(&clinical)).await;
    assert!(answered["history"][1]["by"]["name"].is_string());
    // Who does not treat the patient answers nothing, and sees nothing of it.
    let stranger = world.by_stranger().await;
    for id in ["review-amendment", "list-amendments"] {
        let mut request = by(world.review_amendment(profile, &accept), &stranger);
        if id == "list-amendments" {
            request = by(world.by_patient().patient(world.patient), &stranger);
        }
        let before = world.stack.audit().await;
        let response = send(&world, id, request).await;
        assert_eq!(response.status, 404);
        let record = the_new_record(&before, &world.stack.audit().await, id);
        assert_eq!(record["outcome"], "denied");
    }
    let nothing = by(world.by_patient(), &stranger);
    assert!(open(&world, nothing).await.is_empty());
    // The officer's permission ends with the request.
    let officer = by(
        world.by_patient().patient(world.patient),
        &world.by_officer(),
    );
    assert_eq!(send(&world, "list-amendments", officer).await.status, 404);
    // Nor does the patient answer themself.
    let own = by(
        world.review_amendment(profile, &accept),
        &world.by_patient(),
    );
    assert_eq!(send(&world, "review-amendment", own).await.status, 404);
    assert_eq!(open(&world, world.by_officer()).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_answers_one() {
    let world = World::new().await;
    let amendment = world.amendment().await;
    let another = world
        .stack
        .account(Role::PrivacyOfficer, Whose::Nobody)
        .await;
    let accept = world.review_amendment(&amendment, &json!({"accept": {"done": "Put right"}}));
    let mut deny = world.review_amendment(&amendment, &denial());
    deny.claims = signed_in(another, Role::PrivacyOfficer).claims;
    let functions = [(); 2].map(|()| Function::new(&world.stack, "review-amendment"));
    let (one, other) = tokio::join!(functions[0].respond(accept), functions[1].respond(deny));
    let won = [&one, &other].map(|answer| answer.status == 200);
    assert!(won[0] != won[1], "{} {}", one.status, other.status);
    let all = amendments(&world).await;
    assert_eq!(all[0]["history"].as_array().unwrap().len(), 2);
    assert!(open(&world, world.by_officer()).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_limits_and_other_peoples_ids() {
    let world = World::new().await;
    let ask = json!({"part": "other", "change": "this", "reason": "that"});
    let asking = |body: &Value| {
        let request = world.by_patient().patient(world.patient);
        request.header("idempotency-key", "one-key-1").json(body)
    };
    let first = world.done("request-amendment", asking(&ask)).await;
    assert_eq!(first, world.done("request-amendment", asking(&ask)).await);
    for (field, value) in [("part", "profile"), ("change", "that"), ("reason", "this")] {
        let mut other = ask.clone();
        other[field] = value.into();
        let response = send(&world, "request-amendment", asking(&other)).await;
        assert_eq!(kind(&response), "422 \"/problems/key-used-before\"");
    }
    assert_eq!(amendments(&world).await.len(), 1);

    let id = first["id"].as_str().unwrap();
    let (other, account) = world.another().await;
    let by_other = || signed_in(account, Role::Patient);
    let statement = json!({"statement": "I disagree"});
    let guessed = Uuid::new_v4().to_string();
    for request in [
        by_other().patient(other).amendment(id),
        by_other().patient(world.patient).amendment(id),
        world
            .by_patient()
            .patient(world.patient)
            .amendment(&guessed),
    ] {
        let response = send(&world, "submit-disagreement", request.json(&statement)).await;
        assert_eq!(kind(&response), "404 \"/problems/not-found\"");
    }
    // The officer's, of a patient whose request it is not.
    let request = world.by_officer().patient(other).amendment(id);
    let response = send(&world, "review-amendment", request.json(&denial())).await;
    assert_eq!(kind(&response), "404 \"/problems/not-found\"");

    for _ in 1..20 {
        world.done("request-amendment", world.amend("other")).await;
    }
    let response = send(&world, "request-amendment", world.amend("other")).await;
    assert_eq!(kind(&response), "409 \"/problems/too-many-amendments\"");
    assert_eq!(amendments(&world).await.len(), 20);
}
