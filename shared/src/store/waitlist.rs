//! The schedule table, who waits. A place is a row `WAITLIST#<id>` of the patient's; the index
//! `by-turn` has all of them in the order in which they were taken. An offer stands in the place's row
//! and takes the provider's quanta as a hold does, until some minutes after its end: so that the next
//! in turn gets the time, and everybody else if there is none.

use super::roster::{self, Kind};
use super::schedule::{Claim, TABLE, committed, forgotten, practitioner_key};
use super::{
    AccountRow, HeldSlot, Item, PatientContext, Patients, Roster, Schedule, SealedRow, Taken,
    Write, n, patient_key, s, sortable,
};
use crate::Fault;
use crate::access::{Access, Practice, Role, Unproven};
use crate::api::appointments::Acting;
use crate::api::open_slots::OpenSlot;
use crate::api::profile::Profile;
use crate::api::proxies::is_proxied;
use crate::api::waitlist::{PLACES, Wish, too_many_places};
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AccountId, HoldId, PatientId, PractitionerId, WaitlistId};
use crate::phi::{DataKeys, Opener};
use crate::practice;
use crate::slots::Quantum;
use aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Delete, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::ops::Range;
use uuid::Uuid;

const PLACE: &str = "WAITLIST#";
const BY_TURN: &str = "by-turn";
/// The one partition of the index.
const OPEN: &str = "open";

/// How long after an offer's end its time is kept for the next in turn, and how long what was freed is
/// kept for the first: offers are made each minute.
const KEPT: SignedDuration = SignedDuration::from_mins(3);

/// How many offers that a place let go are known of it.
const PASSED: usize = 20;

const TORN: Fault = Fault::Corrupt("a place on the waitlist");

/// Until when what is freed now is kept for the waitlist.
pub fn kept_until(now: Timestamp) -> Timestamp {
    now.checked_add(KEPT).unwrap_or(now)
}

/// A time that was offered to a place.
#[derive(Debug, Clone)]
pub struct Offered {
    pub slot: OpenSlot,
    pub held: HeldSlot,
}

/// A place on the waitlist.
#[derive(Debug, Clone)]
pub struct Entry {
    pub id: WaitlistId,
    pub patient: PatientId,
    pub wish: Wish,
    pub joined_at: Timestamp,
    pub joined_by: AccountId,
    joined_as: Acting,
    /// When the last day of the wish is over.
    pub ends: Timestamp,
    offered: Option<Offered>,
    /// Times that were offered and not taken.
    passed: Vec<Passed>,
    version: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Passed {
    practitioner: PractitionerId,
    start: Timestamp,
}

/// The row's content: codes, ids and times.
#[derive(Serialize, Deserialize)]
struct Stored {
    wish: Wish,
    joined_at: Timestamp,
    joined_by: AccountId,
    joined_as: Acting,
    ends: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    offered: Option<StoredOffer>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    passed: Vec<Passed>,
}

#[derive(Serialize, Deserialize)]
struct StoredOffer {
    id: HoldId,
    slot: OpenSlot,
    busy_from: Timestamp,
    busy_to: Timestamp,
    until: Timestamp,
}

impl StoredOffer {
    fn new(offered: &Offered) -> Self {
        let held = &offered.held;
        Self {
            id: held.id,
            slot: offered.slot.clone(),
            busy_from: held.busy.start.start(),
            busy_to: held.busy.end.start(),
            until: held.until,
        }
    }

    fn offered(self) -> Result<Offered, Fault> {
        let quantum = |at| Quantum::starting(at).ok_or(TORN);
        Ok(Offered {
            held: HeldSlot {
                id: self.id,
                practitioner: self.slot.practitioner,
                appointment_type: self.slot.appointment_type.clone(),
                start: self.slot.start,
                busy: quantum(self.busy_from)?..quantum(self.busy_to)?,
                until: self.until,
            },
            slot: self.slot,
        })
    }
}

/// A time that suits a place.
pub struct Opening {
    pub slot: OpenSlot,
    /// What it takes of the provider.
    pub busy: Range<Quantum>,
}

impl Entry {
    /// A place that is taken now.
    pub fn new(
        id: WaitlistId,
        access: &Access<PatientId>,
        wish: Wish,
        ends: Timestamp,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            patient: access.patient(),
            wish,
            joined_at: now,
            joined_by: access.account(),
            joined_as: Acting::of(access.caller(), access.patient()),
            ends,
            offered: None,
            passed: Vec::new(),
            version: 0,
        }
    }

    fn from_item(item: Item) -> Result<Self, Fault> {
        let row = SealedRow::new(TABLE, item);
        let id = row.sk()?.strip_prefix(PLACE).ok_or(TORN)?;
        let json = row.string("json").ok_or(TORN)?;
        let stored: Stored = serde_json::from_str(json).map_err(|_| TORN)?;
        Ok(Self {
            id: id.parse().map_err(|_| TORN)?,
            patient: row.patient()?,
            wish: stored.wish,
            joined_at: stored.joined_at,
            joined_by: stored.joined_by,
            joined_as: stored.joined_as,
            ends: stored.ends,
            offered: stored.offered.map(StoredOffer::offered).transpose()?,
            passed: stored.passed,
            version: row.number("version").ok_or(TORN)?,
        })
    }

