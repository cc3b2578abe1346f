//! What is unusual in the audit log (45 CFR 164.308(a)(1)(ii)(D), 164.308(a)(5)(ii)(C)): each rule counts
//! something of one account, or of one address, in a window of time. No I/O.
//!
//! Windows stand one behind the other, and do not slide: whoever spreads what they do over the end of
//! one stays below a threshold with up to twice as much.

use crate::Fault;
use crate::audit::Outcome;
use crate::practice::Practice;
use jiff::civil::Weekday;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Patients whose records an account used within an hour.
    ManyPatients,
    /// Patients whose records somebody of the practice used in a day, while nobody works.
    OutsideHours,
    /// What an account was refused within an hour.
    ManyDenials,
    /// Failed sign-ins to an account within an hour.
    AccountSignIns,
    /// Failed sign-ins from an address within an hour.
    AddressSignIns,
    /// How often an account broke the glass in a day.
    ManyEmergencies,
    /// What an account carried off in a day.
    ManyExports,
    /// How often an account tried to administer itself in a day.
    OwnRights,
}

impl Rule {
    pub const ALL: [Self; 8] = [
        Self::ManyPatients,
        Self::OutsideHours,
        Self::ManyDenials,
        Self::AccountSignIns,
        Self::AddressSignIns,
        Self::ManyEmergencies,
        Self::ManyExports,
        Self::OwnRights,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ManyPatients => "many-patients",
            Self::OutsideHours => "outside-hours",
            Self::ManyDenials => "many-denials",
            Self::AccountSignIns => "account-sign-ins",
            Self::AddressSignIns => "address-sign-ins",
            Self::ManyEmergencies => "many-emergencies",
            Self::ManyExports => "many-exports",
            Self::OwnRights => "own-rights",
        }
    }

    /// Is a window a day of the practice's, rather than an hour?
    const fn takes_a_day(self) -> bool {
        matches!(
            self,
            Self::OutsideHours | Self::ManyEmergencies | Self::ManyExports | Self::OwnRights
        )
    }

    /// Which of what a record says is counted; none if the record does not concern the rule.
    fn counts<'a>(self, seen: &'a Seen, is_outside: bool) -> Option<Count<'a>> {
        let actor = seen.actor.as_deref();
        let used = seen.patient.as_deref().filter(|_| {
            seen.outcome == Outcome::Success && !WORK_LISTS.contains(&seen.operation.as_str())
        });
        let (concerns, subject, what) = match self {
            Self::ManyPatients => (true, actor, used),
            Self::OutsideHours => (is_outside && seen.is_of_staff(), actor, used),
            Self::ManyDenials => {
                let is_denial = seen.outcome == Outcome::Denied && !seen.is_sign_in();
                (is_denial, actor, Some(seen.id.as_str()))
            }
            Self::AccountSignIns => (seen.is_failed_sign_in(), actor, Some(seen.id.as_str())),
            Self::AddressSignIns => {
                let address = seen.source_ip.as_deref();
                (seen.is_failed_sign_in(), address, Some(seen.id.as_str()))
            }
            Self::ManyEmergencies => {
                let breaks = seen.operation == "break-glass" && seen.outcome == Outcome::Success;
                (breaks, actor, Some(seen.id.as_str()))
            }
            Self::ManyExports => (seen.is_export(), actor, Some(seen.id.as_str())),
            Self::OwnRights => {
                let is_own = actor.is_some() && seen.resource.as_deref() == actor;
                let administers = ADMINISTRATION.contains(&seen.operation.as_str());
                (is_own && administers, actor, Some(seen.id.as_str()))
            }
        };
        let (subject, what) = (subject?, what?);
        concerns.then_some(Count { subject, what })
    }
}

/// Lists that leave a record with every patient on them: one look at the day's work is not a look at
/// thirty records.
pub const WORK_LISTS: [&str; 4] = [
    "list-open-amendments",
    "list-open-refills",
    "list-schedule",
    "list-waiting-patients",
];

