//! The schedule table, a provider's side of it. `PRACTITIONER#<id>` has their `AVAILABILITY` and a row
//! `TAKEN#<time>` for each five minutes that an appointment or a hold takes of them; `PROVIDERS` lists
//! those who can be booked. The index `by-practitioner` has the appointments themselves, by start.

use super::{Item, SealedRow, Write, n, number, patient_key, s, sortable, string};
use crate::Fault;
use crate::access::{Access, Practice};
use crate::api::availability::{AppointmentType, Availability, Provider};
use crate::api::open_slots::OpenSlot;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{PatientId, PractitionerId};
use crate::slots::{Quantum, Timetable};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{Delete, Put, TransactWriteItem};
use jiff::{SignedDuration, Timestamp, ToSpan};
use std::collections::BTreeMap;
use std::ops::Range;
use uuid::Uuid;

pub(crate) const TABLE: &str = "schedule";
const AVAILABILITY: &str = "AVAILABILITY";
const PROVIDERS: &str = "PROVIDERS";
const TAKEN: &str = "TAKEN#";
const BY_PRACTITIONER: &str = "by-practitioner";

/// What an appointment can take of a provider's time lies so near to its start.
const REACH: SignedDuration = SignedDuration::from_hours(2);

/// A provider's availability as it is stored.
#[derive(Debug, Clone)]
pub struct StoredAvailability {
    pub version: u64,
    pub availability: Availability,
    /// The provider's name as the directory had it when they set their availability.
    pub name: Option<String>,
}

/// Which of somebody's quanta are taken.
pub struct Taken(BTreeMap<Quantum, Taker>);

/// Who takes a quantum: an appointment, or a hold for as long as it lasts.
struct Taker {
    by: Uuid,
    until: Option<i64>,
}

impl Taken {
    /// Is none of a span taken by anybody but these? A hold that is over takes nothing.
    pub fn is_free(&self, span: Range<Quantum>, but: &[Uuid], now: Timestamp) -> bool {
        let lasts = |taker: &Taker| taker.until.is_none_or(|until| now.as_second() < until);
        let mut taken = self.0.range(span);
        !taken.any(|(_, taker)| lasts(taker) && !but.contains(&taker.by))
    }

    /// Takes a span as well, in what is known of it here.
    pub fn take(&mut self, span: Range<Quantum>, by: Uuid) {
        let taken = Quantum::all(span).map(|at| (at, Taker { by, until: None }));
        self.0.extend(taken);
    }
}

/// What a provider can be booked for, with what was taken of it around a span.
pub struct Offer {
    pub practitioner: PractitionerId,
    pub stored: StoredAvailability,
    timetable: Timetable,
    taken: Taken,
}

impl Offer {
    fn new(
        practitioner: PractitionerId,
        stored: StoredAvailability,
        taken: Taken,
    ) -> Result<Self, Fault> {
        Ok(Self {
            practitioner,
            timetable: stored.availability.timetable()?,
            stored,
            taken,
        })
    }

    /// The slot of a type that begins with a quantum, if that is within the hours, the notice and
    /// the horizon. Whether it is free is another question.
    pub fn slot(&self, kind: &AppointmentType, start: Quantum, now: Timestamp) -> Option<OpenSlot> {
        let rules = &self.stored.availability;
        let notice = SignedDuration::from_mins(rules.minimum_notice_minutes.get().into());
        let horizon = (24 * i64::from(rules.horizon_days.get())).hours();
        let bookable = now.saturating_add(notice).ok()?..=now.saturating_add(horizon).ok()?;
        if !bookable.contains(&start.start()) {
            return None;
        }
        let hours = self
            .timetable
            .offers(kind.code.as_str(), &kind.length(), start)?;
        Some(OpenSlot {
            practitioner: self.practitioner,
            appointment_type: kind.code.as_str().to_owned(),
            modality: kind.modality,
            start: start.start(),
            end: kind.length().lasts(start).end.start(),
            time_zone: rules.time_zone.as_str().to_owned(),
            location: hours.location.clone(),
        })
    }

    /// The minute of the day that the provider's clock shows at an instant.
    pub fn minute(&self, at: Timestamp) -> u16 {
        self.timetable.minute(at)
    }

    /// Somebody takes a span meanwhile.
    pub fn take(&mut self, span: Range<Quantum>, by: Uuid) {
        self.taken.take(span, by);
    }