    /// What is offered to it at this moment.
    pub fn offer(&self, now: Timestamp) -> Option<&Offered> {
        self.offered.as_ref().filter(|one| one.held.lasts(now))
    }

    /// What was offered to it until a moment ago.
    pub fn lapsed(&self, now: Timestamp) -> Option<&HeldSlot> {
        let held = &self.offered.as_ref()?.held;
        (!held.lasts(now)).then_some(held)
    }

    /// Was this very time offered to it before?
    pub fn let_go(&self, slot: &OpenSlot) -> bool {
        let same = |practitioner, start| practitioner == slot.practitioner && start == slot.start;
        let offered = self.offered.as_ref();
        offered.is_some_and(|one| same(one.slot.practitioner, one.slot.start))
            || (self.passed.iter()).any(|one| same(one.practitioner, one.start))
    }

    /// Where it stands among all that wait.
    pub fn turn(&self) -> String {
        format!("{}#{}", sortable(self.joined_at), self.id)
    }

    /// The same with an offer, after those that were not taken.
    fn with(&self, offered: Offered) -> Self {
        let mut next = self.clone();
        if let Some(former) = next.offered.replace(offered) {
            next.passed.push(Passed {
                practitioner: former.slot.practitioner,
                start: former.slot.start,
            });
        }
        let over = next.passed.len().saturating_sub(PASSED);
        next.passed.drain(..over);
        next.version = next.version.saturating_add(1);
        next
    }

    fn put(&self, schedule: &Schedule) -> Result<PutBuilder, Fault> {
        let stored = Stored {
            wish: self.wish.clone(),
            joined_at: self.joined_at,
            joined_by: self.joined_by,
            joined_as: self.joined_as,
            ends: self.ends,
            offered: self.offered.as_ref().map(StoredOffer::new),
            passed: self.passed.clone(),
        };
        let json = serde_json::to_string(&stored)
            .map_err(|_| Fault::Defect("a place on the waitlist as JSON"))?;
        let sk = format!("{PLACE}{}", self.id);
        Ok(schedule
            .put(&patient_key(self.patient), &sk)
            .item("waits", s(OPEN))
            .item("turn", s(self.turn()))
            .item("version", n(self.version))
            .item("expires_at", n(forgotten(self.ends)))
            .item("json", s(json)))
    }

    fn place(&self) -> String {
        roster::place(self.id.uuid(), self.ends)
    }

    /// The writes that give the place up, as it was read.
    pub(super) fn leave(&self, schedule: &Schedule) -> Result<Vec<Write>, Fault> {
        let delete = Delete::builder()
            .table_name(&schedule.table)
            .key("pk", s(patient_key(self.patient)))
            .key("sk", s(format!("{PLACE}{}", self.id)))
            .condition_expression("version = :seen")
            .expression_attribute_values(":seen", n(self.version))
            .build()
            .map_err(|_| Fault::Defect("a delete"))?;
        let delete = Write {
            item: TransactWriteItem::builder().delete(delete).build(),
            conflict: Problem::changed_meanwhile(),
        };
        let roster = Kind::Waitlist.leave(schedule, self.patient, &self.place())?;
        Ok(vec![delete, roster])
    }
}

/// The waitlist.
pub struct Waitlist {
    pub schedule: Schedule,
}

impl Waitlist {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            schedule: Schedule::new(aws)?,
        })
    }

    /// How many places the patient has.
    pub async fn roster_of(&self, whose: &Unproven<PatientId>) -> Result<Roster, Fault> {
        Roster::read(&self.schedule, Kind::Waitlist, whose).await
    }

    /// One of the patient's places.
    pub async fn place(
        &self,
        whose: &Unproven<PatientId>,
        id: WaitlistId,
    ) -> Result<Option<Entry>, Fault> {
        let sk = format!("{PLACE}{id}");
        let item = self.schedule.get(whose.patient(), sk).await?;
        item.map(Entry::from_item).transpose()
    }

    /// The writes of a new place.
    pub fn join(
        &self,
        entry: &Entry,
        roster: &Roster,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let row = entry.put(&self.schedule)?;
        let row = row.condition_expression("attribute_not_exists(pk)");
        let full = Some((PLACES, too_many_places()));
        let place = entry.place();
        Ok(vec![
            committed(row, Problem::changed_meanwhile())?,
            roster.enter(&self.schedule, entry.patient, &place, full, now)?,
        ])
    }

    /// The writes that give a place up; what is offered to it goes to the next in turn.
    pub fn leave(
        &self,
        _: &Access<PatientId>,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let mut writes = entry.leave(&self.schedule)?;
        if let Some(Offered { held, .. }) = entry.offer(now) {
            let pk = practitioner_key(held.practitioner);
            for at in Quantum::all(held.busy.clone()) {
                let until = kept_until(now);
                let free = (self.schedule).keep_for_waitlist(&pk, at, held.id.uuid(), until);
                writes.push(free?);
            }
        }
        Ok(writes)
    }

    /// All who wait for a provider, in their turn, for those whom the policy lets see them.
    pub async fn all(&self, _: &Access<Practice>) -> Result<Vec<Entry>, Fault> {
        self.schedule.waiting().await
    }
}

