//! What a client does now and then that no honest one would. Nothing of it is hidden: it notes what
//! its bytes mean as ever, so what the server makes of them is judged as exactly.

use super::{Packet, Phase, Session, Unit, http, is_taken, packet, ws};
use crate::client::Me;
use crate::hub::Hub;
use crate::oracle::Property;

/// One such deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Antic {
    /// A GET beside one that waits.
    SecondPoll,
    /// A POST that stops in its body, and another beside it.
    SecondPost,
    /// One more WebSocket for the session.
    SecondSocket,
    /// A text where attachments are owed.
    Torn,
    /// A pong that nobody asked for.
    Pong,
}

impl Antic {
    pub(crate) const ALL: [Self; 5] =
        [Self::SecondPoll, Self::SecondPost, Self::SecondSocket, Self::Torn, Self::Pong];
}

impl Session {
    /// Does it, if there is something to do it with.
    pub(in crate::client) fn play(&mut self, antic: Antic, me: &Me, hub: &mut Hub) {
        let is_polling = matches!(self.phase, Phase::Polling | Phase::Knocking | Phase::Probing);
        match antic {
            Antic::SecondPoll if is_polling && self.get.is_busy && !self.copy.is_busy => {
                hub.rules.copied(self.number);
                self.has_overlapped = true;
                let unit = Unit::Get { session: self.number };
                self.copy.request(&http::get(Some(&self.sid)), unit, me, hub);
            }
            Antic::SecondPost if is_polling && !self.is_posting() && !self.copy.is_busy => {
                self.second_post(me, hub);
            }
            Antic::SecondSocket if self.is_open() && self.second.conn.is_none() => {
                let unit = Unit::Upgrade { session: self.number };
                self.second.request(&http::upgrade(Some(&self.sid)), unit, me, hub);
            }
            Antic::Torn if self.is_open() => {
                let torn = [
                    r#"51-["bytes",0,{"_placeholder":true,"num":0}]"#,
                    r#"2["echo",0,"in between"]"#,
                ];
                self.queue(torn.map(|text| Packet::Text('4', text.into())).to_vec());
            }
            Antic::Pong if self.is_open() => self.queue(vec![Packet::Text('3', String::new())]),
            _ => {}
        }
    }

    fn second_post(&mut self, me: &Me, hub: &mut Hub) {
        hub.rules.copied(self.number);
        let pong = vec![Packet::Text('3', String::new())];
        let body = packet::payload(&[Packet::Text('4', "2[\"echo\",0,\"cut\"]".into())]);
        let request = http::post(&self.sid, &body);
        let session = self.number;
        let (start, cut) = (request.len() - body.len(), request.len() - 1);
        self.copy.send(&request[..cut], [(start, Unit::PostHead { session })], me, hub);
        self.post(pong, me, hub);
    }

    /// What comes on the second WebSocket, which is of no use.
    pub(super) fn second_bytes(&mut self, bytes: &[u8], hub: &mut Hub) {
        self.second.received.extend(bytes);
        while self.second.is_busy {
            match http::answer(&mut self.second.received) {
                Ok(Some(answer)) if answer.status == 101 => self.second.is_busy = false,
                Ok(Some(answer)) => {
                    is_taken(&answer, hub);
                    return self.second.leave(hub);
                }
                Ok(None) => return,
                Err(why) => return hub.verdicts.fail(Property::P1, why),
            }
        }
        match ws::message(&mut self.second.received) {
            Ok(None) => {}
            Ok(Some(ws::Message::Close)) => self.second.leave(hub),
            other => {
                let what = format!("{other:?} on a WebSocket that is one too many");
                hub.verdicts.fail(Property::S0, what);
            }
        }
    }
}
