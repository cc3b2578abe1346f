//! Two hundred at once for one time: exactly one gets it, whatever else they do around it.

use super::{booking, of, refused, versioned};
use crate::harness::function::Function;
use crate::harness::request::{With, anonymous, body};
use crate::harness::schedule::{Comer, claimed, free_hour, hour, later, taken};
use crate::harness::world::World;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};
use shared::http::{Request, Response};
use std::collections::{BTreeMap, BTreeSet};

const PATIENTS: usize = 50;

/// What somebody does in the race.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Book,
    Hold,
    Move,
    Cancel,
}

struct Functions {
    book: Function,
    hold: Function,
    reschedule: Function,
    cancel: Function,
}

impl Functions {
    fn new(world: &World) -> Self {
        Self {
            book: Function::new(&world.stack, "book-appointment"),
            hold: Function::new(&world.stack, "hold-slot"),
            reschedule: Function::new(&world.stack, "reschedule-appointment"),
            cancel: Function::new(&world.stack, "cancel-appointment"),
        }
    }

    async fn send(&self, act: Act, request: Request) -> Answer {
        let function = match act {
            Act::Book => &self.book,
            Act::Hold => &self.hold,
            Act::Move => &self.reschedule,
            Act::Cancel => &self.cancel,
        };
        let mut sent = 0;
        loop {
            let response = function.respond(copy(&request)).await;
            sent += 1;
            if response.status != 503 || sent == 10 {
                return Answer {
                    act,
                    response,
                    sent,
                };
            }
        }
    }

    /// All of them, so many at a time as there are patients.
    async fn race(&self, racing: Vec<(Act, Request)>) -> Vec<Answer> {
        stream::iter(racing)
            .map(|(act, request)| self.send(act, request))
            .buffer_unordered(PATIENTS)
            .collect()
            .await
    }
}

/// What a request came to. One emulator serves all: a client to whom it did not answer in time sends
/// the same once more, as clients do.
struct Answer {
    act: Act,
    response: Response,
    sent: usize,
}

