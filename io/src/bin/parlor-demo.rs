//! A chat in one file and one page: `cargo run --release`, and open two tabs.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, Write};
use std::process::ExitCode;

use lexopt::{Arg, ValueExt};
use parlor::{App, Cx, Handle, Request, Response, SocketId, reply};
use parlor_io::{Driver, Options};

const HELP: &str = "\
A chat server with one page, to see Parlor at work.

Usage: parlor-demo [--host HOST] [--port PORT]

  --host HOST   where to listen [default: 127.0.0.1, which is this machine alone]
  --port PORT   on which port; 0 lets the system choose [default: $PORT, or else 3000]
  --help        this text
";
const PAGE: &str = include_str!("../../demo/index.html");
/// The page needs nothing from elsewhere, and this makes browsers see to it.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; \
    script-src 'unsafe-inline'; connect-src 'self'; img-src data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";
const NAME_CHARS_MAX: usize = 24;
const TEXT_CHARS_MAX: usize = 2000;

fn main() -> ExitCode {
    log::set_max_level(log::LevelFilter::Info);
    log::set_logger(&Stderr).expect("nobody else sets one");
    let place = match Place::from_environment() {
        Ok(Some(place)) => place,
        Ok(None) => return print(HELP),
        Err(error) => {
            log::error!("{error}; see --help");
            return ExitCode::from(2);
        }
    };
    match run(&place) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(place: &Place) -> io::Result<()> {
    if let Err(error) = parlor_io::raise_open_files() {
        log::warn!("cannot raise the limit of open files: {error}");
    }
    let options = Options { signals: true, ..Options::default() };
    let driver = Driver::bind((place.host.as_str(), place.port), options)?;
    print(&format!("The parlor is open at http://{}\n", driver.local_addr()));
    driver.run(chat).map(drop)
}

/// Where to listen.
struct Place {
    host: String,
    port: u16,
}

impl Place {
    /// `None` if help is wanted.
    fn from_environment() -> Result<Option<Self>, lexopt::Error> {
        let mut place = Self { host: "127.0.0.1".to_string(), port: 3000 };
        if let Some(port) = env::var_os("PORT") {
            place.port = port.parse().map_err(|error| format!("PORT: {error}"))?;
        }
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Arg::Long("host") => place.host = args.value()?.string()?,
                Arg::Short('p') | Arg::Long("port") => place.port = args.value()?.parse()?,
                Arg::Short('h') | Arg::Long("help") => return Ok(None),
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(Some(place))
    }
}

/// Who is in which room. Clients choose the rooms' names; each client is in one at most.
type Rooms = BTreeMap<String, BTreeMap<SocketId, String>>;

/// What a socket is to the chat.
#[derive(Default)]
struct Guest {
    name: String,
    /// Empty before `enter`.
    room: String,
}

fn chat(_io: Handle<Rooms>) -> App<Rooms> {
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
    cx.io().of("/").to(&cx.data.room).emit("people", &names);
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

/// A closed stdout is no reason to stop.
fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Logs to stderr, a line each.
struct Stderr;

impl log::Log for Stderr {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_ascii_lowercase();
            let line = format!("parlor-demo: {level}: {}\n", record.args());
            // There is nobody left to tell if this fails.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }

    fn flush(&self) {}
}