impl Schedule {
    /// The patient's places that are not over, the first that was taken first.
    pub async fn waitlist_of(
        &self,
        whose: &Unproven<PatientId>,
        now: Timestamp,
    ) -> Result<Vec<Entry>, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND begins_with(sk, :place)")
            .expression_attribute_values(":pk", s(patient_key(whose.patient())))
            .expression_attribute_values(":place", s(PLACE))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let mut places = entries(answer.items.unwrap_or_default())?;
        places.retain(|place| now < place.ends);
        places.sort_by_key(Entry::turn);
        Ok(places)
    }

    /// Does anybody wait? Whoever frees a time keeps it for them then. The index is a moment late.
    pub async fn somebody_waits(&self) -> Result<bool, Fault> {
        let answer = self
            .turns()
            .limit(1)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(!answer.items().is_empty())
    }

    /// All places, in their turn.
    async fn waiting(&self) -> Result<Vec<Entry>, Fault> {
        let mut pages = self.turns().into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(item.map_err(|error| fault("DynamoDB", &error))?);
        }
        entries(items)
    }

    fn turns(&self) -> QueryFluentBuilder {
        self.client
            .query()
            .table_name(&self.table)
            .index_name(BY_TURN)
            .key_condition_expression("waits = :open")
            .expression_attribute_values(":open", s(OPEN))
    }
}

fn entries(items: Vec<Item>) -> Result<Vec<Entry>, Fault> {
    items.into_iter().map(Entry::from_item).collect()
}

/// What it takes to offer times to those who wait: their places, and of whoever is next in turn as much
/// as tells whether and how they are to hear of it.
pub struct Waiting {
    pub schedule: Schedule,
    patients: Patients,
    keys: DataKeys,
    practice: practice::Practice,
}

/// May whoever took a place hear of it still? A proxy may for as long as the grant lasts.
fn acts_still(entry: &Entry, context: &PatientContext, now: Timestamp) -> Result<bool, Fault> {
    if entry.joined_as == Acting::Patient {
        return Ok(true);
    }
    let account = AccountRow::new(entry.joined_by, Role::Patient);
    is_proxied(&account, entry.patient, context, now)
}

/// Who is next in turn.
pub struct NextInTurn {
    pub profile: Profile,
    /// Does whoever took the place act for the patient still?
    pub acts_still: bool,
}

impl Waiting {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            schedule: Schedule::new(aws)?,
            patients: Patients::new(aws)?,
            keys: DataKeys::new(aws.kms().clone(), aws.name(Resource::PhiKey)?),
            practice: aws.practice().clone(),
        })
    }

    /// All places, in their turn.
    pub async fn all(&self) -> Result<Vec<Entry>, Fault> {
        self.schedule.waiting().await
    }

    /// What is taken of whoever waits.
    pub async fn taken_of(&self, entry: &Entry, span: Range<Timestamp>) -> Result<Taken, Fault> {
        self.schedule.taken(patient_key(entry.patient), span).await
    }

    /// Whose place it is; none if they are not there any more.
    pub async fn whose(&self, entry: &Entry, now: Timestamp) -> Result<Option<NextInTurn>, Fault> {
        let patient = entry.patient;
        let context = self.patients.context(&Unproven::new(patient)).await?;
        let (true, Some(wrapped)) = (context.exists(), context.wrapped_key()) else {
            return Ok(None);
        };
        let mut opener = Opener {
            key: Some(self.keys.unwrap(patient, wrapped).await?),
            context,
            caller: None,
        };
        if let Some(age) = Profile::age(&opener, &self.practice, now)? {
            opener.context.set_age(age);
        }
        Ok(Some(NextInTurn {
            acts_still: acts_still(entry, &opener.context, now)?,
            profile: Profile::open(patient, &opener)?,
        }))
    }

    /// The writes of an offer. `from` are those who took the time for the waitlist until now.
    pub fn offer(
        &self,
        entry: &Entry,
        opening: Opening,
        from: &[Uuid],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let Opening { slot, busy } = opening;
        let held = HeldSlot {
            id: HoldId::new(Uuid::now_v7()),
            practitioner: slot.practitioner,
            appointment_type: slot.appointment_type.clone(),
            start: slot.start,
            busy: busy.clone(),
            until,
        };
        let (by, pk) = (held.id.uuid(), practitioner_key(held.practitioner));
        let row = entry
            .with(Offered { slot, held })
            .put(&self.schedule)?
            .condition_expression("version = :seen")
            .expression_attribute_values(":seen", n(entry.version));
        let mut writes = vec![committed(row, Problem::changed_meanwhile())?];
        let claim = Claim {
            pk,
            span: busy,
            by,
            from,
            until: Some(kept_until(until)),
        };
        let gone = Problem::changed_meanwhile();
        writes.extend(self.schedule.take(&claim, &gone, now)?);
        Ok(writes)
    }
}
