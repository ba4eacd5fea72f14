//! JSON (RFC 8259), as much as a client needs: it is checked strictly and cut, never built.

/// Where the value that begins at `at` ends, whitespace around it included; `None` if it is none.
fn value(text: &[u8], at: usize, depth: usize) -> Option<usize> {
    let at = space(text, at);
    let end = match *text.get(at)? {
        b'{' | b'[' if depth == 0 => return None,
        b'{' => list(text, at, b'}', |at| {
            let at = space(text, at);
            let at = space(text, string(text, at)?);
            (text.get(at) == Some(&b':')).then_some(())?;
            value(text, at + 1, depth - 1)
        })?,
        b'[' => list(text, at, b']', |at| value(text, at, depth - 1))?,
        b'"' => string(text, at)?,
        b't' => word(text, at, b"true")?,
        b'f' => word(text, at, b"false")?,
        b'n' => word(text, at, b"null")?,
        _ => number(text, at)?,
    };
    Some(space(text, end))
}

fn list(
    text: &[u8],
    at: usize,
    close: u8,
    mut member: impl FnMut(usize) -> Option<usize>,
) -> Option<usize> {
    let mut at = space(text, at + 1);
    if text.get(at) == Some(&close) {
        return Some(at + 1);
    }
    loop {
        at = member(at)?;
        match *text.get(at)? {
            b',' => at += 1,
            byte => return (byte == close).then_some(at + 1),
        }
    }
}

fn space(text: &[u8], at: usize) -> usize {
    let blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    at + text.get(at..).unwrap_or_default().iter().take_while(blank).count()
}

fn word(text: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    text[at..].starts_with(word).then_some(at + word.len())
}

fn string(text: &[u8], at: usize) -> Option<usize> {
    (text.get(at) == Some(&b'"')).then_some(())?;
    let mut at = at + 1;
    loop {
        let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
        at += text.get(at..)?.iter().position(is_special)?;
        match text[at] {
            b'"' => return Some(at + 1),
            b'\\' => match *text.get(at + 1)? {
                b'u' => {
                    let digits = text.get(at + 2..at + 6)?;
                    digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                    at += 6;
                }
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                _ => return None,
            },
            _ => return None,
        }
    }
}

fn number(text: &[u8], at: usize) -> Option<usize> {
    let digits = |at: usize| {
        let count =
            text.get(at..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
        (count > 0).then_some(at + count)
    };
    let first = at + usize::from(text.get(at) == Some(&b'-'));
    let mut end = if text.get(first) == Some(&b'0') { first + 1 } else { digits(first)? };
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        end = digits(end + 1 + sign)?;
    }
    Some(end)
}

const DEPTH_MAX: usize = 64;

/// Whether a text is one value and nothing else.
pub(crate) fn is_json(text: &str) -> bool {
    value(text.as_bytes(), 0, DEPTH_MAX) == Some(text.len())
}

/// Whether a text is one array and nothing else.
pub(crate) fn is_array(text: &str) -> bool {
    text.starts_with('[') && is_json(text)
}

/// The members of an array.
pub(crate) fn members(text: &str) -> Option<Vec<&str>> {
    let bytes = text.as_bytes();
    (bytes.first() == Some(&b'[')).then_some(())?;
    let mut out = Vec::new();
    let end = list(bytes, 0, b']', |at| {
        let end = value(bytes, at, DEPTH_MAX - 1)?;
        out.push(text[at..end].trim());
        Some(end)
    })?;
    (space(bytes, end) == bytes.len()).then_some(out)
}

/// The first member of what is known to be an array, and what follows it, without the comma.
pub(crate) fn first(array: &str) -> Option<(&str, &str)> {
    let end = value(array.as_bytes(), 1, DEPTH_MAX - 1)?;
    Some((array[1..end].trim(), array[end..].strip_prefix(',').unwrap_or(&array[end..])))
}

/// The name of an event, and the list of its arguments, of what is known to be an array.
pub(crate) fn event(array: &str) -> Option<(&str, String)> {
    let (name, rest) = first(array)?;
    Some((plain(name)?, ["[", rest].concat()))
}

/// A field of an object that has no escapes in its names.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let bytes = text.as_bytes();
    (is_json(text) && bytes.first() == Some(&b'{')).then_some(())?;
    let mut at = space(bytes, 1);
    while bytes[at] != b'}' {
        let start = space(bytes, at);
        let end = string(bytes, start)?;
        let colon = space(bytes, end);
        let after = value(bytes, colon + 1, DEPTH_MAX)?;
        if &text[start + 1..end - 1] == name {
            return Some(text[colon + 1..after].trim());
        }
        at = after + usize::from(bytes[after] == b',');
    }
    None
}

/// What is between the quotes of a string without escapes.
pub(crate) fn plain(text: &str) -> Option<&str> {
    text.strip_prefix('"')?.strip_suffix('"').filter(|text| !text.contains('\\'))
}

/// A string as JSON text.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\0'..' ' => out.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json() {
        for good in ["1", "-0.5e+3", r#"" \u00e9\n""#, "[ ]", r#"{"a" : [1,{}],"b":null}"#, "true"]
        {
            assert!(is_json(good), "{good}");
        }
        for bad in
            ["", "01", "+1", "1.", "[1,]", "{a:1}", "\"\n\"", r#""\x""#, "[1] 2", "[1", "nul", "-"]
        {
            assert!(!is_json(bad), "{bad}");
        }
    }

    #[test]
    fn members_and_fields_are_cut_out() {
        assert_eq!(
            members(r#"["a", [1,2] ,{"b":"]"}]"#).unwrap(),
            [r#""a""#, "[1,2]", r#"{"b":"]"}"#]
        );
        assert_eq!(members("[]").unwrap(), [""; 0]);
        assert_eq!(members("{}"), None);
        assert_eq!(field(r#"{"x":{"sid":1},"sid" : "abc"}"#, "sid").and_then(plain), Some("abc"));
        assert_eq!(field("{}", "sid"), None);
        assert_eq!(quoted("a\"\\\n\u{e9}"), "\"a\\\"\\\\\\u000a\u{e9}\"");
    }
}
