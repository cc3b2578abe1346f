//! Who joins and who leaves a patient's care team when a file is imported.
//!
//! A care team is what access rests on, and a file is seldom the whole record. So:
//! - somebody listed by a CareTeam leaves when a file has every stored CareTeam of the patient and
//!   none of them lists them as current any more;
//! - somebody who took part in an encounter leaves when a file has every stored encounter and they
//!   are in none of the last 24 months, or when they were last seen 24 months before the newest
//!   encounter of all that are stored;
//! - nobody joins because of an encounter in a file of older ones that is past those 24 months;
//! - whom an administrator put on the team stays as the administrator left them.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use shared::Fault;
use shared::fhir::Source;
use shared::ids::PractitionerId;
use shared::phi::DataKey;
use shared::store::{CareTeamRow, Member};

/// As the reader of a file counts them.
const MONTHS: i64 = 24;

/// What is known beside the file's own care team.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances<'a> {
    pub(crate) rows: &'a [CareTeamRow],
    /// Start of the newest encounter that is stored, and of the newest in the file.
    pub(crate) newest_stored: Option<Timestamp>,
    pub(crate) newest_in_file: Option<Timestamp>,
    /// Whether the file has every stored encounter, and every stored CareTeam.
    pub(crate) has_all_encounters: bool,
    pub(crate) has_all_teams: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) put: Vec<Member>,
    pub(crate) remove: Vec<PractitionerId>,
}

/// The name of a source in the row.
pub(crate) const fn source(source: Source) -> &'static str {
    match source {
        Source::CareTeam => LISTED,
        Source::Encounter => SEEN,
    }
}

const LISTED: &str = "care-team";
const SEEN: &str = "encounter";

pub(crate) fn changes(
    known: &Circumstances<'_>,
    members: Vec<Member>,
    key: &DataKey,
) -> Result<Changes, Fault> {
    let newest = known.newest_stored.max(known.newest_in_file);
    let cutoff = newest.and_then(|newest| {
        let cutoff = newest.to_zoned(TimeZone::UTC).checked_sub(MONTHS.months());
        cutoff.ok().map(|cutoff| cutoff.timestamp())
    });
    let is_past = |last_seen: Option<&String>| {
        let last_seen: Option<Timestamp> = last_seen.and_then(|at| at.parse().ok());
        cutoff
            .zip(last_seen)
            .is_some_and(|(cutoff, last)| last < cutoff)
    };
    let is_old_file = known.newest_stored > known.newest_in_file;
    let mut team: Vec<Member> = Vec::new();
    for member in members {
        let joins = member.source == LISTED || !is_old_file || !is_past(member.last_seen.as_ref());
        // Two references of the file may lead to one person; the reader puts listed ones first.
        let is_there = |other: &Member| other.practitioner == member.practitioner;
        if joins && !team.iter().any(is_there) {
            team.push(member);
        }
    }
    let mut changes = Changes::default();
    for row in known.rows.iter().filter(|row| !row.is_made_in_portal()) {
        let leaves = match row.source.as_str() {
            LISTED => known.has_all_teams,
            _ => known.has_all_encounters || is_past(row.last_seen.as_ref()),
        };
        if leaves
            && !team
                .iter()
                .any(|member| member.practitioner == row.practitioner)
        {
            changes.remove.push(row.practitioner);
        }
    }
    for member in team {
        let row = known
            .rows
            .iter()
            .find(|row| row.practitioner == member.practitioner);
        match row {
            None => changes.put.push(member),
            Some(row) if row.is_made_in_portal() => {}
            // A part of the record does not say that the listing has ended.
            Some(row) if row.source == LISTED && member.source == SEEN && !known.has_all_teams => {}
            Some(row) => {
                let member = joined(member, row, known);
                if !member.stands_in(row, key)? {
                    changes.put.push(member);
                }
            }
        }
    }
    Ok(changes)
}

