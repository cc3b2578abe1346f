//! The pipeline: caller and account row, input, policy, handler, audit record, disclosure.
//!
//! There is no other way from a request to a response, and none round a step. A read starts while
//! the account row is still on its way; what it finds stays sealed until the policy has permitted
//! it and the audit record is written.

use super::{Problem, Request, Response};
use crate::access::{
    Access, By, Caller, Decision, Permitted, Policies, Principal, Role, Subject, Unproven,
};
use crate::api::break_glass::Reason;
use crate::api::channels::Ticket;
use crate::api::profile::Profile;
use crate::api::{Auth, Operation, Spec, Trigger};
use crate::audit::{Audit, Commit, Outcome, Record, Via, pause};
use crate::aws::{Aws, Capability};
use crate::ids::{AccountId, PatientId};
use crate::phi::{DataKey, DataKeys, Opener, Phi, Sealed};
use crate::practice::Practice;
use crate::serve::Service;
use crate::store::{AccountRow, Accounts, Basis, Channels, PatientContext, Patients, Write};
use crate::telemetry::{self, Line};
use crate::{Fault, Reason as FaultReason, aws};
use futures_util::FutureExt;
use futures_util::future::join_all;
use http::StatusCode;
use jiff::Timestamp;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use uuid::Uuid;

/// What is particular to an operation that only reads.
pub trait Read<Op: Operation>: Send + Sync + 'static {
    /// Fetches sealed rows and says how they become the answer.
    fn read(
        &self,
        whose: &Unproven<Op::Subject>,
        input: Op::Input,
    ) -> impl Future<Output = Result<Sealed<Op::Output>, Problem>> + Send;
}

/// What is particular to an operation that changes something.
pub trait Change<Op: Operation>: Send + Sync + 'static {
    /// Says which writes make the change, and what to answer. The writes are committed together
    /// with the audit record.
    fn change(
        &self,
        access: &Access<Op::Subject>,
        opener: &Opener,
        input: Op::Input,
    ) -> impl Future<Output = Result<Changed<Op::Output>, Problem>> + Send;
}

/// What is particular to a change of something that is there: what it goes by is fetched while the
/// account row is still on its way, as in a [`Read`].
pub trait Revise<Op: Operation>: Send + Sync + 'static {
    /// Sealed rows.
    type Found: Send;

    /// How often it is tried. Where others change the same rows at the same time, what was found may
    /// not be so any more when it is committed: then all is found and said anew, which is only for
    /// what does nothing but say. (The same transaction is sent again for everybody: see `Audit`.)
    const ATTEMPTS: u32 = 1;

    /// Fetches what the change goes by.
    fn find(
        &self,
        whose: &Unproven<Op::Subject>,
        input: &Op::Input,
    ) -> impl Future<Output = Result<Self::Found, Problem>> + Send;

    /// Says, like a [`Change`], which writes make the change.
    fn revise(
        &self,
        access: &Access<Op::Subject>,
        opener: &Opener,
        found: Self::Found,
        input: Op::Input,
    ) -> impl Future<Output = Result<Changed<Op::Output>, Problem>> + Send;
}

/// A change that goes by nothing but the caller and the patient's context.
struct Alone<H>(H);

impl<Op: Operation, H: Change<Op>> Revise<Op> for Alone<H> {
    type Found = ();

    async fn find(&self, _: &Unproven<Op::Subject>, _: &Op::Input) -> Result<(), Problem> {
        Ok(())
    }

    async fn revise(
        &self,
        access: &Access<Op::Subject>,
        opener: &Opener,
        (): (),
        input: Op::Input,
    ) -> Result<Changed<Op::Output>, Problem> {
        self.0.change(access, opener, input).await
    }
}

/// What a change comes to. The writes are committed together with the audit record.
pub struct Changed<T> {
    writes: Vec<Write>,
    answer: Result<Phi<T>, Problem>,
    about: Option<PatientId>,
    regarding: Option<String>,
    opened: Vec<PatientId>,
    grant: Option<Uuid>,
    emergency: Option<Reason>,
    on_behalf: Option<Behalf>,
    follow_up: Option<FollowUp<T>>,
    /// Nothing is committed: it may be otherwise soon.
    not_yet: bool,
}

/// An account that somebody acts for without its token.
struct Behalf {
    account: AccountId,
    role: Role,
    via: Via,
}

