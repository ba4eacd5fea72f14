//! What makes two failures the same one.

use crate::oracle::Property;

/// The property, and the reason without what differs from run to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    property: Property,
    reason: String,
}

/// The letters of an id of a session or a socket.
const ID_CHARS: usize = 20;

impl Signature {
    pub(crate) fn of(property: Property, what: &str) -> Self {
        Self { property, reason: normalized(what) }
    }
}

/// Numbers, ids and what is quoted or listed say who and how much, not what.
fn normalized(what: &str) -> String {
    let mut out = String::new();
    let mut rest = what;
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let length = match first {
            '"' => string(rest),
            '[' | '{' => list(rest),
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (part, after) = rest.split_at(length);
        rest = after;
        match first {
            '"' => out.push('"'),
            '[' | '{' => out.push(first),
            _ if part.len() == ID_CHARS => out.push('@'),
            _ => {
                let mut was_digit = false;
                for c in part.chars() {
                    if !c.is_ascii_digit() {
                        out.push(c);
                    } else if !was_digit {
                        out.push('#');
                    }
                    was_digit = c.is_ascii_digit();
                }
            }
        }
    }
    out
}

/// The length of what is quoted, quotes included.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (place, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return place + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of what is within brackets, which are included.
fn list(text: &str) -> usize {
    let mut depth = 0;
    let mut place = 0;
    while let Some(c) = text[place..].chars().next() {
        match c {
            '"' => {
                place += string(&text[place..]);
                continue;
            }
            '[' | '{' => depth += 1,
            ']' | '}' if depth == 1 => return place + 1,
            ']' | '}' => depth -= 1,
            _ => {}
        }
        place += c.len_utf8();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_run_to_run_does_not_count() {
        let same = |one: &str, two: &str| assert_eq!(normalized(one), normalized(two), "{one}");
        same("client 3 still wants /late", "client 12 still wants /late");
        same("AAAAAAAAAAAAAAAAAAAA got it", "kq-Zk_93aaaaaaaaaaaE got it");
        same(r#"a packet for "/a\"b", which"#, r#"a packet for "", which"#);
        same("Answer { a: [1, {2: \"}\"}] } now", "Answer { a: [] } now");
        same("bytes: [1, \"un", "bytes: [");
        same("t1 12", "t2 3");
        let differ = |one: &str, two: &str| assert_ne!(normalized(one), normalized(two), "{one}");
        differ("client 3 still wants /late", "client 3 still wants /word");
        differ("it was answered", "it was asked");
        assert_ne!(Signature::of(Property::A1, "x"), Signature::of(Property::A2, "x"));
    }
}
