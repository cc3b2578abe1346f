//! A patient's profile: who they are to the practice, and how to reach them.

use super::codes::codes;
use super::page::Page;
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
use crate::store::{ImportState, SealedRow};
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A profile as it is read.
pub struct GetProfile;

/// What the practice holds about who a patient is (FHIR R4 Patient).
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
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
    #[serde(flatten)]
    pub details: Details,
    pub notifications: Notifications,
    /// The fields that the patient set: `phone`, `email`, `address`, `preferred_language`,
    /// `notifications`. All others are the practice's.
    pub set_by_patient: Vec<&'static str>,
    /// What the practice's record system says, whatever the patient set.
    pub from_practice: Details,
    /// False while an import is under way, or after one that broke off: entries may be missing.
    pub record_complete: bool,
    /// Counts the patient's changes; the ETag.
    #[serde(skip)]
    pub version: u64,
}

/// What both the practice and the patient may say.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Details {
    pub contact: Contact,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_language: Option<PreferredLanguage>,
}

/// A language, and what it is called.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct PreferredLanguage {
    /// BCP 47; absent where the practice's records have only a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub name: String,
}

codes!(
    /// The languages that a patient may ask the practice to use (BCP 47).
    Language {
        English = "en",
        Spanish = "es",
        Arabic = "ar",
        Chinese = "zh",
        French = "fr",
        HaitianCreole = "ht",
        Korean = "ko",
        Portuguese = "pt",
        Russian = "ru",
        Tagalog = "tl",
        Vietnamese = "vi",
    }
);

impl Language {
    /// What it is called in English.
    const fn name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::Spanish => "Spanish",
            Self::Arabic => "Arabic",
            Self::Chinese => "Chinese",
            Self::French => "French",
            Self::HaitianCreole => "Haitian Creole",
            Self::Korean => "Korean",
            Self::Portuguese => "Portuguese",
            Self::Russian => "Russian",
            Self::Tagalog => "Tagalog",
            Self::Vietnamese => "Vietnamese",
        }
    }
}

codes!(
    /// How a patient hears that there is something new. No message says what it is.
    Channel {
        Email = "email",
        Sms = "sms",
        None = "none",
    }
);

/// How the patient hears of what.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Notifications {
    pub appointments: Channel,
    pub messages: Channel,
    pub documents: Channel,
}

impl Default for Notifications {
    fn default() -> Self {
        Self {
            appointments: Channel::Email,
            messages: Channel::Email,
            documents: Channel::Email,
        }
    }
}

impl Notifications {
    fn use_sms(self) -> bool {
        [self.appointments, self.messages, self.documents].contains(&Channel::Sms)
    }
}

/// What the patient set in place of what the practice's records say: a field that is not here is the
/// practice's, and one that is null was taken away.
#[derive(Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Own {
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    phone: Option<Option<String>>,
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    email: Option<Option<String>>,
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    address: Option<Option<Address>>,
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    preferred_language: Option<Option<Language>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    notifications: Option<Notifications>,
}

impl Own {
    /// Opens what the patient set so far.
    pub fn open(opener: &Opener) -> Result<Self, Fault> {
        match opener.context().contact() {
            Some(row) => serde_json::from_slice(&row.open(opener)?)
                .map_err(|_| Fault::Corrupt("contact details")),
            None => Ok(Self::default()),
        }
    }

    fn over(&self, practice: &Details) -> Details {
        let from = practice.contact.clone();
        let language = practice.preferred_language.clone();
        Details {
            contact: Contact {
                phone: self.phone.clone().unwrap_or(from.phone),
                email: self.email.clone().unwrap_or(from.email),
                address: self.address.clone().unwrap_or(from.address),
            },
            preferred_language: self.preferred_language.map_or(language, |own| {
                own.map(|language| PreferredLanguage {
                    code: Some(language.as_str().to_owned()),
                    name: language.name().to_owned(),
                })
            }),
        }
    }

    fn fields(&self) -> Vec<&'static str> {
        let fields = [
            ("phone", self.phone.is_some()),
            ("email", self.email.is_some()),
            ("address", self.address.is_some()),
            ("preferred_language", self.preferred_language.is_some()),
            ("notifications", self.notifications.is_some()),
        ];
        let set = fields.into_iter().filter(|(_, is_set)| *is_set);
        set.map(|(name, _)| name).collect()
    }
}

