//! HTTP/1.1, the client's side: requests are written, answers are read strictly.

use super::scan;

/// One answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A field of the head.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let is_it = |&(field, _): &(&str, &str)| field.eq_ignore_ascii_case(name);
        fields(&self.head).flatten().find(is_it).map(|(_, value)| value.trim())
    }
}

/// The header fields of a head, where each line is one.
fn fields(head: &str) -> impl Iterator<Item = Result<(&str, &str), &str>> {
    let mut rest = cut(head, b'\n').map(|(_, rest)| rest);
    std::iter::from_fn(move || {
        let here = rest?;
        let (line, after) =
            cut(here, b'\n').map_or((here, None), |(line, rest)| (line, Some(rest)));
        rest = after;
        let line = line.strip_suffix('\r').unwrap_or(line);
        let field = cut(line, b':').filter(|(_, value)| value.starts_with(' '));
        Some(field.filter(|(name, _)| is_token(name)).ok_or(line))
    })
}

/// A text before and behind the first of an ASCII character.
fn cut(text: &str, by: u8) -> Option<(&str, &str)> {
    let at = scan::find(text.as_bytes(), |byte| byte == by)?;
    Some((&text[..at], &text[at + 1..]))
}

/// Where the empty line begins that ends a head.
pub(crate) fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += scan::find(&bytes[at..], |byte| byte == b'\r')?;
        if bytes[at..].starts_with(b"\r\n\r\n") {
            return Some(at);
        }
        at += 1;
    }
}

/// How many bytes a head says that follow it; none if it says nothing.
pub(crate) fn body_bytes(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head);
    let length = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    length.unwrap_or(0)
}

/// Takes one whole answer from the front of what was received. Fails on anything that is not a
/// plain answer with its exact length.
pub(crate) fn answer(received: &mut Vec<u8>) -> Result<Option<Answer>, String> {
    let Some(end) = head_end(received) else {
        let is_begun =
            received.is_empty() || received.starts_with(&b"HTTP/1.1 "[..received.len().min(9)]);
        return if is_begun { Ok(None) } else { Err("what comes is no answer".into()) };
    };
    let head = String::from_utf8(received[..end].to_vec()).map_err(|_| "a head is not ASCII")?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| format!("no status line: {head:?}"))?;
    let mut said = None;
    for field in fields(&head) {
        let (name, value) = field.map_err(|line| format!("no header field: {line:?}"))?;
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err("an answer has a transfer coding".into());
        }
        if name.eq_ignore_ascii_case("content-length") {
            let is_first = said.replace(value.trim()).is_none();
            is_first.then_some(()).ok_or("an answer says its length twice")?;
        }
    }
    let length = match (status, said) {
        (101 | 204, _) => 0,
        (_, Some(text)) => text.parse().map_err(|_| format!("content-length is {text:?}"))?,
        (_, None) => return Err("an answer does not say its length".into()),
    };
    let start = end + 4;
    if received.len() < start + length {
        return Ok(None);
    }
    let body = received[start..start + length].to_vec();
    received.drain(..start + length);
    Ok(Some(Answer { status, head, body }))
}

fn is_token(name: &str) -> bool {
    let is_good = |byte| {
        matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'!' | b'#'..=b'\'' | b'*' | b'+')
            || matches!(byte, b'-' | b'.' | b'^'..=b'`' | b'|' | b'~')
    };
    !name.is_empty() && name.bytes().all(is_good)
}

/// The target of a client's requests.
fn target(transport: &str, sid: Option<&str>) -> String {
    let sid = sid.map(|sid| format!("&sid={sid}")).unwrap_or_default();
    format!("/socket.io/?EIO=4&transport={transport}{sid}")
}

/// A GET of a polling client.
pub(crate) fn get(sid: Option<&str>) -> Vec<u8> {
    let target = target("polling", sid);
    format!("GET {target} HTTP/1.1\r\nHost: sim\r\nAccept: */*\r\n\r\n").into_bytes()
}

/// A POST of a polling client.
pub(crate) fn post(sid: &str, body: &[u8]) -> Vec<u8> {
    let target = target("polling", Some(sid));
    let length = body.len();
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: sim\r\nAccept: */*\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A POST whose body comes in chunks of one byte (RFC 9112, 7.1).
pub(crate) fn chunks(sid: &str, body: &[u8]) -> Vec<u8> {
    let target = target("polling", Some(sid));
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: sim\r\nContent-Type: text/plain;charset=UTF-8\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    let chunks = body.iter().flat_map(|&byte| [b'1', b'\r', b'\n', byte, b'\r', b'\n']);
    [head.as_bytes(), &chunks.collect::<Vec<u8>>(), b"0\r\n\r\n"].concat()
}

/// The same request by a client that uses no connection twice.
pub(crate) fn closing(request: &[u8]) -> Vec<u8> {
    let end = head_end(request);
    let (head, rest) = request.split_at(end.expect("a request has a head"));
    [head, b"\r\nConnection: close", rest].concat()
}

/// A request to become a WebSocket. The key is that of RFC 6455, 1.3, and so is [`ACCEPT`].
pub(crate) fn upgrade(sid: Option<&str>) -> Vec<u8> {
    let target = target("websocket", sid);
    format!(
        "GET {target} HTTP/1.1\r\nHost: sim\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// What a server answers to the key of [`upgrade`].
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_one_by_one_when_they_are_whole() {
        let all =
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 101 X\r\nA: b\r\n\r\n\x81";
        for cut in 0..39 {
            let mut part = all[..cut].to_vec();
            assert_eq!(answer(&mut part), Ok(None), "{cut}");
        }
        let mut received = all.to_vec();
        let first = answer(&mut received).unwrap().unwrap();
        assert_eq!((first.status, &first.body[..]), (200, &b"ok"[..]));
        let second = answer(&mut received).unwrap().unwrap();
        assert_eq!((second.status, second.field("a")), (101, Some("b")));
        assert_eq!(received, b"\x81");
    }

    #[test]
    fn what_is_no_answer_is_told() {
        for bad in [
            "HTTQ",
            "HTTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA b: c\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 2\r\n\r\n",
        ] {
            assert!(answer(&mut bad.as_bytes().to_vec()).is_err(), "{bad}");
        }
    }
}
