//! Threads in the messages table. `PATIENT#<id>` has a row `THREAD#<thread>` for each thread: its
//! state, its order and its wrapped keys; a local index orders them by their last activity, and the
//! index `inbox` those that wait with the practice. `THREAD#<patient>#<thread>` has the messages, and
//! what each `Idempotency-Key` made, and `READ#<party>` up to where a party has read. Nothing in it can
//! be read here.

use super::{
    Item, PatientContext, Patients, Write, b, bytes, n, number, patient_key, s, sortable, string,
};
use crate::Fault;
use crate::access::{Access, Caller, Practice, Unproven};
use crate::api::bytes::{Bytes, Digest};
use crate::api::message_keys::{Group, Party};
use crate::api::threads::{Category, Message, Receipt, State, Thread, WrappedKey};
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AccountId, PatientId, PractitionerId, ThreadId};
use crate::practice;
use aws_lc_rs::digest::{SHA256, digest};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::future::try_join_all;
use jiff::Timestamp;
use std::collections::BTreeMap;

const TORN: Fault = Fault::Corrupt("a thread's row");

/// Numbers by account or party.
type Counts = BTreeMap<String, u64>;

/// Up to where a party has read, and how many of those messages are its own.
#[derive(Clone)]
struct ReadUp {
    through: u64,
    own: u64,
    at: Timestamp,
}

/// A thread, without its messages.
#[derive(Clone)]
pub struct ThreadRow {
    pub patient: PatientId,
    pub id: ThreadId,
    pub category: Category,
    pub pool: Group,
    pub state: State,
    pub assigned: Option<PractitionerId>,
    pub started_at: Timestamp,
    pub active_at: Timestamp,
    pub subject: Vec<u8>,
    pub commitment: Digest,
    pub keys: Vec<WrappedKey>,
    /// The sequence of the last message.
    pub last: u64,
    /// Counts the changes of the row.
    version: u64,
    /// Each sender's last counter.
    counters: Counts,
    /// How many messages each party sent.
    sent: Counts,
    receipts: BTreeMap<String, ReadUp>,
    /// The message that was the last one when each party hid the thread.
    hidden: Counts,
}

/// What begins a thread.
pub struct Beginning {
    pub patient: PatientId,
    pub id: ThreadId,
    pub category: Category,
    pub subject: Vec<u8>,
    pub commitment: Digest,
    pub keys: Vec<WrappedKey>,
}

impl ThreadRow {
    pub fn begin(beginning: Beginning, now: Timestamp) -> Self {
        Self {
            patient: beginning.patient,
            id: beginning.id,
            category: beginning.category,
            pool: Group::Providers,
            state: State::Open,
            assigned: None,
            started_at: now,
            active_at: now,
            subject: beginning.subject,
            commitment: beginning.commitment,
            keys: beginning.keys,
            last: 0,
            version: 0,
            counters: Counts::new(),
            sent: Counts::new(),
            receipts: BTreeMap::new(),
            hidden: Counts::new(),
        }
    }

    /// A sender's last counter.
    pub fn counter(&self, account: AccountId) -> u64 {
        count(&self.counters, &account.to_string())
    }

    /// Is the thread's key wrapped to this key of the party?
    pub fn is_shared_with(&self, party: Party, key_id: &Digest) -> bool {
        let mut keys = self.keys.iter();
        keys.any(|key| key.party == party && key.key_id == *key_id)
    }

    /// What of others a party has not read. A message counts as read by its number, so what a party
    /// sent itself after what it read is taken off: both counts are of this row, at one moment.
    pub fn unread(&self, party: Party) -> u64 {
        let name = party.to_string();
        let (through, own) = self
            .receipts
            .get(&name)
            .map_or((0, 0), |receipt| (receipt.through, receipt.own));
        let since = self.last.saturating_sub(through);
        since.saturating_sub(count(&self.sent, &name).saturating_sub(own))
    }

    /// Up to where the party has read.
    pub fn read_through(&self, party: Party) -> u64 {
        let receipt = self.receipts.get(&party.to_string());
        receipt.map_or(0, |receipt| receipt.through)
    }

