//! One Engine.IO session of a client, from its first request to its end.

mod antics;

use super::http::{self, Answer};
use super::packet::{self, Message, Packet};
use super::unit::Unit;
use super::{Kind, Leave, Me, Timer, json, ws};
use crate::hub::Hub;
use crate::marks::Mark;
use crate::oracle::Property;
pub(crate) use antics::Antic;

/// Packets of one POST.
const POST_BYTES_MAX: usize = 200_000;
/// From the candidate's request to `3probe`; the official client would wait for ever.
pub(crate) const PROBE_MAX: u64 = 8_000_000;
/// On a good network, from `3probe` to the last answer on polling.
const RELEASE_MAX: u64 = 150_000;
/// A client that cannot get rid of what it has does not make more.
const QUEUE_MAX: usize = 60;

/// Of so many POSTs one is sent again.
const COPY_ONE_IN: u64 = 50;
/// Not as the official client: of so many POSTs that no poll waits beside one is sent in front of
/// the next poll.
const TOGETHER_ONE_IN: u64 = 4;
/// Nor this: in front of so many messages one ping is sent.
const PING_ONE_IN: u64 = 32;
/// Of so many upgrades to which nothing is under way one does not wait for `3probe`.
const HASTY_ONE_IN: u64 = 4;

/// A connection as the client sees it.
#[derive(Debug, Default)]
struct Line {
    conn: Option<usize>,
    received: Vec<u8>,
    /// An answer is awaited.
    is_busy: bool,
    /// Of a poll, and of a POST in front of it.
    is_posting: bool,
    /// Each request has a connection of its own, as the official client's under Node.js.
    is_fresh: bool,
    /// The request is not the first of its connection.
    is_reused: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The first answer is awaited.
    Opening,
    Polling,
    /// A candidate waits for its 101.
    Knocking,
    /// `2probe` is out.
    Probing,
    /// `3probe` is in; `5` goes out when nothing is awaited on polling.
    Pausing,
    WebSocket,
}

pub(crate) struct Session {
    /// The world's.
    number: u64,
    sid: String,
    phase: Phase,
    get: Line,
    post: Line,
    ws: Line,
    /// Of a proxy that sends a POST again.
    copy: Line,
    /// A WebSocket too many.
    second: Line,
    /// It has asked twice at once: which answer comes first, and with what, nobody knows.
    has_overlapped: bool,
    /// The packets of the latest POST.
    latest: Vec<Packet>,
    is_switched: bool,
    /// `5` is out, and `3probe` was not waited for.
    was_hasty: bool,
    /// When `3probe` came.
    probed_at: u64,
    queue: Vec<Packet>,
    /// A message that waits for its attachments.
    partial: Option<(Message, Vec<Vec<u8>>)>,
    messages: Vec<(Message, Vec<Vec<u8>>)>,
    /// When the server's last ping came, or the handshake.
    pub(crate) pinged_at: u64,
    beat: u64,
    /// What it packs into one POST, of what the server lets it.
    post_bytes_max: usize,
}

impl Session {
    pub(crate) fn connect(me: &Me, hub: &mut Hub) -> Self {
        let mut session = Self {
            number: hub.session(),
            sid: String::new(),
            phase: Phase::Opening,
            get: Line::default(),
            post: Line::default(),
            ws: Line::default(),
            copy: Line::default(),
            second: Line::default(),
            has_overlapped: false,
            latest: Vec::new(),
            is_switched: false,
            was_hasty: false,
            probed_at: 0,
            queue: Vec::new(),
            partial: None,
            messages: Vec::new(),
            pinged_at: hub.now,
            beat: u64::MAX,
            post_bytes_max: POST_BYTES_MAX,
        };
        let is_fresh = hub.choices.happens(me.stream, 1, 4);
        (session.get.is_fresh, session.post.is_fresh) = (is_fresh, is_fresh);
        let is_websocket = me.kind == Kind::WebSocket;
        let unit = Unit::Handshake { session: session.number, is_websocket };
        match me.kind {
            Kind::WebSocket => session.ws.request(&http::upgrade(None), unit, me, hub),
            _ => session.get.request(&http::get(None), unit, me, hub),
        }
        session
    }

