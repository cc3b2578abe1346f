//! Laboratory results and the health record: what the lists return is what was imported.

use crate::harness::function::Function;
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{HELD_BECAUSE, World};
use crate::harness::{Stack, Whose, root};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::fhir::portal_id;
use shared::http::Request;
use shared::ids::{AccountId, PatientId};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A bundle of resources as the record system sends it.
fn bundle(resources: &[Value]) -> Vec<u8> {
    let entries: Vec<_> = resources
        .iter()
        .map(|resource| json!({"resource": resource}))
        .collect();
    let bundle = json!({"resourceType": "Bundle", "type": "collection", "entry": entries});
    serde_json::to_vec(&bundle).unwrap()
}

fn patient() -> Value {
    json!({"resourceType": "Patient", "id": "p", "birthDate": "1980-01-02",
        "name": [{"family": "Roe"}],
        "identifier": [{"type": {"coding": [{"code": "MR"}]}, "system": "urn:clinic", "value": "m-1"}]})
}

fn lab(id: &str, effective: &str) -> Value {
    json!({"resourceType": "Observation", "id": id, "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2093-3", "display": "Cholesterol"}]},
        "subject": {"reference": "Patient/p"}, "effectiveDateTime": effective,
        "valueQuantity": {"value": 180, "unit": "mg/dL"}})
}

fn report(id: &str, title: &str, results: &[&str]) -> Value {
    let results: Vec<_> = results
        .iter()
        .map(|result| json!({"reference": format!("Observation/{result}")}))
        .collect();
    json!({"resourceType": "DiagnosticReport", "id": id, "status": "final",
        "category": [{"coding": [{"code": "CH"}]}],
        "code": {"text": title}, "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2020-01-02", "issued": "2020-01-03T10:00:00Z", "result": results})
}

/// The patient of the bundles above, with an account.
struct Imported {
    stack: Stack,
    patient: PatientId,
    account: AccountId,
}

impl Imported {
    async fn new(resources: &[Value]) -> Self {
        let stack = Stack::new().await;
        let mut all = vec![patient()];
        all.extend_from_slice(resources);
        let imported = stack.import("first.json", bundle(&all)).await;
        assert_eq!(imported["state"], "complete", "{imported}");
        let patient = stack.patients().await.remove(0);
        let account = stack.account(Role::Patient, Whose::Patient(patient)).await;
        Self {
            stack,
            patient,
            account,
        }
    }

    /// More about the same patient, who is in the file or is only referred to.
    async fn more(&self, resources: &[Value]) -> Value {
        let name = format!("{}.json", Uuid::new_v4());
        let imported = self.stack.import(&name, bundle(resources)).await;
        assert_eq!(imported["state"], "complete", "{imported}");
        imported
    }

    fn request(&self) -> Request {
        signed_in(self.account, Role::Patient).patient(self.patient)
    }

    async fn ask(&self, id: &str, request: Request) -> Value {
        let response = Function::new(&self.stack, id).respond(request).await;
        let answer = body(&response);
        assert_eq!(response.status, 200, "{id}: {answer}");
        answer
    }

    async fn results(&self) -> Vec<Value> {
        let answer = self.ask("list-lab-results", self.request()).await;
        answer["results"].as_array().unwrap().clone()
    }

    async fn trend(&self, series: &str) -> Value {
        let mut request = self.request();
        request.path.push(("series".to_owned(), series.to_owned()));
        self.ask("get-lab-trend", request).await
    }

    fn id(&self, resource_type: &str, id: &str) -> String {
        portal_id(self.patient.uuid(), resource_type, id).to_string()
    }

    /// Titles of reports by result, as the list has them.
    async fn titles(&self) -> BTreeMap<String, Option<String>> {
        let results = self.results().await.into_iter();
        results
            .map(|result| {
                let title = result["report"]["title"].as_str().map(str::to_owned);
                (result["id"].as_str().unwrap().to_owned(), title)
            })
            .collect()
    }

    async fn said(&self, expected: &[(&str, Option<&str>)]) {
        let expected = expected
            .iter()
            .map(|(id, title)| (self.id("Observation", id), title.map(str::to_owned)));
        assert_eq!(self.titles().await, expected.collect());
    }
}

/// Report and results come in any order, change, and go.
#[tokio::test(flavor = "multi_thread")]
async fn results_name_the_report_that_groups_them() {
    let results = [lab("a", "2020-01-02"), lab("b", "2020-01-02")];
    let world = Imported::new(&results).await;
    world.said(&[("a", None), ("b", None)]).await;

    // The report after its results; what it says of a result that is not there yet waits.
    let panel = report("r", "A panel", &["a", "b", "c"]);
    world.more(&[patient(), panel.clone()]).await;
    let panelled = Some("A panel");
    world.said(&[("a", panelled), ("b", panelled)]).await;
    let first = world.results().await.remove(0);
    assert_eq!(first["report"]["issued"], "2020-01-03T10:00:00Z");
    assert_eq!(first["report"]["id"], world.id("DiagnosticReport", "r"));
    assert_eq!(first["categories"], json!(["laboratory", "CH"]));

    // A result after its report, in another file, and a result that was corrected.
    let mut corrected = lab("b", "2020-01-05");
    corrected["valueQuantity"]["value"] = json!(181);
    world
        .more(&[patient(), lab("c", "2020-01-04"), corrected])
        .await;
    world
        .said(&[("a", panelled), ("b", panelled), ("c", panelled)])
        .await;

    // Nothing is written when nothing is new.
    let rows = world.stack.items(Resource::RecordsTable).await;
    let again = world.more(&[patient(), panel]).await;
    assert_eq!(again["counts"]["DiagnosticReport"]["unchanged"], 1);
    assert_eq!(world.stack.items(Resource::RecordsTable).await, rows);

    // The report is amended: another title, a result less.
    let amended = report("r", "An amended panel", &["a", "c"]);
    world.more(&[patient(), amended]).await;
    let amended = Some("An amended panel");
    world
        .said(&[("a", amended), ("b", None), ("c", amended)])
        .await;

    // A later report about the same result counts, whatever came first.
    let mut later = report("s", "A later one", &["c"]);
    later["effectiveDateTime"] = json!("2020-02-01");
    world.more(&[patient(), later]).await;
    let by_later = Some("A later one");
    world
        .said(&[("a", amended), ("b", None), ("c", by_later)])
        .await;

    // It was entered in error.
    let mut void = report("s", "A later one", &["c"]);
    void["status"] = json!("entered-in-error");
    world.more(&[patient(), void]).await;
    world
        .said(&[("a", amended), ("b", None), ("c", amended)])
        .await;
}