fn copy(request: &Request) -> Request {
    Request {
        path: request.path.clone(),
        headers: request.headers.clone(),
        body: request.body.clone(),
        claims: request.claims.clone(),
        ..anonymous()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_hundred_gets_the_time() {
    let world = World::new().await;
    let comers: Vec<_> = join_all((0..PATIENTS).map(|_| Comer::new(&world.stack))).await;
    let functions = Functions::new(&world);
    let wanted = later(hour(0), 16 * 60);
    // Every fifth has an appointment that they will move there or give up, some of them next to it.
    let mut booked = BTreeMap::new();
    for (at, comer) in comers.iter().enumerate().step_by(5) {
        let start = match at % 3 {
            0 => later(wanted, 40 * (i64::try_from(at).unwrap() / 5 + 3)),
            _ => later(wanted, -40 * (i64::try_from(at).unwrap() / 5 + 3)),
        };
        let request = booking(&world, of(comer), "visit", start);
        let response = functions.send(Act::Book, request).await.response;
        let answer = body(&response);
        assert_eq!(response.status, 201, "{answer}");
        booked.insert(at, answer["id"].as_str().unwrap().to_owned());
    }
    let before = world.stack.audit().await.len();

    let mut racing = Vec::new();
    for (at, comer) in comers.iter().enumerate() {
        // Around the time, in lengths that overlap it: so that only one can have it.
        for (kind, minutes) in [("visit", 0), ("long", -60), ("call", 20), ("visit", 10)] {
            let start = later(wanted, minutes);
            let act = match (at % 4, kind) {
                (1, "call") => Act::Hold,
                _ => Act::Book,
            };
            let request = match act {
                Act::Hold => of(comer).json(&world.slot(kind, start)),
                _ => booking(&world, of(comer), kind, start),
            };
            racing.push((act, request));
        }
        if let Some(id) = booked.get(&at) {
            let step = versioned(of(comer).appointment(id), 1);
            let (act, step) = if at % 2 == 0 {
                (Act::Move, step.json(&json!({"start": wanted})))
            } else {
                (Act::Cancel, step.json(&json!({"reason": "other-plans"})))
            };
            racing.push((act, step));
        }
    }
    assert!(racing.len() >= 200, "{}", racing.len());
    let answers = functions.race(racing).await;

    // Whoever does not get it is told so, and what else there is.
    let mut got = BTreeSet::new();
    let mut sent_again = BTreeSet::new();
    for Answer {
        act,
        response,
        sent,
    } in &answers
    {
        let answer = body(response);
        match response.status.as_u16() {
            200 | 201 => {
                if *act == Act::Book {
                    let id = answer["id"].as_str().unwrap().to_owned();
                    if *sent > 1 {
                        sent_again.insert(id.clone());
                    }
                    assert!(got.insert(id), "{answer}");
                }
            }
            409 => {
                let kind = answer["type"].as_str().unwrap();
                assert!(
                    ["/problems/slot-taken", "/problems/appointment-overlaps"].contains(&kind),
                    "{act:?}: {answer}"
                );
                if kind == "/problems/slot-taken" {
                    offers_others(&answer);
                }
            }
            // What was sent again had been done.
            412 => assert!(*sent > 1, "{act:?}: {answer}"),
            other => panic!("{act:?}: {other}: {answer}"),
        }
    }
    let won = |act| {
        let mut answers = answers.iter();
        answers.any(|answer| answer.act == act && answer.response.status.is_success())
    };
    assert!(won(Act::Cancel));

    // Exactly one claim on each five minutes, and none that nobody has.
    let rows = taken(&world.stack).await;
    assert_eq!(rows, claimed(&world.stack).await);
    let of_provider = format!("PRACTITIONER#{}", world.practitioner);
    let now: BTreeSet<_> = rows
        .iter()
        .filter(|(pk, time, _)| *pk == of_provider && is_within(time, wanted))
        .map(|(_, _, by)| by)
        .collect();
    assert!(!now.is_empty(), "somebody has it");

    // One record of each request, and of each new appointment one that says so.
    let records = world.stack.audit().await;
    let sent: usize = answers.iter().map(|answer| answer.sent).sum();
    assert!((answers.len()..=sent).contains(&(records.len() - before)));
    let mut made: BTreeMap<&str, usize> = BTreeMap::new();
    for record in &records {
        if record["action"] == "appointment.book" && record["outcome"] == "success" {
            *made
                .entry(record["resource"].as_str().unwrap())
                .or_default() += 1;
        }
    }
    made.retain(|id, _| !sent_again.contains(*id));
    assert!(made.values().all(|times| *times == 1), "{made:?}");
    let got: BTreeSet<_> = got.difference(&sent_again).collect();
    assert!(
        got.iter().all(|id| made.contains_key(id.as_str())),
        "{made:?}"
    );
    assert_eq!(made.len(), got.len() + booked.len());

    // The time is gone for good, and the times that were offered instead are there.
    let late = Comer::new(&world.stack).await;
    let request = booking(&world, of(&late), "long", wanted);
    let problem = refused(&world, "book-appointment", request, 409, "slot-taken").await;
    let next: Timestamp = offers_others(&problem);
    let request = booking(&world, of(&late), "long", next);
    assert_eq!(
        functions.send(Act::Book, request).await.response.status,
        201
    );
}

fn is_within(time: &str, wanted: Timestamp) -> bool {
    let time: Timestamp = time.parse().unwrap();
    wanted <= time && time < later(wanted, 30)
}

/// A problem that offers other times: the first of them.
fn offers_others(problem: &Value) -> Timestamp {
    let next = problem["next_slots"].as_array().unwrap();
    assert_eq!(next.len(), 3, "{problem}");
    next[0]["start"].as_str().unwrap().parse().unwrap()
}

/// All for the very same time and length: one of two hundred.
#[tokio::test(flavor = "multi_thread")]
async fn one_time_one_appointment() {
    let world = World::new().await;
    let comers: Vec<_> = join_all((0..PATIENTS).map(|_| Comer::new(&world.stack))).await;
    let functions = Functions::new(&world);
    let wanted = free_hour();
    let racing = (0..200).map(|at| {
        let comer = &comers[at % PATIENTS];
        (Act::Book, booking(&world, of(comer), "visit", wanted))
    });
    let answers = functions.race(racing.collect()).await;
    let won = |answer: &&Answer| answer.response.status == 201;
    assert_eq!(answers.iter().filter(won).count(), 1);
    for answer in answers.iter().filter(|answer| !won(answer)) {
        let problem = body(&answer.response);
        assert_eq!(answer.response.status, 409, "{problem}");
        // The winner's own other requests overlap the winner.
        if problem["type"] != "/problems/appointment-overlaps" {
            assert_eq!(problem["type"], "/problems/slot-taken");
            offers_others(&problem);
        }
    }
    assert_eq!(taken(&world.stack).await.len(), 14);
    assert_eq!(taken(&world.stack).await, claimed(&world.stack).await);
}
