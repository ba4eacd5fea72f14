//! The demo's chat in simulated worlds: what a user's own suite looks like. That it can fail is
//! shown with a copy of the chat that has a bug.

#[path = "../../io/demo/chat.rs"]
mod chat;
mod forgetful;

use std::panic;

use chat::Rooms;
use parlor::AskError;
use parlor_sim::{Client, Faults, Pair, Sim, assert_protocol_snapshot, check, ms, secs};

#[test]
fn the_chat_keeps_its_promises() {
    check(0..150, chat::chat, promises);
}

/// It keeps order and membership, and nine worlds of ten look right; who is there is wrong where
/// the last word about it was dropped.
#[test]
fn the_forgetful_chat_is_found_out() {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let outcome = panic::catch_unwind(|| check(0..150, forgetful::chat, promises));
    panic::set_hook(hook);
    let message = outcome.expect_err("the bug is found");
    let screen = message.downcast_ref::<String>().expect("a screen is text");
    assert!(screen.contains("everybody sees who is there"), "{screen}");
}

/// What a guest and the server say to each other, from the first request on.
#[test]
fn a_guest_comes_in_and_speaks() {
    let mut pair = Pair::browser(chat::chat);
    pair.client(|c| c.emit("enter", ("ann", "lobby")));
    pair.step(ms(100));
    pair.client(|c| c.ask("say", "hello", |_c, _said: Result<(), AskError>| {}));
    pair.step(secs(30));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.bind(|| assert_protocol_snapshot!("chat_a_guest_comes_in", pair.transcript()));
}

/// So that it stays a copy.
#[test]
fn the_forgetful_chat_differs_in_one_word() {
    let (whole, copy) = (include_str!("../../io/demo/chat.rs"), include_str!("forgetful.rs"));
    let is_place = |line: &&str| !line.starts_with("//!") && !line.contains("index.html");
    let lines = |text: &'static str| text.lines().filter(is_place);
    let differ: Vec<_> = lines(whole).zip(lines(copy)).filter(|(one, two)| one != two).collect();
    let [(one, two)] = differ[..] else { panic!("{differ:?}") };
    assert_eq!(one, two.replace(".volatile()", ""));
}

/// What everybody who uses the chat relies on.
fn promises(sim: &mut Sim<Rooms>) {
    let guest = Client::browser().named("guest").script(|c, r| {
        let name = format!("guest {}", c.index());
        let room = r.pick(&["lobby", "kitchen"]);
        c.connect("/", ());
        c.on("connect", move |c, ()| c.emit("enter", (&name, room)));
        c.every(ms(300), |c| c.emit("typing", ()));
        for line in 0..2 + r.below(6) {
            c.after(ms(r.below(20_000)), move |c| {
                c.ask("say", format!("{line:03}"), |_c, _said: Result<(), AskError>| {});
            });
        }
        if r.chance(30) {
            c.after(secs(5) + ms(r.below(20_000)), |c| c.disconnect());
        }
    });
    sim.clients(2..=5, guest);
    sim.faults(Faults::mobile());
    sim.run_for(secs(30));
    sim.always("who is on the list is in the room", |w| {
        w.state.iter().all(|(room, people)| {
            let members = w.members("/", room);
            people.keys().all(|id| members.contains(id))
        })
    });
    sim.sometimes("a typing hint was dropped", |w| w.volatile_drops() > 0);
    sim.sometimes("two guests heard a third", |w| {
        w.clients().filter(|c| !c.heard::<(String, String)>("said").is_empty()).count() > 1
    });
    sim.after_heal("everybody sees who is there", secs(60), |w| {
        for guest in w.healthy() {
            let id = guest.id("/").ok_or("a guest is not connected")?;
            let room = w.state.values().find(|people| people.contains_key(&id));
            let truth: Vec<String> = room.into_iter().flat_map(|p| p.values().cloned()).collect();
            let shown = guest.last::<Vec<String>>("people").unwrap_or_default();
            if shown != truth {
                return Err(format!("{guest:?} sees {shown:?}, there are {truth:?}"));
            }
        }
        Ok(())
    });
}
