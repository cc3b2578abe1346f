//! Who may do what: the caller, the policy (Cedar), and [`Access`], the proof of permission.

mod caller;
mod policy;

pub use caller::{Anonymous, By, Caller, Claims, Role, SignIn};
pub use policy::{Decision, Permitted, Policies, Principal, Resource};

use crate::api::message_keys::{Group, Party};
use crate::http::{Problem, Request};
use crate::ids::{AccountId, AppointmentId, ConcernId, PatientId};
use std::str::FromStr;

/// What an operation is about, as Cedar sees it.
pub trait Subject: Clone + Send + Sync + 'static {
    /// Who may act on it at all: somebody signed in, or nobody.
    type By: By;

    /// Reads who or what a request names. Nothing is proven by it.
    fn named(request: &Request) -> Result<Self, Problem>;

    fn patient(&self) -> Option<PatientId>;

    /// What it is called in the audit record, where it is no patient.
    fn resource(&self) -> Option<String> {
        None
    }
}

impl Subject for PatientId {
    type By = Caller;

    fn named(request: &Request) -> Result<Self, Problem> {
        request.path("patient")
    }

    fn patient(&self) -> Option<PatientId> {
        Some(*self)
    }
}

/// The caller's own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnAccount;

impl Subject for OwnAccount {
    type By = Caller;

    fn named(_: &Request) -> Result<Self, Problem> {
        Ok(Self)
    }

    fn patient(&self) -> Option<PatientId> {
        None
    }
}

/// Somebody's account, to whoever manages it.
impl Subject for AccountId {
    type By = Caller;

    fn named(request: &Request) -> Result<Self, Problem> {
        request.path("account")
    }

    fn patient(&self) -> Option<PatientId> {
        None
    }

    fn resource(&self) -> Option<String> {
        Some(self.to_string())
    }
}

/// The practice as a whole: its accounts, its patients, its work lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Practice;

impl Subject for Practice {
    type By = Caller;

    fn named(_: &Request) -> Result<Self, Problem> {
        Ok(Self)
    }

    fn patient(&self) -> Option<PatientId> {
        None
    }
}

/// Whose key of messages is made or unlocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyOwner {
    OwnAccount,
    Group(Group),
}

impl KeyOwner {
    /// The owner as the key log names it, for this caller.
    pub const fn party(self, account: AccountId) -> Party {
        match self {
            Self::OwnAccount => Party::Account(account),
            Self::Group(group) => Party::Group(group),
        }
    }
}

impl FromStr for KeyOwner {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        match text {
            "account" => Ok(Self::OwnAccount),
            group => group
                .parse()
                .map(Self::Group)
                .map_err(|_| "must be account or providers"),
        }
    }
}

impl Subject for KeyOwner {
    type By = Caller;

    fn named(request: &Request) -> Result<Self, Problem> {
        request.path("owner")
    }

    fn patient(&self) -> Option<PatientId> {
        None
    }
}

/// A concern about an access. What permits something here is on the concern, not on the record of the
/// patient behind it.
impl Subject for ConcernId {
    type By = Caller;

    fn named(request: &Request) -> Result<Self, Problem> {
        request.path("concern")
    }

    fn patient(&self) -> Option<PatientId> {
        None
    }
}

/// One appointment of a patient's. Besides whoever may act on the patient's appointments, the policy
/// knows whom this one is with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppointmentOf {
    patient: PatientId,
    appointment: AppointmentId,
}

impl AppointmentOf {
    pub(crate) const fn new(patient: PatientId, appointment: AppointmentId) -> Self {
        Self {
            patient,
            appointment,
        }
    }
}

impl Subject for AppointmentOf {
    type By = Caller;

    fn named(request: &Request) -> Result<Self, Problem> {
        Ok(Self {
            patient: request.path("patient")?,
            appointment: request.path("appointment")?,
        })
    }

    fn patient(&self) -> Option<PatientId> {
        Some(self.patient)
    }

    fn resource(&self) -> Option<String> {
        Some(self.appointment.to_string())
    }
}

/// The portal itself, before anybody is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Portal;

impl Subject for Portal {
    type By = Anonymous;

    fn named(_: &Request) -> Result<Self, Problem> {
        Ok(Self)
    }

    fn patient(&self) -> Option<PatientId> {
        None
    }
}

/// A subject that a request names and nobody has permitted yet. It is enough to fetch sealed rows
/// while the account row is still on its way, and for nothing else.
#[derive(Debug, Clone)]
pub struct Unproven<S>(S);

impl<S: Subject> Unproven<S> {
    pub(crate) const fn new(subject: S) -> Self {
        Self(subject)
    }
}

impl Unproven<PatientId> {
    pub const fn patient(&self) -> PatientId {
        self.0
    }
}

impl Unproven<AppointmentOf> {
    pub const fn patient(&self) -> PatientId {
        self.0.patient
    }

    pub const fn appointment(&self) -> AppointmentId {
        self.0.appointment
    }

    /// The patient whose appointment it is.
    pub const fn whose(&self) -> Unproven<PatientId> {
        Unproven(self.0.patient)
    }
}

/// Proof that the policy permits this caller this action on this subject. Only the pipeline makes
/// one, from a decision of Cedar's.
#[derive(Debug)]
pub struct Access<S: Subject> {
    subject: S,
    by: S::By,
}

impl<S: Subject> Access<S> {
    pub(crate) fn new(subject: S, by: S::By, _: &Permitted) -> Self {
        Self { subject, by }
    }
}

impl<S: Subject<By = Caller>> Access<S> {
    /// The account that acts.
    pub const fn account(&self) -> AccountId {
        self.by.row.account
    }

    pub const fn caller(&self) -> &Caller {
        &self.by
    }
}

impl Access<AccountId> {
    /// The account that is acted upon; [`Access::account`] is the one that acts.
    pub const fn whose(&self) -> AccountId {
        self.subject
    }
}

impl Access<ConcernId> {
    pub const fn concern(&self) -> ConcernId {
        self.subject
    }
}

impl Access<KeyOwner> {
    /// Whose key it is.
    pub const fn owner(&self) -> Party {
        self.subject.party(self.by.row.account)
    }
}

impl Access<PatientId> {
    pub const fn patient(&self) -> PatientId {
        self.subject
    }
}

impl Access<AppointmentOf> {
    pub const fn patient(&self) -> PatientId {
        self.subject.patient
    }
}
