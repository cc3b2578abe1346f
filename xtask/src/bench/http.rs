//! HTTP/1.1 on loopback, no more of it than a function's clients speak: blocking and bare, so that
//! little of what is measured is the bench's own.
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

pub(super) struct Request {
    pub path: String,
    /// DynamoDB's and KMS's operation: the header `X-Amz-Target`.
    pub target: String,
    pub body: Vec<u8>,
    /// When its last byte was there.
    pub arrived: Instant,
}

/// A whole response, ready to be sent.
#[derive(Clone)]
pub(super) struct Response(Vec<u8>);

impl Response {
    /// `head` is the status and the headers, each ended by CR LF.
    pub(super) fn new(head: &str, body: &[u8]) -> Self {
        let length = body.len();
        let mut bytes = format!("HTTP/1.1 {head}Content-Length: {length}\r\n\r\n").into_bytes();
        bytes.extend_from_slice(body);
        Self(bytes)
    }

    pub(super) fn json(status: &str, body: &[u8]) -> Self {
        Self::new(
            &format!("{status}\r\nContent-Type: application/x-amz-json-1.1\r\n"),
            body,
        )
    }
}

/// Answers requests until the process ends; one that gets no answer is left waiting.
pub(super) fn listen(
    answer: impl Fn(Request) -> Option<Response> + Send + Sync + 'static,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            // A client that goes away ends its connection with an error, and nothing is lost.
            thread::spawn(move || converse(&stream, &*answer));
        }
    });
    Ok(address)
}

fn converse(
    mut stream: &TcpStream,
    answer: &impl Fn(Request) -> Option<Response>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = receive(&mut reader)? {
        if let Some(Response(bytes)) = answer(request) {
            stream.write_all(&bytes)?;
        }
    }
    Ok(())
}

/// Reads one request; none if the client closed the connection.
fn receive(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let Some(path) = line.split(' ').nth(1).map(str::to_owned) else {
        return Ok(None);
    };
    let (mut target, mut length) = (String::new(), 0);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        if name.eq_ignore_ascii_case("x-amz-target") {
            value.trim().clone_into(&mut target);
        } else if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().map_err(io::Error::other)?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(io::Error::other("a body in pieces"));
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request {
        path,
        target,
        body,
        arrived: Instant::now(),
    }))
}
