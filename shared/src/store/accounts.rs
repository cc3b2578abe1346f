//! The accounts table: `ACCOUNT#<sub>` rows, and `ACTIVATION#<MAC of the MRN>` rows that wait for
//! a patient to prove who they are; `RATE#` rows count requests; `RECONCILIATION` says how far the
//! last comparison with the user pool came; `PRACTITIONER-OF#<practitioner>` rows say which account is
//! a practitioner's. Nothing in it is PHI. The rows about administrators are
//! in administrators.rs.

use super::{Item, Write, b, bytes, n, number, s, string};
use crate::Fault;
use crate::access::Role;
use crate::api::users::practitioner_taken;
use crate::aws::{Aws, Resource, fault};
use crate::http::Problem;
use crate::ids::{AccountId, PatientId, PractitionerId, SessionId};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValue, TransactWriteItem, Update,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// May the account be used?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "&'static str")]
pub enum Status {
    Active,
    Disabled,
}

impl Status {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

impl From<Status> for &'static str {
    fn from(status: Status) -> Self {
        status.as_str()
    }
}

impl TryFrom<String> for Status {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        match name.as_str() {
            "active" => Ok(Self::Active),
            "disabled" => Ok(Self::Disabled),
            _ => Err("must be active or disabled"),
        }
    }
}

/// What the portal knows of an account. Read at every request, because API Gateway does not see
/// revocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    pub account: AccountId,
    pub role: Role,
    pub status: Status,
    pub patient: Option<PatientId>,
    pub practitioner: Option<PractitionerId>,
    /// What the directory called the practitioner when the account became theirs.
    pub name: Option<String>,
    /// Tokens of sign-ins up to this second are refused.
    pub signed_out_at: Option<i64>,
    pub last_sign_in: Option<Timestamp>,
    /// The sign-in before the last: what came after it is new to the patient.
    pub previous_sign_in: Option<Timestamp>,
    /// Until then they may not break the glass.
    pub barred_until: Option<Timestamp>,
    /// Counts the changes that administrators make.
    pub version: u64,
    /// Newest last; those that are over may still be there.
    pub sessions: Vec<Session>,
}

/// The attribute of a session begins so; its id follows.
const SESSION: &str = "session#";

/// So many open sessions an account keeps.
const SESSIONS: usize = 20;

/// A sign-in that the portal has seen a request of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    pub id: SessionId,
    /// In seconds since the epoch.
    pub signed_in_at: i64,
    pub first_seen: Timestamp,
    pub source_ip: String,
    pub user_agent: String,
    /// Its tokens are refused.
    pub ended: bool,
}

impl Session {
    /// As long as a sign-in's tokens may be good: the RefreshTokenValidity of infra/identity.yaml and
    /// one AccessTokenValidity.
    const LASTS: SignedDuration = SignedDuration::from_mins(12 * 60 + 5);

    fn from_attribute(id: &str, value: &AttributeValue) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("a session of an account row");
        let fields = value.as_m().map_err(|_| TORN)?;
        let text = |name| string(fields, name).ok_or(TORN);
        Ok(Self {
            id: id.parse().map_err(|_| TORN)?,
            signed_in_at: number(fields, "signed_in_at")
                .and_then(|at| at.try_into().ok())
                .ok_or(TORN)?,
            first_seen: text("first_seen")?.parse().map_err(|_| TORN)?,
            source_ip: text("source_ip")?.to_owned(),
            user_agent: text("user_agent")?.to_owned(),
            ended: fields.contains_key("ended_at"),
        })
    }

    fn attribute(&self) -> AttributeValue {
        AttributeValue::M(Item::from([
            ("signed_in_at".to_owned(), n(self.signed_in_at)),
            ("first_seen".to_owned(), s(self.first_seen.to_string())),
            ("source_ip".to_owned(), s(&self.source_ip)),
            ("user_agent".to_owned(), s(&self.user_agent)),
        ]))
    }

    fn is_over(&self, now: Timestamp) -> bool {
        now.duration_since(self.first_seen) > Self::LASTS
    }

    /// May its tokens still be used?
    pub fn is_open(&self, now: Timestamp) -> bool {
        !self.ended && !self.is_over(now)
    }
}