/// What is done once the change is committed, and what the answer becomes if it fails.
struct FollowUp<T> {
    work: Pin<Box<dyn Future<Output = Result<(), Fault>> + Send>>,
    if_it_fails: fn(T) -> T,
}

impl<T> Changed<T> {
    pub const fn done(writes: Vec<Write>, answer: Phi<T>) -> Self {
        Self {
            writes,
            answer: Ok(answer),
            about: None,
            regarding: None,
            opened: Vec::new(),
            grant: None,
            emergency: None,
            on_behalf: None,
            follow_up: None,
            not_yet: false,
        }
    }

    /// It is refused, and the refusal itself leaves something behind (a counted attempt).
    pub const fn refused(writes: Vec<Write>, problem: Problem) -> Self {
        Self {
            writes,
            answer: Err(problem),
            about: None,
            regarding: None,
            opened: Vec::new(),
            grant: None,
            emergency: None,
            on_behalf: None,
            follow_up: None,
            not_yet: false,
        }
    }

    /// Something that may be on its way has to come first. It is tried again, and the problem is the
    /// answer once that was often enough.
    pub fn not_yet(problem: Problem) -> Self {
        Self {
            not_yet: true,
            ..Self::refused(Vec::new(), problem)
        }
    }

    /// Whose data it turned out to be about, where the request does not name a patient.
    pub fn about(self, patient: Option<PatientId>) -> Self {
        Self {
            about: patient,
            ..self
        }
    }

    /// What else it is about: an id that tells nothing of it, for the audit record.
    pub fn regarding(self, resource: impl Into<String>) -> Self {
        Self {
            regarding: Some(resource.into()),
            ..self
        }
    }

    /// Whose records the answer shows parts of, beside what tells people apart: each has a record of
    /// it. A transaction has room for fifty.
    pub fn opening(self, patients: Vec<PatientId>) -> Self {
        Self {
            opened: patients,
            ..self
        }
    }

    /// The access that begins with it, which others rest on.
    pub fn granting(self, grant: Uuid) -> Self {
        Self {
            grant: Some(grant),
            ..self
        }
    }

    /// The emergency access that begins with it, and why.
    pub fn emergency(self, grant: Uuid, reason: Reason) -> Self {
        Self {
            emergency: Some(reason),
            ..self.granting(grant)
        }
    }

    /// For whom nobody signed in acts, as a calendar program does, and what permits it to them.
    pub fn on_behalf_of(self, account: &AccountRow, permitted: &Permitted) -> Self {
        Self {
            on_behalf: Some(Behalf {
                account: account.account,
                role: account.role,
                via: permitted.via(),
            }),
            ..self
        }
    }

    /// What to do in Cognito once the change is committed. The portal's own rows decide at every
    /// request, so the change stands even if this fails; the answer then says so, and
    /// reconcile-accounts makes up for it.
    pub fn follow_up(
        self,
        work: impl Future<Output = Result<(), Fault>> + Send + 'static,
        if_it_fails: fn(T) -> T,
    ) -> Self {
        Self {
            follow_up: Some(FollowUp {
                work: Box::pin(work),
                if_it_fails,
            }),
            ..self
        }
    }
}

/// A service that runs a reading operation.
pub fn reads<Op>(aws: &Aws, handler: impl Read<Op>) -> Result<Service, Fault>
where
    Op: Operation,
{
    let pipeline = Arc::new(Pipeline::new(aws, Op::SPEC)?);
    let handler = Arc::new(handler);
    Ok(Service::http(Arc::clone(&pipeline), move |request| {
        let (pipeline, handler) = (Arc::clone(&pipeline), Arc::clone(&handler));
        Box::pin(async move {
            let mut record = pipeline.record(&request);
            let work = read::<Op, _>(&pipeline, &*handler, &request, &mut record);
            let result = AssertUnwindSafe(work).catch_unwind().await;
            pipeline.finish::<Op>(&request, record, result).await
        })
    }))
}

/// A service that runs a changing operation.
pub fn changes<Op>(aws: &Aws, handler: impl Change<Op>) -> Result<Service, Fault>
where
    Op: Operation,
{
    revises::<Op>(aws, Alone(handler))
}

