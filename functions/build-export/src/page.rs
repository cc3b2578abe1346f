//! The record as people read it: facts, tables, notes. Browser and print are made of the same.

use crate::record::{Entry, WholeRecord};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use shared::api::appointments::AppointmentDetail;
use shared::api::profile::Profile;
use shared::fhir::medication::Prescription;
use shared::fhir::observation::{self, Component, Observation, ReferenceRange};
use shared::store::Section;

/// A name and a value.
pub(crate) type Fact = (&'static str, String);

pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) facts: Vec<Fact>,
    pub(crate) tables: Vec<Table>,
    pub(crate) notes: Vec<Note>,
}

/// A section of the record, newest first.
pub(crate) struct Table {
    pub(crate) title: &'static str,
    pub(crate) columns: &'static [&'static str],
    pub(crate) rows: Vec<Vec<String>>,
}

/// A text that somebody wrote.
pub(crate) struct Note {
    pub(crate) title: String,
    pub(crate) text: String,
}

/// What the section of appointments is called.
pub(crate) const APPOINTMENTS: &str = "Appointments";

/// What a section is called.
pub(crate) const fn title(section: Section) -> &'static str {
    match section {
        Section::LabResults => "Laboratory results",
        Section::VitalSigns => "Vital signs",
        Section::SocialHistory => "Social history",
        Section::OtherObservations => "Other observations",
        Section::LabReports => "Laboratory reports",
        Section::DiagnosticReports => "Reports",
        Section::ActivePrescriptions => "Current prescriptions",
        Section::PastPrescriptions => "Past prescriptions",
        Section::Allergies => "Allergies",
        Section::Conditions => "Conditions",
        Section::Immunizations => "Immunizations",
        Section::Procedures => "Procedures",
        Section::CarePlans => "Care plans",
        Section::Documents => "Documents",
        Section::Encounters => "Visits",
        Section::CareTeams => "Care teams",
    }
}

const fn columns(section: Section) -> &'static [&'static str] {
    match section {
        Section::LabResults
        | Section::VitalSigns
        | Section::SocialHistory
        | Section::OtherObservations => &[
            "Date",
            "What",
            "Result",
            "Reference range",
            "Interpretation",
            "Status",
        ],
        Section::LabReports | Section::DiagnosticReports => {
            &["Date", "Report", "Conclusion", "Status"]
        }
        Section::ActivePrescriptions | Section::PastPrescriptions => &[
            "Date",
            "Medication",
            "Directions",
            "Reason",
            "Prescribed by",
            "Status",
        ],
        Section::Allergies => &["Since", "Allergy", "Reactions", "Criticality", "Status"],
        Section::Conditions => &["Since", "Condition", "Ended", "Status"],
        Section::Immunizations => &["Date", "Vaccine", "Status"],
        Section::Procedures => &["Date", "Procedure", "Reason", "Status"],
        Section::CarePlans => &["From", "To", "Plan", "Activities", "Status"],
        Section::Documents => &["Date", "Document", "Description", "Status"],
        Section::Encounters => &["From", "To", "Visit", "Reason", "With", "Status"],
        Section::CareTeams => &["From", "To", "Team", "Members", "Status"],
    }
}

impl Page {
    pub(crate) fn of(profile: &Profile, record: WholeRecord) -> Self {
        let mut tables: Vec<Table> = Section::ALL
            .into_iter()
            .map(|section| Table {
                title: title(section),
                columns: columns(section),
                rows: Vec::new(),
            })
            .collect();
        let mut notes = Vec::new();
        for entry in record.entries.into_iter().rev() {
            let Some(section) = entry.section else {
                continue;
            };
            let at = Section::ALL.iter().position(|known| *known == section);
            let json = serde_json::from_str(&entry.json).unwrap_or(Value::Null);
            if let Some(table) = at.and_then(|at| tables.get_mut(at)) {
                table.rows.push(cells(section, &entry, &json));
            }
            notes.extend(texts(section, &json));
        }
        let (appointments, summaries) = appointments(&record.appointments);
        tables.push(appointments);
        notes.extend(summaries);
        Self {
            title: format!("Health record of {}", profile.name),
            facts: facts(profile),
            tables,
            notes,
        }
    }
}

/// What was booked in the portal, and what providers wrote for the patient about it.
fn appointments(details: &[AppointmentDetail]) -> (Table, Vec<Note>) {
    let mut rows = Vec::new();
    let mut notes = Vec::new();
    for detail in details.iter().rev() {
        let told = &detail.appointment;
        let at = |time: Timestamp| {
            let zone = TimeZone::get(&told.time_zone).unwrap_or(TimeZone::UTC);
            let time = time.to_zoned(zone);
            time.strftime("%Y-%m-%d %H:%M %:z").to_string()
        };
        rows.push(vec![
            at(told.start),
            at(told.end),
            format!("{} ({})", told.type_name, told.modality.as_str()),
            told.practitioner_name.clone().unwrap_or_default(),
            told.location.clone().unwrap_or_default(),
            told.reason.clone().unwrap_or_default(),
            told.status.as_str().to_owned(),
        ]);
        notes.extend(detail.summary.clone().map(|text| Note {
            title: format!("Summary of the appointment, {}", at(told.start)),
            text,
        }));
    }
    let table = Table {
        title: APPOINTMENTS,
        columns: &["From", "To", "Kind", "With", "Where", "Reason", "Status"],
        rows,
    };
    (table, notes)
}

