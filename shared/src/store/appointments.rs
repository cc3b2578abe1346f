//! The schedule table, a patient's side of it. `PATIENT#<id>` has `APPOINTMENT#<id>` rows, a row
//! `TAKEN#<time>` for each five minutes that they take of the patient, and `HOLD`, the one time that
//! is kept for them. The index `by-start` orders the appointments.
//!
//! Who takes five minutes of anybody is decided by the condition on one row, in the transaction of the
//! appointment or hold that takes them: whatever overlaps, one of the two is refused whole.

use super::roster::{self, Kind};
use super::schedule::{Claim, TABLE, Taken, committed, forgotten, practitioner_key};
use super::{
    AppointmentTie, Entry, Item, Roster, SEALED, Schedule, SealedRow, Write, b, n, patient_key,
    patients, s, sortable, string,
};
use crate::Fault;
use crate::access::{Access, AppointmentOf, Unproven};
use crate::api::appointments::{
    Acting, CancelReason, Particulars, Status, Transition, When, overlapping, sent_twice,
    too_many_appointments,
};
use crate::api::availability::Modality;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AppointmentId, HoldId, PatientId, PractitionerId};
use crate::phi::{Opener, Place};
use crate::slots::Quantum;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp};
use std::ops::Range;

const APPOINTMENT: &str = "APPOINTMENT#";
const HOLD: &str = "HOLD";
const BY_START: &str = "by-start";

/// How long the provider of an appointment looks after it: notes are written, a no-show is noted.
const AFTERWARDS: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The most ties that are over which a booking removes: a transaction has a hundred writes.
const SWEPT: usize = 3;

/// No appointment lasts longer: whoever looks for those that are not over looks so far back.
const LONGEST: SignedDuration = SignedDuration::from_hours(2);

/// An appointment, but for what is sealed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    pub id: AppointmentId,
    pub practitioner: PractitionerId,
    pub appointment_type: String,
    pub modality: Modality,
    pub start: Timestamp,
    pub end: Timestamp,
    /// What it takes of its provider.
    pub busy: Range<Quantum>,
    pub time_zone: String,
    pub status: Status,
    /// Counts moves and the cancellation.
    pub sequence: u64,
    /// Counts every change.
    pub version: u64,
    pub transitions: Vec<Transition>,
}

pub(super) const TORN: Fault = Fault::Corrupt("an appointment");

impl Booked {
    /// Reads a stored appointment.
    pub fn from_row(row: &SealedRow) -> Result<Self, Fault> {
        let id = row.sk()?.strip_prefix(APPOINTMENT).ok_or(TORN)?;
        let quantum = |name| -> Result<Quantum, Fault> {
            let at = row.parsed(name)?.and_then(Quantum::starting);
            at.ok_or(TORN)
        };
        let transitions = row
            .item
            .get("transitions")
            .and_then(|list| list.as_l().ok());
        let transitions = transitions.ok_or(TORN)?.iter().map(|one| {
            let one = one.as_m().ok().and_then(transition);
            one.ok_or(TORN)
        });
        Ok(Self {
            id: id.parse().map_err(|_| TORN)?,
            practitioner: row.parsed("practitioner")?.ok_or(TORN)?,
            appointment_type: row.string("type").ok_or(TORN)?.to_owned(),
            modality: row.parsed("modality")?.ok_or(TORN)?,
            start: row.parsed("start")?.ok_or(TORN)?,
            end: row.parsed("end")?.ok_or(TORN)?,
            busy: quantum("busy_from")?..quantum("busy_to")?,
            time_zone: row.string("time_zone").ok_or(TORN)?.to_owned(),
            status: row.parsed("status")?.ok_or(TORN)?,
            sequence: row.number("sequence").ok_or(TORN)?,
            version: row.number("version").ok_or(TORN)?,
            transitions: transitions.collect::<Result<_, _>>()?,
        })
    }

