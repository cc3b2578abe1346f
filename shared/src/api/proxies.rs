//! Proxies: people whom a patient, or the law, lets act for the patient.

use super::page::Page;
use super::text::{Date, Email, Line};
use super::{Auth, Category, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::{Caller, Decision, OwnAccount, Policies, Principal, Role};
use crate::aws::Capability::{
    CountRequests, CreateAccounts, GrantProxies, InviteUsers, ReadAccounts, ReadPatients,
    RevokeProxies, UnwrapDataKeys, WriteAudit,
};
use crate::http::{Problem, Request};
use crate::ids::{PatientId, ProxyId};
use crate::phi::Opener;
use crate::practice::{AgeBand, Practice};
use crate::store::{AccountRow, Basis, PatientContext, Proxy};
use ::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A patient lets somebody act for them, or the practice a minor's parent.
pub struct GrantProxy;

/// Who is to act for the patient, in what, and until when.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NewProxy {
    /// Where an invitation goes, if nobody signs in with this address yet.
    pub email: Email,
    pub name: Line<1, 100>,
    pub relationship: Relationship,
    pub categories: Categories,
    /// The last day, on the practice's calendar. A parent's grant ends by age and has none.
    pub until: Option<Date>,
}

/// What a proxy is to the patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "&'static str")]
pub enum Relationship {
    SpouseOrPartner,
    Parent,
    Guardian,
    Child,
    Sibling,
    Friend,
    Caregiver,
    Other,
}

impl Relationship {
    const ALL: [Self; 8] = [
        Self::SpouseOrPartner,
        Self::Parent,
        Self::Guardian,
        Self::Child,
        Self::Sibling,
        Self::Friend,
        Self::Caregiver,
        Self::Other,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::SpouseOrPartner => "spouse-or-partner",
            Self::Parent => "parent",
            Self::Guardian => "guardian",
            Self::Child => "child",
            Self::Sibling => "sibling",
            Self::Friend => "friend",
            Self::Caregiver => "caregiver",
            Self::Other => "other",
        }
    }
}

impl From<Relationship> for &'static str {
    fn from(relationship: Relationship) -> Self {
        relationship.as_str()
    }
}

impl TryFrom<String> for Relationship {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, &'static str> {
        let mut known = Self::ALL.into_iter();
        known.find(|one| one.as_str() == name).ok_or(
            "must be one of spouse-or-partner, parent, guardian, child, sibling, friend, caregiver \
             and other",
        )
    }
}

/// One category or more, each once.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "Vec<Category>")]
pub struct Categories(Vec<Category>);

impl TryFrom<Vec<Category>> for Categories {
    type Error = &'static str;

    fn try_from(mut categories: Vec<Category>) -> Result<Self, &'static str> {
        let given = categories.len();
        categories.sort_unstable();
        categories.dedup();
        if given == 0 || given != categories.len() {
            return Err("must be one category or more, each once");
        }
        Ok(Self(categories))
    }
}

impl Categories {
    pub fn has(&self, category: Category) -> bool {
        self.0.contains(&category)
    }

    pub fn names(&self) -> Vec<String> {
        let names = self.0.iter().map(|category| category.as_str().to_owned());
        names.collect()
    }
}

/// A grant and the `Idempotency-Key` it was sent with.
pub struct KeyedProxy {
    pub proxy: NewProxy,
    pub idempotency_key: Line<8, 64>,
}

/// Who a proxy is, in the words of whoever granted it. Sealed with the patient's key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Person {
    pub name: String,
    pub email: String,
    pub relationship: Relationship,
}

impl Person {
    /// Opens what a grant says of its proxy.
    pub fn open(proxy: &Proxy, opener: &Opener) -> Result<Self, Fault> {
        serde_json::from_slice(&proxy.row.open(opener)?)
            .map_err(|_| Fault::Corrupt("a proxy's person"))
    }
}

/// A proxy as those see it who may end the grant.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Granted {
    pub id: ProxyId,
    #[serde(flatten)]
    pub person: Person,
    /// `granted` by the patient, or `parental`.
    pub basis: &'static str,
    pub categories: Vec<String>,
    /// The last day, on the practice's calendar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<jiff::civil::Date>,
    pub granted_at: Timestamp,
    /// `active`, or `expired` by date or by the patient's age.
    pub state: &'static str,
    /// The categories that it opens now: of a parent's, what remains at the patient's age.
    pub in_effect: Vec<String>,
}

impl Granted {
    /// What a patient's grant comes to at this moment, as the policy decides it.
    pub fn new(
        patient: PatientId,
        proxy: &Proxy,
        person: Person,
        age: Option<AgeBand>,
        practice: &Practice,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let mut context = PatientContext::of(Vec::new(), vec![proxy.clone()], Vec::new());
        if let Some(age) = age {
            context.set_age(age);
        }
        // The policy does not ask what else the account is, as long as it may be used.
        let account = AccountRow::new(proxy.account, Role::Patient);
        let active = is_proxied(&account, patient, &context, now)?;
        Ok(Self {
            id: ProxyId::new(proxy.grant),
            person,
            basis: proxy.basis.as_str(),
            categories: proxy.categories.clone(),
            until: proxy.until.map(|until| practice.last_day(until)),
            granted_at: proxy.granted_at,
            state: if active { "active" } else { "expired" },
            in_effect: if active {
                in_effect(proxy, age, practice, now)
            } else {
                Vec::new()
            },
        })
    }
}

