//! Makes the user pool what the account rows say. A change of an account is committed before Cognito
//! hears of it, so whatever Cognito missed is found here, within the hour.

use futures_util::stream::{self, StreamExt};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::Fault;
use shared::access::Role;
use shared::api::users::RECONCILE_ACCOUNTS;
use shared::audit::{Audit, Outcome, Record};
use shared::aws::Aws;
use shared::event::{Handle, Handled, events};
use shared::identity::{Listed, Page, Requested, User, Users};
use shared::ids::AccountId;
use shared::serve::Service;
use shared::store::{AccountRow, Accounts, Administrators, EmailChange, EmailChanges, Status};
use shared::telemetry;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How long a run goes on before it leaves the rest to the next: Lambda ends one after 15 minutes.
const BUDGET: Duration = Duration::from_secs(12 * 60);

/// Users of one call; Cognito gives no more.
const PAGE: u8 = 60;

/// Users looked at a time. Cognito takes some hundred calls in a second, of everybody together.
const AT_ONCE: usize = 4;

/// An invitation that broke off may be sent again for so long.
const UNFINISHED: SignedDuration = SignedDuration::from_hours(24);

struct Handler {
    accounts: Accounts,
    administrators: Administrators,
    changes: EmailChanges,
    users: Users,
    audit: Audit,
    budget: Duration,
    unfinished: SignedDuration,
}

/// What is wrong with a user.
enum Drift {
    /// Made by the portal and left without an account.
    Abandoned,
    /// In another group than the row says, or enabled where it says disabled, or the other way.
    Misaligned,
    /// Proved that an address is theirs, and has the former one still.
    AddressPending,
    /// Proved that an address is theirs, and somebody else has it meanwhile.
    AddressTaken,
    /// Asked for an address and let the codes run out, or the pool keeps another than was proven.
    AddressForgotten,
    /// Signed in once, or made by nobody knows whom, and without an account.
    Unknown,
}

/// What a look at a user came to.
#[derive(Default)]
struct Seen {
    mended: bool,
    not_mended: bool,
    /// Counted as an administrator and none, or the other way.
    miscounted: Option<(AccountId, bool)>,
}

impl Handle for Handler {
    async fn handle(&self, _: Value, record: &mut Record) -> Result<Handled, Fault> {
        let started = Instant::now();
        let counted = self.administrators.active().await?;
        let (mut actual, mut unseen) = (counted.clone(), counted.clone());
        let (mut users, mut mended, mut not_mended) = (0, 0, 0);
        let mut page = self.first_page().await?;
        let next = loop {
            for user in &page.users {
                unseen.remove(&user.user.account);
            }
            for seen in self.look_at(page.users, &counted, record).await {
                users += 1;
                mended += usize::from(seen.mended);
                not_mended += usize::from(seen.not_mended);
                let Some((account, is_one)) = seen.miscounted else {
                    continue;
                };
                let told = record.regarding(format!("{account} miscounted"), Outcome::Success);
                if self.audit.write(&told).await.is_err() {
                    not_mended += 1;
                    continue;
                }
                if is_one {
                    actual.insert(account);
                } else {
                    actual.remove(&account);
                }
                mended += 1;
            }
            match page.next {
                Some(next) if started.elapsed() < self.budget => {
                    page = self.users.list(None, PAGE, Some(next)).await?;
                }
                next => break next,
            }
        };
        for account in &unseen {
            match self.is_gone(*account, record).await {
                Ok(true) => {
                    actual.remove(account);
                    mended += 1;
                }
                Ok(false) => {}
                Err(_) => not_mended += 1,
            }
        }
        for _ in 0..not_mended {
            telemetry::count(RECONCILE_ACCOUNTS.id, "AccountsNotMended");
        }
        for _ in 0..mended {
            telemetry::count(RECONCILE_ACCOUNTS.id, "AccountsMended");
        }
        let now = Timestamp::now();
        let mut writes = vec![self.accounts.reconcile_from(next.as_deref(), now)?];
        // An empty set would let anybody grant anything alone.
        if actual != counted && !actual.is_empty() {
            writes.push(self.administrators.correct(&counted, &actual, now)?);
        }
        Ok(Handled {
            answer: json!({
                "users": users,
                "mended": mended,
                "not_mended": not_mended,
                "complete": next.is_none(),
            }),
            writes,
            outcome: Outcome::Success,
            reason: None,
        })
    }
}

