//! The record as a tagged PDF (PDF/UA-1, ISO 14289-1): headings, tables with header cells, a
//! language, bookmarks, and a typeface of its own, of which only the used part is in the file.
//!
//! Everything is laid out first and drawn afterwards, page by page: a page is borrowed while it is
//! drawn, and the structure runs across pages.

use crate::page::{Page, Table};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use krilla::Document;
use krilla::SerializeSettings;
use krilla::configure::{Accessibility, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::tagging::{
    Artifact, ArtifactType, ContentTag, Identifier, Node, SpanTag, TableHeaderScope, Tag, TagGroup,
    TagKind, TagTree,
};
use krilla::text::{Font, GlyphId, KrillaGlyph};
use shared::Fault;
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};
use std::collections::HashMap;
use std::num::NonZeroU16;
use unicode_normalization::UnicodeNormalization;

/// DejaVu Sans, of which Latin, Greek and Cyrillic letters are kept: see fonts/README.md.
const REGULAR: &[u8] = include_bytes!("../fonts/DejaVuSans.ttf");
const BOLD: &[u8] = include_bytes!("../fonts/DejaVuSans-Bold.ttf");

/// US Letter, in points.
const PAGE: (f32, f32) = (612.0, 792.0);
const MARGIN: f32 = 48.0;
const BOTTOM: f32 = PAGE.1 - 60.0;
const WIDTH: f32 = PAGE.0 - 2.0 * MARGIN;

const TEXT: f32 = 9.0;
const CELL: f32 = 8.0;
const LEADING: f32 = 1.35;
const GAP: f32 = 8.0;

/// What is drawn for a character that the typeface does not have.
const UNKNOWN: char = '\u{25A1}';

/// How much text of notes is printed: about 500 pages.
const MAX_NOTES: usize = 2_000_000;

const WRONG: Fault = Fault::Defect("a PDF");

pub(crate) struct Pdf {
    pub(crate) bytes: Vec<u8>,
    /// Characters that the typeface does not have.
    pub(crate) undrawn: usize,
    pub(crate) notes_left_out: usize,
}

/// Prints a page, with remarks at its end.
pub(crate) fn make(page: &Page, remarks: &[String], made_at: Timestamp) -> Result<Pdf, Fault> {
    let mut layout = Layout::new()?;
    layout.block(heading(1, &page.title), &page.title, 16.0, true);
    layout.facts(page);
    for table in &page.tables {
        layout.table(table);
    }
    let notes_left_out = layout.notes(page);
    layout.heading("About this copy");
    for remark in remarks {
        layout.block(Tag::P.into(), remark, TEXT, false);
    }
    if layout.undrawn > 0 {
        let told = format!(
            "The typeface of this document lacks some characters; {UNKNOWN} stands for each."
        );
        layout.block(Tag::P.into(), &told, TEXT, false);
    }
    let undrawn = layout.undrawn;
    let bytes = layout.draw(page, made_at)?;
    Ok(Pdf {
        bytes,
        undrawn,
        notes_left_out,
    })
}

/// The tag of a heading, with its text as title.
fn heading(level: u16, text: &str) -> TagKind {
    let level = NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN);
    Tag::Hn(level, Some(text.to_owned())).into()
}

/// A typeface, and the glyphs that were asked for.
struct Face {
    font: Font,
    reference: FontRef<'static>,
    glyphs: HashMap<char, Option<(u32, f32)>>,
}

impl Face {
    fn new(bytes: &'static [u8]) -> Result<Self, Fault> {
        Ok(Self {
            font: Font::new(bytes.into(), 0).ok_or(WRONG)?,
            reference: FontRef::new(bytes).map_err(|_| WRONG)?,
            glyphs: HashMap::new(),
        })
    }

    /// The glyph of a character and its width, in parts of the size.
    fn glyph(&mut self, c: char) -> Option<(u32, f32)> {
        let reference = &self.reference;
        *self.glyphs.entry(c).or_insert_with(|| {
            let id = reference.charmap().map(c)?;
            let metrics = reference.glyph_metrics(Size::unscaled(), LocationRef::default());
            let units = f32::from(
                reference
                    .metrics(Size::unscaled(), LocationRef::default())
                    .units_per_em,
            );
            Some((id.to_u32(), metrics.advance_width(id)? / units))
        })
    }

