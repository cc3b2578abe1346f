//! PDFs (ISO 32000-1): taken apart and written anew, if all they do is show something.
//!
//! A PDF may hold objects that its cross-reference table does not name, and programs differ in what
//! they make of such a file. So it is read as it says itself, read once more by what it holds, and
//! searched for names that have no place in any of it. What is kept is none of its bytes: it is what
//! was read and can be reached, as a new file with one plain table, so that a reader who understands
//! more than was understood here finds nothing that was not seen.

use crate::child::MAX_PASSED;
use lopdf::xref::{XrefEntry, XrefType};
use lopdf::{DecompressError, Dictionary, Document, Error, LoadOptions, Object, ObjectId};
use shared::api::documents::Rejection;
use std::collections::{HashMap, VecDeque};

/// The most that one compressed stream may expand to while the structure is read.
const MAX_EXPANDED: usize = 64 * 1024 * 1024;

/// How deep an object may be nested.
const MAX_DEPTH: usize = 200;

/// What is to be kept of a file: the same document, anew.
pub(crate) fn anew(bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    let document = judged(bytes)?;
    let pages = document.get_pages().len();
    let saved = saved(document)?;
    if saved.len() > MAX_PASSED {
        return Err(Rejection::TooComplex);
    }
    // What comes out is held to what came in was.
    if judged(&saved)?.get_pages().len() != pages {
        return Err(Rejection::Damaged);
    }
    Ok(saved)
}

/// Reads a file in every way that a reader might, and gives the document that it says it is.
fn judged(bytes: &[u8]) -> Result<Document, Rejection> {
    // Readers forgive a header that comes late; so do other formats, and a file could be both.
    if !bytes.starts_with(b"%PDF-") {
        return Err(Rejection::OtherType);
    }
    const END: &[u8] = b"%%EOF";
    let end = bytes.windows(END.len()).rposition(|window| window == END);
    let behind = end.and_then(|end| bytes.get(end + END.len()..));
    let behind = behind.ok_or(Rejection::Damaged)?;
    if !behind.iter().all(|&byte| is_white(byte)) {
        return Err(Rejection::Damaged);
    }
    for text in bytes.split(|&byte| byte == b'/').skip(1) {
        written(&name(text))?;
    }
    read(bytes, true)?;
    read(bytes, false)
}

fn read(bytes: &[u8], force_reconstruct: bool) -> Result<Document, Rejection> {
    let options = LoadOptions {
        max_decompressed_size: Some(MAX_EXPANDED),
        force_reconstruct,
        ..LoadOptions::default()
    };
    let document =
        Document::load_mem_with_options(bytes, options).map_err(|error| match error {
            Error::Decryption(_) | Error::InvalidPassword => Rejection::Encrypted,
            Error::Decompress(DecompressError::MemoryLimitExceeded { .. }) => Rejection::TooComplex,
            _ => Rejection::Damaged,
        })?;
    if document.is_encrypted() || document.was_encrypted() {
        return Err(Rejection::Encrypted);
    }
    if document.get_pages().is_empty() {
        return Err(Rejection::Damaged);
    }
    dictionary(&document, &document.trailer, 0)?;
    for found in document.objects.values() {
        object(&document, found, 0)?;
    }
    Ok(document)
}

