//! D: from polling to websocket.

use std::time::Duration;

use parlor::{App, Config};

use crate::lab::{Lab, Log, Polling};

/// The engine alone, which echoes and notes what becomes of sessions.
fn lab() -> Lab<Log> {
    let mut app = App::with_state(Log::new());
    app.engine()
        .on_message(|cx, message| cx.send(message))
        .on_upgrade(|cx| {
            cx.state.push(format!("upgrade {:?}", cx.transport()));
            cx.send("from the handler")
        })
        .on_close(|cx, why| cx.state.push(why.to_string()));
    Lab::with(Config::engine(), app)
}

fn expect_alive(lab: &mut Lab<Log>, session: &Polling) {
    lab.post(session, "4alive");
    assert_eq!(lab.get(session), ["200 4alive"]);
}

/// At the probe, and then every 100 ms from it.
#[test]
fn row_052_a_poll_is_released_at_the_probe_and_every_100_ms() {
    let mut lab = lab();
    let session = lab.polling();
    lab.get(&session);
    let socket = lab.candidate(&session);
    assert_eq!(lab.said(session.down), [""; 0], "a candidate alone releases nothing");
    lab.sleep(30);
    assert_eq!(lab.text(socket, "2probe"), ["3probe"]);
    assert_eq!(lab.said(session.down), ["200 6"]);
    for _ in 0..3 {
        lab.sleep(30);
        assert_eq!(lab.get(&session), [""; 0]);
        lab.sleep(69);
        assert_eq!(lab.said(session.down), [""; 0]);
        lab.sleep(1);
        assert_eq!(lab.said(session.down), ["200 6"]);
    }
    // A probe again is answered again, and releases again.
    lab.get(&session);
    assert_eq!(lab.text(socket, "2probe"), ["3probe"]);
    assert_eq!(lab.said(session.down), ["200 6"]);
    // A poll that finds packets takes them.
    lab.post(&session, "4waits");
    assert_eq!(lab.get(&session), ["200 4waits"]);
}

#[test]
fn row_053_a_candidate_hears_nothing_but_its_probe() {
    let mut lab = lab();
    let session = lab.polling();
    let socket = lab.candidate(&session);
    lab.post(&session, "4before");
    assert_eq!(lab.text(socket, "2probe"), ["3probe"]);
    lab.post(&session, "4after");
    lab.sleep(9_000);
    assert_eq!(lab.said(socket), [""; 0]);
    assert_eq!(lab.get(&session), ["200 4before\x1e4after"]);
}

#[test]
fn row_054_what_waits_at_the_5_follows_in_order_and_nothing_twice() {
    let mut lab = lab();
    let session = lab.polling();
    let mut heard = Vec::new();
    let said = |lab: &mut Lab<Log>, n: usize| {
        lab.post(&session, &format!("4{n}"));
        n + 1
    };
    let mut n = 0;
    for _ in 0..50 {
        n = said(&mut lab, n);
    }
    heard.extend(lab.get(&session));
    let socket = lab.candidate(&session);
    n = said(&mut lab, n);
    lab.text(socket, "2probe");
    heard.extend(lab.get(&session));
    lab.get(&session); // Parked; the first of these takes it.
    for _ in 0..50 {
        n = said(&mut lab, n);
    }
    heard.extend(lab.said(session.down));
    let mut heard: Vec<_> = heard
        .iter()
        .flat_map(|answer| answer["200 ".len()..].split('\x1e'))
        .map(str::to_owned)
        .collect();
    heard.extend(lab.texts(socket, &["5", "4101", "4102"]));
    let mut all: Vec<_> = (0..n).map(|n| format!("4{n}")).collect();
    all.extend(["4from the handler", "4101", "4102"].map(str::to_owned));
    // A message right behind the `5` is an ordinary one, but one read is one turn.
    let place = |list: &[String], text: &str| list.iter().position(|line| line == text);
    assert_eq!(heard.len(), all.len());
    assert_eq!(heard[..n], all[..n]);
    assert!(place(&heard, "4101") < place(&heard, "4102"));
}