    pub(crate) fn is_open(&self) -> bool {
        self.phase != Phase::Opening
    }

    /// What is missing of what such a client wants.
    pub(crate) fn wants(&self, me: &Me) -> Option<String> {
        let is_there = match me.kind {
            Kind::Upgrading if !me.is_stripped => self.phase == Phase::WebSocket,
            _ => self.is_open(),
        };
        (!is_there).then(|| format!("more than {:?} with {:?}", self.phase, self.ws))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.queue.len() > QUEUE_MAX
    }

    /// After so long a silence the server is gone.
    pub(crate) fn beat(&self) -> u64 {
        self.beat
    }

    pub(crate) fn take_messages(&mut self) -> Vec<(Message, Vec<Vec<u8>>)> {
        std::mem::take(&mut self.messages)
    }

    pub(crate) fn queue(&mut self, packets: Vec<Packet>) {
        self.queue.extend(packets);
    }

    /// Sends what is queued, if it may.
    pub(crate) fn flush(&mut self, me: &Me, hub: &mut Hub) {
        match self.phase {
            Phase::WebSocket => {
                if let (Some(conn), false) = (self.ws.conn, self.queue.is_empty()) {
                    let mut speech = Speech::default();
                    if hub.is_restless() && hub.choices.happens(me.stream, 1, PING_ONE_IN) {
                        speech.ping(hub.choices.choose(me.masks, 1 << 32) as u32);
                    }
                    speech.packets(self.queue.drain(..), me, hub);
                    speech.say(conn, hub);
                }
            }
            // What is said first goes alone; the rest waits for the answer.
            Phase::Polling | Phase::Knocking | Phase::Probing if !self.is_posting() => {
                let may_be_together = hub.is_restless()
                    && self.phase == Phase::Polling
                    && !(self.get.is_busy || self.get.is_fresh || self.queue.is_empty());
                if may_be_together && hub.choices.happens(me.stream, 1, TOGETHER_ONE_IN) {
                    self.post_and_poll(me, hub);
                } else {
                    self.post_some(1, me, hub);
                }
            }
            _ => {}
        }
    }

    /// Whether the answer to a POST is awaited.
    fn is_posting(&self) -> bool {
        self.post.is_busy || self.get.is_posting
    }

    /// A POST and the next poll in one write, on one connection.
    fn post_and_poll(&mut self, me: &Me, hub: &mut Hub) {
        let (session, packets) = (self.number, vec![self.queue.remove(0)]);
        let body = packet::payload(&packets);
        let mut request = http::post(&self.sid, &body);
        self.latest = packets.clone();
        let head = (request.len() - body.len(), Unit::PostHead { session });
        let whole = (request.len(), Unit::Post { session, packets });
        request.extend(http::get(Some(&self.sid)));
        let poll = (request.len(), Unit::Get { session });
        self.get.send(&request, [head, whole, poll], me, hub);
        self.get.is_posting = true;
    }

    /// Posts what is queued, at most so many packets.
    fn post_some(&mut self, most: usize, me: &Me, hub: &mut Hub) {
        let post_bytes_max = self.post_bytes_max;
        let mut bytes = 0;
        let fits = |packet: &&Packet| {
            bytes += match packet {
                Packet::Text(_, data) => data.len(),
                Packet::Binary(data) => data.len() * 2,
            };
            bytes <= post_bytes_max
        };
        let count = self.queue.iter().take(most).take_while(fits).count();
        let count = count.max(1).min(self.queue.len());
        let packets: Vec<Packet> = self.queue.drain(..count).collect();
        if !packets.is_empty() {
            self.post(packets, me, hub);
        }
    }

    fn post(&mut self, packets: Vec<Packet>, me: &Me, hub: &mut Hub) {
        let body = packet::payload(&packets);
        let request = http::post(&self.sid, &body);
        let session = self.number;
        self.latest = packets.clone();
        let head = (request.len() - body.len(), Unit::PostHead { session });
        let whole = (request.len(), Unit::Post { session, packets });
        self.post.send(&request, [head, whole], me, hub);
    }

