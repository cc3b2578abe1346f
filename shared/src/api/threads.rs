//! Threads of messages between a patient and the practice. The portal keeps who wrote when, to whom
//! and in which order; what was written it cannot read (docs/MESSAGES.md).

use super::bytes::{Bytes, Digest};
use super::codes::codes;
use super::message_keys::Party;
use super::page::{Limit, Page};
use super::text::Line;
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::{Decision, Policies, Practice, Principal, Role};
use crate::aws::Capability::{
    ReadAccounts, ReadInbox, ReadMessageKeys, ReadMessages, ReadPatients, WriteAudit, WriteMessages,
};
use crate::http::{Object, Problem, Request};
use crate::ids::{AccountId, PatientId, PractitionerId, ThreadId};
use crate::practice::Reply;
use crate::store::{AccountRow, PatientContext};
use ::http::StatusCode;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The largest body of an operation that takes a message: a ciphertext of 64 KiB in base64url, and
/// what stands around it.
pub const MAX_BODY: usize = 112 * 1024;

/// The most ciphertext of a message, in bytes, with the header before it.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The most of a subject line, the same way.
pub const MAX_SUBJECT: usize = 2 * 1024;

/// How many wrapped keys a thread has at most.
pub const MOST_KEYS: usize = 60;

codes! {
    /// What a thread is about, so that the practice can tell them apart without reading them.
    Category {
        Question = "medical-question",
        Medication = "medication",
        TestResult = "test-result",
        Appointment = "appointment",
        Billing = "billing",
        Other = "other",
    }
}

codes! {
    /// May anybody write?
    State {
        Open = "open",
        Closed = "closed",
    }
}

/// The length of what stands before the ciphertext: version, thread, sender, counter, key id, salt.
const HEADER: usize = 1 + 16 + 16 + 8 + 32 + 32;
const TAG: usize = 16;

/// A sealed message as its sender's browser made it. The portal reads the header, which the
/// ciphertext's tag covers, and holds it to who sends it where.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "Bytes<121, MAX>")]
pub struct Envelope<const MAX: usize> {
    bytes: Bytes<121, MAX>,
    pub thread: ThreadId,
    pub sender: AccountId,
    /// Counts the sender's messages in the thread from 1; a subject line is 0.
    pub counter: u64,
    pub key_id: Digest,
}

impl<const MAX: usize> TryFrom<Bytes<121, MAX>> for Envelope<MAX> {
    type Error = &'static str;

    fn try_from(bytes: Bytes<121, MAX>) -> Result<Self, &'static str> {
        const MUST: &str = "must be a sealed message of version 1";
        const { assert!(HEADER + TAG == 121) };
        let take = |from: usize, length: usize| {
            let part = bytes.as_slice().get(from..from + length);
            part.ok_or(MUST)
        };
        if take(0, 1)? != [1] {
            return Err(MUST);
        }
        let uuid = |from| Uuid::from_slice(take(from, 16)?).map_err(|_| MUST);
        Ok(Self {
            thread: ThreadId::new(uuid(1)?),
            sender: AccountId::new(uuid(17)?),
            counter: take(33, 8)?
                .iter()
                .fold(0, |counter, byte| counter << 8 | u64::from(*byte)),
            key_id: Digest::new(take(41, 32)?.to_vec()).ok_or(MUST)?,
            bytes,
        })
    }
}

impl<const MAX: usize> Envelope<MAX> {
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// Holds the header to the thread that it is sent to.
    fn is_for(&self, pointer: &str, thread: ThreadId) -> Result<(), Problem> {
        if self.thread == thread {
            return Ok(());
        }
        Err(Problem::field(pointer, "must be sealed for this thread"))
    }

    /// Holds the header to who sends it.
    pub fn is_by(&self, pointer: &str, caller: AccountId) -> Result<(), Problem> {
        if self.sender == caller {
            return Ok(());
        }
        Err(Problem::field(pointer, "must be sealed by the caller"))
    }
}

/// The thread's key, wrapped to one key of one party (HPKE: 65 bytes encapsulated key, 48 bytes
/// ciphertext).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WrappedKey {
    pub party: Party,
    pub key_id: Digest,
    pub wrapped: Bytes<113, 113>,
}

