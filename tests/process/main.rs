//! The demo as a process, seen from outside: arguments, signals and what the system denies.

#[path = "../common/demo.rs"]
mod demo;
mod panics;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use demo::{DEMO, Demo};
use tungstenite::protocol::{Role, WebSocket};
use tungstenite::{Error, Message};

/// How long one effect may take.
const MARGIN: Duration = Duration::from_secs(2);
/// The demo needs some for itself, so it can have half of these or so for clients.
const DESCRIPTORS: usize = 24;
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
/// The key is that of RFC 6455, 1.3.
const UPGRADE: &str = "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: test\r\n\
    Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn help_is_an_answer_and_nonsense_is_not() {
    for flag in ["--help", "-h"] {
        let help = finish(command().arg(flag));
        assert_eq!((help.code, &*help.stderr), (Some(0), ""));
        for word in ["Usage: parlor-demo", "--host", "--port", "--help", "$PORT"] {
            assert!(help.stdout.contains(word), "{word} is not in {}", help.stdout);
        }
    }
    for (args, why) in [
        (&["--prot", "80"][..], "'--prot'"),
        (&["--port", "many"], "\"many\""),
        (&["--port", "65536"], "\"65536\""),
        (&["--port"], "'--port'"),
        (&["8080"], "\"8080\""),
    ] {
        let nonsense = finish(command().args(args));
        assert_eq!((nonsense.code, &*nonsense.stdout), (Some(2), ""));
        let said = &nonsense.stderr;
        assert!(said.contains(why) && said.ends_with("see --help\n"), "{args:?}: {said}");
    }
}

#[test]
fn the_port_comes_from_the_arguments_or_else_from_the_environment() {
    let nonsense = finish(command().env("PORT", "http"));
    assert_eq!(nonsense.code, Some(2));
    assert!(nonsense.stderr.contains("PORT: "), "{}", nonsense.stderr);

    let port = free_port();
    let demo = Demo::start(command().env("PORT", port.to_string()));
    assert_eq!(demo.addr, SocketAddr::from(([127, 0, 0, 1], port)));
    let other = Demo::start(command().env("PORT", port.to_string()).args(["-p", "0"]));
    assert_ne!(other.addr.port(), port);
    let page = ask(&mut connect(other.addr));
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
}