    /// The POST that was answered is sent again, whole or not: Engine.IO cannot tell.
    fn send_copy(&mut self, me: &Me, hub: &mut Hub) {
        let (session, packets) = (self.number, std::mem::take(&mut self.latest));
        let unit = Unit::Post { session, packets: packets.clone() };
        // A CONNECT that is refused, and then not, would surprise it.
        if packets.is_empty() || self.copy.is_busy || unit.joins() {
            return;
        }
        hub.rules.copied(self.number);
        let body = packet::payload(&packets);
        let request = http::post(&self.sid, &body);
        let start = request.len() - body.len();
        let head = (start, Unit::PostHead { session });
        if !hub.choices.happens(me.stream, 1, 4) {
            return self.copy.send(&request, [head, (request.len(), unit)], me, hub);
        }
        let cut = start + hub.choices.choose(me.stream, body.len() as u64) as usize;
        self.copy.send(&request[..cut], [head], me, hub);
        self.copy.leave(hub);
    }

    /// What a proxy that repeats a POST gets is its own.
    fn copied(&mut self, hub: &mut Hub) {
        while let Ok(Some(answer)) = http::answer(&mut self.copy.received) {
            is_taken(&answer, hub);
            self.copy.is_busy = false;
        }
    }

    /// Asks for packets, if that is not under way.
    pub(crate) fn poll(&mut self, me: &Me, hub: &mut Hub) {
        let is_polling = matches!(self.phase, Phase::Polling | Phase::Knocking | Phase::Probing);
        if is_polling && !self.get.is_busy {
            let unit = Unit::Get { session: self.number };
            self.get.request(&http::get(Some(&self.sid)), unit, me, hub);
        }
    }

    pub(crate) fn bytes(
        &mut self,
        conn: usize,
        bytes: &[u8],
        me: &Me,
        hub: &mut Hub,
    ) -> Result<(), Leave> {
        if self.ws.conn == Some(conn) {
            self.ws.received.extend(bytes);
            return self.ws_bytes(me, hub);
        }
        if self.second.conn == Some(conn) {
            self.second_bytes(bytes, hub);
            return Ok(());
        }
        if self.has_overlapped && [self.get.conn, self.copy.conn].contains(&Some(conn)) {
            return Err(Leave::Broken);
        }
        if self.copy.conn == Some(conn) {
            self.copy.received.extend(bytes);
            self.copied(hub);
            return Ok(());
        }
        let is_get = self.get.conn == Some(conn);
        let line = if is_get { &mut self.get } else { &mut self.post };
        if line.conn != Some(conn) {
            return Ok(());
        }
        line.received.extend(bytes);
        loop {
            let line = if is_get { &mut self.get } else { &mut self.post };
            let is_poll = is_get && !line.is_posting;
            let Some(answer) = line.answer(hub)? else { return Ok(()) };
            if is_poll { self.got(&answer, me, hub)? } else { self.posted(&answer, me, hub)? }
        }
    }

    fn got(&mut self, answer: &Answer, me: &Me, hub: &mut Hub) -> Result<(), Leave> {
        if !is_taken(answer, hub) {
            return Err(Leave::Broken);
        }
        let packets = match packet::packets(&answer.body) {
            Ok(packets) => packets,
            Err(why) => {
                hub.verdicts.fail(Property::S0, why);
                return Err(Leave::Broken);
            }
        };
        for packet in packets {
            self.packet(packet, me, hub)?;
        }
        if self.phase == Phase::Pausing {
            self.switch(me, hub);
        } else {
            // Three in four ask at once; the official client always does, unless it is kept busy.
            hub.choices.span(me.stream, "poll");
            let is_busy = hub.profile.fault_every.is_some();
            let most = if is_busy { 80_000 } else { 1 };
            let pause = hub.choices.choose(me.stream, most).saturating_sub(60_000);
            hub.timer(pause, me.number, me.life, Timer::Poll);
        }
        Ok(())
    }

