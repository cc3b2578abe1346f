//! An operation that stays warm: one service for many requests, as a Lambda process has it.

use super::recorder::Recorder;
use super::{Stack, root};
use serde_json::Value;
use shared::event::Failed;
use shared::http::{Request, Response};
use shared::ids::AccountId;
use shared::serve::Service;

pub struct Function {
    pub recorder: Recorder,
    service: Service,
}

impl Function {
    pub fn new(stack: &Stack, id: &str) -> Self {
        Self::recorded(stack, id, Recorder::default())
    }

    pub fn recorded(stack: &Stack, id: &str, recorder: Recorder) -> Self {
        let service = bootstrap::service(id).unwrap()(&stack.aws(&recorder)).unwrap();
        Self::of(recorder, service)
    }

    /// One that was made with limits of a test's own.
    pub fn of(recorder: Recorder, service: Service) -> Self {
        recorder.reset();
        Self { recorder, service }
    }

    pub async fn respond(&self, request: Request) -> Response {
        self.service.respond(request).await.unwrap()
    }

    pub async fn handle(&self, event: Value) -> Result<Value, Failed> {
        self.handle_as(event, "event").await
    }

    /// The same as one invocation: Lambda calls every try of it by the same id.
    pub async fn handle_as(&self, event: Value, request_id: &str) -> Result<Value, Failed> {
        let handled = self.service.handle(event, request_id.to_owned());
        handled.await.unwrap()
    }
}

/// The sample event of an operation that Cognito invokes, about another account.
pub fn trigger(id: &str, account: AccountId) -> Value {
    let file = std::fs::read(root().join(format!("events/{id}.json"))).unwrap();
    let mut event: Value = serde_json::from_slice(&file).unwrap();
    event["userName"] = account.to_string().into();
    event["request"]["userAttributes"]["sub"] = account.to_string().into();
    event
}
