//! Who may do what, as the policy decides it: a snapshot that is read at every change.

use crate::harness::request::{With, anonymous};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use shared::access::{Decision, Policies, Principal, Resource, Role, Subject};
use shared::api::proxies::is_proxied;
use shared::api::{Category, Operation, Spec, Trigger, Visitor, visit_all};
use shared::ids::{AccountId, AppointmentId, PatientId, PractitionerId};
use shared::practice::AgeBand;
use shared::store::{
    AccountRow, AppointmentTie, Basis, BreakGlass, CareTeamMember, Disclosure, Item,
    PatientContext, Proxy, SealedRow, Status,
};
use std::fmt::{self, Write};
use uuid::Uuid;

const OWN: PatientId = PatientId::new(Uuid::from_u128(1));
const OTHER: PatientId = PatientId::new(Uuid::from_u128(2));
const PRACTITIONER: PractitionerId = PractitionerId::new(Uuid::from_u128(3));
const ACCOUNT: AccountId = AccountId::new(Uuid::from_u128(4));
const APPOINTMENT: AppointmentId = AppointmentId::new(Uuid::from_u128(6));
const SOMEBODY: AccountId = AccountId::new(Uuid::from_u128(5));
const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// A way of acting: who, on whose record, with which ties to the patient.
#[derive(Clone)]
struct Case {
    row: AccountRow,
    patient: PatientId,
    /// Whose account is acted upon, where it is one.
    account: AccountId,
    context: PatientContext,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proxy = self.context.proxy(ACCOUNT);
        let team = self.context.care_team().iter();
        let team = team.map(|member| (member.practitioner, member.until));
        f.debug_struct("Case")
            .field("row", &self.row)
            .field("patient", &self.patient)
            .field("care_team", &team.collect::<Vec<_>>())
            .field(
                "proxy",
                &proxy.map(|one| (one.basis, &one.categories, one.until)),
            )
            .field(
                "broken",
                &self.context.break_glass(ACCOUNT).map(|one| one.until),
            )
            .field("age", &self.context.age())
            .finish_non_exhaustive()
    }
}

impl Case {
    fn new(role: Role) -> Self {
        let mut row = AccountRow::new(ACCOUNT, role);
        match role {
            Role::Patient => row.patient = Some(OWN),
            Role::Provider => row.practitioner = Some(PRACTITIONER),
            Role::Admin | Role::PrivacyOfficer => {}
        }
        Self {
            row,
            patient: OTHER,
            account: SOMEBODY,
            context: PatientContext::default(),
        }
    }

    fn own(mut self) -> Self {
        self.patient = OWN;
        self.account = ACCOUNT;
        self
    }

    fn disabled(mut self) -> Self {
        self.row.status = Status::Disabled;
        self
    }

    fn care_team(mut self, until: Option<Timestamp>) -> Self {
        self.context = PatientContext::of(vec![member(until)], Vec::new(), Vec::new());
        self
    }

    fn proxy(mut self, basis: Basis, categories: &[Category], until: Option<Timestamp>) -> Self {
        let proxy = proxy(basis, categories, until);
        self.context = PatientContext::of(Vec::new(), vec![proxy], Vec::new());
        self
    }

    /// Whose own record is another's than the one acted upon, or who has none.
    fn representative(mut self) -> Self {
        self.row.patient = None;
        self
    }

    fn parent(self, age: Option<AgeBand>) -> Self {
        let mut case = self.proxy(Basis::Parental, &Category::ALL, None);
        if let Some(age) = age {
            case.context.set_age(age);
        }
        case
    }

    fn appointment(mut self, tie: AppointmentTie) -> Self {
        self.context = PatientContext::default().with_appointments(vec![tie]);
        self
    }

    fn disclosing(mut self, until: Timestamp) -> Self {
        self.context = PatientContext::default().with_disclosures(vec![disclosure(until)]);
        self
    }

    fn aged(mut self, age: AgeBand) -> Self {
        self.context.set_age(age);
        self
    }

    fn break_glass(mut self, until: Timestamp) -> Self {
        let broken = BreakGlass {
            grant: Uuid::nil(),
            account: ACCOUNT,
            until,
        };
        self.context = PatientContext::of(Vec::new(), Vec::new(), vec![broken]);
        self
    }
}