/// Changes of what an account may do, and of how it signs in.
const ADMINISTRATION: [&str; 3] = ["reset-user-mfa", "sign-out-user", "update-user"];

/// Whatever a record of a sign-in is called that Cognito tells of.
const SIGN_INS: &str = "record-auth-events";

struct Count<'a> {
    subject: &'a str,
    what: &'a str,
}

/// What the rules go by of an audit record.
#[derive(Debug, Clone, Deserialize)]
pub struct Seen {
    id: String,
    at: Timestamp,
    pub operation: String,
    outcome: Outcome,
    role: String,
    actor: Option<String>,
    patient: Option<String>,
    resource: Option<String>,
    source_ip: Option<String>,
}

impl Seen {
    /// From a record without DynamoDB's types; none if it is not one.
    pub fn read(record: &Value) -> Option<Self> {
        Self::deserialize(record).ok()
    }

    fn is_of_staff(&self) -> bool {
        matches!(self.role.as_str(), "provider" | "admin" | "privacy-officer")
    }

    fn is_sign_in(&self) -> bool {
        self.operation == SIGN_INS
    }

    fn is_failed_sign_in(&self) -> bool {
        self.is_sign_in() && self.outcome == Outcome::Denied
    }

    /// Does it carry off more than a screen shows? Patients look at who was told of their record as often
    /// as they like; for staff that is a paper about somebody.
    fn is_export(&self) -> bool {
        let carries = match self.operation.as_str() {
            "request-export" | "export-audit" | "disclose-messages" => true,
            "account-disclosures" => self.is_of_staff(),
            _ => false,
        };
        carries && self.outcome == Outcome::Success
    }
}

/// What one rule counts of one account or address in one window.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Counter {
    pub rule: Rule,
    pub from: Timestamp,
    pub until: Timestamp,
    subject: String,
}

impl Counter {
    /// Rule, window and whom it is about: an account's id, or an address.
    pub fn name(&self) -> String {
        format!("{}#{}#{}", self.rule.as_str(), self.from, self.subject)
    }
}

/// When the practice works, on the clock on its wall.
#[derive(Debug, Clone, PartialEq, Eq)]
struct WorkingHours {
    last_day: Weekday,
    from: i8,
    to: i8,
}

impl WorkingHours {
    /// From days and hours, such as `MON-FRI 7-19`: the second hour is the first that is not worked.
    fn parse(text: &str) -> Option<Self> {
        let (days, hours) = text.split_once(' ')?;
        let last_day = match days {
            "MON-FRI" => Weekday::Friday,
            "MON-SAT" => Weekday::Saturday,
            "MON-SUN" => Weekday::Sunday,
            _ => return None,
        };
        let (from, to) = hours.split_once('-')?;
        let (from, to) = (from.parse().ok()?, to.parse().ok()?);
        (0 <= from && from < to && to <= 24).then_some(Self { last_day, from, to })
    }

    fn contain(&self, practice: &Practice, at: Timestamp) -> bool {
        let there = at.to_zoned(practice.zone().clone());
        let is_day = there.weekday().to_monday_one_offset() <= self.last_day.to_monday_one_offset();
        is_day && (self.from..self.to).contains(&there.hour())
    }
}

/// What the practice takes for unusual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    hours: WorkingHours,
    thresholds: BTreeMap<Rule, usize>,
}

impl Default for Watch {
    /// As in template.yaml; docs/DECISIONS.md says why these.
    fn default() -> Self {
        let thresholds = [40, 5, 10, 10, 30, 3, 10, 1];
        Self {
            hours: WorkingHours {
                last_day: Weekday::Friday,
                from: 7,
                to: 19,
            },
            thresholds: Rule::ALL.into_iter().zip(thresholds).collect(),
        }
    }
}

