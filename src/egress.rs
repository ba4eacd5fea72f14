//! Queues of outgoing bytes. The core holds every byte until the kernel has it.
//!
//! A queue is a list of chunks: a shared frame, or a stretch of the queue's own *tail*, a buffer
//! for everything that only one recipient gets. Chunks come from one slab for the whole server and
//! tails from a pool, so that emptying and refilling a queue allocates nothing, and an empty one
//! owns nothing.
//!
//! A connection's queue holds bytes as they go out. A session's backlog holds packets as they came,
//! since what waits for a poll may leave by a websocket after all; there each packet is a chunk.

use alloc::vec::Vec;

use slab::Slab;

use crate::frame::{Frame, Part};

/// What one entry stands for. 16 bytes.
#[derive(Clone)]
pub(crate) enum Chunk {
    /// A part of a shared frame.
    Frame(Frame, Part),
    /// So many bytes of the tail.
    Tail(u32),
    /// In a backlog: all packets of a shared frame.
    Packet(Frame),
    /// In a backlog: a text packet of so many bytes of the tail.
    Text(u32),
    /// In a backlog: a binary message of so many bytes of the tail.
    Binary(u32),
}

impl Chunk {
    fn bytes(&self) -> u32 {
        match self {
            Self::Frame(frame, part) => frame.bytes(*part).len() as u32,
            Self::Packet(frame) => frame.polling_bytes() as u32,
            Self::Tail(len) | Self::Text(len) | Self::Binary(len) => *len,
        }
    }

    fn is_in_tail(&self) -> bool {
        matches!(self, Self::Tail(_) | Self::Text(_) | Self::Binary(_))
    }
}

#[cfg(target_pointer_width = "64")]
const _: () = assert!(size_of::<Chunk>() == 16 && size_of::<Queue>() <= 48);

struct Node {
    chunk: Chunk,
    next: u32,
}

/// Where all queues get their memory from.
#[derive(Default)]
pub(crate) struct Pool {
    nodes: Slab<Node>,
    tails: Vec<Vec<u8>>,
    /// The capacities of these together.
    tails_bytes: usize,
    bytes: u64,
}

/// Tails that are kept for the next queue: how large one may be, and all of them. Small ones must
/// do for everyone who polls when a broadcast is answered to all.
const TAIL_BYTES_MAX: usize = 64 * 1024;
const TAILS_BYTES_MAX: usize = 16 * 1024 * 1024;
/// A new tail: the head of an answer, and a short body.
const TAIL_BYTES: usize = 512;
/// A tail that is being consumed is moved to its start beyond this.
const TAIL_SLACK_BYTES: usize = 4096;

impl Pool {
    /// Bytes in all queues together.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    fn take_tail(&mut self) -> Vec<u8> {
        let Some(tail) = self.tails.pop() else { return Vec::with_capacity(TAIL_BYTES) };
        self.tails_bytes -= tail.capacity();
        tail
    }

    fn give_back(&mut self, mut tail: Vec<u8>) {
        let bytes = tail.capacity();
        let fits = self.tails_bytes + bytes <= TAILS_BYTES_MAX;
        if fits && (1..=TAIL_BYTES_MAX).contains(&bytes) {
            tail.clear();
            self.tails_bytes += bytes;
            self.tails.push(tail);
        }
    }
}

const NONE: u32 = u32::MAX;

/// See the module.
pub(crate) struct Queue {
    first: u32,
    last: u32,
    /// Bytes of the first chunk that are gone.
    skip: u32,
    bytes: u32,
    tail: Vec<u8>,
    /// Bytes of the tail that are gone.
    tail_start: u32,
}

impl Default for Queue {
    fn default() -> Self {
        Self { first: NONE, last: NONE, skip: 0, bytes: 0, tail: Vec::new(), tail_start: 0 }
    }
}