/// A service that runs an operation which changes what it found.
pub fn revises<Op>(aws: &Aws, handler: impl Revise<Op>) -> Result<Service, Fault>
where
    Op: Operation,
{
    let pipeline = Arc::new(Pipeline::new(aws, Op::SPEC)?);
    let handler = Arc::new(handler);
    Ok(Service::http(Arc::clone(&pipeline), move |request| {
        let (pipeline, handler) = (Arc::clone(&pipeline), Arc::clone(&handler));
        Box::pin(async move {
            let mut record = pipeline.record(&request);
            let work = change::<Op, _>(&pipeline, &*handler, &request, &mut record);
            let result = AssertUnwindSafe(work).catch_unwind().await;
            pipeline.finish::<Op>(&request, record, result).await
        })
    }))
}

/// An operation that did not end in a disclosure.
struct Refusal {
    problem: Box<Problem>,
    outcome: Outcome,
    /// Is it in the audit log already, or beyond recording?
    settled: bool,
}

impl Refusal {
    fn denied(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            outcome: Outcome::Denied,
            settled: false,
        }
    }

    fn invalid(problem: Problem) -> Self {
        Self {
            problem: Box::new(problem),
            outcome: Outcome::Invalid,
            settled: false,
        }
    }

    /// A problem that a handler or a store reports: ours if there is a fault behind it.
    fn judged(problem: Problem) -> Self {
        let outcome = match problem.status {
            _ if problem.fault.is_some() => Outcome::Failure,
            StatusCode::FORBIDDEN => Outcome::Denied,
            _ => Outcome::Invalid,
        };
        Self {
            problem: Box::new(problem),
            outcome,
            settled: false,
        }
    }

    /// The audit log did not take the record: nothing happens, nothing is shown, and there is no
    /// use in writing another.
    fn unrecorded(fault: Fault) -> Self {
        let problem = Problem {
            fault: Some(fault),
            ..Problem::unavailable()
        };
        Self {
            problem: Box::new(problem),
            outcome: Outcome::Failure,
            settled: true,
        }
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::judged(fault.into())
    }
}

/// Whom or what a request is about and what it says, noted as far as it is known.
fn wanted<Op: Operation>(
    request: &Request,
    record: &mut Record,
) -> (Result<Op::Subject, Problem>, Result<Op::Input, Problem>) {
    let named = Op::Subject::named(request);
    let input = Op::parse(request);
    record.patient = named.as_ref().ok().and_then(Subject::patient);
    record.resource = match (&named, &input) {
        (Ok(named), Ok(input)) => named.resource().or_else(|| Op::regarding(input)),
        (named, _) => named.as_ref().ok().and_then(Subject::resource),
    };
    (named, input)
}

async fn read<Op: Operation, H: Read<Op>>(
    pipeline: &Pipeline,
    handler: &H,
    request: &Request,
    record: &mut Record,
) -> Result<Op::Output, Refusal> {
    let (named, input) = wanted::<Op>(request, record);
    let (caller, found) = match (named, input) {
        (Ok(named), Ok(input)) => {
            let whose = Unproven::new(named.clone());
            let (caller, context, sealed) = tokio::join!(
                pipeline.caller(request),
                pipeline.context(&named),
                handler.read(&whose, input),
            );
            (caller, Ok((named, context, sealed)))
        }
        (Err(problem), _) | (_, Err(problem)) => (pipeline.caller(request).await, Err(problem)),
    };
    let caller = pipeline.admit(caller, record)?;
    let (subject, context, sealed) = found.map_err(Refusal::invalid)?;
    let context = pipeline.aged(&subject, caller.as_ref(), context?).await?;
    pipeline.permit::<Op>(&subject, caller.as_ref(), &context, record)?;
    let sealed = sealed.map_err(Refusal::judged)?;

    record.outcome = Outcome::Success;
    let (key, receipt, found) = tokio::join!(
        pipeline.unwrap(&subject, &context, sealed.keyed),
        pipeline.audit.write(record),
        sealed.found(),
    );
    let receipt = receipt.map_err(Refusal::unrecorded)?;
    let phi = found?.open(&Opener {
        key: key?,
        context,
        caller,
    })?;
    Ok(phi.disclose(&receipt))
}

