//! What must hold, and whether it did. The oracles are fed with what the application did and was
//! told, with the bytes on the wire and with what clients saw; none asks the core.

pub(crate) mod agenda;
pub(crate) mod answers;
pub(crate) mod asks;
pub(crate) mod bounds;
pub(crate) mod deeds;
pub(crate) mod drains;
pub(crate) mod egress;
pub(crate) mod events;
pub(crate) mod liveness;
pub(crate) mod lives;
pub(crate) mod requests;
pub(crate) mod rules;
mod said;
pub(crate) mod sockets;
pub(crate) mod told;
pub(crate) mod turns;

use std::fmt;

macro_rules! properties {
    ($($(#[doc = $sentence:literal])+ $id:ident,)*) => {
        /// A property, by the id under which it is known.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Property {
            $($(#[doc = $sentence])+ $id,)*
        }

        impl Property {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$id,)*];

            /// What must hold.
            pub fn sentence(self) -> &'static str {
                match self {
                    $(Self::$id => concat!($($sentence,)+).trim_ascii(),)*
                }
            }
        }
    };
}

properties! {
    /// Every byte that is sent belongs to a whole packet, frame or answer that a strict client
    /// takes, in a state in which it takes it.
    S0,
    /// The commands that the observer tells are those that the program gave.
    S1,
    /// A volatile packet that its client cannot take is dropped: no byte of it is ever sent.
    V1,
    /// A volatile packet that its client can take is sent in its turn, all of it.
    V2,
    /// A volatile packet is sent with all its attachments, or without any.
    V3,
    /// No volatile packet waits for a poll, and on a websocket no more than the cork, or one.
    V4,
    /// On links without limit each socket gets the same packets that are not volatile, in the same
    /// order, with and without the volatile ones.
    V5,
    /// To a client that has been quiet, on a calm link, a volatile packet is sent.
    V6,
    /// A volatile broadcast is sent to those of its members that can take it, and to no others.
    V8,
    /// A volatile ask that is dropped settles so in the same turn, and never arrives.
    V9,
    /// On a websocket a volatile packet is dropped if anything was sent before it in its turn.
    V10,
    /// What an emit returns, what the server foretells of it, and the counter of its reason, are
    /// what becomes of it.
    V11,
    /// A volatile packet that would pass a bound is dropped, and never ends its session.
    V12,
    /// Every ask settles exactly once, at shutdown too.
    A1,
    /// An ask is answered only by the answer that its client gave, with its content.
    A2,
    /// An ask times out at its instant and not before, and `poll_timeout` names no later one.
    A3,
    /// An answer that comes after the outcome resolves nothing, is counted once, and harms nobody.
    A4,
    /// An answer twice, unknown, huge or of another socket resolves nothing.
    A5,
    /// The ids of questions are unique among those that a client has yet to answer.
    A6,
    /// A client's question is answered at most once, with what the handler answered.
    A7,
    /// What is handed in first wins: a complete answer is one, even if its time is over by then.
    A9,
    /// Commands inside an outcome lose or double no other; what they cause comes in the same turn.
    A10,
    /// What a socket receives is a prefix of what was accepted for it.
    O1,
    /// That holds over an upgrade, too: what waited for a poll leaves first, in its order.
    O2,
    /// Handlers run for what a client sent, in its order, each once, with its content.
    O3,
    /// What a handler or a client gets equals what was said: text, numbers, bytes, their places.
    O4,
    /// Each complete copy of a POST is handled once and in full, and one that is cut short not.
    O6,
    /// Two broadcasts arrive in the order in which they were made, at all who get both.
    O5,
    /// The rooms of the server are those that joins and leaves have made, and no others.
    R1,
    /// A broadcast reaches the connected sockets of its rooms, each once.
    R2,
    /// Nothing of a socket remains when it has ended, and it joins no room any more.
    R3,
    /// A socket connects once, then is disconnecting once, then disconnected once; nothing after.
    D1,
    /// The reason of an end is one that the world gave cause for.
    D2,
    /// After `Close` no output names the connection.
    D3,
    /// A session has at most one socket in a namespace; a second CONNECT while the first is
    /// undecided closes it.
    D4,
    /// A session that joins nothing is closed at its instant, and a decision is over at its own.
    D5,
    /// Live ids are unique, and under another secret all are others, in the same places.
    D6,
    /// A shutdown disconnects every socket, and closes every connection, each once and in time.
    D7,
    /// Leaving one namespace does not touch others.
    D8,
    /// A handle of an earlier generation touches nothing of its slot's new owner.
    D9,
    /// A socket that was refused leaves no trace.
    D10,
    /// A silent peer is reaped at its instant: the timeout after its ping was due.
    T1,
    /// A pong that is handed in before the call that would reap saves its session.
    T2,
    /// A ping is due one interval after the opening or the last pong, and one is out at a time.
    T3,
    /// While a deadline is due each call fires or moves it; after that it is in the future, and
    /// a call before it changes nothing.
    T4,
    /// An older now is taken as the latest that was seen; another wall time at the start changes
    /// no more than what is told of it.
    T5,
    /// A call fires at most one deadline, in the declared order, and turns are the world's.
    T6,
    /// Timers of the program are exact, keep their order and phase, and end with their socket.
    T7,
    /// What waits for a session, and for all, is within its bound and the allowance.
    M1,
    /// After the end nothing is left in any table.
    M2,
    /// Whatever bytes come, there is a legal answer or a close; nothing panics.
    M3,
    /// Others see the same with and without a hostile client that is never admitted.
    M4,
    /// Before a client is admitted it gets no more than a multiple of what it sent.
    M5,
    /// A session that has reached its bound is still pinged, and its close still goes out.
    M6,
    /// What egress has shown neither changes nor goes until it is sent or the connection ends.
    E1,
    /// Bytes shown are bytes sent and bytes still there.
    E2,
    /// Bytes that wait have a flush queued, or a refusal that is not over.
    E3,
    /// A half-close, and a close in order, come when everything is written.
    E4,
    /// Reading stops only where too much waits, and each pause is followed by a resume or a close.
    E5,
    /// Each episode in which a session had to wait ends with one `Drained`.
    E6,
    /// Each `2probe` is answered by one `3probe`, and no message precedes the `5`; after it
    /// polling brings none.
    U1,
    /// Every poll that is parked while its session upgrades is answered soon.
    U2,
    /// An upgrade that does not end in time is given up, and polling is unharmed.
    U3,
    /// A second candidate, a wrong packet on one, or its death, leave the session as it was.
    U4,
    /// A session that the server closes while it upgrades ends whole: both transports, once.
    U5,
    /// The heartbeat survives an upgrade.
    U6,
    /// A poll is released while the server goes on sending.
    U7,
    /// Every complete request gets one complete answer, in order.
    P1,
    /// A request that is not Engine.IO's is answered once, in order, 404 without a taker.
    P6,
    /// A session has at most one poll and one POST under way: a second ends it, and only it.
    P2,
    /// An answer holds packets of its own session only. A body that is longer than the server takes
    /// is answered 413 with the first byte too many, and the rest of it is kept nowhere.
    P3,
    /// A session ends if the connection breaks that carried its latest poll answer.
    P4,
    /// A parked poll is answered by a ping at the latest.
    P5,
    /// After the network has healed every honest client connects and upgrades in time.
    Z1,
    /// Then no client asks more than twelve times a second, and none connects anew.
    Z2,
    /// When nobody wants anything any more, everything that was accepted has arrived, and only
    /// heartbeats remain.
    Z3,
    /// Clients that stay broken for good delay nobody's recovery, and cost no more than their
    /// bound.
    Z4,
    /// What the program's own scenario demands.
    App,
    /// Where TCP cuts what strict clients say makes no difference but to volatile packets, and of
    /// those more pieces lose none.
    X1,
    /// Calls before a deadline, and `Writable` for nothing, make no difference.
    X2,
    /// When the time is counted from, by whole slots of the timers, makes no difference.
    X3,
    /// What namespaces and rooms are called, at equal length, and from what ids are drawn, makes no
    /// difference but to names and ids.
    X4,
    /// A silent observer in a namespace of its own changes nothing for anybody else.
    X5,
    /// Clients get the same, volatile packets apart, by polling, by websocket and by an upgrade.
    X6,
    /// The rest is the same when nothing volatile is sent.
    X8,
    /// What two connections that share nothing say at one instant may come in either order.
    X9,
    /// A run depends on its seed alone: no thread, clock, address or hash takes part in it.
    X12,
    /// Whether the driver writes after each turn, each pass or each 16 ms makes no difference to
    /// what is sent, while nothing is refused and nothing reaches the cork.
    X13,
    /// How many deadlines a call may fire makes no difference.
    X14,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// What became of one property in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was put to the test so many times, and held.
    Pass(u64),
    /// It did not hold.
    Fail,
    /// Nothing put it to the test.
    Vacuous,
}