    fn posted(&mut self, answer: &Answer, me: &Me, hub: &mut Hub) -> Result<(), Leave> {
        if !is_taken(answer, hub) {
            return Err(Leave::Broken);
        }
        let is_ok = answer.body == b"ok";
        hub.verdicts.claim(Property::P1, is_ok, || format!("a POST is answered {answer:?}"));
        if self.phase == Phase::Pausing {
            self.switch(me, hub);
        } else {
            self.post_some(usize::MAX, me, hub);
            if hub.is_restless() && hub.choices.happens(me.stream, 1, COPY_ONE_IN) {
                self.send_copy(me, hub);
            }
        }
        Ok(())
    }

    /// The upgrade's last step, as soon as polling is silent.
    fn switch(&mut self, me: &Me, hub: &mut Hub) {
        if self.get.is_busy || self.post.is_busy {
            return;
        }
        let waited = hub.now - self.probed_at;
        if hub.is_undisturbed() {
            hub.verdicts.claim(Property::U2, waited <= RELEASE_MAX, || {
                format!("after 3probe client {} waits {waited} us for its poll", me.number)
            });
        }
        self.upgrade(Vec::new(), me, hub);
    }

    /// `5`, and at once whatever else is to be said.
    fn upgrade(&mut self, mut packets: Vec<Packet>, me: &Me, hub: &mut Hub) {
        let Some(conn) = self.ws.conn else { return };
        packets.push(Packet::Text('5', String::new()));
        packets.append(&mut self.queue);
        say_all(conn, packets, me, hub);
        self.phase = Phase::WebSocket;
        self.get.leave(hub);
        self.post.leave(hub);
        self.copy.leave(hub);
    }

    fn ws_bytes(&mut self, me: &Me, hub: &mut Hub) -> Result<(), Leave> {
        if !self.is_switched {
            let Some(answer) = self.ws.answer(hub)? else { return Ok(()) };
            if answer.status != 101 {
                // The session, if it was there, is unknown by now.
                is_taken(&answer, hub);
                return self.candidate_failed(me, hub);
            }
            let is_right = answer.field("sec-websocket-accept") == Some(http::ACCEPT);
            hub.verdicts.claim(Property::S0, is_right, || format!("a bad 101: {answer:?}"));
            self.is_switched = true;
            if self.phase == Phase::Knocking {
                self.phase = Phase::Probing;
                let probe = Packet::Text('2', "probe".into());
                self.was_hasty = !(self.get.is_busy || self.post.is_busy)
                    && hub.is_restless()
                    && hub.choices.happens(me.stream, 1, HASTY_ONE_IN);
                if self.was_hasty {
                    self.upgrade(vec![probe], me, hub);
                } else {
                    self.ws
                        .conn
                        .into_iter()
                        .for_each(|conn| say_all(conn, [probe.clone()], me, hub));
                }
            }
        }
        loop {
            let message = match ws::message(&mut self.ws.received) {
                Ok(Some(message)) => message,
                Ok(None) => return Ok(()),
                Err(why) => {
                    hub.verdicts.fail(Property::S0, why);
                    return Err(Leave::Broken);
                }
            };
            let packet = match message {
                ws::Message::Text(text) => Packet::parse(&text),
                ws::Message::Binary(data) => Ok(Packet::Binary(data)),
                ws::Message::Pong => continue,
                ws::Message::Close => {
                    self.ws.conn.into_iter().for_each(|conn| say_close(conn, hub));
                    return self.candidate_failed(me, hub);
                }
            };
            match packet {
                Ok(packet) => self.packet_of_ws(packet, me, hub)?,
                Err(why) => {
                    hub.verdicts.fail(Property::S0, why);
                    return Err(Leave::Broken);
                }
            }
        }
    }

