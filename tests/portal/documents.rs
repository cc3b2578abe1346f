//! Documents: what a link takes and what it does not, what becomes of hostile files, and lists that
//! leave nothing out.

use crate::harness::function::Function;
use crate::harness::recorder::Recorder;
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{World, letter, pdf};
use crate::harness::{Stack, Whose, root, sample};
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat, ImageReader};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::Resource;
use shared::ids::PatientId;
use std::io::Cursor;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use uuid::Uuid;
use xtask::aws::Method;

const PDF: &str = "application/pdf";
const JPEG: &str = "image/jpeg";
const PNG: &str = "image/png";

/// `inspect-upload`, whose child is a program of its own: a test binary cannot be one.
pub fn inspection(stack: &Stack) -> Function {
    inspection_by(stack, PathBuf::from(env!("CARGO_BIN_EXE_inspector")))
}

fn inspection_by(stack: &Stack, program: PathBuf) -> Function {
    let recorder = Recorder::default();
    let service = inspect_upload::service_by(&stack.aws(&recorder), program).unwrap();
    Function::of(recorder, service)
}

/// A patient who hands in documents.
struct Desk {
    world: World,
    announce: Function,
    get: Function,
    list: Function,
    inspect: Function,
}

impl Desk {
    async fn new() -> Self {
        let world = World::new().await;
        let function = |id| Function::new(&world.stack, id);
        Self {
            announce: function("request-upload"),
            get: function("get-document"),
            list: function("list-documents"),
            inspect: inspection(&world.stack),
            world,
        }
    }

    async fn announced(&self, name: &str, content_type: &str, file: &[u8]) -> Value {
        self.world.forget_quotas().await;
        let request = self.world.upload(name, content_type, file);
        let response = self.announce.respond(request).await;
        let answer = body(&response);
        assert_eq!(response.status, 201, "{answer}");
        answer
    }