/// One wrapped key or more, each for another key.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "Vec<Object<WrappedKey>>")]
pub struct WrappedKeys(pub Vec<WrappedKey>);

impl TryFrom<Vec<Object<WrappedKey>>> for WrappedKeys {
    type Error = &'static str;

    fn try_from(keys: Vec<Object<WrappedKey>>) -> Result<Self, &'static str> {
        let keys: Vec<_> = keys.into_iter().map(|Object(key)| key).collect();
        let mut ids: Vec<_> = keys.iter().map(|key| &key.key_id).collect();
        ids.sort_unstable();
        ids.dedup();
        if keys.is_empty() || keys.len() > 20 || ids.len() != keys.len() {
            return Err("must be 1 to 20 wrapped keys, each of another key_id");
        }
        Ok(Self(keys))
    }
}

/// A thread as one of its parties sees it.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Thread {
    pub id: ThreadId,
    pub patient: PatientId,
    pub category: Category,
    pub state: State,
    /// The practitioner who takes care of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned: Option<PractitionerId>,
    pub started_at: Timestamp,
    pub last_activity: Timestamp,
    /// The sequence of the last message.
    pub last: u64,
    /// Messages of others that the party has not marked read.
    pub unread: u64,
    /// The party left it out of its list, and nothing came since.
    pub hidden: bool,
    /// The last day on which it is certain to be there.
    pub kept_until: Date,
    /// The caller's last counter.
    pub counter: u64,
    /// Ciphertext.
    pub subject: Bytes<121, MAX_SUBJECT>,
    /// What the thread's key is held to.
    pub commitment: Digest,
    /// The thread's key for the caller's party; none if nobody has wrapped it yet.
    pub keys: Vec<WrappedKey>,
    /// Who has the thread's key.
    pub parties: Vec<Party>,
    /// Up to which sequence each party has read.
    pub receipts: Vec<Receipt>,
}

#[derive(Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Receipt {
    pub party: Party,
    pub through: u64,
    pub at: Timestamp,
}

/// A message as it is kept.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Message {
    pub sequence: u64,
    pub sender: AccountId,
    pub party: Party,
    pub sent_at: Timestamp,
    pub ciphertext: Bytes<121, MAX_MESSAGE>,
}

/// Begins a thread.
pub struct StartThread;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct NewThreadBody {
    thread: ThreadId,
    category: Category,
    subject: Envelope<MAX_SUBJECT>,
    message: Envelope<MAX_MESSAGE>,
    commitment: Digest,
    keys: WrappedKeys,
}

/// A thread, its first message, and the `Idempotency-Key` it was sent with.
pub struct NewThread {
    pub thread: ThreadId,
    pub category: Category,
    pub subject: Envelope<MAX_SUBJECT>,
    pub message: Envelope<MAX_MESSAGE>,
    pub commitment: Digest,
    pub keys: WrappedKeys,
    pub idempotency_key: Line<8, 64>,
}

/// Where the first message of a thread stands.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Started {
    #[serde(flatten)]
    pub sent: Sent,
    /// Until when not to expect an answer, and whom to call if it cannot wait.
    pub practice: Reply,
}

/// Where a message stands.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Sent {
    pub thread: ThreadId,
    pub sequence: u64,
    pub sent_at: Timestamp,
}

impl Operation for StartThread {
    const SPEC: &'static Spec = &Spec {
        id: "start-thread",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/threads",
            auth: Auth::Token,
        },
        action: "StartThread",
        audit: "thread.start",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadMessageKeys,
            ReadMessages,
            WriteMessages,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = NewThread;
    type Output = Started;

    const SUCCESS: StatusCode = StatusCode::CREATED;

    fn parse(request: &Request) -> Result<NewThread, Problem> {
        request.no_query()?;
        let idempotency_key = request.idempotency_key()?;
        let NewThreadBody {
            thread,
            category,
            subject,
            message,
            commitment,
            keys,
        } = request.body_within(MAX_BODY)?;
        subject.is_for("/subject", thread)?;
        message.is_for("/message", thread)?;
        if subject.counter != 0 {
            return Err(Problem::field("/subject", "must have the counter 0"));
        }
        if message.counter != 1 {
            return Err(Problem::field("/message", "must have the counter 1"));
        }
        Ok(NewThread {
            thread,
            category,
            subject,
            message,
            commitment,
            keys,
            idempotency_key,
        })
    }
}