    /// The candidate, or the transport itself, is gone.
    fn candidate_failed(&mut self, me: &Me, hub: &mut Hub) -> Result<(), Leave> {
        self.ws.leave(hub);
        self.is_switched = false;
        match self.phase {
            Phase::Opening | Phase::WebSocket => Err(Leave::Broken),
            _ => {
                // The official client stays with polling for good; this one tries again.
                self.phase = Phase::Polling;
                self.poll(me, hub);
                if me.is_stripped {
                    return Ok(());
                }
                hub.choices.span(me.stream, "knock");
                let pause = hub.choices.between(me.stream, 100_000, 900_000);
                hub.timer(pause, me.number, me.life, Timer::Knock);
                Ok(())
            }
        }
    }

    /// Tries to upgrade, unless it does already.
    pub(crate) fn knock_again(&mut self, me: &Me, hub: &mut Hub) {
        if self.phase == Phase::Polling {
            self.knock(me, hub);
        }
    }

    fn knock(&mut self, me: &Me, hub: &mut Hub) {
        self.phase = Phase::Knocking;
        let unit = Unit::Upgrade { session: self.number };
        if me.is_stripped {
            let conn = hub.connect(me.number);
            self.ws.conn = Some(conn);
            self.ws.is_busy = true;
            return hub.strip(conn);
        }
        self.ws.request(&http::upgrade(Some(&self.sid)), unit, me, hub);
        let timer = Timer::GiveUp(self.ws.conn.unwrap_or_default());
        hub.timer(PROBE_MAX, me.number, me.life, timer);
    }

    /// A candidate that says nothing is on a connection that is dead.
    pub(crate) fn give_up(&mut self, conn: usize, me: &Me, hub: &mut Hub) -> Result<(), Leave> {
        let is_waiting = matches!(self.phase, Phase::Knocking | Phase::Probing);
        if is_waiting && self.ws.conn == Some(conn) {
            return self.candidate_failed(me, hub);
        }
        Ok(())
    }

    fn packet_of_ws(&mut self, packet: Packet, me: &Me, hub: &mut Hub) -> Result<(), Leave> {
        match (self.phase, &packet) {
            (Phase::Opening | Phase::WebSocket, Packet::Text('1' | '6', _)) => {
                hub.verdicts.fail(Property::S0, format!("{packet:?} on a websocket"));
                Err(Leave::Broken)
            }
            (Phase::WebSocket, Packet::Text('3', data)) if data == "probe" && self.was_hasty => {
                self.was_hasty = false;
                Ok(())
            }
            (Phase::Opening | Phase::WebSocket, _) => self.packet(packet, me, hub),
            (Phase::Probing, Packet::Text('3', data)) if data == "probe" => {
                self.phase = Phase::Pausing;
                self.probed_at = hub.now;
                self.switch(me, hub);
                Ok(())
            }
            _ => {
                hub.verdicts.fail(Property::S0, format!("{packet:?} on a candidate"));
                Err(Leave::Broken)
            }
        }
    }

    fn packet(&mut self, packet: Packet, me: &Me, hub: &mut Hub) -> Result<(), Leave> {
        hub.verdicts.claim(Property::S0, true, String::new);
        match packet {
            Packet::Text('0', data) if self.phase == Phase::Opening => self.opened(&data, me, hub),
            Packet::Text('1', data) if data.is_empty() => return Err(Leave::Broken),
            Packet::Text('2', data) if data.is_empty() => {
                self.pinged_at = hub.now;
                self.queue.push(Packet::Text('3', String::new()));
            }
            Packet::Text('6', data) if data.is_empty() => {}
            Packet::Text('4', data) if self.partial.is_none() => match Message::parse(&data) {
                Ok(message) if message.attachments > 0 => {
                    self.partial = Some((message, Vec::new()));
                }
                Ok(message) => self.messages.push((message, Vec::new())),
                Err(why) => hub.verdicts.fail(Property::S0, why),
            },
            Packet::Binary(data) if self.partial.is_some() => self.attachment(data),
            other => hub.verdicts.fail(Property::S0, format!("{other:?} in {:?}", self.phase)),
        }
        Ok(())
    }

    fn attachment(&mut self, data: Vec<u8>) {
        if let Some((message, mut attachments)) = self.partial.take() {
            attachments.push(data);
            if attachments.len() == message.attachments {
                self.messages.push((message, attachments));
            } else {
                self.partial = Some((message, attachments));
            }
        }
    }

