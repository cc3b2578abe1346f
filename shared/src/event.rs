//! Operations that AWS invokes: the same order of policy, work and audit record as the API's.

use crate::Fault;
use crate::access::{Decision, Policies, Portal, Principal};
use crate::api::Spec;
use crate::audit::{Audit, Commit, Outcome, Record};
use crate::aws::Aws;
use crate::serve::Service;
use crate::store::{PatientContext, Write};
use crate::telemetry::{self, Line};
use futures_util::FutureExt;
use serde_json::Value;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

/// What the invoking service is told when it did not work. Cognito shows it to whoever signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The portal cannot do this right now. Try again, or ask the practice.")
    }
}

impl std::error::Error for Failed {}

/// What an event came to.
pub struct Handled {
    pub answer: Value,
    /// Committed with the audit record.
    pub writes: Vec<Write>,
    pub outcome: Outcome,
    /// Why, if it is not a success.
    pub reason: Option<&'static str>,
}

impl Handled {
    /// It may not be done.
    pub const fn refused(reason: &'static str) -> Self {
        Self {
            answer: Value::Null,
            writes: Vec::new(),
            outcome: Outcome::Denied,
            reason: Some(reason),
        }
    }
}

/// What is particular to an operation that AWS invokes.
pub trait Handle: Send + Sync + 'static {
    /// Whether every run leaves a record of its own. Whoever works on the audit log itself leaves them
    /// where there is something to say.
    const LEAVES_RECORD: bool = true;

    /// Works on an event. The record is to be filled with who and whose.
    fn handle(
        &self,
        event: Value,
        record: &mut Record,
    ) -> impl Future<Output = Result<Handled, Fault>> + Send;

    /// What is left to do once the work and its record are committed. If it fails, the event comes
    /// again.
    fn tidy(&self, _event: &Value) -> impl Future<Output = Result<(), Fault>> + Send {
        async { Ok(()) }
    }
}

/// A service that runs an operation which AWS invokes.
pub fn events<H: Handle>(aws: &Aws, spec: &'static Spec, handler: H) -> Result<Service, Fault> {
    let audit = Arc::new(Audit::new(aws)?);
    let handler = Arc::new(handler);
    Ok(Service::event(move |event, request_id| {
        let (audit, handler) = (Arc::clone(&audit), Arc::clone(&handler));
        Box::pin(async move {
            let mut record = Record::begin(spec);
            record.request_id = request_id;
            let work = AssertUnwindSafe(run(spec, &audit, &*handler, event, &mut record));
            let result = match work.catch_unwind().await {
                Ok(result) => result,
                Err(_panic) if !H::LEAVES_RECORD => Err(Some(Fault::Defect("a panic"))),
                Err(_panic) => {
                    record = record.followed_by(Outcome::Failure);
                    let fault = Some(Fault::Defect("a panic"));
                    fail(&audit, &mut record, Outcome::Failure, "internal", fault).await
                }
            };
            let fault = result.as_ref().err().copied().flatten();
            // Also where the record says otherwise and could not be written.
            let outcome = fault.map_or(record.outcome, |_| Outcome::Failure);
            telemetry::report(&Line {
                operation: spec.id,
                request_id: &record.request_id,
                outcome,
                status: None,
                started: record.at,
                fault,
            });
            result.map_err(|_| Failed)
        })
    }))
}

/// Runs one event. An error without a fault is a refusal.
async fn run<H: Handle>(
    spec: &'static Spec,
    audit: &Audit,
    handler: &H,
    event: Value,
    record: &mut Record,
) -> Result<Value, Option<Fault>> {
    let decision = Policies::load()?.decide(
        Principal::Service(spec.id),
        spec.action,
        &Portal,
        &PatientContext::default(),
        record.at,
    )?;
    let Decision::Permit(permitted) = decision else {
        return fail(audit, record, Outcome::Denied, "forbidden", None).await;
    };
    record.via = Some(permitted.via());
    let handled = match handler.handle(event.clone(), record).await {
        Ok(handled) if !H::LEAVES_RECORD => {
            record.outcome = handled.outcome;
            return Ok(handled.answer);
        }
        Ok(handled) => handled,
        Err(fault) if !H::LEAVES_RECORD => return Err(Some(fault)),
        Err(fault) => {
            return fail(audit, record, Outcome::Failure, "internal", Some(fault)).await;
        }
    };
    record.outcome = handled.outcome;
    record.reason = handled.reason;
    let commit = match audit.commit(record, &[], handled.writes).await {
        Ok(commit) => commit,
        // The transaction left no record: one of its own says that it failed.
        Err(fault) => {
            *record = record.followed_by(Outcome::Failure);
            return fail(audit, record, Outcome::Failure, "unavailable", Some(fault)).await;
        }
    };
    match commit {
        // An error would make the service send the same bad input again.
        Commit::Done(_) if matches!(handled.outcome, Outcome::Success | Outcome::Invalid) => {
            handler.tidy(&event).await?;
            Ok(handled.answer)
        }
        Commit::Done(_) => Err(None),
        Commit::Conflict(problem) => {
            fail(audit, record, Outcome::Invalid, problem.kind, problem.fault).await
        }
    }
}

async fn fail(
    audit: &Audit,
    record: &mut Record,
    outcome: Outcome,
    reason: &'static str,
    fault: Option<Fault>,
) -> Result<Value, Option<Fault>> {
    record.outcome = outcome;
    record.reason = Some(reason);
    audit.write(record).await?;
    Err(fault)
}
