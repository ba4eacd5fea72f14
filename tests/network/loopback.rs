//! A connection over the kernel's loopback, held as `io` holds its own: nonblocking, and told of
//! by edges.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, SockRef, Socket, Type};

use crate::script::{Got, Network};

/// So that buffers are soon full; kernels take what they like of it.
const BUFFER_BYTES: usize = 32 * 1024;
/// Nothing on loopback takes so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at what has no edge of its own.
const TICK: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Loopback {
    poll: Poll,
    events: Events,
    ends: [Option<TcpStream>; 2],
    is_room: [bool; 2],
    is_lost: [bool; 2],
    since: Instant,
}

impl Loopback {
    /// End 0 connects, or is accepted.
    pub(crate) fn new(is_swapped: bool) -> Self {
        let [mut first, mut second] = pair().expect("loopback works");
        if is_swapped {
            std::mem::swap(&mut first, &mut second);
        }
        let poll = Poll::new().expect("descriptors are left");
        let interests = Interest::READABLE | Interest::WRITABLE;
        for (stream, token) in [(&mut first, Token(0)), (&mut second, Token(1))] {
            stream.set_nodelay(true).expect("the connection is new");
            poll.registry().register(stream, token, interests).expect("it is not registered");
        }
        let mut loopback = Self {
            poll,
            events: Events::with_capacity(16),
            ends: [Some(first), Some(second)],
            is_room: [false; 2],
            is_lost: [false; 2],
            since: Instant::now(),
        };
        while loopback.is_room != [true; 2] {
            assert!(loopback.wait(), "a new connection is writable");
        }
        loopback
    }

    fn end(&mut self, side: usize) -> &mut TcpStream {
        self.ends[side].as_mut().expect("nobody acts after a close")
    }
}

fn pair() -> io::Result<[TcpStream; 2]> {
    let socket = || -> io::Result<Socket> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        // A listener's are inherited; to set them also keeps the kernel from tuning them.
        socket.set_send_buffer_size(BUFFER_BYTES)?;
        socket.set_recv_buffer_size(BUFFER_BYTES)?;
        Ok(socket)
    };
    let listener = socket()?;
    listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    listener.listen(1)?;
    let client = socket()?;
    client.connect(&listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    [client, server]
        .map(|socket| {
            socket.set_nonblocking(true)?;
            Ok(TcpStream::from_std(socket.into()))
        })
        .into_iter()
        .collect::<io::Result<Vec<_>>>()
        .map(|both| both.try_into().expect("there are two"))
}

impl Network for Loopback {
    fn write(&mut self, side: usize, bytes: &[u8]) -> Option<usize> {
        self.is_room[side] = false;
        match self.end(side).write(bytes) {
            Ok(count) => Some(count),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(0),
            Err(_) => None,
        }
    }

    fn read(&mut self, side: usize, most: usize, into: &mut Vec<u8>) -> Got {
        let mut bytes = vec![0; most];
        match self.end(side).read(&mut bytes) {
            Ok(0) => Got::End,
            Ok(count) => {
                self.since = Instant::now();
                into.extend(&bytes[..count]);
                Got::Bytes(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Got::Nothing,
            Err(_) => Got::Lost,
        }
    }

    fn unread(&mut self, side: usize, most: usize) -> usize {
        self.end(side).peek(&mut vec![0; most]).unwrap_or(0)
    }

    fn is_room(&mut self, side: usize) -> bool {
        self.is_room[side]
    }

    fn is_lost(&mut self, side: usize) -> bool {
        self.is_lost[side]
    }

    fn shut(&mut self, side: usize) {
        self.end(side).shutdown(Shutdown::Write).expect("it is connected");
    }

    fn close(&mut self, side: usize) {
        self.ends[side] = None;
    }

    fn abort(&mut self, side: usize) {
        SockRef::from(&*self.end(side)).set_linger(Some(Duration::ZERO)).expect("it is open");
        self.ends[side] = None;
    }

    fn wait(&mut self) -> bool {
        match self.poll.poll(&mut self.events, Some(TICK)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => panic!("{error}"),
            Ok(()) | Err(_) => {}
        }
        for event in &self.events {
            let Token(side) = event.token();
            self.is_room[side] |= event.is_writable();
            self.is_lost[side] |= event.is_error();
            self.since = Instant::now();
        }
        self.since.elapsed() < PATIENCE
    }
}
