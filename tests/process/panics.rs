//! Handlers that panic, in a process with others. The demo has none, so the driver runs in here.

use parlor::{App, Handle, reply};
use parlor_io::{Driver, Options};
use tungstenite::Message;

use super::{member, next, until_close};

fn program(_io: Handle<u32>) -> App<u32> {
    let mut app = App::with_state(0);
    app.of("/")
        .on("count", |cx, ()| {
            *cx.state += 1;
            reply(*cx.state)
        })
        .on("say", |cx, text: String| cx.broadcast().emit("said", text))
        .on("panic", |cx, ()| {
            cx.broadcast().emit("said", "I am about to");
            panic!("asked for by a test")
        });
    app
}

#[test]
fn a_panicking_handler_costs_its_socket_and_nobody_else() {
    let driver = Driver::bind("127.0.0.1:0", Options::default()).expect("a free port");
    let server = driver.spawn(program).expect("a thread");
    let addr = server.local_addr();
    let (mut bystander, mut culprit) = (member(addr), member(addr));

    for packet in [r#"421["count"]"#, r#"42["panic"]"#] {
        culprit.send(Message::text(packet)).expect("the connection is up");
    }
    assert_eq!(next(&mut culprit), "431[1]");
    assert_eq!(next(&mut culprit), "41");
    assert_eq!(next(&mut bystander), r#"42["said","I am about to"]"#);

    bystander.send(Message::text(r#"422["count"]"#)).expect("the connection is up");
    assert_eq!(next(&mut bystander), "432[2]", "with the state as the culprit left it");
    // Its session stays, and so it may come again.
    culprit.send(Message::text("40")).expect("the connection is up");
    assert!(next(&mut culprit).starts_with("40{"));
    culprit.send(Message::text(r#"42["say","hello"]"#)).expect("the connection is up");
    assert_eq!(next(&mut bystander), r#"42["said","hello"]"#);

    server.stopper().stop();
    for mut client in [bystander, culprit] {
        until_close(&mut client);
        client.read().expect_err("the end, after the answer to the close frame");
    }
    assert_eq!(server.wait().expect("it ends in order").stats.panics, 1);
}
