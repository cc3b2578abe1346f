//! Serves an operation on Lambda: the eight lines that every `main.rs` calls.

use crate::access::Policies;
use crate::aws::Aws;
use crate::event;
use crate::http::{Pipeline, Request, Response};
use crate::{Fault, telemetry};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use std::pin::Pin;
use std::sync::Arc;

type Answering<T> = Pin<Box<dyn Future<Output = T> + Send>>;

type AnswerRequest = Box<dyn Fn(Request) -> Answering<Response> + Send + Sync>;
type AnswerEvent =
    Box<dyn Fn(Value, String) -> Answering<Result<Value, event::Failed>> + Send + Sync>;

/// An operation, ready to run, with its type erased: every binary shares one instance of the
/// runtime's code.
pub struct Service(Kind);

enum Kind {
    Http {
        pipeline: Arc<Pipeline>,
        answer: AnswerRequest,
    },
    Event {
        answer: AnswerEvent,
    },
}

impl Service {
    pub(crate) fn http(
        pipeline: Arc<Pipeline>,
        answer: impl Fn(Request) -> Answering<Response> + Send + Sync + 'static,
    ) -> Self {
        Self(Kind::Http {
            pipeline,
            answer: Box::new(answer),
        })
    }

    pub(crate) fn event(
        answer: impl Fn(Value, String) -> Answering<Result<Value, event::Failed>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self(Kind::Event {
            answer: Box::new(answer),
        })
    }

    /// Answers a request; none if the operation is not reached by one.
    pub async fn respond(&self, request: Request) -> Option<Response> {
        match &self.0 {
            Kind::Http { answer, .. } => Some(answer(request).await),
            Kind::Event { .. } => None,
        }
    }

    /// Handles an event; none if the operation is not reached by one.
    pub async fn handle(
        &self,
        event: Value,
        request_id: String,
    ) -> Option<Result<Value, event::Failed>> {
        match &self.0 {
            Kind::Http { .. } => None,
            Kind::Event { answer } => Some(answer(event, request_id).await),
        }
    }
}

/// Where the app is.
fn allowed_origin() -> Result<String, Fault> {
    std::env::var("ALLOWED_ORIGIN").map_err(|_| Fault::Misconfigured("ALLOWED_ORIGIN is not set"))
}

/// Runs an operation until Lambda ends the process.
pub async fn serve(make: fn(&Aws) -> Result<Service, Fault>) -> Result<(), Error> {
    telemetry::init();
    // Reading the policy takes as long as all the rest of the start: it has a thread of its own.
    std::thread::spawn(Policies::load);
    let aws = Aws::from_env()?;
    match make(&aws)?.0 {
        Kind::Http { pipeline, answer } if pipeline.is_socket() => {
            pipeline.prime().await;
            Policies::load()?;
            let answer = &answer;
            lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
                let response = answer(Request::from_socket(&event.payload)).await;
                Ok::<_, Error>(response.into_socket())
            }))
            .await
        }
        Kind::Http { pipeline, answer } => {
            pipeline.prime().await;
            Policies::load()?;
            let (answer, origin) = (&answer, &*allowed_origin()?);
            lambda_http::run(service_fn(move |event: lambda_http::Request| async move {
                answer(Request::from_lambda(event))
                    .await
                    .into_lambda(origin)
                    .map_err(Error::from)
            }))
            .await
        }
        Kind::Event { answer } => {
            Policies::load()?;
            let answer = &answer;
            lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| async move {
                answer(event.payload, event.context.request_id)
                    .await
                    .map_err(Error::from)
            }))
            .await
        }
    }
}