    /// Does nobody but these take what an appointment of a type would take of the provider?
    pub fn is_free(
        &self,
        kind: &AppointmentType,
        start: Quantum,
        but: &[Uuid],
        now: Timestamp,
    ) -> bool {
        self.taken.is_free(kind.length().takes(start), but, now)
    }

    /// The slots of a type that begin within a span and are free.
    pub fn open<'a>(
        &'a self,
        kind: &'a AppointmentType,
        span: Range<Timestamp>,
        now: Timestamp,
    ) -> impl Iterator<Item = OpenSlot> + 'a {
        let starts = Quantum::all(Quantum::from(span.start)..Quantum::from(span.end));
        starts
            .filter(move |start| self.is_free(kind, *start, &[], now))
            .filter_map(move |start| self.slot(kind, start, now))
    }
}

/// The schedule table.
pub struct Schedule {
    pub(super) client: Client,
    pub(super) table: String,
}

/// A page of those who can be booked.
pub struct ProvidersPage {
    pub providers: Vec<Provider>,
    /// After what the next page starts.
    pub next: Option<String>,
}

/// A page of a provider's appointments.
pub struct SchedulePage {
    pub appointments: Vec<SealedRow>,
    pub next: Option<String>,
}

impl Schedule {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::ScheduleTable)?,
        })
    }

    pub async fn availability(
        &self,
        practitioner: PractitionerId,
    ) -> Result<Option<StoredAvailability>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(practitioner_key(practitioner)))
            .key("sk", s(AVAILABILITY))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        answer.item.as_ref().map(stored).transpose()
    }

    /// What a provider can be booked for, as far as a span is concerned; none if they take no
    /// appointments.
    pub async fn offer(
        &self,
        practitioner: PractitionerId,
        span: Range<Timestamp>,
    ) -> Result<Option<Offer>, Fault> {
        let (stored, taken) = tokio::try_join!(
            self.availability(practitioner),
            self.taken(practitioner_key(practitioner), span),
        )?;
        stored
            .map(|stored| Offer::new(practitioner, stored, taken))
            .transpose()
    }

    /// The quanta of a partition that are taken, in a span and near it.
    pub(super) async fn taken(&self, pk: String, span: Range<Timestamp>) -> Result<Taken, Fault> {
        let from = span.start.checked_sub(REACH).unwrap_or(Timestamp::MIN);
        let to = span.end.checked_add(REACH).unwrap_or(Timestamp::MAX);
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :from AND :to")
            .expression_attribute_values(":pk", s(pk))
            .expression_attribute_values(":from", s(taken_key(Quantum::from(from))))
            .expression_attribute_values(":to", s(taken_key(Quantum::from(to))))
            .consistent_read(true)
            .into_paginator()
            .items()
            .send();
        let mut taken = BTreeMap::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| fault("DynamoDB", &error))?;
            let (quantum, taker) = taker(&item).ok_or(Fault::Corrupt("a taken quantum"))?;
            taken.insert(quantum, taker);
        }
        Ok(Taken(taken))
    }

    /// Those who can be booked, by specialty.
    pub async fn providers(
        &self,
        specialty: Option<&str>,
        after: Option<&str>,
        limit: u8,
    ) -> Result<ProvidersPage, Fault> {
        let beginning = specialty.map(|code| format!("{code}#")).unwrap_or_default();
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .expression_attribute_values(":pk", s(PROVIDERS))
            .limit(i32::from(limit));
        query = if beginning.is_empty() {
            query.key_condition_expression("pk = :pk")
        } else {
            query
                .key_condition_expression("pk = :pk AND begins_with(sk, :beginning)")
                .expression_attribute_values(":beginning", s(beginning))
        };
        if let Some(after) = after {
            query = query
                .exclusive_start_key("pk", s(PROVIDERS))
                .exclusive_start_key("sk", s(after));
        }
        let answer = query
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let providers = answer.items().iter().map(|item| {
            let json = string(item, "json").and_then(|json| serde_json::from_str(json).ok());
            json.ok_or(Fault::Corrupt("a provider"))
        });
        let next = answer.last_evaluated_key.as_ref();
        Ok(ProvidersPage {
            providers: providers.collect::<Result<_, _>>()?,
            next: next.and_then(|key| string(key, "sk")).map(str::to_owned),
        })
    }

    /// The appointments of a provider's that begin in a span, by their start. The index is a moment
    /// late.
    pub async fn appointments_of(
        &self,
        _: &Access<Practice>,
        practitioner: PractitionerId,
        span: Range<Timestamp>,
        after: Option<&str>,
        limit: u8,
    ) -> Result<SchedulePage, Fault> {
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name(BY_PRACTITIONER)
            .key_condition_expression(
                "practitioner = :practitioner AND starts BETWEEN :from AND :to",
            )
            .expression_attribute_values(":practitioner", s(practitioner.to_string()))
            .expression_attribute_values(":from", s(sortable(span.start)))
            .expression_attribute_values(":to", s(sortable(span.end)))
            .limit(i32::from(limit));
        if let Some(after) = after {
            let (pk, starts) = after
                .split_once(' ')
                .ok_or(Fault::Defect("a cursor of a schedule"))?;
            query = query
                .exclusive_start_key("practitioner", s(practitioner.to_string()))
                .exclusive_start_key("starts", s(starts))
                .exclusive_start_key("pk", s(pk))
                .exclusive_start_key("sk", s(super::appointments::key_of(starts)?));
        }
        let answer = query
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let next = answer.last_evaluated_key.as_ref().map(|key| {
            let part = |name| string(key, name).ok_or(Fault::Corrupt("a key of an appointment"));
            Ok::<_, Fault>(format!("{} {}", part("pk")?, part("starts")?))
        });
        let rows = answer.items.unwrap_or_default().into_iter();
        Ok(SchedulePage {
            next: next.transpose()?,
            appointments: rows.map(|item| SealedRow::new(TABLE, item)).collect(),
        })
    }

    /// The writes of an availability: the rules, and what the list of providers says of them. Nothing
    /// happens if the version is no longer the one that the caller read.
    pub fn set_availability(
        &self,
        access: &Access<Practice>,
        former: Option<&StoredAvailability>,
        provider: &Provider,
        availability: &Availability,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        const JSON: Fault = Fault::Defect("an availability as JSON");
        let practitioner = provider.practitioner;
        let version = former.map_or(0, |former| former.version);
        let rules = self
            .put(&practitioner_key(practitioner), AVAILABILITY)
            .item("version", n(version.saturating_add(1)))
            .item("changed_at", s(now.to_string()))
            .item("changed_by", s(access.account().to_string()))
            .item(
                "json",
                s(serde_json::to_string(availability).map_err(|_| JSON)?),
            );
        let rules = match &provider.name {
            Some(name) => rules.item("name", s(name)),
            None => rules,
        };
        let rules = if version == 0 {
            rules.condition_expression("attribute_not_exists(pk)")
        } else {
            rules
                .condition_expression("version = :seen")
                .expression_attribute_values(":seen", n(version))
        };
        let key = |specialty: &str| format!("{specialty}#{practitioner}");
        let listed = self.put(PROVIDERS, &key(&provider.specialty)).item(
            "json",
            s(serde_json::to_string(provider).map_err(|_| JSON)?),
        );
        let mut writes = vec![
            committed(rules, Problem::changed_meanwhile())?,
            committed(listed, Problem::changed_meanwhile())?,
        ];
        let specialty = former.map(|former| former.availability.specialty.as_str());
        if let Some(specialty) = specialty.filter(|specialty| *specialty != provider.specialty) {
            let delete = Delete::builder()
                .table_name(&self.table)
                .key("pk", s(PROVIDERS))
                .key("sk", s(key(specialty)));
            let delete = delete.build().map_err(|_| Fault::Defect("a delete"))?;
            writes.push(Write {
                item: TransactWriteItem::builder().delete(delete).build(),
                conflict: Problem::changed_meanwhile(),
            });
        }
        Ok(writes)
    }

    pub(super) fn put(&self, pk: &str, sk: &str) -> PutBuilder {
        Put::builder()
            .table_name(&self.table)
            .item("pk", s(pk))
            .item("sk", s(sk))
    }

    /// A row of a patient's.
    pub(super) async fn get(&self, patient: PatientId, sk: String) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(patient_key(patient)))
            .key("sk", s(sk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(answer.item)
    }

    /// Takes quanta that are free, or taken by those from whom they may be taken over.
    pub(super) fn take(
        &self,
        claim: &Claim<'_>,
        gone: &Problem,
        now: Timestamp,
    ) -> Result<Vec<Write>, Fault> {
        let writes = Quantum::all(claim.span.clone()).map(|at| {
            let mut put = self
                .put(&claim.pk, &taken_key(at))
                .item("taken_by", s(claim.by.to_string()))
                .item(
                    "expires_at",
                    n(forgotten(claim.until.unwrap_or(at.start()))),
                )
                .expression_attribute_values(":now", n(now.as_second()));
            if let Some(until) = claim.until {
                put = put.item("held_until", n(until.as_second()));
            }
            let mut condition = "attribute_not_exists(pk) OR held_until <= :now".to_owned();
            for (which, from) in claim.from.iter().enumerate() {
                condition.push_str(&format!(" OR taken_by = :from{which}"));
                put = put.expression_attribute_values(format!(":from{which}"), s(from.to_string()));
            }
            committed(put.condition_expression(condition), gone.clone())
        });
        writes.collect()
    }

    /// Frees a quantum that this one takes, or that was forgotten.
    pub(super) fn free(&self, pk: &str, at: Quantum, by: Uuid) -> Result<Write, Fault> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(taken_key(at)))
            .condition_expression(OWN)
            .expression_attribute_values(":by", s(by.to_string()))
            .build()
            .map_err(|_| Fault::Defect("a delete"))?;
        Ok(Write {
            item: TransactWriteItem::builder().delete(delete).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    /// Frees it for those who wait, and for everybody else some minutes later.
    pub(super) fn keep_for_waitlist(
        &self,
        pk: &str,
        at: Quantum,
        by: Uuid,
        until: Timestamp,
    ) -> Result<Write, Fault> {
        let put = self
            .put(pk, &taken_key(at))
            .item("taken_by", s(FOR_WAITLIST.to_string()))
            .item("held_until", n(until.as_second()))
            .item("expires_at", n(forgotten(until)))
            .condition_expression(OWN)
            .expression_attribute_values(":by", s(by.to_string()));
        committed(put, Problem::changed_meanwhile())
    }
}

/// It is this one's, or was forgotten.
const OWN: &str = "attribute_not_exists(pk) OR taken_by = :by";

/// Takes what was freed and is to be offered to those who wait first.
pub const FOR_WAITLIST: Uuid = Uuid::from_u128(0x51b1_0c5e_7a1f_4d0e_8f5c_0d5b_9e6a_2c41);

/// What an appointment, a hold or an offer takes, and of whom.
pub(super) struct Claim<'a> {
    pub pk: String,
    pub span: Range<Quantum>,
    pub by: Uuid,
    /// From whom it may be taken over.
    pub from: &'a [Uuid],
    /// When a hold or an offer is over.
    pub until: Option<Timestamp>,
}