    /// Notes that a party has read up to a message, by which it had sent so many itself.
    pub fn mark_read(&mut self, party: Party, through: u64, own: u64, at: Timestamp) {
        let receipt = ReadUp { through, own, at };
        self.receipts.insert(party.to_string(), receipt);
    }

    /// The message up to which the party has hidden the thread; 0 if it has not.
    pub fn hidden_through(&self, party: Party) -> u64 {
        count(&self.hidden, &party.to_string())
    }

    /// Has the party hidden it, and nothing come since? Whatever comes shows it again, without a word
    /// of whoever sends it.
    pub fn is_hidden(&self, party: Party) -> bool {
        self.hidden_through(party) >= self.last
    }

    pub fn hide(&mut self, party: Party, through: u64) {
        self.hidden.insert(party.to_string(), through);
    }

    /// Who has the thread's key.
    pub fn parties(&self) -> Vec<Party> {
        let mut parties: Vec<Party> = Vec::new();
        for key in &self.keys {
            if !parties.contains(&key.party) {
                parties.push(key.party);
            }
        }
        parties
    }

    /// The thread as this caller may see it: of the keys, those of the caller's party.
    pub fn view(&self, caller: &Caller, practice: &practice::Practice) -> Result<Thread, Fault> {
        let party = Party::of(caller);
        let receipts = self.receipts.iter().map(|(name, receipt)| {
            Ok(Receipt {
                party: name.parse().map_err(|_| TORN)?,
                through: receipt.through,
                at: receipt.at,
            })
        });
        Ok(Thread {
            id: self.id,
            patient: self.patient,
            category: self.category,
            state: self.state,
            assigned: self.assigned,
            started_at: self.started_at,
            last_activity: self.active_at,
            last: self.last,
            unread: self.unread(party),
            hidden: self.is_hidden(party),
            kept_until: practice.kept_until(self.active_at),
            counter: self.counter(caller.row.account),
            subject: Bytes::new(self.subject.clone()).ok_or(TORN)?,
            commitment: self.commitment.clone(),
            keys: self
                .keys
                .iter()
                .filter(|key| key.party == party)
                .cloned()
                .collect(),
            parties: self.parties(),
            receipts: receipts.collect::<Result<_, Fault>>()?,
        })
    }

    fn from_item(item: &Item) -> Result<Self, Fault> {
        let id = |name, prefix| {
            let key = string(item, name).and_then(|key: &str| key.strip_prefix(prefix));
            key.ok_or(TORN)
        };
        let text = |name| string(item, name).ok_or(TORN);
        let keys = item.get("keys").and_then(|keys| keys.as_l().ok());
        let receipts = item.get("receipts").and_then(|map| map.as_m().ok());
        let receipts = receipts.ok_or(TORN)?.iter().map(|(party, fields)| {
            let fields = fields.as_m().map_err(|_| TORN)?;
            let receipt = ReadUp {
                through: number(fields, "through").ok_or(TORN)?,
                own: number(fields, "own").ok_or(TORN)?,
                at: string(fields, "at")
                    .and_then(|at| at.parse().ok())
                    .ok_or(TORN)?,
            };
            Ok((party.clone(), receipt))
        });
        Ok(Self {
            patient: id("pk", "PATIENT#")?.parse().map_err(|_| TORN)?,
            id: id("sk", "THREAD#")?.parse().map_err(|_| TORN)?,
            category: text("category")?.parse().map_err(|_| TORN)?,
            pool: text("pool")?.parse().map_err(|_| TORN)?,
            state: text("state")?.parse().map_err(|_| TORN)?,
            assigned: string(item, "assigned")
                .map(str::parse)
                .transpose()
                .map_err(|_| TORN)?,
            started_at: text("started_at")?.parse().map_err(|_| TORN)?,
            active_at: text("active_at")?.parse().map_err(|_| TORN)?,
            subject: bytes(item, "subject").ok_or(TORN)?.to_vec(),
            commitment: bytes(item, "commitment")
                .and_then(|bytes| Digest::new(bytes.to_vec()))
                .ok_or(TORN)?,
            keys: keys
                .ok_or(TORN)?
                .iter()
                .map(wrapped)
                .collect::<Result<_, _>>()?,
            last: number(item, "last").ok_or(TORN)?,
            version: number(item, "version").ok_or(TORN)?,
            counters: counts(item, "counters")?,
            sent: counts(item, "sent")?,
            receipts: receipts.collect::<Result<_, Fault>>()?,
            hidden: match item.get("hidden") {
                Some(_) => counts(item, "hidden")?,
                // Nobody hid it, in a row from before threads could be.
                None => Counts::new(),
            },
        })
    }