async fn change<Op: Operation, H: Revise<Op>>(
    pipeline: &Pipeline,
    handler: &H,
    request: &Request,
    record: &mut Record,
) -> Result<Op::Output, Refusal> {
    let (named, input) = wanted::<Op>(request, record);
    let (caller, found) = match (named, input) {
        (Ok(named), Ok(input)) => {
            let whose = Unproven::new(named.clone());
            let (caller, context, found) = tokio::join!(
                pipeline.caller(request),
                pipeline.context(&named),
                handler.find(&whose, &input),
            );
            (caller, Ok((named, input, context, found)))
        }
        (Err(problem), _) | (_, Err(problem)) => (pipeline.caller(request).await, Err(problem)),
    };
    let caller = pipeline.admit(caller, record)?;
    let (subject, mut input, context, found) = found.map_err(Refusal::invalid)?;
    let context = pipeline.aged(&subject, caller.as_ref(), context?).await?;
    let permitted = pipeline.permit::<Op>(&subject, caller.as_ref(), &context, record)?;
    let by = <Op::Subject as Subject>::By::from_caller(caller.clone())
        .ok_or(Fault::Defect("a permission without a caller"))?;
    let key = pipeline
        .unwrap(&subject, &context, subject.patient().is_some())
        .await?;
    let mut found = found.map_err(Refusal::judged)?;
    let whose = Unproven::new(subject.clone());
    let access = Access::new(subject, by, &permitted);
    let opener = Opener {
        key,
        context,
        caller,
    };

    for attempt in 1.. {
        let last = attempt >= H::ATTEMPTS;
        let changed = handler
            .revise(&access, &opener, found, input)
            .await
            .map_err(Refusal::judged)?;
        match commit(pipeline, changed, record).await? {
            Ok(answer) => return Ok(answer),
            Err(conflict) if last => return Err(conflict),
            Err(_) => record.id = Uuid::now_v7(),
        }
        tokio::time::sleep(pause(attempt)).await;
        input = Op::parse(request).map_err(Refusal::invalid)?;
        found = handler
            .find(&whose, &input)
            .await
            .map_err(Refusal::judged)?;
    }
    Err(Fault::Defect("a change that never ends").into())
}

/// Commits a change with its record. The inner error may be none at another try.
async fn commit<T>(
    pipeline: &Pipeline,
    changed: Changed<T>,
    record: &mut Record,
) -> Result<Result<T, Refusal>, Refusal> {
    let Changed {
        writes,
        answer,
        about,
        regarding,
        opened,
        grant,
        emergency,
        on_behalf,
        follow_up,
        not_yet,
    } = changed;
    if let (true, Err(problem)) = (not_yet, &answer) {
        return Ok(Err(Refusal::invalid(problem.clone())));
    }
    record.patient = record.patient.or(about);
    record.resource = regarding.or_else(|| record.resource.take());
    record.grant = grant.or(record.grant);
    record.emergency = emergency.map(Reason::as_str);
    if let Some(Behalf { account, role, via }) = on_behalf {
        record.actor = Some(account);
        record.role = Some(role);
        record.via = Some(via);
    }
    record.outcome = if answer.is_ok() {
        Outcome::Success
    } else {
        Outcome::Denied
    };
    record.reason = answer.as_ref().err().map(|problem| problem.kind);
    // If the transaction was committed and only its answer lost, there are two records.
    let opened = opened.into_iter();
    let opened: Vec<_> = opened
        .map(|patient| record.about(patient, record.outcome))
        .collect();
    let commit = match pipeline.audit.commit(record, &opened, writes).await {
        Err(
            fault @ Fault::Unavailable {
                reason: FaultReason::Conflict,
                ..
            },
        ) => return Ok(Err(fault.into())),
        other => other?,
    };
    match (commit, answer) {
        (Commit::Done(receipt), Ok(answer)) => {
            let answer = answer.disclose(&receipt);
            let Some(FollowUp { work, if_it_fails }) = follow_up else {
                return Ok(Ok(answer));
            };
            match work.await {
                Ok(()) => Ok(Ok(answer)),
                Err(fault) => {
                    tracing::error!(request_id = %record.request_id, %fault, "a follow-up failed");
                    telemetry::count(pipeline.spec.id, "FollowUpsFailed");
                    Ok(Ok(if_it_fails(answer)))
                }
            }
        }
        (Commit::Done(_), Err(problem)) => Err(Refusal {
            settled: true,
            ..Refusal::denied(problem)
        }),
        (Commit::Conflict(problem), _) => Ok(Err(Refusal::invalid(problem))),
    }
}

