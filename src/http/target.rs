//! What a request asks for: the path and the query of its target.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// The value of `key` in a raw query: the last one, where there are several.
pub(crate) fn query_value<'q>(query: &'q str, key: &str) -> Option<Cow<'q, str>> {
    query_pairs(query).filter(|(name, _)| name == key).last().map(|(_, value)| value)
}

/// The keys and values of a raw query, decoded (also `+`, which is a space), in its order.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    form_urlencoded::parse(query.as_bytes())
}

/// A path with its percent escapes decoded (RFC 3986, 2.1). `None` for an escape that is not two
/// hexadecimal digits, and for a path that decodes to a NUL or is not UTF-8.
pub(crate) fn decode_path(path: &str) -> Option<Cow<'_, str>> {
    if !path.contains(['%', '\0']) {
        return Some(Cow::Borrowed(path));
    }
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            byte => byte,
        };
        if byte == 0 {
            return None;
        }
        decoded.push(byte);
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// The value of a hexadecimal digit.
pub(super) fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_wins() {
        let query = "transport=polling&EIO=4&transport=websocket";
        assert_eq!(query_value(query, "transport").as_deref(), Some("websocket"));
        assert_eq!(query_value(query, "EIO").as_deref(), Some("4"));
    }

    #[test]
    fn keys_are_exact_and_values_may_be_empty() {
        assert_eq!(query_value("eio=4", "EIO"), None);
        assert_eq!(query_value("", "sid"), None);
        assert_eq!(query_value("sid=&j", "sid").as_deref(), Some(""));
        assert_eq!(query_value("sid=&j", "j").as_deref(), Some(""));
    }

    #[test]
    fn queries_are_decoded_and_borrowed_where_they_can_be() {
        assert_eq!(query_value("a%20b=c+d%C3%A9", "a b").as_deref(), Some("c dé"));
        assert!(matches!(query_value("sid=abc", "sid"), Some(Cow::Borrowed("abc"))));
        let pairs: Vec<_> = query_pairs("a=1&&b").collect();
        assert_eq!(pairs, [("a".into(), "1".into()), ("b".into(), "".into())]);
    }

    #[test]
    fn paths_are_decoded_strictly() {
        assert!(matches!(decode_path("/socket.io/"), Some(Cow::Borrowed("/socket.io/"))));
        assert_eq!(decode_path("/%73ocket%2Eio/+").as_deref(), Some("/socket.io/+"));
        assert_eq!(decode_path("/%c3%A9").as_deref(), Some("/é"));
        for bad in ["/%", "/%4", "/%4g", "/%+1", "/%00", "/\0", "/%ff"] {
            assert_eq!(decode_path(bad), None, "{bad:?}");
        }
    }
}