    fn put(&self) -> PutBuilder {
        let keys = self.keys.iter().map(|key| {
            AttributeValue::M(Item::from([
                ("party".to_owned(), s(key.party)),
                ("key_id".to_owned(), b(key.key_id.as_slice())),
                ("wrapped".to_owned(), b(key.wrapped.as_slice())),
            ]))
        });
        let receipts = self.receipts.iter().map(|(party, receipt)| {
            let fields = Item::from([
                ("through".to_owned(), n(receipt.through)),
                ("own".to_owned(), n(receipt.own)),
                ("at".to_owned(), s(receipt.at.to_string())),
            ]);
            (party.clone(), AttributeValue::M(fields))
        });
        let mut put = Put::builder()
            .item("pk", s(patient_key(self.patient)))
            .item("sk", s(format!("THREAD#{}", self.id)))
            .item("category", s(self.category.as_str()))
            .item("pool", s(self.pool.as_str()))
            .item("state", s(self.state.as_str()))
            .item("started_at", s(self.started_at.to_string()))
            .item("active_at", s(sortable(self.active_at)))
            .item("subject", b(self.subject.as_slice()))
            .item("commitment", b(self.commitment.as_slice()))
            .item("keys", AttributeValue::L(keys.collect()))
            .item("last", n(self.last))
            .item("version", n(self.version.saturating_add(1)))
            .item("counters", attribute(&self.counters))
            .item("sent", attribute(&self.sent))
            .item("receipts", AttributeValue::M(receipts.collect()))
            .item("hidden", attribute(&self.hidden));
        if let Some(practitioner) = self.assigned {
            put = put.item("assigned", s(practitioner.to_string()));
        }
        // What is closed waits with nobody.
        if self.state == State::Open {
            put = put.item("inbox", s(self.pool.as_str()));
        }
        if self.version == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("version = :seen")
                .expression_attribute_values(":seen", n(self.version))
        }
    }
}

fn wrapped(value: &AttributeValue) -> Result<WrappedKey, Fault> {
    let fields = value.as_m().map_err(|_| TORN)?;
    let part = |name| bytes(fields, name).map(<[u8]>::to_vec).ok_or(TORN);
    Ok(WrappedKey {
        party: string(fields, "party")
            .and_then(|party| party.parse().ok())
            .ok_or(TORN)?,
        key_id: Digest::new(part("key_id")?).ok_or(TORN)?,
        wrapped: Bytes::new(part("wrapped")?).ok_or(TORN)?,
    })
}

fn count(counts: &Counts, name: &str) -> u64 {
    counts.get(name).copied().unwrap_or(0)
}

fn counts(item: &Item, name: &str) -> Result<Counts, Fault> {
    let map = item.get(name).and_then(|map| map.as_m().ok());
    let map = map.ok_or(TORN)?.iter();
    map.map(|(name, value)| {
        let count = value.as_n().ok().and_then(|count| count.parse().ok());
        Ok((name.clone(), count.ok_or(TORN)?))
    })
    .collect()
}

fn attribute(counts: &Counts) -> AttributeValue {
    let counts = counts.iter();
    AttributeValue::M(
        counts
            .map(|(name, count)| (name.clone(), n(count)))
            .collect(),
    )
}

