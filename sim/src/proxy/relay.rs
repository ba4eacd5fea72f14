//! Proxies that have connections of their own to the server: what a client sends goes on request by
//! request, and what comes back may be held until it is whole. Behind an upgrade they carry bytes.

use std::collections::{BTreeMap, VecDeque};

use crate::client::http;
use crate::client::unit::Unit;
use crate::hub::Hub;
use crate::marks::Mark;
use crate::net::{Arrived, Due, Read, Written};
use crate::proxy::Proxy;

/// Bytes towards the client from which on a proxy reads no more from the server.
const HELD_BYTES_MAX: usize = 64 << 10;
/// How often it sends a POST again.
const COPIES_MAX: u32 = 2;
/// One that sends again has no patience with one in so many.
const HASTY_ONE_IN: u64 = 50;

/// What a client hears when the server ends a connection instead of answering.
const NO_ANSWER: &[u8] =
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// All that proxies carry, by the connection to the client.
#[derive(Default)]
pub(crate) struct Relays {
    links: BTreeMap<usize, Link>,
    /// By the connection to the server.
    fronts: BTreeMap<usize, usize>,
}

struct Link {
    client: usize,
    proxy: Proxy,
    back: Option<usize>,
    /// From the client, and not gone on yet.
    up: Vec<u8>,
    /// What ends in it.
    units: VecDeque<(usize, Unit)>,
    bytes_in: u64,
    /// To the client, and without room in its connection.
    down: Vec<u8>,
    /// Of the answer that is awaited, as far as it has come.
    answer: Vec<u8>,
    state: State,
    /// The client writes no more.
    is_ended: bool,
}

enum State {
    /// No request is under way.
    Resting,
    /// Of this one the answer is awaited.
    Asked(Request),
    /// It carries bytes and asks nothing.
    Tunnel,
    Over,
}

struct Request {
    bytes: Vec<u8>,
    units: Vec<(usize, Unit)>,
    copies: u32,
}

impl Relays {
    /// A client's connection arrives.
    pub(crate) fn syn(&mut self, front: usize, hub: &mut Hub) {
        let client = hub.conns[front].client;
        let proxy = hub.profile.proxy(client);
        let link = Link {
            client,
            proxy,
            back: None,
            up: Vec::new(),
            units: VecDeque::new(),
            bytes_in: 0,
            down: Vec::new(),
            answer: Vec::new(),
            state: State::Resting,
            is_ended: false,
        };
        self.links.insert(front, link);
        self.readable(front, hub);
    }

    /// Something may have arrived from a client.
    pub(crate) fn readable(&mut self, front: usize, hub: &mut Hub) {
        let Some(link) = self.links.get_mut(&front) else { return };
        let mut bytes = Vec::new();
        loop {
            match hub.conns[front].up.read(usize::MAX, &mut bytes) {
                Read::Bytes(_) => {}
                Read::End => link.is_ended = true,
                Read::Lost => return self.lose(front, hub),
                Read::Nothing => break,
            }
        }
        hub.pump_up(front);
        let start = link.bytes_in;
        link.bytes_in += bytes.len() as u64;
        let notes = &mut hub.conns[front].notes;
        let before = link.up.len();
        while let Some((end, unit)) = notes.ends(link.bytes_in) {
            link.units.push_back((before + (end - start) as usize, unit));
        }
        link.up.extend(bytes);
        self.go_on(front, hub);
    }

    /// The client's connection is dead.
    pub(crate) fn reset(&mut self, front: usize, hub: &mut Hub) {
        hub.hit(front, crate::trace::Dir::Up);
        self.readable(front, hub);
    }

    fn lose(&mut self, front: usize, hub: &mut Hub) {
        let Some(link) = self.links.get_mut(&front) else { return };
        link.state = State::Over;
        if let Some(back) = link.back.take() {
            hub.reset_by_client(back);
        }
    }

    /// The kernel wanted to be reminded of something about a client's connection.
    pub(crate) fn due(&mut self, front: usize, hub: &mut Hub) {
        match hub.conns[front].down.due(hub.now) {
            Some(Due::Room) => self.write(front, hub),
            Some(Due::TimedOut) if hub.conns[front].server_end().time_out() == Arrived::Reset => {
                self.lose(front, hub);
            }
            Some(Due::TimedOut) | None => {}
        }
        hub.pump_down(front);
    }

    /// Bytes of the server, and whether it has ended the connection.
    pub(crate) fn bytes(&mut self, back: usize, bytes: &[u8], is_end: bool, hub: &mut Hub) {
        let Some(&front) = self.fronts.get(&back) else { return };
        let Some(link) = self.links.get_mut(&front).filter(|link| link.back == Some(back)) else {
            return;
        };
        link.take(bytes, hub);
        if is_end {
            link.back = None;
            hub.leave(back);
            self.ended(front, hub);
        }
        self.write(front, hub);
        self.go_on(front, hub);
    }

    /// The server has ended its connection.
    fn ended(&mut self, front: usize, hub: &mut Hub) {
        let Some(link) = self.links.get_mut(&front) else { return };
        let state = std::mem::replace(&mut link.state, State::Over);
        let State::Asked(mut request) = state else { return };
        if link.may_repeat(&request) && !hub.is_healed {
            hub.marks.hit(Mark::Retried);
            if let Some((_, Unit::PostHead { session })) = request.units.first() {
                hub.rules.copied(*session);
            }
            request.copies += 1;
            self.ask(front, request, hub);
        } else if link.answer.is_empty() {
            link.down.extend(NO_ANSWER);
        }
    }

