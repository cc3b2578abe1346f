//! Walks the archive from checkpoint to checkpoint and says which record was altered, removed, inserted or
//! moved, and where: in the archive's objects, in the log group or in the table. What is genuine is what
//! the signed end of a chain leads to, from hash to hash, backwards. Reads through [`Copies`] alone.

use super::chain::{CHAINS, Head, INSERT, Line, lines};
use super::checkpoint::{Checkpoint, PublicKey, Signed};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What there is to read, wherever it is.
pub trait Copies {
    type Error;

    /// The numbers of the checkpoints after this one, in order; as many as are to be looked at.
    fn checkpoints(&self, after: u64)
    -> impl Future<Output = Result<Vec<u64>, Self::Error>> + Send;

    fn checkpoint(
        &self,
        number: u64,
    ) -> impl Future<Output = Result<Option<Vec<u8>>, Self::Error>> + Send;

    /// The objects of a chain that begin behind one line and up to another, in order.
    fn objects(
        &self,
        chain: u8,
        after: u64,
        to: u64,
    ) -> impl Future<Output = Result<Vec<Vec<u8>>, Self::Error>> + Send;

    /// What the log group has of a chain behind one time and up to another, each with its time; none
    /// if there is no log group to read.
    fn log(
        &self,
        chain: u8,
        after: i64,
        to: i64,
    ) -> impl Future<Output = Result<Option<Vec<(i64, String)>>, Self::Error>> + Send;

    /// The rows of the table with these keys; none if there is no table to read.
    fn rows(
        &self,
        keys: Vec<Key>,
    ) -> impl Future<Output = Result<Option<BTreeMap<Key, Value>>, Self::Error>> + Send;
}

/// Partition and sort key of a record.
pub type Key = (String, String);

/// The key of a record as it is archived.
pub fn key_of(record: &Value) -> Option<Key> {
    let text = |name: &str| record.get(name)?.as_str().map(str::to_owned);
    Some((text("pk")?, text("sk")?))
}

/// One of the three that hold every record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Objects,
    Log,
    Table,
}

/// What was done to a record there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tampering {
    Altered,
    Removed,
    Inserted,
    Reordered,
    /// It is one thing here and another in the archive, and no checkpoint says which is right.
    Disputed,
}

/// What is wrong with a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    Missing,
    /// It is none, or the key did not sign it.
    Forged,
    /// It does not continue the one before.
    Unlinked,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    Checkpoint {
        number: u64,
        flaw: Flaw,
    },
    Record {
        place: Place,
        tampering: Tampering,
        chain: u8,
        sequence: u64,
        /// The record's id, where anything says it.
        record: Option<String>,
    },
    /// The lines do not lead back to where the checkpoint before ends.
    Unlinked {
        chain: u8,
        sequence: u64,
    },
    /// The archive saw that the record was changed or removed in the table after it was written.
    Rewritten {
        chain: u8,
        sequence: u64,
        record: Option<String>,
    },
    /// It is in the table, and not in the archive.
    NotArchived {
        record: Option<String>,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |record: &Option<String>| {
            let id = record.as_deref();
            id.map_or_else(|| "a record".to_owned(), |id| format!("record {id}"))
        };
        match self {
            Self::Checkpoint { number, flaw } => {
                let flaw = match flaw {
                    Flaw::Missing => "is missing",
                    Flaw::Forged => "is not signed by the key",
                    Flaw::Unlinked => "does not continue the one before",
                };
                write!(f, "checkpoint {number} {flaw}")
            }
            Self::Record {
                place,
                tampering,
                chain,
                sequence,
                record,
            } => {
                let place = match place {
                    Place::Objects => "the archive",
                    Place::Log => "the log group",
                    Place::Table => "the table",
                };
                let done = match tampering {
                    Tampering::Altered => "was altered in",
                    Tampering::Removed => "is missing from",
                    Tampering::Inserted => "was inserted into",
                    Tampering::Reordered => "was moved in",
                    Tampering::Disputed => "is not, as the archive has it, in",
                };
                let named = named(record);
                write!(f, "{named} (chain {chain}, line {sequence}) {done} {place}")
            }
            Self::Unlinked { chain, sequence } => {
                write!(f, "chain {chain} does not continue its line {sequence}")
            }
            Self::Rewritten {
                chain,
                sequence,
                record,
            } => write!(
                f,
                "{} was changed or removed in the table, as chain {chain}, line {sequence} noted",
                named(record)
            ),
            Self::NotArchived { record } => {
                write!(
                    f,
                    "{} is in the table and not in the archive",
                    named(record)
                )
            }
        }
    }
}

/// What a walk came to.
#[derive(Debug)]
pub struct Walked {
    pub findings: Vec<Finding>,
    /// The last checkpoint that the key signed.
    pub last: Checkpoint,
    /// How many lines were looked at.
    pub lines: u64,
}