/// An appointment with the case's practitioner: the one that is acted upon, or another one.
fn tie(until: Timestamp, same: bool) -> AppointmentTie {
    let other = AppointmentId::new(Uuid::nil());
    AppointmentTie {
        appointment: if same { APPOINTMENT } else { other },
        practitioner: PRACTITIONER,
        until,
    }
}

fn disclosure(until: Timestamp) -> Disclosure {
    Disclosure {
        grant: Uuid::nil(),
        account: ACCOUNT,
        until,
        row: SealedRow::new("patients", Item::new()),
    }
}

fn member(until: Option<Timestamp>) -> CareTeamMember {
    CareTeamMember {
        practitioner: PRACTITIONER,
        until,
        row: SealedRow::new("patients", Item::new()),
    }
}

fn proxy(basis: Basis, categories: &[Category], until: Option<Timestamp>) -> Proxy {
    Proxy {
        grant: Uuid::nil(),
        account: ACCOUNT,
        basis,
        categories: categories
            .iter()
            .map(|category| category.as_str().to_owned())
            .collect(),
        until,
        born: None,
        granted_at: NOW,
        row: SealedRow::new("patients", Item::new()),
    }
}

fn later() -> Timestamp {
    NOW + SignedDuration::from_secs(1)
}

/// Everybody who may turn up.
fn cases() -> Vec<(String, Case)> {
    let patient = || Case::new(Role::Patient);
    let provider = || Case::new(Role::Provider);
    let mut cases = vec![
        ("patient, own", patient().own()),
        (
            "patient, own, a child",
            patient().own().aged(AgeBand::Child),
        ),
        (
            "patient, own, an adolescent",
            patient().own().aged(AgeBand::Adolescent),
        ),
        (
            "patient, own, an adult",
            patient().own().aged(AgeBand::Adult),
        ),
        ("patient, other", patient()),
        ("patient disabled, own", patient().own().disabled()),
        (
            "proxy for all, expired",
            patient().proxy(Basis::Granted, &Category::ALL, Some(NOW)),
        ),
        (
            "proxy for all, disabled",
            patient()
                .proxy(Basis::Granted, &Category::ALL, None)
                .disabled(),
        ),
        ("representative, other", patient().representative()),
        (
            "parent of a child",
            patient().representative().parent(Some(AgeBand::Child)),
        ),
        (
            "parent of an adolescent",
            patient().representative().parent(Some(AgeBand::Adolescent)),
        ),
        (
            "parent of an adult",
            patient().representative().parent(Some(AgeBand::Adult)),
        ),
        (
            "parent, age not known",
            patient().representative().parent(None),
        ),
        ("provider, care team", provider().care_team(None)),
        (
            "provider, care team until later",
            provider().care_team(Some(later())),
        ),
        (
            "provider, formerly care team",
            provider().care_team(Some(NOW)),
        ),
        ("provider, other", provider()),
        ("provider without practitioner", {
            let mut case = provider();
            case.row.practitioner = None;
            case
        }),
        (
            "provider disabled, care team",
            provider().care_team(None).disabled(),
        ),
        (
            "provider, appointment",
            provider().appointment(tie(later(), true)),
        ),
        (
            "provider, former appointment",
            provider().appointment(tie(NOW, true)),
        ),
        (
            "provider, another appointment",
            provider().appointment(tie(later(), false)),
        ),
        (
            "provider disabled, appointment",
            provider().appointment(tie(later(), true)).disabled(),
        ),
        ("admin, appointment", {
            let mut case = Case::new(Role::Admin).appointment(tie(later(), true));
            case.row.practitioner = Some(PRACTITIONER);
            case
        }),
        ("provider, glass broken", provider().break_glass(later())),
        ("provider, glass mended", provider().break_glass(NOW)),
        (
            "provider disabled, glass broken",
            provider().break_glass(later()).disabled(),
        ),
        ("admin, any", Case::new(Role::Admin)),
        ("admin, own account", Case::new(Role::Admin).own()),
        ("admin, care team", Case::new(Role::Admin).care_team(None)),
        ("admin disabled", Case::new(Role::Admin).disabled()),
        ("privacy officer, any", Case::new(Role::PrivacyOfficer)),
        (
            "privacy officer, own account",
            Case::new(Role::PrivacyOfficer).own(),
        ),
        (
            "privacy officer, glass broken",
            Case::new(Role::PrivacyOfficer).break_glass(later()),
        ),
    ]
    .into_iter()
    .chain([
        (
            "privacy officer, disclosing",
            Case::new(Role::PrivacyOfficer).disclosing(later()),
        ),
        (
            "privacy officer, disclosed",
            Case::new(Role::PrivacyOfficer).disclosing(NOW),
        ),
        (
            "admin, disclosing",
            Case::new(Role::Admin).disclosing(later()),
        ),
    ])
    .map(|(name, case)| (name.to_owned(), case))
    .collect::<Vec<_>>();
    for category in Category::ALL {
        let name = format!("proxy for {}", category.as_str());
        let case = patient().proxy(Basis::Granted, &[category], Some(later()));
        cases.push((name, case));
    }
    cases.push((
        "proxy for all".to_owned(),
        patient().proxy(Basis::Granted, &Category::ALL, Some(later())),
    ));
    cases
}

