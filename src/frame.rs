//! A packet encoded once and shared by all who get it.
//!
//! One allocation holds the WebSocket frames of its text and of its attachments, one behind the
//! other; the text without its frame header is at the same time the record of a polling answer. The
//! base64 forms of attachments, which polling clients and those that asked for it need, stand in a
//! second one, and only where somebody needs them.
//!
//! There is no cell in it: what recipients need is known before it is built.

use alloc::sync::Arc;
use alloc::vec::Vec;

use data_encoding::BASE64;
use smallvec::SmallVec;

use crate::bytes::Bytes;
use crate::ws;

/// See the module.
#[derive(Clone)]
pub(crate) struct Frame(Arc<Encoded>);

struct Encoded {
    /// `[header]4text`, then `[header]bytes` for each attachment.
    wire: Vec<u8>,
    text_start: u32,
    text_end: u32,
    /// `[header]b<base64>` for each attachment, or nothing.
    base64: Vec<u8>,
    /// Where the `b<base64>` of each stands in it.
    records: SmallVec<[(u32, u32); 1]>,
    /// Bytes of all as polling records, with the separators between them.
    polling_bytes: u32,
}

/// Which bytes of a frame a queue entry stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part(u32);

impl Part {
    /// All WebSocket frames, attachments as bytes.
    pub(crate) const WIRE: Self = Self(0);
    /// The text as a polling record.
    pub(crate) const TEXT: Self = Self(1);
    /// The text as a WebSocket frame.
    pub(crate) const TEXT_FRAME: Self = Self(2);
    /// The attachments as WebSocket text frames.
    pub(crate) const BASE64_FRAMES: Self = Self(3);

    /// One attachment as a polling record.
    pub(crate) fn record(attachment: usize) -> Self {
        Self(4 + attachment as u32)
    }
}

impl Frame {
    /// `text` is an Engine.IO packet: `4`, then the message.
    pub(crate) fn new(text: &[u8], attachments: &[Bytes], with_base64: bool) -> Self {
        let mut wire = Vec::with_capacity(wire_bytes(text.len(), attachments));
        put_frame(&mut wire, ws::Opcode::Text, text);
        let text_end = wire.len() as u32;
        for attachment in attachments {
            put_frame(&mut wire, ws::Opcode::Binary, attachment);
        }
        let mut base64 = Vec::new();
        let mut records = SmallVec::new();
        let mut polling_bytes = text.len();
        if with_base64 {
            base64.reserve_exact(attachments.iter().map(|a| base64_frame_bytes(a.len())).sum());
        }
        for attachment in attachments {
            polling_bytes += 1 + base64_bytes(attachment.len());
            if with_base64 {
                put_base64_frame(&mut base64, attachment);
                let end = base64.len() as u32;
                records.push((end - base64_bytes(attachment.len()) as u32, end));
            }
        }
        Self(Arc::new(Encoded {
            wire,
            text_start: text_end - text.len() as u32,
            text_end,
            base64,
            records,
            polling_bytes: polling_bytes as u32,
        }))
    }

    pub(crate) fn bytes(&self, part: Part) -> &[u8] {
        let encoded = &*self.0;
        let (start, end) = (encoded.text_start as usize, encoded.text_end as usize);
        match part {
            Part::WIRE => &encoded.wire,
            Part::TEXT => &encoded.wire[start..end],
            Part::TEXT_FRAME => &encoded.wire[..end],
            Part::BASE64_FRAMES => &encoded.base64,
            Part(record) => {
                let (start, end) = encoded.records[record as usize - 4];
                &encoded.base64[start as usize..end as usize]
            }
        }
    }

    /// How many attachments have a base64 form.
    pub(crate) fn records(&self) -> usize {
        self.0.records.len()
    }

    /// Bytes as polling records.
    pub(crate) fn polling_bytes(&self) -> usize {
        self.0.polling_bytes as usize
    }

    /// Bytes as WebSocket frames.
    pub(crate) fn websocket_bytes(&self, base64: bool) -> usize {
        match base64 {
            true => self.0.text_end as usize + self.0.base64.len(),
            false => self.0.wire.len(),
        }
    }
}

/// Writes one unmasked frame.
pub(crate) fn put_frame(out: &mut Vec<u8>, opcode: ws::Opcode, payload: &[u8]) {
    put_header(out, opcode, payload.len());
    out.extend_from_slice(payload);
}

/// Writes the text frame of an attachment for a client that takes no bytes: `b<base64>`.
pub(crate) fn put_base64_frame(out: &mut Vec<u8>, attachment: &[u8]) {
    put_header(out, ws::Opcode::Text, base64_bytes(attachment.len()));
    put_base64(out, attachment);
}

/// Writes the polling record of an attachment: `b<base64>`.
pub(crate) fn put_base64(out: &mut Vec<u8>, attachment: &[u8]) {
    out.push(b'b');
    let start = out.len();
    out.resize(start + BASE64.encode_len(attachment.len()), 0);
    BASE64.encode_mut(attachment, &mut out[start..]);
}

/// Bytes of `b<base64>`.
pub(crate) fn base64_bytes(len: usize) -> usize {
    1 + BASE64.encode_len(len)
}

pub(crate) fn base64_frame_bytes(len: usize) -> usize {
    frame_bytes(base64_bytes(len))
}

pub(crate) fn frame_bytes(len: usize) -> usize {
    ws::header_bytes(len) + len
}

fn wire_bytes(text: usize, attachments: &[Bytes]) -> usize {
    frame_bytes(text) + attachments.iter().map(|a| frame_bytes(a.len())).sum::<usize>()
}

fn put_header(out: &mut Vec<u8>, opcode: ws::Opcode, len: usize) {
    let mut header = [0; ws::HEADER_BYTES_MAX];
    let end = ws::write_header(&mut header, opcode, len);
    out.extend_from_slice(&header[..end]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_allocation_serves_websockets_and_polls() {
        let frame = Frame::new(b"4hi", &[Bytes::from_static(&[1, 2, 3, 4])], true);
        assert_eq!(frame.bytes(Part::WIRE), b"\x81\x034hi\x82\x04\x01\x02\x03\x04");
        assert_eq!(frame.bytes(Part::TEXT), b"4hi");
        assert_eq!(frame.bytes(Part::TEXT_FRAME), b"\x81\x034hi");
        assert_eq!(frame.bytes(Part::BASE64_FRAMES), b"\x81\x09bAQIDBA==");
        assert_eq!(frame.bytes(Part::record(0)), b"bAQIDBA==");
        assert_eq!(frame.polling_bytes(), b"4hi\x1ebAQIDBA==".len());
        assert_eq!(frame.websocket_bytes(false), frame.bytes(Part::WIRE).len());
        assert_eq!(frame.websocket_bytes(true), 5 + 11);
    }

    #[test]
    fn base64_is_built_only_where_somebody_needs_it() {
        let frame = Frame::new(b"4hi", &[Bytes::from_static(&[1])], false);
        assert_eq!((frame.records(), frame.bytes(Part::BASE64_FRAMES)), (0, &b""[..]));
    }
}