/// What all operations share.
pub(crate) struct Pipeline {
    spec: &'static Spec,
    accounts: Option<Accounts>,
    /// Where the tickets are, of operations that take one in place of a token.
    channels: Option<Channels>,
    patients: Option<Patients>,
    keys: Option<DataKeys>,
    audit: Audit,
    practice: Practice,
}

impl Pipeline {
    fn new(aws: &Aws, spec: &'static Spec) -> Result<Self, Fault> {
        let needs = |capability| spec.needs.contains(&capability);
        let by_ticket = matches!(spec.trigger, Trigger::Socket { .. });
        let signed_in = by_ticket
            || matches!(
                spec.trigger,
                Trigger::Http {
                    auth: Auth::Token,
                    ..
                }
            );
        Ok(Self {
            spec,
            accounts: signed_in.then(|| Accounts::new(aws)).transpose()?,
            channels: by_ticket.then(|| Channels::new(aws)).transpose()?,
            patients: needs(Capability::ReadPatients)
                .then(|| Patients::new(aws))
                .transpose()?,
            keys: needs(Capability::UnwrapDataKeys)
                .then(|| {
                    let key = aws.name(aws::Resource::PhiKey)?;
                    Ok::<_, Fault>(DataKeys::new(aws.kms().clone(), key))
                })
                .transpose()?,
            audit: Audit::new(aws)?,
            practice: aws.practice().clone(),
        })
    }

    /// Opens connections to DynamoDB before the first request is there: one for each table that it
    /// will read, because it reads them at the same time.
    pub(crate) async fn prime(&self) {
        const READS: [Capability; 6] = [
            Capability::ReadAccounts,
            Capability::ReadPatients,
            Capability::ReadRecords,
            Capability::ReadAvailability,
            Capability::ReadAppointments,
            Capability::ReadMessages,
        ];
        if let Some(accounts) = &self.accounts {
            let tables = self.spec.needs.iter().filter(|need| READS.contains(need));
            join_all(tables.map(|_| accounts.prime())).await;
        }
    }

    fn record(&self, request: &Request) -> Record {
        let mut record = Record::begin(self.spec);
        record.source_ip.clone_from(&request.source_ip);
        record.user_agent.clone_from(&request.user_agent);
        record.request_id.clone_from(&request.request_id);
        record.actor = request.claims.as_ref().map(|claims| claims.account);
        record
    }

    /// The caller behind the token or the ticket; none for operations that take nobody's.
    async fn caller(&self, request: &Request) -> Result<Option<Caller>, Problem> {
        let Some(accounts) = &self.accounts else {
            return Ok(None);
        };
        let caller = if let Some(channels) = &self.channels {
            let ticket = Ticket::of(request)?;
            let (sign_in, row) = tokio::join!(
                channels.ticket(&ticket, Timestamp::now()),
                accounts.account(ticket.account()),
            );
            let (sign_in, row) = (sign_in?, row?);
            sign_in.and_then(|sign_in| Caller::by_sign_in(&sign_in, row))
        } else {
            let claims = request.claims.as_ref().ok_or(Problem::unauthenticated())?;
            let row = accounts.account(claims.account).await?;
            Caller::verified(claims, row)
        };
        caller.map(Some).ok_or(Problem::unauthenticated())
    }

    /// Does it answer handshakes of the WebSocket API?
    pub(crate) const fn is_socket(&self) -> bool {
        self.channels.is_some()
    }

    async fn context(&self, subject: &impl Subject) -> Result<PatientContext, Fault> {
        match (&self.patients, subject.patient()) {
            (Some(patients), Some(patient)) => patients.context(&Unproven::new(patient)).await,
            _ => Ok(PatientContext::default()),
        }
    }

    /// Lets the caller in, or says why not.
    fn admit(
        &self,
        caller: Result<Option<Caller>, Problem>,
        record: &mut Record,
    ) -> Result<Option<Caller>, Refusal> {
        let caller = caller.map_err(|problem| match problem.fault {
            Some(_) => Refusal::judged(problem),
            None => Refusal::denied(problem),
        })?;
        if let Some(Caller { row, .. }) = &caller {
            record.actor = Some(row.account);
            record.role = Some(row.role);
            record.practitioner = row.practitioner;
            record.name.clone_from(&row.name);
        }
        Ok(caller)
    }