/// A message on its way into a thread.
pub struct Outgoing<'a> {
    pub ciphertext: &'a [u8],
    pub counter: u64,
    pub idempotency_key: &'a str,
    pub at: Timestamp,
}

/// What an `Idempotency-Key` made.
pub struct SentBefore {
    pub sequence: u64,
    pub at: Timestamp,
    digest: Vec<u8>,
}

impl SentBefore {
    /// Was it this very message?
    pub fn is(&self, ciphertext: &[u8]) -> bool {
        digest(&SHA256, ciphertext).as_ref() == self.digest
    }
}

/// A page of threads, and where the next one starts.
pub struct ThreadPage {
    pub threads: Vec<ThreadRow>,
    pub next: Option<String>,
}

/// The threads of patients.
pub struct Threads {
    client: Client,
    table: String,
}

impl Threads {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::MessagesTable)?,
        })
    }

    async fn item(&self, pk: String, sk: String) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(pk))
            .key("sk", s(sk))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(answer.item)
    }

    /// A thread as it is at this moment.
    pub async fn thread(
        &self,
        whose: &Unproven<PatientId>,
        thread: ThreadId,
    ) -> Result<Option<ThreadRow>, Fault> {
        let item = self.item(patient_key(whose.patient()), format!("THREAD#{thread}"));
        item.await?.as_ref().map(ThreadRow::from_item).transpose()
    }

    /// A patient's threads, newest activity first.
    pub async fn list(
        &self,
        whose: &Unproven<PatientId>,
        after: Option<&str>,
        limit: u8,
    ) -> Result<ThreadPage, Fault> {
        const CURSOR: Fault = Fault::Defect("a cursor of threads");
        let pk = patient_key(whose.patient());
        let mut query = self
            .client
            .query()
            .table_name(&self.table)
            .index_name("by-activity")
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", s(&pk))
            .scan_index_forward(false)
            .consistent_read(true)
            .limit(i32::from(limit));
        if let Some(after) = after {
            let (active_at, sk) = after.split_once(' ').ok_or(CURSOR)?;
            query = query
                .exclusive_start_key("pk", s(&pk))
                .exclusive_start_key("sk", s(sk))
                .exclusive_start_key("active_at", s(active_at));
        }
        let answer = query
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let next = answer.last_evaluated_key.as_ref().map(|key| {
            let active_at = string(key, "active_at").ok_or(TORN)?;
            Ok(format!("{active_at} {}", string(key, "sk").ok_or(TORN)?))
        });
        Ok(ThreadPage {
            next: next.transpose()?,
            threads: answer
                .items()
                .iter()
                .map(ThreadRow::from_item)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Messages after a sequence, oldest first. DynamoDB ends a page at 1 MB.
    pub async fn messages(
        &self,
        whose: &Unproven<PatientId>,
        thread: ThreadId,
        after: u64,
        limit: u8,
    ) -> Result<Vec<Message>, Fault> {
        let answer = self
            .client
            .query()
            .table_name(&self.table)
            .key_condition_expression("pk = :pk AND sk BETWEEN :first AND :last")
            .expression_attribute_values(":pk", s(partition(whose.patient(), thread)))
            .expression_attribute_values(":first", s(message_key(after.saturating_add(1))))
            .expression_attribute_values(":last", s(message_key(u64::MAX)))
            .consistent_read(true)
            .limit(i32::from(limit))
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        answer.items().iter().map(message).collect()
    }

    /// How many messages each party had sent by one of them; none if there is no such message.
    pub async fn sent_by(
        &self,
        whose: &Unproven<PatientId>,
        thread: ThreadId,
        sequence: u64,
    ) -> Result<Option<SentBy>, Fault> {
        let item = self.item(partition(whose.patient(), thread), message_key(sequence));
        let item = item.await?;
        let sent = item.map(|item| counts(&item, "sent")).transpose()?;
        Ok(sent.map(SentBy))
    }

    /// What an `Idempotency-Key` of the account's made in this thread.
    pub async fn sent_before(
        &self,
        whose: &Unproven<PatientId>,
        thread: ThreadId,
        account: AccountId,
        idempotency_key: &str,
    ) -> Result<Option<SentBefore>, Fault> {
        let item = self.item(
            partition(whose.patient(), thread),
            sent_key(account, idempotency_key),
        );
        let Some(item) = item.await? else {
            return Ok(None);
        };
        Ok(Some(SentBefore {
            sequence: number(&item, "sequence").ok_or(TORN)?,
            at: string(&item, "sent_at")
                .and_then(|at| at.parse().ok())
                .ok_or(TORN)?,
            digest: bytes(&item, "digest").ok_or(TORN)?.to_vec(),
        }))
    }

    /// The writes of a thread in which the caller's party has read on. Beside the thread stands that it
    /// did: the table's stream has keys alone, and whoever is told of it hears nothing else.
    pub fn read_on(
        &self,
        access: &Access<PatientId>,
        thread: &ThreadRow,
    ) -> Result<Vec<Write>, Fault> {
        let party = Party::of(access.caller());
        let note = Put::builder()
            .item("pk", s(partition(thread.patient, thread.id)))
            .item("sk", s(format!("READ#{party}")))
            .item("through", n(thread.read_through(party)));
        Ok(vec![
            self.change(access, thread)?,
            self.write(note, Problem::changed_meanwhile())?,
        ])
    }

    /// The write of a changed thread. Nothing happens if it changed meanwhile.
    pub fn change(&self, _: &Access<PatientId>, thread: &ThreadRow) -> Result<Write, Fault> {
        self.write(thread.put(), Problem::changed_meanwhile())
    }

    /// The writes of a message behind the last of a thread, and the sequence that it gets. Nothing
    /// happens if another one does meanwhile.
    pub fn append(
        &self,
        access: &Access<PatientId>,
        thread: &mut ThreadRow,
        outgoing: &Outgoing<'_>,
    ) -> Result<(u64, Vec<Write>), Fault> {
        let account = access.account();
        let party = Party::of(access.caller());
        thread.last = thread.last.saturating_add(1);
        thread.active_at = outgoing.at;
        thread
            .counters
            .insert(account.to_string(), outgoing.counter);
        *thread.sent.entry(party.to_string()).or_default() += 1;
        let sequence = thread.last;
        let pk = partition(thread.patient, thread.id);
        let message = Put::builder()
            .item("pk", s(&pk))
            .item("sk", s(message_key(sequence)))
            .item("sender", s(account.to_string()))
            .item("party", s(party))
            .item("sent_at", s(outgoing.at.to_string()))
            .item("ciphertext", b(outgoing.ciphertext))
            .item("sent", attribute(&thread.sent))
            .condition_expression("attribute_not_exists(pk)");
        let sent = Put::builder()
            .item("pk", s(&pk))
            .item("sk", s(sent_key(account, outgoing.idempotency_key)))
            .item("sequence", n(sequence))
            .item("sent_at", s(outgoing.at.to_string()))
            .item("digest", b(digest(&SHA256, outgoing.ciphertext).as_ref()))
            .condition_expression("attribute_not_exists(pk)");
        let puts = [thread.put(), message, sent].into_iter();
        let writes = puts.map(|put| self.write(put, Problem::changed_meanwhile()));
        Ok((sequence, writes.collect::<Result<_, _>>()?))
    }

    fn write(&self, put: PutBuilder, conflict: Problem) -> Result<Write, Fault> {
        let put = put.table_name(&self.table).build();
        let put = put.map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict,
        })
    }
}

