//! Pictures: decoded within limits and encoded anew, so that nothing is left but the pixels. Place,
//! time and device of a photo go, and so does whatever else was hidden in the file.

use crate::child::MAX_PASSED;
use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::codecs::png::{PngDecoder, PngEncoder};
use image::{DynamicImage, ImageDecoder, ImageError, ImageResult, Limits};
use shared::api::documents::Rejection;
use std::io::Cursor;

/// The most pixels of a picture: what the largest cameras of telephones make.
const MAX_PIXELS: u64 = 50_000_000;

/// The most memory that its pixels may take, in bytes.
const MAX_PIXEL_BYTES: u64 = 256 * 1024 * 1024;

/// The longest side, in pixels.
const MAX_SIDE: u32 = 20_000;

/// Hardly to be told from the original, and seldom larger.
const JPEG_QUALITY: u8 = 90;

pub(crate) fn png(bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Err(Rejection::OtherType);
    }
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits()).map_err(reason)?;
    if decoder.is_apng().map_err(reason)? {
        return Err(Rejection::Animated);
    }
    encoded(decoder, |picture, out| {
        picture.write_with_encoder(PngEncoder::new(out))
    })
}

pub(crate) fn jpeg(bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    if !bytes.starts_with(b"\xff\xd8\xff") {
        return Err(Rejection::OtherType);
    }
    let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(reason)?;
    encoded(decoder, |picture, out| {
        picture.write_with_encoder(JpegEncoder::new_with_quality(out, JPEG_QUALITY))
    })
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_PIXEL_BYTES);
    limits
}

fn encoded(
    mut decoder: impl ImageDecoder,
    encode: impl FnOnce(&DynamicImage, &mut Vec<u8>) -> ImageResult<()>,
) -> Result<Vec<u8>, Rejection> {
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_PIXEL_BYTES
    {
        return Err(Rejection::TooManyPixels);
    }
    decoder.set_limits(limits()).map_err(reason)?;
    // Which side is up stands in the metadata that go.
    let orientation = decoder.orientation().map_err(reason)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(reason)?;
    picture.apply_orientation(orientation);
    let mut out = Vec::new();
    encode(&picture, &mut out).map_err(reason)?;
    if out.len() > MAX_PASSED {
        return Err(Rejection::TooManyPixels);
    }
    Ok(out)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn reason(error: ImageError) -> Rejection {
    match error {
        ImageError::Limits(_) => Rejection::TooManyPixels,
        _ => Rejection::Damaged,
    }
}
