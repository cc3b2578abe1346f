//! The AWS clients: one hand-built configuration, one trust store, each client made when first used.

mod capability;

pub use capability::{Capability, Resource};

use crate::Fault;
use crate::Reason;
use crate::practice::{Practice, Reply};
use crate::watch::Watch;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_http_client::tls;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

/// The roots that AWS endpoints chain to (Amazon Trust Services). Reading the system's store
/// instead costs 3 ms of every cold start, and trusts 140 authorities more.
const AMAZON_TRUST_SERVICES: &[u8] = include_bytes!("amazon-trust-services.pem");

/// The stage of the WebSocket API: infra/realtime.yaml.
const CHANNEL_STAGE: &str = "portal";

/// The AWS side of a function: its clients and the names of its resources.
pub struct Aws {
    config: SdkConfig,
    names: HashMap<Resource, String>,
    practice: Practice,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    kms: OnceLock<aws_sdk_kms::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    cognito: OnceLock<aws_sdk_cognitoidentityprovider::Client>,
    ses: OnceLock<aws_sdk_sesv2::Client>,
    logs: OnceLock<aws_sdk_cloudwatchlogs::Client>,
}

impl Aws {
    /// What a Lambda function is given: region, credentials and resource names in its environment.
    pub fn from_env() -> Result<Self, Fault> {
        let variable = |name| {
            std::env::var(name)
                .ok()
                .filter(|value: &String| !value.is_empty())
        };
        let required = |name, fault| variable(name).ok_or(Fault::Misconfigured(fault));
        let years = |name, fault| {
            let text = required(name, fault)?;
            text.parse().map_err(|_| Fault::Misconfigured(fault))
        };
        let number = |name, fault| -> Result<u16, Fault> {
            let text = required(name, fault)?;
            text.parse().map_err(|_| Fault::Misconfigured(fault))
        };
        let hours = number(
            "CANCELLATION_HOURS",
            "CANCELLATION_HOURS is no number of hours",
        )?;
        let most = number(
            "MAX_OPEN_APPOINTMENTS",
            "MAX_OPEN_APPOINTMENTS is no number",
        )?;
        let credentials = Credentials::new(
            required("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID is not set")?,
            required("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY is not set")?,
            variable("AWS_SESSION_TOKEN"),
            None,
            "environment",
        );
        let names = Capability::ALL
            .iter()
            .map(|capability| capability.resource())
            .filter_map(|resource| Some((resource, variable(resource.env())?)))
            .collect();
        Ok(Self::new(
            required("AWS_REGION", "AWS_REGION is not set")?,
            variable("AWS_ENDPOINT_URL"),
            credentials,
            http_client()?,
            names,
            Practice::new(
                &required("PRACTICE_TIME_ZONE", "PRACTICE_TIME_ZONE is not set")?,
                years("ADOLESCENT_AGE", "ADOLESCENT_AGE is no age")?,
                years("ADULT_AGE", "ADULT_AGE is no age")?,
            )?
            .cancelling(hours)
            .booking_at_most(most)
            .called(required("PRACTICE_NAME", "PRACTICE_NAME is not set")?)
            .retaining(years(
                "RETENTION_YEARS",
                "RETENTION_YEARS is no number of years",
            )?)
            .replying(Reply {
                within_hours: number(
                    "REPLY_WITHIN_HOURS",
                    "REPLY_WITHIN_HOURS is no number of hours",
                )?,
                emergency_number: required("EMERGENCY_NUMBER", "EMERGENCY_NUMBER is not set")?,
            })
            .watching(Watch::parse(
                &required("WORKING_HOURS", "WORKING_HOURS is not set")?,
                &required("WATCH_THRESHOLDS", "WATCH_THRESHOLDS is not set")?,
            )?),
        ))
    }

