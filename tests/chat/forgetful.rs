//! A copy of the demo with a bug left in it on purpose: who is there is told by a volatile packet.

use std::collections::BTreeMap;

use parlor::{App, Cx, Handle, Request, Response, SocketId, reply};

const PAGE: &str = include_str!("../../io/demo/index.html");
/// The page needs nothing from elsewhere, and this makes browsers see to it.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
    script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";
const NAME_CHARS_MAX: usize = 24;
const TEXT_CHARS_MAX: usize = 2000;

/// Who is in which room. Clients choose the rooms' names; each client is in one at most.
pub(crate) type Rooms = BTreeMap<String, BTreeMap<SocketId, String>>;

/// What a socket is to the chat.
#[derive(Default)]
struct Guest {
    name: String,
    /// Empty before `enter`.
    room: String,
}

pub(crate) fn chat(_io: Handle<Rooms>) -> App<Rooms> {
    let mut app = App::with_state(Rooms::new());
    app.on_request(|_root, request| page(request));
    app.of("/")
        .data::<Guest>()
        .on("enter", |cx, (name, room): (String, String)| {
            leave(cx);
            enter(cx, short(&name, "somebody"), short(&room, "lobby"));
            reply((&cx.data.name, &cx.data.room))
        })
        .on("say", |cx, text: String| {
            let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
            if !cx.data.room.is_empty() {
                cx.to(&cx.data.room).emit("said", (&cx.data.name, text));
            }
            reply(())
        })
        .on("typing", |cx, ()| {
            if !cx.data.room.is_empty() {
                cx.to(&cx.data.room).volatile().emit("typing", &cx.data.name);
            }
        })
        .on_disconnect(|cx, _why, _rooms| leave(cx));
    app
}

fn enter(cx: &mut Cx<'_, Rooms, Guest>, name: String, room: String) {
    let id = cx.id();
    cx.join(&room);
    cx.to(&room).emit("came", &name);
    cx.state.entry(room.clone()).or_default().insert(id, name.clone());
    *cx.data = Guest { name, room };
    tell_people(cx);
}

fn leave(cx: &mut Cx<'_, Rooms, Guest>) {
    if cx.data.room.is_empty() {
        return;
    }
    let id = cx.id();
    cx.leave(&cx.data.room);
    if let Some(people) = cx.state.get_mut(&cx.data.room) {
        people.remove(&id);
    }
    cx.to(&cx.data.room).emit("left", &cx.data.name);
    tell_people(cx);
    cx.state.retain(|_room, people| !people.is_empty());
    *cx.data = Guest::default();
}

/// Everyone in the room, who has just come included.
fn tell_people(cx: &Cx<'_, Rooms, Guest>) {
    let Some(people) = cx.state.get(&cx.data.room) else { return };
    let names: Vec<&String> = people.values().collect();
    cx.io().of("/").to(&cx.data.room).volatile().emit("people", &names);
}

fn short(name: &str, default: &str) -> String {
    let name = name.trim();
    let name = if name.is_empty() { default } else { name };
    name.chars().take(NAME_CHARS_MAX).collect()
}

/// What is not Socket.IO's: one page.
fn page(request: &Request) -> Response {
    match (request.method(), request.path()) {
        ("GET" | "HEAD", "/") => Response::new(200, PAGE)
            .header("Content-Type", "text/html; charset=utf-8")
            .header("Content-Security-Policy", PAGE_POLICY),
        _ => Response::new(404, "There is nothing here. The chat is at /.\n")
            .header("Content-Type", "text/plain; charset=utf-8"),
    }
}
