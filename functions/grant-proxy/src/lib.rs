//! Lets somebody act for a patient: at the patient's word, or for a minor's parent at the practice's.

use http::StatusCode;
use jiff::{Timestamp, ToSpan};
use shared::Fault;
use shared::access::{Access, Role};
use shared::api::profile::Profile;
use shared::api::proxies::{GrantProxy, Granted, KeyedProxy, Person, granted_by_another, may_end};
use shared::api::text::Date;
use shared::api::{Category, Operation};
use shared::aws::Aws;
use shared::http::{Change, Changed, Problem, changes};
use shared::identity::{User, Users};
use shared::ids::PatientId;
use shared::phi::{Opener, Phi};
use shared::practice::{AgeBand, Practice};
use shared::serve::Service;
use shared::store::{
    AccountRow, Accounts, Allowance, Basis, Item, Proxies, Proxy, SealedRow, Turn,
};
use uuid::Uuid;

/// So many proxies a patient has at most, those included whose grants expired and were not ended.
const AT_MOST: usize = 10;

/// So many people somebody may name in half a day: those without an account get mail.
const ALLOWANCE: Allowance = Allowance {
    requests: 20,
    window: 43_200,
};

/// What a user was made by who was invited as a proxy. It does not say by whom: whoever invites an
/// address invites the person who reads mail there, to an account that sees what was granted to it,
/// so any grant may go on with a user that a broken-off one left behind.
const ORIGIN: &str = "proxy";

struct Handler {
    accounts: Accounts,
    proxies: Proxies,
    users: Users,
    practice: Practice,
}

impl Change<GrantProxy> for Handler {
    /// Nobody gets an invitation before it is certain that the grant may be made. Whether the address
    /// had an account is not told: the answer is the same, and so are the refusals.
    async fn change(
        &self,
        access: &Access<PatientId>,
        opener: &Opener,
        KeyedProxy {
            proxy: new,
            idempotency_key,
        }: KeyedProxy,
    ) -> Result<Changed<Granted>, Problem> {
        let refused = |problem| Ok(Changed::refused(Vec::new(), problem));
        let now = Timestamp::now();
        let patient = access.patient();
        let age = Profile::age(opener, &self.practice, now)?;
        // The policy lets patients grant, and providers of the care team.
        let basis = match access.caller().row.role {
            Role::Patient => Basis::Granted,
            _ => Basis::Parental,
        };
        let until = self.until(basis, new.until.as_ref(), now)?;
        if basis == Basis::Parental && !matches!(age, Some(AgeBand::Child | AgeBand::Adolescent)) {
            return refused(not_a_minor());
        }
        if basis == Basis::Granted && matches!(age, Some(AgeBand::Child)) {
            return refused(child());
        }

        let email = new.email.as_str();
        let user = self.users.find(email).await?;
        let row = match &user {
            Some(user) => self.accounts.account(user.account).await?,
            None => None,
        };
        if !is_usable(patient, user.as_ref(), row.as_ref()) {
            return refused(address_not_usable());
        }
        let context = opener.context();
        let former = user.as_ref().and_then(|user| context.proxy(user.account));
        match former {
            Some(former) if !may_end(access.caller(), former, age) => {
                return refused(granted_by_another());
            }
            None if context.proxies().len() >= AT_MOST => return refused(too_many_proxies()),
            // Whether this one would be invited is not told: all count.
            None => {
                let turn =
                    self.accounts
                        .take_turn(access.account(), GrantProxy::SPEC.id, ALLOWANCE, now);
                if let Turn::Wait(seconds) = turn.await? {
                    return refused(Problem::too_many_requests(seconds));
                }
            }
            Some(_) => {}
        }
        let (account, user) = match (user, row) {
            (Some(user), Some(_)) => {
                // Who let the first password run out would otherwise never get in.
                if user.waiting && user.origin.as_deref() == Some(ORIGIN) {
                    self.users.invite_again(email).await?;
                }
                (user.account, None)
            }
            (user, _) => {
                let user = self.invited(email, user).await?;
                (user.account, Some(user))
            }
        };

        let person = Person {
            name: new.name.into(),
            email: new.email.into(),
            relationship: new.relationship,
        };
        let name = format!(
            "{} {account} {}",
            access.account(),
            idempotency_key.as_str()
        );
        let proxy = Proxy {
            grant: Uuid::new_v5(&patient.uuid(), name.as_bytes()),
            account,
            basis,
            born: match basis {
                Basis::Parental if new.categories.has(Category::Messages) => {
                    Profile::year_of_birth(opener)?
                }
                _ => None,
            },
            categories: new.categories.names(),
            until,
            granted_at: now,
            row: SealedRow::new("patients", Item::new()),
        };
        if let Some(former) = former.filter(|former| former.grant == proxy.grant) {
            // This request was here before, and its answer got lost.
            let is_same = former.categories == proxy.categories
                && former.until == proxy.until
                && Person::open(former, opener)? == person;
            if !is_same {
                return Err(Problem::key_used_before());
            }
            let answer = Granted::new(patient, former, person, age, &self.practice, now)?;
            let grant = proxy.grant.to_string();
            return Ok(Changed::done(Vec::new(), Phi::new(answer)).regarding(grant));
        }
        let sealed = serde_json::to_vec(&person).map_err(|_| Fault::Defect("a person as JSON"))?;
        let mut writes = self.proxies.grant(access, opener, &proxy, &sealed)?;
        if let Some(user) = user {
            self.users.add_to_group(&user, Role::Patient).await?;
            let row = AccountRow::new(account, Role::Patient);
            writes.push(self.accounts.create(&row)?);
        }
        let answer = Granted::new(patient, &proxy, person, age, &self.practice, now)?;
        Ok(Changed::done(writes, Phi::new(answer)).regarding(proxy.grant.to_string()))
    }
}

