//! One direction of a connection: a sender's buffer, a wire and a receiver's buffer.

use std::collections::VecDeque;

use super::Shape;
use crate::choice::{Choices, Stream};

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
    /// What has arrived and the sender does not know of yet: when it will, and how many bytes.
    acks: VecDeque<(u64, usize)>,
    acks_bytes: usize,
    wire_free_at: u64,
    arrival_last: u64,
    stalled_until: u64,
    tail: Tail,
    head: Head,
    /// The connection is dead to the receiver.
    is_lost: bool,
    refusal: Refusal,
    window: Window,
    is_broken: bool,
    /// Nobody has acknowledged anything for too long from then on.
    doom: Option<u64>,
}

#[derive(Debug)]
struct Segment {
    bytes: Vec<u8>,
    kind: Kind,
}

/// What a segment is besides its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing.
    Bytes,
    /// The end.
    End,
    /// A reset.
    Reset,
}

/// The sender's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    Open,
    /// No more is written; the end goes out behind what waits.
    Ending,
    Ended,
    /// A reset goes out.
    Resetting,
    /// Nothing goes out any more.
    Dead,
}

/// The receiver's side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    Open,
    /// The end has arrived; read once what is unread is read.
    Ended,
    /// The end was read, or that the connection is dead.
    Done,
    /// The receiver has closed: nobody reads.
    Closed,
}

/// Whether the sender waits for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    None,
    /// It was refused, and nobody knows when there will be room.
    Waiting,
    /// The time is known and told.
    Due,
}

/// What the sender knows of the receiver's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Window {
    Open,
    /// It is full, as far as the sender knows.
    Shut,
    /// There is room, and the news is to go out.
    Opening,
    /// The news of room arrives then: no faster than anything else.
    OpenAt(u64),
}

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Bytes(usize),
    /// The end; told once.
    End,
    /// The connection is dead; told once.
    Lost,
    /// Nothing yet, or no more.
    Nothing,
}