/// How to reach a patient.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
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
        Self::with(patient, opener, &Own::open(opener)?)
    }

    /// The profile as it is with what the patient set.
    pub fn with(patient: PatientId, opener: &Opener, own: &Own) -> Result<Self, Fault> {
        let context = opener.context();
        let imported = imported(opener)?;
        let from_practice = Details::imported(&imported);
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
            details: own.over(&from_practice),
            notifications: own.notifications.unwrap_or_default(),
            set_by_patient: own.fields(),
            from_practice,
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

    /// The year of the patient's birth, if it is known.
    pub fn year_of_birth(opener: &Opener) -> Result<Option<i16>, Fault> {
        let born = imported(opener)?.birth_date;
        Ok(born.and_then(|date| date.earliest()).map(|day| day.year()))
    }
}

const TORN: Fault = Fault::Corrupt("a Patient resource");

/// The Patient resource as the practice's record system gave it.
pub(crate) fn imported(opener: &Opener) -> Result<Patient, Fault> {
    let resource = opener.context().profile()?.open(opener)?;
    let resource = String::from_utf8(resource).map_err(|_| TORN)?;
    Patient::parse(&resource).map_err(|_| TORN)
}

impl Details {
    fn imported(patient: &Patient) -> Self {
        let language = patient.language.as_ref();
        Self {
            contact: Contact::imported(patient),
            preferred_language: language.and_then(|language| {
                let mut codes = language.coding.iter();
                Some(PreferredLanguage {
                    name: language.label()?.to_owned(),
                    code: codes.find_map(|coding| coding.code.clone()),
                })
            }),
        }
    }
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

/// A change of what the patient may set.
pub struct UpdateProfile;

/// What changes: a field that is not sent stays, a field that is null goes (RFC 7396).
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProfileChange {
    #[serde(default, deserialize_with = "given")]
    pub phone: Option<Option<Phone>>,
    #[serde(default, deserialize_with = "given")]
    pub email: Option<Option<Email>>,
    #[serde(default, deserialize_with = "given_object")]
    pub address: Option<Option<NewAddress>>,
    #[serde(default, deserialize_with = "given")]
    pub preferred_language: Option<Option<Language>>,
    notifications: Option<Object<NotificationChange>>,
}

/// The choices that change.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NotificationChange {
    appointments: Option<Channel>,
    messages: Option<Channel>,
    documents: Option<Channel>,
}

impl NotificationChange {
    fn applied_to(&self, before: Notifications) -> Notifications {
        Notifications {
            appointments: self.appointments.unwrap_or(before.appointments),
            messages: self.messages.unwrap_or(before.messages),
            documents: self.documents.unwrap_or(before.documents),
        }
    }
}

/// An address, whole: it replaces the one before.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
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

impl ProfileChange {
    fn is_empty(&self) -> bool {
        self.phone.is_none()
            && self.email.is_none()
            && self.address.is_none()
            && self.preferred_language.is_none()
            && self.notifications.is_none()
    }

    /// What the patient has set after the change.
    pub fn applied_to(self, mut own: Own) -> Own {
        if let Some(phone) = self.phone {
            own.phone = Some(phone.map(Into::into));
        }
        if let Some(email) = self.email {
            own.email = Some(email.map(Into::into));
        }
        if let Some(address) = self.address {
            own.address = Some(address.map(Into::into));
        }
        if let Some(language) = self.preferred_language {
            own.preferred_language = Some(language);
        }
        if let Some(Object(change)) = self.notifications {
            own.notifications = Some(change.applied_to(own.notifications.unwrap_or_default()));
        }
        own
    }
}

impl Profile {
    /// Text messages go to a number that is whole (ITU-T E.164), from any country.
    pub fn check_notifications(&self) -> Result<(), Problem> {
        let phone = self.details.contact.phone.as_deref();
        if self.notifications.use_sms() && !phone.is_some_and(is_international) {
            return Err(Problem::field(
                "/notifications",
                "may name sms only with a phone number such as +1 617 555 0123 in the profile",
            ));
        }
        Ok(())
    }

