//! Virtual TCP: one [`Pipe`] for each direction of a connection. It keeps bytes and says when they
//! arrive; the world keeps the time.

use std::collections::VecDeque;

use crate::choice::{Choices, Stream};

/// How one direction behaves. Times are microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// From the wire to the other end, at least.
    pub latency: u64,
    /// Up to so much more, drawn for each segment; segments do not overtake each other.
    pub jitter: u64,
    /// Bytes a second.
    pub bandwidth: u64,
    /// Segments are 1 to so many bytes long, if they are drawn.
    pub segment_bytes: usize,
    /// Whether the length of segments is drawn; else each is as long as it can be.
    pub is_cut: bool,
    /// The sender's buffer: bytes not yet acknowledged.
    pub buffer_bytes: usize,
    /// The receiver's: bytes under way or not yet read.
    pub window_bytes: usize,
    /// After a refusal, room is told from so many free bytes on.
    pub edge_bytes: usize,
}

/// One direction of a connection.
#[derive(Debug)]
pub struct Pipe {
    /// How it behaves from now on.
    pub shape: Shape,
    stream: Stream,
    waiting: VecDeque<u8>,
    flight: VecDeque<Segment>,
    flight_bytes: usize,
    unread: Vec<u8>,
    wire_free_at: u64,
    arrival_last: u64,
    stalled_until: u64,
    end: End,
    is_refused: bool,
    is_broken: bool,
}

#[derive(Debug)]
struct Segment {
    bytes: Vec<u8>,
    is_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// No more is written; the end goes out behind what waits.
    Shut,
    Flying,
    /// It has arrived; read once what is unread is read.
    Arrived,
    Read,
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Bytes(usize),
    /// The end; told once.
    End,
    /// Nothing yet, or no more.
    Nothing,
}

impl Pipe {
    /// A direction in which nothing arrives before `opened_at`.
    pub fn new(shape: Shape, stream: Stream, opened_at: u64) -> Self {
        Self {
            shape,
            stream,
            waiting: VecDeque::new(),
            flight: VecDeque::new(),
            flight_bytes: 0,
            unread: Vec::new(),
            wire_free_at: 0,
            arrival_last: opened_at,
            stalled_until: 0,
            end: End::Open,
            is_refused: false,
            is_broken: false,
        }
    }

    /// How many of so many bytes would be taken.
    pub fn room(&self) -> usize {
        let used = self.waiting.len() + self.flight_bytes;
        if self.end == End::Open { self.shape.buffer_bytes.saturating_sub(used) } else { 0 }
    }