/// Walks from behind a checkpoint to the last one. Every line that is genuine is told.
pub async fn walk<C: Copies>(
    copies: &C,
    key: &PublicKey,
    after: u64,
    mut genuine: impl FnMut(&Line),
) -> Result<Walked, C::Error> {
    let mut walked = Walked {
        findings: Vec::new(),
        last: Checkpoint::start(),
        lines: 0,
    };
    let mut previous = String::new();
    if after > 0 {
        match signed(copies, key, after).await? {
            Ok(start) => {
                previous = start.hash();
                walked.last = start.checkpoint;
            }
            Err(flaw) => {
                let number = after;
                walked.findings.push(Finding::Checkpoint { number, flaw });
                return Ok(walked);
            }
        }
    }
    let mut reached = after;
    for number in copies.checkpoints(after).await? {
        let missing = (reached + 1..number).map(|number| Finding::Checkpoint {
            number,
            flaw: Flaw::Missing,
        });
        walked.findings.extend(missing);
        let next = match signed(copies, key, number).await? {
            Ok(next) => next,
            Err(flaw) => {
                walked.findings.push(Finding::Checkpoint { number, flaw });
                reached = number;
                continue;
            }
        };
        // What a missing or forged one said is not known.
        let follows = walked.last.number + 1 == number;
        let ends = next.checkpoint.chains.iter().zip(&walked.last.chains);
        let forward = ends.clone().all(|(to, from)| to.sequence >= from.sequence);
        if !forward || follows && next.checkpoint.previous != previous {
            let flaw = Flaw::Unlinked;
            walked.findings.push(Finding::Checkpoint { number, flaw });
        }
        for (chain, (to, from)) in (0..CHAINS).zip(ends) {
            let found = span(copies, chain, from, to, &mut walked.findings).await?;
            compare(copies, chain, &found, &mut walked.findings).await?;
            found.iter().for_each(|(line, _)| genuine(line));
            walked.lines += found.len() as u64;
        }
        reached = number;
        previous = next.hash();
        walked.last = next.checkpoint;
    }
    walked.findings.sort();
    walked.findings.dedup();
    Ok(walked)
}

async fn signed<C: Copies>(
    copies: &C,
    key: &PublicKey,
    number: u64,
) -> Result<Result<Signed, Flaw>, C::Error> {
    let Some(object) = copies.checkpoint(number).await? else {
        return Ok(Err(Flaw::Missing));
    };
    let signed = Signed::read(&object);
    let signed = signed.filter(|one| one.is_signed_by(key) && one.checkpoint.number == number);
    Ok(signed.ok_or(Flaw::Forged))
}

/// Reads the lines between two signed ends, and returns those that count, each with whether the end
/// proves it.
async fn span<C: Copies>(
    copies: &C,
    chain: u8,
    from: &Head,
    to: &Head,
    findings: &mut Vec<Finding>,
) -> Result<Vec<(Line, bool)>, C::Error> {
    let objects = copies.objects(chain, from.sequence, to.sequence).await?;
    let objects = objects.iter().flat_map(|object| lines(object));
    let mut held = vec![Held::new(Place::Objects, chain, from, to)];
    for line in objects {
        if let Some(held) = held.first_mut() {
            held.take(None, line);
        }
    }
    if let Some(events) = copies.log(chain, from.at, to.at).await? {
        let mut log = Held::new(Place::Log, chain, from, to);
        for (at, text) in events {
            log.take(Some(at), Line::read(&text));
        }
        held.push(log);
    }
    Ok(sift(chain, from, to, &held, findings))
}

/// What one place has of a span of a chain.
struct Held<'a> {
    place: Place,
    chain: u8,
    from: &'a Head,
    to: &'a Head,
    /// In the order in which they stand, each with its number, and with its time where it has one.
    lines: Vec<(u64, Option<i64>, Line)>,
}

impl<'a> Held<'a> {
    const fn new(place: Place, chain: u8, from: &'a Head, to: &'a Head) -> Self {
        Self {
            place,
            chain,
            from,
            to,
            lines: Vec::new(),
        }
    }

    fn take(&mut self, at: Option<i64>, line: Line) {
        let body = line.body.as_ref();
        let said = body.filter(|body| body.chain == self.chain);
        // One that says nothing is taken for the one that is to follow.
        let before = self.lines.last().map_or(self.from.sequence, |last| last.0);
        let sequence = said.map_or(before + 1, |body| body.sequence);
        self.lines.push((sequence, at, line));
    }

    fn at(&self, sequence: u64) -> impl Iterator<Item = &Line> {
        let lines = self.lines.iter();
        let lines = lines.filter(move |(number, ..)| *number == sequence);
        lines.map(|(_, _, line)| line)
    }

    fn finding(&self, tampering: Tampering, sequence: u64, record: Option<&str>) -> Finding {
        Finding::Record {
            place: self.place,
            tampering,
            chain: self.chain,
            sequence,
            record: record.map(str::to_owned),
        }
    }
}

