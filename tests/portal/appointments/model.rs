//! Any sequence of operations leaves what a simple model says.

use super::{booking, of, versioned};
use crate::harness::function::Function;
use crate::harness::request::{With, body};
use crate::harness::schedule::around_the_clock;
use crate::harness::schedule::{Comer, claimed, hour, later, open, taken};
use crate::harness::world::World;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use shared::http::{Request, Response};
use shared::ids::PractitionerId;
use std::collections::BTreeMap;

const PATIENTS: usize = 3;
const PROVIDERS: usize = 2;

/// Minutes of each type, and the buffers before and after.
const TYPES: [(&str, i64, i64, i64); 3] = [
    ("visit", 30, 0, 10),
    ("long", 90, 10, 0),
    ("call", 10, 0, 0),
];

/// Something that somebody does. Times are five minutes each, counted from a morning.
#[derive(Debug, Clone)]
enum Act {
    Book {
        patient: usize,
        provider: usize,
        kind: usize,
        at: i64,
    },
    Hold {
        patient: usize,
        provider: usize,
        kind: usize,
        at: i64,
    },
    Move {
        which: usize,
        at: i64,
    },
    Cancel {
        which: usize,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let patient = || 0..PATIENTS;
    let provider = || 0..PROVIDERS;
    let kind = || 0..TYPES.len();
    let at = || 0_i64..36;
    prop_oneof![
        4 => (patient(), provider(), kind(), at())
            .prop_map(|(patient, provider, kind, at)| Act::Book { patient, provider, kind, at }),
        3 => (patient(), provider(), kind(), at())
            .prop_map(|(patient, provider, kind, at)| Act::Hold { patient, provider, kind, at }),
        2 => (0_usize..20, at()).prop_map(|(which, at)| Act::Move { which, at }),
        1 => (0_usize..20).prop_map(|which| Act::Cancel { which }),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Booked {
    patient: usize,
    provider: usize,
    kind: usize,
    at: i64,
    version: u64,
}

/// What the model says of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Done,
    Taken,
    Overlaps,
    /// It begins where it began.
    Same,
}

/// Who has what: lists, and every pair of them compared.
#[derive(Default)]
struct Model {
    booked: BTreeMap<usize, Booked>,
    /// By patient: provider, type and time.
    holds: BTreeMap<usize, (usize, usize, i64)>,
}

fn busy(kind: usize, at: i64) -> (i64, i64) {
    let (_, minutes, before, after) = TYPES[kind];
    (at - before / 5, at + (minutes + after) / 5)
}

fn lasts(kind: usize, at: i64) -> (i64, i64) {
    (at, at + TYPES[kind].1 / 5)
}

fn meet(one: (i64, i64), other: (i64, i64)) -> bool {
    one.0 < other.1 && other.0 < one.1
}

impl Model {
    /// May a patient have this time, apart from an appointment that moves? Their own hold is in the
    /// way unless it is for this very time, or is given up.
    fn says(
        &self,
        patient: usize,
        (provider, kind, at): (usize, usize, i64),
        moving: Option<usize>,
        holding: bool,
    ) -> Said {
        let others = || self.booked.iter().filter(|(id, _)| Some(**id) != moving);
        let mut of_provider = others().filter(|(_, one)| one.provider == provider);
        let taken = of_provider.any(|(_, one)| meet(busy(one.kind, one.at), busy(kind, at)));
        let mut holds = self.holds.iter();
        let held = holds.any(|(whose, hold)| {
            let own = *whose == patient && (holding || *hold == (provider, kind, at));
            !own && hold.0 == provider && meet(busy(hold.1, hold.2), busy(kind, at))
        });
        let mut of_patient = others().filter(|(_, one)| one.patient == patient);
        if taken || held {
            Said::Taken
        } else if of_patient.any(|(_, one)| meet(lasts(one.kind, one.at), lasts(kind, at))) {
            Said::Overlaps
        } else {
            Said::Done
        }
    }
}

struct Practice {
    world: World,
    comers: Vec<Comer>,
    providers: Vec<PractitionerId>,
    functions: BTreeMap<&'static str, Function>,
}

impl Practice {
    async fn new() -> Self {
        let world = World::new().await;
        let mut comers = Vec::new();
        for _ in 0..PATIENTS {
            comers.push(Comer::new(&world.stack).await);
        }
        let functions = [
            "book-appointment",
            "hold-slot",
            "reschedule-appointment",
            "cancel-appointment",
        ];
        Self {
            functions: functions
                .into_iter()
                .map(|id| (id, Function::new(&world.stack, id)))
                .collect(),
            comers,
            providers: Vec::new(),
            world,
        }
    }

    /// Providers whom nobody has booked yet, and patients who have no appointment.
    async fn anew(&mut self) {
        self.providers.clear();
        for _ in 0..PROVIDERS {
            let practitioner = self.world.stack.practitioner("Dr. Model").await;
            open(&self.world.stack, practitioner, &around_the_clock()).await;
            self.providers.push(practitioner);
        }
        self.comers.clear();
        for _ in 0..PATIENTS {
            self.comers.push(Comer::new(&self.world.stack).await);
        }
    }

    fn with(&self, provider: usize, request: Request) -> Request {
        let mut slot: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
        slot["practitioner"] = json!(self.providers[provider]);
        request.json(&slot)
    }

    async fn send(&self, id: &str, request: Request) -> Response {
        self.functions[id].respond(request).await
    }

    /// Runs a sequence in the portal and in the model.
    async fn run(&mut self, acts: &[Act]) {
        self.anew().await;
        let mut model = Model::default();
        let mut ids = Vec::new();
        for act in acts {
            self.step(act, &mut model, &mut ids).await;
        }
        // The rows are what the rows of appointments and holds say, and those what the model says.
        let rows = taken(&self.world.stack).await;
        assert_eq!(rows, claimed(&self.world.stack).await);
        for (number, provider) in self.providers.iter().enumerate() {
            let key = format!("PRACTITIONER#{provider}");
            let mut found: Vec<_> = rows
                .iter()
                .filter(|(pk, _, _)| *pk == key)
                .map(|(_, at, _)| at.clone())
                .collect();
            found.sort();
            let booked = model.booked.values().filter(|one| one.provider == number);
            let booked = booked.map(|one| busy(one.kind, one.at));
            let held = model.holds.values().filter(|hold| hold.0 == number);
            let held = held.map(|hold| busy(hold.1, hold.2));
            let mut expected: Vec<_> = booked
                .chain(held)
                .flat_map(|(from, to)| from..to)
                .map(|quantum| shared::store::sortable(time(quantum)))
                .collect();
            expected.sort();
            assert_eq!(found, expected, "{acts:#?}");
        }
    }

    async fn step(&self, act: &Act, model: &mut Model, ids: &mut Vec<String>) {
        match *act {
            Act::Book {
                patient,
                provider,
                kind,
                at,
            } => {
                let said = model.says(patient, (provider, kind, at), None, false);
                let request = booking(
                    &self.world,
                    of(&self.comers[patient]),
                    TYPES[kind].0,
                    time(at),
                );
                let response = self
                    .send("book-appointment", self.with(provider, request))
                    .await;
                check(act, said, &response, 201);
                if said == Said::Done {
                    model.booked.insert(
                        ids.len(),
                        Booked {
                            patient,
                            provider,
                            kind,
                            at,
                            version: 1,
                        },
                    );
                    ids.push(body(&response)["id"].as_str().unwrap().to_owned());
                    if model.holds.get(&patient) == Some(&(provider, kind, at)) {
                        model.holds.remove(&patient);
                    }
                }
            }
            Act::Hold {
                patient,
                provider,
                kind,
                at,
            } => {
                let said = model.says(patient, (provider, kind, at), None, true);
                let slot = self.world.slot(TYPES[kind].0, time(at));
                let request = of(&self.comers[patient]).json(&slot);
                let response = self.send("hold-slot", self.with(provider, request)).await;
                check(act, said, &response, 201);
                if said == Said::Done {
                    model.holds.insert(patient, (provider, kind, at));
                }
            }
            Act::Move { which, at } => {
                let Some((number, booked)) = pick(model, which) else {
                    return;
                };
                let (patient, wanted) = (booked.patient, (booked.provider, booked.kind, at));
                let said = if at == booked.at {
                    Said::Same
                } else {
                    model.says(patient, wanted, Some(number), false)
                };
                let step = of(&self.comers[patient]).appointment(&ids[number]);
                let step = versioned(step, booked.version).json(&json!({"start": time(at)}));
                let response = self.send("reschedule-appointment", step).await;
                check(act, said, &response, 200);
                if said == Said::Done {
                    let version = booked.version + 1;
                    model.booked.insert(
                        number,
                        Booked {
                            at,
                            version,
                            ..booked
                        },
                    );
                    if model.holds.get(&patient) == Some(&wanted) {
                        model.holds.remove(&patient);
                    }
                }
            }
            Act::Cancel { which } => {
                let Some((number, booked)) = pick(model, which) else {
                    return;
                };
                let step = of(&self.comers[booked.patient]).appointment(&ids[number]);
                let step = versioned(step, booked.version).json(&json!({"reason": "other"}));
                let response = self.send("cancel-appointment", step).await;
                check(act, Said::Done, &response, 200);
                model.booked.remove(&number);
            }
        }
    }
}

/// One of the appointments that take place.
fn pick(model: &Model, which: usize) -> Option<(usize, Booked)> {
    let count = model.booked.len().max(1);
    let mut booked = model.booked.iter();
    let found = booked.nth(which % count);
    found.map(|(number, booked)| (*number, booked.clone()))
}

fn time(quantum: i64) -> Timestamp {
    later(hour(9), 5 * quantum)
}

fn check(act: &Act, said: Said, response: &Response, success: u16) {
    let answer = body(response);
    let (status, kind) = match said {
        Said::Done => (success, None),
        Said::Taken => (409, Some("/problems/slot-taken")),
        Said::Overlaps => (409, Some("/problems/appointment-overlaps")),
        Said::Same => (400, Some("/problems/invalid-input")),
    };
    assert_eq!(response.status, status, "{act:?}: {answer}");
    assert_eq!(
        answer["type"]
            .as_str()
            .filter(|text| text.starts_with("/problems")),
        kind
    );
}

#[test]
fn any_sequence_leaves_what_the_model_says() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let practice = runtime.block_on(Practice::new());
    let practice = std::cell::RefCell::new(practice);
    let mut runner = TestRunner::new(Config {
        cases: 24,
        failure_persistence: None,
        ..Config::default()
    });
    let sequences = proptest::collection::vec(act(), 1..30);
    let ran = runner.run(&sequences, |acts| {
        runtime.block_on(practice.borrow_mut().run(&acts));
        Ok(())
    });
    ran.unwrap();
}
