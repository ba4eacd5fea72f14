//! What clients say, as bytes. It shares no code with the server.

/// A request without a body.
pub(crate) fn get(target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
}

/// The request that opens a polling session.
pub(crate) fn open() -> Vec<u8> {
    get("/socket.io/?EIO=4&transport=polling")
}

/// The request that opens a session by websocket.
pub(crate) fn open_websocket() -> Vec<u8> {
    upgrade("/socket.io/?EIO=4&transport=websocket")
}

/// An upgrade request.
pub(crate) fn upgrade(target: &str) -> Vec<u8> {
    format!(
        "GET {target} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// The target of a session's requests.
pub(crate) fn target(sid: &str, transport: &str) -> String {
    format!("/socket.io/?EIO=4&transport={transport}&sid={sid}")
}

/// A GET of a session.
pub(crate) fn poll(sid: &str) -> Vec<u8> {
    get(&target(sid, "polling"))
}

/// A POST of a session.
pub(crate) fn post(sid: &str, body: &[u8]) -> Vec<u8> {
    request("POST", &target(sid, "polling"), "", body)
}

/// A request with a body; `fields` are lines of its head.
pub(crate) fn request(method: &str, target: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A text frame of a client.
pub(crate) fn text(body: &str) -> Vec<u8> {
    frame(0x81, body.as_bytes())
}

/// A frame of a client; the first byte as it stands on the wire.
pub(crate) fn frame(first: u8, body: &[u8]) -> Vec<u8> {
    let mask = [0x35, 0x9a, 0x00, 0x71];
    let mut frame = vec![first];
    match body.len() {
        length @ 0..126 => frame.push(0x80 | length as u8),
        length @ 126..0x1_0000 => {
            frame.push(0xfe);
            frame.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            frame.push(0xff);
            frame.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(body.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// What a server wrote on a websocket: opcodes and payloads, behind the head of its answer.
pub(crate) fn frames(received: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let head = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole head");
    let mut rest = &received[head + 4..];
    let mut frames = Vec::new();
    while let [first, short, ..] = *rest {
        let (start, length) = match short {
            126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
            127 => (10, u64::from_be_bytes(rest[2..10].try_into().expect("eight bytes")) as usize),
            short => (2, usize::from(short)),
        };
        frames.push((first & 15, rest[start..start + length].to_vec()));
        rest = &rest[start + length..];
    }
    frames
}

/// The texts among them.
pub(crate) fn texts(received: &[u8]) -> Vec<String> {
    let texts = frames(received).into_iter().filter(|(opcode, _)| *opcode == 1);
    texts.map(|(_, text)| String::from_utf8(text).expect("text frames are UTF-8")).collect()
}

/// The statuses and bodies of the answers on a connection that speaks HTTP.
pub(crate) fn answers(mut received: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut answers = Vec::new();
    while !received.is_empty() {
        let end = received.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a whole head");
        let head = std::str::from_utf8(&received[..end]).expect("heads are ASCII here");
        let status: u16 = head[9..12].parse().expect("a status");
        let length = head.split("Content-Length: ").nth(1).map_or(0, |rest| {
            let digits = rest.split("\r\n").next().expect("the first piece is always there");
            digits.parse().expect("a length")
        });
        let body = received[end + 4..].get(..length).expect("a whole body");
        answers.push((status, body.to_vec()));
        received = &received[end + 4 + length..];
    }
    answers
}

/// All ids of `chars` characters that the server told: a session's has 27, a socket's 20.
pub(crate) fn ids(received: &[u8], chars: usize) -> Vec<String> {
    const KEY: &[u8] = br#""sid":""#;
    let places = received.windows(KEY.len()).enumerate().filter(|(_, bytes)| *bytes == KEY);
    let id = |(at, _): (usize, _)| {
        let id = received.get(at + KEY.len()..at + KEY.len() + chars)?;
        let whole = received.get(at + KEY.len() + chars) == Some(&b'"');
        whole.then(|| String::from_utf8_lossy(id).into_owned())
    };
    places.filter_map(id).collect()
}