/// Asks the policy about every operation, each with a resource of its own kind.
struct Asking<'a> {
    principal: Principal<'a>,
    case: &'a Case,
    answers: Vec<(&'static Spec, bool)>,
}

impl Asking<'_> {
    fn ask(&mut self, spec: &'static Spec, subject: &impl Resource) {
        let decision = Policies::load().unwrap().decide(
            self.principal,
            spec.action,
            subject,
            &self.case.context,
            NOW,
        );
        let permits = matches!(decision.unwrap(), Decision::Permit(_));
        self.answers.push((spec, permits));
    }
}

impl Visitor for Asking<'_> {
    fn operation<Op: Operation>(&mut self) {
        let mut request = anonymous().patient(self.case.patient);
        let account = ("account".to_owned(), self.case.account.to_string());
        request.path.push(account);
        request = request
            .concern(&Uuid::nil().to_string())
            .appointment(&APPOINTMENT.to_string());
        request
            .path
            .push(("thread".to_owned(), Uuid::nil().to_string()));
        // Patients have keys of their own, and the practice has one for all who treat, which the
        // privacy officer unlocks to disclose.
        let owner = match self.case.row.role {
            Role::Provider | Role::PrivacyOfficer => "providers",
            _ => "account",
        };
        request.path.push(("owner".to_owned(), owner.to_owned()));
        self.ask(Op::SPEC, &Op::Subject::named(&request).ok().unwrap());
    }

    fn event(&mut self, spec: &'static Spec) {
        self.ask(spec, &shared::access::Portal);
    }
}

fn decisions(principal: Principal<'_>, case: &Case) -> Vec<(&'static Spec, bool)> {
    let mut asking = Asking {
        principal,
        case,
        answers: Vec::new(),
    };
    visit_all(&mut asking);
    asking.answers
}

fn by_account(case: &Case) -> Vec<(&'static Spec, bool)> {
    decisions(Principal::Account(&case.row), case)
}

/// Is the operation, which is about no patient, open to this role?
pub fn permits(spec: &Spec, role: Role) -> bool {
    let answers = by_account(&Case::new(role));
    answers
        .iter()
        .any(|(other, permits)| other.id == spec.id && *permits)
}

/// Is the operation open to whoever acts for their child?
pub fn permits_parents(spec: &Spec) -> bool {
    let parent = Case::new(Role::Patient).representative();
    let answers = by_account(&parent.parent(Some(AgeBand::Child)));
    answers
        .iter()
        .any(|(other, permits)| other.id == spec.id && *permits)
}

fn is_about_a_patient(spec: &Spec) -> bool {
    matches!(spec.trigger, Trigger::Http { path, .. } if path.contains("{patient}"))
}

#[test]
fn matrix() {
    let nobody = Case::new(Role::Patient);
    let mut columns: Vec<_> = cases()
        .iter()
        .map(|(name, case)| (name.clone(), by_account(case)))
        .collect();
    columns.push((
        "nobody".to_owned(),
        decisions(Principal::Anonymous, &nobody),
    ));
    let mut matrix = String::new();
    for (at, (spec, _)) in by_account(&nobody).iter().enumerate() {
        writeln!(matrix, "{}", spec.id).unwrap();
        let permitted = columns.iter().filter(|(_, answers)| answers[at].1);
        for (name, _) in permitted {
            writeln!(matrix, "  {name}").unwrap();
        }
        if decisions(Principal::Service(spec.id), &nobody)[at].1 {
            writeln!(matrix, "  its own service").unwrap();
        }
    }
    insta::assert_snapshot!(matrix);
}

