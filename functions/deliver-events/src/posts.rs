//! Frames to open channels, by API Gateway's management of connections.

use aws_sdk_apigatewaymanagement::Client;
use aws_sdk_apigatewaymanagement::config::Builder;
use aws_sdk_apigatewaymanagement::operation::post_to_connection::PostToConnectionError;
use aws_smithy_types::Blob;
use futures_util::future::join_all;
use shared::Fault;
use shared::access::Caller;
use shared::api::events::{DELIVER_EVENTS, Told};
use shared::aws::Aws;
use shared::store::{AccountRow, Channels, Connection};
use shared::telemetry;

pub(crate) struct Posts {
    client: Client,
    channels: Channels,
}

impl Posts {
    pub(crate) fn new(aws: &Aws) -> Result<Self, Fault> {
        let config = Builder::from(aws.config()).endpoint_url(aws.channels()?);
        Ok(Self {
            client: Client::from_conf(config.build()),
            channels: Channels::new(aws)?,
        })
    }

    /// Tells it over every channel of the account's. What does not arrive is counted and stays in the
    /// list of events, where the browser finds it.
    pub(crate) async fn post(
        &self,
        row: &AccountRow,
        connections: Vec<Connection>,
        told: &Told,
    ) -> Result<(), Fault> {
        let frame = serde_json::to_vec(told).map_err(|_| Fault::Defect("an event"))?;
        let frame = &Blob::new(frame);
        let posts = connections.iter().map(async |connection| {
            let arrived = if Caller::by_sign_in(&connection.sign_in, Some(row.clone())).is_some() {
                self.send(row, connection, frame.clone()).await
            } else {
                self.end(row, connection).await
            };
            if !arrived {
                telemetry::count(DELIVER_EVENTS.id, "EventsNotPosted");
            }
        });
        join_all(posts).await;
        Ok(())
    }

    async fn send(&self, row: &AccountRow, connection: &Connection, frame: Blob) -> bool {
        let posted = self
            .client
            .post_to_connection()
            .connection_id(&connection.id)
            .data(frame)
            .send()
            .await;
        match posted {
            Ok(_) => true,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PostToConnectionError::is_gone_exception) =>
            {
                self.channels
                    .forget(row.account, &connection.id)
                    .await
                    .is_ok()
            }
            Err(_) => false,
        }
    }

    /// The sign-in behind the channel is over: so is the channel.
    async fn end(&self, row: &AccountRow, connection: &Connection) -> bool {
        let ended = self.client.delete_connection();
        // Of one that is gone already there is nothing left but its rows.
        let _ = ended.connection_id(&connection.id).send().await;
        self.channels
            .forget(row.account, &connection.id)
            .await
            .is_ok()
    }
}
