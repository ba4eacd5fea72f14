//! The heads of answers, written straight to where they are sent from.

use alloc::vec::Vec;

use super::head::{Persistence, is_token_byte};

/// Where the bytes of an answer go.
pub(crate) trait Sink {
    /// Appends `bytes`.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// The head of an answer under way: a status line, then fields, then [`end`](Self::end).
///
/// There is no `Date`: the core has no clock to tell it by (RFC 9110, 6.6.1).
#[must_use = "a head ends with `end`"]
pub(crate) struct ResponseHead<'s, S> {
    sink: &'s mut S,
    status: u16,
}

impl<'s, S: Sink> ResponseHead<'s, S> {
    /// Writes the status line. `status` has three digits (RFC 9110, 15). The version is the
    /// server's own, also in an answer to HTTP/1.0 (RFC 9110, 6.2).
    pub(crate) fn begin(sink: &'s mut S, status: u16) -> Self {
        debug_assert!((100..1000).contains(&status), "status {status}");
        sink.put(b"HTTP/1.1 ");
        sink.put(itoa::Buffer::new().format(status).as_bytes());
        sink.put(b" ");
        sink.put(reason(status).as_bytes());
        sink.put(b"\r\n");
        Self { sink, status }
    }

    /// Writes a field. Whoever takes names and values from elsewhere checks them first, by
    /// [`is_name_valid`] and [`is_value_valid`].
    pub(crate) fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        debug_assert!(is_name_valid(name.as_bytes()), "header name {name:?}");
        debug_assert!(is_value_valid(value), "header value {value:?}");
        self.sink.put(name.as_bytes());
        self.sink.put(b": ");
        self.sink.put(value);
        self.sink.put(b"\r\n");
        self
    }

    /// Writes a field whose value is a number.
    pub(crate) fn header_number(self, name: &str, value: u64) -> Self {
        self.header(name, itoa::Buffer::new().format(value))
    }

    /// Writes how long the body is, except for a status that has neither a body nor this field
    /// (RFC 9110, 8.6).
    pub(crate) fn content_length(self, length: u64) -> Self {
        match self.status {
            100..=199 | 204 => self,
            _ => self.header_number("Content-Length", length),
        }
    }

    /// Writes what becomes of the connection, where it does not go without saying (RFC 9112, 9.3).
    pub(crate) fn persistence(self, persistence: Persistence) -> Self {
        match persistence {
            Persistence::Implied => self,
            Persistence::KeepAlive => self.header("Connection", "keep-alive"),
            Persistence::Close => self.header("Connection", "close"),
        }
    }

    /// Writes the line that ends the head.
    pub(crate) fn end(self) {
        self.sink.put(b"\r\n");
    }
}

/// Whether `name` can be the name of a field (RFC 9110, 5.1).
pub(crate) fn is_name_valid(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&byte| is_token_byte(byte))
}

/// Whether `value` can be the value of a field (RFC 9110, 5.5): no line end, NUL or other control
/// byte, and no space around it.
pub(crate) fn is_value_valid(value: &[u8]) -> bool {
    value.trim_ascii() == value
        && value.iter().all(|&byte| byte == b'\t' || !byte.is_ascii_control())
}

/// The phrase of a status (RFC 9110, 15). Empty for one without a name, as RFC 9112, 4 allows.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn written(build: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut sink = Vec::new();
        build(&mut sink);
        String::from_utf8(sink).expect("these heads are text")
    }

    #[test]
    fn a_head_is_written_in_order() {
        let head = written(|sink| {
            ResponseHead::begin(sink, 200)
                .header("Content-Type", "text/html")
                .content_length(u64::MAX)
                .persistence(Persistence::Implied)
                .end();
        });
        let wanted = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\
                      Content-Length: 18446744073709551615\r\n\r\n";
        assert_eq!(head, wanted);
    }

    #[test]
    fn a_status_without_a_name_keeps_the_space_before_its_reason() {
        // RFC 9112, 4: status-line = HTTP-version SP status-code SP [ reason-phrase ]
        assert_eq!(written(|s| ResponseHead::begin(s, 599).end()), "HTTP/1.1 599 \r\n\r\n");
    }

    #[test]
    fn persistence_is_said_where_it_is_not_implied() {
        let head = |p| written(|sink| ResponseHead::begin(sink, 404).persistence(p).end());
        assert_eq!(head(Persistence::Implied), "HTTP/1.1 404 Not Found\r\n\r\n");
        let close = "HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n";
        assert_eq!(head(Persistence::Close), close);
        let keep = "HTTP/1.1 404 Not Found\r\nConnection: keep-alive\r\n\r\n";
        assert_eq!(head(Persistence::KeepAlive), keep);
    }

    #[test]
    fn statuses_without_a_body_have_no_length() {
        // RFC 9110, 8.6
        for status in [100, 101, 204] {
            let head = written(|sink| ResponseHead::begin(sink, status).content_length(0).end());
            assert!(!head.contains("Content-Length"), "{head}");
        }
        let head = written(|sink| ResponseHead::begin(sink, 304).content_length(7).end());
        assert!(head.contains("Content-Length: 7\r\n"), "{head}");
    }

    #[test]
    fn names_and_values_that_would_split_an_answer_are_invalid() {
        // RFC 9110, 5.1 and 5.5
        for name in ["", "A B", "A:", "A\r\n", "A\0", "Ä", "(a)"] {
            assert!(!is_name_valid(name.as_bytes()), "{name:?}");
        }
        assert!(is_name_valid(b"X-Custom_1!"));
        for value in ["a\rb", "a\nb", "a\r\nSet-Cookie: b", "a\0", "a\x7f", " a", "a\t"] {
            assert!(!is_value_valid(value.as_bytes()), "{value:?}");
        }
        for value in ["", "a", "a \t b", "é"] {
            assert!(is_value_valid(value.as_bytes()), "{value:?}");
        }
    }
}