    fn width(&mut self, text: &str, size: f32) -> f32 {
        let widths = text.chars().filter_map(|c| Some(self.glyph(c)?.1));
        widths.sum::<f32>() * size
    }
}

/// A line of text at its place.
struct Line {
    page: usize,
    x: f32,
    y: f32,
    size: f32,
    bold: bool,
    text: String,
    /// Headers that are repeated on the next page, and whatever else no reader should read twice.
    artifact: bool,
}

/// An element of the structure.
struct Element {
    tag: TagKind,
    children: Vec<Child>,
}

enum Child {
    Element(usize),
    Line(usize),
}

struct Layout {
    regular: Face,
    bold: Face,
    lines: Vec<Line>,
    /// Rules across a page, at a height.
    rules: Vec<(usize, f32)>,
    elements: Vec<Element>,
    /// The elements at the top.
    roots: Vec<usize>,
    bookmarks: Vec<(String, usize, f32)>,
    page: usize,
    y: f32,
    undrawn: usize,
}

impl Layout {
    fn new() -> Result<Self, Fault> {
        Ok(Self {
            regular: Face::new(REGULAR)?,
            bold: Face::new(BOLD)?,
            lines: Vec::new(),
            rules: Vec::new(),
            elements: Vec::new(),
            roots: Vec::new(),
            bookmarks: Vec::new(),
            page: 0,
            y: MARGIN,
            undrawn: 0,
        })
    }

    fn face(&mut self, bold: bool) -> &mut Face {
        if bold {
            &mut self.bold
        } else {
            &mut self.regular
        }
    }

    /// Text as it can be drawn: composed, without control characters, with a sign for each
    /// character that the typeface lacks.
    fn drawable(&mut self, text: &str) -> String {
        let mut drawable = String::with_capacity(text.len());
        for c in text.nfc() {
            let c = if c.is_whitespace() { ' ' } else { c };
            if c.is_control() {
                continue;
            }
            if self.regular.glyph(c).is_some() && self.bold.glyph(c).is_some() {
                drawable.push(c);
            } else {
                self.undrawn += 1;
                drawable.push(UNKNOWN);
            }
        }
        drawable
    }

    /// Breaks drawable text into lines.
    fn broken(&mut self, text: &str, width: f32, size: f32, bold: bool) -> Vec<String> {
        let face = self.face(bold);
        let mut lines = Vec::new();
        let (mut line, mut used) = (String::new(), 0.0);
        for word in text.split_inclusive(' ') {
            let wide = face.width(word.trim_end(), size);
            if used > 0.0 && used + wide > width {
                lines.push(std::mem::take(&mut line));
                used = 0.0;
            }
            if wide <= width {
                line.push_str(word);
                used += face.width(word, size);
                continue;
            }
            for c in word.chars() {
                let wide = face.glyph(c).map_or(0.0, |(_, wide)| wide * size);
                if used > 0.0 && used + wide > width {
                    lines.push(std::mem::take(&mut line));
                    used = 0.0;
                }
                line.push(c);
                used += wide;
            }
        }
        if !line.is_empty() {
            lines.push(line);
        }
        lines
    }

    fn element(&mut self, tag: TagKind, parent: Option<usize>) -> usize {
        let at = self.elements.len();
        self.elements.push(Element {
            tag,
            children: Vec::new(),
        });
        match parent.and_then(|parent| self.elements.get_mut(parent)) {
            Some(parent) => parent.children.push(Child::Element(at)),
            None => self.roots.push(at),
        }
        at
    }

    fn line(&mut self, owner: Option<usize>, x: f32, y: f32, size: f32, bold: bool, text: String) {
        let at = self.lines.len();
        self.lines.push(Line {
            page: self.page,
            x,
            y,
            size,
            bold,
            text,
            artifact: owner.is_none(),
        });
        if let Some(owner) = owner.and_then(|owner| self.elements.get_mut(owner)) {
            owner.children.push(Child::Line(at));
        }
    }

    fn turn(&mut self) {
        self.page += 1;
        self.y = MARGIN;
    }