const fn is_white(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

/// The name at the beginning of what follows a slash, with its escapes resolved (7.3.5).
fn name(text: &[u8]) -> Vec<u8> {
    const LONGEST: usize = 127;
    let mut name = Vec::new();
    let mut bytes = text
        .iter()
        .copied()
        .take_while(|&byte| !is_white(byte) && !b"()<>[]{}%".contains(&byte))
        .take(3 * LONGEST);
    while let Some(byte) = bytes.next() {
        name.push(match byte {
            b'#' => {
                let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
                let both = digit(bytes.next()).zip(digit(bytes.next()));
                both.and_then(|(high, low)| u8::try_from(high * 16 + low).ok())
                    .unwrap_or_default()
            }
            byte => byte,
        });
    }
    name
}

/// Names long enough not to come up in compressed data by chance, wherever they stand.
fn written(name: &[u8]) -> Result<(), Rejection> {
    match name {
        b"JavaScript" | b"Launch" | b"RichMedia" | b"RichMediaContent" | b"SubmitForm"
        | b"ImportData" => Err(Rejection::ActiveContent),
        b"EmbeddedFile" | b"EmbeddedFiles" | b"FileAttachment" => Err(Rejection::Attachments),
        b"Encrypt" => Err(Rejection::Encrypted),
        _ => Ok(()),
    }
}

fn object(document: &Document, object_: &Object, depth: usize) -> Result<(), Rejection> {
    if depth > MAX_DEPTH {
        return Err(Rejection::TooComplex);
    }
    match object_ {
        Object::Dictionary(found) => dictionary(document, found, depth),
        Object::Stream(stream) => {
            // Content that is in another file (7.3.8.2), or a page of one (8.10.4).
            if stream.dict.has(b"F") || stream.dict.has(b"Ref") {
                return Err(Rejection::ActiveContent);
            }
            dictionary(document, &stream.dict, depth)
        }
        Object::Array(items) => items
            .iter()
            .try_for_each(|item| object(document, item, depth + 1)),
        Object::Name(name) => written(name),
        // No number of a PDF is that large, and there is no way to write it.
        Object::Real(number) if !number.is_finite() => Err(Rejection::Damaged),
        _ => Ok(()),
    }
}

fn dictionary(document: &Document, found: &Dictionary, depth: usize) -> Result<(), Rejection> {
    for (key, value) in found {
        written(key)?;
        match key.as_slice() {
            // Scripts (12.6.4.16), actions on events (12.6.3), forms that are programs (12.7.8).
            b"JS" | b"AA" | b"XFA" => return Err(Rejection::ActiveContent),
            // Files in files (7.11.4), portfolios (12.3.5).
            b"EF" | b"Collection" => return Err(Rejection::Attachments),
            b"OpenAction" => on_opening(document, value)?,
            b"A" | b"PA" => on_a_click(document, value)?,
            b"S" => kind(document, found, value)?,
            b"Subtype" => match resolved(document, value) {
                Some(Object::Name(name)) => active(name)?,
                None | Some(Object::Null | Object::String(..)) => return Err(Rejection::Damaged),
                Some(_) => {}
            },
            _ => {}
        }
        object(document, value, depth + 1)?;
    }
    Ok(())
}

/// What a value is, wherever it stands; none if it is nowhere.
fn resolved<'a>(document: &'a Document, value: &'a Object) -> Option<&'a Object> {
    document.dereference(value).ok().map(|(_, object)| object)
}

/// What an action does (12.6.4), what an annotation plays (12.5.6).
fn active(name: &[u8]) -> Result<(), Rejection> {
    match name {
        b"GoToR" | b"GoToE" | b"GoToDp" | b"Rendition" | b"Movie" | b"Sound" | b"Screen"
        | b"3D" | b"GoTo3DView" | b"RichMediaExecute" | b"Hide" | b"ResetForm" | b"SetOCGState"
        | b"PS" => Err(Rejection::ActiveContent),
        _ => Ok(()),
    }
}

/// An action says by `S` what it does, and by `Next` what is done after it (12.6.2). Elsewhere the
/// letter may be a glyph's, a font's or a number's name: nothing that a reader could take for a kind.
fn kind(document: &Document, found: &Dictionary, value: &Object) -> Result<(), Rejection> {
    if found.has(b"Next") {
        return Err(Rejection::ActiveContent);
    }
    match resolved(document, value) {
        Some(Object::Name(name)) => active(name),
        None | Some(Object::Null | Object::String(..)) => Err(Rejection::ActiveContent),
        Some(_) => Ok(()),
    }
}

/// When it is opened, a document may turn to one of its pages.
fn on_opening(document: &Document, action: &Object) -> Result<(), Rejection> {
    match resolved(document, action).ok_or(Rejection::Damaged)? {
        Object::Dictionary(action) => may(document, action, &[b"GoTo"]),
        Object::Stream(_) => Err(Rejection::ActiveContent),
        _ => Ok(()),
    }
}

/// When it is clicked at, it may open an address as well. Attributes of a structure (14.7.5) have the
/// same key and do nothing.
fn on_a_click(document: &Document, action: &Object) -> Result<(), Rejection> {
    match resolved(document, action).ok_or(Rejection::Damaged)? {
        Object::Dictionary(action) if action.has(b"S") => {
            may(document, action, &[b"GoTo", b"URI", b"Named"])
        }
        Object::Stream(stream) if stream.dict.has(b"S") => Err(Rejection::ActiveContent),
        _ => Ok(()),
    }
}

/// An action that does one of these, and nothing after it.
fn may(document: &Document, action: &Dictionary, kinds: &[&[u8]]) -> Result<(), Rejection> {
    let named = |key| match resolved(document, action.get(key).ok()?) {
        Some(Object::Name(name)) => Some(name.as_slice()),
        _ => None,
    };
    let pages = [&b"NextPage"[..], b"PrevPage", b"FirstPage", b"LastPage"];
    let fine = match named(b"S") {
        Some(b"Named") => named(b"N").is_some_and(|name| pages.contains(&name)),
        _ => true,
    };
    if fine && named(b"S").is_some_and(|kind| kinds.contains(&kind)) && !action.has(b"Next") {
        Ok(())
    } else {
        Err(Rejection::ActiveContent)
    }
}

/// The document as a new file: what the catalog and the information about it lead to.
fn saved(mut document: Document) -> Result<Vec<u8>, Rejection> {
    const VERSIONS: [&str; 5] = ["1.4", "1.5", "1.6", "1.7", "2.0"];
    let mut anew = Document::new();
    let version = VERSIONS
        .iter()
        .find(|version| **version == document.version);
    anew.version = (*version.unwrap_or(&"1.7")).to_owned();
    anew.reference_table.cross_reference_type = XrefType::CrossReferenceTable;
    let mut reached = Reached::default();
    for key in [&b"Root"[..], b"Info", b"ID"] {
        if let Some(mut value) = document.trailer.remove(key) {
            reached.renumber(&document, &mut value)?;
            anew.trailer.set(key, value);
        }
    }
    while let Some((from, to)) = reached.waiting.pop_front() {
        // What holds other objects is written by whoever writes them, and nothing refers to it.
        let mut object = document
            .objects
            .get(&from)
            .ok_or(Rejection::Damaged)?
            .clone();
        if let Object::Stream(stream) = &mut object {
            let kind = stream.dict.get(b"Type").ok();
            if let Some(Object::Name(name)) = kind.and_then(|kind| resolved(&document, kind))
                && matches!(name.as_slice(), b"ObjStm" | b"XRef")
            {
                return Err(Rejection::Damaged);
            }
            // As long as what was read of it, whatever was said of that elsewhere.
            let length = i64::try_from(stream.content.len()).map_err(|_| Rejection::TooComplex)?;
            stream.dict.set("Length", length);
        }
        reached.renumber(&document, &mut object)?;
        anew.objects.insert(to, object);
    }
    anew.max_id = reached.last;
    let mut bytes = Vec::new();
    anew.save_to(&mut bytes).map_err(|_| Rejection::Damaged)?;
    Ok(bytes)
}

/// Which objects can be reached, and what their numbers are in the new file.
#[derive(Default)]
struct Reached {
    numbers: HashMap<ObjectId, ObjectId>,
    waiting: VecDeque<(ObjectId, ObjectId)>,
    last: u32,
}

impl Reached {
    fn renumber(&mut self, document: &Document, object: &mut Object) -> Result<(), Rejection> {
        match object {
            Object::Reference(id) => match self.number(document, *id)? {
                Some(number) => *id = number,
                None => *object = Object::Null,
            },
            Object::Array(items) => {
                for item in items {
                    self.renumber(document, item)?;
                }
            }
            Object::Dictionary(fields) => {
                for (_, value) in fields {
                    self.renumber(document, value)?;
                }
            }
            Object::Stream(stream) => {
                for (_, value) in &mut stream.dict {
                    self.renumber(document, value)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// The number of an object in the new file; none for one that is in no table, which is null
    /// (7.3.10). One that is in the table and could not be read would be missed.
    fn number(&mut self, document: &Document, id: ObjectId) -> Result<Option<ObjectId>, Rejection> {
        if let Some(number) = self.numbers.get(&id) {
            return Ok(Some(*number));
        }
        if !document.objects.contains_key(&id) {
            return match document.reference_table.get(id.0) {
                Some(XrefEntry::Normal { .. } | XrefEntry::Compressed { .. }) => {
                    Err(Rejection::Damaged)
                }
                _ => Ok(None),
            };
        }
        self.last += 1;
        let number = (self.last, 0);
        self.numbers.insert(id, number);
        self.waiting.push_back((id, number));
        Ok(Some(number))
    }
}