/// How many messages each party had sent at some point of a thread.
pub struct SentBy(Counts);

impl SentBy {
    pub fn of(&self, party: Party) -> u64 {
        count(&self.0, &party.to_string())
    }
}

fn message(item: &Item) -> Result<Message, Fault> {
    const TORN: Fault = Fault::Corrupt("a message's row");
    let text = |name| string(item, name).ok_or(TORN);
    let sequence = text("sk")?.strip_prefix("MESSAGE#").ok_or(TORN)?;
    let ciphertext = bytes(item, "ciphertext").ok_or(TORN)?.to_vec();
    Ok(Message {
        sequence: sequence.parse().map_err(|_| TORN)?,
        sender: text("sender")?.parse().map_err(|_| TORN)?,
        party: text("party")?.parse().map_err(|_| TORN)?,
        sent_at: text("sent_at")?.parse().map_err(|_| TORN)?,
        ciphertext: Bytes::new(ciphertext).ok_or(TORN)?,
    })
}

/// The partition of a thread has the patient in it: a thread is found under its own patient alone.
fn partition(patient: PatientId, thread: ThreadId) -> String {
    format!("THREAD#{patient}#{thread}")
}

fn message_key(sequence: u64) -> String {
    format!("MESSAGE#{sequence:020}")
}

