//! What a client, a packet and a broadcast may cost: heap and allocations, counted. Each test
//! prints its figures, and fails above its budget:
//! `cargo test -p parlor --test budget -- --nocapture`.

mod counting;
mod rounds;
mod wire;

use parlor::{App, Config, ConnId, Instant, Node, Payload, Server};

use counting::{allocations, live_bytes, watch, watched};
use wire::{Machine, UPGRADE, Wire, frame, text};

fn server() -> Wire<Server> {
    let server = Server::new(Config::default(), [7; 32], Instant::ZERO, 0);
    Wire::new(server.expect("the default is in order"))
}

fn node(app: App) -> Wire<Node> {
    let node = Node::new(Config::default(), app, [7; 32], Instant::ZERO, 0);
    Wire::new(node.expect("the default is in order"))
}

/// Heap for each idle websocket client that has joined `/`, beside the head of its handshake. Most
/// of it is entries of tables that double: at 1024 clients they are full, one later they have just
/// doubled.
fn assert_idle_bytes<M: Machine>(name: &str, mut wire: Wire<M>) {
    const BYTES_MAX: i64 = 1024;
    let empty = live_bytes();
    watch(UPGRADE.len());
    let mut joined = 0;
    let [at_1000, full, doubled, at_2000] = [1000, 1024, 1025, 2000].map(|clients| {
        while joined < clients {
            wire.join();
            joined += 1;
        }
        assert_eq!(watched(), clients, "one allocation for each head");
        live_bytes() - empty - clients * UPGRADE.len() as i64
    });
    let grown = (at_2000 - at_1000) / 1000;
    println!(
        "idle client of a {name}: {grown} bytes as the second thousand joins; {} with tables full, \
         {} just doubled; and a head of {}",
        full / 1024,
        doubled / 1025,
        UPGRADE.len(),
    );
    assert!(grown <= BYTES_MAX && full / 1024 <= BYTES_MAX);
}

#[test]
fn an_idle_client_of_a_server_costs_a_kibibyte_at_most() {
    assert_idle_bytes("server", server());
}

#[test]
fn an_idle_client_of_a_node_costs_a_kibibyte_at_most() {
    assert_idle_bytes("node", node(App::new()));
}

/// Buffers are the server's: what one large echo needed does for all others.
#[test]
fn an_idle_connection_owns_no_buffer() {
    let mut wire = node(echo());
    let conns: Vec<_> = (0..100).map(|_| wire.join()).collect();
    let mut large = |conn| {
        wire.exchange(conn, text(&packet(30_000)));
        assert!(wire.sent.ends_with(packet(30_000).as_bytes()));
    };
    large(conns[0]);
    let bytes = live_bytes();
    conns.iter().for_each(|&conn| large(conn));
    assert_eq!(live_bytes() - bytes, 0);
}

fn echo() -> App {
    let mut app = App::new();
    app.of("/").on("echo", |cx, args: Payload| {
        cx.emit("echo", args);
    });
    app
}

/// An event with one string of so many bytes.
fn packet(bytes: usize) -> String {
    format!("42[\"echo\",\"{}\"]", "x".repeat(bytes))
}

/// Allocations of one exchange, once everything that is reused is there.
fn steady<M: Machine>(wire: &mut Wire<M>, conn: ConnId, input: &[u8]) -> u64 {
    let mut counts = [0; 32];
    for count in &mut counts {
        *count = wire.exchange(conn, input.to_vec());
    }
    let last = counts[31];
    assert!(counts[16..].iter().all(|&count| count == last), "not steady: {counts:?}");
    last
}

#[test]
fn an_echo_allocates_twice_at_most() {
    for bytes in [1, 64, 1000, 20_000] {
        let mut wire = node(echo());
        let conn = wire.join();
        let count = steady(&mut wire, conn, &text(&packet(bytes)));
        assert!(wire.shown().ends_with(&packet(bytes)[..]), "{}", wire.shown());
        println!("echo of {bytes} bytes: {count} allocations");
        assert!(count <= 2, "{count}");
    }
}

#[test]
fn an_echo_with_an_attachment_allocates_little_more() {
    let mut wire = node(echo());
    let conn = wire.join();
    let mut input = text(r#"451-["echo",{"_placeholder":true,"num":0}]"#);
    input.extend(frame(0x82, &[7; 500]));
    let count = steady(&mut wire, conn, &input);
    assert!(wire.sent.ends_with(&[7; 500]));
    println!("echo with an attachment: {count} allocations");
    assert!(count <= 8, "{count}");
}

/// A pong is a message of its own, and now and then a deadline needs a node in their map.
#[test]
fn a_heartbeat_allocates_its_pong_alone() {
    let mut wire = node(App::new());
    let conns: Vec<_> = (0..100).map(|_| wire.join()).collect();
    let mut counts = [0; 3];
    for count in &mut counts {
        let pings = wire.expire();
        assert_eq!(wire.sent, b"\x81\x012".repeat(conns.len()));
        *count = conns.iter().map(|&conn| wire.exchange(conn, text("3"))).sum();
        *count += pings;
    }
    println!("heartbeats of {} clients: {} allocations", conns.len(), counts[2]);
    // The pong itself, copied out of the read buffer as any message is.
    assert!(counts[2] <= conns.len() as u64, "{counts:?}");
}

/// Allocations of a broadcast to so many members, once everything that is reused is there.
fn broadcast(members: usize, polling: bool) -> u64 {
    let mut wire = node(App::new());
    let mut polls = Vec::new();
    for _ in 0..members {
        if polling {
            polls.push(wire.join_polling());
        } else {
            wire.join();
        }
    }
    let mut counts = [0; 16];
    for count in &mut counts {
        for (conn, poll) in &polls {
            wire.exchange(*conn, poll.clone());
        }
        wire.sent.clear();
        let now = wire.tick();
        let (commands, ()) = allocations(|| {
            wire.machine.run(now, |root| {
                root.io().of("/").emit("news", "the same for everyone");
            });
        });
        *count = commands + wire.flush();
        assert_eq!(wire.shown().matches("the same for everyone").count(), members);
    }
    assert!(counts[1..].iter().all(|&count| count == counts[15]), "not steady: {counts:?}");
    counts[15]
}

#[test]
fn a_broadcast_allocates_nothing_per_recipient() {
    let (few, many) = (broadcast(10, false), broadcast(1000, false));
    println!("broadcast to 1000 websockets: {many} allocations");
    assert_eq!(few, many);
    assert!(many <= 6, "{many}");
}

#[test]
fn a_broadcast_to_polls_allocates_nothing_per_recipient() {
    let (few, many) = (broadcast(10, true), broadcast(1000, true));
    println!("broadcast to 1000 waiting polls: {many} allocations");
    assert_eq!(few, many);
    assert!(many <= 6, "{many}");
}