/// A patient's threads, newest activity first.
pub struct ListThreads;

codes! {
    /// What becomes of threads that the caller's party has hidden.
    HiddenOnes {
        LeftOut = "left-out",
        Listed = "listed",
    }
}

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ListQuery {
    hidden: Option<HiddenOnes>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

/// Which threads.
pub struct Listing {
    pub hidden: HiddenOnes,
    pub page: Page,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Threads {
    /// For a banner above what is written.
    pub practice: Reply,
    pub threads: Vec<Thread>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

impl Operation for ListThreads {
    const SPEC: &'static Spec = &Spec {
        id: "list-threads",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/threads",
            auth: Auth::Token,
        },
        action: "ListThreads",
        audit: "thread.list",
        needs: &[ReadAccounts, ReadPatients, ReadMessages, WriteAudit],
    };
    type Subject = PatientId;
    type Input = Listing;
    type Output = Threads;

    fn parse(request: &Request) -> Result<Listing, Problem> {
        let query: ListQuery = request.query()?;
        Ok(Listing {
            hidden: query.hidden.unwrap_or(HiddenOnes::LeftOut),
            page: Page::of(request, Self::SPEC.id, query.limit, query.cursor)?,
        })
    }
}

/// The open threads that wait with the practice, of patients whom the caller treats.
pub struct ListInbox;

/// How many threads a page of the inbox looks at, at most.
pub const MOST_IN_INBOX: u8 = 50;

impl Operation for ListInbox {
    const SPEC: &'static Spec = &Spec {
        id: "list-inbox",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/inbox",
            auth: Auth::Token,
        },
        action: "ListInbox",
        audit: "thread.inbox",
        needs: &[
            ReadAccounts,
            ReadInbox,
            ReadPatients,
            ReadMessages,
            WriteAudit,
        ],
    };
    type Subject = Practice;
    type Input = Page<MOST_IN_INBOX>;
    type Output = Threads;

    fn parse(request: &Request) -> Result<Page<MOST_IN_INBOX>, Problem> {
        Page::parse(request, Self::SPEC)
    }
}

/// The messages of a thread, oldest first.
pub struct ReadThread;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Query {
    #[serde(default)]
    after: Sequence,
}

/// A sequence in a query.
#[derive(Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
struct Sequence(u64);

impl TryFrom<String> for Sequence {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.parse() {
            // `+5` and `05` are numbers too.
            Ok(sequence) if text == u64::to_string(&sequence) => Ok(Self(sequence)),
            _ => Err("must be the sequence of a message, or 0"),
        }
    }
}

/// Messages after a sequence.
pub struct After {
    pub thread: ThreadId,
    pub after: u64,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Conversation {
    pub thread: Thread,
    pub messages: Vec<Message>,
    /// There are more after these.
    pub more: bool,
}

impl Operation for ReadThread {
    const SPEC: &'static Spec = &Spec {
        id: "read-thread",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/threads/{thread}",
            auth: Auth::Token,
        },
        action: "ReadThread",
        audit: "thread.read",
        needs: &[ReadAccounts, ReadPatients, ReadMessages, WriteAudit],
    };
    type Subject = PatientId;
    type Input = After;
    type Output = Conversation;

    fn regarding(after: &After) -> Option<String> {
        Some(after.thread.to_string())
    }

    fn parse(request: &Request) -> Result<After, Problem> {
        let Query { after } = request.query()?;
        Ok(After {
            thread: request.path("thread")?,
            after: after.0,
        })
    }
}

/// Writes a message.
pub struct SendMessage;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct MessageBody {
    message: Envelope<MAX_MESSAGE>,
}

/// A message and the `Idempotency-Key` it was sent with.
pub struct NewMessage {
    pub thread: ThreadId,
    pub message: Envelope<MAX_MESSAGE>,
    pub idempotency_key: Line<8, 64>,
}