/// May whoever signs in with this address act for the patient? Staff may not, in the account that
/// they work with; nor the patient, who needs no grant; nor a user of whom nobody knows yet what
/// they will be; nor whoever merely said that the address is theirs.
fn is_usable(patient: PatientId, user: Option<&User>, row: Option<&AccountRow>) -> bool {
    match (user, row) {
        (None, _) => true,
        (Some(user), Some(row)) => {
            user.verified && row.role == Role::Patient && row.patient != Some(patient)
        }
        (Some(user), None) => user.origin.as_deref() == Some(ORIGIN),
    }
}

impl Handler {
    /// The user who is to have an account: a new one, or one whom an earlier try left without. Their
    /// password may have expired since, so they get another.
    async fn invited(&self, email: &str, user: Option<User>) -> Result<User, Problem> {
        match user {
            Some(user) => {
                if user.waiting {
                    self.users.invite_again(email).await?;
                }
                Ok(user)
            }
            None => {
                let user = self.users.invite(email, ORIGIN).await?;
                user.ok_or(Problem::changed_meanwhile())
            }
        }
    }

    /// When the access ends by date.
    fn until(
        &self,
        basis: Basis,
        day: Option<&Date>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Problem> {
        let wrong = |must: &'static str| Problem::field("/until", must);
        match (basis, day) {
            (Basis::Parental, None) => Ok(None),
            (Basis::Parental, Some(_)) => Err(wrong(
                "must be left out: a parent's access ends by the patient's age",
            )),
            (Basis::Granted, day) => {
                let today = self.practice.today(now);
                let day = day
                    .and_then(Date::day)
                    .filter(|day| (today..=today.saturating_add(5.years())).contains(day))
                    .ok_or_else(|| {
                        wrong("must be the last day of access, from today to five years ahead")
                    })?;
                Ok(Some(self.practice.end_of(day)?))
            }
        }
    }
}

const fn not_a_minor() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "not-a-minor",
        "The patient is not known to be a minor",
        "Patients of age say themselves who acts for them: ask the patient to do it in the portal.",
    )
}

/// A child's own account, from before the practice raised the age or the date of birth was corrected.
const fn child() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "for-parents",
        "You are too young to say who acts for you",
        "Your parents can: they ask the practice.",
    )
}

const fn address_not_usable() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "address-not-usable",
        "This e-mail address cannot be used here",
        "Ask the person for another address that they read, and send that.",
    )
}

const fn too_many_proxies() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "too-many-proxies",
        "Ten people can act for a patient",
        "End a grant that is not needed any more, or one that has expired, and try again.",
    )
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    changes::<GrantProxy>(
        aws,
        Handler {
            accounts: Accounts::new(aws)?,
            proxies: Proxies::new(aws)?,
            users: Users::new(aws)?,
            practice: aws.practice().clone(),
        },
    )
}
