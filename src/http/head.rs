//! The head of a request: checked once, then looked into where it lies.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use core::fmt;
use core::mem::MaybeUninit;
use core::str;

use memchr::{memchr, memchr_iter};

use super::target::query_value;
use super::{Fault, HEADERS_MAX};

/// A view of a checked head.
#[derive(Clone, Copy)]
pub(crate) struct Head<'h> {
    /// What is asked.
    pub(crate) method: Method<'h>,
    /// Of what it is asked, as it was sent.
    pub(crate) target: &'h str,
    /// 1 or 0, for HTTP/1.1 and HTTP/1.0.
    pub(crate) version_minor: u8,
    text: &'h [u8],
    fields: Fields<'h>,
    body: BodyKind,
}

impl<'h> Head<'h> {
    /// Checks `text`, which is one whole head with the empty line that ends it.
    #[cfg(test)]
    pub(crate) fn parse(text: &'h [u8]) -> Result<Self, Fault> {
        match Lines::default().find_end(text)? {
            Some(length) if length == text.len() => Self::parse_lines(text),
            _ => Err(Fault::BadRequest),
        }
    }

    /// Checks all but the ends of lines, which [`Lines`] has already checked.
    pub(super) fn parse_lines(text: &'h [u8]) -> Result<Self, Fault> {
        check_syntax(text)?;
        let head = Self::view(text, BodyKind::None);
        check_target(&head)?;
        Ok(Self { body: check_fields(&head)?, ..head })
    }

    /// Looks at a `text` that was checked before, and was found to announce `body`.
    pub(super) fn view(text: &'h [u8], body: BodyKind) -> Self {
        const VERSION: usize = " HTTP/1.1\r".len();
        let line_end = memchr(b'\n', text).expect("a checked head has lines");
        let method_end = memchr(b' ', text).expect("a checked request line has spaces");
        let target = &text[method_end + 1..line_end - VERSION];
        Self {
            method: Method::of(as_str(&text[..method_end])),
            target: as_str(target),
            version_minor: text[line_end - 2] - b'0',
            text,
            fields: Fields(&text[line_end + 1..]),
            body,
        }
    }

    /// The value of the first field of this name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&'h [u8]> {
        self.fields.values(name).next()
    }

    /// Names and values of the fields, in their order.
    pub(crate) fn headers(&self) -> Fields<'h> {
        self.fields
    }

    /// The path, as it was sent, also where the target is a whole URI (RFC 9112, 3.2.2).
    pub(crate) fn path(&self) -> &'h str {
        split_target(self.target).0
    }

    /// What follows the `?`, as it was sent; empty where there is none.
    pub(crate) fn query(&self) -> &'h str {
        split_target(self.target).1
    }

    /// What becomes of the connection, and how the answer says so (RFC 9112, 9.3).
    pub(crate) fn persistence(&self) -> Persistence {
        match self.version_minor {
            _ if self.connection_lists("close") => Persistence::Close,
            0 if self.connection_lists("keep-alive") => Persistence::KeepAlive,
            0 => Persistence::Close,
            _ => Persistence::Implied,
        }
    }

    /// The protocols that the client would rather speak. HTTP/1.0 has no upgrades
    /// (RFC 9110, 7.8). An upgrade that has a [`body`](Self::body) is the taker's to refuse: what
    /// follows the head is then still HTTP.
    pub(crate) fn upgrade_to(&self) -> Option<&'h str> {
        if self.version_minor == 0 || !self.connection_lists("upgrade") {
            return None;
        }
        str::from_utf8(self.header("upgrade")?).ok()
    }

    /// Whether the client holds its body back until it is told to go on (RFC 9110, 10.1.1).
    pub(crate) fn expects_continue(&self) -> bool {
        let expects = |value: &[u8]| value.eq_ignore_ascii_case(b"100-continue");
        self.version_minor > 0
            && !self.body.is_empty()
            && self.header("expect").is_some_and(expects)
    }

    /// What follows the head.
    pub(crate) fn body(&self) -> BodyKind {
        self.body
    }

    fn connection_lists(&self, option: &str) -> bool {
        self.fields.elements("connection").any(|e| e.eq_ignore_ascii_case(option.as_bytes()))
    }
}

/// Shows the request line only: fields hold cookies and credentials.
impl fmt::Debug for Head<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} HTTP/1.{}", self.method.as_str(), self.target, self.version_minor)
    }
}

