//! Cross-origin headers, as the `cors` package for Node.js writes them.

use alloc::boxed::Box;

use crate::config::{Cors, Origins};
use crate::connection::ResponseHead;
use crate::http;

impl Cors {
    /// The part of a request that its answer will need.
    pub(super) fn remember(&self, head: &http::Head<'_>) -> Option<Box<[u8]>> {
        match &self.origins {
            Origins::Any | Origins::One(_) => None,
            Origins::Reflect => Some(head.header("origin")?.into()),
            Origins::List(list) => {
                let origin = head.header("origin")?;
                list.iter().any(|star| fits(star.as_bytes(), origin)).then(|| origin.into())
            }
        }
    }

    /// On every answer but a preflight's.
    pub(super) fn write<'t>(
        &self,
        head: ResponseHead<'t>,
        origin: Option<&[u8]>,
    ) -> ResponseHead<'t> {
        let head = self.write_origin(head, origin);
        let head = match self.origins {
            Origins::Any => head,
            _ => head.header("Vary", "Origin"),
        };
        let head = self.write_credentials(head);
        match &self.exposed_headers {
            Some(exposed) => head.header("Access-Control-Expose-Headers", exposed),
            None => head,
        }
    }

    /// On the answer to a preflight that asks for the headers `asked`.
    pub(super) fn write_preflight<'t>(
        &self,
        head: ResponseHead<'t>,
        origin: Option<&[u8]>,
        asked: Option<&[u8]>,
    ) -> ResponseHead<'t> {
        let head = self.write_origin(head, origin);
        let head = match (&self.origins, &self.allowed_headers) {
            (Origins::Any, Some(_)) => head,
            (Origins::Any, None) => head.header("Vary", "Access-Control-Request-Headers"),
            (_, Some(_)) => head.header("Vary", "Origin"),
            (_, None) => head.header("Vary", "Origin, Access-Control-Request-Headers"),
        };
        let head = self.write_credentials(head);
        let head = head.header("Access-Control-Allow-Methods", &self.methods);
        let head = match (&self.allowed_headers, asked) {
            (Some(allowed), _) => head.header("Access-Control-Allow-Headers", allowed),
            (None, Some(asked)) => head.header("Access-Control-Allow-Headers", asked),
            (None, None) => head,
        };
        let head = match self.max_age {
            Some(age) => head.header_number("Access-Control-Max-Age", age.as_secs()),
            None => head,
        };
        match &self.exposed_headers {
            Some(exposed) => head.header("Access-Control-Expose-Headers", exposed),
            None => head,
        }
    }

    fn write_origin<'t>(&self, head: ResponseHead<'t>, origin: Option<&[u8]>) -> ResponseHead<'t> {
        const NAME: &str = "Access-Control-Allow-Origin";
        match (&self.origins, origin) {
            (Origins::Any, _) => head.header(NAME, "*"),
            (Origins::One(origin), _) => head.header(NAME, origin),
            (Origins::List(_) | Origins::Reflect, Some(origin)) => head.header(NAME, origin),
            (Origins::List(_) | Origins::Reflect, None) => head,
        }
    }

    fn write_credentials<'t>(&self, head: ResponseHead<'t>) -> ResponseHead<'t> {
        match self.credentials {
            true => head.header("Access-Control-Allow-Credentials", "true"),
            false => head,
        }
    }
}

/// Whether `text` fits the pattern, in which each `*` stands for any text. Linear in practice and
/// at most the product of the two lengths.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, seen));
            at += 1;
        } else if pattern.get(at) == Some(&text[seen]) {
            (at, seen) = (at + 1, seen + 1);
        } else if let Some((behind, tried)) = star {
            (at, seen) = (behind + 1, tried + 1);
            star = Some((behind, tried + 1));
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, fit) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "https://a.example.evil", false),
            ("https://*.example", "https://a.b.example", true),
            ("https://*.example", "https://example", false),
            ("http://localhost:*", "http://localhost:3000", true),
            ("*", "anything", true),
            ("*a*b*", "xxaxbxab", true),
            ("*a*b", "xxaxbxa", false),
            ("", "x", false),
        ] {
            assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), fit, "{pattern} {text}");
        }
    }
}