    /// Does what the link says, with these changes of its headers.
    async fn put(&self, upload: &Value, file: &[u8], changes: &[(&str, &str)]) -> u16 {
        let url = upload["url"].as_str().unwrap();
        let mut request = self.plain(Method::PUT, url);
        for (name, value) in upload["headers"].as_object().unwrap() {
            let change = changes.iter().find(|(changed, _)| changed == name);
            let value = change.map_or(value.as_str().unwrap(), |(_, value)| value);
            // The client counts for itself.
            if name != "content-length" && !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let response = request.body(file.to_vec()).send().await.unwrap();
        response.status().as_u16()
    }

    fn plain(&self, method: Method, url: &str) -> reqwest::RequestBuilder {
        let root = &self.world.stack.root;
        root.plain(method, url.strip_prefix(root.endpoint()).unwrap())
    }

    fn key(&self, id: &str) -> String {
        format!("{}/{id}", self.world.patient)
    }

    fn event(&self, id: &str) -> Value {
        json!({"Records": [{"s3": {"object": {"key": self.key(id)}}}]})
    }

    /// Announces, uploads and inspects a file; the document then.
    async fn handed_in(&self, name: &str, content_type: &str, file: &[u8]) -> Value {
        let announced = self.announced(name, content_type, file).await;
        let id = announced["id"].as_str().unwrap();
        assert_eq!(
            self.put(&announced["upload"], file, &[]).await,
            200,
            "{name}"
        );
        self.inspect.handle(self.event(id)).await.unwrap();
        assert_eq!(self.object(Resource::QuarantineBucket, id).await, None);
        self.document(id).await
    }

    async fn document(&self, id: &str) -> Value {
        let request = self.world.by_patient().patient(self.world.patient);
        let response = self.get.respond(request.document(id)).await;
        assert_eq!(response.status, 200, "{}", body(&response));
        body(&response)
    }

    /// What is in a bucket under a document's key.
    async fn object(&self, bucket: Resource, id: &str) -> Option<Vec<u8>> {
        let path = format!("/{}/{}", self.world.stack.names[&bucket], self.key(id));
        let request = self.world.stack.root.request("s3", Method::GET, &path);
        let answer = request.send().await.unwrap();
        if answer.status() == 404 {
            return None;
        }
        assert!(answer.status().is_success());
        Some(answer.bytes().await.unwrap().to_vec())
    }

    async fn row(&self, id: &str) -> Value {
        let rows = self.world.stack.items(Resource::DocumentsTable).await;
        let sk = format!("UPLOAD#{id}");
        rows.into_iter().find(|row| row["sk"] == sk).unwrap()
    }

    async fn listed(&self, patient: PatientId, page: &[(&str, &str)]) -> Value {
        let mut request = signed_in(self.world.provider, Role::Provider);
        if patient == self.world.patient {
            request = self.world.by_patient();
        }
        request = request.patient(patient);
        for (name, value) in page {
            request = request.query(name, value);
        }
        let response = self.list.respond(request).await;
        assert_eq!(response.status, 200, "{}", body(&response));
        body(&response)
    }
}

/// A picture of four by two pixels.
fn picture(format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    let picture = DynamicImage::new_rgb8(4, 2);
    picture.write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// A photo that says where it was taken, and that it lies on its side.
fn photo() -> Vec<u8> {
    let mut exif =
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
    exif.extend(b"GPS 42.3601 N 71.0589 W");
    let mut file = b"\xff\xd8\xff\xe1".to_vec();
    file.extend(u16::try_from(exif.len() + 2).unwrap().to_be_bytes());
    file.extend(exif);
    file.extend(&picture(ImageFormat::Jpeg)[2..]);
    file
}

fn holds(file: &[u8], text: &[u8]) -> bool {
    file.windows(text.len()).any(|window| window == text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_photo_becomes_a_document() {
    let desk = Desk::new().await;
    let name = "../My rash, 3 May.jpg";
    let file = photo();
    assert!(holds(&file, b"GPS"));
    let announced = desk.announced(name, JPEG, &file).await;
    assert_eq!(announced["status"], "uploading");
    assert_eq!(announced["name"], "_My rash, 3 May.jpg");
    let upload = &announced["upload"];
    let url = upload["url"].as_str().unwrap();
    // Nothing in the address says what it is, and everything that matters is signed.
    assert!(!url.contains("rash") && !url.contains("May"), "{url}");
    assert!(url.contains("X-Amz-Expires=300"), "{url}");
    let signed = url.split("X-Amz-SignedHeaders=").nth(1).unwrap();
    let signed = signed.split('&').next().unwrap().replace("%3B", ";");
    assert_eq!(
        signed.split(';').collect::<Vec<_>>(),
        [
            "content-length",
            "content-type",
            "host",
            "if-none-match",
            "x-amz-checksum-sha256",
            "x-amz-server-side-encryption",
            "x-amz-server-side-encryption-aws-kms-key-id",
        ]
    );
    let id = announced["id"].as_str().unwrap();
    assert_eq!(desk.put(upload, &file, &[]).await, 200);
    assert_eq!(
        desk.put(upload, &file, &[]).await,
        412,
        "it is there already"
    );
    assert_eq!(desk.document(id).await["status"], "uploading");
    desk.inspect.handle(desk.event(id)).await.unwrap();

    let document = desk.document(id).await;
    assert_eq!(document["kind"], "upload");
    assert_eq!(document["status"], "available", "{document}");
    let download = document["download"]["url"].as_str().unwrap();
    assert!(download.contains("X-Amz-Expires=60"), "{download}");
    assert!(download.contains("X-Amz-SignedHeaders=host&"), "{download}");
    assert!(!download.contains("rash"), "{download}");
    let answer = desk.plain(Method::GET, download).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["content-type"], JPEG);
    assert_eq!(
        answer.headers()["content-disposition"],
        "attachment; filename=\"document.jpg\""
    );
    let stored = answer.bytes().await.unwrap().to_vec();
    assert_eq!(document["size"], stored.len());
    assert!(!holds(&stored, b"GPS") && !holds(&stored, b"Exif"));
    let upright = ImageReader::with_format(Cursor::new(&stored), ImageFormat::Jpeg);
    let upright = upright.decode().unwrap();
    assert_eq!(
        (upright.width(), upright.height()),
        (2, 4),
        "it stands upright"
    );
    // The address is good for this file alone.
    let other = download.replace(id, &Uuid::new_v4().to_string());
    assert_eq!(
        desk.plain(Method::GET, &other)
            .send()
            .await
            .unwrap()
            .status()
            .as_u16(),
        403
    );

    // The event comes again, and another file comes while the link is good: neither changes anything.
    let before = desk.row(id).await;
    desk.inspect.handle(desk.event(id)).await.unwrap();
    desk.put(upload, &file, &[]).await;
    desk.inspect.handle(desk.event(id)).await.unwrap();
    assert_eq!(desk.row(id).await, before);
    assert_eq!(desk.object(Resource::QuarantineBucket, id).await, None);
    assert_eq!(
        desk.object(Resource::DocumentsBucket, id).await.unwrap(),
        stored
    );
    let audit = desk.world.stack.audit().await;
    let inspections: Vec<_> = audit
        .iter()
        .filter(|record| record["operation"] == "inspect-upload")
        .map(|record| {
            assert_eq!(record["patient"], desk.world.patient.to_string());
            assert_eq!(record["resource"], id);
            (
                record["outcome"].as_str().unwrap(),
                record["reason"].as_str(),
            )
        })
        .collect();
    assert_eq!(
        inspections,
        [
            ("success", None),
            ("invalid", Some("settled")),
            ("invalid", Some("settled")),
        ]
    );
    let read = audit
        .iter()
        .find(|record| record["action"] == "document.read");
    assert_eq!(read.unwrap()["resource"], id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_takes_the_announced_file_alone() {
    let desk = Desk::new().await;
    let file = letter();
    let announced = desk.announced("letter.pdf", PDF, &file).await;
    let (id, upload) = (announced["id"].as_str().unwrap(), &announced["upload"]);
    let mut altered = file.clone();
    altered[20] ^= 1;
    let sum = |file: &[u8]| STANDARD.encode(digest::digest(&digest::SHA256, file));
    let longer = [file.clone(), b"\n".to_vec()].concat();
    for (what, file, changes) in [
        ("another type", &file, vec![("content-type", "text/html")]),
        ("no type", &file, vec![("content-type", "")]),
        ("another content", &altered, vec![]),
        (
            "another content and its checksum",
            &altered,
            vec![("x-amz-checksum-sha256", &*sum(&altered))],
        ),
        ("no checksum", &altered, vec![("x-amz-checksum-sha256", "")]),
        ("another length", &longer, vec![]),
        (
            "another length and its checksum",
            &longer,
            vec![("x-amz-checksum-sha256", &*sum(&longer))],
        ),
        (
            "no key",
            &file,
            vec![("x-amz-server-side-encryption-aws-kms-key-id", "")],
        ),
        (
            "no encryption",
            &file,
            vec![("x-amz-server-side-encryption", "")],
        ),
    ] {
        let status = desk.put(upload, file, &changes).await;
        assert!((400..500).contains(&status), "{what}: {status}");
        assert_eq!(
            desk.object(Resource::QuarantineBucket, id).await,
            None,
            "{what}"
        );
    }
    let mut later = upload.clone();
    let url = upload["url"].as_str().unwrap();
    for (what, changed) in [
        (
            "for longer",
            url.replace("X-Amz-Expires=300", "X-Amz-Expires=86400"),
        ),
        ("elsewhere", url.replace(id, &Uuid::new_v4().to_string())),
        (
            "for somebody else",
            url.replace(&desk.world.patient.to_string(), &Uuid::new_v4().to_string()),
        ),
    ] {
        later["url"] = changed.into();
        assert_eq!(desk.put(&later, &file, &[]).await, 403, "{what}");
    }
    assert_eq!(desk.document(id).await["status"], "uploading");
    assert_eq!(
        desk.put(upload, &file, &[]).await,
        200,
        "and nothing was spoilt"
    );
}

/// What S3 should never let through is found all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_the_announced_one_goes() {
    let desk = Desk::new().await;
    let bucket = &desk.world.stack.names[&Resource::QuarantineBucket];
    for file in [b"%PDF-1.7 other".to_vec(), vec![b' '; 10 * 1024 * 1024 + 1]] {
        let announced = desk.announced("letter.pdf", PDF, &letter()).await;
        let id = announced["id"].as_str().unwrap();
        let root = &desk.world.stack.root;
        root.put_object(bucket, &desk.key(id), file).await.unwrap();
        desk.inspect.handle(desk.event(id)).await.unwrap();
        let document = desk.document(id).await;
        assert_eq!(document["rejection"]["reason"], "altered", "{document}");
        assert_eq!(desk.object(Resource::QuarantineBucket, id).await, None);
    }
    // One that nobody announced, and one that is nowhere.
    let unknown = Uuid::new_v4().to_string();
    let root = &desk.world.stack.root;
    root.put_object(bucket, &desk.key(&unknown), letter())
        .await
        .unwrap();
    desk.inspect.handle(desk.event(&unknown)).await.unwrap();
    assert_eq!(
        desk.object(Resource::QuarantineBucket, &unknown).await,
        None
    );
    assert_eq!(desk.object(Resource::DocumentsBucket, &unknown).await, None);
    for event in [
        json!({"Event": "s3:TestEvent"}),
        json!({"Records": [{"s3": {"object": {"key": "elsewhere/file"}}}]}),
    ] {
        desk.inspect.handle(event).await.unwrap();
    }
    let announced = desk.announced("letter.pdf", PDF, &letter()).await;
    let id = announced["id"].as_str().unwrap();
    desk.inspect.handle(desk.event(id)).await.unwrap();
    assert_eq!(
        desk.document(id).await["rejection"]["reason"],
        "not-inspected"
    );
}

fn stream(dictionary: &str, content: &[u8]) -> lopdf::Stream {
    let mut fields = lopdf::Dictionary::new();
    for pair in dictionary.split_terminator(',') {
        let (name, value) = pair.trim().split_once(' ').unwrap();
        let value = match value.strip_prefix('/') {
            Some(name) => lopdf::Object::Name(name.into()),
            None => lopdf::Object::Integer(value.parse().unwrap()),
        };
        fields.set(name, value);
    }
    lopdf::Stream::new(fields, content.to_vec())
}

/// A compressed stream as it stands in a file.
fn compressed(dictionary: &str, content: &[u8]) -> Vec<u8> {
    let mut stream = stream(dictionary, content);
    stream.compress().unwrap();
    let mut text = format!("<< /Filter /FlateDecode /Length {}", stream.content.len()).into_bytes();
    for (name, value) in &stream.dict {
        if name != b"Filter" && name != b"Length" {
            let value = match value {
                lopdf::Object::Name(name) => format!("/{}", String::from_utf8_lossy(name)),
                other => other.as_i64().unwrap().to_string(),
            };
            text.extend(format!(" /{} {value}", String::from_utf8_lossy(name)).into_bytes());
        }
    }
    text.extend(b" >>\nstream\n");
    text.extend(stream.content);
    text.extend(b"\nendstream");
    text
}

/// A PDF with an object of bytes, which no table names.
fn with_stray(object: &[u8]) -> Vec<u8> {
    let file = letter();
    let at = file
        .windows(5)
        .position(|window| window == b"xref\n")
        .unwrap();
    let mut stray = file[..at].to_vec();
    stray.extend(b"9 0 obj\n");
    stray.extend(object);
    stray.extend(b"\nendobj\n");
    let moved = stray.len();
    stray.extend(&file[at..]);
    let text = format!("startxref\n{at}\n");
    let place = stray
        .windows(text.len())
        .rposition(|window| window == text.as_bytes())
        .unwrap();
    stray.splice(
        place..place + text.len(),
        format!("startxref\n{moved}\n").into_bytes(),
    );
    stray
}

const HIDDEN: &[u8] = b"7 0 << /S /JavaScript /JS (app.alert\\(1\\)) >>";

#[tokio::test(flavor = "multi_thread")]
async fn pdfs_end_available_or_rejected() {
    let desk = Desk::new().await;
    let script = "<< /S /JavaScript /JS (app.alert(1)) >>";
    let letter = letter();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let many = "<< /A ".repeat(50_000) + &" >>".repeat(50_000);
    let bomb = compressed("Type /ObjStm, N 1, First 4", &vec![b' '; 80 * 1024 * 1024]);
    let encrypted = {
        let text = String::from_utf8(letter.clone()).unwrap();
        let encrypt = "/Encrypt << /Filter /Standard /V 1 /R 2 /O (aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa) \
             /U (bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb) /P -4 >> /ID [(a) (b)]";
        text.replace("/Root 1 0 R", &format!("/Root 1 0 R {encrypt}"))
            .into_bytes()
    };
    let one = |catalog: &str, page: &str, object: &str| pdf(catalog, page, &[object]);
    let cases: Vec<(&str, Vec<u8>, Option<&str>)> = vec![
        ("plain", letter.clone(), None),
        (
            "a link",
            one(
                "",
                "/Annots [4 0 R]",
                "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /URI /URI (https://example.org) >> >>",
            ),
            None,
        ),
        (
            "opens at a page",
            pdf("/OpenAction [3 0 R /Fit]", "", &[]),
            None,
        ),
        (
            "goes to a page",
            pdf("/OpenAction << /S /GoTo /D [3 0 R /Fit] >>", "", &[]),
            None,
        ),
        (
            "a script",
            one("/OpenAction 4 0 R", "", script),
            Some("active-content"),
        ),
        (
            "a script by another spelling",
            one(
                "/OpenAction 4 0 R",
                "",
                "<< /S /#4Aava#53cript /#4a#53 (x) >>",
            ),
            Some("active-content"),
        ),
        (
            "scripts by name",
            one(
                "/Names << /JavaScript << /Names [(a) 4 0 R] >> >>",
                "",
                script,
            ),
            Some("active-content"),
        ),
        (
            "a script at a page",
            one("", "/AA << /O 4 0 R >>", script),
            Some("active-content"),
        ),
        (
            "opens an address",
            pdf(
                "/OpenAction << /S /URI /URI (https://example.org) >>",
                "",
                &[],
            ),
            Some("active-content"),
        ),
        (
            "launches a program",
            one(
                "",
                "/Annots [4 0 R]",
                "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9] /A << /S /Launch /F (cmd.exe) >> >>",
            ),
            Some("active-content"),
        ),
        (
            "sends a form",
            one(
                "",
                "/Annots [4 0 R]",
                "<< /Type /Annot /Subtype /Widget /Rect [0 0 9 9] /A << /S /SubmitForm /F (http://example.org) >> >>",
            ),
            Some("active-content"),
        ),
        (
            "XFA",
            pdf("/AcroForm << /Fields [] /XFA (x) >>", "", &[]),
            Some("active-content"),
        ),
        (
            "rich media",
            one(
                "",
                "/Annots [4 0 R]",
                "<< /Type /Annot /Subtype /RichMedia /Rect [0 0 9 9] >>",
            ),
            Some("active-content"),
        ),
        (
            "a file inside",
            one(
                "/Names << /EmbeddedFiles << /Names [(a) 4 0 R] >> >>",
                "",
                "<< /Type /Filespec /F (a.exe) /EF << >> >>",
            ),
            Some("attachments"),
        ),
        (
            "a portfolio",
            pdf("/Collection << >>", "", &[]),
            Some("attachments"),
        ),
        ("encrypted", encrypted, Some("encrypted")),
        (
            "a stray script",
            with_stray(script.as_bytes()),
            Some("active-content"),
        ),
        (
            "a stray script in a stream",
            with_stray(&compressed("Type /ObjStm, N 1, First 4", HIDDEN)),
            Some("active-content"),
        ),
        ("a bomb", with_stray(&bomb), Some("too-complex")),
        (
            "half of it",
            letter[..letter.len() / 2].to_vec(),
            Some("damaged"),
        ),
        (
            "a header alone",
            b"%PDF-1.7\n%%EOF\n".to_vec(),
            Some("damaged"),
        ),
        (
            "an archive in front",
            [b"PK\x03\x04".to_vec(), letter.clone()].concat(),
            Some("other-type"),
        ),
        (
            "a page in front",
            [b"<html><script>".to_vec(), letter.clone()].concat(),
            Some("other-type"),
        ),
        (
            "an archive behind",
            [letter.clone(), b"PK\x05\x06".to_vec()].concat(),
            Some("damaged"),
        ),
        ("a picture", picture(ImageFormat::Png), Some("other-type")),
        ("deep arrays", one("/X 4 0 R", "", &deep), Some("?")),
        ("deep dictionaries", one("/X 4 0 R", "", &many), Some("?")),
        ("a loop", one("/X 4 0 R", "", "4 0 R"), Some("?")),
    ];
    for (what, file, expected) in cases {
        let begun = Instant::now();
        let document = desk.handed_in("letter.pdf", PDF, &file).await;
        assert!(begun.elapsed() < Duration::from_secs(40), "{what}");
        let status = document["status"].as_str().unwrap();
        let reason = document["rejection"]["reason"].as_str();
        match expected {
            Some("?") => assert!(
                status == "available" || status == "rejected",
                "{what}: {status}"
            ),
            _ => assert_eq!(reason, expected, "{what}: {document}"),
        }
        let id = document["id"].as_str().unwrap();
        let kept = desk.object(Resource::DocumentsBucket, id).await;
        assert_eq!(kept, (status == "available").then_some(file), "{what}");
        if reason.is_some() {
            let detail = document["rejection"]["detail"].as_str().unwrap();
            assert!(
                detail.len() > 40 && document["download"].is_null(),
                "{document}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_end_available_or_rejected() {
    let desk = Desk::new().await;
    let (png, jpeg) = (picture(ImageFormat::Png), picture(ImageFormat::Jpeg));
    let mut late = png.clone();
    late.extend(letter());
    // Sixty thousand by sixty thousand pixels, says the header.
    let mut huge = png.clone();
    huge[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
    let mut crc = flate_crc(&huge[12..29]).to_be_bytes().to_vec();
    huge.splice(29..33, crc.drain(..));
    for (what, content_type, file, expected) in [
        ("png", PNG, png.clone(), None),
        ("jpeg", JPEG, jpeg.clone(), None),
        ("a PDF behind a png", PNG, late, None),
        ("a jpeg called png", PNG, jpeg.clone(), Some("other-type")),
        ("a png called jpeg", JPEG, png.clone(), Some("other-type")),
        ("a PDF called png", PNG, letter(), Some("other-type")),
        (
            "half a png",
            PNG,
            png[..png.len() / 2].to_vec(),
            Some("damaged"),
        ),
        (
            "the beginning of a jpeg",
            JPEG,
            jpeg[..20].to_vec(),
            Some("damaged"),
        ),
        ("a huge png", PNG, huge, Some("too-many-pixels")),
    ] {
        let document = desk.handed_in("picture", content_type, &file).await;
        let reason = document["rejection"]["reason"].as_str();
        assert_eq!(reason, expected, "{what}: {document}");
        let id = document["id"].as_str().unwrap();
        let kept = desk.object(Resource::DocumentsBucket, id).await;
        assert_eq!(kept.is_some(), expected.is_none(), "{what}");
        assert!(!kept.is_some_and(|kept| holds(&kept, b"%PDF")), "{what}");
    }
    let mut ended = (0, 0);
    for folder in ["png_pngsuite", "img_imagers", "jpg_libjpegturbo"] {
        let folder = root().join("tests/data/corpora").join(folder);
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let content_type = if name.ends_with("png") { PNG } else { JPEG };
            let file = std::fs::read(&path).unwrap();
            let document = desk.handed_in(&name, content_type, &file).await;
            let reason = document["rejection"]["reason"].as_str();
            if name.starts_with("png__x") || name.contains("apng") {
                assert!(reason.is_some(), "{name}: {document}");
            }
            if name.contains("apng") {
                assert_eq!(reason, Some("animated"), "{name}");
            }
            let id = document["id"].as_str().unwrap();
            match desk.object(Resource::DocumentsBucket, id).await {
                Some(kept) => {
                    for trace in [
                        &b"Exif"[..],
                        b"eXIf",
                        b"xmpmeta",
                        b"8BIM",
                        b"tEXt",
                        b"zTXt",
                        b"iTXt",
                    ] {
                        assert!(!holds(&kept, trace), "{name}");
                    }
                    assert_eq!(document["status"], "available", "{name}");
                    ended.0 += 1;
                }
                None => {
                    assert_eq!(document["status"], "rejected", "{name}");
                    ended.1 += 1;
                }
            }
        }
    }
    assert!(ended.0 > 8 && ended.1 > 8, "{ended:?}");
}

/// CRC-32 of ISO 3309, as PNG has it.
fn flate_crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

/// A child that dies, says nothing of use or never ends is the file's misfortune, not the function's;
/// one that cannot be started is ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_goes_wrong() {
    let desk = Desk::new().await;
    for program in ["/bin/false", "/bin/true", "/bin/cat"] {
        let announced = desk.announced("letter.pdf", PDF, &letter()).await;
        let id = announced["id"].as_str().unwrap();
        desk.put(&announced["upload"], &letter(), &[]).await;
        let inspect = inspection_by(&desk.world.stack, PathBuf::from(program));
        inspect.handle(desk.event(id)).await.unwrap();
        let document = desk.document(id).await;
        assert_eq!(document["rejection"]["reason"], "too-complex", "{program}");
    }
    let announced = desk.announced("letter.pdf", PDF, &letter()).await;
    let id = announced["id"].as_str().unwrap();
    desk.put(&announced["upload"], &letter(), &[]).await;
    let inspect = inspection_by(&desk.world.stack, PathBuf::from("/no/such/program"));
    assert!(inspect.handle(desk.event(id)).await.is_err());
    assert_eq!(desk.document(id).await["status"], "inspecting");
    // Another takes it only when it is certain that the first has died.
    assert!(desk.inspect.handle(desk.event(id)).await.is_err());
    let before = Timestamp::now() - SignedDuration::from_secs(100);
    let before = before.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
    desk.world.set_upload(id, "claimed_at", &before).await;
    desk.inspect.handle(desk.event(id)).await.unwrap();
    assert_eq!(desk.document(id).await["status"], "available");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_ends_is_shown_as_over() {
    let desk = Desk::new().await;
    let past = (Timestamp::now() - SignedDuration::from_hours(1)).to_string();
    for (status, shown, reason) in [
        ("uploading", "expired", Value::Null),
        ("inspecting", "rejected", json!("not-inspected")),
    ] {
        let id = desk.world.document(status).await;
        assert_eq!(desk.document(&id).await["status"], status);
        desk.world.set_upload(&id, "upload_until", &past).await;
        let document = desk.document(&id).await;
        assert_eq!(document["status"], shown);
        assert_eq!(document["rejection"]["reason"], reason);
    }
    // The row goes by itself, unless the file arrives.
    let announced = desk.announced("letter.pdf", PDF, &letter()).await;
    let id = announced["id"].as_str().unwrap();
    let expires = desk.row(id).await["expires_at"]
        .as_str()
        .unwrap()
        .parse::<i64>();
    let day = expires.unwrap() - Timestamp::now().as_second();
    assert!((86_000..=86_400).contains(&day), "{day}");
    desk.put(&announced["upload"], &letter(), &[]).await;
    desk.inspect.handle(desk.event(id)).await.unwrap();
    assert!(desk.row(id).await["expires_at"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn announcements_are_counted_and_may_be_repeated() {
    let desk = Desk::new().await;
    let request = || desk.world.upload("letter.pdf", PDF, &letter());
    let first = request();
    let again = request();
    let key = first.headers["idempotency-key"].clone();
    let keyed = |mut request: shared::http::Request| {
        request.headers.insert("idempotency-key", key.clone());
        request
    };
    let one = body(&desk.announce.respond(first).await);
    let other = body(&desk.announce.respond(keyed(again)).await);
    assert_eq!(one["id"], other["id"]);
    let id = one["id"].as_str().unwrap();
    let different = keyed(desk.world.upload("letter.pdf", PDF, b"%PDF-another"));
    let response = desk.announce.respond(different).await;
    assert_eq!(response.status, 422);
    assert_eq!(body(&response)["type"], "/problems/key-used-before");
    desk.world.set_upload(id, "status", "available").await;
    let response = desk.announce.respond(keyed(request())).await;
    assert_eq!(response.status, 422, "it has arrived");

    let mut taken = 0;
    let refused = loop {
        let response = desk.announce.respond(request()).await;
        if response.status != 201 {
            break response;
        }
        taken += 1;
    };
    assert!((5..=20).contains(&taken), "{taken}");
    assert_eq!(refused.status, 429, "{}", body(&refused));
    assert_eq!(body(&refused)["type"], "/problems/too-many-requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_reviewed_stays_and_what_was_deleted_is_gone() {
    let desk = Desk::new().await;
    let world = &desk.world;
    let (delete, review) = (
        Function::new(&world.stack, "delete-document"),
        Function::new(&world.stack, "review-document"),
    );
    let by_patient = |id: &str| world.by_patient().patient(world.patient).document(id);
    let by_provider = |id: &str| world.by_provider().patient(world.patient).document(id);
    let document = desk.handed_in("a.pdf", PDF, &letter()).await;
    let kept = document["id"].as_str().unwrap();
    let response = review.respond(by_provider(kept)).await;
    assert_eq!(response.status, 200, "{}", body(&response));
    assert!(desk.document(kept).await["reviewed_at"].is_string());
    assert_eq!(review.respond(by_provider(kept)).await.status, 409, "once");
    let response = delete.respond(by_patient(kept)).await;
    assert_eq!(body(&response)["type"], "/problems/document-stays");
    assert!(desk.object(Resource::DocumentsBucket, kept).await.is_some());
    // Who may do which.
    assert_eq!(delete.respond(by_provider(kept)).await.status, 404);
    assert_eq!(review.respond(by_patient(kept)).await.status, 404);

    let document = desk.handed_in("b.pdf", PDF, &letter()).await;
    let gone = document["id"].as_str().unwrap();
    let response = delete.respond(by_patient(gone)).await;
    assert_eq!(body(&response), json!({"file": "gone"}));
    assert_eq!(desk.object(Resource::DocumentsBucket, gone).await, None);
    assert_eq!(desk.get.respond(by_patient(gone)).await.status, 404);
    assert_eq!(review.respond(by_provider(gone)).await.status, 409);
    assert!(desk.row(gone).await["sealed"].is_null());
    assert_eq!(
        body(&delete.respond(by_patient(gone)).await),
        json!({"file": "gone"})
    );
    let list = desk.listed(world.patient, &[("limit", "100")]).await;
    let listed: Vec<_> = list["documents"].as_array().unwrap().iter().collect();
    assert!(listed.iter().any(|one| one["id"] == kept));
    assert!(!listed.iter().any(|one| one["id"] == gone));

    // A file that could not be removed is removed by the same request.
    let document = desk.handed_in("c.pdf", PDF, &letter()).await;
    let id = document["id"].as_str().unwrap();
    let torn = Recorder::failing(|call| call.actions == ["s3:DeleteObject"]);
    let torn = Function::recorded(&world.stack, "delete-document", torn);
    assert_eq!(
        body(&torn.respond(by_patient(id)).await),
        json!({"file": "pending"})
    );
    assert_eq!(desk.get.respond(by_patient(id)).await.status, 404);
    assert_eq!(
        body(&delete.respond(by_patient(id)).await),
        json!({"file": "gone"})
    );
    assert_eq!(desk.object(Resource::DocumentsBucket, id).await, None);

    // Deleted before it arrived: what arrives goes.
    let announced = desk.announced("d.pdf", PDF, &letter()).await;
    let id = announced["id"].as_str().unwrap();
    assert_eq!(delete.respond(by_patient(id)).await.status, 200);
    desk.put(&announced["upload"], &letter(), &[]).await;
    desk.inspect.handle(desk.event(id)).await.unwrap();
    assert_eq!(desk.object(Resource::QuarantineBucket, id).await, None);
    assert_eq!(desk.get.respond(by_patient(id)).await.status, 404);
    let id = world.document("inspecting").await;
    assert_eq!(delete.respond(by_patient(&id)).await.status, 409);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_elses_and_guessed_ids() {
    let desk = Desk::new().await;
    let world = &desk.world;
    let document = desk.handed_in("a.pdf", PDF, &letter()).await;
    let id = document["id"].as_str().unwrap();
    let theirs = world.stack.sample("Noel_Reynolds").await;
    let other = world
        .stack
        .account(Role::Patient, Whose::Patient(theirs))
        .await;
    for operation in ["get-document", "delete-document", "review-document"] {
        let function = Function::new(&world.stack, operation);
        // Another's document, under the other's own patient id and under this one's.
        for patient in [world.patient, theirs] {
            let request = signed_in(other, Role::Patient)
                .patient(patient)
                .document(id);
            let response = function.respond(request).await;
            assert!(
                response.status == 404 || response.status == 409,
                "{operation}"
            );
        }
        let mut guessed = world.by_patient();
        if operation == "review-document" {
            guessed = world.by_provider();
        }
        let guessed = guessed.patient(world.patient);
        let guessed = guessed.document(&Uuid::new_v4().to_string());
        let status = function.respond(guessed).await.status;
        assert_eq!(
            status,
            if operation == "get-document" {
                404
            } else {
                409
            }
        );
        for wrong in [
            "",
            "me",
            "..",
            "qX7Echo",
            "{00000000-0000-0000-0000-000000000000}",
        ] {
            let request = world.by_patient().patient(world.patient).document(wrong);
            let response = function.respond(request).await;
            assert_eq!(
                body(&response)["errors"][0]["pointer"],
                "path/document",
                "{wrong}"
            );
        }
    }
    assert_eq!(desk.document(id).await["status"], "available");
    // An entry of the record that is no document is none here either.
    let labs = Function::new(&world.stack, "list-lab-results");
    let labs = labs
        .respond(world.by_patient().patient(world.patient))
        .await;
    let lab = body(&labs)["results"][0]["id"].as_str().unwrap().to_owned();
    let request = world.by_patient().patient(world.patient).document(&lab);
    assert_eq!(desk.get.respond(request).await.status, 404);
}

/// What a document of the sample says of itself.
fn written(resource: &Value) -> Option<(String, String, String)> {
    let (date, contents) = match resource["resourceType"].as_str()? {
        "DocumentReference" => {
            let content = resource["content"][0]["attachment"]["data"].as_str();
            (resource["date"].as_str()?, content)
        }
        "DiagnosticReport" => {
            let form = resource["presentedForm"][0]["data"].as_str();
            if form.is_none() && resource["result"].is_array() {
                return None;
            }
            (resource["effectiveDateTime"].as_str()?, form)
        }
        _ => return None,
    };
    let text = STANDARD.decode(contents.unwrap_or_default()).unwrap();
    let title = ["type", "code"]
        .iter()
        .find_map(|name| {
            let concept = &resource[*name];
            let text = concept["text"].as_str();
            text.or_else(|| concept["coding"][0]["display"].as_str())
        })
        .unwrap();
    Some((
        date.to_owned(),
        title.to_owned(),
        String::from_utf8(text).unwrap(),
    ))
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_every_document_once_and_in_order() {
    let desk = Desk::new().await;
    for part in ["gfdp21_Bethanie", "bulk24_Augustus", "smart19_Barney"] {
        let patient = desk.world.stack.sample(part).await;
        let account = desk
            .world
            .stack
            .account(Role::Patient, Whose::Patient(patient))
            .await;
        let (_, file) = sample(part);
        let bundle: Value = serde_json::from_slice(&file).unwrap();
        let entries = bundle["entry"].as_array().unwrap().iter();
        let mut expected: Vec<_> = entries
            .filter_map(|entry| written(&entry["resource"]))
            .collect();
        let mut found = Vec::new();
        let mut times: Vec<Timestamp> = Vec::new();
        let mut ids = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut request = signed_in(account, Role::Patient)
                .patient(patient)
                .query("limit", "7");
            if let Some(cursor) = &cursor {
                request = request.query("cursor", cursor);
            }
            desk.list.recorder.reset();
            let response = desk.list.respond(request).await;
            let page = body(&response);
            assert_eq!(response.status, 200, "{page}");
            assert!(desk.list.recorder.depth() <= 2);
            for document in page["documents"].as_array().unwrap() {
                assert_eq!(document["kind"], "clinical", "{document}");
                let id = document["id"].as_str().unwrap().to_owned();
                let request = signed_in(account, Role::Patient)
                    .patient(patient)
                    .document(&id);
                let one = body(&desk.get.respond(request).await);
                assert_eq!(one["title"], document["title"]);
                let text = one["contents"][0]["text"].as_str().unwrap_or_default();
                let date = document["date"].as_str().unwrap();
                times.push(date.parse().unwrap());
                found.push((
                    date.to_owned(),
                    document["title"].as_str().unwrap().to_owned(),
                    text.to_owned(),
                ));
                assert!(!ids.contains(&id), "twice");
                ids.push(id);
            }
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        assert!(times.is_sorted_by(|one, other| one >= other), "{part}");
        expected.sort();
        found.sort();
        assert!(
            !expected.is_empty() || part.starts_with("smart19"),
            "{part}"
        );
        assert_eq!(found, expected, "{part}");
    }
}

/// Uploads and the record in one list, while more comes in.
#[tokio::test(flavor = "multi_thread")]
async fn pages_go_on_where_they_ended() {
    let desk = Desk::new().await;
    let patient = desk.world.patient;
    let mut mine = Vec::new();
    for _ in 0..5 {
        mine.push(desk.world.document("available").await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let whole = desk.listed(patient, &[("limit", "100")]).await;
    let ids = |page: &Value| -> Vec<String> {
        let documents = page["documents"].as_array().unwrap().iter();
        documents
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let expected = ids(&whole);
    let newest_first: Vec<_> = mine.iter().rev().cloned().collect();
    assert_eq!(expected[..5], newest_first);
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = match &cursor {
            Some(cursor) => {
                desk.listed(patient, &[("limit", "2"), ("cursor", cursor)])
                    .await
            }
            None => desk.listed(patient, &[("limit", "2")]).await,
        };
        found.extend(ids(&page));
        desk.world.document("available").await;
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, expected);
}
