//! A connection over the simulator's network, on a link whose shape is drawn.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use parlor_sim::choice::{Choices, Stream};
use parlor_sim::net::{Arrived, Due, End, Pipe, Read, Shape, Written};

use crate::script::{Got, Network};

#[derive(Debug)]
pub(crate) struct Simulated {
    now: u64,
    seq: u64,
    choices: Choices,
    steps: Stream,
    /// By who writes into it.
    pipes: [Pipe; 2],
    queue: BinaryHeap<Reverse<(u64, u64, Event)>>,
    is_room: [bool; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrival(usize),
    Reminder(usize),
}

impl Simulated {
    pub(crate) fn new(seed: u64) -> Self {
        let mut choices = Choices::new(seed);
        let stream = choices.stream("shape", 0);
        let buffer_bytes = 1024 << choices.choose(stream, 4);
        let shape = Shape {
            latency: choices.choose(stream, 50_000),
            jitter: choices.choose(stream, 5000),
            bandwidth: 10_000 << choices.choose(stream, 12),
            segment_bytes: 16 << choices.choose(stream, 8),
            is_cut: choices.happens(stream, 1, 2),
            buffer_bytes,
            window_bytes: buffer_bytes,
            edge_bytes: [1, buffer_bytes / 3][choices.choose(stream, 2) as usize],
            is_flushed_by_reset: choices.happens(stream, 1, 2),
            patience: None,
        };
        let pipes = [0, 1].map(|side| Pipe::new(shape, choices.stream("pipe", side), 0));
        let steps = choices.stream("steps", 0);
        let queue = BinaryHeap::new();
        Self { now: 0, seq: 0, choices, steps, pipes, queue, is_room: [false; 2] }
    }

    fn end(&mut self, side: usize) -> End<'_> {
        let [first, second] = &mut self.pipes;
        match side {
            0 => End { reads: second, writes: first },
            _ => End { reads: first, writes: second },
        }
    }

    /// From one step to the next nothing happens, something, or all that can.
    fn dawdle(&mut self) {
        let most = [0, 3, usize::MAX][self.choices.choose(self.steps, 3) as usize];
        for _ in 0..most {
            if !self.wait() {
                break;
            }
        }
    }

    fn pump(&mut self, side: usize) {
        let Self { now, seq, choices, pipes, queue, .. } = self;
        let mut push = |at, event| {
            *seq += 1;
            queue.push(Reverse((at, *seq, event)));
        };
        pipes[side].pump(*now, choices, |at| push(at, Event::Arrival(side)));
        while let Some(at) = pipes[side].reminder(*now) {
            push(at, Event::Reminder(side));
        }
    }
}

impl Network for Simulated {
    fn write(&mut self, side: usize, bytes: &[u8]) -> Option<usize> {
        self.dawdle();
        let now = self.now;
        let written = self.end(side).write(now, bytes);
        self.is_room[side] = false;
        self.pump(side);
        match written {
            Written::Taken(count) => Some(count),
            Written::Failed => None,
        }
    }

    fn read(&mut self, side: usize, most: usize, into: &mut Vec<u8>) -> Got {
        self.dawdle();
        let read = self.end(side).reads.read(most, into);
        self.pump(1 - side);
        match read {
            Read::Bytes(count) => Got::Bytes(count),
            Read::End => Got::End,
            Read::Lost => Got::Lost,
            Read::Nothing => Got::Nothing,
        }
    }

    fn unread(&mut self, side: usize, most: usize) -> usize {
        self.end(side).reads.unread().min(most)
    }

    fn is_room(&mut self, side: usize) -> bool {
        self.is_room[side]
    }

    fn is_lost(&mut self, side: usize) -> bool {
        self.end(side).reads.is_lost()
    }

    fn shut(&mut self, side: usize) {
        self.dawdle();
        self.end(side).writes.shut();
        self.pump(side);
    }

    fn close(&mut self, side: usize) {
        self.dawdle();
        self.end(side).close();
        self.pump(side);
    }

    fn abort(&mut self, side: usize) {
        self.dawdle();
        self.end(side).abort();
        self.pump(side);
    }

    fn wait(&mut self) -> bool {
        let Some(Reverse((at, _, event))) = self.queue.pop() else { return false };
        self.now = at;
        match event {
            Event::Arrival(from) => {
                let arrived = self.end(1 - from).arrive(at);
                if arrived == Arrived::Answered {
                    self.pump(1 - from);
                }
                self.pump(from);
            }
            Event::Reminder(side) => {
                self.is_room[side] |= self.pipes[side].due(at) == Some(Due::Room);
                self.pump(side);
            }
        }
        true
    }
}
