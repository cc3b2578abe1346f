//! Documents: what a link takes and what it does not, what becomes of hostile files, and lists that
//! leave nothing out.

use crate::exports::{Exports, read};
use crate::harness::function::Function;
use crate::harness::recorder::{Call, Fate, Recorder};
use crate::harness::request::{With, body, signed_in};
use crate::harness::world::{World, letter, pdf};
use crate::harness::{Stack, Whose, root};
use aws_credential_types::Credentials;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, ImageFormat, ImageReader};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use shared::access::Role;
use shared::aws::{Aws, Resource};
use shared::ids::PatientId;
use shared::practice::Practice;
use shared::store::{Admitted, Quarantine};
use shared::{Fault, Reason};
use std::fmt::Write as _;
use std::io::{Cursor, Read as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use uuid::Uuid;
use xtask::aws::Method;

const PDF: &str = "application/pdf";
const JPEG: &str = "image/jpeg";
const PNG: &str = "image/png";

/// `inspect-upload`, whose child is a program of its own: a test binary cannot be one.
pub fn inspection(stack: &Stack) -> Function {
    inspection_by(stack, inspector())
}

fn inspector() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_inspector"))
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
        assert_eq!(upload["method"], "PUT");
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
        let begun = Instant::now();
        self.inspect.handle(self.event(id)).await.unwrap();
        // Before Lambda would end it.
        assert!(begun.elapsed() < Duration::from_secs(40), "{name}");
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

    /// A PDF that was kept is a plain new file, and what is told of it is told of that file.
    async fn is_anew(&self, what: &str, document: &Value, kept: &[u8]) {
        let row = self.row(document["id"].as_str().unwrap()).await;
        assert_eq!(document["size"], kept.len(), "{what}");
        assert_eq!(row["sha256"], sum(kept), "{what}");
        let read = lopdf::Document::load_mem(kept).unwrap();
        assert_eq!(read.get_pages().len(), 1, "{what}");
        assert!(holds(kept, b"\nxref\n0 "), "{what}");
        for trace in [&b"ObjStm"[..], b"XRef", b"/Prev"] {
            assert!(!holds(kept, trace), "{what}");
        }
        // One object of each number, all of them in the table.
        let objects = kept.windows(7).filter(|bytes| bytes == b" 0 obj\n").count();
        assert_eq!(objects, read.objects.len(), "{what}");
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

fn sum(file: &[u8]) -> String {
    STANDARD.encode(digest::digest(&digest::SHA256, file))
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
    // That is what the client has to send, and nothing else.
    let sent = upload["headers"].as_object().unwrap().keys();
    assert!(sent.eq(signed.split(';').filter(|name| *name != "host")));
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
        let document = desk.handed_in(what, PDF, &file).await;
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
        assert_eq!(kept.is_some(), status == "available", "{what}");
        if let Some(kept) = kept {
            desk.is_anew(what, &document, &kept).await;
        }
        if reason.is_some() {
            let detail = document["rejection"]["detail"].as_str().unwrap();
            assert!(
                detail.len() > 40 && document["download"].is_null(),
                "{document}"
            );
        }
    }
}

/// A PDF whose table is a stream. Its fifth object is in the fourth, which is this one.
fn with_object_stream(container: &str, content: &[u8], page: &str, others: &[&str]) -> Vec<u8> {
    let mut all = vec![
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        format!("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] {page} >>").into_bytes(),
        raw_stream(container, content),
        Vec::new(),
    ];
    all.extend(others.iter().map(|other| other.as_bytes().to_vec()));
    let mut file = b"%PDF-1.7\n".to_vec();
    let mut table = vec![0; 7];
    let entry = |kind: u8, field: usize| {
        let field = u32::try_from(field).unwrap().to_be_bytes();
        [vec![kind], field.to_vec(), vec![0, 0]].concat()
    };
    for (at, object) in all.iter().enumerate() {
        if object.is_empty() {
            table.extend(entry(2, 4));
            continue;
        }
        table.extend(entry(1, file.len()));
        file.extend(format!("{} 0 obj\n", at + 1).into_bytes());
        file.extend(object);
        file.extend(b"\nendobj\n");
    }
    let at = file.len();
    table.extend(entry(1, at));
    let (number, size) = (all.len() + 1, all.len() + 2);
    let fields = format!("/Type /XRef /Size {size} /W [1 4 2] /Root 1 0 R");
    file.extend(format!("{number} 0 obj\n").into_bytes());
    file.extend(raw_stream(&fields, &table));
    file.extend(format!("\nendobj\nstartxref\n{at}\n%%EOF\n").into_bytes());
    file
}

/// A stream of these bytes.
fn raw_stream(fields: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("<< {fields} /Length {} >>\nstream\n", content.len());
    [head.as_bytes(), content, b"\nendstream"].concat()
}

/// What stands compressed in a PDF, of these bytes.
fn deflated(content: &[u8]) -> Vec<u8> {
    let mut stream = lopdf::Stream::new(lopdf::Dictionary::new(), content.repeat(20));
    stream.compress().unwrap();
    stream.content
}

/// What a reader would make of a file who understands more than the inspection does.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_kept_that_was_not_seen() {
    let desk = Desk::new().await;
    let annotation = "<< /Type /Annot /Subtype /Link /Rect [0 0 9 9]";
    let clicked = |action: &str| {
        let link = format!("{annotation} /A {action} >>");
        pdf("", "/Annots [4 0 R]", &[&link, "/GoToR", "/Movie"])
    };
    let next = "<< /S /URI /URI (https://example.org) >>";
    let hidden = deflated(HIDDEN);
    let stray = |fields: &str| with_stray(&raw_stream(fields, &hidden));
    // In a reader's place the object is nowhere; in ours it would be missed.
    let lost = |fields: &str| {
        let others = ["/FlateDecode", "4", "/ObjStm"];
        with_object_stream(fields, &hidden, "/Annots [5 0 R]", &others)
    };
    let twice = {
        let first = raw_stream("/Type /ObjStm /N 1 /First 4 /Filter 8 0 R", &hidden);
        with_stray(&[&first[..], b"\nendobj\n9 0 obj\n(harmless)"].concat())
    };
    let (active, damaged) = (Some("active-content"), Some("damaged"));
    for (what, file, expected) in [
        (
            "an action by reference",
            clicked("<< /S 5 0 R /F (a.pdf) /D [0 /Fit] >>"),
            active,
        ),
        (
            "an action anywhere, by reference",
            pdf("/X 4 0 R", "", &["<< /S 5 0 R >>", "/GoToE"]),
            active,
        ),
        (
            "an annotation by reference",
            pdf(
                "",
                "/Annots [4 0 R]",
                &[
                    "<< /Type /Annot /Subtype 5 0 R /Rect [0 0 9 9] >>",
                    "/Movie",
                ],
            ),
            active,
        ),
        (
            "an annotation by nothing",
            pdf("/X << /Subtype 77 0 R >>", "", &[]),
            damaged,
        ),
        (
            "an action that is a string",
            clicked("<< /S (JavaScript) >>"),
            active,
        ),
        (
            "an action that is nowhere",
            clicked("<< /S 77 0 R >>"),
            active,
        ),
        (
            "a kind that is a string",
            pdf("/X << /S (Launch) >>", "", &[]),
            active,
        ),
        (
            "an unknown action",
            clicked("<< /S /Trans /Trans << >> >>"),
            active,
        ),
        (
            "opens a page, and more",
            pdf(
                "/OpenAction << /S /GoTo /D [3 0 R /Fit] /Next 4 0 R >>",
                "",
                &[next],
            ),
            active,
        ),
        (
            "opens an address, and more",
            clicked("<< /S /URI /URI (https://example.org) /Next [<< /S /URI /URI (x) >>] >>"),
            active,
        ),
        (
            "a content elsewhere",
            with_stray(b"<< /Length 0 /F (http://example.org/x) >>\nstream\n\nendstream"),
            active,
        ),
        (
            "a page elsewhere",
            with_stray(b"<< /Length 0 /Ref << /F (x.pdf) /Page 0 >> >>\nstream\n\nendstream"),
            active,
        ),
        (
            "lost by its filter",
            lost("/Type /ObjStm /N 1 /First 4 /Filter 6 0 R"),
            damaged,
        ),
        (
            "lost by its first",
            lost("/Type /ObjStm /N 1 /First 7 0 R /Filter /FlateDecode"),
            damaged,
        ),
        (
            "lost by its type",
            lost("/Type 8 0 R /N 1 /First 4 /Filter /FlateDecode"),
            damaged,
        ),
        (
            "lost without a type",
            lost("/N 1 /First 4 /Filter /FlateDecode"),
            damaged,
        ),
        (
            "stray, by its filter",
            stray("/Type /ObjStm /N 1 /First 4 /Filter 8 0 R"),
            None,
        ),
        (
            "stray, by its first",
            stray("/Type /ObjStm /N 1 /First 8 0 R /Filter /FlateDecode"),
            None,
        ),
        (
            "stray, without a type",
            stray("/N 1 /First 4 /Filter /FlateDecode"),
            None,
        ),
        ("one number twice", twice, None),
        (
            "what holds objects is referred to",
            {
                let stream = raw_stream("/Type 5 0 R /N 1 /First 4 /Filter /FlateDecode", &hidden);
                // A test's PDF is text: what is compressed stands behind.
                let file = pdf("/X 9 0 R", "", &["(4)", "/ObjStm"]);
                behind(&file, 9, &stream)
            },
            damaged,
        ),
    ] {
        let document = desk.handed_in("letter.pdf", PDF, &file).await;
        let reason = document["rejection"]["reason"].as_str();
        assert_eq!(reason, expected, "{what}: {document}");
        let id = document["id"].as_str().unwrap();
        let kept = desk.object(Resource::DocumentsBucket, id).await;
        assert_eq!(kept.is_some(), expected.is_none(), "{what}");
        if let Some(kept) = kept {
            desk.is_anew(what, &document, &kept).await;
            assert!(holds(&file, &hidden) && !holds(&kept, &hidden), "{what}");
        }
    }
}