impl Operation for SendMessage {
    const SPEC: &'static Spec = &Spec {
        id: "send-message",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/threads/{thread}/messages",
            auth: Auth::Token,
        },
        action: "SendMessage",
        audit: "message.send",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadMessages,
            WriteMessages,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = NewMessage;
    type Output = Sent;

    const SUCCESS: StatusCode = StatusCode::CREATED;

    fn parse(request: &Request) -> Result<NewMessage, Problem> {
        request.no_query()?;
        let thread = request.path("thread")?;
        let idempotency_key = request.idempotency_key()?;
        let MessageBody { message } = request.body_within(MAX_BODY)?;
        message.is_for("/message", thread)?;
        if message.counter == 0 {
            return Err(Problem::field("/message", "must have a counter from 1 on"));
        }
        Ok(NewMessage {
            thread,
            message,
            idempotency_key,
        })
    }
}

/// Says that a party has read a thread up to a message.
pub struct MarkThreadRead;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct ReadBody {
    through: u64,
}

/// Up to which sequence the caller has read, or hides what there is.
pub struct Through {
    pub thread: ThreadId,
    pub through: u64,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Marked {
    pub thread: ThreadId,
    pub through: u64,
    pub unread: u64,
}

impl Operation for MarkThreadRead {
    const SPEC: &'static Spec = &Spec {
        id: "mark-thread-read",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/threads/{thread}/read",
            auth: Auth::Token,
        },
        action: "MarkThreadRead",
        audit: "thread.mark-read",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadMessages,
            WriteMessages,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Through;
    type Output = Marked;

    fn parse(request: &Request) -> Result<Through, Problem> {
        request.no_query()?;
        let ReadBody { through } = request.body()?;
        if through == 0 {
            return Err(Problem::field(
                "/through",
                "must be the sequence of a message",
            ));
        }
        Ok(Through {
            thread: request.path("thread")?,
            through,
        })
    }
}

/// Leaves a thread out of the list of the caller's party, as long as nothing comes after a message.
pub struct HideThread;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Hidden {
    pub thread: ThreadId,
    pub hidden: bool,
}

impl Operation for HideThread {
    const SPEC: &'static Spec = &Spec {
        id: "hide-thread",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/threads/{thread}/hide",
            auth: Auth::Token,
        },
        action: "HideThread",
        audit: "thread.hide",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadMessages,
            WriteMessages,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Through;
    type Output = Hidden;

    fn parse(request: &Request) -> Result<Through, Problem> {
        request.no_query()?;
        let ReadBody { through } = request.body()?;
        Ok(Through {
            thread: request.path("thread")?,
            through,
        })
    }
}

/// Gives a thread's key to another party, or to another key of a party.
pub struct ShareThread;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct SharedBody {
    keys: WrappedKeys,
}

/// The thread's key, wrapped by somebody who has it.
pub struct Shared {
    pub thread: ThreadId,
    pub keys: WrappedKeys,
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct SharedWith {
    pub thread: ThreadId,
    pub parties: Vec<Party>,
}

impl Operation for ShareThread {
    const SPEC: &'static Spec = &Spec {
        id: "share-thread",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/threads/{thread}/keys",
            auth: Auth::Token,
        },
        action: "ShareThread",
        audit: "thread.share",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadMessageKeys,
            ReadMessages,
            WriteMessages,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Shared;
    type Output = SharedWith;

    fn parse(request: &Request) -> Result<Shared, Problem> {
        request.no_query()?;
        let SharedBody { keys } = request.body()?;
        Ok(Shared {
            thread: request.path("thread")?,
            keys,
        })
    }
}

/// Ends a thread: it can be read, and nobody writes any more.
pub struct CloseThread;

/// How a thread stands after a change.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Standing {
    pub thread: ThreadId,
    pub state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned: Option<PractitionerId>,
}