#[test]
fn row_055_a_poll_parked_at_the_5_is_answered_by_a_close() {
    let mut lab = lab();
    let session = lab.polling();
    let socket = lab.candidate(&session);
    lab.text(socket, "2probe");
    lab.get(&session);
    assert_eq!(lab.text(socket, "5"), ["4from the handler"]);
    assert_eq!(lab.said(session.down), ["200 1"]);
    assert_eq!(lab.text(socket, "4still"), ["4still"]);
    // A POST that is not complete is cut off, and its payload lost.
    let session = lab.polling();
    let socket = lab.candidate(&session);
    let target = format!("/engine.io/{}", session.target("polling"));
    let half = format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n4half");
    lab.send(session.up, half);
    lab.texts(socket, &["2probe", "5"]);
    assert_eq!(lab.said(session.up), ["<end>"]);
    assert_eq!(lab.text(socket, "4still"), ["4still"]);
    assert_eq!(lab.log(), ["upgrade Some(WebSocket)"; 2], "and neither session ended");
}

#[test]
fn row_056_a_candidate_that_takes_too_long_is_closed_and_another_may_try() {
    let mut lab = lab();
    let session = lab.polling();
    let socket = lab.candidate(&session);
    lab.text(socket, "2probe");
    lab.sleep(9_999);
    assert_eq!(lab.said(socket), [""; 0]);
    lab.sleep(1);
    assert_eq!(lab.said(socket), ["<close>", "<end>"]);
    expect_alive(&mut lab, &session);
    let again = lab.candidate(&session);
    assert_eq!(lab.text(again, "2probe"), ["3probe"]);
    assert_eq!(lab.text(again, "5"), ["4from the handler"]);
}

#[test]
fn row_056_a_candidate_that_is_lost_harms_nothing() {
    let mut lab = lab();
    let session = lab.polling();
    let socket = lab.candidate(&session);
    lab.text(socket, "2probe");
    lab.lose(socket);
    expect_alive(&mut lab, &session);
    lab.sleep(20_000);
    assert_eq!(lab.get(&session), [""; 0], "no release is left over");
    let again = lab.candidate(&session);
    assert_eq!(lab.texts(again, &["2probe", "5"]), ["3probe", "4from the handler"]);
}

#[test]
fn row_058_one_candidate_at_a_time() {
    let mut lab = lab();
    let session = lab.polling();
    let first = lab.candidate(&session);
    let (second, said) = lab.upgrade(&session.target("websocket"));
    assert_eq!(said, ["<close>", "<end>"]);
    assert_eq!(lab.text(first, "2probe"), ["3probe"]);
    let (_, said) = lab.upgrade(&session.target("websocket"));
    assert_eq!(said, ["<close>", "<end>"]);
    assert_eq!(lab.text(first, "5"), ["4from the handler"]);
    assert_eq!(lab.text(first, "4still"), ["4still"]);
    assert_eq!(lab.said(second), [""; 0]);
}

/// The session ends at once where a GET is parked, or by the `5` that finds it closing.
#[test]
fn row_060_a_session_that_closes_takes_its_candidate_along() {
    let mut app = App::with_state(Log::new());
    app.engine().on_open(|cx| {
        let me = cx.session();
        cx.io().after(Duration::from_secs(5), move |root| root.session(me).close());
    });
    app.engine().on_close(|cx, why| cx.state.push(why.to_string()));
    let mut lab = Lab::with(Config::engine(), app);
    let session = lab.polling();
    let socket = lab.candidate(&session);
    lab.text(socket, "2probe");
    lab.sleep(5_000);
    assert_eq!(lab.log(), [""; 0], "it waits for its client");
    assert_eq!(lab.text(socket, "5"), ["<close>", "<end>"]);
    assert_eq!(lab.log(), ["forced close"]);
    assert_eq!(lab.get(&session), [r#"400 {"code":1,"message":"Session ID unknown"}"#]);
    let session = lab.polling();
    let socket = lab.candidate(&session);
    lab.get(&session);
    lab.sleep(5_000);
    assert_eq!(lab.said(session.down), ["200 1"]);
    assert_eq!(lab.said(socket), ["<close>", "<end>"]);
    assert_eq!(lab.log(), ["forced close"]);
}

#[test]
fn row_063_the_upgrade_is_told_when_the_websocket_is_the_transport() {
    let mut lab = lab();
    let session = lab.polling();
    let socket = lab.candidate(&session);
    lab.text(socket, "2probe");
    assert_eq!(lab.log(), [""; 0]);
    lab.text(socket, "5");
    assert_eq!(lab.log(), ["upgrade Some(WebSocket)"]);
    assert_eq!(lab.node.stats().upgrades, 1);
}
