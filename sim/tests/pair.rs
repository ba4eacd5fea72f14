//! One server and one client: what a unit test of an application looks like.

use parlor::{App, AskError, Bytes, Handle};
use parlor_sim::{Pair, ms, secs};

fn lobby(_io: Handle<Vec<String>>) -> App<Vec<String>> {
    let mut app = App::with_state(Vec::new());
    app.of("/")
        .on_connect(|cx| cx.emit("welcome", "hello"))
        .on("say", |cx, text: String| cx.emit("said", (text, cx.state.len())))
        .on("blob", |cx, bytes: Bytes| cx.emit("blob", &bytes))
        .on("two", |cx, ()| {
            cx.emit("first", 1);
            cx.me().volatile().emit("second", 2);
        })
        .on("quiz", |cx, ()| {
            cx.ask("answer?", 6).timeout(secs(5)).then(|cx, answer: Result<u32, AskError>| {
                cx.state.push(format!("{answer:?}"));
            });
        });
    app
}

#[test]
fn what_is_said_comes_back_on_every_transport() {
    for mut pair in [Pair::websocket(lobby), Pair::polling(lobby), Pair::browser(lobby)] {
        assert!(pair.id().is_some());
        assert_eq!(*pair.heard::<String>("welcome"), ["hello"]);
        pair.client(|c| c.emit("say", "one"));
        pair.client(|c| c.emit("blob", Bytes::from("\0\u{1}")));
        pair.step(ms(20));
        assert_eq!(*pair.heard::<(String, usize)>("said"), [("one".to_string(), 0)]);
        assert_eq!(*pair.heard::<Bytes>("blob"), [Bytes::from("\0\u{1}")]);
    }
}

#[test]
fn a_volatile_behind_something_in_one_turn_is_dropped() {
    let mut pair = Pair::websocket(lobby);
    pair.client(|c| c.emit("two", ()));
    pair.step(ms(20));
    assert_eq!(pair.heard::<u32>("first").len(), 1);
    assert!(pair.heard::<u32>("second").is_empty());
}

#[test]
fn a_question_settles_at_its_instant() {
    let mut pair = Pair::websocket(lobby);
    pair.client(|c| c.emit("quiz", ()));
    pair.step(secs(5));
    assert!(pair.state().is_empty());
    pair.step(ms(1));
    assert_eq!(*pair.state(), ["Err(TimedOut)"]);
    pair.client(|c| {
        c.answer("answer?", |_c, n: u32| n * 7);
        c.emit("quiz", ());
    });
    pair.step(ms(20));
    assert_eq!(pair.state()[1], "Ok(42)");
}

#[test]
fn the_server_speaks_from_outside() {
    let mut pair = Pair::polling(lobby);
    pair.server(|root| {
        root.state.push("x".into());
        root.of("/").emit("news", "now");
    });
    pair.step(ms(20));
    assert_eq!(*pair.heard::<String>("news"), ["now"]);
}
