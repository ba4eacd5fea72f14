//! JSON text (RFC 8259) checked and not built: one pass over it says whether it is JSON, where the
//! members of a list stand, and whether its placeholders name attachments that exist.

use alloc::string::String;
use core::iter;

use smallvec::SmallVec;

use crate::payload::Places;

/// What one pass over a JSON text found.
pub(crate) struct Outline {
    pub(crate) kind: Kind,
    /// Where the value stands, without the white space around it.
    pub(crate) place: (u32, u32),
    /// Where the members of an array stand; empty for everything else. A peer makes it grow, by 8
    /// bytes a member, which are 4 a byte of its text (and the slack of a doubling) at the worst.
    pub(crate) members: Places,
    /// Whether each object marked `"_placeholder":true` has a `num` below the attachments' number.
    pub(crate) placeholders_fit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Array,
    Object,
    String,
    Number,
    Literal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It is no JSON, or too long for 32-bit places.
    Syntax,
    /// It is nested too deeply.
    Depth,
}

/// Checks a text that is to be one JSON value, with arrays and objects at most `depth_max` deep.
///
/// The grammar is that of `JSON.parse`: escaped lone surrogates are in it, and numbers of any size.
/// Placeholders are looked at only if there are attachments; a `num` is digits and no more, as
/// every encoder writes it, and of members named alike the last one counts.
pub(crate) fn outline(text: &str, depth_max: u32, attachments: u32) -> Result<Outline, Flaw> {
    if u32::try_from(text.len()).is_err() {
        return Err(Flaw::Syntax);
    }
    let mut scanner = Scanner {
        bytes: text.as_bytes(),
        at: 0,
        depth_max,
        attachments,
        levels: SmallVec::new(),
        member_start: 0,
        members: Places::new(),
        placeholders_fit: true,
    };
    scanner.skip_blanks();
    let start = scanner.at;
    let kind = match scanner.peek() {
        Some(b'[') => Kind::Array,
        Some(b'{') => Kind::Object,
        Some(b'"') => Kind::String,
        Some(b'-' | b'0'..=b'9') => Kind::Number,
        _ => Kind::Literal,
    };
    scanner.value_whole()?;
    let place = place(start, scanner.at);
    scanner.skip_blanks();
    if scanner.peek().is_some() {
        return Err(Flaw::Syntax);
    }
    let Scanner { members, placeholders_fit, .. } = scanner;
    Ok(Outline { kind, place, members, placeholders_fit })
}

/// What a checked string's text between the quotes stands for. A lone surrogate, which no `char`
/// can be, becomes U+FFFD, as JavaScript's `toWellFormed` has it.
pub(crate) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(unescaped(raw).map(char::len_utf8).sum());
    text.extend(unescaped(raw));
    text
}

/// How many bytes at the front a JSON string can hold as they are: up to a quote, a backslash or a
/// control character.
pub(crate) fn plain_len(bytes: &[u8]) -> usize {
    const LOW: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let mut at = 0;
    // Eight bytes at a time: in each difference the first byte to borrow is one that was looked
    // for; those above it may be wrong, and are not read.
    while let Some(chunk) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (LOW * u64::from(b'"'));
        let backslash = word ^ (LOW * u64::from(b'\\'));
        let control = word.wrapping_sub(LOW * 0x20) & !word;
        let found = (quote.wrapping_sub(LOW) & !quote)
            | (backslash.wrapping_sub(LOW) & !backslash)
            | control;
        if found & HIGH != 0 {
            return at + (found & HIGH).trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let tail = &bytes[at..];
    at + tail.iter().position(|b| matches!(b, b'"' | b'\\' | 0..0x20)).unwrap_or(tail.len())
}

struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
    depth_max: u32,
    attachments: u32,
    /// What is open, outermost first; at most `depth_max`.
    levels: SmallVec<[Level; 32]>,
    /// Where the current member of the outermost array begins.
    member_start: usize,
    members: Places,
    placeholders_fit: bool,
}

#[derive(Clone, Copy)]
enum Level {
    Array,
    Object { marked: bool, number_fits: bool },
}