fn facts(profile: &Profile) -> Vec<Fact> {
    let contact = &profile.details.contact;
    let address = contact.address.as_ref().map(|address| {
        let place = [&address.city, &address.state, &address.postal_code];
        let place: Vec<&str> = place.into_iter().flatten().map(String::as_str).collect();
        let mut lines: Vec<&str> = address.lines.iter().map(String::as_str).collect();
        let place = place.join(" ");
        lines.push(&place);
        lines.extend(address.country.as_deref());
        lines.retain(|line| !line.is_empty());
        lines.join(", ")
    });
    let language = profile.details.preferred_language.as_ref();
    let facts = [
        ("Name", Some(profile.name.clone())),
        ("Medical record number", Some(profile.mrn.clone())),
        ("Born", profile.birth_date.clone()),
        ("Gender", profile.gender.clone()),
        ("Deceased", profile.deceased.then(|| "yes".to_owned())),
        (
            "Preferred language",
            language.map(|language| language.name.clone()),
        ),
        ("Phone", contact.phone.clone()),
        ("Email", contact.email.clone()),
        ("Address", address),
    ];
    let known = facts.into_iter();
    known
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
}

/// A row of a table, as many cells as its columns.
fn cells(section: Section, entry: &Entry, json: &Value) -> Vec<String> {
    let status = || word(json, "status");
    let clinical = || concept(&json["clinicalStatus"]);
    let code = || concept(&json["code"]);
    let period = || {
        let period = &json["period"];
        (
            moment(period["start"].as_str()),
            moment(period["end"].as_str()),
        )
    };
    match section {
        Section::LabResults
        | Section::VitalSigns
        | Section::SocialHistory
        | Section::OtherObservations => observation(&entry.json).unwrap_or_else(|| {
            vec![
                occurred(json),
                code(),
                String::new(),
                String::new(),
                String::new(),
                status(),
            ]
        }),
        Section::LabReports | Section::DiagnosticReports => {
            vec![occurred(json), code(), word(json, "conclusion"), status()]
        }
        Section::ActivePrescriptions | Section::PastPrescriptions => {
            let medication = entry.medication.as_deref();
            let told = Prescription::parse(&entry.json, medication).ok();
            let (name, directions, reasons) = told.map_or_else(Default::default, |told| {
                (told.name, told.dosage.join("; "), told.reasons.join("; "))
            });
            vec![
                moment(json["authoredOn"].as_str()),
                name.unwrap_or_else(|| concept(&json["medicationCodeableConcept"])),
                or(directions, "none given"),
                reasons,
                word(&json["requester"], "display"),
                status(),
            ]
        }
        Section::Allergies => {
            let reactions = list(&json["reaction"]).map(|one| concepts(&one["manifestation"]));
            vec![
                occurred(json),
                code(),
                joined(reactions),
                word(json, "criticality"),
                clinical(),
            ]
        }
        Section::Conditions => {
            let ended = moment(json["abatementDateTime"].as_str());
            vec![occurred(json), code(), ended, clinical()]
        }
        Section::Immunizations => {
            vec![occurred(json), concept(&json["vaccineCode"]), status()]
        }
        Section::Procedures => {
            vec![occurred(json), code(), reasons(json), status()]
        }
        Section::CarePlans => {
            let (from, to) = period();
            let details = list(&json["activity"]).map(|activity| &activity["detail"]);
            let activities = details.map(|detail| concept(&detail["code"]));
            let plan = or(concepts(&json["category"]), &word(json, "title"));
            vec![from, to, plan, joined(activities), status()]
        }
        Section::Documents => {
            let kind = or(concept(&json["type"]), &concepts(&json["category"]));
            let description = word(json, "description");
            vec![moment(json["date"].as_str()), kind, description, status()]
        }
        Section::Encounters => {
            let (from, to) = period();
            let kind = or(concepts(&json["type"]), &word(&json["class"], "code"));
            let with = list(&json["participant"]).map(|one| word(&one["individual"], "display"));
            vec![from, to, kind, reasons(json), joined(with), status()]
        }
        Section::CareTeams => {
            let (from, to) = period();
            let members = list(&json["participant"])
                .map(|one| or(word(&one["member"], "display"), &concepts(&one["role"])));
            let name = or(word(json, "name"), &reasons(json));
            vec![from, to, name, joined(members), status()]
        }
    }
}

fn observation(json: &str) -> Option<Vec<String>> {
    let told = Observation::parse(json).ok()?;
    let mut result: Vec<String> = told.display_value().into_iter().collect();
    result.extend(told.components.iter().map(component));
    result.extend(told.notes.iter().cloned());
    let ranges = told
        .reference_ranges
        .iter()
        .filter_map(ReferenceRange::display);
    let interpretations = told.interpretations.iter().filter_map(|one| one.label());
    Some(vec![
        moment(told.effective.as_deref().or(told.issued.as_deref())),
        told.code.label().unwrap_or_default().to_owned(),
        or(result.join("; "), "none given"),
        or(joined(ranges), "none supplied"),
        joined(interpretations.map(str::to_owned)),
        told.status.unwrap_or_default(),
    ])
}