/// Follows the hashes from the signed end back to the end before, and says what each place has that is
/// not genuine, or lacks.
fn sift(
    chain: u8,
    from: &Head,
    to: &Head,
    held: &[Held<'_>],
    findings: &mut Vec<Finding>,
) -> Vec<(Line, bool)> {
    let mut genuine: BTreeMap<u64, (Line, bool)> = BTreeMap::new();
    // None where what should say it was lost.
    let mut expected = Some(to.hash.clone());
    let mut is_proven = true;
    let span = from.sequence + 1..=to.sequence;
    for sequence in span.clone().rev() {
        let candidates: Vec<&Line> = held.iter().flat_map(|place| place.at(sequence)).collect();
        let trusted = match &expected {
            Some(hash) => candidates.iter().find(|line| line.hash == *hash),
            // What both places have alike, or else what the archive has.
            None => candidates
                .iter()
                .find(|line| {
                    candidates
                        .iter()
                        .filter(|one| one.hash == line.hash)
                        .count()
                        > 1
                })
                .or(candidates.first()),
        };
        let record = trusted
            .or(candidates.first())
            .and_then(|line| line.record());
        for place in held {
            let mut there = place.at(sequence).peekable();
            let has = place
                .at(sequence)
                .any(|line| trusted.is_some_and(|one| one.hash == line.hash));
            if there.peek().is_none() {
                findings.push(place.finding(Tampering::Removed, sequence, record));
            } else if !has {
                findings.push(place.finding(Tampering::Altered, sequence, record));
            } else {
                let others = there.filter(|line| trusted.is_some_and(|one| one.hash != line.hash));
                findings.extend(
                    others.map(|line| place.finding(Tampering::Inserted, sequence, line.record())),
                );
            }
        }
        expected = match trusted {
            Some(line) => {
                is_proven &= expected.is_some();
                genuine.insert(sequence, ((*line).clone(), is_proven));
                line.body.as_ref().map(|body| body.previous.clone())
            }
            // An altered line may still say what came before it.
            None => {
                is_proven = false;
                candidates.iter().find_map(|line| {
                    let previous = &line.body.as_ref()?.previous;
                    let mut before = held.iter().flat_map(|place| place.at(sequence - 1));
                    let leads = sequence - 1 == from.sequence && *previous == from.hash
                        || before.any(|line| line.hash == *previous);
                    leads.then(|| previous.clone())
                })
            }
        };
    }
    if expected.is_some_and(|hash| hash != from.hash) {
        let sequence = from.sequence;
        findings.push(Finding::Unlinked { chain, sequence });
    }
    for place in held {
        misplaced(place, &genuine, findings);
    }
    genuine.into_values().collect()
}

/// Lines that are not the span's, that are there twice, or that are not where they belong.
fn misplaced(held: &Held<'_>, genuine: &BTreeMap<u64, (Line, bool)>, findings: &mut Vec<Finding>) {
    let (mut last, mut seen) = (0, BTreeSet::new());
    for (sequence, at, line) in &held.lines {
        let record = line.record();
        if *sequence <= held.from.sequence || *sequence > held.to.sequence {
            findings.push(held.finding(Tampering::Inserted, *sequence, record));
            continue;
        }
        if genuine
            .get(sequence)
            .is_none_or(|(one, _)| one.hash != line.hash)
        {
            continue;
        }
        // CloudWatch cannot be told to take a line once: it may have one twice.
        if !seen.insert(*sequence) {
            if held.place == Place::Objects {
                findings.push(held.finding(Tampering::Inserted, *sequence, record));
            }
            continue;
        }
        let moved = match (at, &line.body) {
            (Some(at), Some(body)) => *at != body.at,
            _ => *sequence < last,
        };
        if moved {
            findings.push(held.finding(Tampering::Reordered, *sequence, record));
        }
        last = last.max(*sequence);
    }
}

/// Compares genuine lines with the table.
async fn compare<C: Copies>(
    copies: &C,
    chain: u8,
    genuine: &[(Line, bool)],
    findings: &mut Vec<Finding>,
) -> Result<(), C::Error> {
    let bodies = genuine
        .iter()
        .filter_map(|(line, proven)| Some((line, line.body.as_ref()?, *proven)));
    let mut keys = Vec::new();
    for (line, body, _) in bodies.clone() {
        if body.kind != INSERT {
            findings.push(Finding::Rewritten {
                chain,
                sequence: body.sequence,
                record: line.record().map(str::to_owned),
            });
        } else if let Some(key) = body.record.as_ref().and_then(key_of) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        return Ok(());
    }
    let Some(rows) = copies.rows(keys).await? else {
        return Ok(());
    };
    for (line, body, is_proven) in bodies {
        let (INSERT, Some(record)) = (body.kind.as_str(), &body.record) else {
            continue;
        };
        let row = key_of(record).and_then(|key| rows.get(&key));
        let tampering = match row {
            Some(row) if row == record => continue,
            _ if !is_proven => Tampering::Disputed,
            Some(_) => Tampering::Altered,
            None => Tampering::Removed,
        };
        findings.push(Finding::Record {
            place: Place::Table,
            tampering,
            chain,
            sequence: body.sequence,
            record: line.record().map(str::to_owned),
        });
    }
    Ok(())
}
