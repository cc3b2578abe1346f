//! PDFs (ISO 32000-1): kept as they are, if all they do is show something.
//!
//! A PDF may hold objects that its cross-reference table does not name, and programs differ in what
//! they make of such a file. So it is read as it says itself, read once more by what it holds, and
//! searched for names that have no place in any of it.

use lopdf::{DecompressError, Dictionary, Document, Error, LoadOptions, Object};
use shared::api::documents::Rejection;

/// The most that one compressed stream may expand to while the structure is read.
const MAX_EXPANDED: usize = 64 * 1024 * 1024;

/// How deep an object may be nested.
const MAX_DEPTH: usize = 200;

pub(crate) fn check(bytes: &[u8]) -> Result<(), Rejection> {
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
    for force_reconstruct in [false, true] {
        let options = LoadOptions {
            max_decompressed_size: Some(MAX_EXPANDED),
            force_reconstruct,
            ..LoadOptions::default()
        };
        let document =
            Document::load_mem_with_options(bytes, options).map_err(|error| match error {
                Error::Decryption(_) | Error::InvalidPassword => Rejection::Encrypted,
                Error::Decompress(DecompressError::MemoryLimitExceeded { .. }) => {
                    Rejection::TooComplex
                }
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
    }
    Ok(())
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
        Object::Stream(stream) => dictionary(document, &stream.dict, depth),
        Object::Array(items) => items
            .iter()
            .try_for_each(|item| object(document, item, depth + 1)),
        Object::Name(name) => written(name),
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
            // What an action does (12.6.4), what an annotation plays (12.5.6).
            b"S" | b"Subtype" => {
                if matches!(
                    value.as_name(),
                    Ok(b"GoToR"
                        | b"GoToE"
                        | b"Rendition"
                        | b"Movie"
                        | b"Sound"
                        | b"Screen"
                        | b"3D"
                        | b"GoTo3DView"
                        | b"RichMediaExecute")
                ) {
                    return Err(Rejection::ActiveContent);
                }
            }
            _ => {}
        }
        object(document, value, depth + 1)?;
    }
    Ok(())
}

/// When it is opened, a document may turn to one of its pages.
fn on_opening(document: &Document, action: &Object) -> Result<(), Rejection> {
    let (_, action) = document
        .dereference(action)
        .map_err(|_| Rejection::Damaged)?;
    match action {
        Object::Dictionary(action)
            if !matches!(action.get(b"S").and_then(Object::as_name), Ok(b"GoTo")) =>
        {
            Err(Rejection::ActiveContent)
        }
        _ => Ok(()),
    }
}
