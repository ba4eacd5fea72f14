//! JSON, as much as a trace needs: values are read, and written with their fields in order.

use std::fmt::{self, Write as _};

/// A JSON value. Numbers are kept as their text.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "JSON's words")]
pub enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
}

impl Value {
    /// A whole text. Fails with the place that is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0 };
        let value = reader.value(0);
        reader.blank();
        match value {
            Some(value) if reader.at == text.len() => Ok(value),
            _ => Err(format!("it is no JSON at character {}", reader.at + 1)),
        }
    }

    /// A field of an object.
    pub fn field(&self, name: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// A text.
    pub fn text(&self) -> Option<&str> {
        let Self::Text(text) = self else { return None };
        Some(text)
    }

    /// A whole number that is not negative.
    pub fn number(&self) -> Option<u64> {
        let Self::Number(text) = self else { return None };
        text.parse().ok()
    }

    /// True or false.
    pub fn bool(&self) -> Option<bool> {
        let Self::Bool(value) = *self else { return None };
        Some(value)
    }

    /// The members of an array.
    pub fn list(&self) -> Option<&[Self]> {
        let Self::List(list) = self else { return None };
        Some(list)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number.to_string())
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl<V: Into<Self>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<V: Into<Self>> FromIterator<V> for Value {
    fn from_iter<I: IntoIterator<Item = V>>(all: I) -> Self {
        Self::List(all.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(text) => f.write_str(text),
            Self::Text(text) => write_text(f, text),
            Self::List(list) => {
                f.write_char('[')?;
                for (place, value) in list.iter().enumerate() {
                    f.write_str(if place > 0 { "," } else { "" })?;
                    value.fmt(f)?;
                }
                f.write_char(']')
            }
            Self::Object(fields) => {
                f.write_char('{')?;
                for (place, (name, value)) in fields.iter().enumerate() {
                    f.write_str(if place > 0 { "," } else { "" })?;
                    write_text(f, name)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn write_text(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(f, "\\{character}")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            '\0'..' ' | '\u{7f}' | '\u{2028}' | '\u{2029}' => {
                write!(f, "\\u{:04x}", u32::from(character))?;
            }
            _ => f.write_char(character)?,
        }
    }
    f.write_char('"')
}

/// Deeper than a trace ever is.
const DEPTH_MAX: u32 = 64;

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn blank(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.text[self.at..].starts_with(word);
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    fn value(&mut self, depth: u32) -> Option<Value> {
        self.blank();
        if depth > DEPTH_MAX {
            return None;
        }
        if self.takes("null") {
            Some(Value::Null)
        } else if self.takes("true") {
            Some(Value::Bool(true))
        } else if self.takes("false") {
            Some(Value::Bool(false))
        } else if self.takes("\"") {
            self.string().map(Value::Text)
        } else if self.takes("[") {
            self.list(depth)
        } else if self.takes("{") {
            self.object(depth)
        } else {
            self.number()
        }
    }

    fn list(&mut self, depth: u32) -> Option<Value> {
        let mut list = Vec::new();
        self.blank();
        if self.takes("]") {
            return Some(Value::List(list));
        }
        loop {
            list.push(self.value(depth + 1)?);
            self.blank();
            if self.takes("]") {
                return Some(Value::List(list));
            }
            self.takes(",").then_some(())?;
        }
    }

    fn object(&mut self, depth: u32) -> Option<Value> {
        let mut fields = Vec::new();
        self.blank();
        if self.takes("}") {
            return Some(Value::Object(fields));
        }
        loop {
            self.blank();
            self.takes("\"").then_some(())?;
            let name = self.string()?;
            self.blank();
            self.takes(":").then_some(())?;
            fields.push((name, self.value(depth + 1)?));
            self.blank();
            if self.takes("}") {
                return Some(Value::Object(fields));
            }
            self.takes(",").then_some(())?;
        }
    }

    fn number(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        let length = rest.bytes().take_while(|byte| is_part(byte)).count();
        let text = &rest[..length];
        text.parse::<f64>().ok().filter(|number| number.is_finite())?;
        self.at += length;
        Some(Value::Number(text.into()))
    }

    /// Behind its first quote.
    fn string(&mut self) -> Option<String> {
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let length = rest.find(['"', '\\'])?;
            if rest[..length].bytes().any(|byte| byte < 0x20) {
                return None;
            }
            out.push_str(&rest[..length]);
            self.at += length;
            if self.takes("\"") {
                return Some(out);
            }
            self.at += 1;
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Option<char> {
        let letter = self.text[self.at..].chars().next()?;
        self.at += letter.len_utf8();
        Some(match letter {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            '"' | '\\' | '/' => letter,
            'u' => {
                let high = self.hex()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high);
                }
                self.takes("\\u").then_some(())?;
                let low = self.hex()?.checked_sub(0xdc00).filter(|&low| low < 0x400)?;
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + low);
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = "{\"a\":[1,-2.5e3,true,false,null],\"\":{},\
                    \"b\":\"\\\"\\\\\\n\\u001e\u{1f600}\",\"c\":[]}";
        assert_eq!(Value::parse(text).unwrap().to_string(), text);
        let spaced = Value::parse(" { \"a\" : [ ] , \"b\" : \"\\ud83d\\ude00\\/\" } ").unwrap();
        assert_eq!(spaced.to_string(), "{\"a\":[],\"b\":\"\u{1f600}/\"}");
        assert_eq!(spaced.field("b").and_then(Value::text), Some("\u{1f600}/"));
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for bad in ["", "{", "[1,", "[1 2]", "{\"a\"}", "\"\\x\"", "\"\\ud800\"", "1 2", "nul", "-"]
        {
            assert!(Value::parse(bad).is_err(), "{bad}");
        }
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(Value::parse(&deep).is_err());
        assert_eq!(Value::parse("[1,x]"), Err("it is no JSON at character 4".into()));
    }
}
