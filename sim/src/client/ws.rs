//! RFC 6455, the client's side: frames are masked on the way out and read strictly on the way in.

/// What a server sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Text(String),
    Binary(Vec<u8>),
    Pong,
    Close,
}

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;

/// One whole frame of a client.
pub(crate) fn frame(opcode: u8, payload: &[u8], mask: u32) -> Vec<u8> {
    let mask = mask.to_be_bytes();
    let mut out = vec![0x80 | opcode];
    match payload.len() {
        len @ 0..126 => out.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            out.push(0x80 | 126);
            out.extend((len as u16).to_be_bytes());
        }
        len => {
            out.push(0x80 | 127);
            out.extend((len as u64).to_be_bytes());
        }
    }
    out.extend(mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    out
}

/// Takes one whole message from the front of what was received. Fails on a frame that a server
/// must not send, or that ours has no reason to: fragments, masks, padding in its length.
pub(crate) fn message(received: &mut Vec<u8>) -> Result<Option<Message>, String> {
    let Some((first, payload, end)) = frame_of(received)? else { return Ok(None) };
    let length = payload.len();
    let payload = payload.to_vec();
    received.drain(..end);
    match first {
        0x81 => String::from_utf8(payload).map(Message::Text).map_err(|_| "no UTF-8".into()),
        0x82 => Ok(Message::Binary(payload)),
        0x88 if length != 1 && length < 126 => Ok(Message::Close),
        0x8a if length < 126 => Ok(Message::Pong),
        _ => Err(format!("a frame begins with {first:#04x}, its length is {length}")),
    }
    .map(Some)
}

/// A frame: its first byte, its payload, and how long all of it is.
pub(crate) type Frame<'a> = (u8, &'a [u8], usize);

/// The first whole frame of a server.
pub(crate) fn frame_of(received: &[u8]) -> Result<Option<Frame<'_>>, String> {
    let [first, second, rest @ ..] = received else { return Ok(None) };
    if second & 0x80 != 0 {
        return Err("a frame of the server is masked".into());
    }
    let (length, start) = match second {
        126 => match rest.first_chunk() {
            Some(&len) => (usize::from(u16::from_be_bytes(len)), 4),
            None => return Ok(None),
        },
        127 => match rest.first_chunk() {
            Some(&len) => (u64::from_be_bytes(len) as usize, 10),
            None => return Ok(None),
        },
        &len => (usize::from(len), 2),
    };
    let least = [0, 0, 0, 0, 126, 0, 0, 0, 0, 0, 0x1_0000][start];
    if length < least || length > 1 << 30 {
        return Err(format!("a frame's length is {length}, in {start} bytes"));
    }
    let payload = received.get(start..start + length);
    Ok(payload.map(|payload| (*first, payload, start + length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_when_they_are_whole() {
        let mut received = b"\x81\x02hi\x82\x7e\x00\x7e".to_vec();
        received.extend([7; 126]);
        received.extend(b"\x88\x02\x03\xe8\x8a\x00\x81");
        let mut next = || message(&mut received);
        assert_eq!(next(), Ok(Some(Message::Text("hi".into()))));
        assert_eq!(next(), Ok(Some(Message::Binary(vec![7; 126]))));
        assert_eq!(next(), Ok(Some(Message::Close)));
        assert_eq!(next(), Ok(Some(Message::Pong)));
        assert_eq!(next(), Ok(None));
        for bad in
            [&b"\x81\x80"[..], b"\x01\x00", b"\x81\x7e\x00\x05", b"\x81\x01\xff", b"\x88\x01a"]
        {
            assert!(message(&mut bad.to_vec()).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_client_masks() {
        // The masked "Hello" of RFC 6455, 5.7.
        let hello = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
        assert_eq!(frame(TEXT, b"Hello", 0x37fa_213d), hello);
        assert_eq!(frame(BINARY, &[0; 200], 0).len(), 8 + 200);
        assert_eq!(frame(BINARY, &[0; 70_000], 0).len(), 14 + 70_000);
    }
}