    pub fn new(
        region: String,
        endpoint: Option<String>,
        credentials: Credentials,
        http_client: SharedHttpClient,
        names: HashMap<Resource, String>,
        practice: Practice,
    ) -> Self {
        let mut config = SdkConfig::builder()
            .behavior_version(aws_sdk_dynamodb::config::BehaviorVersion::latest())
            .region(Region::new(region))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http_client)
            .sleep_impl(aws_sdk_dynamodb::config::SharedAsyncSleep::new(
                aws_smithy_async::rt::sleep::TokioSleep::new(),
            ))
            .time_source(aws_smithy_async::time::SystemTimeSource::new())
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_millis(1000))
                    .operation_attempt_timeout(Duration::from_millis(2500))
                    .operation_timeout(Duration::from_millis(7000))
                    .build(),
            );
        config.set_endpoint_url(endpoint);
        Self {
            config: config.build(),
            names,
            practice,
            dynamodb: OnceLock::new(),
            kms: OnceLock::new(),
            s3: OnceLock::new(),
            cognito: OnceLock::new(),
            ses: OnceLock::new(),
            logs: OnceLock::new(),
        }
    }

    /// What every client is configured with, for clients that one function alone has.
    pub const fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// Where the connections of the WebSocket API are managed.
    pub fn channels(&self) -> Result<String, Fault> {
        let api = self.name(Resource::ChannelApi)?;
        // A loopback address has no subdomains.
        if let Some(endpoint) = self.config.endpoint_url() {
            return Ok(format!("{endpoint}/_aws/execute-api/{api}/{CHANNEL_STAGE}"));
        }
        let region = self.config.region().map_or("", Region::as_ref);
        Ok(format!(
            "https://{api}.execute-api.{region}.amazonaws.com/{CHANNEL_STAGE}"
        ))
    }

    /// The name or id of a resource of this stack.
    pub fn name(&self, resource: Resource) -> Result<String, Fault> {
        self.names
            .get(&resource)
            .cloned()
            .ok_or(Fault::Misconfigured(resource.env()))
    }

    /// What the practice decides.
    pub const fn practice(&self) -> &Practice {
        &self.practice
    }

    pub fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.dynamodb
            .get_or_init(|| aws_sdk_dynamodb::Client::new(&self.config))
    }

    pub fn kms(&self) -> &aws_sdk_kms::Client {
        self.kms
            .get_or_init(|| aws_sdk_kms::Client::new(&self.config))
    }

    pub fn cognito(&self) -> &aws_sdk_cognitoidentityprovider::Client {
        self.cognito
            .get_or_init(|| aws_sdk_cognitoidentityprovider::Client::new(&self.config))
    }

    pub fn ses(&self) -> &aws_sdk_sesv2::Client {
        self.ses
            .get_or_init(|| aws_sdk_sesv2::Client::new(&self.config))
    }

    pub fn logs(&self) -> &aws_sdk_cloudwatchlogs::Client {
        self.logs
            .get_or_init(|| aws_sdk_cloudwatchlogs::Client::new(&self.config))
    }

    /// S3, with the bucket in the path where an endpoint is set: a loopback address has no
    /// subdomains.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let config = aws_sdk_s3::config::Builder::from(&self.config)
                .force_path_style(self.config.endpoint_url().is_some())
                .build();
            aws_sdk_s3::Client::from_conf(config)
        })
    }
}

/// The one HTTP client, which trusts Amazon's roots alone.
pub fn http_client() -> Result<SharedHttpClient, Fault> {
    let trust = tls::TrustStore::empty().with_pem_certificate(AMAZON_TRUST_SERVICES);
    let context = tls::TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|_| Fault::Misconfigured("the trust store"))?;
    Ok(aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::rustls(
            tls::rustls_provider::CryptoMode::AwsLc,
        ))
        .tls_context(context)
        .build_https())
}

/// What an SDK error means for us, without what it says: messages may quote keys and values.
pub fn fault<E>(service: &'static str, error: &SdkError<E, Response>) -> Fault
where
    E: ProvideErrorMetadata,
{
    let reason = match error {
        SdkError::TimeoutError(_) => Reason::TimedOut,
        SdkError::DispatchFailure(_) => Reason::Unreachable,
        SdkError::ServiceError(context) => match context.err().code() {
            Some(
                "ProvisionedThroughputExceededException"
                | "ThrottlingException"
                | "RequestLimitExceeded"
                | "TooManyRequestsException"
                | "SlowDown",
            ) => Reason::Throttled,
            Some("AccessDeniedException" | "AccessDenied" | "NotAuthorizedException") => {
                Reason::Denied
            }
            Some("TransactionConflictException" | "TransactionInProgressException") => {
                Reason::Conflict
            }
            _ => Reason::Other,
        },
        _ => Reason::Other,
    };
    Fault::Unavailable { service, reason }
}