impl Handler {
    /// Where the last run broke off, or the beginning: Cognito forgets how to go on after a while.
    async fn first_page(&self) -> Result<Page, Fault> {
        if let Some(next) = self.accounts.reconciled_to().await?
            && let Ok(page) = self.users.list(None, PAGE, Some(next)).await
        {
            return Ok(page);
        }
        self.users.list(None, PAGE, None).await
    }

    async fn look_at(
        &self,
        users: Vec<Listed>,
        administrators: &BTreeSet<AccountId>,
        record: &Record,
    ) -> Vec<Seen> {
        stream::iter(users)
            .map(|user| self.try_to_look(user, administrators, record))
            .buffered(AT_ONCE)
            .collect()
            .await
    }

    /// Whatever goes wrong with one user, the others are looked at.
    async fn try_to_look(
        &self,
        listed: Listed,
        administrators: &BTreeSet<AccountId>,
        record: &Record,
    ) -> Seen {
        let account = listed.user.account;
        match self.look(listed, administrators, record).await {
            Ok(seen) => seen,
            Err(_) => {
                let told = format!("{account} not-compared");
                // Where it was the record that failed, the alarm tells of it all the same.
                let _ = self
                    .audit
                    .write(&record.regarding(told, Outcome::Failure))
                    .await;
                Seen {
                    not_mended: true,
                    ..Seen::default()
                }
            }
        }
    }

    async fn look(
        &self,
        listed: Listed,
        administrators: &BTreeSet<AccountId>,
        record: &Record,
    ) -> Result<Seen, Fault> {
        let account = listed.user.account;
        let row = self.accounts.account(account).await?;
        let is_one = row.as_ref().is_some_and(|row| row.acts_as(Role::Admin));
        let mut seen = Seen {
            miscounted: (is_one != administrators.contains(&account)).then_some((account, is_one)),
            ..Seen::default()
        };
        let Some(drift) = self.drift(&listed, row).await? else {
            return Ok(seen);
        };
        // The record first: nothing is mended without one.
        let (told, mending) = match &drift {
            Drift::Abandoned => ("abandoned", true),
            Drift::Misaligned => ("misaligned", true),
            Drift::AddressPending => ("address-pending", true),
            Drift::AddressTaken => ("address-taken", true),
            Drift::AddressForgotten => ("address-forgotten", true),
            Drift::Unknown => ("unknown", false),
        };
        let outcome = if mending {
            Outcome::Success
        } else {
            Outcome::Failure
        };
        let told = format!("{account} {told}");
        self.audit.write(&record.regarding(&*told, outcome)).await?;
        let mended = match drift {
            Drift::Abandoned => self.remove(&listed.user).await,
            Drift::Misaligned => self.realign(account).await.map(|()| true),
            Drift::AddressPending => self.readdress(account).await,
            Drift::AddressTaken => self.give_up(account).await,
            Drift::AddressForgotten => self.forget(&listed).await,
            Drift::Unknown => Ok(false),
        };
        if mending && !matches!(mended, Ok(true)) {
            let record = record.regarding(told, Outcome::Failure);
            self.audit.write(&record).await?;
        }
        seen.mended = matches!(mended, Ok(true));
        // Who was not removed because there is an account after all needs nobody to look.
        seen.not_mended = mended.is_err() || !mending;
        Ok(seen)
    }

    /// Removes a user, unless the same invitation was sent again meanwhile and made the account.
    async fn remove(&self, user: &User) -> Result<bool, Fault> {
        if self.accounts.account(user.account).await?.is_some() {
            return Ok(false);
        }
        self.users.remove(user).await?;
        Ok(true)
    }