    fn ask(&mut self, front: usize, request: Request, hub: &mut Hub) {
        let Some(link) = self.links.get_mut(&front) else { return };
        let back = *link.back.get_or_insert_with(|| hub.connect_back(link.client));
        self.fronts.insert(back, front);
        hub.write(back, &request.bytes, request.units.iter().cloned());
        link.answer.clear();
        let is_hasty = link.may_repeat(&request)
            && !hub.is_healed
            && hub.choices.happens(hub.conns[front].stream, 1, HASTY_ONE_IN);
        link.state = State::Asked(request);
        if is_hasty {
            link.back = None;
            hub.reset_by_client(back);
            self.ended(front, hub);
        }
    }

    /// Whatever can go on does.
    fn go_on(&mut self, front: usize, hub: &mut Hub) {
        loop {
            let Some(link) = self.links.get_mut(&front) else { return };
            match link.state {
                State::Resting => {
                    let Some(request) = link.request() else { break };
                    self.ask(front, request, hub);
                }
                State::Tunnel => {
                    if let (Some(back), false) = (link.back, link.up.is_empty()) {
                        let bytes = std::mem::take(&mut link.up);
                        hub.write(back, &bytes, link.units.drain(..));
                    }
                    break;
                }
                State::Asked(_) | State::Over => break,
            }
        }
        self.part(front, hub);
    }

    /// Ends what is to be ended.
    fn part(&mut self, front: usize, hub: &mut Hub) {
        let Some(link) = self.links.get_mut(&front) else { return };
        let is_resting = matches!(link.state, State::Resting | State::Tunnel);
        if link.is_ended && is_resting {
            link.state = State::Over;
            link.back.take().into_iter().for_each(|back| hub.leave(back));
        }
        if matches!(link.state, State::Over) && link.down.is_empty() {
            hub.conns[front].server_end().close();
            hub.pump_down(front);
        }
    }

    fn write(&mut self, front: usize, hub: &mut Hub) {
        let Some(link) = self.links.get_mut(&front) else { return };
        let now = hub.now;
        match hub.conns[front].server_end().write(now, &link.down) {
            Written::Taken(bytes) => drop(link.down.drain(..bytes)),
            Written::Failed => link.down.clear(),
        }
        hub.pump_down(front);
        let Some(back) = link.back else { return self.part(front, hub) };
        let (is_full, was_full) = (link.down.len() > HELD_BYTES_MAX, hub.conns[back].is_deaf);
        hub.conns[back].is_deaf = is_full;
        if was_full && !is_full {
            let (bytes, is_end) = hub.read_down(back);
            self.bytes(back, &bytes, is_end, hub);
        }
    }
}

impl Link {
    /// The next request, if all of it is there.
    fn request(&mut self) -> Option<Request> {
        let length = whole(&self.up)?;
        let bytes = self.up.drain(..length).collect();
        let ends = std::iter::from_fn(|| self.units.pop_front_if(|(end, _)| *end <= length));
        let units = ends.collect();
        self.units.iter_mut().for_each(|(end, _)| *end -= length);
        Some(Request { bytes, units, copies: 0 })
    }

    /// Whether it is a POST that is sent again if its connection ends. A CONNECT that is refused,
    /// and then not, would surprise its client.
    fn may_repeat(&self, request: &Request) -> bool {
        let joins = request.units.iter().any(|(_, unit)| unit.joins());
        let is_post = request.bytes.starts_with(b"POST") && !joins;
        let is_new = request.copies < COPIES_MAX && self.answer.is_empty();
        self.proxy == Proxy::Retrying && is_post && is_new
    }

    /// What the server says.
    fn take(&mut self, bytes: &[u8], hub: &mut Hub) {
        if !matches!(self.state, State::Asked(_)) {
            self.down.extend(bytes);
            return;
        }
        self.answer.extend(bytes);
        let is_buffering = self.proxy == Proxy::Buffering;
        if !is_buffering {
            self.down.extend(bytes);
        }
        let Some(length) = whole(&self.answer) else { return };
        if is_buffering {
            hub.marks.hit(Mark::Buffered);
            self.down.extend(&self.answer);
        }
        let is_switched = self.answer.starts_with(b"HTTP/1.1 101");
        debug_assert!(is_switched || length == self.answer.len(), "one request, one answer");
        self.state = if is_switched { State::Tunnel } else { State::Resting };
        self.answer.clear();
    }
}

/// How long a message of HTTP is that says its length, once all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let end = http::head_end(bytes)? + 4;
    let length = end + http::body_bytes(&bytes[..end]);
    (bytes.len() >= length).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_whole_with_the_last_byte_of_its_body() {
        let post = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET";
        assert_eq!(whole(&post[..post.len() - 4]), None);
        assert_eq!(whole(post), Some(post.len() - 3));
        assert_eq!(whole(b"GET / HTTP/1.1\r\n\r\n"), Some(18));
        assert_eq!(whole(b"GET / HTTP/1.1\r\n\r"), None);
    }

    #[test]
    fn requests_keep_what_they_mean() {
        let mut link = Link {
            client: 0,
            proxy: Proxy::Buffering,
            back: None,
            up: b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET".to_vec(),
            units: [18, 36].map(|end| (end, Unit::Get { session: end as u64 })).into(),
            bytes_in: 39,
            down: Vec::new(),
            answer: Vec::new(),
            state: State::Resting,
            is_ended: false,
        };
        for session in [18, 36] {
            let request = link.request().unwrap();
            assert_eq!(request.units, [(18, Unit::Get { session })]);
        }
        assert!(link.request().is_none());
    }
}