/// The head of a request, kept: one allocation, whatever it holds.
#[derive(Clone)]
pub struct RequestHead {
    text: Box<[u8]>,
    body: BodyKind,
}

impl RequestHead {
    /// Copies a head.
    pub(crate) fn new(head: &Head<'_>) -> Self {
        Self { text: head.text.into(), body: head.body }
    }

    /// The method, such as `GET`.
    pub fn method(&self) -> &str {
        self.head().method.as_str()
    }

    /// The target, as it was sent.
    pub fn target(&self) -> &str {
        self.head().target
    }

    /// The path, percent-encoded as it was sent.
    pub fn path(&self) -> &str {
        self.head().path()
    }

    /// The decoded value of `key` in the query: the last one, where there are several.
    pub fn query(&self, key: &str) -> Option<Cow<'_, str>> {
        query_value(self.head().query(), key)
    }

    /// The value of the first header of this name, in any case. Looks through the text, so it
    /// takes as long as the head is.
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.head().header(name)
    }

    /// Names and values of the headers, in their order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head().headers()
    }

    fn head(&self) -> Head<'_> {
        Head::view(&self.text, self.body)
    }
}

/// Shows the request line only: fields hold cookies and credentials.
impl fmt::Debug for RequestHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head().fmt(f)
    }
}

/// The method of a request (RFC 9110, 9), which is case-sensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method<'h> {
    /// GET
    Get,
    /// HEAD
    Head,
    /// POST
    Post,
    /// PUT
    Put,
    /// DELETE
    Delete,
    /// OPTIONS
    Options,
    /// PATCH
    Patch,
    /// Any other.
    Other(&'h str),
}

impl<'h> Method<'h> {
    fn of(name: &'h str) -> Self {
        match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "OPTIONS" => Self::Options,
            "PATCH" => Self::Patch,
            _ => Self::Other(name),
        }
    }

    /// Its name, as it was sent.
    pub(crate) fn as_str(self) -> &'h str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
            Self::Patch => "PATCH",
            Self::Other(name) => name,
        }
    }
}

/// What follows a head (RFC 9112, 6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyKind {
    /// Nothing, and nothing was announced.
    None,
    /// A body of this many bytes, which may be 0.
    Length(u64),
    /// A body that tells its length as it comes.
    Chunked,
}

impl BodyKind {
    /// Whether it is known that no byte of a body follows.
    pub(crate) fn is_empty(self) -> bool {
        matches!(self, Self::None | Self::Length(0))
    }
}

/// What becomes of a connection after an answer, and how the answer says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It stays, which goes without saying in HTTP/1.1.
    Implied,
    /// It stays, which a client of HTTP/1.0 must be told.
    KeepAlive,
    /// It ends.
    Close,
}

/// The fields of a checked head: iterates over their names and values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'h>(&'h [u8]);

impl<'h> Fields<'h> {
    /// The values of all fields of this name, in any case.
    fn values(self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        let mut fields = self;
        core::iter::from_fn(move || {
            loop {
                let line = fields.next_line()?;
                if let Some((found, [b':', value @ ..])) = line.split_at_checked(name.len())
                    && found.eq_ignore_ascii_case(name.as_bytes())
                {
                    return Some(value.trim_ascii());
                }
            }
        })
    }

    /// The elements of a field that is a list, over all its lines (RFC 9110, 5.6.1).
    fn elements(self, name: &str) -> impl Iterator<Item = &'h [u8]> {
        self.values(name).flat_map(|value| value.split(|&b| b == b',')).map(<[u8]>::trim_ascii)
    }

    fn next_line(&mut self) -> Option<&'h [u8]> {
        let end = memchr(b'\n', self.0)?;
        let line = &self.0[..end - 1];
        self.0 = &self.0[end + 1..];
        (!line.is_empty()).then_some(line)
    }
}

impl<'h> Iterator for Fields<'h> {
    type Item = (&'h str, &'h [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.next_line()?;
        let colon = memchr(b':', line).expect("a checked field has a colon");
        Some((as_str(&line[..colon]), line[colon + 1..].trim_ascii()))
    }
}

/// Follows the lines of a head as it comes in. Every line ends in CRLF: a lone LF is refused where
/// it stands (RFC 9112, 2.2 would allow it), since a proxy may take it for part of a value, and
/// since a head of such lines would never come to the end that is looked for here.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Lines {
    /// The bytes of the last line, as far as it was seen.
    line_bytes: u32,
    /// Whether the last of them is a CR.
    cr: bool,
}