#[test]
fn a_taken_port_is_named_with_advice() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port on the loopback");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let failed = finish(command().args(["--port", &port]));
    assert_eq!((failed.code, &*failed.stdout), (Some(1), ""));
    let said = &failed.stderr;
    assert!(said.contains(&format!("port {port} is taken")), "{said}");
    assert!(said.contains("choose another port"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

#[test]
fn a_signal_lets_clients_go_in_order() {
    for name in ["TERM", "INT"] {
        let mut demo = start();
        let mut client = member(demo.addr);
        signal(&demo, name);
        // As the official server: the transport ends, so clients try to come back.
        assert_eq!(until_close(&mut client), [""; 0]);
        // The answer to the close frame, whereupon the server ends the connection.
        assert!(matches!(client.read(), Err(Error::ConnectionClosed)));
        drop(client);
        assert_eq!(exit_code(&mut demo), Some(0), "SIG{name}");
        let refused = TcpStream::connect(demo.addr).expect_err("nobody listens");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    for (first, second, status) in [("INT", "INT", 130), ("TERM", "INT", 130), ("INT", "TERM", 143)]
    {
        let mut demo = start();
        let mut client = member(demo.addr);
        signal(&demo, first);
        // It has heard of the end and does not go, so the server would wait for `Config::linger`.
        until_close(&mut client);
        signal(&demo, second);
        assert_eq!(exit_code(&mut demo), Some(status));
    }
}

#[test]
fn out_of_descriptors_clients_wait_until_others_have_gone() {
    let script = format!("ulimit -n {DESCRIPTORS}; exec \"$0\" --port 0");
    let mut demo = Demo::start(Command::new("sh").env_remove("PORT").args(["-c", &script, DEMO]));
    let stderr = demo.child.stderr.take().expect("it is piped");
    let mut clients: Vec<_> = (0..2 * DESCRIPTORS).map(|_| connect(demo.addr)).collect();
    let mut line = String::new();
    BufReader::new(stderr).read_line(&mut line).expect("the demo logs text");
    assert!(line.contains("cannot accept clients for now"), "{line}");

    // Those who came in time are served as ever.
    assert!(ask(&mut clients[0]).starts_with("HTTP/1.1 200 OK\r\n"));
    let mut late = clients.pop().expect("there are many");
    late.write_all(REQUEST).expect("the backlog takes it");
    drop(clients);
    assert!(head(&mut late).starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(ask(&mut connect(demo.addr)).starts_with("HTTP/1.1 200 OK\r\n"));
}

/// The demo's command, whatever the environment of the tests.
fn command() -> Command {
    let mut command = Command::new(DEMO);
    command.env_remove("PORT");
    command
}

fn start() -> Demo {
    Demo::start(command().args(["--port", "0"]))
}

/// How a process has ended.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn finish(command: &mut Command) -> Ended {
    let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the demo was built for these tests");
    let stdout = rest(child.stdout.take().expect("it is piped"));
    let stderr = rest(child.stderr.take().expect("it is piped"));
    let status = child.wait().expect("it was started here");
    Ended { code: status.code(), stdout, stderr }
}

/// The code with which the demo ends by itself.
fn exit_code(demo: &mut Demo) -> Option<i32> {
    rest(demo.child.stdout.take().expect("it is piped"));
    demo.child.wait().expect("it was started here").code()
}

/// What still comes from a process, which ends within the margin.
fn rest(mut pipe: impl Read + Send + 'static) -> String {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut text = String::new();
        tell.send(pipe.read_to_string(&mut text).map(|_| text))
    });
    let text = told.recv_timeout(MARGIN).expect("the process ends in time");
    text.expect("the demo writes text")
}

/// There is no signal in std, but in every shell.
fn signal(demo: &Demo, name: &str) {
    let script = format!("kill -{name} {}", demo.child.id());
    assert!(Command::new("sh").args(["-c", &script]).status().expect("sh runs").success());
}

fn connect(addr: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(addr).expect("it listens");
    client.set_read_timeout(Some(MARGIN)).expect("the margin is not zero");
    client
}

fn ask(client: &mut TcpStream) -> String {
    client.write_all(REQUEST).expect("the connection is up");
    head(client)
}

/// The head of the next answer; what follows stays unread.
fn head(client: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("a whole head");
        head.push(byte[0]);
    }
    String::from_utf8(head).expect("heads are ASCII")
}

/// A client of Socket.IO that is in the chat's namespace.
fn member(addr: SocketAddr) -> WebSocket<TcpStream> {
    let mut stream = connect(addr);
    stream.write_all(UPGRADE.as_bytes()).expect("the connection is up");
    assert!(head(&mut stream).starts_with("HTTP/1.1 101 "));
    let mut client = WebSocket::from_raw_socket(stream, Role::Client, None);
    assert!(next(&mut client).starts_with("0{"));
    client.send(Message::text("40")).expect("the connection is up");
    assert!(next(&mut client).starts_with("40{"));
    client
}

fn next(client: &mut WebSocket<TcpStream>) -> String {
    client.read().expect("a message in time").into_text().expect("a text").to_string()
}

/// The texts up to the close frame, which is answered when more is read.
fn until_close(client: &mut WebSocket<TcpStream>) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        match client.read().expect("a message in time") {
            Message::Close(_) => return texts,
            message => texts.push(message.into_text().expect("a text").to_string()),
        }
    }
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port on the loopback");
    free.local_addr().expect("it is bound").port()
}