/// Reports that only group results are no documents, and those that say something are.
#[tokio::test(flavor = "multi_thread")]
async fn reports_with_words_stay_documents() {
    let mut concluded = report("words", "Read by a person", &["a"]);
    concluded["conclusion"] = json!("All is well");
    let mut presented = report("form", "With a form", &[]);
    presented["presentedForm"] = json!([{"contentType": "text/plain", "data": "YQ=="}]);
    let panel = report("panel", "A panel", &["b"]);
    let resources = [
        lab("a", "2020-01-02"),
        lab("b", "2020-01-02"),
        concluded,
        presented,
        panel,
    ];
    let world = Imported::new(&resources).await;
    world
        .said(&[("a", Some("Read by a person")), ("b", Some("A panel"))])
        .await;
    let rows = world.stack.items(Resource::RecordsTable).await;
    let sections: BTreeSet<_> = rows
        .iter()
        .filter(|row| row["type"] == "DiagnosticReport")
        .map(|row| row["sk"].as_str().unwrap().split('#').next().unwrap())
        .collect();
    assert_eq!(sections, BTreeSet::from(["LAB-REPORT", "REPORT"]));
    let documents = rows
        .iter()
        .filter(|row| row["sk"].as_str().unwrap().starts_with("REPORT#"));
    assert_eq!(documents.count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trend_keeps_units_apart_and_analytes_from_each_other() {
    let mut molar = lab("molar", "2021-03-01");
    molar["valueQuantity"] = json!({"value": 4.65, "unit": "mmol/L"});
    let mut worded = lab("worded", "2021-02-01");
    worded.as_object_mut().unwrap().remove("valueQuantity");
    worded["valueString"] = json!("haemolysed");
    let mut high = lab("high", "2021-04-01");
    high["interpretation"] = json!([{"coding": [{"code": "HH", "display": "Critical high"}]}]);
    high["referenceRange"] = json!([{"high": {"value": 200, "unit": "mg/dL"}}]);
    let mut other = lab("other", "2021-05-01");
    other["code"]["coding"][0]["code"] = json!("2085-9");
    let mut uncoded = lab("uncoded", "2021-06-01");
    uncoded["code"] = json!({"text": "Something"});
    let resources = [
        lab("low", "2021-01-01"),
        molar,
        worded,
        high,
        other,
        uncoded,
    ];
    let world = Imported::new(&resources).await;

    let results = world.results().await;
    let find = |id: &str| {
        let id = world.id("Observation", id);
        results.iter().find(|result| result["id"] == id).unwrap()
    };
    assert_eq!(find("high")["flags"], json!(["critical", "high"]));
    assert_eq!(find("high")["reference_range_supplied"], true);
    assert_eq!(find("low")["reference_range_supplied"], false);
    assert_eq!(find("low")["interpretation_supplied"], false);
    assert!(find("uncoded")["series"].is_null());
    let series = find("low")["series"].as_str().unwrap();
    assert_ne!(find("other")["series"], series);
    assert!(!series.contains("2093"));

    let trend = world.trend(series).await;
    assert_eq!(trend["name"], "Cholesterol");
    assert_eq!(trend["loinc"], "2093-3");
    let lines: Vec<_> = trend["lines"].as_array().unwrap().iter().collect();
    assert_eq!(lines.len(), 2, "{trend}");
    assert_eq!(lines[0]["unit"], "mg/dL");
    let ids = |line: &Value| -> Vec<Value> {
        let points = line["points"].as_array().unwrap().iter();
        points.map(|point| point["id"].clone()).collect()
    };
    let expected = ["high", "low"].map(|id| world.id("Observation", id));
    assert_eq!(ids(lines[0]), expected);
    assert_eq!(lines[0]["points"][0]["flags"], json!(["critical", "high"]));
    assert_eq!(lines[1]["points"][0]["value"], "4.65");
    assert_eq!(lines[1]["points"][0]["number"], 4.65);
    assert_eq!(trend["others"][0]["display"], "haemolysed");

    // By dates, and page by page.
    let mut request = world.request().query("from", "2021-03-01");
    request = request.query("to", "2021-03-31");
    request.path.push(("series".to_owned(), series.to_owned()));
    let march = world.ask("get-lab-trend", request).await;
    assert_eq!(march["lines"].as_array().unwrap().len(), 1);
    let mut seen = 0;
    let mut cursor = Value::Null;
    loop {
        let mut request = world.request().query("limit", "1");
        request.path.push(("series".to_owned(), series.to_owned()));
        if let Some(cursor) = cursor.as_str() {
            request = request.query("cursor", cursor);
        }
        let page = world.ask("get-lab-trend", request).await;
        let lines = page["lines"].as_array().unwrap().iter();
        seen += lines
            .map(|line| line["points"].as_array().unwrap().len())
            .sum::<usize>();
        seen += page["others"].as_array().unwrap().len();
        cursor = page["next_cursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen, 4);

    // A series is one patient's: nobody else has it, and one that nobody has is not there.
    let function = Function::new(&world.stack, "get-lab-trend");
    let mut request = world.request();
    let nobodys = Uuid::new_v4().to_string();
    request.path.push(("series".to_owned(), nobodys));
    assert_eq!(function.respond(request).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn results_are_filtered_by_the_date_and_category_of_the_record() {
    let mut late = lab("late", "2021-03-31T22:30:00-05:00");
    late["category"] = json!([{"coding": [{"code": "laboratory"}]}, {"coding": [{"code": "MB"}]}]);
    let resources = [
        lab("early", "2021-04-01T03:00:00+10:00"),
        late,
        lab("day", "2021-03-31"),
        lab("year", "2021"),
        lab("before", "2020-12-31T23:59:59Z"),
    ];
    let world = Imported::new(&resources).await;
    let listed = async |filters: &[(&str, &str)]| -> BTreeSet<String> {
        let mut request = world.request();
        for (name, value) in filters {
            request = request.query(name, value);
        }
        let answer = world.ask("list-lab-results", request).await;
        let results = answer["results"].as_array().unwrap().iter();
        results
            .map(|result| result["id"].as_str().unwrap().to_owned())
            .collect()
    };
    for (filters, expected) in [
        (&[][..], &["early", "late", "day", "year", "before"][..]),
        (&[("from", "2021-04-01")], &["early"]),
        (&[("to", "2021-03-31")], &["late", "day", "year", "before"]),
        (
            &[("from", "2021-01-01"), ("to", "2021-03-31")],
            &["late", "day", "year"],
        ),
        (
            &[("from", "2021-03-31"), ("to", "2021-03-31")],
            &["late", "day"],
        ),
        (&[("category", "MB")], &["late"]),
        (&[("category", "mb")], &[]),
        (&[("from", "9999-12-31"), ("to", "9999-12-31")], &[]),
    ] {
        let expected = expected.iter().map(|id| world.id("Observation", id));
        assert_eq!(listed(filters).await, expected.collect(), "{filters:?}");
    }
}

/// A held result is there for whoever treats the patient, and for nobody else until it is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_result_shows_no_value() {
    let world = World::new().await;
    let results = world.results().await;
    let (held, shown) = (&results[0].0, &results[1].0);
    let series = world.series().await;
    let (friend, _) = world.granted("friend@example.org", &["lab-results"]).await;
    let list = |by: Request| by.patient(world.patient);
    let one = |by: Request| by.patient(world.patient).result(held);
    let before = world.done("get-lab-result", one(world.by_patient())).await;

    let made = world.done("hold-lab-result", world.hold(held)).await;
    assert_eq!(made["reason"], "preventing-harm");
    for by in [world.by_patient(), signed_in(friend, Role::Patient)] {
        let result = world.done("get-lab-result", one(by)).await;
        let fields: BTreeSet<_> = result.as_object().unwrap().keys().cloned().collect();
        let few = ["effective", "hold", "id"].map(str::to_owned);
        assert_eq!(fields, BTreeSet::from(few));
        assert_eq!(result["hold"], json!({"until": made["until"]}));
    }
    let answer = world
        .done("list-lab-results", list(world.by_patient()))
        .await;
    let row = |answer: &Value, id: &str| {
        let results = answer["results"].as_array().unwrap().iter();
        results.clone().find(|row| row["id"] == id).unwrap().clone()
    };
    assert!(row(&answer, held)["display"].is_null());
    assert!(row(&answer, held)["name"].is_null());
    assert!(row(&answer, shown)["display"].is_string());
    let dashboard = world.done("get-dashboard", list(world.by_patient())).await;
    let text = dashboard["new_results"].to_string();
    let newest = dashboard["new_results"]["newest"].as_array().unwrap();
    for result in newest {
        assert_eq!(
            result["hold"].is_object(),
            result["id"] == held.as_str(),
            "{text}"
        );
        assert_eq!(result["display"].is_null(), result["id"] == held.as_str());
    }
    let mut trend = list(world.by_patient());
    trend.path.push(("series".to_owned(), series));
    let trend = world.done("get-lab-trend", trend).await;
    // That it is of this analyte is what is held back.
    assert!(!trend.to_string().contains(held.as_str()), "{trend}");

    // To those who treat the patient it is open, with the reason.
    let provider = world.done("get-lab-result", one(world.by_provider())).await;
    assert_eq!(provider["display"], before["display"]);
    assert_eq!(provider["hold"]["reason"], "preventing-harm");
    assert_eq!(provider["hold"]["explanation"], HELD_BECAUSE);
    assert_eq!(provider["hold"]["held_by"], world.provider.to_string());

    // The privacy officer sees that it is held and why, and nothing of it.
    let holds = world.done("list-lab-holds", world.by_officer()).await;
    assert_eq!(holds["holds"].as_array().unwrap().len(), 1);
    assert_eq!(holds["holds"][0]["result"], held.as_str());
    assert_eq!(holds["holds"][0]["reason"], "preventing-harm");
    assert_eq!(holds["holds"][0]["patient"], world.patient.to_string());
    assert!(!holds.to_string().contains("CANARY"));

    // There is one hold at a time.
    let hold = Function::new(&world.stack, "hold-lab-result");
    let response = hold.respond(world.hold(held)).await;
    assert_eq!(response.status, 409);
    assert_eq!(body(&response)["type"], "/problems/already-held");

    world.done("release-lab-result", world.release(held)).await;
    let after = world.done("get-lab-result", one(world.by_patient())).await;
    assert_eq!(after, before);
    let holds = world.done("list-lab-holds", world.by_officer()).await;
    assert_eq!(holds, json!({"holds": []}));
    let release = Function::new(&world.stack, "release-lab-result");
    assert_eq!(release.respond(world.release(held)).await.status, 404);
    let rows = world.stack.items(Resource::PatientsTable).await;
    let mut history = rows
        .iter()
        .filter(|row| row["sk"].as_str().unwrap().starts_with("HISTORY#HOLD#"))
        .filter(|row| !row["sealed"].is_null());
    assert_eq!(
        history.next().unwrap()["ended_by"],
        world.provider.to_string()
    );

    // The audit log says which result it was about.
    let records = world.stack.audit().await;
    for operation in ["hold-lab-result", "get-lab-result", "release-lab-result"] {
        let mut records = records.iter();
        let record = records.find(|record| record["operation"] == operation);
        assert_eq!(record.unwrap()["resource"], held.as_str(), "{operation}");
    }
}

/// A hold ends by itself, and another may follow.
#[tokio::test(flavor = "multi_thread")]
async fn a_hold_that_is_over_holds_nothing() {
    let world = World::new().await;
    let mut results = world.results().await.into_iter().map(|(id, _)| id);
    let (result, other) = (results.next().unwrap(), results.next().unwrap());
    let over = Timestamp::now() - SignedDuration::from_secs(1);
    for id in [&result, &other] {
        world.done("hold-lab-result", world.hold(id)).await;
        let held = format!("CONTEXT#HOLD#{id}");
        let rows = world.stack.scan(Resource::PatientsTable).await;
        let mut rows = rows.into_iter();
        let mut row = rows.find(|row| row["sk"]["S"] == held.as_str()).unwrap();
        row["until"]["S"] = over.to_string().into();
        world.stack.put(Resource::PatientsTable, row).await;
    }
    let request = world.by_patient().patient(world.patient).result(&result);
    let answer = world.done("get-lab-result", request).await;
    assert!(answer["hold"].is_null() && answer["name"].is_string());
    let release = Function::new(&world.stack, "release-lab-result");
    assert_eq!(release.respond(world.release(&result)).await.status, 404);
    world.done("hold-lab-result", world.hold(&result)).await;
    let rows = world.stack.items(Resource::PatientsTable).await;
    let of = |prefix: &'static str| {
        let all = rows.iter();
        all.filter(move |row| row["sk"].as_str().unwrap().starts_with(prefix))
    };
    let over_ones = || of("HISTORY#HOLD#").filter(|row| !row["sealed"].is_null());
    assert_eq!(over_ones().count(), 2);
    for former in over_ones() {
        assert_eq!(former["until"], over.to_string());
        assert!(former["ended_by"].is_null());
    }
    // Of what is over nothing stays where every request reads it.
    assert_eq!(of("CONTEXT#HOLD#").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_an_end_to_what_can_be_held() {
    let world = World::new().await;
    let mut results = world.results().await.into_iter().map(|(id, _)| id);
    let (result, other) = (results.next().unwrap(), results.next().unwrap());
    world.done("hold-lab-result", world.hold(&result)).await;
    let held = format!("CONTEXT#HOLD#{result}");
    let rows = world.stack.scan(Resource::PatientsTable).await;
    let mut rows = rows.into_iter();
    let row = rows.find(|row| row["sk"]["S"] == held.as_str()).unwrap();
    for _ in 1..20 {
        let mut another = row.clone();
        another["sk"]["S"] = format!("CONTEXT#HOLD#{}", Uuid::new_v4()).into();
        world.stack.put(Resource::PatientsTable, another).await;
    }
    let function = Function::new(&world.stack, "hold-lab-result");
    let response = function.respond(world.hold(&other)).await;
    assert_eq!(body(&response)["type"], "/problems/too-many-holds");
    world
        .done("release-lab-result", world.release(&result))
        .await;
    world.done("hold-lab-result", world.hold(&other)).await;
}

/// Of many at once twenty are held, and the count is right afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_at_once_and_no_more() {
    let world = World::around_sample("Hallie_Hoeger").await;
    let hold = Function::new(&world.stack, "hold-lab-result");
    let results = world.results().await.into_iter().map(|(id, _)| id);
    let results: Vec<_> = results.take(28).collect();
    for result in &results[..14] {
        world.done("hold-lab-result", world.hold(result)).await;
    }
    // Six fit of fourteen that come at once.
    let mut waiting: Vec<_> = results[14..].iter().collect();
    while !waiting.is_empty() {
        let sent = waiting
            .iter()
            .map(|result| hold.respond(world.hold(result)));
        let answers = futures_util::future::join_all(sent).await;
        let mut answers = answers.iter();
        // What was overtaken too often, or not answered in time, is sent again.
        waiting.retain(|_| {
            let answer = answers.next().unwrap();
            if answer.status == 409 {
                let problems = ["/problems/too-many-holds", "/problems/already-held"];
                let problem = body(answer)["type"].as_str().unwrap().to_owned();
                assert!(problems.contains(&problem.as_str()), "{problem}");
            }
            answer.status == 503
        });
    }
    let held = world.results().await.into_iter().filter(|(_, held)| *held);
    let held: Vec<_> = held.map(|(id, _)| id).collect();
    assert_eq!(held.len(), 20);
    let list = |limit: &'static str| world.by_officer().query("limit", limit);
    let holds = world.done("list-lab-holds", list("100")).await;
    assert_eq!(holds["holds"].as_array().unwrap().len(), 20);
    // Room for one is room for one, also where a hold was over when the next was made.
    let (first, second) = (&held[0], &held[1]);
    world.done("release-lab-result", world.release(first)).await;
    world.done("hold-lab-result", world.hold(first)).await;
    let over = Timestamp::now() - SignedDuration::from_secs(1);
    change_hold(&world, &format!("CONTEXT#HOLD#{second}"), "until", over).await;
    let others = results.iter().filter(|result| !held.contains(result));
    let others: Vec<_> = others.collect();
    world.done("hold-lab-result", world.hold(others[0])).await;
    let answer = hold.respond(world.hold(others[1])).await;
    assert_eq!(body(&answer)["type"], "/problems/too-many-holds");
    let rows = world.stack.items(Resource::PatientsTable).await;
    let count = rows
        .iter()
        .find(|row| row["sk"] == "CONTEXT#HOLDS")
        .unwrap();
    assert_eq!(count["held"], "20");
}

/// Changes a time in the row of a hold: only tests turn the clock.
async fn change_hold(world: &World, sk: &str, name: &str, time: Timestamp) {
    let rows = world.stack.scan(Resource::PatientsTable).await;
    let mut rows = rows.into_iter();
    let mut row = rows.find(|row| row["sk"]["S"] == sk).unwrap();
    row[name]["S"] = time.to_string().into();
    world.stack.put(Resource::PatientsTable, row).await;
}

/// 45 CFR 171.103, 171.201(b): a hold that follows a hold adds nothing to the thirty days.
#[tokio::test(flavor = "multi_thread")]
async fn holds_in_a_row_are_as_long_as_one() {
    let world = World::new().await;
    let (result, _) = world.results().await.remove(0);
    let hold = Function::new(&world.stack, "hold-lab-result");
    let for_days = |days: i64| {
        let until = Timestamp::now() + SignedDuration::from_hours(days * 24);
        let why = json!({
            "reason": "preventing-harm", "explanation": HELD_BECAUSE, "until": until.to_string(),
        });
        world.hold(&result).json(&why)
    };
    let first = format!("HISTORY#HOLD#{result}");
    world.done("hold-lab-result", for_days(7)).await;
    let ago = |days: i64| Timestamp::now() - SignedDuration::from_hours(days * 24);
    change_hold(&world, &first, "held_at", ago(25)).await;
    world
        .done("release-lab-result", world.release(&result))
        .await;
    let longer = hold.respond(for_days(6)).await;
    assert_eq!(longer.status, 400);
    assert_eq!(body(&longer)["errors"][0]["pointer"], "/until");
    world.done("hold-lab-result", for_days(4)).await;
    // It ends by itself, and the thirty days do.
    let held = format!("CONTEXT#HOLD#{result}");
    change_hold(&world, &held, "until", ago(1)).await;
    world.done("hold-lab-result", for_days(4)).await;
    change_hold(&world, &held, "until", ago(1)).await;
    change_hold(&world, &first, "held_at", ago(30)).await;
    let again = hold.respond(for_days(1)).await;
    assert_eq!(body(&again)["type"], "/problems/held-long-enough");
    let rows = world.stack.items(Resource::PatientsTable).await;
    let mut rows = rows.iter().filter(|row| row["sk"] == *first);
    assert!(rows.next().unwrap()["held_at"].as_str().unwrap() < ago(29).to_string().as_str());
}

/// A hold is on a result, wherever an import puts it.
#[tokio::test(flavor = "multi_thread")]
async fn a_held_result_is_held_in_every_section() {
    let world = Imported::new(&[lab("a", "2020-01-02")]).await;
    let id = world.id("Observation", "a");
    let until = Timestamp::now() + SignedDuration::from_hours(24);
    let row = json!({
        "pk": {"S": format!("PATIENT#{}", world.patient)},
        "sk": {"S": format!("CONTEXT#HOLD#{id}")},
        "reason": {"S": "preventing-harm"},
        "held_by": {"S": Uuid::new_v4()},
        "held_at": {"S": Timestamp::now()},
        "until": {"S": until},
        "sealed": {"B": "AAAA"},
    });
    world.stack.put(Resource::PatientsTable, row).await;
    for (category, section) in [
        ("vital-signs", "vital-signs"),
        ("social-history", "social-history"),
        ("survey", "other-observations"),
    ] {
        let mut moved = lab("a", "2020-01-02");
        moved["category"][0]["coding"][0]["code"] = category.into();
        world.more(&[patient(), moved]).await;
        assert!(world.results().await.is_empty());
        let request = world.request().query("section", section);
        let answer = world.ask("list-health-record", request).await;
        let entry = json!({"id": id, "hold": {"until": until}});
        assert_eq!(answer["entries"], json!([entry]), "{section}");
    }
}

/// What is no result of the patient's cannot be held, nor for longer than the law gives.
#[tokio::test(flavor = "multi_thread")]
async fn holds_are_for_results_and_for_a_month() {
    let world = World::new().await;
    let other = world.stack.sample("Noel_Reynolds").await;
    let (result, _) = world.results().await.remove(0);
    let rows = world.stack.items(Resource::RecordsTable).await;
    let id_of = |pk: &str, section: &str| {
        let mut rows = rows.iter();
        let row =
            rows.find(|row| row["pk"] == pk && row["sk"].as_str().unwrap().starts_with(section));
        row.unwrap()["id"].as_str().unwrap().to_owned()
    };
    let theirs = id_of(&format!("PATIENT#{other}"), "LAB#");
    let visit = id_of(&format!("PATIENT#{}", world.patient), "ENCOUNTER#");
    let hold = Function::new(&world.stack, "hold-lab-result");
    let get = Function::new(&world.stack, "get-lab-result");
    for wrong in [theirs, visit, Uuid::new_v4().to_string()] {
        assert_eq!(hold.respond(world.hold(&wrong)).await.status, 404);
        let request = world.by_patient().patient(world.patient).result(&wrong);
        assert_eq!(get.respond(request).await.status, 404);
    }
    for hours in [-1, 0, 30 * 24 + 1] {
        let until = Timestamp::now() + SignedDuration::from_hours(hours);
        let request = world.hold(&result).json(&json!({
            "reason": "privacy-precondition",
            "explanation": "Consent is not there yet",
            "until": until.to_string(),
        }));
        let response = hold.respond(request).await;
        assert_eq!(response.status, 400);
        assert_eq!(body(&response)["errors"][0]["pointer"], "/until");
    }
    // Whoever broke the glass sees the record and holds nothing.
    let stranger = world.by_stranger().await;
    let claims = stranger.claims.clone();
    let broken = json!({"reason": "emergency-treatment", "explanation": HELD_BECAUSE});
    world.done("break-glass", stranger.json(&broken)).await;
    let mut request = world.hold(&result);
    request.claims = claims;
    assert_eq!(hold.respond(request).await.status, 404);
    let rows = world.stack.items(Resource::PatientsTable).await;
    assert!(!rows.iter().any(|row| row.to_string().contains("#HOLD#")));
}

/// The files of the samples.
fn samples() -> Vec<Vec<u8>> {
    let folder = std::fs::read_dir(root().join("tests/data/synthea")).unwrap();
    let mut files: Vec<_> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    let files = files.iter();
    files.map(|path| std::fs::read(path).unwrap()).collect()
}

/// A list, page by page; between the pages `between` happens.
async fn paged(
    stack: &Stack,
    id: &str,
    list: &str,
    request: impl Fn() -> Request,
    between: impl AsyncFn(usize),
) -> Vec<Value> {
    let function = Function::new(stack, id);
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    for page in 0.. {
        let mut request = request().query("limit", "37");
        if let Some(cursor) = &cursor {
            request = request.query("cursor", cursor);
        }
        let response = function.respond(request).await;
        let answer = body(&response);
        assert_eq!(response.status, 200, "{answer}");
        let entries = answer[list].as_array().unwrap();
        assert!(entries.len() <= 37);
        all.extend(entries.iter().cloned());
        match answer["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
        between(page).await;
    }
    all
}

/// The sections, and which resources of a file are theirs.
const SECTIONS: [(&str, &str, &str); 10] = [
    ("allergies", "AllergyIntolerance", ""),
    ("conditions", "Condition", ""),
    ("immunizations", "Immunization", ""),
    ("procedures", "Procedure", ""),
    ("encounters", "Encounter", ""),
    ("care-plans", "CarePlan", ""),
    ("care-teams", "CareTeam", ""),
    ("vital-signs", "Observation", "vital-signs"),
    ("social-history", "Observation", "social-history"),
    ("other-observations", "Observation", "other"),
];

/// The one of the four kinds of Observation that a resource is.
fn kind(resource: &Value) -> &'static str {
    let text = resource["category"].to_string();
    let known = ["laboratory", "vital-signs", "social-history"];
    let mut known = known.into_iter();
    let code = known.find(|code| text.contains(&format!("\"code\":\"{code}\"")));
    code.unwrap_or("other")
}

/// What a person reads of a concept: text, else display, else code.
fn label(concept: &Value) -> Value {
    let first = |member: &str| {
        concept["coding"]
            .as_array()?
            .iter()
            .find_map(|c| c.get(member))
    };
    let label = concept.get("text").or_else(|| first("display"));
    label.or_else(|| first("code")).cloned().unwrap_or_default()
}

/// Where a resource says when it was.
fn time(resource: &Value) -> Option<&str> {
    let members = match resource["resourceType"].as_str().unwrap() {
        "Observation" => &["/effectiveDateTime", "/effectivePeriod/start", "/issued"][..],
        "AllergyIntolerance" | "Condition" => &["/onsetDateTime", "/recordedDate"],
        "Immunization" => &["/occurrenceDateTime"],
        "Procedure" => &["/performedDateTime", "/performedPeriod/start"],
        _ => &["/period/start"],
    };
    let mut found = members.iter().filter_map(|member| resource.pointer(member));
    found.next()?.as_str()
}

fn instant(text: &str) -> Timestamp {
    let midnight = || format!("{text}T00:00:00Z").parse();
    text.parse().or_else(|_| midnight()).unwrap()
}

/// What the list says of a resource is what the resource says.
fn compare(listed: &Value, resource: &Value) {
    let id = &resource["id"];
    let says = |member: &str, expected: &Value| {
        assert_eq!(listed[member], *expected, "{member} of {id}: {listed}");
    };
    let code = |concept: &Value| concept["coding"][0]["code"].clone();
    match resource["resourceType"].as_str().unwrap() {
        "AllergyIntolerance" => {
            says("name", &label(&resource["code"]));
            says("clinical_status", &code(&resource["clinicalStatus"]));
            says("recorded", &resource["recordedDate"]);
            says("type", &resource["type"]);
            says("criticality", &resource["criticality"]);
        }
        "Condition" => {
            says("name", &label(&resource["code"]));
            says("clinical_status", &code(&resource["clinicalStatus"]));
            assert_eq!(listed["onset"]["start"], resource["onsetDateTime"], "{id}");
            assert_eq!(listed["abatement"]["start"], resource["abatementDateTime"]);
        }
        "Immunization" => {
            says("name", &label(&resource["vaccineCode"]));
            says("status", &resource["status"]);
            says("occurrence", &resource["occurrenceDateTime"]);
        }
        "Procedure" => {
            says("name", &label(&resource["code"]));
            says("status", &resource["status"]);
            let period = &resource["performedPeriod"];
            assert_eq!(listed["performed"]["end"], period["end"]);
            let start = resource
                .get("performedDateTime")
                .unwrap_or(&period["start"]);
            assert_eq!(listed["performed"]["start"], *start);
        }
        "Encounter" => {
            says("name", &label(&resource["type"][0]));
            says("status", &resource["status"]);
            says("class", &resource["class"]["code"]);
            says("period", &resource["period"]);
        }
        "CarePlan" => {
            says("status", &resource["status"]);
            says("period", &resource["period"]);
            let activities = resource["activity"].as_array().map_or(0, Vec::len);
            assert_eq!(
                listed["activities"].as_array().map_or(0, Vec::len),
                activities
            );
            for (shown, activity) in listed["activities"]
                .as_array()
                .into_iter()
                .flatten()
                .zip(resource["activity"].as_array().into_iter().flatten())
            {
                assert_eq!(shown["name"], label(&activity["detail"]["code"]));
                assert_eq!(shown["status"], activity["detail"]["status"]);
            }
        }
        "CareTeam" => {
            says("status", &resource["status"]);
            says("period", &resource["period"]);
            let participants = resource["participant"].as_array().unwrap();
            assert_eq!(
                listed["participants"].as_array().unwrap().len(),
                participants.len()
            );
        }
        "Observation" => {
            says("name", &label(&resource["code"]));
            says("loinc", &resource["code"]["coding"][0]["code"]);
            says("status", &resource["status"]);
            says("effective", &resource["effectiveDateTime"]);
            says("issued", &resource["issued"]);
            says("reference_range_supplied", &json!(false));
            says("interpretation_supplied", &json!(false));
            if let Some(quantity) = resource.get("valueQuantity") {
                let shown = &listed["value"]["of"];
                let digits = shown["value"].as_str().unwrap();
                let number: Value = serde_json::from_str(digits).unwrap();
                assert_eq!(number, quantity["value"], "{id}");
                assert_eq!(shown["unit"], quantity["unit"], "{id}");
            }
            let parts = resource["component"].as_array();
            let shown = listed["components"].as_array();
            assert_eq!(shown.map_or(0, Vec::len), parts.map_or(0, Vec::len), "{id}");
            for (shown, part) in shown.into_iter().flatten().zip(parts.into_iter().flatten()) {
                assert_eq!(shown["code"]["text"], part["code"]["text"]);
                assert_eq!(shown["value"]["of"]["unit"], part["valueQuantity"]["unit"]);
            }
        }
        other => panic!("{other}"),
    }
}

/// A list has each resource once, as it is, the newest first.
fn is_complete(what: &str, patient: PatientId, listed: &[Value], expected: &[&Value]) {
    let ids: Vec<_> = listed
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    let once: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(once.len(), ids.len(), "{what}: something twice");
    let mut by_id = BTreeMap::new();
    for resource in expected {
        let resource_type = resource["resourceType"].as_str().unwrap();
        let source = resource["id"].as_str().unwrap();
        let id = portal_id(patient.uuid(), resource_type, source).to_string();
        by_id.insert(id, *resource);
    }
    assert_eq!(by_id.len(), ids.len(), "{what}");
    let mut before = Timestamp::MAX;
    for one in listed {
        let resource = by_id[one["id"].as_str().unwrap()];
        compare(one, resource);
        if let Some(time) = time(resource) {
            let at = instant(time);
            assert!(at <= before, "{what}: {time} after {before}");
            before = at;
        }
    }
}

/// Nothing lost, nothing invented, of every sample.
#[tokio::test(flavor = "multi_thread")]
async fn the_lists_are_what_the_files_were() {
    let stack = Stack::new().await;
    let mut compared = BTreeMap::new();
    for file in samples() {
        let parsed: Value = serde_json::from_slice(&file).unwrap();
        let entries = parsed["entry"].as_array().unwrap().iter();
        let resources: Vec<&Value> = entries.map(|entry| &entry["resource"]).collect();
        let before = stack.patients().await;
        let report = stack
            .import(&format!("{}.json", Uuid::new_v4()), file)
            .await;
        assert_eq!(report["state"], "complete", "{report}");
        let mut new = stack.patients().await;
        new.retain(|patient| !before.contains(patient));
        let Some(patient) = new.pop() else {
            continue;
        };
        let account = stack.account(Role::Patient, Whose::Patient(patient)).await;
        let request = || signed_in(account, Role::Patient).patient(patient);
        let nothing = async |_| {};
        let of = |resource_type: &str, of_kind: &str| -> Vec<&Value> {
            let all = resources.iter().copied();
            all.filter(|one| one["resourceType"] == resource_type)
                .filter(|one| of_kind.is_empty() || kind(one) == of_kind)
                .collect()
        };

        let landing = Function::new(&stack, "list-health-record");
        let landing = body(&landing.respond(request()).await);
        assert_eq!(landing["record_complete"], true);
        assert!(landing["entries"].is_null());
        for (section, resource_type, of_kind) in SECTIONS {
            let request = || request().query("section", section);
            let id = "list-health-record";
            let listed = paged(&stack, id, "entries", request, nothing).await;
            let expected = of(resource_type, of_kind);
            is_complete(section, patient, &listed, &expected);
            let counts = landing["sections"].as_array().unwrap().iter();
            let count = counts.clone().find(|count| count["section"] == section);
            assert_eq!(count.unwrap()["count"], expected.len(), "{section}");
            *compared.entry(section).or_insert(0) += listed.len();
        }

        let listed = paged(&stack, "list-lab-results", "results", request, nothing).await;
        let expected = of("Observation", "laboratory");
        is_complete("labs", patient, &listed, &expected);
        *compared.entry("labs").or_insert(0) += listed.len();
        let reports = of("DiagnosticReport", "");
        let grouped: BTreeSet<_> = reports
            .iter()
            .flat_map(|report| report["result"].as_array().into_iter().flatten())
            .map(|link| link["reference"].as_str().unwrap())
            .map(|reference| reference.rsplit([':', '/']).next().unwrap())
            .collect();
        let labs = expected.iter().map(|lab| lab["id"].as_str().unwrap());
        let named = listed.iter().filter(|result| result["report"].is_object());
        assert_eq!(
            named.count(),
            labs.filter(|id| grouped.contains(id)).count()
        );
        // Every series holds its results, and no others.
        let mut series: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for result in &listed {
            let ids = series
                .entry(result["series"].as_str().unwrap())
                .or_default();
            ids.insert(result["loinc"].as_str().unwrap());
        }
        assert!(series.values().all(|loincs| loincs.len() == 1));
        let loincs: BTreeSet<_> = series.values().flatten().collect();
        assert_eq!(loincs.len(), series.len());
    }
    assert!(compared.values().all(|count| *count > 0), "{compared:?}");
    assert!(compared["labs"] > 1000, "{compared:?}");
}

/// A page is a place in the list, whatever arrives meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn paging_is_complete_while_entries_arrive() {
    let day = |n: usize| format!("20{:02}-{:02}-15", 10 + n / 12, 1 + n % 12);
    let id = |n: usize| format!("o{n}");
    let resources: Vec<_> = (0..150).map(|n| lab(&id(n), &day(n))).collect();
    let world = Imported::new(&resources).await;
    let arriving = async |page: usize| {
        let newer = lab(&format!("newer{page}"), "2030-01-01");
        let older = lab(&format!("older{page}"), "2001-01-01");
        world.more(&[patient(), newer, older]).await;
    };
    let request = || world.request();
    let listed = paged(
        &world.stack,
        "list-lab-results",
        "results",
        request,
        arriving,
    )
    .await;
    let ids: Vec<_> = listed
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    let once: BTreeSet<_> = ids.iter().copied().collect();
    assert_eq!(once.len(), ids.len());
    for n in 0..150 {
        assert!(once.contains(&*world.id("Observation", &id(n))), "{n}");
    }
}

/// The counts are right after imports of other files, whatever moved.
#[tokio::test(flavor = "multi_thread")]
async fn counts_follow_every_import() {
    let condition = |id: &str, status: &str| {
        json!({"resourceType": "Condition", "id": id, "code": {"text": "Something"},
            "verificationStatus": {"coding": [{"code": status}]},
            "subject": {"reference": "Patient/p"}, "onsetDateTime": "2020"})
    };
    let world = Imported::new(&[condition("a", "confirmed")]).await;
    let count = async || {
        let answer = world.ask("list-health-record", world.request()).await;
        let sections = answer["sections"].as_array().unwrap().clone();
        let mut sections = sections.into_iter();
        sections.find(|one| one["section"] == "conditions").unwrap()["count"].clone()
    };
    assert_eq!(count().await, 1);
    world.more(&[patient(), condition("b", "confirmed")]).await;
    assert_eq!(count().await, 2);
    world
        .more(&[patient(), condition("a", "entered-in-error")])
        .await;
    assert_eq!(count().await, 1);
}

/// What would not open again is refused by name, and takes nothing else with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_resource_that_no_list_could_show_is_not_stored() {
    let world = Imported::new(&[lab("a", "2020-01-02")]).await;
    let mut wrong = lab("wrong", "2020-01-02");
    wrong["valueQuantity"] = json!({"value": "7"});
    let plan = json!({"resourceType": "CarePlan", "id": "plan", "status": "active",
        "intent": "order", "subject": {"reference": "Patient/p"}, "activity": [7]});
    let report = world
        .more(&[patient(), wrong, plan, lab("b", "2020-01-03")])
        .await;
    let unstored = report["unstored"].as_array().unwrap();
    assert_eq!(unstored.len(), 2, "{report}");
    assert_eq!(world.results().await.len(), 2);
}

/// What somebody reads costs the same whatever there is beside it.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_entries_cost_what_fifty_cost() {
    let many = |count: usize| {
        let mut resources: Vec<_> = (0..count)
            .map(|n| {
                lab(
                    &format!("l{n}"),
                    &format!("20{:02}-01-01T00:{:02}:00Z", n / 60, n % 60),
                )
            })
            .collect();
        resources.extend((0..count).map(|n| {
            json!({"resourceType": "Encounter", "id": format!("e{n}"), "status": "finished",
                "subject": {"reference": "Patient/p"}, "type": [{"text": "Visit"}],
                "period": {"start": format!("20{:02}-01-01T00:{:02}:00Z", n / 60, n % 60)}})
        }));
        resources
    };
    let mut costs = Vec::new();
    for count in [50, 1000] {
        let world = Imported::new(&many(count)).await;
        let first = world.results().await.remove(0);
        let series = first["series"].as_str().unwrap();
        let mut trend = world.request();
        trend.path.push(("series".to_owned(), series.to_owned()));
        let requests = [
            ("list-lab-results", world.request()),
            (
                "get-lab-result",
                world.request().result(first["id"].as_str().unwrap()),
            ),
            ("get-lab-trend", trend),
            (
                "list-health-record",
                world.request().query("section", "encounters"),
            ),
            ("get-dashboard", world.request()),
        ];
        let mut cost = Vec::new();
        for (id, request) in requests {
            let recorder = Recorder::default();
            let function = Function::recorded(&world.stack, id, recorder);
            assert_eq!(function.respond(request).await.status, 200, "{id}");
            let calls = function.recorder.calls().into_iter();
            // Calls that are made at once end in any order.
            let mut actions: Vec<_> = calls.map(|call| call.actions).collect();
            actions.sort();
            cost.push((id, function.recorder.depth(), actions));
        }
        costs.push(cost);
    }
    assert_eq!(costs[0], costs[1]);
}