impl Lines {
    /// Looks at the bytes that follow those seen before; tells where behind the end of the head
    /// is, if it is among them.
    pub(super) fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let mut start = 0;
        for lf in memchr_iter(b'\n', bytes) {
            let cr = if lf > start { bytes[lf - 1] == b'\r' } else { self.cr };
            if !cr {
                return Err(Fault::BadRequest);
            }
            if self.line_bytes as usize + (lf - start) == 1 {
                return Ok(Some(lf + 1));
            }
            start = lf + 1;
            *self = Self::default();
        }
        if let [.., last] = &bytes[start..] {
            self.line_bytes = self.line_bytes.saturating_add((bytes.len() - start) as u32);
            self.cr = *last == b'\r';
        }
        Ok(None)
    }
}

/// Whether `byte` may stand in a name (RFC 9110, 5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// The grammar of the request line and the fields (RFC 9112, 3 and 5): no lone CR, no folded line,
/// no space around names, no NUL. That httparse skips empty lines and takes lone LFs does not
/// matter: [`Lines`] lets through neither.
fn check_syntax(text: &[u8]) -> Result<(), Fault> {
    let mut slots = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut []);
    match request.parse_with_uninit_headers(text, &mut slots) {
        Ok(httparse::Status::Complete(_)) => Ok(()),
        Ok(httparse::Status::Partial) => Err(Fault::BadRequest),
        Err(httparse::Error::TooManyHeaders) => Err(Fault::HeadTooLarge),
        Err(httparse::Error::Version) if names_other_version(text) => {
            Err(Fault::VersionUnsupported)
        }
        Err(_) => Err(Fault::BadRequest),
    }
}

/// Whether the request line ends in a version of HTTP that is not spoken here (RFC 9112, 2.3).
fn names_other_version(text: &[u8]) -> bool {
    let line = text.split(|&byte| byte == b'\r').next().unwrap_or_default();
    match line.rsplit(|&byte| byte == b' ').next().unwrap_or_default() {
        b"HTTP/1.0" | b"HTTP/1.1" => false,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor] => {
            major.is_ascii_digit() && minor.is_ascii_digit()
        }
        _ => false,
    }
}

/// The four forms of a target (RFC 9112, 3.2). None of them has a fragment.
fn check_target(head: &Head<'_>) -> Result<(), Fault> {
    let target = head.target;
    let valid = match head.method {
        Method::Other("CONNECT") => is_authority(target.as_bytes()),
        Method::Options if target == "*" => true,
        _ => target.starts_with('/') || split_uri(target).is_some(),
    };
    if valid && !target.contains('#') { Ok(()) } else { Err(Fault::BadRequest) }
}