/// What a direction wanted to be reminded of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// The writer, who was refused, is to be told of room.
    Room,
    /// The other end has not answered for too long: the connection is dead to the writer.
    TimedOut,
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
            acks: VecDeque::new(),
            acks_bytes: 0,
            wire_free_at: 0,
            arrival_last: opened_at,
            stalled_until: 0,
            tail: Tail::Open,
            head: Head::Open,
            is_lost: false,
            refusal: Refusal::None,
            window: Window::Open,
            is_broken: false,
            doom: None,
        }
    }

    /// How many of so many bytes would be taken.
    pub fn room(&mut self, now: u64) -> usize {
        while let Some((_, bytes)) = self.acks.pop_front_if(|(at, _)| *at <= now) {
            self.acks_bytes -= bytes;
        }
        let used = self.waiting.len() + self.flight_bytes + self.acks_bytes;
        if self.is_open() { self.shape.buffer_bytes.saturating_sub(used) } else { 0 }
    }

    /// Takes what fits. Less than everything is a refusal, after which room is told.
    pub fn write(&mut self, now: u64, bytes: &[u8]) -> usize {
        let taken = bytes.len().min(self.room(now));
        self.waiting.extend(&bytes[..taken]);
        self.refusal = if taken < bytes.len() { Refusal::Waiting } else { Refusal::None };
        taken
    }

    /// A write that is refused, whatever room there is.
    pub fn refuse(&mut self) {
        self.refusal = Refusal::Waiting;
    }

    /// No more is written.
    pub fn shut(&mut self) {
        if self.tail == Tail::Open {
            self.tail = Tail::Ending;
        }
    }

    /// Whether the writer may still write.
    pub fn is_open(&self) -> bool {
        self.tail == Tail::Open
    }

    /// Nothing departs until then.
    pub fn stall(&mut self, until: u64) {
        self.stalled_until = self.stalled_until.max(until);
    }

    /// Whatever is under way or will be written vanishes; nobody is told, unless the writer's
    /// patience ends.
    pub fn cut(&mut self) {
        self.is_broken = true;
    }

    /// What waits is gone, and a reset goes out.
    pub(super) fn reset(&mut self) {
        if self.tail != Tail::Dead {
            self.waiting.clear();
            self.tail = Tail::Resetting;
        }
    }

    /// What waits is gone, and nothing goes out any more.
    pub(super) fn die(&mut self) {
        self.waiting.clear();
        self.tail = Tail::Dead;
    }

    /// Whether nothing goes out any more.
    pub(super) fn is_dead(&self) -> bool {
        self.tail == Tail::Dead
    }

    /// Nobody reads any more. Says whether there was something to read.
    pub(super) fn desert(&mut self) -> bool {
        self.head = Head::Closed;
        !std::mem::take(&mut self.unread).is_empty()
    }

    /// The reader has closed.
    pub(super) fn is_deserted(&self) -> bool {
        self.head == Head::Closed
    }

    /// The connection has died. By a reset it may take with it what is unread.
    pub(super) fn lose(&mut self, is_reset: bool) {
        if is_reset && self.shape.is_flushed_by_reset {
            self.unread.clear();
            if self.head == Head::Ended {
                self.head = Head::Open;
            }
        }
        self.is_lost = true;
    }

    /// Whether the connection is dead to the reader, told or not. Once the end was read, no read
    /// tells.
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Puts onto the wire what window and wire allow; tells when each segment arrives.
    pub fn pump(&mut self, now: u64, choices: &mut Choices, mut arrives: impl FnMut(u64)) {
        while !self.is_broken {
            let window =
                self.shape.window_bytes.saturating_sub(self.flight_bytes + self.unread.len());
            let kind = match self.tail {
                Tail::Resetting => Kind::Reset,
                Tail::Open | Tail::Ending if !self.waiting.is_empty() => Kind::Bytes,
                Tail::Ending => Kind::End,
                _ => break,
            };
            if kind == Kind::Bytes && !self.is_window_open(window) {
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
            let (first, second) = self.waiting.as_slices();
            let split = length.min(first.len());
            let bytes = [&first[..split], &second[..length - split]].concat();
            self.waiting.drain(..length);
            self.flight.push_back(Segment { bytes, kind });
            match kind {
                Kind::Bytes => {}
                Kind::End => self.tail = Tail::Ended,
                Kind::Reset => self.tail = Tail::Dead,
            }
            arrives(self.arrival_last);
        }
    }

    fn is_window_open(&mut self, window: usize) -> bool {
        self.window = match self.window {
            Window::Open if window == 0 => Window::Shut,
            Window::Shut if window > 0 => Window::Opening,
            window => window,
        };
        self.window == Window::Open
    }

    /// When to ask for what is [`due`](Self::due), as long as there is news of that. To be called
    /// after each [`pump`](Self::pump).
    pub fn reminder(&mut self, now: u64) -> Option<u64> {
        if self.is_broken {
            let is_owing = !self.waiting.is_empty() || !self.flight.is_empty();
            let is_waiting = self.doom.is_none() && self.tail != Tail::Dead && is_owing;
            let patience = self.shape.patience.filter(|_| is_waiting)?;
            self.doom = Some(now + patience);
            return self.doom;
        }
        if self.window == Window::Opening {
            let at = now + self.shape.latency;
            self.window = Window::OpenAt(at);
            return Some(at);
        }
        if self.refusal != Refusal::Waiting {
            return None;
        }
        let (mut room, edge) = (self.room(now), self.edge_bytes());
        let mut acks = self.acks.iter();
        let mut at = now;
        while room < edge {
            let bytes;
            (at, bytes) = *acks.next()?;
            room += bytes;
        }
        self.refusal = Refusal::Due;
        Some(at)
    }

    /// What is due now, told once. To be pumped afterwards.
    pub fn due(&mut self, now: u64) -> Option<Due> {
        if self.doom.is_some_and(|doom| doom <= now) && self.tail != Tail::Dead {
            return Some(Due::TimedOut);
        }
        if matches!(self.window, Window::OpenAt(at) if at <= now) {
            self.window = Window::Open;
        }
        if self.refusal == Refusal::Due {
            self.refusal = Refusal::Waiting;
        }
        let is_room = self.refusal == Refusal::Waiting && self.room(now) >= self.edge_bytes();
        if is_room {
            self.refusal = Refusal::None;
        }
        is_room.then_some(Due::Room)
    }

    fn edge_bytes(&self) -> usize {
        self.shape.edge_bytes.clamp(1, self.shape.buffer_bytes)
    }

    /// The bytes of the segment that was put onto the wire last but so many, and what it is
    /// besides.
    pub fn under_way(&self, last_but: usize) -> Option<(usize, Kind)> {
        self.flight.iter().rev().nth(last_but).map(|segment| (segment.bytes.len(), segment.kind))
    }

    /// The same of the segment that arrives next.
    pub fn arriving(&self) -> Option<(usize, Kind)> {
        self.flight.front().map(|segment| (segment.bytes.len(), segment.kind))
    }

    /// The first segment under way arrives, unless it has vanished.
    pub(super) fn arrive(&mut self, now: u64) -> Option<(Vec<u8>, Kind)> {
        let segment = self.flight.pop_front_if(|_| !self.is_broken)?;
        let bytes = segment.bytes.len();
        self.flight_bytes -= bytes;
        if bytes > 0 {
            // None overtakes another where the latency has become less.
            let last = self.acks.back().map_or(0, |&(at, _)| at);
            self.acks.push_back((last.max(now + self.shape.latency), bytes));
            self.acks_bytes += bytes;
        }
        Some((segment.bytes, segment.kind))
    }

    /// What has arrived is there to be read.
    pub(super) fn keep(&mut self, bytes: &[u8], is_end: bool) {
        if self.head == Head::Open {
            self.unread.extend(bytes);
            if is_end {
                self.head = Head::Ended;
            }
        }
    }

    /// Reads at most `most` bytes to the end of `into`.
    pub fn read(&mut self, most: usize, into: &mut Vec<u8>) -> Read {
        if !self.unread.is_empty() {
            let length = most.min(self.unread.len());
            into.extend_from_slice(&self.unread[..length]);
            self.unread.drain(..length);
            return Read::Bytes(length);
        }
        let read = match self.head {
            Head::Ended => Read::End,
            Head::Open if self.is_lost => Read::Lost,
            _ => return Read::Nothing,
        };
        self.head = Head::Done;
        read
    }

    /// Whether a read would give something.
    pub fn is_readable(&self) -> bool {
        let is_over = self.head == Head::Ended || self.head == Head::Open && self.is_lost;
        is_over || !self.unread.is_empty()
    }

    /// Bytes that have arrived and were not read.
    pub fn unread(&self) -> usize {
        self.unread.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{Arrived, End, Written, stall};

    const SHAPE: Shape = Shape {
        latency: 1000,
        jitter: 500,
        bandwidth: 1_000_000,
        segment_bytes: 100,
        is_cut: true,
        buffer_bytes: 300,
        window_bytes: 200,
        edge_bytes: 100,
        is_flushed_by_reset: false,
        patience: Some(stall(4)),
    };

    /// A direction with its clock, and what it has announced.
    struct Line {
        choices: Choices,
        pipe: Pipe,
        back: Pipe,
        now: u64,
        arrivals: VecDeque<u64>,
        reminders: Vec<u64>,
    }

    impl Line {
        fn new(shape: Shape) -> Self {
            let mut choices = Choices::new(1);
            let (there, back) = (choices.stream("there", 0), choices.stream("back", 0));
            let (pipe, back) = (Pipe::new(shape, there, 0), Pipe::new(shape, back, 0));
            Self { choices, pipe, back, now: 0, arrivals: VecDeque::new(), reminders: Vec::new() }
        }

        fn pump(&mut self) {
            self.pipe.pump(self.now, &mut self.choices, |at| self.arrivals.push_back(at));
            while let Some(at) = self.pipe.reminder(self.now) {
                self.reminders.push(at);
            }
        }

        /// The next arrival or reminder; false if there is none.
        fn step(&mut self) -> Option<Due> {
            self.reminders.sort_unstable();
            let reminder = self.reminders.first().copied();
            let due = match (self.arrivals.front().copied(), reminder) {
                (Some(arrival), Some(reminder)) if reminder < arrival => Err(reminder),
                (Some(arrival), _) => Ok(arrival),
                (None, Some(reminder)) => Err(reminder),
                (None, None) => return None,
            };
            let told = match due {
                Ok(at) => {
                    assert!(at >= self.now, "no overtaking");
                    self.now = at;
                    self.arrivals.pop_front();
                    End { reads: &mut self.pipe, writes: &mut self.back }.arrive(at);
                    None
                }
                Err(at) => {
                    self.now = at;
                    self.reminders.remove(0);
                    self.pipe.due(at)
                }
            };
            self.pump();
            told
        }
    }

    #[test]
    fn bytes_arrive_in_order_in_pieces_within_window_and_buffer() {
        let mut line = Line::new(SHAPE);
        let sent: Vec<u8> = (0..=255).chain(0..=143).collect();
        let mut written = line.pipe.write(0, &sent);
        assert_eq!(written, 300, "the buffer is full");
        line.pump();
        let mut got = Vec::new();
        while got.len() < 400 {
            if line.step() == Some(Due::Room) {
                let now = line.now;
                assert!(line.pipe.room(now) >= 100, "told at a third");
                written += line.pipe.write(now, &sent[written..]);
            }
            assert!(line.pipe.unread() <= 200, "the window holds");
            line.pipe.read(40, &mut got);
            line.pump();
        }
        assert_eq!(got, sent);
    }

    #[test]
    fn acknowledgements_do_not_overtake_where_the_latency_becomes_less() {
        let shape = Shape { jitter: 0, is_cut: false, buffer_bytes: 200, edge_bytes: 150, ..SHAPE };
        let mut line = Line::new(shape);
        assert_eq!(line.pipe.write(0, &[1; 201]), 200);
        line.pump();
        line.step();
        assert_eq!((line.now, &line.arrivals), (1100, &VecDeque::from([1200])));
        line.pipe.shape.latency = 0;
        let told: Vec<_> = std::iter::from_fn(|| Some((line.step(), line.now))).take(2).collect();
        assert_eq!(told, [(None, 1200), (Some(Due::Room), 2100)]);
    }

    #[test]
    fn room_is_told_when_the_acknowledgement_is_back() {
        let shape = Shape { jitter: 0, is_cut: false, window_bytes: 300, ..SHAPE };
        let mut line = Line::new(shape);
        assert_eq!(line.pipe.write(0, &[1; 301]), 300);
        line.pump();
        assert_eq!(line.arrivals, [1100, 1200, 1300]);
        line.step();
        assert_eq!((line.now, &line.reminders[..]), (1100, &[2100][..]));
        assert_eq!(line.pipe.room(2099), 0);
        line.step();
        line.step();
        assert_eq!(line.step(), Some(Due::Room));
        assert_eq!((line.now, line.pipe.room(2100)), (2100, 100));
        assert_eq!(line.step(), None);
    }

    #[test]
    fn a_window_that_was_shut_opens_a_latency_after_the_read() {
        let mut line = Line::new(Shape { jitter: 0, is_cut: false, ..SHAPE });
        line.pipe.write(0, &[1; 250]);
        line.pump();
        while line.step().is_some() || !line.arrivals.is_empty() {}
        assert_eq!(line.pipe.unread(), 200, "and no more comes");
        line.now = 9000;
        line.pipe.read(200, &mut Vec::new());
        line.pump();
        assert_eq!((line.arrivals.len(), &line.reminders[..]), (0, &[10_000][..]));
        line.step();
        assert_eq!(line.arrivals, [11_050]);
    }

    #[test]
    fn the_end_comes_behind_the_bytes_and_once() {
        let mut line = Line::new(SHAPE);
        line.pipe.write(0, b"ab");
        line.pipe.shut();
        assert_eq!(line.pipe.write(0, b"c"), 0);
        line.pump();
        (0..line.arrivals.len()).for_each(|_| assert_eq!(line.step(), None));
        let mut got = Vec::new();
        assert_eq!(line.pipe.read(9, &mut got), Read::Bytes(2));
        assert_eq!(line.pipe.read(9, &mut got), Read::End);
        assert_eq!(line.pipe.read(9, &mut got), Read::Nothing);
    }

    #[test]
    fn what_is_stalled_comes_late_and_what_is_cut_never() {
        let mut line = Line::new(Shape { is_cut: false, ..SHAPE });
        line.pipe.write(0, &[1; 150]);
        line.pipe.stall(5000);
        line.pump();
        assert!(line.arrivals[0] >= 6000, "stalled");
        line.step();
        line.pipe.cut();
        line.pump();
        let (dies_at, arrival) = (line.reminders[0], line.now);
        assert_eq!(dies_at, arrival + 3_000_000, "after four times in vain");
        line.step();
        assert_eq!((line.pipe.unread(), line.now < dies_at), (100, true));
        assert_eq!(line.step(), Some(Due::TimedOut));
        let mut end = End { reads: &mut line.back, writes: &mut line.pipe };
        assert_eq!(end.time_out(), Arrived::Reset);
        assert_eq!(end.write(dies_at, b"x"), Written::Failed);
        assert_eq!(end.reads.read(9, &mut Vec::new()), Read::Lost);
        assert_eq!((line.step(), line.pipe.due(u64::MAX)), (None, None), "told once");
    }
}