impl Queue {
    /// Bytes that wait in it.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first == NONE
    }

    /// Appends bytes of one's own: whatever `write` puts behind the tail.
    pub(crate) fn write(&mut self, pool: &mut Pool, write: impl FnOnce(&mut Vec<u8>)) {
        let written = self.write_tail(pool, write);
        if written == 0 {
            return;
        }
        if let Some(Node { chunk: Chunk::Tail(len), .. }) = pool.nodes.get_mut(self.last as usize) {
            *len += written;
            self.count(pool, written as usize);
        } else {
            self.push(pool, Chunk::Tail(written), written as usize);
        }
    }

    /// Appends a packet to a backlog; `chunk` is [`Chunk::Text`] or [`Chunk::Binary`].
    pub(crate) fn push_packet(&mut self, pool: &mut Pool, packet: &[u8], chunk: fn(u32) -> Chunk) {
        let written = self.write_tail(pool, |tail| tail.extend_from_slice(packet));
        self.push(pool, chunk(written), written as usize);
    }

    /// Appends a shared frame to a backlog.
    pub(crate) fn push_shared(&mut self, pool: &mut Pool, frame: Frame) {
        let bytes = frame.polling_bytes();
        self.push(pool, Chunk::Packet(frame), bytes);
    }

    /// Appends a part of a frame.
    pub(crate) fn push_frame(&mut self, pool: &mut Pool, frame: Frame, part: Part) {
        let bytes = frame.bytes(part).len();
        if bytes > 0 {
            self.push(pool, Chunk::Frame(frame, part), bytes);
        }
    }

    /// The bytes, in order.
    pub(crate) fn slices<'q>(&'q self, pool: &'q Pool) -> Slices<'q> {
        Slices {
            queue: self,
            pool,
            next: self.first,
            tail: self.tail_start as usize,
            skip: self.skip,
        }
    }

    /// The chunks, in order.
    pub(crate) fn chunks<'q>(&self, pool: &'q Pool) -> impl Iterator<Item = &'q Chunk> {
        let mut next = self.first;
        core::iter::from_fn(move || {
            let node = pool.nodes.get(next as usize)?;
            next = node.next;
            Some(&node.chunk)
        })
    }

    /// Drops bytes from the front of a connection's queue; no more than there are.
    pub(crate) fn consume(&mut self, pool: &mut Pool, mut bytes: usize) {
        assert!(bytes <= self.bytes(), "the kernel cannot take more than there is");
        self.bytes -= bytes as u32;
        pool.bytes -= bytes as u64;
        while let Some(node) = pool.nodes.get(self.first as usize) {
            let left = node.chunk.bytes() - self.skip;
            let taken = left.min(bytes as u32);
            if node.chunk.is_in_tail() {
                self.tail_start += taken;
            }
            if taken < left {
                self.skip += taken;
                break;
            }
            bytes -= taken as usize;
            self.skip = 0;
            self.remove_first(pool);
        }
        self.trim(pool);
    }

    /// Moves everything of another queue behind this one.
    pub(crate) fn append(&mut self, pool: &mut Pool, mut other: Self) {
        while let Some((chunk, bytes)) = other.pop(pool) {
            match chunk {
                Chunk::Frame(frame, part) => self.push_frame(pool, frame, part),
                Chunk::Packet(frame) => self.push_shared(pool, frame),
                Chunk::Tail(_) | Chunk::Text(_) | Chunk::Binary(_) => {
                    self.write(pool, |tail| tail.extend_from_slice(other.popped(bytes)));
                }
            }
        }
        other.trim(pool);
    }

    /// Takes out the first chunk, of which nothing has been consumed. If it stood in the tail, its
    /// bytes are [`Queue::popped`] until [`Queue::clear`].
    pub(crate) fn pop(&mut self, pool: &mut Pool) -> Option<(Chunk, u32)> {
        let bytes = pool.nodes.get(self.first as usize)?.chunk.bytes();
        let chunk = self.remove_first(pool);
        if chunk.is_in_tail() {
            self.tail_start += bytes;
        }
        self.bytes -= bytes;
        pool.bytes -= u64::from(bytes);
        Some((chunk, bytes))
    }

    /// The bytes of the packet that `pop` has just taken out of the tail.
    pub(crate) fn popped(&self, bytes: u32) -> &[u8] {
        let end = self.tail_start as usize;
        &self.tail[end - bytes as usize..end]
    }

    /// Drops everything, and gives all memory back.
    pub(crate) fn clear(&mut self, pool: &mut Pool) {
        pool.bytes -= u64::from(self.bytes);
        while self.first != NONE {
            self.remove_first(pool);
        }
        self.skip = 0;
        self.bytes = 0;
        self.trim(pool);
    }

    fn remove_first(&mut self, pool: &mut Pool) -> Chunk {
        let node = pool.nodes.remove(self.first as usize);
        self.first = node.next;
        if self.first == NONE {
            self.last = NONE;
        }
        node.chunk
    }

    fn write_tail(&mut self, pool: &mut Pool, write: impl FnOnce(&mut Vec<u8>)) -> u32 {
        if self.tail.capacity() == 0 {
            self.tail = pool.take_tail();
        }
        let start = self.tail.len();
        write(&mut self.tail);
        (self.tail.len() - start) as u32
    }

    fn push(&mut self, pool: &mut Pool, chunk: Chunk, bytes: usize) {
        let node = pool.nodes.insert(Node { chunk, next: NONE }) as u32;
        match pool.nodes.get_mut(self.last as usize) {
            Some(last) => last.next = node,
            None => self.first = node,
        }
        self.last = node;
        self.count(pool, bytes);
    }

    fn count(&mut self, pool: &mut Pool, bytes: usize) {
        self.bytes += bytes as u32;
        pool.bytes += bytes as u64;
    }

    /// Gives the tail back when nothing is in it, and moves what is left to its start when much of
    /// it is gone: each byte is moved at most once per its own length.
    fn trim(&mut self, pool: &mut Pool) {
        if self.first == NONE {
            self.tail_start = 0;
            let tail = core::mem::take(&mut self.tail);
            pool.give_back(tail);
        } else if self.tail_start as usize > TAIL_SLACK_BYTES.max(self.tail.len() / 2) {
            self.tail.drain(..self.tail_start as usize);
            self.tail_start = 0;
        }
    }
}