    /// What it takes of its patient.
    fn lasts(&self) -> Range<Quantum> {
        Quantum::from(self.start)..Quantum::from(self.end)
    }

    /// The next step.
    pub fn step(
        mut self,
        status: Status,
        by: &crate::access::Caller,
        patient: PatientId,
        reason: Option<CancelReason>,
        now: Timestamp,
    ) -> Self {
        self.status = status;
        self.version = self.version.saturating_add(1);
        self.transitions.push(Transition {
            status,
            at: now,
            by: by.row.account,
            acting: Acting::of(by, patient),
            reason,
        });
        self
    }

    /// Its place among the patient's appointments to come.
    fn place(&self) -> String {
        roster::place(self.id.uuid(), self.end)
    }

    fn tie(&self) -> Result<AppointmentTie, Fault> {
        let until = self.end.checked_add(AFTERWARDS);
        Ok(AppointmentTie {
            appointment: self.id,
            practitioner: self.practitioner,
            until: until.map_err(|_| Fault::Defect("a week from then"))?,
        })
    }
}

fn transition(item: &Item) -> Option<Transition> {
    Some(Transition {
        status: string(item, "status")?.parse().ok()?,
        at: string(item, "at")?.parse().ok()?,
        by: string(item, "by")?.parse().ok()?,
        acting: string(item, "acting")?.parse().ok()?,
        reason: match string(item, "reason") {
            Some(reason) => Some(reason.parse().ok()?),
            None => None,
        },
    })
}

fn written(transition: &Transition) -> AttributeValue {
    let mut item = Item::from([
        ("status".to_owned(), s(transition.status.as_str())),
        ("at".to_owned(), s(transition.at.to_string())),
        ("by".to_owned(), s(transition.by.to_string())),
        ("acting".to_owned(), s(transition.acting.as_str())),
    ]);
    if let Some(reason) = transition.reason {
        item.insert("reason".to_owned(), s(reason.as_str()));
    }
    AttributeValue::M(item)
}

/// A time that is kept for a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldSlot {
    pub id: HoldId,
    pub practitioner: PractitionerId,
    pub appointment_type: String,
    pub start: Timestamp,
    /// What it takes of the provider.
    pub busy: Range<Quantum>,
    pub until: Timestamp,
}

impl HeldSlot {
    pub fn lasts(&self, now: Timestamp) -> bool {
        now < self.until
    }

    /// Is it for this very time?
    pub fn is_for(
        &self,
        practitioner: PractitionerId,
        appointment_type: &str,
        busy: &Range<Quantum>,
    ) -> bool {
        self.practitioner == practitioner
            && self.appointment_type == appointment_type
            && self.busy == *busy
    }
}

fn hold(item: &Item) -> Result<HeldSlot, Fault> {
    let row = SealedRow::new(TABLE, item.clone());
    let quantum = |name| -> Result<Quantum, Fault> {
        let at = row.parsed(name)?.and_then(Quantum::starting);
        at.ok_or(TORN)
    };
    let until = row
        .number("held_until")
        .and_then(|at| i64::try_from(at).ok());
    Ok(HeldSlot {
        id: row.parsed("hold_id")?.ok_or(TORN)?,
        practitioner: row.parsed("practitioner")?.ok_or(TORN)?,
        appointment_type: row.string("type").ok_or(TORN)?.to_owned(),
        start: row.parsed("start")?.ok_or(TORN)?,
        busy: quantum("busy_from")?..quantum("busy_to")?,
        until: until
            .and_then(|at| Timestamp::from_second(at).ok())
            .ok_or(TORN)?,
    })
}

/// A page of a patient's appointments.
pub struct AppointmentsPage {
    pub rows: Vec<SealedRow>,
    /// After what the next page starts.
    pub next: Option<String>,
}

/// The sort key of the appointment behind `<start>#<id>`.
pub(super) fn key_of(starts: &str) -> Result<String, Fault> {
    let (_, id) = starts
        .split_once('#')
        .ok_or(Fault::Defect("a cursor of appointments"))?;
    Ok(format!("{APPOINTMENT}{id}"))
}

