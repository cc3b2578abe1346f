//! Lists a patient's documents, newest first: uploads by when they were announced, clinical documents
//! by their date. Three lists are read side by side and merged; a cursor says how far in each the
//! pages before came, so that nothing is shown twice or left out, whatever arrives meanwhile.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use shared::Fault;
use shared::access::Unproven;
use shared::api::documents::{Clinical, Document, DocumentList, ListDocuments, Upload};
use shared::api::page::Page;
use shared::aws::Aws;
use shared::http::{Problem, Read, reads};
use shared::ids::PatientId;
use shared::phi::{Opener, Sealed};
use shared::serve::Service;
use shared::store::{Documents, Records, SealedRow, Section};

struct Handler {
    documents: Documents,
    records: Records,
}

/// How far a list was shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
enum Position {
    #[default]
    Start,
    After(String),
    End,
}

/// How far each list was shown: what a cursor holds.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Positions {
    uploads: Position,
    documents: Position,
    reports: Position,
}

/// The next rows of a list, the newest first.
struct Part {
    position: Position,
    rows: std::vec::IntoIter<(String, SealedRow)>,
    /// Whether there is more behind them.
    more: bool,
}

impl Part {
    const fn new(
        position: Position,
        rows: std::vec::IntoIter<(String, SealedRow)>,
        more: bool,
    ) -> Self {
        Self {
            position,
            rows,
            more,
        }
    }

    fn time(&self) -> Option<&str> {
        let (key, _) = self.rows.as_slice().first()?;
        key.rsplit('#').nth(1)
    }

    fn take(&mut self) -> Option<SealedRow> {
        let (key, row) = self.rows.next()?;
        self.position = Position::After(key);
        Some(row)
    }

    fn reached(&self) -> Position {
        if self.rows.as_slice().is_empty() && !self.more {
            Position::End
        } else {
            self.position.clone()
        }
    }
}

/// Where a row of a merged page comes from.
#[derive(Clone, Copy)]
enum From {
    Uploads,
    Record,
}

impl Handler {
    async fn uploads(
        &self,
        whose: &Unproven<PatientId>,
        position: Position,
        limit: u8,
    ) -> Result<Part, Fault> {
        let after = match &position {
            Position::Start => None,
            Position::After(key) => Some(key.as_str()),
            Position::End => return Ok(Part::new(position, Vec::new().into_iter(), false)),
        };
        let found = self.documents.newest(whose, after, limit).await?;
        let keyed = |row: SealedRow| {
            let key = row.string("requested").map(str::to_owned);
            Ok((key.ok_or(Fault::Corrupt("an upload's row"))?, row))
        };
        let rows: Vec<_> = found
            .rows
            .into_iter()
            .map(keyed)
            .collect::<Result<_, Fault>>()?;
        Ok(Part::new(position, rows.into_iter(), found.next.is_some()))
    }

    async fn entries(
        &self,
        whose: &Unproven<PatientId>,
        section: Section,
        position: Position,
        limit: u8,
    ) -> Result<Part, Fault> {
        let after = match &position {
            Position::Start => None,
            Position::After(key) => Some(key.as_str()),
            Position::End => return Ok(Part::new(position, Vec::new().into_iter(), false)),
        };
        let found = self.records.newest(whose, section, after, limit).await?;
        let keyed = |row: SealedRow| Ok((row.sk()?.to_owned(), row));
        let rows: Vec<_> = found
            .rows
            .into_iter()
            .map(keyed)
            .collect::<Result<_, Fault>>()?;
        Ok(Part::new(position, rows.into_iter(), found.next.is_some()))
    }
}

impl Read<ListDocuments> for Handler {
    async fn read(
        &self,
        whose: &Unproven<PatientId>,
        page: Page,
    ) -> Result<Sealed<DocumentList>, Problem> {
        let now = Timestamp::now();
        let positions = match &page.after {
            None => Positions::default(),
            Some(after) => {
                serde_json::from_str(after).map_err(|_| Fault::Defect("a cursor of ours"))?
            }
        };
        let (documents, reports) = (Section::Documents, Section::DiagnosticReports);
        let (uploads, documents, reports) = tokio::join!(
            self.uploads(whose, positions.uploads, page.limit),
            self.entries(whose, documents, positions.documents, page.limit),
            self.entries(whose, reports, positions.reports, page.limit),
        );
        let mut parts = [
            (From::Uploads, uploads?),
            (From::Record, documents?),
            (From::Record, reports?),
        ];
        let mut rows = Vec::new();
        while rows.len() < usize::from(page.limit) {
            // Of two of the same time the one of the first list comes first.
            let newest = parts
                .iter_mut()
                .rev()
                .filter(|(_, part)| part.time().is_some())
                .max_by(|(_, one), (_, other)| one.time().cmp(&other.time()));
            let Some((from, row)) = newest.and_then(|(from, part)| Some((*from, part.take()?)))
            else {
                break;
            };
            rows.push((from, row));
        }
        let [uploads, documents, reports] = parts.map(|(_, part)| part.reached());
        let over = [&uploads, &documents, &reports]
            .iter()
            .all(|position| **position == Position::End);
        let next = (!over).then_some(Positions {
            uploads,
            documents,
            reports,
        });
        Ok(Sealed::new(move |opener| {
            let mut shown = Vec::new();
            for (from, row) in &rows {
                shown.extend(open(*from, row, opener, now)?);
            }
            let next = next.map(|next| {
                let next = serde_json::to_string(&next).map_err(|_| Fault::Defect("a cursor"))?;
                page.cursor.write(&next)
            });
            Ok(DocumentList {
                documents: shown,
                next_cursor: next.transpose()?,
            })
        }))
    }
}

/// A row as it is shown; none if it is not: a deleted upload, a report that only groups results.
fn open(
    from: From,
    row: &SealedRow,
    opener: &Opener,
    now: Timestamp,
) -> Result<Option<Document>, Fault> {
    match from {
        From::Uploads if row.string("status") == Some("deleted") => Ok(None),
        From::Uploads => Upload::open(row, opener, now)
            .map(Document::Upload)
            .map(Some),
        From::Record => Ok(Clinical::open(row, opener)?.map(Document::Clinical)),
    }
}

pub fn service(aws: &Aws) -> Result<Service, Fault> {
    reads::<ListDocuments>(
        aws,
        Handler {
            documents: Documents::new(aws)?,
            records: Records::new(aws)?,
        },
    )
}