/// A part of the portal that AWS invokes does its own work and no other's.
#[test]
fn services_do_one_thing_each() {
    let nobody = Case::new(Role::Patient);
    let specs = by_account(&nobody);
    for (service, _) in &specs {
        for (spec, permits) in decisions(Principal::Service(service.id), &nobody) {
            let invoked = match spec.trigger {
                Trigger::Event => true,
                Trigger::Socket { route } => route != "$connect",
                Trigger::Http { .. } => false,
            };
            let own = spec.id == service.id && invoked;
            assert_eq!(permits, own, "{} by {}", spec.id, service.id);
        }
    }
}

/// A moment around now, or none.
fn moment() -> impl Strategy<Value = Option<Timestamp>> {
    prop_oneof![
        Just(None),
        (-3_i64..=3).prop_map(|s| Some(NOW + SignedDuration::from_secs(s)))
    ]
}

/// Any account with any ties to any patient.
fn anybody() -> impl Strategy<Value = Case> {
    let role = select(Role::ALL.to_vec());
    let status = select(vec![Status::Active, Status::Active, Status::Disabled]);
    let ids = (any::<bool>(), any::<bool>(), any::<bool>());
    let basis = select(vec![Basis::Granted, Basis::Parental]);
    let age = prop_oneof![Just(None), select(AgeBand::ALL.to_vec()).prop_map(Some)];
    let categories = subsequence(Category::ALL.to_vec(), 0..=Category::ALL.len());
    let ties = (
        proptest::option::of(moment()),
        proptest::option::of((basis, categories, moment())),
        proptest::option::of(moment()),
        proptest::option::of((-3_i64..=3, any::<bool>())),
        proptest::option::of(moment()),
    );
    (role, status, ids, age, ties).prop_map(|(role, status, ids, age, ties)| {
        let (own_patient, own_practitioner, own_record) = ids;
        let (team, granted, broken, appointment, disclosing) = ties;
        let mut row = AccountRow::new(ACCOUNT, role);
        row.status = status;
        row.patient = own_patient.then_some(OWN);
        row.practitioner = own_practitioner.then_some(PRACTITIONER);
        let broken = broken.flatten().map(|until| BreakGlass {
            grant: Uuid::nil(),
            account: ACCOUNT,
            until,
        });
        let granted = granted.map(|(basis, categories, until)| proxy(basis, &categories, until));
        let mut context = PatientContext::of(
            team.map(member).into_iter().collect(),
            granted.into_iter().collect(),
            broken.into_iter().collect(),
        );
        context = context.with_appointments(
            appointment
                .map(|(seconds, same)| tie(NOW + SignedDuration::from_secs(seconds), same))
                .into_iter()
                .collect(),
        );
        let disclosing = disclosing.flatten().map(disclosure);
        context = context.with_disclosures(disclosing.into_iter().collect());
        if let Some(age) = age {
            context.set_age(age);
        }
        Case {
            row,
            patient: if own_record { OWN } else { OTHER },
            account: if own_record { ACCOUNT } else { SOMEBODY },
            context,
        }
    })
}

/// Does the appointment that is acted upon permit its practitioner something?
fn looks_after(case: &Case) -> bool {
    let row = &case.row;
    let tie = case.context.appointment(APPOINTMENT);
    row.status == Status::Active
        && row.role == Role::Provider
        && tie.is_some_and(|tie| Some(tie.practitioner) == row.practitioner && NOW < tie.until)
}

fn is_about_an_appointment(spec: &Spec) -> bool {
    matches!(spec.trigger, Trigger::Http { path, .. } if path.contains("{appointment}"))
}

/// What must hold whatever the policies are: said once more, in another language.
fn may_reach_the_record(case: &Case) -> bool {
    let row = &case.row;
    let lasts = |until: Option<Timestamp>| until.is_none_or(|until| NOW < until);
    let context = &case.context;
    let is_self = row.role == Role::Patient && row.patient == Some(case.patient);
    let treats = row.role == Role::Provider
        && row.practitioner.is_some()
        && context
            .care_team()
            .iter()
            .any(|member| Some(member.practitioner) == row.practitioner && lasts(member.until));
    let broke = row.role == Role::Provider
        && context
            .break_glass(ACCOUNT)
            .is_some_and(|broken| NOW < broken.until);
    let represents = row.role == Role::Patient
        && context.proxy(ACCOUNT).is_some_and(|proxy| {
            lasts(proxy.until)
                && !proxy.categories.is_empty()
                && (proxy.basis == Basis::Granted
                    || matches!(context.age(), Some(AgeBand::Child | AgeBand::Adolescent)))
        });
    row.status == Status::Active && (is_self || treats || broke || represents)
}