    /// What another state of the profile changes, field by field.
    pub fn changes_to(&self, after: &Self) -> Result<Vec<FieldChange>, Fault> {
        let [before, after_fields] = [self.fields()?, after.fields()?];
        let changes = before.into_iter().filter_map(|(field, former)| {
            let value = after_fields.get(&field).cloned().unwrap_or_default();
            let set_before = self.set_by_patient.contains(&field.as_str());
            (former != value).then(|| FieldChange {
                former_source: if set_before {
                    Source::Patient
                } else {
                    Source::Practice
                },
                field,
                former,
                value,
            })
        });
        Ok(changes.collect())
    }

    /// The fields that a patient may set, null where there is nothing.
    fn fields(&self) -> Result<Map<String, Value>, Fault> {
        let Details {
            contact,
            preferred_language,
        } = &self.details;
        let value = serde_json::json!({
            "phone": contact.phone,
            "email": contact.email,
            "address": contact.address,
            "preferred_language": preferred_language,
            "notifications": self.notifications,
        });
        match value {
            Value::Object(fields) => Ok(fields),
            _ => Err(Fault::Defect("a profile's fields")),
        }
    }
}

/// A plus, the country's code and the number: 8 to 15 digits, however they are grouped.
fn is_international(phone: &str) -> bool {
    let digits = phone.chars().filter(char::is_ascii_digit);
    phone
        .strip_prefix('+')
        .is_some_and(|rest| !rest.trim_start().starts_with('0'))
        && (8..=15).contains(&digits.count())
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
    pub change: ProfileChange,
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
        let change: ProfileChange = request.body()?;
        if change.is_empty() {
            return Err(Problem::field(
                "",
                "must name at least one of phone, email, address, preferred_language and \
                 notifications",
            ));
        }
        Ok(VersionedChange { version, change })
    }

    fn etag(profile: &Profile) -> Option<u64> {
        Some(profile.version)
    }
}

codes!(
    /// Who said what stands in the profile.
    Source {
        /// The practice's record system.
        Practice = "practice",
        Patient = "patient",
    }
);

/// What was changed in the profile, newest first.
pub struct ListProfileChanges;

/// A page of changes.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProfileChanges {
    pub changes: Vec<ProfileVersion>,
    /// For the next page, as `cursor`; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One change that the patient made. What an import changed is not the patient's, and not here.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct ProfileVersion {
    pub changed_at: Timestamp,
    /// `you`, or `the patient` to whoever acts for them.
    pub changed_by: &'static str,
    pub fields: Vec<FieldChange>,
}

/// A field before and after; null where there was nothing.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct FieldChange {
    pub field: String,
    pub former: Value,
    pub former_source: Source,
    pub value: Value,
}

impl ProfileVersion {
    /// Opens a stored change.
    pub fn open(row: &SealedRow, opener: &Opener) -> Result<Self, Fault> {
        const TORN: Fault = Fault::Corrupt("a change of a profile");
        let by = row.parsed("changed_by")?.ok_or(TORN)?;
        let is_caller = opener
            .caller()
            .is_some_and(|caller| caller.row.account == by);
        Ok(Self {
            changed_at: row.parsed("changed_at")?.ok_or(TORN)?,
            changed_by: if is_caller { "you" } else { "the patient" },
            fields: serde_json::from_slice(&row.open(opener)?).map_err(|_| TORN)?,
        })
    }
}

impl Operation for ListProfileChanges {
    const SPEC: &'static Spec = &Spec {
        id: "list-profile-changes",
        trigger: Trigger::Http {
            method: Method::Get,
            path: "/v1/patients/{patient}/profile/changes",
            auth: Auth::Token,
        },
        action: "ListProfileChanges",
        audit: "profile.list-changes",
        needs: &[ReadAccounts, ReadPatients, UnwrapDataKeys, WriteAudit],
    };
    type Subject = PatientId;
    type Input = Page;
    type Output = ProfileChanges;

    fn parse(request: &Request) -> Result<Page, Problem> {
        Page::parse(request, Self::SPEC)
    }
}

#[cfg(test)]
mod tests {
    use super::is_international;

    #[test]
    fn text_messages_go_to_whole_numbers() {
        for right in ["+16175550123", "+1 617 555 0123", "+49 (30) 1234567"] {
            assert!(is_international(right), "{right}");
        }
        for wrong in ["617-555-0123", "16175550123", "+0123456789", "+123456", "+"] {
            assert!(!is_international(wrong), "{wrong}");
        }
    }
}