fn component(component: &Component) -> String {
    let name = component.code.label().unwrap_or("component");
    let value = component
        .value
        .as_ref()
        .and_then(observation::Value::display);
    let flags = component.interpretations.iter();
    let flags = joined(flags.filter_map(|one| one.label()).map(str::to_owned));
    let flags = if flags.is_empty() {
        flags
    } else {
        format!(" ({flags})")
    };
    format!(
        "{name}: {}{flags}",
        or(value.unwrap_or_default(), "none given")
    )
}

/// The texts in a report or a document. Other attachments are in the FHIR file.
fn texts(section: Section, json: &Value) -> Vec<Note> {
    let attachments: Vec<&Value> = match section {
        Section::DiagnosticReports => list(&json["presentedForm"]).collect(),
        Section::Documents => list(&json["content"])
            .map(|content| &content["attachment"])
            .collect(),
        _ => return Vec::new(),
    };
    let kind = or(concept(&json["type"]), &concept(&json["code"]));
    let date = moment(json["date"].as_str().or(json["effectiveDateTime"].as_str()));
    let text = |attachment: &&Value| {
        let is_text = attachment["contentType"]
            .as_str()
            .is_some_and(|kind| kind.starts_with("text/plain"));
        let data = attachment["data"].as_str().filter(|_| is_text)?;
        let text = String::from_utf8(STANDARD.decode(data).ok()?).ok()?;
        Some(Note {
            title: format!("{kind}, {date}"),
            text,
        })
    };
    attachments.iter().filter_map(text).collect()
}

/// When something happened, by whichever member says so.
fn occurred(json: &Value) -> String {
    const MEMBERS: [&str; 7] = [
        "/effectiveDateTime",
        "/occurrenceDateTime",
        "/performedDateTime",
        "/performedPeriod/start",
        "/onsetDateTime",
        "/recordedDate",
        "/issued",
    ];
    let mut members = MEMBERS.iter();
    moment(members.find_map(|member| json.pointer(member)?.as_str()))
}

/// A FHIR date or time as it was recorded, to the minute.
fn moment(text: Option<&str>) -> String {
    let Some((date, time)) = text.and_then(|text| text.split_once('T')) else {
        return text.unwrap_or_default().to_owned();
    };
    let minute = time.get(..5).unwrap_or(time);
    let offset = time.find(['+', '-', 'Z']).and_then(|at| time.get(at..));
    let offset = match offset {
        Some("Z") => "UTC",
        Some(offset) => offset,
        None => "",
    };
    format!("{date} {minute} {offset}").trim_end().to_owned()
}

fn word(json: &Value, name: &str) -> String {
    json[name].as_str().unwrap_or_default().to_owned()
}

fn concept(json: &Value) -> String {
    let text = json["text"].as_str().filter(|text| !text.is_empty());
    let coding = || list(&json["coding"]);
    let display = || coding().find_map(|coding| coding["display"].as_str());
    let code = || coding().find_map(|coding| coding["code"].as_str());
    text.or_else(display)
        .or_else(code)
        .unwrap_or_default()
        .to_owned()
}

fn concepts(json: &Value) -> String {
    joined(list(json).map(concept))
}

fn reasons(json: &Value) -> String {
    let references = list(&json["reasonReference"]).map(|reason| word(reason, "display"));
    joined(list(&json["reasonCode"]).map(concept).chain(references))
}

fn list(json: &Value) -> impl Iterator<Item = &Value> {
    json.as_array().into_iter().flatten()
}

fn joined(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.filter(|word| !word.is_empty()).collect();
    words.join("; ")
}

fn or(word: String, other: &str) -> String {
    if word.is_empty() {
        return other.to_owned();
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::ids::RecordId;

    #[test]
    fn every_section_fills_its_columns_whatever_is_there() {
        let entry = |json: &str| Entry {
            id: RecordId::new(uuid::Uuid::nil()),
            kind: "Observation".to_owned(),
            section: None,
            json: json.to_owned(),
            medication: None,
        };
        for section in Section::ALL {
            for json in ["{}", "null", r#"{"code":7,"period":[],"participant":{}}"#] {
                let value = serde_json::from_str(json).unwrap();
                let row = cells(section, &entry(json), &value);
                assert_eq!(row.len(), columns(section).len(), "{section:?}");
            }
        }
    }

    #[test]
    fn moments_are_told_as_they_were_recorded() {
        for (recorded, told) in [
            ("2019", "2019"),
            ("2019-04-01", "2019-04-01"),
            ("2019-04-01T09:05:07.250-04:00", "2019-04-01 09:05 -04:00"),
            ("2019-04-01T09:05:07Z", "2019-04-01 09:05 UTC"),
        ] {
            assert_eq!(moment(Some(recorded)), told);
        }
    }
}