    /// Has an administrator whom this run did not come across lost their user? Whoever waits for their
    /// consent would wait for ever.
    async fn is_gone(&self, account: AccountId, record: &Record) -> Result<bool, Fault> {
        if self.users.groups(account).await?.is_some() {
            return Ok(false);
        }
        let told = record.regarding(format!("{account} gone"), Outcome::Success);
        self.audit.write(&told).await?;
        Ok(true)
    }

    /// Carries a change out as it stands now: the user was looked at a while ago, and much may have
    /// happened since.
    async fn readdress(&self, account: AccountId) -> Result<bool, Fault> {
        let Some((_, requested)) = self.proven(account).await? else {
            return Ok(false);
        };
        self.users.change_address(account, &requested.email).await?;
        Ok(true)
    }

    /// Forgets a change that cannot be carried out: the row first, or a next run would not know of it.
    async fn give_up(&self, account: AccountId) -> Result<bool, Fault> {
        let Some((change, _)) = self.proven(account).await? else {
            return Ok(false);
        };
        if !self.changes.forget(account, &change).await? {
            return Ok(false);
        }
        self.users.request_address(account, None).await?;
        Ok(true)
    }

    /// Forgets an address that was asked for, unless another was since.
    async fn forget(&self, listed: &Listed) -> Result<bool, Fault> {
        let account = listed.user.account;
        if self.users.address(account).await? != listed.address {
            return Ok(false);
        }
        self.users.request_address(account, None).await?;
        Ok(true)
    }

    /// The confirmed change of an account, if the pool still keeps the address that it is about.
    async fn proven(&self, account: AccountId) -> Result<Option<(EmailChange, Requested)>, Fault> {
        let (change, address) =
            tokio::try_join!(self.changes.of(account), self.users.address(account))?;
        let proven = change.zip(address.requested);
        Ok(proven.filter(|(change, requested)| change.confirmed && change.is_about(requested)))
    }

    /// To the row as it is now: an administrator may have changed it since it was looked at.
    async fn realign(&self, account: AccountId) -> Result<(), Fault> {
        match self.accounts.account(account).await? {
            Some(row) => self.users.align(&row).await,
            None => Ok(()),
        }
    }

    async fn drift(
        &self,
        listed: &Listed,
        row: Option<AccountRow>,
    ) -> Result<Option<Drift>, Fault> {
        let Some(row) = row else {
            let now = Timestamp::now();
            let unfinished = (now - self.unfinished).as_second() < listed.created_at;
            let ours = listed.user.origin.is_some() && listed.user.waiting;
            return Ok(match (ours, unfinished) {
                (_, true) => None,
                (true, false) => Some(Drift::Abandoned),
                (false, false) => Some(Drift::Unknown),
            });
        };
        let groups = self.users.groups(row.account).await?.unwrap_or_default();
        let aligned =
            groups == [row.role.group()] && listed.enabled == (row.status == Status::Active);
        if !aligned {
            return Ok(Some(Drift::Misaligned));
        }
        let Some(requested) = &listed.address.requested else {
            return Ok(None);
        };
        match self.changes.of(row.account).await? {
            Some(change) if change.confirmed && change.is_about(requested) => {
                let owner = self.users.find(&requested.email).await?;
                let is_taken = owner.is_some_and(|owner| owner.account != row.account);
                Ok(Some(if is_taken {
                    Drift::AddressTaken
                } else {
                    Drift::AddressPending
                }))
            }
            Some(change) if !change.confirmed && change.is_open(Timestamp::now()) => Ok(None),
            _ => Ok(Some(Drift::AddressForgotten)),
        }
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    service_within(aws, BUDGET, UNFINISHED)
}

/// The same with other limits: how long a run goes on, and how long an invitation stays unfinished.
pub fn service_within(
    aws: &Aws,
    budget: Duration,
    unfinished: SignedDuration,
) -> Result<Service, Fault> {
    let handler = Handler {
        accounts: Accounts::new(aws)?,
        administrators: Administrators::new(aws)?,
        changes: EmailChanges::new(aws)?,
        users: Users::new(aws)?,
        audit: Audit::new(aws)?,
        budget,
        unfinished,
    };
    events(aws, &RECONCILE_ACCOUNTS, handler)
}
