//! Virtual TCP. A connection is two [`Pipe`]s, one for each direction, which keep bytes and say
//! when they arrive; an [`End`] is what a program holds, and knows how closing, aborting and
//! resetting reach from one direction into the other. The world keeps the time.
//!
//! What both do is what kernels do, which `tests/network` compares: it runs the same scripts here
//! and over loopback.

mod end;
mod pipe;

pub use end::{Arrived, End, Written};
pub use pipe::{Due, Kind, Pipe, Read};

/// How one direction behaves. Times are microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// From the wire to the other end, at least; what it acknowledges takes as long to come back.
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
    /// A reset throws away what has arrived and was not read, as RFC 9293, 3.10.7.4 has it; Linux
    /// lets it be read first.
    pub is_flushed_by_reset: bool,
    /// How long the sender waits for an acknowledgement before the connection is dead to it; `None`
    /// for longer than any world lasts.
    pub patience: Option<u64>,
}

/// The first retransmission comes so long after what was lost, and each further one after twice
/// the time: how long the receiver hears nothing if a segment is lost `losses` times in a row.
pub const fn stall(losses: u32) -> u64 {
    RTO * ((1 << losses) - 1)
}

/// The smallest that Linux has; a connection at rest is never below it.
const RTO: u64 = 200_000;

/// How long a connection takes longer to open whose first `losses` SYNs are lost.
pub const fn syn_delay(losses: u32) -> u64 {
    SYN_RTO * ((1 << losses) - 1)
}

/// RFC 6298, section 2.1.
const SYN_RTO: u64 = 1_000_000;