impl AccountRow {
    pub const fn new(account: AccountId, role: Role) -> Self {
        Self {
            account,
            role,
            status: Status::Active,
            patient: None,
            practitioner: None,
            name: None,
            signed_out_at: None,
            last_sign_in: None,
            previous_sign_in: None,
            barred_until: None,
            version: 0,
            sessions: Vec::new(),
        }
    }

    /// May it be used, and as this?
    pub fn acts_as(&self, role: Role) -> bool {
        self.status == Status::Active && self.role == role
    }

    fn from_item(account: AccountId, item: &Item) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("an account row");
        let id = |name| string(item, name);
        let sessions = item.iter();
        let mut sessions = sessions
            .filter_map(|(name, value)| Some((name.strip_prefix(SESSION)?, value)))
            .map(|(id, value)| Session::from_attribute(id, value))
            .collect::<Result<Vec<_>, _>>()?;
        sessions.sort_by_key(|session| session.first_seen);
        Ok(Self {
            sessions,
            account,
            role: Role::from_name(id("role").ok_or(TORN)?).ok_or(TORN)?,
            status: match id("status") {
                Some("active") => Status::Active,
                _ => Status::Disabled,
            },
            patient: id("patient")
                .map(str::parse)
                .transpose()
                .map_err(|_| TORN)?,
            practitioner: id("practitioner")
                .map(str::parse)
                .transpose()
                .map_err(|_| TORN)?,
            name: id("name").map(str::to_owned),
            signed_out_at: number(item, "signed_out_at")
                .map(i64::try_from)
                .transpose()
                .map_err(|_| TORN)?,
            last_sign_in: id("last_sign_in")
                .map(str::parse)
                .transpose()
                .map_err(|_| TORN)?,
            previous_sign_in: id("previous_sign_in")
                .map(str::parse)
                .transpose()
                .map_err(|_| TORN)?,
            barred_until: id("barred_until")
                .map(str::parse)
                .transpose()
                .map_err(|_| TORN)?,
            version: number(item, "version").unwrap_or(0),
        })
    }

    fn item(&self) -> Item {
        let mut item = Item::from([
            ("pk".to_owned(), s(account_key(self.account))),
            ("role".to_owned(), s(self.role.as_str())),
            ("status".to_owned(), s(self.status.as_str())),
            ("created_at".to_owned(), s(Timestamp::now().to_string())),
        ]);
        if let Some(patient) = self.patient {
            item.insert("patient".to_owned(), s(patient.to_string()));
        }
        if let Some(practitioner) = self.practitioner {
            item.insert("practitioner".to_owned(), s(practitioner.to_string()));
        }
        if let Some(name) = &self.name {
            item.insert("name".to_owned(), s(name));
        }
        item
    }
}

/// An activation that waits: the clinic gave the patient a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activation {
    pub patient: PatientId,
    /// MAC over number, date of birth and code.
    pub proof: String,
    pub expires_at: i64,
    /// The account it made, once used, and the `Idempotency-Key` that used it.
    pub used: Option<(AccountId, String)>,
}

impl Activation {
    /// How long a code is good for.
    const GOOD_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);

    /// One that begins now.
    pub fn new(patient: PatientId, proof: String, now: Timestamp) -> Self {
        Self {
            patient,
            proof,
            expires_at: (now + Self::GOOD_FOR).as_second(),
            used: None,
        }
    }
}

/// The codes that administrators gave one patient within a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Codes {
    pub issued: u64,
    /// When the first of them was, in seconds since the epoch.
    pub since: i64,
}

impl Codes {
    /// When another day begins, in seconds since the epoch.
    pub const fn until(self) -> i64 {
        self.since.saturating_add(DAY)
    }
}

/// An activation row: a counter of attempts, and the activation if there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActivationRow {
    pub attempts: u64,
    /// Even those of a day that is over.
    pub codes: Option<Codes>,
    pub activation: Option<Activation>,
}

impl ActivationRow {
    /// The codes of the day that is not over yet.
    pub fn codes_of_today(&self, now: Timestamp) -> Option<Codes> {
        self.codes.filter(|codes| now.as_second() < codes.until())
    }