    /// Makes room for so much, on the next page if need be.
    fn room(&mut self, height: f32) {
        if self.y + height > BOTTOM {
            self.turn();
        }
    }

    /// A heading or a paragraph across the page.
    fn block(&mut self, tag: TagKind, text: &str, size: f32, bold: bool) {
        let drawable = self.drawable(text);
        let lines = self.broken(&drawable, WIDTH, size, bold);
        if lines.is_empty() {
            return;
        }
        let element = self.element(tag, None);
        for line in lines {
            self.room(size * LEADING);
            self.y += size * LEADING;
            self.line(Some(element), MARGIN, self.y, size, bold, line);
        }
        self.y += size * 0.4;
    }

    fn heading(&mut self, text: &str) {
        self.y += 12.0;
        // Not alone at the end of a page.
        self.room(72.0);
        self.bookmarks.push((text.to_owned(), self.page, self.y));
        self.block(heading(2, text), text, 13.0, true);
    }

    fn facts(&mut self, page: &Page) {
        const NAMES: f32 = 150.0;
        self.heading("Patient");
        let table = self.element(Tag::Table.into(), None);
        for (name, value) in &page.facts {
            let name = self.drawable(name);
            let value = self.drawable(value);
            let row = self.element(Tag::TR.into(), Some(table));
            let header = self.element(Tag::TH(TableHeaderScope::Row).into(), Some(row));
            let cell = self.element(Tag::TD.into(), Some(row));
            let lines = self.broken(&value, WIDTH - NAMES, TEXT, false);
            for (index, line) in lines.into_iter().enumerate() {
                self.room(TEXT * LEADING);
                self.y += TEXT * LEADING;
                if index == 0 {
                    self.line(Some(header), MARGIN, self.y, TEXT, true, name.clone());
                }
                self.line(Some(cell), MARGIN + NAMES, self.y, TEXT, false, line);
            }
        }
    }

