//! Tickets, connections, and what the streams of the tables would tell.

use super::Stack;
use super::request::{With, anonymous, body};
use super::world::World;
use serde_json::{Value, json};
use shared::aws::Resource;
use shared::http::{Request, Response};
use shared::ids::AccountId;
use uuid::Uuid;

/// A handshake of the WebSocket API.
pub fn handshake(ticket: &str, connection: &str) -> Request {
    let mut request = anonymous().query("ticket", ticket);
    let connection = ("connection".to_owned(), connection.to_owned());
    request.path.push(connection);
    request
}

/// A change as a stream tells it: its kind and the keys of the row.
pub fn change(kind: &str, pk: &str, sk: &str) -> Value {
    let id = Uuid::new_v4();
    json!({
        "eventID": id.simple().to_string(),
        "eventName": kind,
        "dynamodb": {
            "SequenceNumber": id.as_u128().to_string(),
            "Keys": {"pk": {"S": pk}, "sk": {"S": sk}},
        },
    })
}

pub fn batch(changes: &[Value]) -> Value {
    json!({"Records": changes})
}

impl Stack {
    /// What there is of an account's channels, by the prefix of the sort key.
    pub async fn channel_rows(&self, prefix: &str) -> Vec<Value> {
        let mut rows = self.items(Resource::ChannelsTable).await;
        rows.retain(|row| row["sk"].as_str().unwrap().starts_with(prefix));
        rows
    }
}

impl World {
    /// What an activation and an invitation would have left: which accounts are the patient's and the
    /// provider's.
    pub async fn link_accounts(&self) {
        let patients = json!({
            "pk": {"S": format!("ACCOUNT-OF#{}", self.patient)},
            "sk": {"S": "ACCOUNT"},
            "account": {"S": self.account.to_string()},
        });
        self.stack.put(Resource::PatientsTable, patients).await;
        let providers = json!({
            "pk": {"S": format!("PRACTITIONER-OF#{}", self.practitioner)},
            "account": {"S": self.provider.to_string()},
        });
        self.stack.put(Resource::AccountsTable, providers).await;
    }

    pub async fn ticket(&self, by: Request) -> String {
        let response = self.ask("open-channel", by).await;
        let answer = body(&response);
        assert_eq!(response.status, 201, "{answer}");
        answer["ticket"].as_str().unwrap().to_owned()
    }

    pub async fn connect(&self, ticket: &str, connection: &str) -> Response {
        self.ask("connect-channel", handshake(ticket, connection))
            .await
    }

    /// Opens a connection.
    pub async fn connected(&self, by: Request, connection: &str) {
        let ticket = self.ticket(by).await;
        let response = self.connect(&ticket, connection).await;
        assert_eq!(response.status, 200, "{}", body(&response));
    }

    /// The stream's word of a message of the patient's.
    pub fn wrote(&self, thread: Uuid) -> Value {
        self.sent_by(self.account, thread)
    }

    /// The same of a message of the practice's.
    pub fn answered(&self, thread: Uuid) -> Value {
        self.sent_by(self.provider, thread)
    }

    fn sent_by(&self, sender: AccountId, thread: Uuid) -> Value {
        let pk = format!("THREAD#{}#{thread}", self.patient);
        change("INSERT", &pk, &format!("SENT#{sender}#{}", Uuid::new_v4()))
    }

    /// Lets so many seconds pass for all notices: those that wait become due, those that were sent
    /// are longer ago.
    pub async fn pass(&self, seconds: i64) {
        for mut row in self.stack.scan(Resource::ChannelsTable).await {
            if row["pk"]["S"] != "NOTICES" {
                continue;
            }
            for name in ["due", "sent_at"] {
                if let Some(at) = row[name]["N"].as_str() {
                    let at: i64 = at.parse().unwrap();
                    row[name] = json!({"N": (at - seconds).to_string()});
                }
            }
            self.stack.put(Resource::ChannelsTable, row).await;
        }
    }
}