impl Scanner<'_> {
    /// One value with all that is in it; no recursion.
    fn value_whole(&mut self) -> Result<(), Flaw> {
        loop {
            if self.levels.len() == 1 {
                self.member_start = self.at;
            }
            let opened = self.value()?;
            if !opened && !self.ends()? {
                return Ok(());
            }
        }
    }

    /// A whole value, or the front of an array or object up to its first value: then true.
    fn value(&mut self) -> Result<bool, Flaw> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| false),
            Some(b'-' | b'0'..=b'9') => self.number().map(|()| false),
            Some(b'[') => self.open(Level::Array, b']'),
            Some(b'{') => {
                let level = Level::Object { marked: false, number_fits: false };
                Ok(self.open(level, b'}')? && self.name().map(|()| true)?)
            }
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(b'n') => self.literal(b"null"),
            _ => Err(Flaw::Syntax),
        }
    }

    /// Behind a value: closes what ends here. Whether another value follows.
    fn ends(&mut self) -> Result<bool, Flaw> {
        loop {
            if let [Level::Array] = self.levels[..] {
                self.members.push(place(self.member_start, self.at));
            }
            let Some(&level) = self.levels.last() else { return Ok(false) };
            self.skip_blanks();
            match (level, self.next()) {
                (Level::Array, Some(b',')) => {
                    self.skip_blanks();
                    return Ok(true);
                }
                (Level::Object { .. }, Some(b',')) => {
                    self.skip_blanks();
                    return self.name().map(|()| true);
                }
                (Level::Array, Some(b']')) => {}
                (Level::Object { marked, number_fits }, Some(b'}')) => {
                    self.placeholders_fit &= number_fits || !marked;
                }
                _ => return Err(Flaw::Syntax),
            }
            self.levels.pop();
        }
    }

    /// Opens an array or object, and whether there is something in it.
    fn open(&mut self, level: Level, end: u8) -> Result<bool, Flaw> {
        if self.levels.len() >= self.depth_max as usize {
            return Err(Flaw::Depth);
        }
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(false);
        }
        self.levels.push(level);
        Ok(true)
    }

    /// A member's name and the colon.
    fn name(&mut self) -> Result<(), Flaw> {
        if self.peek() != Some(b'"') {
            return Err(Flaw::Syntax);
        }
        let start = self.at + 1;
        let escaped = self.string()?;
        let end = self.at - 1;
        self.skip_blanks();
        if self.next() != Some(b':') {
            return Err(Flaw::Syntax);
        }
        self.skip_blanks();
        if self.attachments > 0 {
            self.note_placeholder(start, end, escaped);
        }
        Ok(())
    }

    /// Notes what a placeholder's members say; whether the value here is JSON at all is seen next.
    fn note_placeholder(&mut self, start: usize, end: usize, escaped: bool) {
        let name = &self.bytes[start..end];
        let is = |expected: &str| match escaped {
            false => name == expected.as_bytes(),
            true => {
                core::str::from_utf8(name).is_ok_and(|name| unescaped(name).eq(expected.chars()))
            }
        };
        let value = &self.bytes[self.at..];
        let Some(Level::Object { marked, number_fits }) = self.levels.last_mut() else { return };
        if is("_placeholder") {
            *marked = value.starts_with(b"true");
        } else if is("num") {
            *number_fits = starts_with_index_below(value, self.attachments);
        }
    }

    /// A string with its quotes, the first of which was seen. Whether there are escapes in it.
    fn string(&mut self) -> Result<bool, Flaw> {
        self.at += 1;
        let mut escaped = false;
        loop {
            self.at += plain_len(&self.bytes[self.at..]);
            match self.next() {
                Some(b'"') => return Ok(escaped),
                Some(b'\\') => self.escape()?,
                _ => return Err(Flaw::Syntax),
            }
            escaped = true;
        }
    }

    fn escape(&mut self) -> Result<(), Flaw> {
        match self.next() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(()),
            Some(b'u') => {
                let digits = self.bytes[self.at..].first_chunk::<4>().ok_or(Flaw::Syntax)?;
                self.at += 4;
                digits.iter().all(u8::is_ascii_hexdigit).then_some(()).ok_or(Flaw::Syntax)
            }
            _ => Err(Flaw::Syntax),
        }
    }

    fn number(&mut self) -> Result<(), Flaw> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Flaw> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        if self.at == start { Err(Flaw::Syntax) } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<bool, Flaw> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(Flaw::Syntax);
        }
        self.at += word.len();
        Ok(false)
    }

    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }
}