    fn from_item(item: &Item) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("an activation row");
        let activation = match bytes(item, "proof") {
            None => None,
            Some(proof) => Some(Activation {
                patient: string(item, "patient")
                    .ok_or(TORN)?
                    .parse()
                    .map_err(|_| TORN)?,
                proof: String::from_utf8(proof.to_vec()).map_err(|_| TORN)?,
                expires_at: number(item, "code_expires_at")
                    .and_then(|at| at.try_into().ok())
                    .ok_or(TORN)?,
                used: match (string(item, "account"), string(item, "used_by")) {
                    (Some(account), Some(key)) => {
                        Some((account.parse().map_err(|_| TORN)?, key.to_owned()))
                    }
                    _ => None,
                },
            }),
        };
        let since = number(item, "codes_since").map(i64::try_from);
        let codes = number(item, "codes").zip(since.transpose().map_err(|_| TORN)?);
        Ok(Self {
            attempts: number(item, "attempts").unwrap_or(0),
            codes: codes.map(|(issued, since)| Codes { issued, since }),
            activation,
        })
    }
}

/// How many requests of an operation an account may make in a window of time.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    pub requests: u64,
    /// In seconds. Windows begin at multiples of it.
    pub window: i64,
}

/// Whether it is an account's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Taken,
    /// None is left before so many seconds have passed.
    Wait(u16),
}

/// How long an activation row outlives its code, and a counter of an unknown number lives: seconds.
pub(super) const DAY: i64 = 86_400;

/// After so many failed attempts a code is dead: the practice's, and those of a change of address. A
/// success gives them back.
pub const ATTEMPTS: u64 = 5;

/// The accounts table.
pub struct Accounts {
    client: Client,
    table: String,
}

impl Accounts {
    pub fn new(aws: &Aws) -> Result<Self, Fault> {
        Ok(Self {
            client: aws.dynamodb().clone(),
            table: aws.name(Resource::AccountsTable)?,
        })
    }

    /// An account's row, as it is at this moment.
    pub async fn account(&self, account: AccountId) -> Result<Option<AccountRow>, Fault> {
        self.item(account_key(account))
            .await?
            .map(|item| AccountRow::from_item(account, &item))
            .transpose()
    }