impl Operation for CloseThread {
    const SPEC: &'static Spec = &Spec {
        id: "close-thread",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/threads/{thread}/close",
            auth: Auth::Token,
        },
        action: "CloseThread",
        audit: "thread.close",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadMessages,
            WriteMessages,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = ThreadId;
    type Output = Standing;

    fn parse(request: &Request) -> Result<ThreadId, Problem> {
        request.no_query()?;
        request.path("thread")
    }
}

/// Says who of the care team takes care of a thread.
pub struct AssignThread;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct AssignmentBody {
    practitioner: Option<PractitionerId>,
}

/// Whom a thread is for; nobody in particular if none.
pub struct Assignment {
    pub thread: ThreadId,
    pub practitioner: Option<PractitionerId>,
}

impl Operation for AssignThread {
    const SPEC: &'static Spec = &Spec {
        id: "assign-thread",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/threads/{thread}/assign",
            auth: Auth::Token,
        },
        action: "AssignThread",
        audit: "thread.assign",
        needs: &[
            ReadAccounts,
            ReadPatients,
            ReadMessages,
            WriteMessages,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = Assignment;
    type Output = Standing;

    fn parse(request: &Request) -> Result<Assignment, Problem> {
        request.no_query()?;
        let AssignmentBody { practitioner } = request.body()?;
        Ok(Assignment {
            thread: request.path("thread")?,
            practitioner,
        })
    }
}

/// Nobody writes into a closed thread.
pub const fn thread_closed() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "thread-closed",
        "This conversation is closed",
        "Start another one.",
    )
}

/// There is a thread of this id already.
pub const fn thread_taken() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "thread-taken",
        "There is a conversation with this id already",
        "Start it again with another id.",
    )
}

/// The sender's counter was used before.
pub const fn counter_used() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "counter-used",
        "A message with this counter was sent before",
        "Read the conversation again, and seal the message with the next counter.",
    )
}

/// An earlier message of the same sender is missing.
pub const fn counter_ahead() -> Problem {
    let mut problem = Problem::new(
        StatusCode::CONFLICT,
        "counter-ahead",
        "An earlier message has not arrived",
        "Send the messages before this one first, then this one again.",
    );
    problem.retry_after = Some(1);
    problem
}

/// A key is wrapped to somebody who takes no part, or not to somebody who does.
pub const fn wrong_parties() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "wrong-parties",
        "The conversation's key is not for these people",
        "Read the keys again: the practice, the patient and the sender must have it, and nobody else \
         than those listed there may.",
    )
}

/// A thread has as many wrapped keys as it may have.
pub const fn too_many_wrapped_keys() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "too-many-keys",
        "This conversation has too many keys",
        "Start another one.",
    )
}

/// Whom it is to be for does not treat the patient.
pub const fn not_on_care_team() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not-on-care-team",
        "This practitioner is not on the care team",
        "Choose somebody who treats the patient now.",
    )
}

/// The proxies who may read a patient's threads now, as the policy decides it.
pub fn proxies_with_messages(
    patient: PatientId,
    context: &PatientContext,
    now: Timestamp,
) -> Result<Vec<AccountId>, Fault> {
    let policies = Policies::load()?;
    let mut accounts = Vec::new();
    for proxy in context.proxies() {
        let account = AccountRow::new(proxy.account, Role::Patient);
        let principal = Principal::Account(&account);
        let action = ReadThread::SPEC.action;
        let decision = policies.decide(principal, action, &patient, context, now)?;
        if matches!(decision, Decision::Permit(_)) {
            accounts.push(proxy.account);
        }
    }
    Ok(accounts)
}

/// Holds wrapped keys to those who may read the patient's threads now: the patient, by the account
/// given, the practice, and proxies.
pub fn may_share(
    patient: PatientId,
    context: &PatientContext,
    account: Option<AccountId>,
    keys: &[WrappedKey],
    now: Timestamp,
) -> Result<(), Problem> {
    let proxies = proxies_with_messages(patient, context, now)?;
    let is_entitled = |key: &WrappedKey| match key.party {
        Party::Group(_) => true,
        Party::Account(one) => Some(one) == account || proxies.contains(&one),
    };
    if keys.iter().all(is_entitled) {
        Ok(())
    } else {
        Err(wrong_parties())
    }
}