/// The rules for single fields: `Host` (RFC 9112, 3.2), and those that tell where the body ends
/// (RFC 9112, 6.1 to 6.3).
fn check_fields(head: &Head<'_>) -> Result<BodyKind, Fault> {
    let (mut host, mut length, mut coded) = (None, None, false);
    for (name, value) in head.headers() {
        if name.eq_ignore_ascii_case("host") {
            if host.replace(value).is_some() || !is_authority(value) {
                return Err(Fault::BadRequest);
            }
        } else if name.eq_ignore_ascii_case("content-length") {
            let value = parse_length(value).ok_or(Fault::BadRequest)?;
            if length.replace(value).is_some_and(|before| before != value) {
                return Err(Fault::BadRequest);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            coded = true;
        }
    }
    if head.version_minor > 0 && host.is_none() {
        return Err(Fault::BadRequest);
    }
    match (coded, length) {
        (false, None) => Ok(BodyKind::None),
        (false, Some(length)) => Ok(BodyKind::Length(length)),
        (true, None) if head.version_minor > 0 => check_coding(head.headers()),
        (true, _) => Err(Fault::BadRequest),
    }
}

/// `chunked` is the only coding that is known. Without it in the last place, and there alone, no
/// one can tell where the body ends (RFC 9112, 6.1 and 6.3).
fn check_coding(fields: Fields<'_>) -> Result<BodyKind, Fault> {
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    let mut codings = fields.elements("transfer-encoding");
    let mut last = codings.next().ok_or(Fault::BadRequest)?;
    let mut others = false;
    for coding in codings {
        if is_chunked(last) || last.is_empty() {
            return Err(Fault::BadRequest);
        }
        (last, others) = (coding, true);
    }
    match (is_chunked(last), others) {
        (true, false) => Ok(BodyKind::Chunked),
        (true, true) => Err(Fault::CodingUnknown),
        (false, _) => Err(Fault::BadRequest),
    }
}

/// A `Content-Length` (RFC 9110, 8.6): digits and nothing else.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, byte| match byte {
        b'0'..=b'9' => length.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

/// Whether `value` has only what a host and a port are made of (RFC 3986, 3.2.2 and 3.2.3). It may
/// be empty (RFC 9112, 3.2).
fn is_authority(value: &[u8]) -> bool {
    value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=%:[]".contains(byte))
}

fn split_target(target: &str) -> (&str, &str) {
    let target = match split_uri(target) {
        Some((_, "")) => "/",
        Some((_, rest)) => rest,
        None => target,
    };
    match target.split_once('?') {
        // an empty path is that of the root (RFC 9110, 4.2.3)
        Some(("", query)) => ("/", query),
        Some(parts) => parts,
        None => (target, ""),
    }
}

/// Splits a target that is a whole URI behind its authority.
fn split_uri(target: &str) -> Option<(&str, &str)> {
    if target.starts_with('/') {
        return None;
    }
    let (scheme, rest) = target.split_once("://")?;
    let is_web = ["http", "https", "ws", "wss"].iter().any(|s| scheme.eq_ignore_ascii_case(s));
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    // a URI without a host is none, and one with a user is not to be trusted (RFC 9110, 4.2.4)
    (is_web && !authority.is_empty() && is_authority(authority.as_bytes()))
        .then_some((authority, rest))
}

fn as_str(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("httparse has checked that targets are UTF-8 and names ASCII")
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    use quickcheck::{Gen, QuickCheck};

    use super::*;

    /// A valid request of HTTP/1.1 with these lines behind its `Host`.
    fn with_lines(lines: &str) -> String {
        format!("POST /a HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
    }

    fn body_of(lines: &str) -> Result<BodyKind, Fault> {
        Head::parse(with_lines(lines).as_bytes()).map(|head| head.body())
    }

    fn with_target(target: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")
    }

    fn fault_of(text: impl AsRef<[u8]>) -> Option<Fault> {
        Head::parse(text.as_ref()).err()
    }

    const BAD: Option<Fault> = Some(Fault::BadRequest);

    #[test]
    fn a_head_is_read() {
        let text = b"POST /a/%20?b=c&d HTTP/1.1\r\nHost: x:1\r\nA:\r\nB: \t 1 2 \t\r\nb: 3\r\n\r\n";
        let head = Head::parse(text).expect("valid");
        assert_eq!(head.method, Method::Post);
        assert_eq!((head.target, head.version_minor), ("/a/%20?b=c&d", 1));
        assert_eq!((head.path(), head.query()), ("/a/%20", "b=c&d"));
        let wanted: [(&str, &[u8]); 4] = [("Host", b"x:1"), ("A", b""), ("B", b"1 2"), ("b", b"3")];
        assert_eq!(head.headers().collect::<Vec<_>>(), wanted);
        assert_eq!(head.header("HOST"), Some(&b"x:1"[..]));
        assert_eq!(head.header("b"), Some(&b"1 2"[..]));
        assert_eq!(head.header("Hos"), None);
        assert_eq!(head.header("Host:"), None);
    }

    #[test]
    fn a_kept_head_tells_the_same_and_hides_its_fields() {
        let text = b"GET /a?k=1&k=%32 HTTP/1.0\r\nCookie: secret\r\n\r\n";
        let kept = RequestHead::new(&Head::parse(text).expect("valid"));
        assert_eq!((kept.method(), kept.target(), kept.path()), ("GET", "/a?k=1&k=%32", "/a"));
        assert_eq!(kept.query("k").as_deref(), Some("2"));
        assert_eq!(kept.header("cookie"), Some(&b"secret"[..]));
        assert_eq!(kept.headers().count(), 1);
        assert_eq!(format!("{kept:?}"), "GET /a?k=1&k=%32 HTTP/1.0");
    }

    #[test]
    fn methods_are_case_sensitive() {
        // RFC 9110, 9.1
        for name in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "get", "BREW"] {
            let text = format!("{name} / HTTP/1.1\r\nHost:\r\n\r\n");
            let head = Head::parse(text.as_bytes()).expect("valid");
            assert_eq!(head.method.as_str(), name);
            let known = name != "get" && name != "BREW";
            assert_eq!(matches!(head.method, Method::Other(_)), !known, "{name}");
        }
    }

    #[test]
    fn every_line_ends_in_crlf() {
        // RFC 9112, 2.2
        for text in [
            "GET / HTTP/1.1\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\n",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET / HTTP/1.1\rHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\rb: c\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n",
            "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n",
        ] {
            assert_eq!(fault_of(text), BAD, "{text:?}");
        }
    }

    #[test]
    fn a_head_is_whole_and_nothing_stands_around_it() {
        let text = with_lines("");
        assert_eq!(fault_of(&text), None);
        for length in 0..text.len() {
            assert_eq!(fault_of(&text[..length]), BAD, "{length}");
        }
        assert_eq!(fault_of(format!("{text}x")), BAD);
        assert_eq!(fault_of(format!("{text}\r\n")), BAD);
        assert_eq!(fault_of(format!("\r\n{text}")), BAD);
        assert_eq!(fault_of(format!(" {text}")), BAD);
    }

    #[test]
    fn request_lines_have_three_parts() {
        // RFC 9112, 3
        for line in [
            "GET /",
            "GET  / HTTP/1.1",
            "GET /  HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET\t/ HTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET /\0 HTTP/1.1",
            "GET /\x7f HTTP/1.1",
            "GET HTTP/1.1",
            " / HTTP/1.1",
            "G(T / HTTP/1.1",
            "GET / http/1.1",
            "GET / HTTP/1",
            "GET / HTTP/1.10",
            "GET / RTSP/1.1",
        ] {
            assert_eq!(fault_of(format!("{line}\r\nHost: a\r\n\r\n")), BAD, "{line:?}");
        }
    }

    #[test]
    fn other_versions_are_told_from_rubbish() {
        // RFC 9112, 2.3; the second is how HTTP/2 begins (RFC 9113, 3.4)
        for line in ["GET / HTTP/2.0", "PRI * HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/1.2"] {
            let fault = fault_of(format!("{line}\r\n\r\n"));
            assert_eq!(fault, Some(Fault::VersionUnsupported), "{line:?}");
        }
    }

    #[test]
    fn fields_are_well_formed() {
        // RFC 9112, 5.1 and 5.2; RFC 9110, 5.5 and 5.6.2
        for line in [
            "A : b",
            "A\t: b",
            " A: b",
            "\tA: b",
            "A: b\r\n c",
            "A: b\r\n\tc",
            "A",
            ": b",
            "A B: c",
            "A\0: b",
            "A: \0",
            "A: \x01",
            "A: \x7f",
            "A: \x0b",
            "\u{e4}: b",
            "Content-Length\u{a0}: 1",
        ] {
            assert_eq!(body_of(&format!("{line}\r\n")), Err(Fault::BadRequest), "{line:?}");
        }
        assert_eq!(body_of("A: \u{e4}\t\"b\"\r\n"), Ok(BodyKind::None));
    }

    #[test]
    fn folding_right_behind_the_request_line_is_refused() {
        // RFC 9112, 2.2
        assert_eq!(fault_of("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), BAD);
    }

    #[test]
    fn there_is_one_host() {
        // RFC 9112, 3.2
        assert_eq!(fault_of("GET / HTTP/1.1\r\n\r\n"), BAD);
        assert_eq!(fault_of("GET / HTTP/1.0\r\n\r\n"), None);
        assert_eq!(fault_of("GET / HTTP/1.1\r\nHost:\r\n\r\n"), None);
        for version in ["1.0", "1.1"] {
            let text = format!("GET / HTTP/{version}\r\nHost: a\r\nhOST: a\r\n\r\n");
            assert_eq!(fault_of(text), BAD);
        }
        for host in ["a b", "a/b", "a?b", "a#b", "u@a", "a\\b", "\u{e4}", "a\tb"] {
            let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(fault_of(text), BAD, "{host:?}");
        }
        for host in ["a.b-c_d:80", "[::1]:80", "127.0.0.1", "%41"] {
            let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            assert_eq!(fault_of(text), None, "{host:?}");
        }
    }

    #[test]
    fn targets_have_four_forms() {
        // RFC 9112, 3.2
        for (target, path, query) in [
            ("/", "/", ""),
            ("/a?", "/a", ""),
            ("/a?b?c", "/a", "b?c"),
            ("//a/b", "//a/b", ""),
            ("/a?b=http://c/d", "/a", "b=http://c/d"),
            ("http://a", "/", ""),
            ("HTTPS://a:1?b", "/", "b"),
            ("ws://a/b/c?d=/e", "/b/c", "d=/e"),
            ("/\u{e4}", "/\u{e4}", ""),
        ] {
            let text = with_target(target);
            let head = Head::parse(text.as_bytes()).expect(target);
            assert_eq!((head.path(), head.query()), (path, query), "{target}");
        }
        for target in [
            "a",
            "*",
            "a:80",
            "?a",
            "/a#b",
            "http://",
            "http:///a",
            "http://u@a/",
            "f://a/",
            "://a",
        ] {
            assert_eq!(fault_of(with_target(target)), BAD, "{target}");
        }
        assert_eq!(fault_of(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n"), BAD);
        assert_eq!(fault_of("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), None);
        assert_eq!(fault_of("CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n"), None);
        assert_eq!(fault_of("CONNECT /a HTTP/1.1\r\nHost: a\r\n\r\n"), BAD);
    }

    #[test]
    fn lengths_are_digits() {
        // RFC 9110, 8.6; RFC 9112, 6.3
        for value in [
            "",
            "+1",
            "-1",
            "1 1",
            "0x1",
            "1,",
            "1, 1",
            "1.0",
            "1_0",
            "a",
            "\u{663}",
            "\"1\"",
            "99999999999999999999",
            "18446744073709551616",
        ] {
            let lines = format!("Content-Length: {value}\r\n");
            assert_eq!(body_of(&lines), Err(Fault::BadRequest), "{value:?}");
        }
        assert_eq!(body_of("content-length:\t0012 \r\n"), Ok(BodyKind::Length(12)));
        let max = "Content-Length: 18446744073709551615\r\n";
        assert_eq!(body_of(max), Ok(BodyKind::Length(u64::MAX)));
        assert_eq!(body_of(""), Ok(BodyKind::None));
    }

    #[test]
    fn repeated_lengths_are_equal() {
        // RFC 9112, 6.3
        let two = |a, b| body_of(&format!("Content-Length: {a}\r\nContent-Length: {b}\r\n"));
        assert_eq!(two(5, 5), Ok(BodyKind::Length(5)));
        assert_eq!(two(5, 6), Err(Fault::BadRequest));
        assert_eq!(two(0, 5), Err(Fault::BadRequest));
    }

    #[test]
    fn chunked_is_the_only_coding() {
        // RFC 9112, 6.1 and 6.3
        for value in [
            "",
            "identity",
            "gzip",
            "xchunked",
            "chunked, gzip",
            "chunked, chunked",
            "chunked,",
            ", chunked",
            "\"chunked\"",
            "chunked;a=b",
            "gzip, chunked, gzip",
            "chunked\u{a0}",
        ] {
            let lines = format!("Transfer-Encoding: {value}\r\n");
            assert_eq!(body_of(&lines), Err(Fault::BadRequest), "{value:?}");
        }
        assert_eq!(body_of("Transfer-Encoding: Chunked \r\n"), Ok(BodyKind::Chunked));
        let gzip = "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n";
        assert_eq!(body_of(gzip), Err(Fault::CodingUnknown));
        assert_eq!(body_of("Transfer-Encoding: gzip, chunked\r\n"), Err(Fault::CodingUnknown));
        let twice = "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n";
        assert_eq!(body_of(twice), Err(Fault::BadRequest));
    }

    #[test]
    fn a_body_is_framed_in_one_way() {
        // RFC 9112, 6.1: both fields at once are how requests are smuggled
        let (length, coding) = ("Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n");
        assert_eq!(body_of(&format!("{length}{coding}")), Err(Fault::BadRequest));
        assert_eq!(body_of(&format!("{coding}{length}")), Err(Fault::BadRequest));
        assert_eq!(fault_of(format!("POST / HTTP/1.0\r\n{coding}\r\n")), BAD);
        assert_eq!(fault_of(format!("POST / HTTP/1.0\r\n{length}\r\n")), None);
    }

    #[test]
    fn persistence_depends_on_version_and_connection() {
        // RFC 9112, 9.3
        for (version, lines, wanted) in [
            ("1.1", "", Persistence::Implied),
            ("1.1", "Connection: keep-alive\r\n", Persistence::Implied),
            ("1.1", "Connection: closed\r\n", Persistence::Implied),
            ("1.1", "Connection: a, CLOSE\r\n", Persistence::Close),
            ("1.1", "Connection: a\r\nConnection: close\r\n", Persistence::Close),
            ("1.0", "", Persistence::Close),
            ("1.0", "Connection: Keep-Alive\r\n", Persistence::KeepAlive),
            ("1.0", "Connection: keep-alive, close\r\n", Persistence::Close),
        ] {
            let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
            let head = Head::parse(text.as_bytes()).expect("valid");
            assert_eq!(head.persistence(), wanted, "{version} {lines}");
        }
    }

    #[test]
    fn an_upgrade_is_listed_by_connection() {
        // RFC 9110, 7.8
        let upgrade = |version, lines| {
            let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
            Head::parse(text.as_bytes()).expect("valid").upgrade_to().map(String::from)
        };
        let asked = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n";
        assert_eq!(upgrade("1.1", asked).as_deref(), Some("websocket"));
        assert_eq!(upgrade("1.0", asked), None);
        assert_eq!(upgrade("1.1", "Upgrade: websocket\r\n"), None);
        assert_eq!(upgrade("1.1", "Connection: upgrade\r\n"), None);
        assert_eq!(upgrade("1.1", "Connection: upgrades\r\nUpgrade: websocket\r\n"), None);
    }

    #[test]
    fn a_client_waits_only_before_a_body() {
        // RFC 9110, 10.1.1
        let expects = |version, lines| {
            let text = format!("POST / HTTP/{version}\r\nHost: a\r\n{lines}\r\n");
            Head::parse(text.as_bytes()).expect("valid").expects_continue()
        };
        let asked = "Expect: 100-Continue\r\nContent-Length: 1\r\n";
        assert!(expects("1.1", asked));
        assert!(expects("1.1", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n"));
        assert!(!expects("1.0", asked));
        assert!(!expects("1.1", "Expect: 100-continue\r\n"));
        assert!(!expects("1.1", "Expect: 100-continue\r\nContent-Length: 0\r\n"));
        assert!(!expects("1.1", "Expect: tea\r\nContent-Length: 1\r\n"));
    }

    #[test]
    fn the_number_of_fields_is_limited() {
        assert_eq!(body_of(&"A: b\r\n".repeat(HEADERS_MAX - 1)), Ok(BodyKind::None));
        assert_eq!(body_of(&"A: b\r\n".repeat(HEADERS_MAX)), Err(Fault::HeadTooLarge));
    }

    #[test]
    fn what_is_seen_in_a_checked_head_is_what_httparse_saw() {
        fn same(parts: Vec<u8>) -> bool {
            const PARTS: [&str; 14] = [
                "A", "bc", ":", ": ", " ", "\t", "\r\n", "A: b\r\n", ",", "x:y", "\r", "=", "-",
                "\u{e4}",
            ];
            let lines: String = parts.iter().map(|&part| PARTS[usize::from(part) % 14]).collect();
            let text = with_lines(&format!("{lines}\r\n"));
            let Ok(head) = Head::parse(text.as_bytes()) else { return true };
            let mut slots = [httparse::EMPTY_HEADER; HEADERS_MAX];
            let mut request = httparse::Request::new(&mut slots);
            assert!(request.parse(text.as_bytes()).is_ok_and(|status| status.is_complete()));
            assert_eq!(request.method, Some(head.method.as_str()));
            assert_eq!(request.path, Some(head.target));
            assert_eq!(request.version, Some(head.version_minor));
            request.headers.iter().map(|h| (h.name, h.value)).eq(head.headers())
        }
        let rng = Gen::from_size_and_seed(12, 1);
        QuickCheck::new().rng(rng).tests(20_000).quickcheck(same as fn(Vec<u8>) -> bool);
    }
}