    fn table(&mut self, table: &Table) {
        self.heading(table.title);
        if table.rows.is_empty() {
            self.block(Tag::P.into(), "None.", TEXT, false);
            return;
        }
        let rows: Vec<Vec<String>> = table
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| self.drawable(cell)).collect())
            .collect();
        let widths = self.widths(table.columns, &rows);
        let element = self.element(Tag::Table.into(), None);
        let head = self.element(Tag::THead.into(), Some(element));
        let head = self.element(Tag::TR.into(), Some(head));
        let headers: Vec<Option<usize>> = table
            .columns
            .iter()
            .map(|_| Some(self.element(Tag::TH(TableHeaderScope::Column).into(), Some(head))))
            .collect();
        let names: Vec<String> = table.columns.iter().map(|&name| name.to_owned()).collect();
        self.header(&names, &widths, &headers);
        let body = self.element(Tag::TBody.into(), Some(element));
        for row in &rows {
            self.row(row, &names, &widths, body);
        }
    }

    /// The row of the columns' names; without owners, one that repeats it.
    fn header(&mut self, names: &[String], widths: &[f32], owners: &[Option<usize>]) {
        self.room(CELL * LEADING * 3.0);
        self.y += CELL * LEADING;
        let mut x = MARGIN;
        for ((name, width), owner) in names.iter().zip(widths).zip(owners) {
            self.line(*owner, x, self.y, CELL, true, name.clone());
            x += width;
        }
        self.y += 4.0;
        self.rules.push((self.page, self.y));
    }

    fn row(&mut self, row: &[String], names: &[String], widths: &[f32], body: usize) {
        let element = self.element(Tag::TR.into(), Some(body));
        let mut cells = Vec::new();
        for (text, width) in row.iter().zip(widths) {
            let cell = self.element(Tag::TD.into(), Some(element));
            let lines = self.broken(text, width - GAP, CELL, false);
            cells.push((cell, *width, lines.into_iter()));
        }
        let mut left = cells.iter().map(|(_, _, lines)| lines.len()).max();
        while let Some(1..) = left {
            if self.y + CELL * LEADING > BOTTOM {
                self.turn();
                let none = vec![None; names.len()];
                self.header(names, widths, &none);
            }
            self.y += CELL * LEADING;
            let mut x = MARGIN;
            for (cell, width, lines) in &mut cells {
                if let Some(line) = lines.next() {
                    self.line(Some(*cell), x, self.y, CELL, false, line);
                }
                x += *width;
            }
            left = left.map(|left| left - 1);
        }
        self.y += 2.0;
    }

    /// Columns as wide as what is in them, as far as there is room.
    fn widths(&mut self, columns: &[&str], rows: &[Vec<String>]) -> Vec<f32> {
        const MOST: f32 = 220.0;
        const LEAST: f32 = 44.0;
        let mut natural: Vec<f32> = columns
            .iter()
            .map(|name| self.bold.width(name, CELL) + GAP)
            .collect();
        let least: Vec<f32> = natural.iter().map(|width| width.max(LEAST)).collect();
        for row in rows {
            for (cell, width) in row.iter().zip(&mut natural) {
                if *width < MOST {
                    *width = width.max(self.regular.width(cell, CELL) + GAP).min(MOST);
                }
            }
        }
        let free = WIDTH - least.iter().sum::<f32>();
        let wish = |(natural, least): (&f32, &f32)| (natural - least).max(0.0);
        let wishes: f32 = natural.iter().zip(&least).map(wish).sum();
        let share = if wishes > 0.0 {
            (free / wishes).min(1.0)
        } else {
            0.0
        };
        let widths = natural.iter().zip(&least);
        widths.map(|pair| pair.1 + wish(pair) * share).collect()
    }

    /// The notes, as many as are printed; the number of the others.
    fn notes(&mut self, page: &Page) -> usize {
        self.heading("Notes");
        if page.notes.is_empty() {
            self.block(Tag::P.into(), "None.", TEXT, false);
        }
        let (mut printed, mut left_out) = (0, 0);
        for note in &page.notes {
            printed += note.text.len();
            if printed > MAX_NOTES {
                left_out += 1;
                continue;
            }
            self.y += 6.0;
            self.room(60.0);
            self.block(heading(3, &note.title), &note.title, 10.0, true);
            for line in note.text.lines() {
                self.block(Tag::P.into(), line, TEXT, false);
            }
        }
        left_out
    }

    fn draw(mut self, page: &Page, made_at: Timestamp) -> Result<Vec<u8>, Fault> {
        let configuration = ConfigurationBuilder::new()
            .with_accessibility_validator(Accessibility::UA1)
            .finish()
            .map_err(|_| WRONG)?;
        let mut document = Document::new_with(SerializeSettings {
            configuration,
            ..SerializeSettings::default()
        });
        let made = made_at.to_zoned(TimeZone::UTC).datetime();
        let part = |part: i8| u8::try_from(part).unwrap_or(0);
        document.set_metadata(
            Metadata::new()
                .title(page.title.clone())
                .language("en".to_owned())
                .creator("patient portal".to_owned())
                .creation_date(
                    DateTime::new(u16::try_from(made.year()).unwrap_or(0))
                        .month(part(made.month()))
                        .day(part(made.day()))
                        .hour(part(made.hour()))
                        .minute(part(made.minute()))
                        .second(part(made.second()))
                        .utc_offset_hour(0)
                        .utc_offset_minute(0),
                ),
        );
        let pages = self.page + 1;
        let mut identifiers: Vec<Option<Identifier>> = Vec::with_capacity(self.lines.len());
        let lines = std::mem::take(&mut self.lines);
        let mut lines = lines.iter().peekable();
        let title = self.drawable(&page.title);
        for number in 0..pages {
            let settings = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or(WRONG)?;
            let mut sheet = document.start_page_with(settings);
            let mut surface = sheet.surface();
            surface.set_fill(Some(Fill::default()));
            while let Some(line) = lines.next_if(|line| line.page == number) {
                let tag = if line.artifact {
                    ContentTag::Artifact(Artifact::with_kind(ArtifactType::Header))
                } else {
                    ContentTag::Span(SpanTag::empty())
                };
                let identifier = surface.start_tagged(tag);
                let face = self.face(line.bold);
                write(&mut surface, face, line.x, line.y, line.size, &line.text);
                surface.end_tagged();
                identifiers.push((!line.artifact).then_some(identifier));
            }
            let footer = format!("{title} \u{2014} page {} of {pages}", number + 1);
            surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(
                ArtifactType::Footer,
            )));
            write(
                &mut surface,
                &mut self.regular,
                MARGIN,
                PAGE.1 - 32.0,
                7.0,
                &footer,
            );
            surface.end_tagged();
            for (_, y) in self.rules.iter().filter(|(page, _)| *page == number) {
                let mut path = PathBuilder::new();
                path.push_rect(Rect::from_xywh(MARGIN, *y, WIDTH, 0.6).ok_or(WRONG)?);
                let path = path.finish().ok_or(WRONG)?;
                surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(
                    ArtifactType::Layout,
                )));
                surface.draw_path(&path);
                surface.end_tagged();
            }
            surface.finish();
            sheet.finish();
        }
        let mut outline = Outline::new();
        for (text, page, y) in self.bookmarks {
            let there = XyzDestination::new(page, Point::from_xy(MARGIN, y));
            outline.push_child(OutlineNode::new(text, there));
        }
        document.set_outline(outline);
        let mut elements: Vec<Option<Element>> = self.elements.into_iter().map(Some).collect();
        let mut tree = TagTree::new().with_lang(Some("en".to_owned()));
        for root in self.roots {
            if let Some(group) = group(&mut elements, &mut identifiers, root) {
                tree.push(group);
            }
        }
        document.set_tag_tree(tree);
        document.finish().map_err(|_| WRONG)
    }
}