    /// What a parent may see depends on how old the patient is, and that is sealed: only then is the
    /// profile opened before the policy is asked.
    async fn aged(
        &self,
        subject: &impl Subject,
        caller: Option<&Caller>,
        mut context: PatientContext,
    ) -> Result<PatientContext, Fault> {
        // A function that opens nothing knows no more than what a year of birth says.
        if self.keys.is_none() {
            context.set_age_by_year(&self.practice, Timestamp::now());
            return Ok(context);
        }
        let proxy = caller.and_then(|caller| context.proxy(caller.row.account));
        if proxy.is_none_or(|proxy| proxy.basis != Basis::Parental) || !context.exists() {
            return Ok(context);
        }
        let key = self.unwrap(subject, &context, true).await?;
        let opener = Opener {
            key,
            context,
            caller: None,
        };
        let age = Profile::age(&opener, &self.practice, Timestamp::now())?;
        context = opener.context;
        if let Some(age) = age {
            context.set_age(age);
        }
        Ok(context)
    }

    /// Asks the policy. Whoever may not see a patient learns not even that there is one.
    fn permit<Op: Operation>(
        &self,
        subject: &Op::Subject,
        caller: Option<&Caller>,
        context: &PatientContext,
        record: &mut Record,
    ) -> Result<Permitted, Refusal> {
        let principal = caller.map_or(Principal::Anonymous, |caller| {
            Principal::Account(&caller.row)
        });
        let policies = Policies::load()?;
        let now = Timestamp::now();
        let decision = policies.decide(principal, self.spec.action, subject, context, now)?;
        match decision {
            Decision::Permit(permitted) if subject.patient().is_none() || context.exists() => {
                record.via = Some(permitted.via());
                record.grant = caller.and_then(|caller| {
                    let account = caller.row.account;
                    match permitted.via().as_str() {
                        "proxy" => context.proxy(account).map(|proxy| proxy.grant),
                        // Whoever breaks the glass may have done so before.
                        "break-glass" => context
                            .break_glass(account)
                            .filter(|broken| now < broken.until)
                            .map(|broken| broken.grant),
                        "disclosure" => context
                            .disclosure(account)
                            .filter(|disclosure| now < disclosure.until)
                            .map(|disclosure| disclosure.grant),
                        _ => None,
                    }
                });
                Ok(permitted)
            }
            _ if subject.patient().is_some() => Err(Refusal::denied(Problem::not_found())),
            _ => Err(Refusal::denied(Problem::forbidden())),
        }
    }

    async fn unwrap(
        &self,
        subject: &impl Subject,
        context: &PatientContext,
        needed: bool,
    ) -> Result<Option<Arc<DataKey>>, Fault> {
        match (&self.keys, subject.patient(), context.wrapped_key()) {
            (Some(keys), Some(patient), Some(wrapped)) if needed => {
                keys.unwrap(patient, wrapped).await.map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Makes the response, after whatever refusal is yet to be recorded has been.
    async fn finish<Op: Operation>(
        &self,
        request: &Request,
        mut record: Record,
        result: std::thread::Result<Result<Op::Output, Refusal>>,
    ) -> Response {
        let result = result
            .unwrap_or_else(|_panic| Err(Fault::Defect("a panic").into()))
            .and_then(|answer| {
                let etag = Op::etag(&answer);
                Ok(Response::success(
                    Op::status(&answer),
                    etag,
                    &request.request_id,
                    Op::content(&answer)?,
                ))
            });
        let mut refusal = match result {
            Ok(response) => return self.done(&record, response, None),
            Err(refusal) => refusal,
        };
        // The log says that it was done, and then it was not: a second record says so.
        if record.outcome == Outcome::Success && !refusal.settled {
            record = record.followed_by(refusal.outcome);
        }
        record.outcome = refusal.outcome;
        record.reason = Some(refusal.problem.kind);
        if !refusal.settled
            && let Err(fault) = self.audit.write(&record).await
        {
            refusal = Refusal::unrecorded(fault);
        }
        let response = Response::problem(&refusal.problem, &request.request_id);
        self.done(&record, response, refusal.problem.fault)
    }

    fn done(&self, record: &Record, response: Response, fault: Option<Fault>) -> Response {
        telemetry::report(&Line {
            operation: self.spec.id,
            request_id: &record.request_id,
            outcome: record.outcome,
            status: Some(response.status),
            started: record.at,
            fault,
        });
        response
    }
}
