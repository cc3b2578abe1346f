//! Finding a patient by what a provider knows of them.

use super::profile;
use super::text::{Date, Line, NotText};
use super::{Auth, Method, Operation, Spec, Trigger};
use crate::Fault;
use crate::access::Practice;
use crate::aws::Capability::{
    ComputeIndex, CountRequests, ReadAccounts, ReadPatients, SearchPatients, UnwrapDataKeys,
    WriteAudit,
};
use crate::fhir::patient::Patient;
use crate::http::{Problem, Request};
use crate::ids::PatientId;
use crate::names::{self, FamilyName};
use crate::phi::{Opener, Term};
use serde::{Deserialize, Serialize};

/// A search by medical record number, or by birth date and family name.
pub struct FindPatient;

#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Body {
    mrn: Option<Line<1, 64>>,
    family: Option<Family>,
    birth_date: Option<Date>,
    #[serde(rename = "match")]
    matching: Option<Match>,
}

/// A family name, or how one begins.
#[derive(Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
struct Family(FamilyName);

impl TryFrom<String> for Family {
    type Error = NotText;

    fn try_from(text: String) -> Result<Self, NotText> {
        let line = Line::<1, 100>::try_from(text)?;
        FamilyName::of(line.as_str())
            .map(Self)
            .ok_or_else(|| NotText::new("must hold letters"))
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(try_from = "String")]
enum Match {
    Exact,
    Prefix,
}

impl TryFrom<String> for Match {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match text.as_str() {
            "exact" => Ok(Self::Exact),
            "prefix" => Ok(Self::Prefix),
            _ => Err("must be exact or prefix"),
        }
    }
}

/// What is searched for.
pub enum Search {
    Mrn(Line<1, 64>),
    Name {
        family: FamilyName,
        /// Is it only how the name begins?
        begins: bool,
        birth_date: Date,
    },
}

impl Search {
    /// What the blind index knows it by.
    pub fn term(&self) -> Term<'_> {
        match self {
            Self::Mrn(mrn) => Term::Mrn(mrn.as_str()),
            Self::Name {
                family,
                begins: false,
                birth_date,
            } => Term::FamilyName {
                birth_date: birth_date.as_str(),
                name: family.as_str(),
            },
            Self::Name {
                family,
                begins: true,
                birth_date,
            } => Term::FamilyPrefix {
                birth_date: birth_date.as_str(),
                prefix: family.prefix(*names::PREFIX.end()),
            },
        }
    }

    /// Is it this patient, by what is known of them now? The index may have them under a name that
    /// is about to go, or knows less letters than were sent.
    fn is(&self, patient: &Patient) -> bool {
        let Self::Name {
            family,
            begins,
            birth_date,
        } = self
        else {
            return true;
        };
        let born = patient.birth_date.as_ref().map(|date| date.as_str());
        let mut names = patient.family_names().filter_map(FamilyName::of);
        born == Some(birth_date.as_str())
            && names.any(|name| {
                name == *family || *begins && name.as_str().starts_with(family.as_str())
            })
    }
}

#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct Found {
    /// By name; 20 at most.
    pub patients: Vec<FoundPatient>,
    /// There are more: say more of the name.
    pub more: bool,
}

/// As little as tells whether it is the right one.
#[derive(Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct FoundPatient {
    pub id: PatientId,
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// Is the caller on the care team?
    pub on_care_team: bool,
}

impl FoundPatient {
    /// Opens what a search shows of a patient; none if it is not whom the search means.
    pub fn open(
        patient: PatientId,
        search: &Search,
        on_care_team: bool,
        opener: &Opener,
    ) -> Result<Option<Self>, Fault> {
        let imported = profile::imported(opener)?;
        Ok(search.is(&imported).then(|| Self {
            id: patient,
            name: imported.display_name().unwrap_or_default(),
            birth_date: imported.birth_date.map(|date| date.as_str().to_owned()),
            on_care_team,
        }))
    }
}

impl Operation for FindPatient {
    const SPEC: &'static Spec = &Spec {
        id: "find-patient",
        trigger: Trigger::Http {
            method: Method::Post,
            path: "/v1/patients/search",
            auth: Auth::Token,
        },
        action: "FindPatient",
        audit: "patient.search",
        needs: &[
            ReadAccounts,
            CountRequests,
            ReadPatients,
            SearchPatients,
            UnwrapDataKeys,
            ComputeIndex,
            WriteAudit,
        ],
    };
    type Subject = Practice;
    type Input = Search;
    type Output = Found;

    fn parse(request: &Request) -> Result<Search, Problem> {
        request.no_query()?;
        match request.body()? {
            Body {
                mrn: Some(mrn),
                family: None,
                birth_date: None,
                matching: None,
            } => Ok(Search::Mrn(mrn)),
            Body {
                mrn: None,
                family: Some(Family(family)),
                birth_date: Some(birth_date),
                matching: Some(matching),
            } => {
                let begins = matching == Match::Prefix;
                if begins && family.letters() < *names::PREFIX.start() {
                    return Err(Problem::field("/family", "must hold at least 2 letters"));
                }
                Ok(Search::Name {
                    family,
                    begins,
                    birth_date,
                })
            }
            _ => Err(Problem::field(
                "",
                "must have mrn alone, or family, birth_date and match",
            )),
        }
    }
}