/// A PDF with one more object, which its table is told of in an update.
fn behind(file: &[u8], number: usize, object: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(file.to_vec()).unwrap();
    let before = text.rsplit("startxref\n").next().unwrap();
    let before = before.lines().next().unwrap();
    let mut file = file.to_vec();
    let mut table = String::new();
    write!(table, "xref\n{number} 1\n{:010} 00000 n \n", file.len()).unwrap();
    file.extend(format!("{number} 0 obj\n").into_bytes());
    file.extend(object);
    file.extend(b"\nendobj\n");
    write!(
        table,
        "trailer\n<< /Size 20 /Root 1 0 R /Prev {before} >>\nstartxref\n{}\n%%EOF\n",
        file.len()
    )
    .unwrap();
    file.extend(table.into_bytes());
    file
}

/// What shows something is still shown: by the words on the page, and by another reader.
#[tokio::test(flavor = "multi_thread")]
async fn good_pdfs_stay_what_they_are() {
    let desk = Desk::new().await;
    let font = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>";
    let words = "BT /F1 12 Tf 10 100 Td (Blood pressure 120) Tj ET";
    let content = String::from_utf8(raw_stream("", words.as_bytes())).unwrap();
    let page = "/Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >>";
    // A glyph that is called S, attributes of a structure, a hint of a linearized file, a label.
    let glyph = "<< /Type /Font /Subtype /Type3 /CharProcs << /S 4 0 R /A 4 0 R >> >>";
    let plain = pdf(
        "/PageLabels << /Nums [0 << /S /D >>] >> /Y << /A << /O /Layout >> /S /P >>",
        page,
        &[&content, font, glyph, &raw_text_stream("/S 38 /A 12")],
    );
    // The font is in an object stream, as most programs write it.
    let packed = {
        let inside = format!("5 0 {font}");
        let content = content.as_str();
        let page = "/Contents 6 0 R /Resources << /Font << /F1 5 0 R >> >>";
        let fields = "/Type /ObjStm /N 1 /First 4";
        with_object_stream(fields, inside.as_bytes(), page, &[content])
    };
    // Another revision: what it replaced is not kept.
    let other = content.replace("120", "130");
    let revised = behind(&plain, 4, other.as_bytes());
    for (what, file, text) in [
        ("plain", plain, "Blood pressure 120"),
        ("packed", packed, "Blood pressure 120"),
        ("revised", revised, "Blood pressure 130"),
    ] {
        let document = desk.handed_in("letter.pdf", PDF, &file).await;
        assert_eq!(document["status"], "available", "{what}: {document}");
        let id = document["id"].as_str().unwrap();
        let kept = desk.object(Resource::DocumentsBucket, id).await.unwrap();
        desk.is_anew(what, &document, &kept).await;
        let read = lopdf::Document::load_mem(&kept).unwrap();
        assert_eq!(read.extract_text(&[1]).unwrap().trim(), text, "{what}");
        assert!(
            what != "revised" || !holds(&kept, b"pressure 120"),
            "{what}"
        );
    }
    // A tagged PDF with fonts, an outline and pictures of words: what pypdf finds stays the same.
    let world = &desk.world;
    let making = Exports::new(&world.stack);
    let wanted = json!({"formats": ["pdf"]});
    let made = making.made(world.account, world.patient, &wanted).await;
    let copy = making
        .download(world.account, world.patient, &made["id"], "pdf")
        .await;
    let document = desk.handed_in("copy.pdf", PDF, &copy).await;
    assert_eq!(document["status"], "available", "{document}");
    let id = document["id"].as_str().unwrap();
    let kept = desk.object(Resource::DocumentsBucket, id).await.unwrap();
    assert_ne!(kept, copy);
    let folder = tempfile::tempdir().unwrap();
    let files = [("copy", copy), ("kept", kept)].map(|(name, bytes)| {
        let path = folder.path().join(format!("{name}.pdf"));
        std::fs::write(&path, bytes).unwrap();
        json!({"name": name, "pdf": path})
    });
    let found = read(&files).await;
    assert!(found[0]["pdf"]["text"].as_str().unwrap().len() > 200);
    assert_eq!(found[0]["pdf"], found[1]["pdf"]);
}