/// The tag of an element and of what is in it.
fn group(
    elements: &mut [Option<Element>],
    identifiers: &mut [Option<Identifier>],
    at: usize,
) -> Option<TagGroup> {
    let element = elements.get_mut(at)?.take()?;
    let mut group = TagGroup::new(element.tag);
    for child in element.children {
        let node = match child {
            Child::Element(at) => self::group(elements, identifiers, at).map(Node::from),
            Child::Line(at) => identifiers.get_mut(at)?.take().map(Node::from),
        };
        if let Some(node) = node {
            group.push(node);
        }
    }
    Some(group)
}

fn write(surface: &mut Surface<'_>, face: &mut Face, x: f32, y: f32, size: f32, text: &str) {
    let mut glyphs = Vec::new();
    for (at, c) in text.char_indices() {
        if let Some((id, wide)) = face.glyph(c) {
            let range = at..at + c.len_utf8();
            glyphs.push(KrillaGlyph::new(
                GlyphId::new(id),
                wide,
                0.0,
                0.0,
                0.0,
                range,
                None,
            ));
        }
    }
    let start = Point::from_xy(x, y);
    surface.draw_glyphs(start, &glyphs, face.font.clone(), text, size, false);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Note;

    fn page(cell: &str) -> Page {
        Page {
            title: "Health record of Zo\u{eb}".to_owned(),
            facts: vec![("Name", cell.to_owned()), ("Born", String::new())],
            tables: vec![
                Table {
                    title: "Results",
                    columns: &["Date", "What", "Result"],
                    rows: vec![vec!["2019".to_owned(), cell.to_owned(), String::new()]; 3],
                },
                Table {
                    title: "Nothing",
                    columns: &["Date"],
                    rows: Vec::new(),
                },
            ],
            notes: vec![Note {
                title: "A note".to_owned(),
                text: cell.to_owned(),
            }],
        }
    }

    /// What the library's own validator of PDF/UA-1 refuses is an error.
    #[test]
    fn prints_whatever_people_write() {
        let long = "x".repeat(5_000);
        let lines = "a line\n\n\tanother\r\n".repeat(400);
        for (text, undrawn) in [
            ("O'Keefe, Ordo\u{301}\u{f1}ez", 0),
            ("", 0),
            (" ", 0),
            ("\u{0}\u{7}a\u{200b}b", 1),
            ("\u{5c71}\u{7530}", 2),
            (long.as_str(), 0),
            (lines.as_str(), 0),
        ] {
            let pdf = make(&page(text), &[text.to_owned()], Timestamp::UNIX_EPOCH).unwrap();
            assert!(pdf.bytes.starts_with(b"%PDF-1.7"));
            // It stands in six places: a fact, three cells, a note, a remark.
            assert_eq!(pdf.undrawn, 6 * undrawn, "{text:.20}");
        }
    }
}
