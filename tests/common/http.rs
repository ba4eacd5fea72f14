//! HTTP/1.1, the client's side of it.

use std::net::SocketAddr;

use super::Wire;

/// One connection that carries requests, pipelined or not.
pub(crate) struct Http {
    wire: Wire,
}

impl Http {
    /// Connects to `addr`.
    #[track_caller]
    pub(crate) fn connect(addr: SocketAddr) -> Self {
        Self { wire: Wire::connect(addr) }
    }

    /// What is below, for raw bytes and for other protocols.
    pub(crate) fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// Leaves HTTP, after a 101.
    pub(crate) fn into_wire(self) -> Wire {
        self.wire
    }

    /// Sends a request without waiting for its answer.
    #[track_caller]
    pub(crate) fn send(&mut self, method: &str, target: &str, fields: &[&str], body: &[u8]) {
        self.wire.send(&request(method, target, fields, body));
    }

    /// GET.
    #[track_caller]
    pub(crate) fn get(&mut self, target: &str) -> Answer {
        self.send("GET", target, &[], b"");
        self.answer()
    }

    /// POST.
    #[track_caller]
    pub(crate) fn post(&mut self, target: &str, body: impl AsRef<[u8]>) -> Answer {
        self.send("POST", target, &[], body.as_ref());
        self.answer()
    }

    /// Any method but HEAD.
    #[track_caller]
    pub(crate) fn call(&mut self, method: &str, target: &str) -> Answer {
        self.send(method, target, &[], b"");
        self.answer()
    }

    /// The next answer, of any request but HEAD.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        let mut answer = self.answer_head();
        answer.body = match (answer.header("content-length"), answer.header("transfer-encoding")) {
            _ if answer.status < 200 || answer.status == 204 => Vec::new(),
            (Some(length), None) => {
                let length = length.parse().expect("Content-Length is a number");
                self.wire.take(length, "body")
            }
            (None, Some("chunked")) => self.chunks(),
            (None, None) => self.wire.take_rest("body up to the end"),
            lengths => panic!("a body has one length, not {lengths:?}"),
        };
        answer
    }

    /// The next head alone: the answer of a HEAD.
    #[track_caller]
    pub(crate) fn answer_head(&mut self) -> Answer {
        let head = self.wire.take_through(b"\r\n\r\n", "head of an answer");
        let head = String::from_utf8(head).expect("heads are ASCII");
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let status_line = lines.next().expect("split yields at least one part").to_owned();
        let status = status_line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
        let fields = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("field {line:?}"));
            (name.to_ascii_lowercase(), value.to_owned())
        });
        Answer { status, status_line, fields: fields.collect(), body: Vec::new() }
    }

    /// Waits for the end of the connection, with not one byte before it.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        let rest = self.wire.take_rest("end of the connection");
        assert_eq!(String::from_utf8_lossy(&rest), "", "bytes before the end");
    }

    #[track_caller]
    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.wire.take_through(b"\r\n", "chunk size");
            let line = String::from_utf8(line).expect("chunk sizes are ASCII");
            let size = usize::from_str_radix(line.trim_end(), 16).expect("a size is hexadecimal");
            body.extend(self.wire.take(size, "chunk"));
            assert_eq!(self.wire.take(2, "end of a chunk"), b"\r\n");
            if size == 0 {
                return body;
            }
        }
    }
}

/// A request as bytes. A body has its length; so has an absent one where the method wants a body.
pub(crate) fn request(method: &str, target: &str, fields: &[&str], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n");
    for field in fields {
        text += field;
        text += "\r\n";
    }
    if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text += "\r\n";
    [text.as_bytes(), body].concat()
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The three digits.
    pub(crate) status: u16,
    /// The body, without its framing.
    pub(crate) body: Vec<u8>,
    status_line: String,
    fields: Vec<(String, String)>,
}

impl Answer {
    /// The value of the one field called `name`, which is in lower case.
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(n, _)| n == name).map(|(_, v)| &**v);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} twice");
        value
    }

    /// The body, which is text.
    #[track_caller]
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("the body is text")
    }

    /// The whole head: the status line, then the fields in the order of their names, which are in
    /// lower case.
    pub(crate) fn head(&self) -> Vec<String> {
        let mut fields: Vec<_> = self.fields.iter().map(|(n, v)| format!("{n}: {v}")).collect();
        fields.sort();
        fields.insert(0, self.status_line.clone());
        fields
    }
}