/// The categories that a grant which is not over opens: of a parent's, once the child may consent
/// alone to some care, the appointments. Of the child's messages there is nothing from the year on in
/// which that may be so: the functions that handle them know no more than the year of birth.
pub fn in_effect(
    proxy: &Proxy,
    age: Option<AgeBand>,
    practice: &Practice,
    now: Timestamp,
) -> Vec<String> {
    let is_open = |name: &&String| {
        proxy.basis != Basis::Parental
            || name.as_str() == Category::Appointments.as_str()
            || if name.as_str() == Category::Messages.as_str() {
                let by_year = |year| practice.is_child_born_in(year, now);
                proxy.born.is_some_and(by_year)
            } else {
                age == Some(AgeBand::Child)
            }
    };
    proxy.categories.iter().filter(is_open).cloned().collect()
}

/// Does the account act for the patient at this moment? The policy decides.
pub fn is_proxied(
    account: &AccountRow,
    patient: PatientId,
    context: &PatientContext,
    now: Timestamp,
) -> Result<bool, Fault> {
    let decision = Policies::load()?.decide(
        Principal::Account(account),
        ListProxiedPatients::SPEC.action,
        &patient,
        context,
        now,
    )?;
    Ok(matches!(decision, Decision::Permit(_)))
}

/// May the caller, whom the policy lets end grants about this patient, end or replace this one?
/// What the patient granted is the patient's; what the practice granted to the parent of a child is
/// the practice's, because the parent stands in for the patient (45 CFR 164.502(g)(3)); and everybody
/// may give up their own.
pub fn may_end(caller: &Caller, proxy: &Proxy, age: Option<AgeBand>) -> bool {
    caller.row.account == proxy.account
        || match (caller.row.role, proxy.basis) {
            (Role::Patient, Basis::Granted) | (Role::Provider, Basis::Parental) => true,
            (Role::Patient, Basis::Parental) => age != Some(AgeBand::Child),
            _ => false,
        }
}

/// The caller may see the grant, and may not end it.
pub const fn granted_by_another() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "granted-by-another",
        "Somebody else granted this",
        "What a patient granted, the patient changes; what the practice granted to a child's parent, \
         the practice. Ask them to.",
    )
}

impl Operation for GrantProxy {
    const SPEC: &'static Spec = &Spec {
        id: "grant-proxy",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/{patient}/proxies",
            auth: Auth::Token,
        },
        action: "GrantProxy",
        audit: "proxy.grant",
        needs: &[
            ReadAccounts,
            CountRequests,
            CreateAccounts,
            ReadPatients,
            GrantProxies,
            UnwrapDataKeys,
            InviteUsers,
            WriteAudit,
        ],
    };
    const SUCCESS: StatusCode = StatusCode::CREATED;
    type Subject = PatientId;
    type Input = KeyedProxy;
    type Output = Granted;

    fn parse(request: &Request) -> Result<KeyedProxy, Problem> {
        request.no_query()?;
        Ok(KeyedProxy {
            idempotency_key: request.idempotency_key()?,
            proxy: request.body()?,
        })
    }
}

/// Who acts for a patient.
pub struct ListProxies;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct GrantedProxies {
    pub proxies: Vec<Granted>,
}

impl Operation for ListProxies {
    const SPEC: &'static Spec = &Spec {
        id: "list-proxies",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/proxies",
            auth: Auth::Token,
        },
        action: "ListProxies",
        audit: "proxy.list",
        needs: &[ReadAccounts, ReadPatients, UnwrapDataKeys, WriteAudit],
    };
    type Subject = PatientId;
    type Input = ();
    type Output = GrantedProxies;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }
}

/// Ends a proxy's grant.
pub struct RevokeProxy;

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Revoked {
    pub id: ProxyId,
    /// The next request of the proxy's is refused.
    pub revoked_at: Timestamp,
}

impl Operation for RevokeProxy {
    const SPEC: &'static Spec = &Spec {
        id: "revoke-proxy",
        trigger: Trigger::Http {
            method: Method::Delete,
            path: "/v1/patients/{patient}/proxies/{proxy}",
            auth: Auth::Token,
        },
        action: "RevokeProxy",
        audit: "proxy.revoke",
        needs: &[
            ReadAccounts,
            ReadPatients,
            RevokeProxies,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = ProxyId;
    type Output = Revoked;

    fn parse(request: &Request) -> Result<ProxyId, Problem> {
        request.no_query()?;
        request.path("proxy")
    }
}

/// For whom the caller acts.
pub struct ListProxiedPatients;

/// A page of patients.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProxiedPatients {
    pub patients: Vec<ProxiedPatient>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// A patient for whom the caller acts.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProxiedPatient {
    pub id: PatientId,
    /// The grant, with which the caller gives it up.
    pub proxy: ProxyId,
    pub name: String,
    pub basis: &'static str,
    pub categories: Vec<String>,
    /// The last day, on the practice's calendar.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<jiff::civil::Date>,
}

impl Operation for ListProxiedPatients {
    const SPEC: &'static Spec = &Spec {
        id: "list-proxied-patients",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/account/patients",
            auth: Auth::Token,
        },
        action: "ListProxiedPatients",
        audit: "proxy.list-patients",
        needs: &[ReadAccounts, ReadPatients, UnwrapDataKeys, WriteAudit],
    };
    type Subject = OwnAccount;
    type Input = Page;
    type Output = ProxiedPatients;

    fn parse(request: &Request) -> Result<Page, Problem> {
        Page::parse(request, Self::SPEC)
    }
}