fn raw_text_stream(fields: &str) -> String {
    String::from_utf8(raw_stream(fields, b"")).unwrap()
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
    // Another takes it only when it is certain that the first has died; the same one, tried again, has
    // died for certain.
    let another = || desk.inspect.handle_as(desk.event(id), "another");
    assert!(another().await.is_err());
    assert!(inspect.handle(desk.event(id)).await.is_err());
    assert!(another().await.is_err());
    desk.world.set_upload(id, "claimed_at", &long_ago()).await;
    another().await.unwrap();
    assert_eq!(desk.document(id).await["status"], "available");
    let announced = desk.announced("letter.pdf", PDF, &letter()).await;
    let id = announced["id"].as_str().unwrap();
    desk.put(&announced["upload"], &letter(), &[]).await;
    assert!(inspect.handle(desk.event(id)).await.is_err());
    desk.inspect.handle(desk.event(id)).await.unwrap();
    assert_eq!(desk.document(id).await["status"], "available");
}

/// When an inspection claimed that has died since.
fn long_ago() -> String {
    let before = Timestamp::now() - SignedDuration::from_secs(100);
    before.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// What a dead inspection left behind can be deleted: the row, the file that it may have stored, and
/// what is still in quarantine.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_inspection_left_can_be_deleted() {
    let desk = Desk::new().await;
    let world = &desk.world;
    let delete = Function::new(&world.stack, "delete-document");
    let announced = desk.announced("letter.pdf", PDF, &letter()).await;
    let id = announced["id"].as_str().unwrap();
    desk.put(&announced["upload"], &letter(), &[]).await;
    // It dies with the file stored and the row not settled.
    let torn =
        Recorder::failing(|call| call.actions.len() > 1 && call.body.contains("inspected_at"));
    let service = inspect_upload::service_by(&world.stack.aws(&torn), inspector());
    let torn = Function::of(torn, service.unwrap());
    assert!(torn.handle(desk.event(id)).await.is_err());
    assert!(desk.object(Resource::DocumentsBucket, id).await.is_some());
    let by_patient = || world.by_patient().patient(world.patient).document(id);
    assert_eq!(
        delete.respond(by_patient()).await.status,
        409,
        "it may live"
    );
    world.set_upload(id, "claimed_at", &long_ago()).await;
    let response = delete.respond(by_patient()).await;
    assert_eq!(body(&response), json!({"file": "gone"}));
    assert_eq!(desk.object(Resource::DocumentsBucket, id).await, None);
    let row = desk.row(id).await;
    desk.inspect.handle(desk.event(id)).await.unwrap();
    assert_eq!(desk.object(Resource::QuarantineBucket, id).await, None);
    assert_eq!(desk.object(Resource::DocumentsBucket, id).await, None);
    assert_eq!(desk.row(id).await, row);
}