/// Both fit: `outline` refuses longer texts.
fn place(start: usize, end: usize) -> (u32, u32) {
    (start as u32, end as u32)
}

/// Whether a number stands here that is written in digits alone and is below the bound.
fn starts_with_index_below(value: &[u8], bound: u32) -> bool {
    let len = value.iter().take_while(|b| b.is_ascii_digit()).count();
    let index = value[..len].iter().fold(0_u64, |index, digit| {
        index.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    });
    len > 0 && index < u64::from(bound) && !matches!(value.get(len), Some(b'.' | b'e' | b'E'))
}

/// The characters that a checked string's text between the quotes stands for.
fn unescaped(raw: &str) -> impl Iterator<Item = char> {
    let mut rest = raw;
    iter::from_fn(move || {
        let (char, len) = match rest.strip_prefix('\\') {
            None => {
                let char = rest.chars().next()?;
                (char, char.len_utf8())
            }
            Some(escape) if escape.starts_with('u') => unicode_escape(rest),
            Some(escape) => (simple_escape(escape.bytes().next()?), 2),
        };
        rest = &rest[len..];
        Some(char)
    })
}

fn simple_escape(letter: u8) -> char {
    match letter {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        other => char::from(other),
    }
}

/// The character of the `\uXXXX` at the front, or of a pair of them, and how long that is.
fn unicode_escape(text: &str) -> (char, usize) {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok()
    };
    let units = [unit(0), unit(6)];
    let mut decoded = char::decode_utf16(units.into_iter().map_while(|unit| unit));
    match decoded.next() {
        Some(Ok(char)) => (char, 6 * char.len_utf16()),
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use alloc::vec::Vec;

    use quickcheck::{Arbitrary, Gen, QuickCheck};
    use serde::de::IgnoredAny;
    use serde_json::value::RawValue;

    use super::*;

    /// JSON more or less: mostly valid before `mutate`, seldom after it.
    fn text(g: &mut Gen, depth: u32) -> String {
        let blank = |g: &mut Gen| *g.choose(&["", "", "", " ", "\n", "\t\r "]).unwrap();
        let scalars = [
            "0",
            "-0",
            "1",
            "-12",
            "1.5",
            "1e9",
            "2E-7",
            "3e+1",
            "1e999",
            "0.0",
            "true",
            "false",
            "null",
            "\"\"",
            "\"a\"",
            "\"é😀\"",
            r#""\"\\\/\b\f\n\r\t""#,
            r#""\ud800""#,
            r#""\uD83d\uDe00""#,
            r#""a longer text, over several words""#,
            "\"\u{7f}\"",
            r#""12345678\"""#,
            r#""1234567é\u00e9""#,
        ];
        let before = blank(g);
        let value = match u8::arbitrary(g) % if depth == 0 { 2 } else { 5 } {
            0 | 1 => (*g.choose(&scalars).unwrap()).into(),
            shape => {
                let count = usize::arbitrary(g) % 5;
                let members: Vec<String> = (0..count)
                    .map(|_| match shape {
                        2 => text(g, depth - 1),
                        _ => {
                            let names =
                                [r#""a""#, r#""num""#, r#""\u006eum""#, r#""_placeholder""#];
                            let name = *g.choose(&names).unwrap();
                            let (before, after) = (blank(g), blank(g));
                            [before, name, after, ":", &text(g, depth - 1)].concat()
                        }
                    })
                    .collect();
                let inner = if count == 0 { blank(g).into() } else { members.join(",") };
                if shape == 2 { ["[", &inner, "]"].concat() } else { ["{", &inner, "}"].concat() }
            }
        };
        [before, &value, blank(g)].concat()
    }

    pub(crate) fn mutate(g: &mut Gen, text: &str) -> String {
        let strange: Vec<char> =
            "[]{},:\"\\/-+.eEu0129tfnrb \t\n\u{0}\u{1f}\u{b}\u{7f}\u{a0}\u{feff}é😀"
                .chars()
                .collect();
        let mut chars: Vec<char> = text.chars().collect();
        for _ in 0..usize::arbitrary(g) % 4 {
            let at = usize::arbitrary(g) % (chars.len() + 1);
            let char = *g.choose(&strange).unwrap();
            match u8::arbitrary(g) % 4 {
                0 => chars.insert(at, char),
                1 if at < chars.len() => chars[at] = char,
                2 if at < chars.len() => drop(chars.remove(at)),
                3 => chars.truncate(at),
                _ => {}
            }
        }
        chars.into_iter().collect()
    }

    #[derive(Clone, Debug)]
    struct Text(String);

    impl Arbitrary for Text {
        fn arbitrary(g: &mut Gen) -> Self {
            let text = text(g, 4);
            Self(if bool::arbitrary(g) { text } else { mutate(g, &text) })
        }
    }

    fn agrees(text: &str) -> bool {
        let own = outline(text, u32::MAX, 0);
        let theirs = serde_json::from_str::<IgnoredAny>(text);
        let members = serde_json::from_str::<Vec<&RawValue>>(text);
        let Ok(own) = own else { return theirs.is_err() };
        let places: Vec<&str> =
            own.members.iter().map(|&(start, end)| &text[start as usize..end as usize]).collect();
        let whole = &text[own.place.0 as usize..own.place.1 as usize];
        theirs.is_ok()
            && whole == text.trim_matches([' ', '\t', '\n', '\r'])
            && match members {
                Err(_) => own.kind != Kind::Array && places.is_empty(),
                Ok(members) => {
                    let members: Vec<&str> = members.iter().map(|member| member.get()).collect();
                    own.kind == Kind::Array && places == members
                }
            }
    }

    /// They agree on everything but depth: `serde_json` has no bound for what it skips.
    #[test]
    fn agrees_with_serde_json() {
        QuickCheck::new()
            .rng(Gen::from_size_and_seed(60, 1))
            .tests(30_000)
            .quickcheck((|text: Text| agrees(&text.0)) as fn(Text) -> bool);
        for text in [
            "",
            " ",
            "01",
            "-",
            "-a",
            "1.",
            ".5",
            "1e",
            "1e+",
            "+1",
            "00",
            "-01",
            "1 2",
            "tru",
            "nulll",
            "[",
            "[1,]",
            "[,1]",
            "[1 2]",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{1:2}",
            "{a:1}",
            "[}",
            "{]",
            "\"",
            "\"\\",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\x\"",
            "\"\t\"",
            "\"\u{1f}\"",
            "\"\u{7f}\"",
            "'a'",
            "NaN",
            "Infinity",
            "\u{feff}1",
            "\u{a0}1",
            "// a\n1",
            "\"\\ud800\"",
            "\"\\udc00\\ud800\"",
            "1\u{b}",
            "[[],{},[[1],2],\"\"]",
            "-0.0e-0",
            "\"\\u+123\"",
            "]",
            ",",
            "[]]",
            "[1],",
            "{\"a\":1}}",
            "\"a\"\"b\"",
        ] {
            assert!(agrees(text), "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
        assert!(outline(&nested(3), 3, 0).is_ok());
        assert_eq!(outline(&nested(4), 3, 0).err(), Some(Flaw::Depth));
        assert_eq!(outline(r#"[{"a":{"b":[]}}]"#, 3, 0).err(), Some(Flaw::Depth));
        assert!(outline(r#"[[],[[]],{"a":[]}]"#, 3, 0).is_ok(), "siblings do not add up");
        assert!(outline("1", 0, 0).is_ok());
        assert_eq!(outline(&"[".repeat(1_000_000), 128, 0).err(), Some(Flaw::Depth));
        assert!(outline(&nested(100_000), u32::MAX, 0).is_ok(), "no recursion");
    }

    #[test]
    fn placeholders() {
        let fit = |text: &str| outline(text, 128, 2).unwrap().placeholders_fit;
        for good in [
            r#"[{"_placeholder":true,"num":0},{"num":1,"_placeholder":true}]"#,
            r#"{ "_placeholder" : true , "num" : 1 }"#,
            r#"{"_placeholder":true,"num":1,"more":[]}"#,
            r#"{"_placeholder":true,"num":9,"num":1}"#,
            r#"{"_placeholder":true,"_placeholder":false}"#,
            r#"{"_placeholder":false,"num":9}"#,
            r#"{"_placeholder":"true"}"#,
            r#"{"_placeholder":1,"num":9}"#,
            r#"{"num":9}"#,
            r#"["_placeholder",true]"#,
            r#"{"_placeholderx":true}"#,
            r#"{"\u005fplaceholder":true,"n\u0075m":1}"#,
        ] {
            assert!(fit(good), "{good}");
        }
        for bad in [
            r#"{"_placeholder":true}"#,
            r#"{"_placeholder":true,"num":2}"#,
            r#"{"_placeholder":true,"num":-1}"#,
            r#"{"_placeholder":true,"num":-0}"#,
            r#"{"_placeholder":true,"num":0.5}"#,
            r#"{"_placeholder":true,"num":1.0}"#,
            r#"{"_placeholder":true,"num":1e0}"#,
            r#"{"_placeholder":true,"num":"0"}"#,
            r#"{"_placeholder":true,"num":null}"#,
            r#"{"_placeholder":true,"num":18446744073709551616}"#,
            r#"{"_placeholder":true,"num":1,"num":9}"#,
            r#"{"num":0,"x":{"_placeholder":true}}"#,
            r#"[{"_placeholder":true,"num":7},{"_placeholder":true,"num":0}]"#,
            r#"{"a":[[{"b":{"_placeholder":true,"num":2}}]]}"#,
            r#"{"\u005fplaceholder":true}"#,
        ] {
            assert!(!fit(bad), "{bad}");
            assert!(outline(bad, 128, 0).unwrap().placeholders_fit, "text only: {bad}");
        }
    }

    #[test]
    fn plain_len_finds_the_first() {
        for end in [b'"', b'\\', 0, 0x1f, b'\n'] {
            for at in 0..40 {
                for after in [b'a', b'"', b'!', b']', 0x1f, 0x20, 0xff] {
                    let mut bytes = [after; 40];
                    for (i, byte) in bytes[..at].iter_mut().enumerate() {
                        *byte =
                            [b'a', b'!', b'#', b'[', b']', 0x20, 0x7f, 0x80, 0xa2, 0xff][i % 10];
                    }
                    bytes[at] = end;
                    assert_eq!(plain_len(&bytes), at, "{bytes:?}");
                }
            }
        }
        assert_eq!(plain_len(b""), 0);
        assert_eq!(plain_len("déjà vu, twice over".as_bytes()), 21);
    }

    #[test]
    fn unescapes_as_serde_json_does() {
        fn property(text: String) -> bool {
            let json = serde_json::to_string(&text).unwrap();
            let ascii: String =
                text.encode_utf16().map(|unit| alloc::format!("\\u{unit:04x}")).collect();
            unescape(&json[1..json.len() - 1]) == text && unescape(&ascii) == text
        }
        QuickCheck::new()
            .rng(Gen::from_size_and_seed(50, 2))
            .tests(2_000)
            .quickcheck(property as fn(String) -> bool);
        for (raw, text) in [
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\ud83d", "\u{fffd}"),
            (r"\ud83dx", "\u{fffd}x"),
            (r"\ude00\ud83d", "\u{fffd}\u{fffd}"),
            (r"\ud83d\ud83d\ude00", "\u{fffd}😀"),
            (r"\ud83d\u0041", "\u{fffd}A"),
            (r"\ud83d\n", "\u{fffd}\n"),
            (r"a\u00e9é", "aéé"),
        ] {
            assert_eq!(unescape(raw), text, "{raw}");
            assert_eq!(unescape(raw).capacity(), text.len(), "one allocation that fits");
        }
    }
}