/// The bytes of a connection's queue, slice by slice.
pub(crate) struct Slices<'q> {
    queue: &'q Queue,
    pool: &'q Pool,
    next: u32,
    tail: usize,
    skip: u32,
}

impl<'q> Iterator for Slices<'q> {
    type Item = &'q [u8];

    fn next(&mut self) -> Option<&'q [u8]> {
        let node = self.pool.nodes.get(self.next as usize)?;
        self.next = node.next;
        let skip = core::mem::take(&mut self.skip) as usize;
        Some(match &node.chunk {
            Chunk::Frame(frame, part) => &frame.bytes(*part)[skip..],
            Chunk::Packet(frame) => &frame.bytes(Part::TEXT)[skip..],
            Chunk::Tail(len) | Chunk::Text(len) | Chunk::Binary(len) => {
                let start = self.tail;
                self.tail += *len as usize - skip;
                &self.queue.tail[start..self.tail]
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn bytes(queue: &Queue, pool: &Pool) -> Vec<u8> {
        queue.slices(pool).flatten().copied().collect()
    }

    /// Every way of consuming a queue shows the same bytes in the same order.
    #[test]
    fn frames_and_tail_leave_in_order_however_little_is_taken() {
        let frame = Frame::new(b"4shared", &[], false);
        for step in 1..40 {
            let (mut pool, mut queue, mut seen) = (Pool::default(), Queue::default(), vec![]);
            for round in 0..3 {
                queue.write(&mut pool, |tail| tail.extend_from_slice(b"one"));
                queue.write(&mut pool, |tail| tail.push(b'0' + round));
                queue.push_frame(&mut pool, frame.clone(), Part::TEXT);
                queue.write(&mut pool, |tail| tail.extend_from_slice(b"two"));
            }
            assert_eq!(bytes(&queue, &pool).len(), queue.bytes());
            while !queue.is_empty() {
                let shown = bytes(&queue, &pool);
                let taken = step.min(shown.len());
                seen.extend_from_slice(&shown[..taken]);
                queue.consume(&mut pool, taken);
                assert_eq!(bytes(&queue, &pool), shown[taken..]);
            }
            assert_eq!(seen, b"one04sharedtwoone14sharedtwoone24sharedtwo");
            assert_eq!((pool.bytes(), queue.tail.capacity(), pool.nodes.len()), (0, 0, 0));
        }
    }

    #[test]
    fn a_long_tail_is_moved_to_its_start_while_it_is_consumed() {
        let (mut pool, mut queue) = (Pool::default(), Queue::default());
        for _ in 0..1000 {
            queue.write(&mut pool, |tail| tail.resize(tail.len() + 1000, 7));
            let kept = 1500.min(queue.bytes());
            let taken = queue.bytes() - kept;
            queue.consume(&mut pool, taken);
        }
        assert!(queue.tail.capacity() < 32 * 1024, "{}", queue.tail.capacity());
    }

    #[test]
    fn a_backlog_keeps_packets_apart() {
        let (mut pool, mut backlog) = (Pool::default(), Queue::default());
        backlog.push_packet(&mut pool, b"4a", Chunk::Text);
        backlog.push_packet(&mut pool, b"", Chunk::Binary);
        backlog.push_shared(&mut pool, Frame::new(b"4b", &[], false));
        let mut seen = vec![];
        while let Some((chunk, bytes)) = backlog.pop(&mut pool) {
            seen.push(match chunk {
                Chunk::Text(_) => backlog.popped(bytes).to_vec(),
                Chunk::Binary(_) => [b"b", backlog.popped(bytes)].concat(),
                Chunk::Packet(frame) => frame.bytes(Part::TEXT).to_vec(),
                Chunk::Tail(_) | Chunk::Frame(..) => unreachable!("not pushed"),
            });
        }
        backlog.clear(&mut pool);
        assert_eq!(seen, [&b"4a"[..], b"b", b"4b"]);
        assert_eq!((pool.bytes(), backlog.tail.capacity()), (0, 0));
    }

    #[test]
    fn a_queue_moved_behind_another_follows_it() {
        let (mut pool, mut first, mut second) =
            (Pool::default(), Queue::default(), Queue::default());
        second.write(&mut pool, |tail| tail.extend_from_slice(b"b"));
        second.push_frame(&mut pool, Frame::new(b"4c", &[], false), Part::TEXT);
        second.write(&mut pool, |tail| tail.extend_from_slice(b"d"));
        first.write(&mut pool, |tail| tail.extend_from_slice(b"a"));
        first.append(&mut pool, second);
        assert_eq!(bytes(&first, &pool), b"ab4cd");
        assert_eq!(pool.bytes(), 5);
    }
}
