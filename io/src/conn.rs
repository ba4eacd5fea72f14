//! TCP connections: what the driver knows of each, and one write.

use std::io::{self, IoSlice, Write};

use mio::net::TcpStream;
use parlor::ConnId;

/// One connection. The bytes that it owes are the core's; nothing is buffered here.
pub(crate) struct Conn {
    pub(crate) id: ConnId,
    pub(crate) stream: TcpStream,
    pub(crate) reading: Reading,
    /// It stands on the ready list.
    pub(crate) is_queued: bool,
    /// The poll has seen the peer's end or an error: reading must go on until it shows there too.
    pub(crate) is_ending: bool,
    pub(crate) writing: Writing,
}

/// Whether there is a point in reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    On,
    /// The core asked for a pause.
    Paused,
    /// The core was told `Eof`; the connection may still fail.
    Eof,
    /// The core was told `Lost`.
    Lost,
}

/// Whether the core holds bytes for this connection, as far as it has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Everything was taken.
    Done,
    /// A write is due in this turn or the next.
    Due,
    /// The kernel took less than it was offered, and will say when it has room.
    Refused,
}

// A debug build of mio puts a check into each stream.
#[cfg(all(target_pointer_width = "64", not(debug_assertions)))]
const _: () = assert!(size_of::<Option<Conn>>() == 16);

/// Connections by their index, which the core chooses and keeps dense.
#[derive(Default)]
pub(crate) struct Table {
    slots: Vec<Option<Conn>>,
}

impl Table {
    pub(crate) fn insert(&mut self, id: ConnId, stream: TcpStream) {
        let index = id.index();
        if self.slots.len() <= index {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = Some(Conn {
            id,
            stream,
            reading: Reading::On,
            is_queued: false,
            is_ending: false,
            writing: Writing::Done,
        });
    }

    /// `None` for one that was closed, even if another has its place.
    pub(crate) fn find(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.at(id.index()).filter(|conn| conn.id == id)
    }

    /// Whoever is at this place now.
    pub(crate) fn at(&mut self, index: usize) -> Option<&mut Conn> {
        self.slots.get_mut(index)?.as_mut()
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        self.slots.get_mut(id.index())?.take_if(|conn| conn.id == id)
    }

    /// Places, used or not.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }
}

/// Slices of one write; what more there is waits for the next turn.
const SLICES_MAX: usize = 64;

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The kernel took `bytes`; `refused` if it was offered more.
    Taken { bytes: usize, refused: bool },
    /// The connection is dead.
    Failed,
}

/// One write attempt: a plain one for a single slice, which costs the kernel less.
pub(crate) fn write<'a>(
    stream: &mut impl Write,
    mut egress: impl Iterator<Item = &'a [u8]>,
) -> Written {
    let Some(first) = egress.next() else {
        return Written::Taken { bytes: 0, refused: false };
    };
    let Some(second) = egress.next() else {
        return Written::judge(first.len(), stream.write(first));
    };
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let mut count = 0;
    let mut offered = 0;
    for slice in [first, second].into_iter().chain(egress).take(SLICES_MAX) {
        slices[count] = IoSlice::new(slice);
        count += 1;
        offered += slice.len();
    }
    Written::judge(offered, stream.write_vectored(&slices[..count]))
}

impl Written {
    fn judge(offered: usize, outcome: io::Result<usize>) -> Self {
        match outcome {
            Ok(0) if offered > 0 => Self::Failed,
            Ok(bytes) => Self::Taken { bytes, refused: bytes < offered },
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock => Self::Taken { bytes: 0, refused: true },
                // No edge follows this one: nothing was refused, so the core asks again.
                io::ErrorKind::Interrupted => Self::Taken { bytes: 0, refused: false },
                _ => Self::Failed,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel with so much room; remembers how it was asked.
    struct Kernel {
        room: io::Result<usize>,
        plain: u32,
        slices: usize,
    }

    impl Kernel {
        fn with(room: usize) -> Self {
            Self { room: Ok(room), plain: 0, slices: 0 }
        }

        fn take(&mut self, offered: usize) -> io::Result<usize> {
            match &self.room {
                Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
                Ok(room) => Ok(offered.min(*room)),
                Err(error) => Err(error.kind().into()),
            }
        }
    }

    impl Write for Kernel {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.plain += 1;
            self.take(bytes.len())
        }

        fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
            self.slices += slices.len();
            self.take(slices.iter().map(|slice| slice.len()).sum())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn taken(bytes: usize, refused: bool) -> Written {
        Written::Taken { bytes, refused }
    }

    #[test]
    fn less_than_offered_is_a_refusal() {
        let egress = || [&b"abc"[..], b"defg"].into_iter();
        assert_eq!(write(&mut Kernel::with(9), egress()), taken(7, false));
        assert_eq!(write(&mut Kernel::with(7), egress()), taken(7, false));
        assert_eq!(write(&mut Kernel::with(6), egress()), taken(6, true));
        assert_eq!(write(&mut Kernel::with(0), egress()), taken(0, true));
    }

    #[test]
    fn slices_kept_back_by_choice_are_no_refusal() {
        let mut kernel = Kernel::with(1000);
        let egress = std::iter::repeat_n(&b"ab"[..], SLICES_MAX + 1);
        assert_eq!(write(&mut kernel, egress), taken(2 * SLICES_MAX, false));
        assert_eq!((kernel.plain, kernel.slices), (0, SLICES_MAX));
    }

    #[test]
    fn a_single_slice_is_written_plainly_and_no_slice_not_at_all() {
        let mut kernel = Kernel::with(1000);
        assert_eq!(write(&mut kernel, [&b"abc"[..]].into_iter()), taken(3, false));
        assert_eq!(write(&mut kernel, std::iter::empty()), taken(0, false));
        assert_eq!((kernel.plain, kernel.slices), (1, 0));
    }

    #[test]
    fn an_interruption_refuses_nothing_and_another_error_kills() {
        let with = |kind: io::ErrorKind| Kernel { room: Err(kind.into()), plain: 0, slices: 0 };
        let egress = || [&b"abc"[..]].into_iter();
        let mut interrupted = with(io::ErrorKind::Interrupted);
        assert_eq!(write(&mut interrupted, egress()), taken(0, false));
        assert_eq!(write(&mut with(io::ErrorKind::BrokenPipe), egress()), Written::Failed);
    }
}