/// A link takes files while it lasts. What comes behind a settled upload goes, and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_late_is_emptied_out() {
    let desk = Desk::new().await;
    let world = &desk.world;
    let delete = Function::new(&world.stack, "delete-document");
    let script = pdf(
        "/OpenAction << /S /URI /URI (https://example.org) >>",
        "",
        &[],
    );
    for (settled, file) in [
        ("available", letter()),
        ("rejected", script),
        ("deleted", letter()),
    ] {
        let announced = desk.announced("letter.pdf", PDF, &file).await;
        let id = announced["id"].as_str().unwrap();
        assert_eq!(desk.put(&announced["upload"], &file, &[]).await, 200);
        desk.inspect.handle(desk.event(id)).await.unwrap();
        if settled == "deleted" {
            let request = world.by_patient().patient(world.patient).document(id);
            assert_eq!(delete.respond(request).await.status, 200);
        }
        let row = desk.row(id).await;
        assert_eq!(row["status"], settled);
        let kept = desk.object(Resource::DocumentsBucket, id).await;
        assert_eq!(kept.is_some(), settled == "available");
        for _ in 0..2 {
            let status = desk.put(&announced["upload"], &file, &[]).await;
            assert_eq!(status, 200, "the link lasts: {settled}");
            assert!(desk.object(Resource::QuarantineBucket, id).await.is_some());
            desk.inspect
                .handle_as(desk.event(id), "later")
                .await
                .unwrap();
            assert_eq!(desk.object(Resource::QuarantineBucket, id).await, None);
        }
        assert_eq!(desk.row(id).await, row, "{settled}");
        assert_eq!(desk.object(Resource::DocumentsBucket, id).await, kept);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_has_run_out_takes_nothing() {
    let desk = Desk::new().await;
    let file = letter();
    let checksum = sum(&file);
    let aws = desk.world.stack.aws(&Recorder::default());
    let quarantine = Quarantine::new(&aws).unwrap();
    let id = Uuid::new_v4().to_string();
    let admitted = Admitted {
        content_type: PDF,
        size: file.len() as u64,
        sha256: &checksum,
    };
    let kms_key = &desk.world.stack.names[&Resource::DataKey];
    let key = desk.key(&id);
    let mut statuses = Vec::new();
    for (seconds, wait) in [(1, 2100), (60, 0)] {
        let link = quarantine.link(&key, &admitted, kms_key, seconds);
        let link = link.await.unwrap();
        let upload = json!({"method": "PUT", "url": link.url, "headers": link.headers});
        tokio::time::sleep(Duration::from_millis(wait)).await;
        statuses.push(desk.put(&upload, &file, &[]).await);
        let there = desk.object(Resource::QuarantineBucket, &id).await;
        assert_eq!(there.is_some(), wait == 0);
    }
    assert_eq!(statuses, [403, 200]);
}

/// S3 tells whoever may not list a bucket that they may not, and not that nothing is there.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_listed_is_absent() {
    const LISTING: &str = "<Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::1:assumed-role/r/f \
        is not authorized to perform: s3:ListBucket on resource: \"arn:aws:s3:::b\" because no \
        identity-based policy allows the s3:ListBucket action</Message></Error>";
    const BARE: &str = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    const KEY: &str = "<Error><Code>AccessDenied</Code><Message>User: arn:aws:sts::1:assumed-role/r/f \
        is not authorized to perform: kms:Decrypt on the resource associated with this ciphertext \
        because no identity-based policy allows the kms:Decrypt action</Message></Error>";
    let desk = Desk::new().await;
    let answering = |answer| {
        Recorder::fated(move |call| {
            if call.actions == ["s3:GetObject"] {
                Fate::Told(403, answer)
            } else {
                Fate::Answered
            }
        })
    };
    for (answer, absent) in [(LISTING, true), (BARE, true), (KEY, false)] {
        let announced = desk.announced("letter.pdf", PDF, &letter()).await;
        let id = announced["id"].as_str().unwrap();
        let recorder = answering(answer);
        let service = inspect_upload::service_by(&desk.world.stack.aws(&recorder), inspector());
        let inspect = Function::of(recorder, service.unwrap());
        let ended = inspect.handle(desk.event(id)).await;
        assert_eq!(ended.is_ok(), absent, "{answer}");
        let document = desk.document(id).await;
        if absent {
            assert_eq!(document["rejection"]["reason"], "not-inspected");
        } else {
            assert_eq!(document["status"], "inspecting");
        }
    }
    // An import of a file that is no longer there ends with a report.
    let stack = &desk.world.stack;
    let import = Function::recorded(stack, "import-records", answering(LISTING));
    let bucket = &stack.names[&Resource::ImportBucket];
    let event = json!({"Records": [{
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": "inbox/gone.json"}}
    }]});
    import.handle(event).await.unwrap();
    let report = stack.object("reports/gone.json").await;
    assert_eq!(report["reason"]["code"], "gone", "{report}");
}

