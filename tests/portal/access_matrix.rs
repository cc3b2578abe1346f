//! Who may do what, as the policy decides it: a snapshot that is read at every change.

use crate::harness::world::{is_about_a_patient, specs};
use shared::access::{Decision, OwnAccount, Policies, Portal, Principal, Role};
use shared::api::Spec;
use shared::ids::{AccountId, PatientId, PractitionerId};
use shared::store::{AccountRow, PatientContext, Status};
use std::fmt::Write;
use uuid::Uuid;

const OWN: PatientId = PatientId::new(Uuid::from_u128(1));
const OTHER: PatientId = PatientId::new(Uuid::from_u128(2));
const PRACTITIONER: PractitionerId = PractitionerId::new(Uuid::from_u128(3));
const ACCOUNT: AccountId = AccountId::new(Uuid::from_u128(4));

/// Whose record, seen from the caller.
#[derive(Clone, Copy)]
enum Relation {
    Own,
    CareTeam,
    None,
}

fn row(role: Role, status: Status) -> AccountRow {
    let mut row = AccountRow::new(ACCOUNT, role);
    row.status = status;
    match role {
        Role::Patient => row.patient = Some(OWN),
        Role::Provider => row.practitioner = Some(PRACTITIONER),
        Role::Admin | Role::PrivacyOfficer => {}
    }
    row
}

fn decide(principal: Principal<'_>, spec: &Spec, relation: Relation) -> &'static str {
    let policies = Policies::load().unwrap();
    let mut context = PatientContext::default();
    if matches!(relation, Relation::CareTeam) {
        context.add_to_care_team(PRACTITIONER);
    }
    let patient = if matches!(relation, Relation::Own) {
        OWN
    } else {
        OTHER
    };
    let decision = if is_about_a_patient(spec) {
        policies.decide(principal, spec.action, &patient, &context)
    } else if matches!(principal, Principal::Account(_)) && spec.action != "ActivateAccount" {
        policies.decide(principal, spec.action, &OwnAccount, &context)
    } else {
        policies.decide(principal, spec.action, &Portal, &context)
    };
    match decision.unwrap() {
        Decision::Permit(_) => "permit",
        Decision::Deny => "-",
    }
}

#[test]
fn matrix() {
    let columns: Vec<(String, AccountRow, Relation)> = [
        ("patient, own", Role::Patient, Status::Active, Relation::Own),
        (
            "patient, other",
            Role::Patient,
            Status::Active,
            Relation::None,
        ),
        (
            "patient disabled, own",
            Role::Patient,
            Status::Disabled,
            Relation::Own,
        ),
        (
            "provider, care team",
            Role::Provider,
            Status::Active,
            Relation::CareTeam,
        ),
        (
            "provider, other",
            Role::Provider,
            Status::Active,
            Relation::None,
        ),
        (
            "provider disabled, care team",
            Role::Provider,
            Status::Disabled,
            Relation::CareTeam,
        ),
        ("admin, any", Role::Admin, Status::Active, Relation::None),
        (
            "admin, care team",
            Role::Admin,
            Status::Active,
            Relation::CareTeam,
        ),
        (
            "privacy officer, any",
            Role::PrivacyOfficer,
            Status::Active,
            Relation::None,
        ),
    ]
    .into_iter()
    .map(|(name, role, status, relation)| (name.to_owned(), row(role, status), relation))
    .collect();

    let mut matrix = String::new();
    for spec in specs() {
        writeln!(matrix, "{}", spec.id).unwrap();
        for (name, row, relation) in &columns {
            let decision = decide(Principal::Account(row), spec, *relation);
            writeln!(matrix, "  {name:<30}{decision}").unwrap();
        }
        let anonymous = decide(Principal::Anonymous, spec, Relation::None);
        writeln!(matrix, "  {:<30}{anonymous}", "nobody").unwrap();
        let service = decide(Principal::Service(spec.id), spec, Relation::None);
        writeln!(matrix, "  {:<30}{service}", "its own service").unwrap();
    }
    insta::assert_snapshot!(matrix);
}

/// Whatever the snapshot says: no PHI for those who have no relation to the patient.
#[test]
fn nothing_without_a_relation() {
    for spec in specs().into_iter().filter(|spec| is_about_a_patient(spec)) {
        for role in Role::ALL {
            let row = row(role, Status::Active);
            let decision = decide(Principal::Account(&row), spec, Relation::None);
            assert_eq!(decision, "-", "{} by {role:?}", spec.id);
        }
        for role in [Role::Admin, Role::PrivacyOfficer] {
            let mut row = row(role, Status::Active);
            row.patient = Some(OWN);
            row.practitioner = Some(PRACTITIONER);
            for relation in [Relation::Own, Relation::CareTeam] {
                assert_eq!(
                    decide(Principal::Account(&row), spec, relation),
                    "-",
                    "{}",
                    spec.id
                );
            }
        }
        let other = Principal::Service("import-records");
        assert_eq!(decide(other, spec, Relation::None), "-", "{}", spec.id);
    }
}

/// A disabled account may do nothing, whatever its role and relation.
#[test]
fn nothing_for_disabled_accounts() {
    for spec in specs() {
        for role in Role::ALL {
            let row = row(role, Status::Disabled);
            for relation in [Relation::Own, Relation::CareTeam, Relation::None] {
                let decision = decide(Principal::Account(&row), spec, relation);
                assert_eq!(decision, "-", "{} by {role:?}", spec.id);
            }
        }
    }
}
