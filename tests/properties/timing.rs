//! When things happen, in virtual time.

use std::time::Duration;

use parlor::{CloseReason, Config, Event};

use crate::speech;
use crate::world::Quiet;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Pings after 300 ms, and waits 200 ms for the pong.
fn brisk() -> Quiet {
    let (ping_interval, ping_timeout) = (ms(300), ms(200));
    Quiet::quiet(Config { ping_interval, ping_timeout, session_events: true, ..Config::default() })
}

fn is_timed_out(world: &mut Quiet) -> bool {
    let reason = CloseReason::PingTimeout;
    let is_it = |e: &Event| matches!(e, Event::SessionClosed { reason: r, .. } if *r == reason);
    world.events().iter().any(is_it)
}

#[test]
fn a_silent_websocket_is_gone_after_500_ms_and_not_before() {
    let mut world = brisk();
    let (conn, _) = world.websocket();
    world.sleep(ms(499));
    assert!(world.is_open(conn));
    world.sleep(ms(2));
    assert_eq!(world.machine.server.sessions(), 0);
    assert!(is_timed_out(&mut world));
}

#[test]
fn a_late_driver_does_not_let_it_live_longer() {
    for late in [ms(0), Duration::from_micros(300), ms(1)] {
        let mut world = brisk();
        world.sleep(Duration::from_micros(700));
        world.connect(&speech::open());
        world.sleep_late(ms(499), late);
        assert_eq!(world.machine.server.sessions(), 1, "late by {late:?}");
        // Heartbeats fire at whole milliseconds; then once more the lateness of the driver.
        world.sleep_late(ms(1) + late + Duration::from_micros(999), late);
        assert_eq!(world.machine.server.sessions(), 0, "late by {late:?}");
        assert!(is_timed_out(&mut world));
    }
}

#[test]
fn a_pong_starts_the_interval_anew() {
    let mut world = brisk();
    let (conn, _) = world.websocket();
    world.take(conn);
    for round in 0..5 {
        world.sleep(ms(300));
        assert_eq!(world.take(conn), b"\x81\x012", "ping {round}");
        world.sleep(ms(150));
        world.data(conn, &speech::text("3"));
        world.sleep(ms(299));
        assert!(world.take(conn).is_empty(), "300 ms have not passed since the pong");
        world.sleep(ms(1));
        assert_eq!(world.take(conn), b"\x81\x012");
        world.data(conn, &speech::text("3"));
    }
}

#[test]
fn another_packet_excuses_the_pong_once() {
    let mut world = brisk();
    let (conn, _) = world.websocket();
    world.sleep(ms(300));
    world.sleep(ms(150));
    world.data(conn, &speech::text("42[\"alive\"]"));
    world.sleep(ms(150));
    assert!(world.is_well(conn), "200 ms count from the packet");
    world.data(conn, &speech::text("42[\"alive\"]"));
    world.sleep(ms(49));
    assert_eq!(world.machine.server.sessions(), 1);
    world.sleep(ms(1));
    assert_eq!(world.machine.server.sessions(), 0, "the second packet excuses nothing");
}

#[test]
fn heartbeats_go_on_after_an_upgrade() {
    let mut world = brisk();
    let sid = world.polling();
    world.sleep(ms(250));
    let conn = world.connect(&speech::upgrade(&speech::target(&sid, "websocket")));
    world.data(conn, &speech::text("2probe"));
    world.data(conn, &speech::text("5"));
    assert_eq!(speech::texts(world.received(conn)), ["3probe"]);
    world.sleep(ms(49));
    assert_eq!(speech::texts(world.received(conn)), ["3probe"]);
    world.sleep(ms(1));
    assert_eq!(speech::texts(world.received(conn)), ["3probe", "2"], "the interval of the opening");
    world.data(conn, &speech::text("3"));
    world.sleep(ms(300));
    assert_eq!(speech::texts(world.received(conn)), ["3probe", "2", "2"]);
    world.sleep(ms(200));
    assert!(is_timed_out(&mut world));
}

#[test]
fn a_poll_gets_the_ping() {
    let mut world = brisk();
    let sid = world.polling();
    let conn = world.connect(&speech::poll(&sid));
    world.sleep(ms(300));
    assert_eq!(world.answers(conn), [(200, b"2".to_vec())]);
}

/// Faithful, and without looking closely: it is to be many.
#[test]
fn a_hundred_thousand_clients_leave_nothing_behind() {
    use parlor::{Input, Instant, Output, Server};
    let now = |n: u64| Instant::from_micros(n * 100);
    let mut server =
        Server::new(Config::default(), [1; 32], now(0), 0).expect("a sound configuration");
    let hello = [speech::open_websocket(), speech::text("40")].concat();
    let mut indexes = 0;
    for n in 0..100_000 {
        let peer = std::net::SocketAddr::from(([127, 0, 0, 1], 4000));
        let conn = server.accept(now(n), peer).expect("the others have gone");
        indexes = indexes.max(conn.index());
        server.handle(now(n), Input::Data { conn, bytes: &mut hello.clone() });
        match n % 3 {
            0 => server.handle(now(n), Input::Lost { conn }),
            1 => server.handle(now(n), Input::Data { conn, bytes: &mut speech::text("1") }),
            _ => server.handle(now(n), Input::Data { conn, bytes: &mut speech::frame(0x88, &[]) }),
        }
        let bytes = server.connection_egress_bytes(conn) as usize;
        server.handle(now(n), Input::Sent { conn, bytes, refused: false });
        server.handle(now(n), Input::Eof { conn });
        let closed = |output: &Output| matches!(output, Output::Close { .. });
        assert!(std::iter::from_fn(|| server.poll_output()).any(|output| closed(&output)));
    }
    assert_eq!((server.connections(), server.sessions(), indexes), (0, 0, 0));
    assert_eq!(server.poll_timeout(), None);
    let stats = server.stats();
    assert_eq!((stats.sockets_connected, stats.sockets_disconnected), (100_000, 100_000));
    assert_eq!((stats.sessions_opened, stats.sessions_closed), (100_000, 100_000));
}

/// It keeps its phase, and does not fire once for each period that a stall has swallowed.
#[test]
fn a_periodic_timer_skips_what_it_missed() {
    use parlor::{Instant, Output, Server};
    let at = |ms: u64| Instant::from_micros(ms * 1000);
    let mut server =
        Server::new(Config::default(), [1; 32], at(0), 0).expect("a sound configuration");
    let timer = server.timer(at(0), ms(10), true).expect("there is room for one");
    let fired = |server: &mut Server, now| {
        let mut fired = 0;
        while server.handle_timeout(now) {
            fired += std::iter::from_fn(|| server.poll_output())
                .filter(|output| matches!(output, Output::Event { .. }))
                .count();
        }
        fired
    };
    assert_eq!(fired(&mut server, at(95)), 1);
    assert_eq!(server.poll_timeout().map(|(next, _)| next), Some(at(100)));
    assert!(server.cancel(timer));
    assert!(server.timer(at(100), ms(0), true).is_some());
    assert_eq!(fired(&mut server, at(100)), 0, "a period has some length");
    assert_eq!(fired(&mut server, at(101)), 1);
}