/// Operations about a patient that are open to a role without a relation to this patient, and why.
const WITHOUT_RELATION: [&str; 1] = [
    // Emergencies begin without a relation (45 CFR 164.312(a)(2)(ii)).
    "break-glass",
];

/// What the privacy officer, and nobody else without a relation, does about a patient, and why.
const OF_THE_PRIVACY_OFFICE: [&str; 4] = [
    // Somebody has to receive and answer requests to amend (45 CFR 164.526(f)).
    "review-amendment",
    // And to pass on what the law asks for (45 CFR 164.512).
    "disclose-messages",
    // To account for that, and to leave out of it what agencies ask to (45 CFR 164.528).
    "account-disclosures",
    "suspend-accounting",
];

/// What an adolescent's parents do (45 CFR 164.502(g)(3)).
const OF_AN_ADOLESCENT: [&str; 13] = [
    "hold-slot",
    "book-appointment",
    "list-appointments",
    "get-appointment",
    "reschedule-appointment",
    "cancel-appointment",
    "join-waitlist",
    "list-waitlist",
    "leave-waitlist",
    "get-calendar",
    "open-calendar",
    "revoke-calendar",
    // They may give it up.
    "revoke-proxy",
];

/// What the privacy officer reads of a patient while a disclosure is open to them.
const OF_A_DISCLOSURE: [&str; 3] = ["get-message-keys", "list-threads", "read-thread"];

fn is_privacy_office(case: &Case, spec: &Spec) -> bool {
    let row = &case.row;
    let disclosure = case.context.disclosure(ACCOUNT);
    let is_open = disclosure.is_some_and(|disclosure| NOW < disclosure.until);
    row.role == Role::PrivacyOfficer
        && row.status == Status::Active
        && (OF_THE_PRIVACY_OFFICE.contains(&spec.id)
            || is_open && OF_A_DISCLOSURE.contains(&spec.id))
}

/// Their own account, and others' accounts.
const OF_ADMINISTRATORS: [&str; 12] = [
    "get-account",
    "sign-out-everywhere",
    "list-sessions",
    "end-session",
    "request-email-change",
    "confirm-email-change",
    "invite-user",
    "issue-activation",
    "list-users",
    "update-user",
    "sign-out-user",
    "reset-user-mfa",
];