/// The day in UTC on which an appointment begins.
pub(super) fn day_of(start: Timestamp) -> String {
    start.strftime("%Y-%m-%d").to_string()
}

/// An appointment as it is to be stored.
#[derive(Clone, Copy)]
pub struct NewState<'a> {
    pub booked: &'a Booked,
    pub particulars: &'a Particulars,
}

/// A time that is kept for the patient: by a hold of theirs, or by an offer of the waitlist's.
#[derive(Clone, Copy)]
pub enum Kept<'a> {
    Hold(&'a HeldSlot),
    Offer(&'a Entry, &'a HeldSlot),
}

impl<'a> Kept<'a> {
    /// What is kept for a patient at this moment.
    pub fn all(hold: Option<&'a HeldSlot>, waitlist: &'a [Entry], now: Timestamp) -> Vec<Self> {
        let holds = hold.filter(|hold| hold.lasts(now)).map(Self::Hold);
        let offers = waitlist.iter().filter_map(|entry| {
            let offer = entry.offer(now)?;
            Some(Self::Offer(entry, &offer.held))
        });
        holds.into_iter().chain(offers).collect()
    }

    pub const fn slot(self) -> &'a HeldSlot {
        match self {
            Self::Hold(slot) | Self::Offer(_, slot) => slot,
        }
    }
}

/// How time is taken for it.
#[derive(Clone, Copy)]
pub struct Taking<'a> {
    /// What is kept for the patient, if it is this very time.
    pub kept: Option<Kept<'a>>,
    /// What whoever comes second is answered.
    pub gone: &'a Problem,
    /// The appointments that the patient has.
    pub roster: &'a Roster,
    /// How many they may have, if there is an end to it.
    pub most: Option<usize>,
    pub now: Timestamp,
}

/// The appointments of patients, in the schedule table, and what they permit, in the patients table.
pub struct Appointments {
    pub schedule: Schedule,
    patients: String,
}