    async fn item(&self, key: String) -> Result<Option<Item>, Fault> {
        let answer = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("pk", s(key))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| fault("DynamoDB", &error))?;
        Ok(answer.item)
    }

    /// Opens a connection while the function starts, so that the first request need not.
    pub async fn prime(&self) {
        let _ = self.item("PRIME".to_owned()).await;
    }

    /// The write of a new account.
    pub fn create(&self, row: &AccountRow) -> Result<Write, Fault> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(row.item()))
            .condition_expression("attribute_not_exists(pk)")
            .build()
            .map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    /// The write that refuses every token of sign-ins up to now.
    pub fn sign_out(&self, account: AccountId, now: Timestamp) -> Result<Write, Fault> {
        self.update(
            account_key(account),
            Update::builder()
                .update_expression("SET signed_out_at = :now")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":now", n(now.as_second())),
            Problem::unauthenticated(),
        )
    }

    /// The write that makes an account what an administrator wants it to be: role, practitioner,
    /// status, and up to when its sessions are over. Nothing happens if the row is no longer the one
    /// that the administrator saw.
    pub fn change(
        &self,
        before: &AccountRow,
        after: &AccountRow,
        by: AccountId,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let mut expression = "SET #role = :role, #status = :status, version = :next, \
                              changed_at = :at, changed_by = :by"
            .to_owned();
        let mut update = Update::builder()
            .expression_attribute_names("#role", "role")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":role", s(after.role.as_str()))
            .expression_attribute_values(":status", s(after.status.as_str()))
            .expression_attribute_values(":next", n(before.version.saturating_add(1)))
            .expression_attribute_values(":at", s(now.to_string()))
            .expression_attribute_values(":by", s(by.to_string()));
        if let Some(at) = after.signed_out_at {
            expression.push_str(", signed_out_at = :out");
            update = update.expression_attribute_values(":out", n(at));
        }
        let optional = [
            ("practitioner", after.practitioner.map(|id| id.to_string())),
            ("name", after.name.clone()),
        ];
        let mut removed = Vec::new();
        for (name, value) in optional {
            update = update.expression_attribute_names(format!("#{name}"), name);
            match value {
                Some(value) => {
                    expression.push_str(&format!(", #{name} = :{name}"));
                    update = update.expression_attribute_values(format!(":{name}"), s(value));
                }
                None => removed.push(format!("#{name}")),
            }
        }
        if !removed.is_empty() {
            expression.push_str(&format!(" REMOVE {}", removed.join(", ")));
        }
        update = if before.version == 0 {
            update.condition_expression("attribute_exists(pk) AND attribute_not_exists(version)")
        } else {
            update
                .condition_expression("version = :seen")
                .expression_attribute_values(":seen", n(before.version))
        };
        self.update(
            account_key(before.account),
            update.update_expression(expression),
            Problem::changed_meanwhile(),
        )
    }

    /// The write that keeps an account from breaking the glass until then, or lets it again.
    pub fn bar(&self, account: AccountId, until: Option<Timestamp>) -> Result<Write, Fault> {
        let update = Update::builder().condition_expression("attribute_exists(pk)");
        let update = match until {
            Some(until) => update
                .update_expression("SET barred_until = :until")
                .expression_attribute_values(":until", s(until.to_string())),
            None => update.update_expression("REMOVE barred_until"),
        };
        self.update(account_key(account), update, Problem::changed_meanwhile())
    }

    /// Whose account is this practitioner's, if there is one?
    pub async fn of_practitioner(
        &self,
        practitioner: PractitionerId,
    ) -> Result<Option<AccountId>, Fault> {
        const TORN: Fault = Fault::Corrupt("the row of a practitioner's account");
        let row = self.item(practitioner_key(practitioner)).await?;
        let account = row.map(|row| {
            let account = string(&row, "account").ok_or(TORN)?;
            account.parse().map_err(|_| TORN)
        });
        account.transpose()
    }

    /// The write that makes it the practitioner's one account.
    pub fn take_practitioner(
        &self,
        practitioner: PractitionerId,
        account: AccountId,
    ) -> Result<Write, Fault> {
        let put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(practitioner_key(practitioner)))
            .item("account", s(account.to_string()))
            .condition_expression("attribute_not_exists(pk) OR account = :account")
            .expression_attribute_values(":account", s(account.to_string()))
            .build()
            .map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: practitioner_taken(),
        })
    }

    /// The write that makes room for another account of the practitioner.
    pub fn leave_practitioner(
        &self,
        practitioner: PractitionerId,
        account: AccountId,
    ) -> Result<Write, Fault> {
        let delete = Delete::builder()
            .table_name(&self.table)
            .key("pk", s(practitioner_key(practitioner)))
            .condition_expression("account = :account")
            .expression_attribute_values(":account", s(account.to_string()))
            .build()
            .map_err(|_| Fault::Defect("a delete"))?;
        Ok(Write {
            item: TransactWriteItem::builder().delete(delete).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    /// Where the comparison with the user pool broke off.
    pub async fn reconciled_to(&self) -> Result<Option<String>, Fault> {
        let row = self.item(RECONCILIATION.to_owned()).await?;
        Ok(row
            .as_ref()
            .and_then(|row| string(row, "next"))
            .map(str::to_owned))
    }

    /// The write that says where the next comparison goes on; none for the beginning.
    pub fn reconcile_from(&self, next: Option<&str>, now: Timestamp) -> Result<Write, Fault> {
        let mut put = Put::builder()
            .table_name(&self.table)
            .item("pk", s(RECONCILIATION))
            .item("at", s(now.to_string()));
        if let Some(next) = next {
            put = put.item("next", s(next));
        }
        let put = put.build().map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    /// The write that notes a sign-in.
    pub fn signed_in(&self, row: &AccountRow, now: Timestamp) -> Result<Write, Fault> {
        let mut update = Update::builder()
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", s(now.to_string()));
        update = match row.last_sign_in {
            Some(last) => update
                .update_expression("SET last_sign_in = :now, previous_sign_in = :last")
                .expression_attribute_values(":last", s(last.to_string())),
            None => update.update_expression("SET last_sign_in = :now"),
        };
        self.update(account_key(row.account), update, Problem::unauthenticated())
    }

    /// The write that keeps a session, in place of those that are over and, where there are too
    /// many, of the oldest. Ended ones stay until their tokens are no good by themselves.
    pub fn keep_session(&self, row: &AccountRow, session: &Session) -> Result<Write, Fault> {
        let now = session.first_seen;
        let open = row.sessions.iter().filter(|one| one.is_open(now)).count();
        let over = row.sessions.iter().filter(|one| one.is_over(now));
        let oldest = row.sessions.iter().filter(|one| one.is_open(now));
        let oldest = oldest.take((open + 1).saturating_sub(SESSIONS));
        // Two first requests at once: one keeps it, and the slower one finds it kept. It must not
        // bring back what has been ended since.
        let mut expression = "SET #session = if_not_exists(#session, :session)".to_owned();
        let mut update = Update::builder()
            .condition_expression(
                "attribute_exists(pk) AND attribute_not_exists(#session.ended_at)",
            )
            .expression_attribute_names("#session", format!("{SESSION}{}", session.id))
            .expression_attribute_values(":session", session.attribute());
        for (at, gone) in over.chain(oldest).enumerate() {
            expression += if at == 0 { " REMOVE " } else { ", " };
            expression += &format!("#gone{at}");
            update = update
                .expression_attribute_names(format!("#gone{at}"), format!("{SESSION}{}", gone.id));
        }
        let update = update.update_expression(expression);
        self.update(account_key(row.account), update, Problem::unauthenticated())
    }

    /// The write that refuses the tokens of one session from now on.
    pub fn end_session(
        &self,
        account: AccountId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        self.update(
            account_key(account),
            Update::builder()
                .update_expression("SET #session.ended_at = :now")
                .condition_expression("attribute_exists(#session)")
                .expression_attribute_names("#session", format!("{SESSION}{session}"))
                .expression_attribute_values(":now", s(now.to_string())),
            Problem::not_found(),
        )
    }

    fn update(
        &self,
        key: String,
        update: aws_sdk_dynamodb::types::builders::UpdateBuilder,
        conflict: Problem,
    ) -> Result<Write, Fault> {
        let update = update
            .table_name(&self.table)
            .key("pk", s(key))
            .build()
            .map_err(|_| Fault::Defect("an update"))?;
        Ok(Write {
            item: TransactWriteItem::builder().update(update).build(),
            conflict,
        })
    }

    /// The write of a new activation; the code before it dies.
    pub fn issue_activation(&self, mrn_mac: &str, activation: &Activation) -> Result<Write, Fault> {
        self.put_activation(mrn_mac, activation, 0, Put::builder())
    }

    /// The same, counted. Attempts that failed on the day of the first code are not given back by
    /// another. Nothing happens if there was an attempt or a code meanwhile.
    pub fn issue_counted(
        &self,
        mrn_mac: &str,
        activation: &Activation,
        former: &ActivationRow,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let (attempts, codes) = match former.codes_of_today(now) {
            Some(Codes { issued, since }) => (former.attempts, (issued.saturating_add(1), since)),
            None => (0, (1, now.as_second())),
        };
        let mut condition = "(attribute_not_exists(attempts) OR attempts = :attempts)".to_owned();
        let mut put = Put::builder()
            .item("codes", n(codes.0))
            .item("codes_since", n(codes.1))
            .expression_attribute_values(":attempts", n(former.attempts));
        match former.codes {
            None => condition.push_str(" AND attribute_not_exists(codes)"),
            Some(Codes { issued, since }) => {
                condition.push_str(" AND codes = :codes AND codes_since = :since");
                put = put
                    .expression_attribute_values(":codes", n(issued))
                    .expression_attribute_values(":since", n(since));
            }
        }
        let put = put.condition_expression(condition);
        self.put_activation(mrn_mac, activation, attempts, put)
    }

    fn put_activation(
        &self,
        mrn_mac: &str,
        activation: &Activation,
        attempts: u64,
        put: aws_sdk_dynamodb::types::builders::PutBuilder,
    ) -> Result<Write, Fault> {
        let put = put
            .table_name(&self.table)
            .item("pk", s(activation_key(mrn_mac)))
            .item("patient", s(activation.patient.to_string()))
            .item("proof", b(activation.proof.clone()))
            .item("code_expires_at", n(activation.expires_at))
            .item("attempts", n(attempts))
            .item("expires_at", n(activation.expires_at + DAY))
            .build()
            .map_err(|_| Fault::Defect("a put"))?;
        Ok(Write {
            item: TransactWriteItem::builder().put(put).build(),
            conflict: Problem::changed_meanwhile(),
        })
    }

    /// What waits for whoever has a medical record number, and what was tried.
    pub async fn activation(&self, mrn_mac: &str) -> Result<ActivationRow, Fault> {
        let row = self.item(activation_key(mrn_mac)).await?;
        ActivationRow::from_item(&row.unwrap_or_default())
    }

    /// Takes one of the attempts at a medical record number, before anything is compared: guesses
    /// sent at once count one by one. None is left when there is no row to return.
    ///
    /// A number that the practice does not know gets a counter as well, gone after a day.
    pub async fn take_attempt(
        &self,
        mrn_mac: &str,
        now: Timestamp,
    ) -> Result<Option<ActivationRow>, Fault> {
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(activation_key(mrn_mac)))
            .update_expression(
                "SET expires_at = if_not_exists(expires_at, :expires) ADD attempts :one",
            )
            .condition_expression("attribute_not_exists(attempts) OR attempts < :limit")
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":limit", n(ATTEMPTS))
            .expression_attribute_values(":expires", n(now.as_second() + DAY))
            .return_values(ReturnValue::AllNew)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                ActivationRow::from_item(&answer.attributes.unwrap_or_default()).map(Some)
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(fault("DynamoDB", &error)),
        }
    }

    /// Takes one of the requests that an account may make, before anything is done: those sent at
    /// once count one by one.
    pub async fn take_turn(
        &self,
        account: AccountId,
        operation: &str,
        allowance: Allowance,
        now: Timestamp,
    ) -> Result<Turn, Fault> {
        let (key, ends) = allowance.row(account, operation, now);
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key("pk", s(key))
            .update_expression(TAKE)
            .condition_expression(MAY_TAKE)
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":limit", n(allowance.requests))
            .expression_attribute_values(":expires", n(ends))
            .send()
            .await;
        match answer {
            Ok(_) => Ok(Turn::Taken),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(Turn::Wait(wait(ends, now)?))
            }
            Err(error) => Err(fault("DynamoDB", &error)),
        }
    }

    /// The write that takes one, for a change that is counted only if it is made.
    pub fn turn(
        &self,
        account: AccountId,
        operation: &str,
        allowance: Allowance,
        now: Timestamp,
    ) -> Result<Write, Fault> {
        let (key, ends) = allowance.row(account, operation, now);
        let update = Update::builder()
            .update_expression(TAKE)
            .condition_expression(MAY_TAKE)
            .expression_attribute_values(":one", n(1))
            .expression_attribute_values(":limit", n(allowance.requests))
            .expression_attribute_values(":expires", n(ends));
        self.update(key, update, Problem::too_many_requests(wait(ends, now)?))
    }

    /// The write that uses an activation up.
    pub fn use_activation(
        &self,
        mrn_mac: &str,
        activation: &Activation,
        account: AccountId,
        idempotency_key: &str,
    ) -> Result<Write, Fault> {
        self.update(
            activation_key(mrn_mac),
            Update::builder()
                .update_expression("SET account = :account, used_by = :key, attempts = :none")
                .condition_expression(
                    "proof = :proof AND (attribute_not_exists(account) \
                     OR (account = :account AND used_by = :key))",
                )
                .expression_attribute_values(":account", s(account.to_string()))
                .expression_attribute_values(":key", s(idempotency_key))
                .expression_attribute_values(":none", n(0))
                .expression_attribute_values(":proof", b(activation.proof.clone())),
            Problem::changed_meanwhile(),
        )
    }
}

const RECONCILIATION: &str = "RECONCILIATION";

/// Counts a request, and the condition under which it may be made.
const TAKE: &str = "SET expires_at = :expires ADD taken :one";
const MAY_TAKE: &str = "attribute_not_exists(taken) OR taken < :limit";

impl Allowance {
    /// The row that counts, and the second at which its window ends.
    fn row(self, account: AccountId, operation: &str, now: Timestamp) -> (String, i64) {
        let window = now.as_second().div_euclid(self.window);
        let key = format!("RATE#{account}#{operation}#{}#{window}", self.window);
        (key, (window + 1) * self.window)
    }
}

/// How many seconds are left of a window.
fn wait(ends: i64, now: Timestamp) -> Result<u16, Fault> {
    u16::try_from(ends - now.as_second()).map_err(|_| Fault::Defect("a window"))
}

fn account_key(account: AccountId) -> String {
    format!("ACCOUNT#{account}")
}

fn practitioner_key(practitioner: PractitionerId) -> String {
    format!("PRACTITIONER-OF#{practitioner}")
}

fn activation_key(mrn_mac: &str) -> String {
    format!("ACTIVATION#{mrn_mac}")
}
