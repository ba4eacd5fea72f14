//! HTTP/1.1, the server's side of it: bytes to requests, answers to bytes (RFC 9110, RFC 9112).
//!
//! A [`Reader`] is fed what a connection received and hands out heads and pieces of bodies that
//! borrow from it. It copies only a head that arrives in pieces, and owns nothing between requests.
//! Where two readings of a message are possible, it is refused: a server behind a proxy must never
//! see another request than the proxy saw.

mod body;
mod head;
mod reader;
mod response;
mod target;

pub use head::RequestHead;
pub(crate) use head::{Head, Method, Persistence};
pub(crate) use reader::{Read, Reader, ReaderLimits};
pub(crate) use response::{ResponseHead, is_name_valid, is_value_valid};
pub(crate) use target::{decode_path, query_pairs};

/// The most header fields that a request may have; one more is answered with 431.
pub(crate) const HEADERS_MAX: usize = 100;

/// Why a request is refused. Where the next one begins is then unknown, so the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is malformed, or could be read in more than one way.
    BadRequest,
    /// Its head is longer than the limit, or has too many fields.
    HeadTooLarge,
    /// Its body has a transfer coding besides `chunked`.
    CodingUnknown,
    /// It is written in a version of HTTP other than 1.0 and 1.1.
    VersionUnsupported,
}

impl Fault {
    /// The status that answers it.
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::HeadTooLarge => 431,
            Self::CodingUnknown => 501,
            Self::VersionUnsupported => 505,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_status() {
        for (fault, status) in [
            (Fault::BadRequest, 400),
            (Fault::HeadTooLarge, 431),
            (Fault::CodingUnknown, 501),
            (Fault::VersionUnsupported, 505),
        ] {
            assert_eq!(fault.status(), status);
        }
    }
}