impl Appointments {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            schedule: Schedule::new(aws)?,
            patients: aws.name(Resource::PatientsTable)?,
        })
    }

    pub async fn appointment(
        &self,
        whose: &Unproven<AppointmentOf>,
    ) -> Result<Option<SealedRow>, Fault> {
        self.booked(&whose.whose(), whose.appointment()).await
    }

    /// An appointment by the id that a booking gets.
    pub async fn booked(
        &self,
        whose: &Unproven<PatientId>,
        id: AppointmentId,
    ) -> Result<Option<SealedRow>, Fault> {
        let sk = format!("{APPOINTMENT}{id}");
        let item = self.schedule.get(whose.patient(), sk).await?;
        Ok(item.map(|item| SealedRow::new(TABLE, item)))
    }

    /// The patient's hold, over or not.
    pub async fn hold_of(&self, whose: &Unproven<PatientId>) -> Result<Option<HeldSlot>, Fault> {
        let item = self.schedule.get(whose.patient(), HOLD.to_owned()).await?;
        item.as_ref().map(hold).transpose()
    }

    /// How many appointments the patient has.
    pub async fn roster_of(&self, whose: &Unproven<PatientId>) -> Result<Roster, Fault> {
        Roster::read(&self.schedule, Kind::Appointments, whose).await
    }

    /// The appointments that are to take place, the next one first.
    pub async fn next(
        &self,
        whose: &Unproven<PatientId>,
        now: Timestamp,
    ) -> Result<Vec<SealedRow>, Fault> {
        let answer = self
            .schedule
            .client
            .query()
            .table_name(&self.schedule.table)
            .index_name(BY_START)
            .key_condition_expression("pk = :pk AND starts >= :now")
            .filter_expression("#status IN (:scheduled, :confirmed)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":pk", s(patient_key(whose.patient())))
            .expression_attribute_values(":now", s(sortable(now)))
            .expression_attribute_values(":scheduled", s(Status::Scheduled.as_str()))
            .expression_attribute_values(":confirmed", s(Status::Confirmed.as_str()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let rows = answer.items.unwrap_or_default().into_iter();
        Ok(rows.map(|item| SealedRow::new(TABLE, item)).collect())
    }

    /// What is taken of the patient in a span.
    pub async fn taken_of(
        &self,
        whose: &Unproven<PatientId>,
        span: Range<Timestamp>,
    ) -> Result<Taken, Fault> {
        let pk = patient_key(whose.patient());
        self.schedule.taken(pk, span).await
    }

    /// A patient's appointments that begin at an instant or after it, the first one first.
    pub(super) async fn since(
        &self,
        whose: &Unproven<PatientId>,
        from: Timestamp,
    ) -> Result<Vec<Booked>, Fault> {
        let mut pages = self
            .schedule
            .client
            .query()
            .table_name(&self.schedule.table)
            .index_name(BY_START)
            .key_condition_expression("pk = :pk AND starts >= :from")
            .expression_attribute_values(":pk", s(patient_key(whose.patient())))
            .expression_attribute_values(":from", s(sortable(from)))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut appointments = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| fault("DynamoDB", &error))?;
            appointments.push(Booked::from_row(&SealedRow::new(TABLE, item))?);
        }
        Ok(appointments)
    }

    /// A patient's appointments, those that are not over or those that are.
    pub async fn list(
        &self,
        whose: &Unproven<PatientId>,
        when: When,
        after: Option<&str>,
        limit: u8,
        now: Timestamp,
    ) -> Result<AppointmentsPage, Fault> {
        let pk = patient_key(whose.patient());
        let mut query = self
            .schedule
            .client
            .query()
            .table_name(&self.schedule.table)
            .index_name(BY_START)
            .expression_attribute_values(":pk", s(&pk))
            .consistent_read(true)
            .limit(i32::from(limit));
        query = match when {
            When::Upcoming => {
                let from = now.checked_sub(LONGEST).unwrap_or(now);
                query
                    .key_condition_expression("pk = :pk AND starts >= :from")
                    .expression_attribute_values(":from", s(sortable(from)))
            }
            When::Past => query
                .key_condition_expression("pk = :pk AND starts < :now")
                .expression_attribute_values(":now", s(sortable(now)))
                .scan_index_forward(false),
        };
        if let Some(after) = after {
            query = query
                .exclusive_start_key("pk", s(&pk))
                .exclusive_start_key("starts", s(after))
                .exclusive_start_key("sk", s(key_of(after)?));
        }
        let answer = query
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let next = answer.last_evaluated_key.as_ref();
        let next = next
            .and_then(|key| string(key, "starts"))
            .map(str::to_owned);
        let mut rows = Vec::new();
        for item in answer.items.unwrap_or_default() {
            let row = SealedRow::new(TABLE, item);
            let end: Timestamp = row.parsed("end")?.ok_or(TORN)?;
            if (now < end) == (when == When::Upcoming) {
                rows.push(row);
            }
        }
        Ok(AppointmentsPage { rows, next })
    }

    /// All appointments of a patient, whatever became of them.
    pub(super) async fn everything(&self, patient: PatientId) -> Result<Vec<SealedRow>, Fault> {
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let answer = self
                .schedule
                .client
                .query()
                .table_name(&self.schedule.table)
                .key_condition_expression("pk = :pk AND begins_with(sk, :appointments)")
                .expression_attribute_values(":pk", s(patient_key(patient)))
                .expression_attribute_values(":appointments", s(APPOINTMENT))
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| fault("DynamoDB", &error))?;
            let items = answer.items.unwrap_or_default().into_iter();
            rows.extend(items.map(|item| SealedRow::new(TABLE, item)));
            start = answer.last_evaluated_key;
            if start.is_none() {
                return Ok(rows);
            }
        }
    }

    /// The writes of a hold. The patient's former one goes with it. `gone` answers whoever comes
    /// second.
    pub fn hold(
        &self,
        access: &Access<PatientId>,
        hold: &HeldSlot,
        former: Option<&HeldSlot>,
        gone: &Problem,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let pk = patient_key(access.patient());
        let row = self
            .schedule
            .put(&pk, HOLD)
            .item("hold_id", s(hold.id.to_string()))
            .item("practitioner", s(hold.practitioner.to_string()))
            .item("type", s(&hold.appointment_type))
            .item("start", s(hold.start.to_string()))
            .item("busy_from", s(hold.busy.start.start().to_string()))
            .item("busy_to", s(hold.busy.end.start().to_string()))
            .item("held_until", n(hold.until.as_second()))
            .item("expires_at", n(forgotten(hold.until)));
        let row = match former {
            Some(former) => row
                .condition_expression("hold_id = :former")
                .expression_attribute_values(":former", s(former.id.to_string())),
            None => row.condition_expression("attribute_not_exists(pk)"),
        };
        let mut writes = vec![committed(row, Problem::changed_meanwhile())?];
        let from: Vec<_> = former.iter().map(|former| former.id.uuid()).collect();
        let claim = Claim {
            pk: practitioner_key(hold.practitioner),
            span: hold.busy.clone(),
            by: hold.id.uuid(),
            from: &from,
            until: Some(hold.until),
        };
        writes.extend(self.schedule.take(&claim, gone, now)?);
        // What a hold that is over took may be somebody else's by now.
        if let Some(former) = former.filter(|former| former.lasts(now)) {
            let same = former.practitioner == hold.practitioner;
            let pk = practitioner_key(former.practitioner);
            let left =
                Quantum::all(former.busy.clone()).filter(|at| !(same && hold.busy.contains(at)));
            for at in left {
                writes.push(self.schedule.free(&pk, at, former.id.uuid())?);
            }
        }
        Ok(writes)
    }

    /// The writes of a new appointment, which takes up the patient's hold if there is one for it.
    pub fn book(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        new: NewState<'_>,
        taking: Taking<'_>,
    ) -> Result<Vec<Write>, Fault> {
        let patient = access.patient();
        let row = self
            .row(patient, opener, new)?
            .condition_expression("attribute_not_exists(pk)");
        let mut writes = vec![committed(row, sent_twice())?];
        writes.extend(self.claim(patient, new.booked, taking)?);
        writes.extend(self.tie(patient, opener, &new.booked.tie()?, taking.now)?);
        let Taking {
            roster, most, now, ..
        } = taking;
        let full = most.map(|most| (most, too_many_appointments()));
        let place = new.booked.place();
        writes.push(roster.enter(&self.schedule, patient, &place, full, now)?);
        Ok(writes)
    }

    /// The writes of an appointment that moves: what it took and takes no longer is freed, or kept for
    /// the waitlist until then.
    pub fn reschedule(
        &self,
        access: &Access<AppointmentOf>,
        opener: &Opener,
        former: &Booked,
        new: NewState<'_>,
        taking: Taking<'_>,
        waitlist: Option<Timestamp>,
    ) -> Result<Vec<Write>, Fault> {
        let patient = access.patient();
        let mut writes = vec![self.change(patient, opener, former, new)?];
        writes.extend(self.claim(patient, new.booked, taking)?);
        writes.extend(self.release(patient, former, Some(new.booked), waitlist)?);
        writes.extend(self.tie(patient, opener, &new.booked.tie()?, taking.now)?);
        let (before, after) = (former.place(), new.booked.place());
        let Taking { roster, now, .. } = taking;
        writes.push(roster.exchange(&self.schedule, patient, &before, &after, now)?);
        Ok(writes)
    }

    /// The writes of a cancellation: all that the appointment took is free, or of the provider's kept
    /// for the waitlist until then.
    pub fn cancel(
        &self,
        access: &Access<AppointmentOf>,
        opener: &Opener,
        former: &Booked,
        new: NewState<'_>,
        waitlist: Option<Timestamp>,
    ) -> Result<Vec<Write>, Fault> {
        let patient = access.patient();
        let mut writes = vec![self.change(patient, opener, former, new)?];
        writes.extend(self.release(patient, former, None, waitlist)?);
        writes.push(self.untie(patient, former.id)?);
        let roster = Kind::Appointments;
        writes.push(roster.leave(&self.schedule, patient, &former.place())?);
        Ok(writes)
    }

    /// The write of a step that takes and frees no time.
    pub fn mark(
        &self,
        access: &Access<AppointmentOf>,
        opener: &Opener,
        former: &Booked,
        new: NewState<'_>,
    ) -> Result<Vec<Write>, Fault> {
        let write = self.change(access.patient(), opener, former, new)?;
        Ok(vec![write])
    }

    /// The changed row. Its version says that it is as it was read, its status included.
    fn change(
        &self,
        patient: PatientId,
        opener: &Opener,
        former: &Booked,
        new: NewState<'_>,
    ) -> Result<Write, Fault> {
        let row = self
            .row(patient, opener, new)?
            .condition_expression("version = :seen")
            .expression_attribute_values(":seen", n(former.version));
        committed(row, Problem::changed_meanwhile())
    }

    fn row(
        &self,
        patient: PatientId,
        opener: &Opener,
        NewState {
            booked,
            particulars,
        }: NewState<'_>,
    ) -> Result<PutBuilder, Fault> {
        let (pk, sk) = (patient_key(patient), format!("{APPOINTMENT}{}", booked.id));
        let place = Place {
            table: TABLE,
            pk: &pk,
            sk: &sk,
            attribute: SEALED,
        };
        let sealed =
            serde_json::to_vec(particulars).map_err(|_| Fault::Defect("an appointment as JSON"))?;
        let transitions = booked.transitions.iter().map(written).collect();
        let starts = format!("{}#{}", sortable(booked.start), booked.id);
        let row = self.schedule.put(&pk, &sk);
        // What still takes place stands in the index of its day, for those who remind of it.
        let row = if booked.status.is_open() {
            row.item("day", s(day_of(booked.start)))
        } else {
            row
        };
        Ok(row
            .item("practitioner", s(booked.practitioner.to_string()))
            .item("starts", s(starts))
            .item("type", s(&booked.appointment_type))
            .item("modality", s(booked.modality.as_str()))
            .item("start", s(booked.start.to_string()))
            .item("end", s(booked.end.to_string()))
            .item("busy_from", s(booked.busy.start.start().to_string()))
            .item("busy_to", s(booked.busy.end.start().to_string()))
            .item("time_zone", s(&booked.time_zone))
            .item("status", s(booked.status.as_str()))
            .item("sequence", n(booked.sequence))
            .item("version", n(booked.version))
            .item("transitions", AttributeValue::L(transitions))
            .item(SEALED, b(opener.seal(&place, &sealed)?)))
    }

    /// Takes what an appointment takes of provider and patient, and takes up what kept it.
    fn claim(
        &self,
        patient: PatientId,
        booked: &Booked,
        Taking {
            kept, gone, now, ..
        }: Taking<'_>,
    ) -> Result<Vec<Write>, Fault> {
        let by = booked.id.uuid();
        let mut from = vec![by];
        from.extend(kept.map(|kept| kept.slot().id.uuid()));
        let provider = Claim {
            pk: practitioner_key(booked.practitioner),
            span: booked.busy.clone(),
            by,
            from: &from,
            until: None,
        };
        let of_patient = Claim {
            pk: patient_key(patient),
            span: booked.lasts(),
            by,
            from: &from,
            until: None,
        };
        let mut writes = self.schedule.take(&provider, gone, now)?;
        writes.extend(self.schedule.take(&of_patient, &overlapping(), now)?);
        if let Some(Kept::Offer(entry, _)) = kept {
            writes.extend(entry.leave(&self.schedule)?);
        }
        if let Some(Kept::Hold(hold)) = kept {
            let delete = Delete::builder()
                .table_name(&self.schedule.table)
                .key("pk", s(patient_key(patient)))
                .key("sk", s(HOLD))
                .condition_expression("hold_id = :hold")
                .expression_attribute_values(":hold", s(hold.id.to_string()))
                .build()
                .map_err(|_| Fault::Defect("a delete"))?;
            writes.push(Write {
                item: TransactWriteItem::builder().delete(delete).build(),
                conflict: Problem::changed_meanwhile(),
            });
        }
        Ok(writes)
    }

    /// Frees what an appointment took, but for what it takes now.
    fn release(
        &self,
        patient: PatientId,
        former: &Booked,
        now: Option<&Booked>,
        waitlist: Option<Timestamp>,
    ) -> Result<Vec<Write>, Fault> {
        let by = former.id.uuid();
        let (provider, patient) = (practitioner_key(former.practitioner), patient_key(patient));
        let kept_of_provider = |at: &Quantum| now.is_some_and(|now| now.busy.contains(at));
        let kept_of_patient = |at: &Quantum| now.is_some_and(|now| now.lasts().contains(at));
        let of_provider = Quantum::all(former.busy.clone())
            .filter(|at| !kept_of_provider(at))
            .map(|at| match waitlist {
                Some(until) => self.schedule.keep_for_waitlist(&provider, at, by, until),
                None => self.schedule.free(&provider, at, by),
            });
        let of_patient = Quantum::all(former.lasts())
            .filter(|at| !kept_of_patient(at))
            .map(|at| self.schedule.free(&patient, at, by));
        of_provider.chain(of_patient).collect()
    }

    /// Lets the provider look after the appointment; those of others that are over go.
    fn tie(
        &self,
        patient: PatientId,
        opener: &Opener,
        tie: &AppointmentTie,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let put = Put::builder()
            .table_name(&self.patients)
            .item("pk", s(patient_key(patient)))
            .item("sk", s(tie_key(tie.appointment)))
            .item("practitioner", s(tie.practitioner.to_string()))
            .item("until", s(tie.until.to_string()));
        let mut writes = vec![committed(put, Problem::changed_meanwhile())?];
        let over = opener.context().appointments().iter();
        let over = over.filter(|other| other.until <= now && other.appointment != tie.appointment);
        for other in over.take(SWEPT) {
            writes.push(self.untie(patient, other.appointment)?);
        }
        Ok(writes)
    }

    fn untie(&self, patient: PatientId, appointment: AppointmentId) -> Result<Write, Fault> {
        let delete = Delete::builder()
            .table_name(&self.patients)
            .key("pk", s(patient_key(patient)))
            .key("sk", s(tie_key(appointment)))
            .build()
            .map_err(|_| Fault::Defect("a delete"))?;
        Ok(Write {
            item: TransactWriteItem::builder().delete(delete).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }
}

fn tie_key(appointment: AppointmentId) -> String {
    format!("{}{appointment}", patients::APPOINTMENT)
}

#[cfg(test)]
mod tests {
    use crate::api::availability::AppointmentType;
    use serde_json::json;

    /// The most writes of a transaction (DynamoDB TransactWriteItems).
    const MOST: usize = 100;

    /// The longest appointment moves far: its quanta are freed and taken, of provider and patient;
    /// beside them the row, an offer with its place, the tie, those that are swept, the place among
    /// the appointments, and the audit record.
    #[test]
    fn the_longest_move_fits_a_transaction() {
        let json = json!({
            "code": "long", "name": "Long", "minutes": 110, "modality": "in-person",
        });
        let kind: AppointmentType = serde_json::from_value(json).unwrap();
        let quanta = usize::from(kind.minutes.get() / 5);
        assert!(4 * quanta + 6 + super::SWEPT <= MOST);
    }
}