/// The key itself may say something: its digest does not.
fn sent_key(account: AccountId, idempotency_key: &str) -> String {
    let digest = digest(&SHA256, idempotency_key.as_bytes());
    format!("SENT#{account}#{}", URL_SAFE_NO_PAD.encode(digest.as_ref()))
}

/// The open threads that wait with the practice.
pub struct Inbox {
    threads: Threads,
    patients: Patients,
}

impl Inbox {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            threads: Threads::new(aws)?,
            patients: Patients::new(aws)?,
        })
    }

    /// Those threads of the pool whose patients the caller treats, newest activity first. So many
    /// threads are looked at as the limit says; of the others not more than their keys is read.
    pub async fn list(
        &self,
        _: &Access<Practice>,
        pool: Group,
        treats: impl Fn(&PatientContext) -> bool,
        after: Option<&str>,
        limit: u8,
    ) -> Result<ThreadPage, Fault> {
        const CURSOR: Fault = Fault::Defect("a cursor of the inbox");
        let mut query = self
            .threads
            .client
            .query()
            .table_name(&self.threads.table)
            .index_name("inbox")
            .key_condition_expression("inbox = :pool")
            .expression_attribute_values(":pool", s(pool.as_str()))
            .scan_index_forward(false)
            .limit(i32::from(limit));
        if let Some(after) = after {
            let mut parts = after.split(' ');
            let mut part = || parts.next().ok_or(CURSOR);
            query = query
                .exclusive_start_key("inbox", s(pool.as_str()))
                .exclusive_start_key("active_at", s(part()?))
                .exclusive_start_key("pk", s(part()?))
                .exclusive_start_key("sk", s(part()?));
        }
        let answer = query
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        let next = answer.last_evaluated_key.as_ref().map(|key| {
            let part = |name| string(key, name).ok_or(TORN);
            let (active_at, pk, sk) = (part("active_at")?, part("pk")?, part("sk")?);
            Ok::<_, Fault>(format!("{active_at} {pk} {sk}"))
        });
        let found = answer.items().iter().map(|item| {
            let part = |name, prefix| string(item, name).and_then(|key| key.strip_prefix(prefix));
            let patient = part("pk", "PATIENT#").and_then(|id| id.parse().ok());
            let thread = part("sk", "THREAD#").and_then(|id| id.parse().ok());
            patient.zip(thread).ok_or(TORN)
        });
        let found: Vec<(PatientId, ThreadId)> = found.collect::<Result<_, _>>()?;
        let mut patients: Vec<_> = found.iter().map(|(patient, _)| *patient).collect();
        patients.sort_unstable();
        patients.dedup();
        let contexts = patients.into_iter().map(async |patient| {
            let context = self.patients.context(&Unproven::new(patient)).await?;
            Ok::<_, Fault>((context.exists() && treats(&context)).then_some(patient))
        });
        let treated: Vec<_> = try_join_all(contexts).await?;
        let threads = found
            .into_iter()
            .filter(|(patient, _)| treated.contains(&Some(*patient)))
            .map(async |(patient, thread)| {
                self.threads.thread(&Unproven::new(patient), thread).await
            });
        let threads = try_join_all(threads).await?.into_iter().flatten();
        Ok(ThreadPage {
            threads: threads.collect(),
            next: next.transpose()?,
        })
    }
}
