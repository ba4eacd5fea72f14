//! What the program did and was told, as records: an observer of the node in a run that is
//! recorded.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use parlor::{
    AskId, Fanout, Handler, Instant, NamespaceId, Outcome, Payload, Recipients, SendStatus,
    SocketId, Stats,
};

use super::record::{App, Command};

/// What a scribe has written since it was last asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told(Arc<Mutex<Page>>);

#[derive(Debug, Default)]
struct Page {
    all: Vec<App>,
    /// The handler that runs: whose, and its name.
    inside: Option<(Option<Box<str>>, Box<str>)>,
}

impl Page {
    fn exit(&mut self) {
        if let Some((sock, event)) = self.inside.take() {
            self.all.push(App::Exit { sock, event });
        }
    }
}

impl Told {
    /// All of it; the call is over, and so is its last handler.
    pub(crate) fn take(&self) -> Vec<App> {
        let mut page = self.page();
        page.exit();
        std::mem::take(&mut page.all)
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes down what an observer of a node is told.
#[derive(Debug, Default)]
pub(crate) struct Scribe {
    told: Told,
    now: u64,
    site: Option<&'static Location<'static>>,
    /// A command whose outcome follows, and until when it asks.
    command: Option<(Command, u64)>,
    /// By the core's numbers, which nobody else sees.
    asks: BTreeMap<AskId, u64>,
    asks_next: u64,
}

impl Scribe {
    /// With where it writes.
    pub(crate) fn new(told: Told) -> Self {
        Self { told, ..Self::default() }
    }

    /// A call begins.
    pub(crate) fn input(&mut self, now: Instant) {
        self.now = now.as_micros();
    }

    fn enter(&self, socket: Option<SocketId>, event: &str, args: &str) {
        let mut page = self.told.page();
        page.exit();
        let sock = socket.map(named);
        page.inside = Some((sock.clone(), event.into()));
        page.all.push(App::Enter { sock, event: event.into(), args: args.into() });
    }

    /// A handler runs.
    pub(crate) fn handler(&mut self, handler: &Handler<'_>) {
        match *handler {
            Handler::Event { socket, event, args } => {
                self.enter(Some(socket), event, &args.to_json());
            }
            Handler::Any { socket, .. } => self.enter(Some(socket), "on_any", ""),
            Handler::Before { socket, .. } => self.enter(Some(socket), "before", ""),
            Handler::Authorize { socket, .. } => self.enter(Some(socket), "authorize", ""),
            Handler::Connect { socket } => self.enter(Some(socket), "on_connect", ""),
            Handler::Disconnecting { socket, reason } => {
                self.enter(Some(socket), "on_disconnecting", &reason.to_string());
            }
            Handler::Disconnect { socket, reason } => {
                self.enter(Some(socket), "on_disconnect", &reason.to_string());
            }
            Handler::Timer { socket, .. } => self.enter(socket, "timer", ""),
            Handler::Settled { socket, ask, outcome } => {
                let id = ask.and_then(|ask| self.asks.remove(&ask));
                let (outcome, args) = match outcome {
                    Ok(args) => ("answered".into(), args.to_json().into()),
                    Err(error) => (error.to_string().into(), "".into()),
                };
                let mut page = self.told.page();
                page.exit();
                page.all.push(App::Settle { id, sock: named(socket), outcome, args });
                drop(page);
                self.enter(Some(socket), "settled", "");
            }
            Handler::Handshake => self.enter(None, "on_handshake", ""),
            Handler::HandshakeError => self.enter(None, "on_handshake_error", ""),
            Handler::Request => self.enter(None, "on_request", ""),
            Handler::Room(_) => self.enter(None, "on_room", ""),
            Handler::Open { .. } => self.enter(None, "on_open", ""),
            Handler::Message { .. } => self.enter(None, "on_message", ""),
            Handler::Upgrade { .. } => self.enter(None, "on_upgrade", ""),
            Handler::Close { .. } => self.enter(None, "on_close", ""),
            _ => self.enter(None, "handler", ""),
        }
    }

    /// Where the next command stands.
    pub(crate) fn site(&mut self, site: &'static Location<'static>) {
        self.site = Some(site);
    }

    /// A command, whose outcome follows.
    pub(crate) fn command(&mut self, command: &parlor::Command<'_>) {
        use parlor::Command as Given;
        let site = self.site.take().map(|site| place(site.file(), site.line()));
        let told = |cmd: &str, to: Box<str>, event: &str| Command {
            cmd: cmd.into(),
            to,
            event: event.into(),
            site: site.clone(),
            ..Command::default()
        };
        let with = |command: Command, args: &Payload, volatile: bool| Command {
            args: args.to_json().into(),
            volatile,
            ..command
        };
        let mut until = 0;
        let command = match *command {
            Given::Emit { socket, event, args, flags } => {
                with(told("emit", named(socket), event), args, flags.volatile)
            }
            Given::Ask { socket, event, args, timeout, flags } => {
                until = self.now + timeout.as_micros() as u64;
                with(told("ask", named(socket), event), args, flags.volatile)
            }
            Given::Broadcast { to, event, args, flags } => {
                with(told("broadcast", audience(&to), event), args, flags.volatile)
            }
            Given::Answer { socket, args, id: _ } => {
                with(told("answer", named(socket), ""), args, false)
            }
            Given::Join { socket, room } => told("join", named(socket), room),
            Given::Leave { socket, room } => told("leave", named(socket), room),
            Given::Disconnect { socket } => told("disconnect", named(socket), ""),
            Given::DisconnectSession { socket } => told("disconnect_session", named(socket), ""),
            Given::Admit { socket } => told("admit", named(socket), ""),
            Given::Refuse { socket, message, .. } => told("refuse", named(socket), message),
            Given::Timer { after, socket, .. } => {
                let whose = socket.map_or_else(|| "".into(), named);
                told("timer", whose, &format!("{} us", after.as_micros()))
            }
            Given::Cancel { .. } => told("cancel", "".into(), ""),
            Given::Respond { status } => told("respond", "".into(), &status.to_string()),
            Given::AdmitHandshake => told("admit_handshake", "".into(), ""),
            Given::RefuseHandshake { message } => told("refuse_handshake", "".into(), message),
            Given::Send { .. } => told("send", "".into(), ""),
            Given::CloseSession { .. } => told("close_session", "".into(), ""),
            Given::Shutdown => told("shutdown", "".into(), ""),
            _ => told("command", "".into(), ""),
        };
        self.command = Some((command, until));
    }

    /// What became of it.
    pub(crate) fn outcome(&mut self, outcome: &Outcome) {
        let Some((mut command, deadline)) = self.command.take() else { return };
        let word: &str = match outcome {
            Outcome::Send(status) => status_word(*status),
            Outcome::Fanout(Fanout { sent, backlogged, dropped }) => {
                command.fanout = Some([*sent, *backlogged, *dropped]);
                ""
            }
            Outcome::Asked(_) | Outcome::Armed(_) | Outcome::Done(true) => "done",
            Outcome::Done(false) => "nothing",
            Outcome::Gone => "gone",
            _ => "limited",
        };
        if !word.is_empty() && !command.to.is_empty() {
            command.out.push((command.to.clone(), word.into(), None));
        }
        let (sock, event) = (command.to.clone(), command.event.clone());
        self.told.page().all.push(App::Command(Box::new(command)));
        if let Outcome::Asked(ask) = *outcome {
            let id = self.asks_next;
            self.asks_next += 1;
            self.asks.insert(ask, id);
            self.told.page().all.push(App::Ask { id, sock, event, deadline });
        }
    }
}

/// A place in the source. A file that is included from elsewhere has its way there in its name.
fn place(file: &str, line: u32) -> Box<str> {
    let mut parts: Vec<&str> = Vec::new();
    for part in file.split('/') {
        match (part, parts.last()) {
            ("..", Some(&last)) if last != ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    format!("{}:{line}", parts.join("/")).into()
}

fn status_word(status: SendStatus) -> &'static str {
    match status {
        SendStatus::Sent => "sent",
        SendStatus::Backlogged { .. } => "backlogged",
        SendStatus::Dropped => "dropped",
        SendStatus::Gone => "gone",
        SendStatus::Invalid => "refused",
    }
}

fn named(socket: SocketId) -> Box<str> {
    socket.to_string().into()
}

fn audience(to: &Recipients<'_>) -> Box<str> {
    let mut out = namespace(to.namespace);
    if !to.rooms.is_empty() {
        out += &format!(" rooms {}", to.rooms.join(" "));
    }
    if !to.except.is_empty() {
        out += &format!(" but rooms {}", to.except.join(" "));
    }
    if let Some(socket) = to.except_socket {
        out += &format!(" but {socket}");
    }
    out.into()
}

/// Its name is put in its place by [`finish`].
fn namespace(id: NamespaceId) -> String {
    format!("{id:?}")
}

/// Says what a call's records could not know while they were made: the names of namespaces, and
/// why something was dropped, where it can be only one thing.
pub(crate) fn finish(
    all: &mut [App],
    spaces: &[(NamespaceId, String)],
    before: &Stats,
    after: &Stats,
) {
    let grown = before.each().zip(after.each()).filter(|(before, after)| before.1 < after.1);
    let mut reasons = grown.filter_map(|(_, (name, _))| {
        name.strip_prefix("volatile_").or((name == "overflow_dropped").then_some("overflow"))
    });
    let why = reasons.next().filter(|_| reasons.next().is_none());
    for app in all {
        let App::Command(command) = app else { continue };
        for (id, name) in spaces {
            if let Some(rest) = command.to.strip_prefix(&*namespace(*id)) {
                command.to = format!("{name}{rest}").into();
            }
        }
        let dropped = command.out.iter_mut().filter(|(_, word, _)| &**word == "dropped");
        dropped.for_each(|(.., told)| *told = why.map(Into::into));
        if command.fanout.is_some_and(|[.., dropped]| dropped > 0) {
            command.why = why.map(Into::into);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_without_detours() {
        assert_eq!(&*place("io/../tests/chat/a.rs", 3), "tests/chat/a.rs:3");
        assert_eq!(&*place("../../b.rs", 4), "../../b.rs:4");
    }
}