/// How long what is taken is kept after its time.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);

/// When DynamoDB forgets a row, in seconds.
pub(super) fn forgotten(after: Timestamp) -> i64 {
    after.as_second() + FORGOTTEN.as_secs()
}

pub(super) fn committed(put: PutBuilder, conflict: Problem) -> Result<Write, Fault> {
    let put = put.build().map_err(|_| Fault::Defect("a put"))?;
    Ok(Write {
        item: TransactWriteItem::builder().put(put).build(),
        conflict,
    })
}

pub(super) fn practitioner_key(practitioner: PractitionerId) -> String {
    format!("PRACTITIONER#{practitioner}")
}

pub(super) fn taken_key(at: Quantum) -> String {
    format!("{TAKEN}{}", sortable(at.start()))
}

fn taker(item: &Item) -> Option<(Quantum, Taker)> {
    let at = string(item, "sk")?.strip_prefix(TAKEN)?.parse().ok()?;
    let until = number(item, "held_until").and_then(|until| i64::try_from(until).ok());
    let taker = Taker {
        by: string(item, "taken_by")?.parse().ok()?,
        until,
    };
    Some((Quantum::starting(at)?, taker))
}

fn stored(item: &Item) -> Result<StoredAvailability, Fault> {
    const TORN: Fault = Fault::Corrupt("an availability");
    let json = string(item, "json").ok_or(TORN)?;
    Ok(StoredAvailability {
        version: number(item, "version").ok_or(TORN)?,
        availability: serde_json::from_str(json).map_err(|_| TORN)?,
        name: string(item, "name").map(str::to_owned),
    })
}