proptest! {
    #[test]
    fn nothing_without_a_relation(case in anybody()) {
        for (spec, permits) in by_account(&case) {
            if permits && is_about_a_patient(spec) && !WITHOUT_RELATION.contains(&spec.id) {
                let by_appointment = is_about_an_appointment(spec) && looks_after(&case);
                let may = may_reach_the_record(&case)
                    || is_privacy_office(&case, spec)
                    || by_appointment;
                prop_assert!(may, "{}", spec.id);
            }
        }
    }

    #[test]
    fn no_record_for_those_who_manage(case in anybody(), role in select(vec![Role::Admin, Role::PrivacyOfficer])) {
        let mut case = case;
        case.row.role = role;
        for (spec, permits) in by_account(&case) {
            let read = is_about_a_patient(spec) && !WITHOUT_RELATION.contains(&spec.id);
            let office = is_privacy_office(&case, spec);
            prop_assert!(!(permits && read) || office, "{} by {role:?}", spec.id);
        }
    }

    /// Accounts are all that administrators have: no list, no search and no log shows them a patient.
    #[test]
    fn administrators_have_accounts_alone(case in anybody()) {
        let mut case = case;
        case.row.role = Role::Admin;
        for (spec, permits) in by_account(&case) {
            prop_assert!(!permits || OF_ADMINISTRATORS.contains(&spec.id), "{}", spec.id);
        }
    }

    /// Breaking the glass takes no relation, and so it takes to be a provider whom the practice knows.
    #[test]
    fn providers_alone_break_glass(case in anybody()) {
        for (spec, permits) in by_account(&case) {
            let row = &case.row;
            if permits && spec.id == "break-glass" {
                prop_assert!(row.role == Role::Provider && row.practitioner.is_some());
            }
        }
    }

    #[test]
    fn nobody_administers_themselves(case in anybody()) {
        let mut case = case;
        case.account = ACCOUNT;
        for (spec, permits) in by_account(&case) {
            let administers =
                matches!(spec.trigger, Trigger::Http { path, .. } if path.contains("{account}"));
            prop_assert!(!(permits && administers), "{}", spec.id);
        }
    }

    #[test]
    fn nothing_for_disabled_accounts(case in anybody()) {
        for (spec, permits) in by_account(&case.disabled()) {
            prop_assert!(!permits, "{}", spec.id);
        }
    }

    /// Whom a proxy may list is who may reach the record as a proxy, and a parent of a child, or of an
    /// adolescent whose appointments they may make.
    #[test]
    fn lists_hold_who_is_proxied(case in anybody()) {
        let mut case = case;
        let age = case.context.age();
        case.patient = OTHER;
        case.context = PatientContext::of(Vec::new(), case.context.proxies().to_vec(), Vec::new());
        if let Some(age) = age {
            case.context.set_age(age);
        }
        let listed = is_proxied(&case.row, OTHER, &case.context, NOW).unwrap();
        let proxy = case.context.proxy(ACCOUNT);
        let parental = proxy.is_some_and(|one| one.basis == Basis::Parental);
        let makes = proxy.is_some_and(|one| one.categories.iter().any(|name| name == "appointments"));
        let minor = match case.context.age() {
            Some(AgeBand::Child) => true,
            Some(AgeBand::Adolescent) => makes,
            Some(AgeBand::Adult) | None => false,
        };
        prop_assert_eq!(listed, may_reach_the_record(&case) && (minor || !parental));
    }

    /// Whatever was granted to them, parents of an adolescent make and see appointments, and no more.
    #[test]
    fn parents_of_adolescents_have_the_appointments(
        categories in subsequence(Category::ALL.to_vec(), 0..=Category::ALL.len()),
    ) {
        let case = Case::new(Role::Patient).representative();
        let mut case = case.proxy(Basis::Parental, &categories, None);
        case.context.set_age(AgeBand::Adolescent);
        let granted = categories.contains(&Category::Appointments);
        for (spec, permits) in by_account(&case) {
            if is_about_a_patient(spec) {
                let of_theirs = OF_AN_ADOLESCENT.contains(&spec.id);
                prop_assert_eq!(permits, of_theirs && granted, "{}", spec.id);
            }
        }
    }

    /// A grant that is over adds nothing: the same decisions as without it.
    #[test]
    fn what_is_over_permits_nothing(case in anybody()) {
        let is_over = |until: Option<Timestamp>| until.is_some_and(|until| until <= NOW);
        let mut without = case.clone();
        without.context = PatientContext::of(
            case.context.care_team().iter().filter(|m| !is_over(m.until)).cloned().collect(),
            case.context.proxies().iter().filter(|p| !is_over(p.until)).cloned().collect(),
            case.context
                .break_glass(ACCOUNT)
                .filter(|broken| !is_over(Some(broken.until)))
                .cloned()
                .into_iter()
                .collect(),
        )
        .with_appointments(
            case.context
                .appointments()
                .iter()
                .filter(|tie| NOW < tie.until)
                .copied()
                .collect(),
        )
        .with_disclosures(
            case.context
                .disclosure(ACCOUNT)
                .filter(|disclosing| !is_over(Some(disclosing.until)))
                .cloned()
                .into_iter()
                .collect(),
        );
        if let Some(age) = case.context.age() {
            without.context.set_age(age);
        }
        for ((spec, with), (_, without)) in by_account(&case).iter().zip(by_account(&without)) {
            prop_assert!(!with || without, "{}", spec.id);
        }
    }

    /// Forbid beats permit: a parent of somebody of age sees nothing, whatever categories were granted.
    #[test]
    fn parents_of_adults_see_nothing(case in anybody()) {
        let mut case = case;
        case.row.role = Role::Patient;
        case.row.patient = None;
        let mut context = PatientContext::of(
            Vec::new(),
            vec![proxy(Basis::Parental, &Category::ALL, None)],
            Vec::new(),
        );
        context.set_age(AgeBand::Adult);
        case.context = context;
        for (spec, permits) in by_account(&case) {
            prop_assert!(!(permits && is_about_a_patient(spec)), "{}", spec.id);
        }
    }
}