impl Watch {
    /// From working hours, such as `MON-FRI 7-19`, and a threshold for each rule, such as
    /// `many-patients=40 outside-hours=5 ...`.
    pub fn parse(hours: &str, thresholds: &str) -> Result<Self, Fault> {
        const WRONG: Fault = Fault::Misconfigured("WATCH_THRESHOLDS");
        let hours = WorkingHours::parse(hours).ok_or(Fault::Misconfigured("WORKING_HOURS"))?;
        let mut given = BTreeMap::new();
        for one in thresholds.split_whitespace() {
            let (name, threshold) = one.split_once('=').ok_or(WRONG)?;
            let mut rules = Rule::ALL.into_iter();
            let rule = rules.find(|rule| rule.as_str() == name).ok_or(WRONG)?;
            let threshold: usize = threshold.parse().map_err(|_| WRONG)?;
            if threshold == 0 || given.insert(rule, threshold).is_some() {
                return Err(WRONG);
            }
        }
        if given.len() != Rule::ALL.len() {
            return Err(WRONG);
        }
        Ok(Self {
            hours,
            thresholds: given,
        })
    }

    /// How much of it is unusual.
    pub fn threshold(&self, rule: Rule) -> Result<usize, Fault> {
        let threshold = self.thresholds.get(&rule).copied();
        threshold.ok_or(Fault::Defect("a rule without a threshold"))
    }
}

/// The counters that a record counts for, each with what is counted there: the same patient, or the same
/// record, counts once.
pub fn counted(practice: &Practice, seen: &Seen) -> Result<Vec<(Counter, String)>, Fault> {
    let is_outside = !practice.watch().hours.contain(practice, seen.at);
    let mut counted = Vec::new();
    for rule in Rule::ALL {
        let Some(Count { subject, what }) = rule.counts(seen, is_outside) else {
            continue;
        };
        let (from, until) = window(practice, rule, seen.at)?;
        let counter = Counter {
            rule,
            from,
            until,
            subject: subject.to_owned(),
        };
        counted.push((counter, what.to_owned()));
    }
    Ok(counted)
}