    /// Takes what fits. Less than everything is a refusal, after which an edge comes.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room());
        self.waiting.extend(&bytes[..taken]);
        self.is_refused = taken < bytes.len();
        taken
    }

    /// A write that is refused, whatever room there is.
    pub fn refuse(&mut self) {
        self.is_refused = true;
    }

    /// No more is written.
    pub fn shut(&mut self) {
        if self.end == End::Open {
            self.end = End::Shut;
        }
    }

    /// Whether the writer has said that it is done.
    pub fn is_shut(&self) -> bool {
        self.end != End::Open
    }

    /// Nothing departs until then.
    pub fn stall(&mut self, until: u64) {
        self.stalled_until = self.stalled_until.max(until);
    }

    /// Whatever is under way or will be written vanishes; nobody is told.
    pub fn cut(&mut self) {
        self.is_broken = true;
    }

    /// Everything that the reader has not read is gone: a reset.
    pub fn discard(&mut self) {
        self.unread.clear();
        self.waiting.clear();
        self.end = End::Read;
    }

    /// Puts onto the wire what window and wire allow; tells when each segment arrives.
    pub fn pump(&mut self, now: u64, choices: &mut Choices, mut arrives: impl FnMut(u64)) {
        while !self.is_broken {
            let window =
                self.shape.window_bytes.saturating_sub(self.flight_bytes + self.unread.len());
            let is_end = self.waiting.is_empty();
            if is_end && self.end != End::Shut || !is_end && window == 0 {
                break;
            }
            let most = self.waiting.len().min(window).min(self.shape.segment_bytes);
            let length = match most {
                2.. if self.shape.is_cut => choices.down(self.stream, most as u64, 1) as usize,
                _ => most,
            };
            let jitter = choices.choose(self.stream, self.shape.jitter + 1);
            let departs = now.max(self.wire_free_at).max(self.stalled_until);
            self.wire_free_at = departs + length as u64 * 1_000_000 / self.shape.bandwidth.max(1);
            let arrival = self.wire_free_at + self.shape.latency + jitter;
            self.arrival_last = self.arrival_last.max(arrival);
            self.flight_bytes += length;
            let bytes = self.waiting.drain(..length).collect();
            self.flight.push_back(Segment { bytes, is_end });
            if is_end {
                self.end = End::Flying;
            }
            arrives(self.arrival_last);
        }
    }

    /// The bytes of the segment that was put onto the wire last but so many, and whether it is the
    /// end.
    pub fn under_way(&self, last_but: usize) -> Option<(usize, bool)> {
        self.flight.iter().rev().nth(last_but).map(|segment| (segment.bytes.len(), segment.is_end))
    }

    /// The same of the segment that arrives next.
    pub fn arriving(&self) -> Option<(usize, bool)> {
        self.flight.front().map(|segment| (segment.bytes.len(), segment.is_end))
    }

    /// The first segment under way arrives. Says whether there is something to read now.
    pub fn arrive(&mut self) -> bool {
        let Some(segment) = self.flight.pop_front().filter(|_| !self.is_broken) else {
            return false;
        };
        self.flight_bytes -= segment.bytes.len();
        if self.end == End::Read {
            return false;
        }
        self.unread.extend(segment.bytes);
        if segment.is_end {
            self.end = End::Arrived;
        }
        true
    }

    /// Whether the writer, who was refused, is to be told of room; true once.
    pub fn edge(&mut self) -> bool {
        let is_edge = self.is_refused && self.room() >= self.shape.edge_bytes.max(1);
        self.is_refused &= !is_edge;
        is_edge
    }

    /// Reads at most `most` bytes to the end of `into`.
    pub fn read(&mut self, most: usize, into: &mut Vec<u8>) -> Read {
        if self.unread.is_empty() {
            if self.end == End::Arrived {
                self.end = End::Read;
                return Read::End;
            }
            return Read::Nothing;
        }
        let length = most.min(self.unread.len());
        into.extend(self.unread.drain(..length));
        Read::Bytes(length)
    }

    /// Whether a read would give something.
    pub fn is_readable(&self) -> bool {
        !self.unread.is_empty() || self.end == End::Arrived
    }

    /// Bytes that have arrived and were not read.
    pub fn unread(&self) -> usize {
        self.unread.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        latency: 1000,
        jitter: 500,
        bandwidth: 1_000_000,
        segment_bytes: 100,
        is_cut: true,
        buffer_bytes: 300,
        window_bytes: 200,
        edge_bytes: 100,
    };

    fn pipe(shape: Shape) -> (Choices, Pipe, Vec<u64>) {
        let mut choices = Choices::new(1);
        let stream = choices.stream("link", 0);
        (choices, Pipe::new(shape, stream, 0), Vec::new())
    }

    #[test]
    fn bytes_arrive_in_order_in_pieces_within_window_and_buffer() {
        let (mut choices, mut pipe, mut at) = pipe(SHAPE);
        let sent: Vec<u8> = (0..=255).chain(0..=143).collect();
        assert_eq!(pipe.write(&sent), 300, "the buffer is full");
        let mut got = Vec::new();
        let mut now = 0;
        pipe.pump(now, &mut choices, |t| at.push(t));
        let mut written = 300;
        while let Some(first) = (!at.is_empty()).then(|| at.remove(0)) {
            assert!(first >= now + u64::from(now == 0) * 1000, "no overtaking, latency kept");
            now = first;
            assert!(pipe.arrive());
            assert!(pipe.unread() <= 200, "the window holds");
            if pipe.unread() > 50 {
                pipe.read(40, &mut got);
            }
            if pipe.edge() {
                assert!(pipe.room() >= 100, "told at a third");
                written += pipe.write(&sent[written..]);
            }
            pipe.pump(now, &mut choices, |t| at.push(t));
            if at.is_empty() {
                while let Read::Bytes(_) = pipe.read(1000, &mut got) {}
                pipe.pump(now, &mut choices, |t| at.push(t));
            }
        }
        assert_eq!(got, sent);
    }

    #[test]
    fn the_end_comes_behind_the_bytes_and_once() {
        let (mut choices, mut pipe, _) = pipe(SHAPE);
        pipe.write(b"ab");
        pipe.shut();
        assert_eq!(pipe.write(b"c"), 0);
        let mut arrivals = 0;
        pipe.pump(0, &mut choices, |_| arrivals += 1);
        (0..arrivals).for_each(|_| assert!(pipe.arrive()));
        let mut got = Vec::new();
        assert_eq!(pipe.read(9, &mut got), Read::Bytes(2));
        assert_eq!(pipe.read(9, &mut got), Read::End);
        assert_eq!(pipe.read(9, &mut got), Read::Nothing);
    }

    #[test]
    fn a_reset_loses_what_is_unread_and_a_cut_what_is_under_way() {
        let (mut choices, mut pipe, mut at) = pipe(Shape { is_cut: false, ..SHAPE });
        pipe.write(&[1; 150]);
        pipe.stall(5000);
        pipe.pump(0, &mut choices, |t| at.push(t));
        assert!(at[0] >= 6000, "stalled");
        pipe.arrive();
        assert_eq!(pipe.unread(), 100);
        pipe.cut();
        assert!(!pipe.arrive());
        assert_eq!(pipe.unread(), 100);
        pipe.discard();
        assert!(!pipe.is_readable());
    }
}