/// An object whose last byte never comes is given up before the function ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_never_ends_is_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let mut connections = Vec::new();
        while let Ok((mut connection, _)) = listener.accept() {
            let _ = connection.read(&mut [0; 4096]);
            // A byte now and then looks alive.
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
            let _ = connection.write_all(answer);
            connections.push(std::thread::spawn(move || {
                while connection.write_all(b"%").is_ok() {
                    std::thread::sleep(Duration::from_millis(200));
                }
            }));
        }
    });
    let names = [(Resource::QuarantineBucket, "quarantine".to_owned())];
    let aws = Aws::new(
        "us-east-1".to_owned(),
        Some(endpoint),
        Credentials::new("test", "test", None, None, "tests"),
        shared::aws::http_client().unwrap(),
        names.into_iter().collect(),
        Practice::new("America/New_York", 5, 18).unwrap(),
    );
    let begun = Instant::now();
    let read = Quarantine::new(&aws).unwrap().read("key", 1_000_000).await;
    assert!(matches!(
        read.err(),
        Some(Fault::Unavailable {
            reason: Reason::TimedOut,
            ..
        })
    ));
    assert!(begun.elapsed() < Duration::from_secs(16));
}

/// Whatever takes the child over finds that it can open nothing.
#[cfg(target_os = "linux")]
#[test]
fn the_child_can_open_nothing() {
    let mut child = std::process::Command::new(inspector())
        .args(["inspect-file", PDF])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let limits = loop {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
        let last = limits
            .lines()
            .find(|line| line.starts_with("Max processes"));
        if last.unwrap().split_whitespace().nth(2) == Some("0") {
            break limits;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{limits}");
        std::thread::sleep(Duration::from_millis(10));
    };
    for limit in ["Max open files", "Max file size", "Max core file size"] {
        let line = limits.lines().find(|line| line.starts_with(limit)).unwrap();
        let values: Vec<_> = line[limit.len()..].split_whitespace().take(2).collect();
        assert_eq!(values, ["0", "0"], "{line}");
    }
    // And does its work.
    child.stdin.take().unwrap().write_all(&letter()).unwrap();
    let said = child.wait_with_output().unwrap();
    assert!(said.stdout.starts_with(b"passed\n%PDF-1.7\n"));
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
    // So does one that could not be noted to be gone. The row stays until then.
    let unnoted = |call: &Call| call.actions == ["dynamodb:UpdateItem"];
    let unnoted = Function::recorded(&world.stack, "delete-document", Recorder::failing(unnoted));
    for torn in [&torn, &unnoted] {
        assert_eq!(
            body(&torn.respond(by_patient(id)).await),
            json!({"file": "pending"})
        );
        assert_eq!(desk.get.respond(by_patient(id)).await.status, 404);
        let row = desk.row(id).await;
        assert_eq!(row["status"], "deleted");
        assert!(row["expires_at"].is_null(), "{row}");
    }
    let counted = crate::harness::lines::kept();
    let mut counted = counted
        .lines()
        .filter(|line| line.contains("FollowUpsFailed"));
    assert!(counted.any(|line| line.contains("\"operation\":\"delete-document\"")));
    assert_eq!(
        body(&delete.respond(by_patient(id)).await),
        json!({"file": "gone"})
    );
    assert_eq!(desk.object(Resource::DocumentsBucket, id).await, None);
    let expires: i64 = desk.row(id).await["expires_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let days = (expires - Timestamp::now().as_second()) / 86_400;
    assert!((29..=30).contains(&days), "{days}");

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

/// The files of the samples that have a patient.
fn samples() -> Vec<(String, Value)> {
    let folder = std::fs::read_dir(root().join("tests/data/synthea")).unwrap();
    let mut files: Vec<_> = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .collect();
    files.sort();
    let named = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let bundle: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        (name, bundle)
    };
    let mut files: Vec<_> = files.iter().map(named).collect();
    files.retain(|(_, bundle)| {
        let mut entries = bundle["entry"].as_array().unwrap().iter();
        entries.any(|entry| entry["resource"]["resourceType"] == "Patient")
    });
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_every_document_once_and_in_order() {
    let stack = Stack::new().await;
    let (list, get) = (
        Function::new(&stack, "list-documents"),
        Function::new(&stack, "get-document"),
    );
    let (mut patients, mut documents) = (0, 0);
    for (name, bundle) in samples() {
        let patient = stack.sample(&name).await;
        let account = stack.account(Role::Patient, Whose::Patient(patient)).await;
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
                .query("limit", "19");
            if let Some(cursor) = &cursor {
                request = request.query("cursor", cursor);
            }
            list.recorder.reset();
            let response = list.respond(request).await;
            let page = body(&response);
            assert_eq!(response.status, 200, "{page}");
            assert!(list.recorder.depth() <= 2);
            for document in page["documents"].as_array().unwrap() {
                assert_eq!(document["kind"], "clinical", "{document}");
                let id = document["id"].as_str().unwrap().to_owned();
                let request = signed_in(account, Role::Patient)
                    .patient(patient)
                    .document(&id);
                let one = body(&get.respond(request).await);
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
        assert!(times.is_sorted_by(|one, other| one >= other), "{name}");
        expected.sort();
        found.sort();
        assert_eq!(found, expected, "{name}");
        patients += 1;
        documents += found.len();
    }
    assert!(patients == 30 && documents > 300, "{patients} {documents}");
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