fn window(practice: &Practice, rule: Rule, at: Timestamp) -> Result<(Timestamp, Timestamp), Fault> {
    const HOUR: i64 = 3600;
    const TIME: Fault = Fault::Defect("an hour at the end of time");
    if rule.takes_a_day() {
        let day = practice.today(at);
        return Ok((practice.start_of(day)?, practice.end_of(day)?));
    }
    let from = at.as_second().div_euclid(HOUR) * HOUR;
    let from = Timestamp::from_second(from).map_err(|_| TIME)?;
    let until = from.checked_add(SignedDuration::from_secs(HOUR));
    Ok((from, until.map_err(|_| TIME)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ACTOR: &str = "3b0e8f6a-52c4-4d1b-8a8e-6f0a4c9d2e01";

    fn practice() -> Practice {
        Practice::new("America/New_York", 13, 18).unwrap()
    }

    /// A provider uses a patient's record on a Wednesday at ten.
    fn use_of_a_record() -> Value {
        json!({
            "id": "one", "at": "2026-11-18T15:00:00Z", "operation": "get-profile",
            "action": "profile.read", "outcome": "success", "role": "provider",
            "actor": ACTOR, "patient": "somebody", "source_ip": "198.51.100.7",
        })
    }

    fn with(changes: &Value) -> Vec<(Rule, String, String)> {
        let mut record = use_of_a_record();
        for (name, value) in changes.as_object().unwrap() {
            if value.is_null() {
                record.as_object_mut().unwrap().remove(name);
            } else {
                record[name] = value.clone();
            }
        }
        let counted = counted(&practice(), &Seen::read(&record).unwrap()).unwrap();
        let counted = counted.into_iter();
        counted
            .map(|(counter, what)| (counter.rule, counter.subject, what))
            .collect()
    }

    fn rules(changes: &Value) -> Vec<Rule> {
        with(changes).into_iter().map(|(rule, ..)| rule).collect()
    }

    #[test]
    fn patients_count_whose_records_are_used() {
        let counted = with(&json!({}));
        let patient = (Rule::ManyPatients, ACTOR.to_owned(), "somebody".to_owned());
        assert_eq!(counted, [patient]);
        assert_eq!(rules(&json!({"patient": null})), []);
        assert_eq!(rules(&json!({"actor": null})), []);
        assert_eq!(rules(&json!({"outcome": "invalid"})), []);
        assert_eq!(rules(&json!({"outcome": "failure"})), []);
        for list in WORK_LISTS {
            assert_eq!(rules(&json!({"operation": list})), []);
            let night = json!({"operation": list, "at": "2026-11-18T08:00:00Z"});
            assert_eq!(rules(&night), []);
        }
    }

    /// At the edges of working hours, on the days when clocks change, and for whom it is asked.
    #[test]
    fn working_hours_are_those_of_the_clock_on_the_wall() {
        let is_outside = |changes: &Value| rules(changes).contains(&Rule::OutsideHours);
        for (at, outside) in [
            // Winter: five hours behind.
            ("2026-11-18T11:59:59.999Z", true),
            ("2026-11-18T12:00:00Z", false),
            ("2026-11-18T23:59:59.999Z", false),
            ("2026-11-19T00:00:00Z", true),
            // Summer: four.
            ("2026-07-15T10:59:59Z", true),
            ("2026-07-15T11:00:00Z", false),
            ("2026-07-15T22:59:59Z", false),
            ("2026-07-15T23:00:00Z", true),
            // The Friday before the clocks go forward, the Sunday itself, the Monday after it.
            ("2026-03-06T12:00:00Z", false),
            ("2026-03-06T11:30:00Z", true),
            ("2026-03-08T16:00:00Z", true),
            ("2026-03-09T11:30:00Z", false),
            // The same in autumn.
            ("2026-10-30T11:30:00Z", false),
            ("2026-11-01T16:00:00Z", true),
            ("2026-11-02T11:30:00Z", true),
            ("2026-11-02T12:00:00Z", false),
            // Saturday.
            ("2026-11-21T17:00:00Z", true),
        ] {
            assert_eq!(is_outside(&json!({"at": at})), outside, "{at}");
        }
        let night = "2026-11-18T08:00:00Z";
        for (role, outside) in [
            ("provider", true),
            ("admin", true),
            ("privacy-officer", true),
            ("patient", false),
            ("none", false),
        ] {
            assert_eq!(
                is_outside(&json!({"at": night, "role": role})),
                outside,
                "{role}"
            );
        }
        assert!(!is_outside(&json!({"at": night, "patient": null})));
        assert!(!is_outside(&json!({"at": night, "outcome": "denied"})));
    }

    #[test]
    fn denials_count_one_by_one() {
        let denied = with(&json!({"outcome": "denied"}));
        let denial = (Rule::ManyDenials, ACTOR.to_owned(), "one".to_owned());
        assert_eq!(denied, [denial]);
        assert_eq!(
            rules(&json!({"outcome": "denied", "patient": null})),
            [Rule::ManyDenials]
        );
        // Whoever it is: a patient who tries others' records.
        assert_eq!(
            rules(&json!({"outcome": "denied", "role": "patient"})),
            [Rule::ManyDenials]
        );
    }

    #[test]
    fn sign_ins_that_fail_count_for_the_account_and_for_the_address() {
        let failed = json!({
            "operation": "record-auth-events", "outcome": "denied", "role": "none", "patient": null,
        });
        let one = "one".to_owned();
        assert_eq!(
            with(&failed),
            [
                (Rule::AccountSignIns, ACTOR.to_owned(), one.clone()),
                (Rule::AddressSignIns, "198.51.100.7".to_owned(), one),
            ]
        );
        let mut unknown = failed.clone();
        unknown["actor"] = Value::Null;
        assert_eq!(rules(&unknown), [Rule::AddressSignIns]);
        let mut good = failed;
        good["outcome"] = "success".into();
        assert_eq!(rules(&good), []);
    }

    #[test]
    fn emergencies_exports_and_own_rights_count() {
        assert_eq!(
            rules(&json!({"operation": "break-glass"})),
            [Rule::ManyPatients, Rule::ManyEmergencies]
        );
        assert_eq!(
            rules(&json!({"operation": "break-glass", "outcome": "denied"})),
            [Rule::ManyDenials]
        );
        for (operation, role, counts) in [
            ("request-export", "patient", true),
            ("export-audit", "privacy-officer", true),
            ("disclose-messages", "privacy-officer", true),
            ("account-disclosures", "privacy-officer", true),
            ("account-disclosures", "patient", false),
            ("get-export", "patient", false),
            ("search-audit", "privacy-officer", false),
        ] {
            let record = json!({"operation": operation, "role": role, "patient": null});
            let is_export = rules(&record) == [Rule::ManyExports];
            assert_eq!(is_export, counts, "{operation} by {role}");
        }
        for operation in ADMINISTRATION {
            let own = json!({
                "operation": operation, "role": "admin", "patient": null, "resource": ACTOR,
            });
            assert_eq!(rules(&own), [Rule::OwnRights]);
            let mut denied = own.clone();
            denied["outcome"] = "denied".into();
            assert_eq!(rules(&denied), [Rule::ManyDenials, Rule::OwnRights]);
            let mut others = own;
            others["resource"] = "somebody-else".into();
            assert_eq!(rules(&others), []);
        }
        // Not every id in a record that is the account's own is about its rights.
        let other = json!({"operation": "list-sessions", "patient": null, "resource": ACTOR});
        assert_eq!(rules(&other), []);
    }

    #[test]
    fn windows_are_hours_and_days_of_the_practice() {
        let window = |rule, at: &str| {
            let (from, until) = window(&practice(), rule, at.parse().unwrap()).unwrap();
            (from.to_string(), until.to_string())
        };
        let of = |from: &str, until: &str| (from.to_owned(), until.to_owned());
        let hour = of("2026-11-18T15:00:00Z", "2026-11-18T16:00:00Z");
        assert_eq!(window(Rule::ManyDenials, "2026-11-18T15:00:00Z"), hour);
        assert_eq!(window(Rule::ManyDenials, "2026-11-18T15:59:59.999Z"), hour);
        assert_ne!(window(Rule::ManyDenials, "2026-11-18T16:00:00Z"), hour);
        // Days of 25 and of 23 hours.
        for (at, from, until) in [
            (
                "2026-11-02T04:59:59Z",
                "2026-11-01T04:00:00Z",
                "2026-11-02T05:00:00Z",
            ),
            (
                "2026-11-02T05:00:00Z",
                "2026-11-02T05:00:00Z",
                "2026-11-03T05:00:00Z",
            ),
            (
                "2026-03-08T12:00:00Z",
                "2026-03-08T05:00:00Z",
                "2026-03-09T04:00:00Z",
            ),
        ] {
            assert_eq!(window(Rule::ManyExports, at), of(from, until), "{at}");
        }
    }

    #[test]
    fn settings_that_make_no_sense_end_the_start() {
        let all: Vec<_> = Rule::ALL
            .iter()
            .map(|rule| format!("{}=7", rule.as_str()))
            .collect();
        let all = all.join(" ");
        let watch = Watch::parse("MON-SAT 0-24", &all).unwrap();
        assert_eq!(watch.threshold(Rule::OwnRights).unwrap(), 7);
        for hours in [
            "",
            "MON-FRI",
            "MON-FRI 19-7",
            "MON-FRI 7-25",
            "FRI-MON 7-19",
        ] {
            assert!(Watch::parse(hours, &all).is_err(), "{hours}");
        }
        for thresholds in [
            String::new(),
            "many-patients=7".to_owned(),
            format!("{all} many-patients=7"),
            all.replace("=7", "=0"),
            all.replace("many-patients", "most-patients"),
        ] {
            assert!(
                Watch::parse("MON-FRI 7-19", &thresholds).is_err(),
                "{thresholds}"
            );
        }
    }
}
