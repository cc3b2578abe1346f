//! How many of something a patient has at a time: one row of the schedule table with a set of places,
//! `<end>#<id>`. Whoever adds to it finds in that very transaction whether there is room, so a limit
//! holds however many ask at once. A place that is over counts no more.

use super::{Item, Schedule, Write, n, patient_key, s, sortable};
use crate::Fault;
use crate::access::Unproven;
use crate::http::Problem;
use crate::ids::PatientId;
use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use jiff::Timestamp;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Of what there is a roster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Appointments to come.
    Appointments,
    /// Places on the waitlist.
    Waitlist,
}

/// What a patient had when it was read.
pub struct Roster {
    kind: Kind,
    places: Option<BTreeSet<String>>,
}

/// A place, and when it is over.
pub(super) fn place(id: Uuid, end: Timestamp) -> String {
    format!("{}#{id}", sortable(end))
}

impl Kind {
    const fn sk(self) -> &'static str {
        match self {
            Self::Appointments => "ROSTER#APPOINTMENTS",
            Self::Waitlist => "ROSTER#WAITLIST",
        }
    }

    fn update(self, schedule: &Schedule, patient: PatientId) -> UpdateBuilder {
        Update::builder()
            .table_name(&schedule.table)
            .key("pk", s(patient_key(patient)))
            .key("sk", s(self.sk()))
    }

    /// The write that gives a place up, whether or not it was there.
    pub(super) fn leave(
        self,
        schedule: &Schedule,
        patient: PatientId,
        place: &str,
    ) -> Result<Write, Fault> {
        let update = self
            .update(schedule, patient)
            .update_expression("DELETE places :place")
            .expression_attribute_values(":place", set([place]));
        written(update, Problem::changed_meanwhile())
    }
}

impl Roster {
    pub(super) async fn read(
        schedule: &Schedule,
        kind: Kind,
        whose: &Unproven<PatientId>,
    ) -> Result<Self, Fault> {
        let item = schedule.get(whose.patient(), kind.sk().to_owned()).await?;
        Ok(Self {
            kind,
            places: item.as_ref().and_then(places),
        })
    }

    /// How many places are not over.
    pub fn count(&self, now: Timestamp) -> usize {
        self.current(now).count()
    }

    fn current(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let now = sortable(now);
        let places = self.places.iter().flatten().map(String::as_str);
        places.filter(move |place| *place > now.as_str())
    }

    /// The write that takes a place. `full` is how many there are at most, and the answer to whoever
    /// would be one more.
    pub(super) fn enter(
        &self,
        schedule: &Schedule,
        patient: PatientId,
        place: &str,
        full: Option<(usize, Problem)>,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        // The set has to lose what is over before its size says anything.
        let counted = self.places.as_ref().map_or(0, BTreeSet::len);
        if counted != self.count(now) {
            return self.rewrite(schedule, patient, self.current(now).chain([place]));
        }
        let update = self
            .kind
            .update(schedule, patient)
            .update_expression("ADD places :place")
            .expression_attribute_values(":place", set([place]));
        let Some((most, full)) = full else {
            return written(update, Problem::changed_meanwhile());
        };
        let update = update
            .condition_expression("attribute_not_exists(places) OR size(places) < :most")
            .expression_attribute_values(":most", n(most));
        written(update, full)
    }

    /// The write that gives one place up for another.
    pub(super) fn exchange(
        &self,
        schedule: &Schedule,
        patient: PatientId,
        former: &str,
        place: &str,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let kept = self.current(now).filter(|other| *other != former);
        self.rewrite(schedule, patient, kept.chain([place]))
    }

    /// Nothing happens if the roster is no longer the one that was read.
    fn rewrite<'a>(
        &self,
        schedule: &Schedule,
        patient: PatientId,
        places: impl Iterator<Item = &'a str>,
    ) -> Result<Write, Fault> {
        let update = self
            .kind
            .update(schedule, patient)
            .update_expression("SET places = :places")
            .expression_attribute_values(":places", set(places));
        let update = match &self.places {
            Some(seen) => update
                .condition_expression("places = :seen")
                .expression_attribute_values(":seen", set(seen.iter().map(String::as_str))),
            None => update.condition_expression("attribute_not_exists(places)"),
        };
        written(update, Problem::changed_meanwhile())
    }
}

fn places(item: &Item) -> Option<BTreeSet<String>> {
    let places = item.get("places")?.as_ss().ok()?;
    Some(places.iter().cloned().collect())
}

fn set<'a>(places: impl IntoIterator<Item = &'a str>) -> AttributeValue {
    let places: BTreeSet<_> = places.into_iter().map(str::to_owned).collect();
    AttributeValue::Ss(places.into_iter().collect())
}

fn written(update: UpdateBuilder, conflict: Problem) -> Result<Write, Fault> {
    let update = update.build().map_err(|_| Fault::Defect("an update"))?;
    Ok(Write {
        item: TransactWriteItem::builder().update(update).build(),
        conflict,
    })
}
