//! A patient's profile: who they are to the practice, and how to reach them.

use super::text::{Email, Line, Phone};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::aws::Capability::{
    ReadAccounts, ReadPatients, UnwrapDataKeys, WriteAudit, WriteContact,
};
use crate::fhir::patient::{Deceased, Patient};
use crate::http::{Object, Problem, Request};
use crate::ids::PatientId;
use crate::phi::Opener;
use crate::practice::{AgeBand, Practice};
use crate::store::ImportState;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};

/// A profile as it is read.
pub struct GetProfile;

/// What the practice holds about who a patient is (FHIR R4 Patient).
#[derive(Serialize)]
pub struct Profile {
    pub id: PatientId,
    /// The medical record number.
    pub mrn: String,
    /// The name as it is written: prefix, given, family, suffix.
    pub name: String,
    /// `YYYY`, `YYYY-MM` or `YYYY-MM-DD`, as the practice recorded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// FHIR AdministrativeGender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    pub deceased: bool,
    /// BCP 47.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_language: Option<String>,
    pub contact: Contact,
    /// Who last set the contact details: `practice` or `patient`.
    pub contact_source: &'static str,
    /// False while an import is under way, or after one that broke off: entries may be missing.
    pub record_complete: bool,
    /// Counts the patient's changes; the ETag.
    #[serde(skip)]
    pub version: u64,
}

/// How to reach a patient.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
}

/// A postal address.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    #[serde(default)]
    pub lines: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

impl Profile {
    /// Opens a patient's profile.
    pub fn open(patient: PatientId, opener: &Opener) -> Result<Self, Fault> {
        let context = opener.context();
        let imported = imported(opener)?;
        let (contact, contact_source) = match context.contact() {
            Some(row) => {
                let contact = serde_json::from_slice(&row.open(opener)?)
                    .map_err(|_| Fault::Corrupt("contact details"))?;
                (contact, "patient")
            }
            None => (Contact::imported(&imported), "practice"),
        };
        Ok(Self {
            id: patient,
            mrn: imported
                .medical_record_number
                .as_ref()
                .ok_or(TORN)?
                .value
                .clone(),
            name: imported.display_name().unwrap_or_default(),
            birth_date: imported
                .birth_date
                .as_ref()
                .map(|date| date.as_str().to_owned()),
            gender: imported.gender.clone(),
            deceased: imported.deceased != Deceased::No,
            preferred_language: imported.language.as_ref().and_then(|language| {
                language
                    .coding
                    .iter()
                    .find_map(|coding| coding.code.clone())
            }),
            contact,
            contact_source,
            record_complete: context.import_state() == ImportState::Complete,
            version: context.contact_version(),
        })
    }

    /// How old the patient is on the practice's date; none if that is not known. Where the day or
    /// month of birth is not, it counts as the earliest that it may be.
    pub fn age(
        opener: &Opener,
        practice: &Practice,
        now: Timestamp,
    ) -> Result<Option<AgeBand>, Fault> {
        let born = imported(opener)?
            .birth_date
            .and_then(|date| date.earliest());
        Ok(born.map(|born| practice.age(born, now)))
    }
}

const TORN: Fault = Fault::Corrupt("a Patient resource");

/// The Patient resource as the practice's record system gave it.
pub(crate) fn imported(opener: &Opener) -> Result<Patient, Fault> {
    let resource = opener.context().profile()?.open(opener)?;
    let resource = String::from_utf8(resource).map_err(|_| TORN)?;
    Patient::parse(&resource).map_err(|_| TORN)
}

impl Contact {
    /// The contact details as the practice's record system gives them.
    fn imported(patient: &Patient) -> Self {
        Self {
            phone: patient.phones().find_map(|point| point.value.clone()),
            email: patient.emails().find_map(|point| point.value.clone()),
            address: patient.address().map(|address| Address {
                lines: address.lines(),
                city: address.city.clone(),
                state: address.state.clone(),
                postal_code: address.postal_code.clone(),
                country: address.country.clone(),
            }),
        }
    }
}

