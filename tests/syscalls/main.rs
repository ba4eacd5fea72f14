//! The system calls of the demo, counted by strace: all that it makes, so that one too many fails.
//!
//! Without strace, or where it may not trace, these say so and pass, except with `CI=true`.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long one effect may take; being traced costs a process most of its speed.
const MARGIN: Duration = Duration::from_secs(10);

/// One wait, one read and one write for an event and its answer.
#[test]
fn an_echo_is_three_system_calls() {
    const ECHOES: usize = 100;
    let Some(demo) = Demo::start() else { return };
    let mut client = demo.join();
    for id in 0..=ECHOES {
        client.send(&format!("421{id:03}[\"say\",\"hello\"]"));
        assert_eq!(client.receive(), format!("431{id:03}[]"));
    }
    let calls = demo.calls("431000[", "431100[");
    let expected = [("epoll_wait", ECHOES), ("recvfrom", ECHOES), ("sendto", ECHOES)];
    assert_eq!(calls, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

/// One write for each recipient, whatever else there is.
#[test]
fn a_delivery_is_one_write() {
    const MEMBERS: usize = 20;
    const ROUNDS: usize = 10;
    let Some(demo) = Demo::start() else { return };
    let mut members: Vec<_> = (0..MEMBERS).map(|_| demo.join()).collect();
    for member in &mut members {
        member.send(r#"420["enter","x","room"]"#);
    }
    for member in &mut members {
        // The last change of the room has reached everyone when it lists them all.
        while member.receive().matches("\"x\"").count() < MEMBERS {}
    }
    let (sender, others) = members.split_first_mut().expect("there are some");
    for id in 0..=ROUNDS {
        sender.send(&format!("421{id:03}[\"say\",\"hello\"]"));
        while sender.receive() != format!("431{id:03}[]") {}
        for other in &mut *others {
            while other.receive() != r#"42["said","x","hello"]"# {}
        }
    }
    let calls = demo.calls("431000[", "431010[");
    // That of the sender is its answer.
    let writes = ROUNDS * MEMBERS;
    let expected = [("epoll_wait", ROUNDS), ("recvfrom", ROUNDS), ("sendto", writes)];
    assert_eq!(calls, expected.map(|(name, count)| (name.to_owned(), count)).into());
}

/// The demo, under strace.
struct Demo {
    child: Child,
    trace: Option<JoinHandle<String>>,
    addr: String,
}

impl Demo {
    /// `None` if it cannot be traced.
    fn start() -> Option<Self> {
        let mut probe = Command::new("strace");
        let probe = probe.args(["-e", "trace=none", "true"]).stderr(Stdio::null());
        if !probe.status().is_ok_and(|status| status.success()) {
            assert!(env::var("CI").is_err(), "strace is needed to count system calls");
            eprintln!(
                "SKIPPED: no system call was counted, for strace is missing or may not trace"
            );
            return None;
        }
        // With `-D` the child is the demo itself, and strace ends after it.
        let mut child = Command::new("strace")
            .args(["-D", "-f", "-qq", "-s", "64"])
            .args([env!("CARGO_BIN_EXE_parlor-demo"), "--port", "0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace starts");
        let mut stderr = child.stderr.take().expect("it is a pipe");
        let trace = thread::spawn(move || {
            let mut trace = String::new();
            stderr.read_to_string(&mut trace).expect("strace escapes what is not ASCII");
            trace
        });
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let (_, addr) = line.trim_end().split_once("http://").expect("it says where it listens");
        Some(Self { addr: addr.to_owned(), child, trace: Some(trace) })
    }

    /// A websocket client that has joined `/`.
    fn join(&self) -> Client {
        let stream = TcpStream::connect(&self.addr).expect("it listens");
        stream.set_nodelay(true).expect("a connected stream takes options");
        stream.set_read_timeout(Some(MARGIN)).expect("the margin is not zero");
        let mut client = Client(BufReader::new(stream));
        let head = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\n\
                    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        client.0.get_mut().write_all(head.as_bytes()).expect("it is open");
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            client.0.read_line(&mut line).expect("a head");
        }
        assert!(client.receive().starts_with("0{"), "an open packet");
        client.send("40");
        assert!(client.receive().starts_with("40{"), "an answer to CONNECT");
        client
    }

    /// Stops it, and counts its system calls by name: after the write of the one text, up to and
    /// with that of the other.
    fn calls(mut self, after: &str, until: &str) -> BTreeMap<String, usize> {
        self.child.kill().expect("it runs");
        let trace = self.trace.take().expect("nobody else takes it");
        let trace = trace.join().expect("it was read");
        let at = |text: &str| {
            let written = |line: &str| line.contains("sendto(") && line.contains(text);
            trace.lines().position(written).unwrap_or_else(|| panic!("no {text} in {trace}"))
        };
        let mut calls = BTreeMap::new();
        for line in trace.lines().take(at(until) + 1).skip(at(after) + 1) {
            let (call, _) = line.split_once('(').unwrap_or((line, ""));
            let name = call.rsplit(' ').next().unwrap_or(call);
            *calls.entry(name.to_owned()).or_default() += 1;
        }
        calls
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        // One that was stopped already is none the worse for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A websocket.
struct Client(BufReader<TcpStream>);

impl Client {
    fn send(&mut self, text: &str) {
        const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
        assert!(text.len() < 126, "a short header is enough");
        let mut frame = vec![0x81, 0x80 | text.len() as u8];
        frame.extend(MASK);
        frame.extend(text.bytes().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.0.get_mut().write_all(&frame).expect("it is open");
    }

    fn receive(&mut self) -> String {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).expect("a frame");
        assert_eq!(head[0], 0x81, "a text");
        let mut len = [0; 2];
        match head[1] {
            126 => self.0.read_exact(&mut len).expect("a length"),
            short => len[1] = short,
        }
        let mut text = vec![0; u16::from_be_bytes(len).into()];
        self.0.read_exact(&mut text).expect("a payload");
        String::from_utf8(text).expect("a text message is UTF-8")
    }
}