    fn opened(&mut self, data: &str, me: &Me, hub: &mut Hub) {
        self.pinged_at = hub.now;
        let number = |name| json::field(data, name).and_then(|text| text.parse::<u64>().ok());
        let fields = (
            json::field(data, "sid").and_then(json::plain),
            number("pingInterval"),
            number("pingTimeout"),
            json::field(data, "upgrades"),
        );
        let (Some(sid), Some(interval), Some(timeout), Some(upgrades)) = fields else {
            hub.verdicts.fail(Property::S0, format!("no open packet: {data:?}"));
            return;
        };
        self.sid = sid.into();
        self.beat = (interval + timeout) * 1000;
        // Binary packets grow by a third, and separators are not counted.
        let most = number("maxPayload").unwrap_or(u64::MAX) / 3;
        self.post_bytes_max = POST_BYTES_MAX.min(most as usize);
        let is_offered = upgrades == r#"["websocket"]"#;
        match me.kind {
            Kind::WebSocket => self.phase = Phase::WebSocket,
            Kind::Upgrading if is_offered && hub.now >= hub.profile.knock_at => {
                self.knock(me, hub);
            }
            Kind::Upgrading if is_offered => {
                self.phase = Phase::Polling;
                let pause = hub.profile.knock_at - hub.now;
                hub.timer(pause, me.number, me.life, Timer::Knock);
            }
            _ => self.phase = Phase::Polling,
        }
    }

    /// A connection has ended.
    pub(crate) fn end(&mut self, conn: usize, me: &Me, hub: &mut Hub) -> Result<(), Leave> {
        if self.ws.conn == Some(conn) {
            return self.candidate_failed(me, hub);
        }
        for line in [&mut self.copy, &mut self.second] {
            if line.conn == Some(conn) {
                line.leave(hub);
            }
        }
        for line in [&mut self.get, &mut self.post] {
            if line.conn == Some(conn) {
                let was_busy = line.is_busy;
                let has_heard = !line.received.is_empty();
                line.leave(hub);
                if was_busy {
                    // It asked while the server gave the idle connection up (RFC 9112, 9.3.1):
                    // nobody's fault.
                    if line.is_reused && !has_heard {
                        hub.liveness.excuse(me.number);
                    }
                    return Err(Leave::Broken);
                }
            }
        }
        Ok(())
    }

    pub(crate) fn leave(&mut self, leave: Leave, me: &Me, hub: &mut Hub) {
        let says_so = matches!(leave, Leave::Farewell | Leave::ForGood);
        if says_so && self.phase == Phase::WebSocket {
            let mut speech = Speech::default();
            speech.packets(self.queue.drain(..), me, hub);
            speech.frame(&ws::frame(ws::CLOSE, &[], 0), Unit::WsClose);
            if let Some(conn) = self.ws.conn.take() {
                speech.say(conn, hub);
            }
        } else if says_so && self.is_open() && !self.is_posting() {
            self.post(vec![Packet::Text('1', String::new())], me, hub);
        }
        let Self { get, post, ws, copy, second, .. } = self;
        for line in [get, post, ws, copy, second] {
            match (line.conn, leave) {
                (Some(conn), Leave::Reset) => hub.reset_by_client(conn),
                // The answer may still come; the server closes.
                (Some(_), Leave::Farewell | Leave::ForGood) if line.is_busy => continue,
                _ => {}
            }
            line.leave(hub);
        }
    }
}

/// Whether an answer is a good one. A 400 is none, and legal: the session has ended meanwhile. So
/// is a 503 where sessions are few.
fn is_taken(answer: &Answer, hub: &mut Hub) -> bool {
    let is_full = answer.status == 503 && hub.profile.are_sessions_few();
    if is_full {
        hub.marks.hit(Mark::HandshakeRefused);
    }
    let is_proxied = answer.status == 502 && !hub.profile.proxies.is_empty();
    let is_legal = matches!(answer.status, 200 | 400) || is_full || is_proxied;
    hub.verdicts.claim(Property::P1, is_legal, || format!("a request is answered {answer:?}"));
    answer.status == 200
}