impl Operation for GetProfile {
    const SPEC: &'static Spec = &Spec {
        id: "get-profile",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/profile",
            auth: Auth::Token,
        },
        action: "GetProfile",
        audit: "profile.read",
        needs: &[ReadAccounts, ReadPatients, UnwrapDataKeys, WriteAudit],
    };
    type Subject = PatientId;
    type Input = ();
    type Output = Profile;

    fn parse(request: &Request) -> Result<(), Problem> {
        request.no_query()
    }

    fn etag(profile: &Profile) -> Option<u64> {
        Some(profile.version)
    }
}

/// A change of contact details.
pub struct UpdateProfile;

/// What changes: a field that is not sent stays, a field that is null goes (RFC 7396).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactChange {
    #[serde(default, deserialize_with = "given")]
    pub phone: Option<Option<Phone>>,
    #[serde(default, deserialize_with = "given")]
    pub email: Option<Option<Email>>,
    #[serde(default, deserialize_with = "given_object")]
    pub address: Option<Option<NewAddress>>,
}

/// An address, whole: it replaces the one before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAddress {
    pub lines: Lines,
    pub city: Line<1, 100>,
    pub state: Option<Line<1, 100>>,
    pub postal_code: Option<Line<1, 20>>,
    pub country: Option<Line<2, 60>>,
}

/// One to four lines of an address.
#[derive(Deserialize)]
#[serde(try_from = "Vec<Line<1, 100>>")]
pub struct Lines(Vec<Line<1, 100>>);

impl TryFrom<Vec<Line<1, 100>>> for Lines {
    type Error = &'static str;

    fn try_from(lines: Vec<Line<1, 100>>) -> Result<Self, &'static str> {
        if (1..=4).contains(&lines.len()) {
            Ok(Self(lines))
        } else {
            Err("must hold 1 to 4 lines")
        }
    }
}

/// Tells null from absent.
fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// The same for an object.
fn given_object<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let value: Option<Object<T>> = Option::deserialize(deserializer)?;
    Ok(Some(value.map(|Object(value)| value)))
}

impl ContactChange {
    /// The contact details after the change.
    pub fn applied_to(self, mut contact: Contact) -> Contact {
        if let Some(phone) = self.phone {
            contact.phone = phone.map(Into::into);
        }
        if let Some(email) = self.email {
            contact.email = email.map(Into::into);
        }
        if let Some(address) = self.address {
            contact.address = address.map(Into::into);
        }
        contact
    }
}

impl From<NewAddress> for Address {
    fn from(new: NewAddress) -> Self {
        Self {
            lines: new.lines.0.into_iter().map(Into::into).collect(),
            city: Some(new.city.into()),
            state: new.state.map(Into::into),
            postal_code: new.postal_code.map(Into::into),
            country: new.country.map(Into::into),
        }
    }
}

/// A change and the version it was made on.
pub struct VersionedChange {
    pub version: u64,
    pub change: ContactChange,
}

impl Operation for UpdateProfile {
    const SPEC: &'static Spec = &Spec {
        id: "update-profile",
        trigger: Trigger::Http {
            method: Method::Patch,
            path: "/v1/patients/{patient}/profile",
            auth: Auth::Token,
        },
        action: "UpdateProfile",
        audit: "profile.update",
        needs: &[
            ReadAccounts,
            ReadPatients,
            WriteContact,
            UnwrapDataKeys,
            WriteAudit,
        ],
    };
    type Subject = PatientId;
    type Input = VersionedChange;
    type Output = Profile;

    fn parse(request: &Request) -> Result<VersionedChange, Problem> {
        request.no_query()?;
        let version = request.if_match()?;
        let change: ContactChange = request.body()?;
        if change.phone.is_none() && change.email.is_none() && change.address.is_none() {
            return Err(Problem::field(
                "",
                "must name at least one of phone, email and address",
            ));
        }
        Ok(VersionedChange { version, change })
    }

    fn etag(profile: &Profile) -> Option<u64> {
        Some(profile.version)
    }
}
