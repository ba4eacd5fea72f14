//! Attachments that follow a packet as binary messages, put together with it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use bytestring::ByteString;

use crate::bytes::Bytes;
use crate::socketio::packet::{self, Fault, Packet, PacketKind};

/// What a client's packets are held to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DecodeLimits {
    /// Attachments of one packet.
    pub(crate) attachments_max: u32,
    /// Bytes of all attachments of one packet.
    pub(crate) attachment_bytes_max: u32,
    /// How deeply arrays and objects nest, the argument list itself included.
    pub(crate) json_depth_max: u32,
}

/// Makes packets of one session's messages. It owns memory only between a packet's text and the
/// last of its attachments.
///
/// After a fault nothing is kept, and the session is to be closed.
#[derive(Debug, Default)]
pub(crate) struct Decoder(Option<Box<Partial>>);

/// A packet that misses attachments, at least one.
#[derive(Debug)]
struct Partial {
    packet: Packet,
    /// At most `attachments_max`. It grows with what arrives, not with what was announced.
    attachments: Vec<Bytes>,
    announced: u32,
    /// Of all attachments so far; at most `attachment_bytes_max`.
    bytes: usize,
}

impl Decoder {
    /// Takes the text of a message. `None`: attachments are to follow.
    pub(crate) fn text(
        &mut self,
        text: ByteString,
        limits: &DecodeLimits,
    ) -> Result<Option<Packet>, Fault> {
        if self.0.take().is_some() {
            return Err(Fault::UnexpectedText);
        }
        let (packet, announced) = packet::decode(&text, limits)?;
        if announced == 0 {
            return Ok(Some(packet));
        }
        self.0 = Some(Box::new(Partial { packet, attachments: Vec::new(), announced, bytes: 0 }));
        Ok(None)
    }

    /// Takes a binary message. `None`: more attachments are to follow.
    pub(crate) fn binary(
        &mut self,
        bytes: Bytes,
        limits: &DecodeLimits,
    ) -> Result<Option<Packet>, Fault> {
        let mut partial = self.0.take().ok_or(Fault::UnexpectedBinary)?;
        partial.bytes = partial.bytes.saturating_add(bytes.len());
        if partial.bytes > limits.attachment_bytes_max as usize {
            return Err(Fault::AttachmentBytes);
        }
        partial.attachments.push(bytes);
        if partial.attachments.len() < partial.announced as usize {
            self.0 = Some(partial);
            return Ok(None);
        }
        let Partial { mut packet, attachments, .. } = *partial;
        if let PacketKind::Event { args, .. } | PacketKind::Ack { args, .. } = &mut packet.kind {
            args.attachments = attachments;
        }
        Ok(Some(packet))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: DecodeLimits =
        DecodeLimits { attachments_max: 10, attachment_bytes_max: 8, json_depth_max: 8 };

    const TWO: &str = r#"52-/n,7["e",{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}]"#;

    fn bytes(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    #[test]
    fn an_idle_decoder_is_one_word() {
        assert_eq!(size_of::<Decoder>(), size_of::<usize>());
    }

    #[test]
    fn attachments_complete_a_packet() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.text(TWO.into(), &LIMITS), Ok(None));
        assert_eq!(decoder.binary(bytes(""), &LIMITS), Ok(None), "an empty one counts");
        let packet = decoder.binary(bytes("12345678"), &LIMITS).unwrap().unwrap();
        let PacketKind::Event { id: Some(7), name, args } = packet.kind else { panic!() };
        assert_eq!((&*packet.namespace, &*name, args.len()), ("/n", "e", 2));
        assert_eq!(args.attachments(), [bytes(""), bytes("12345678")], "also if none refers to it");
        assert!(decoder.0.is_none());

        assert_eq!(decoder.text("61-3".into(), &LIMITS), Ok(None));
        let packet = decoder.binary(bytes("a"), &LIMITS).unwrap().unwrap();
        let PacketKind::Ack { id: Some(3), args } = packet.kind else { panic!() };
        assert_eq!((args.len(), args.attachments().len()), (0, 1));
        assert!(decoder.text(r#"2["next"]"#.into(), &LIMITS).unwrap().is_some());
    }

    #[test]
    fn what_comes_at_the_wrong_time_is_a_fault_and_nothing_is_kept() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.binary(bytes("a"), &LIMITS), Err(Fault::UnexpectedBinary));
        assert_eq!(decoder.text(TWO.into(), &LIMITS), Ok(None));
        assert_eq!(decoder.text(r#"2["e"]"#.into(), &LIMITS), Err(Fault::UnexpectedText));
        assert!(decoder.0.is_none());
        assert_eq!(decoder.text(TWO.into(), &LIMITS), Ok(None));
        assert_eq!(decoder.text("50-".into(), &LIMITS), Err(Fault::UnexpectedText));
        assert!(decoder.text(r#"2["e"]"#.into(), &LIMITS).unwrap().is_some());
        assert_eq!(decoder.binary(bytes("a"), &LIMITS), Err(Fault::UnexpectedBinary));
    }

    #[test]
    fn attachments_are_bounded_in_sum() {
        let mut decoder = Decoder::default();
        assert_eq!(decoder.text(TWO.into(), &LIMITS), Ok(None));
        assert_eq!(decoder.binary(bytes("12345"), &LIMITS), Ok(None));
        assert_eq!(decoder.binary(bytes("6789"), &LIMITS), Err(Fault::AttachmentBytes));
        assert!(decoder.0.is_none());
    }

    #[test]
    fn a_bad_header_waits_for_nothing() {
        let mut decoder = Decoder::default();
        let text = r#"51-["e",{"_placeholder":true,"num":1}]"#;
        assert_eq!(decoder.text(text.into(), &LIMITS), Err(Fault::IllegalPlaceholder));
        assert_eq!(decoder.binary(bytes("a"), &LIMITS), Err(Fault::UnexpectedBinary));
    }

    #[test]
    fn an_announcement_costs_no_memory() {
        let limits = DecodeLimits { attachments_max: u32::MAX, ..LIMITS };
        let mut decoder = Decoder::default();
        assert_eq!(decoder.text(r#"54294967295-["e"]"#.into(), &limits), Ok(None));
        assert_eq!(decoder.0.as_ref().unwrap().attachments.capacity(), 0);
        assert_eq!(decoder.binary(bytes("a"), &limits), Ok(None));
    }
}