/// A file that has everything is right about the times; any other can only add to them.
fn joined(mut member: Member, row: &CareTeamRow, known: &Circumstances<'_>) -> Member {
    let is_whole = match member.source {
        LISTED => known.has_all_teams && known.has_all_encounters,
        _ => known.has_all_encounters,
    };
    if row.source == member.source && !is_whole {
        member.since = match (member.since.take(), row.since.clone()) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        member.last_seen = member.last_seen.max(row.last_seen.clone());
    }
    member
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(number: u128) -> PractitionerId {
        PractitionerId::new(Uuid::from_u128(number))
    }

    fn at(year: u16) -> Timestamp {
        format!("{year}-01-01T00:00:00Z").parse().unwrap()
    }

    fn time(year: u16) -> Option<String> {
        Some(format!("{year}-01-01T00:00:00.000Z"))
    }

    fn member(number: u128, source: &'static str, last_seen: u16) -> Member {
        Member {
            practitioner: id(number),
            source,
            since: time(2010),
            last_seen: time(last_seen),
            particulars: b"{}".to_vec(),
        }
    }

    fn row(number: u128, source: &str, last_seen: u16) -> CareTeamRow {
        CareTeamRow {
            practitioner: id(number),
            source: source.to_owned(),
            since: time(2012),
            last_seen: time(last_seen),
            digest: None,
        }
    }

    fn run(
        known: &Circumstances<'_>,
        members: Vec<Member>,
    ) -> (Vec<(u128, &'static str)>, Vec<u128>) {
        let key = DataKey::new(&[7; 32]).unwrap();
        let changes = changes(known, members, &key).unwrap();
        let number = |id: PractitionerId| id.uuid().as_u128();
        let put = changes
            .put
            .iter()
            .map(|one| (number(one.practitioner), one.source));
        (
            put.collect(),
            changes.remove.into_iter().map(number).collect(),
        )
    }

    fn circumstances(rows: &[CareTeamRow], has_all: bool) -> Circumstances<'_> {
        Circumstances {
            rows,
            newest_stored: Some(at(2024)),
            newest_in_file: Some(at(2024)),
            has_all_encounters: has_all,
            has_all_teams: has_all,
        }
    }

    #[test]
    fn only_a_whole_file_takes_people_off() {
        let rows = [
            row(1, LISTED, 2024),
            row(2, SEEN, 2024),
            row(3, PORTAL, 2000),
        ];
        let part = circumstances(&rows, false);
        assert_eq!(
            run(&part, vec![member(4, SEEN, 2024)]),
            (vec![(4, SEEN)], vec![])
        );
        let whole = circumstances(&rows, true);
        assert_eq!(
            run(&whole, vec![member(4, SEEN, 2024)]),
            (vec![(4, SEEN)], vec![1, 2])
        );
    }

    #[test]
    fn a_visit_ages_though_no_file_mentions_it() {
        let rows = [row(1, LISTED, 2000), row(2, SEEN, 2021), row(3, SEEN, 2023)];
        let part = circumstances(&rows, false);
        assert_eq!(run(&part, vec![]), (vec![], vec![2]));
    }

    #[test]
    fn an_old_file_puts_nobody_on_for_old_visits() {
        let old = Circumstances {
            newest_in_file: Some(at(2015)),
            ..circumstances(&[], false)
        };
        let members = vec![
            member(1, SEEN, 2015),
            member(2, LISTED, 2015),
            member(3, SEEN, 2023),
        ];
        assert_eq!(run(&old, members), (vec![(2, LISTED), (3, SEEN)], vec![]));
    }

    #[test]
    fn a_part_neither_ends_a_listing_nor_touches_an_administrators_word() {
        let rows = [row(1, LISTED, 2024), row(2, PORTAL, 2024)];
        let members = || vec![member(1, SEEN, 2024), member(2, LISTED, 2024)];
        assert_eq!(
            run(&circumstances(&rows, false), members()),
            (vec![], vec![])
        );
        assert_eq!(
            run(&circumstances(&rows, true), members()),
            (vec![(1, SEEN)], vec![])
        );
    }

    #[test]
    fn a_part_only_widens_the_times() {
        let rows = [row(1, SEEN, 2024)];
        let one = joined(
            member(1, SEEN, 2023),
            &rows[0],
            &circumstances(&rows, false),
        );
        assert_eq!((one.since, one.last_seen), (time(2010), time(2024)));
        let one = joined(member(1, SEEN, 2023), &rows[0], &circumstances(&rows, true));
        assert_eq!((one.since, one.last_seen), (time(2010), time(2023)));
    }

    const PORTAL: &str = "portal";
}