/// The first thing that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What should have held.
    pub property: Property,
    /// When, in microseconds.
    pub at: u64,
    /// What happened instead.
    pub what: String,
}

/// All verdicts of a run.
#[derive(Clone, Debug)]
pub struct Verdicts {
    pub(crate) now: u64,
    tried: Vec<u64>,
    failure: Option<Failure>,
}

impl Default for Verdicts {
    fn default() -> Self {
        Self { now: 0, tried: vec![0; Property::ALL.len()], failure: None }
    }
}

impl Verdicts {
    /// Puts a property to the test. The first that does not hold stays.
    pub(crate) fn claim(&mut self, property: Property, holds: bool, what: impl FnOnce() -> String) {
        self.tried[property as usize] += 1;
        if !holds && self.failure.is_none() {
            self.failure = Some(Failure { property, at: self.now, what: what() });
        }
    }

    pub(crate) fn fail(&mut self, property: Property, what: impl Into<String>) {
        self.claim(property, false, || what.into());
    }

    /// What did not hold, if something did not.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// What became of a property.
    pub fn of(&self, property: Property) -> Verdict {
        match (&self.failure, self.tried[property as usize]) {
            (Some(failure), _) if failure.property == property => Verdict::Fail,
            (_, 0) => Verdict::Vacuous,
            (_, times) => Verdict::Pass(times),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use parlor::{
        App, AskError, AskId, Config, Event, Instant, NamespaceId, Node, Outcome, SessionId,
        SocketId, TimerId,
    };
    use std::sync::{Arc, Mutex};

    /// A socket for a hand-written trace.
    pub(crate) fn socket(n: u8) -> SocketId {
        let text = format!("AAAAAAAAAAAAAAAAAAA{}", char::from(b'A' + n * 4));
        SocketId::parse(&text).expect("it has the form of an id")
    }

    /// Ids are the core's: these are real ones, of a node that was asked for them.
    #[derive(Clone, Default)]
    pub(crate) struct Handles {
        pub(crate) sessions: Vec<SessionId>,
        pub(crate) spaces: Vec<NamespaceId>,
        pub(crate) asks: Vec<AskId>,
        pub(crate) timers: Vec<TimerId>,
    }

    struct Hears(Arc<Mutex<Handles>>);

    impl parlor::Observer for Hears {
        fn event(&mut self, _turn: u64, event: &Event) {
            if let Event::Connected { session, namespace, .. } = event {
                let mut all = self.0.lock().unwrap();
                all.sessions.push(*session);
                all.spaces.push(*namespace);
            }
        }

        fn outcome(&mut self, _turn: u64, outcome: &Outcome) {
            let mut all = self.0.lock().unwrap();
            match outcome {
                Outcome::Asked(id) => all.asks.push(*id),
                Outcome::Armed(id) => all.timers.push(*id),
                _ => {}
            }
        }
    }

    /// Two sessions, each in two namespaces; four asks and four timers.
    pub(crate) fn handles() -> Handles {
        let mut app = App::new();
        for name in ["/", "/a"] {
            app.of(name).on_connect(|cx| {
                cx.ask("a", ()).then(|_cx, _answer: Result<(), AskError>| {});
                cx.after(std::time::Duration::from_secs(1), |_cx| {});
            });
        }
        let mut node = Node::new(Config::default(), app, [0; 32], Instant::ZERO, 0).unwrap();
        let all = Arc::new(Mutex::new(Handles::default()));
        node.set_observer(Box::new(Hears(Arc::clone(&all))));
        for _ in 0..2 {
            let conn = node.accept(Instant::ZERO, parlor::Peer::Unix).unwrap();
            let mut bytes = crate::client::http::upgrade(None);
            bytes.extend(crate::client::ws::frame(1, b"40", 0));
            bytes.extend(crate::client::ws::frame(1, b"40/a,", 0));
            node.handle(Instant::ZERO, parlor::Input::Data { conn, bytes: &mut bytes });
        }
        let all = all.lock().unwrap();
        all.clone()
    }

    /// A connection.
    pub(crate) fn connection() -> parlor::ConnId {
        let mut node: Node<()> =
            Node::new(Config::default(), App::new(), [0; 32], Instant::ZERO, 0).unwrap();
        node.accept(Instant::ZERO, parlor::Peer::Unix).unwrap()
    }

    /// That a trace fires this property, or none.
    #[track_caller]
    pub(crate) fn fires(property: Option<Property>, trace: impl FnOnce(&mut Verdicts)) {
        let mut verdicts = Verdicts::default();
        trace(&mut verdicts);
        let failure = verdicts.failure().cloned();
        assert_eq!(failure.as_ref().map(|failure| failure.property), property, "{failure:?}");
    }

    #[test]
    fn verdicts_have_three_values_and_the_first_failure_stays() {
        let mut verdicts = Verdicts::default();
        verdicts.claim(Property::A1, true, String::new);
        verdicts.claim(Property::A1, true, String::new);
        verdicts.fail(Property::D1, "first");
        verdicts.fail(Property::E1, "second");
        assert_eq!(verdicts.of(Property::A1), Verdict::Pass(2));
        assert_eq!(verdicts.of(Property::D1), Verdict::Fail);
        assert_eq!(verdicts.of(Property::O1), Verdict::Vacuous);
        assert_eq!(verdicts.failure().map(|failure| &*failure.what), Some("first"));
    }
}