fn frame(packet: &Packet, me: &Me, hub: &mut Hub) -> Vec<u8> {
    let mask = hub.choices.choose(me.masks, 1 << 32) as u32;
    match packet {
        Packet::Text(kind, data) => ws::frame(ws::TEXT, format!("{kind}{data}").as_bytes(), mask),
        Packet::Binary(data) => ws::frame(ws::BINARY, data, mask),
    }
}

/// Says packets on a WebSocket, in one write.
fn say_all(conn: usize, all: impl IntoIterator<Item = Packet>, me: &Me, hub: &mut Hub) {
    let mut speech = Speech::default();
    speech.packets(all, me, hub);
    speech.say(conn, hub);
}

/// Frames of one write, and what they mean.
#[derive(Default)]
struct Speech {
    bytes: Vec<u8>,
    units: Vec<(usize, Unit)>,
}

impl Speech {
    fn frame(&mut self, frame: &[u8], unit: Unit) {
        self.bytes.extend(frame);
        self.units.push((self.bytes.len(), unit));
    }

    fn packets(&mut self, all: impl IntoIterator<Item = Packet>, me: &Me, hub: &mut Hub) {
        for packet in all {
            self.frame(&frame(&packet, me, hub), Unit::Frame(packet));
        }
    }

    /// A ping of the WebSocket layer.
    fn ping(&mut self, mask: u32) {
        let payload = b"there?".to_vec();
        self.frame(&ws::frame(ws::PING, &payload, mask), Unit::WsPing(payload));
    }

    fn say(self, conn: usize, hub: &mut Hub) {
        hub.write(conn, &self.bytes, self.units);
    }
}

fn say_close(conn: usize, hub: &mut Hub) {
    let mut speech = Speech::default();
    speech.frame(&ws::frame(ws::CLOSE, &[], 0), Unit::WsClose);
    speech.say(conn, hub);
}

impl Line {
    fn request(&mut self, bytes: &[u8], unit: Unit, me: &Me, hub: &mut Hub) {
        self.send(bytes, [(bytes.len(), unit)], me, hub);
    }

    fn send(
        &mut self,
        bytes: &[u8],
        units: impl IntoIterator<Item = (usize, Unit)>,
        me: &Me,
        hub: &mut Hub,
    ) {
        if self.is_fresh {
            self.leave(hub);
        }
        let request = if self.is_fresh { http::closing(bytes) } else { bytes.to_vec() };
        let longer = request.len() - bytes.len();
        self.is_reused = self.conn.is_some();
        let conn = *self.conn.get_or_insert_with(|| hub.connect(me.number));
        self.is_busy = true;
        hub.write(conn, &request, units.into_iter().map(|(end, unit)| (end + longer, unit)));
    }

    /// The next answer; one that nobody asked for is an error.
    fn answer(&mut self, hub: &mut Hub) -> Result<Option<Answer>, Leave> {
        let answer = match http::answer(&mut self.received) {
            Ok(None) => return Ok(None),
            Ok(Some(answer)) if self.is_busy => answer,
            Ok(Some(answer)) => {
                hub.verdicts.fail(Property::P1, format!("nobody asked for {answer:?}"));
                return Err(Leave::Broken);
            }
            Err(why) => {
                hub.verdicts.fail(Property::P1, why);
                return Err(Leave::Broken);
            }
        };
        // RFC 9112, 9.6.
        let is_last = !self.is_fresh || answer.field("connection") == Some("close");
        hub.verdicts.claim(Property::P1, is_last, || {
            format!("a connection that was to be closed goes on after {answer:?}")
        });
        self.is_busy = std::mem::take(&mut self.is_posting);
        Ok(Some(answer))
    }

    fn leave(&mut self, hub: &mut Hub) {
        if let Some(conn) = self.conn.take() {
            hub.leave(conn);
        }
        self.received.clear();
        (self.is_busy, self.is_posting) = (false, false);
    }
}
