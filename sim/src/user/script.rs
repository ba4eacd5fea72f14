//! What a client does, in the words of a script. An [`Actor`] notes what is to be done; the client
//! does it as soon as the closure has returned.

use std::rc::Rc;
use std::time::Duration;

use parlor::{AskError, FromArgs, Payload, ToArgs};

use crate::choice::{Choices, Stream};

/// A client, to its script.
#[derive(Debug)]
pub struct Actor {
    index: usize,
    now: Duration,
    namespace: Rc<str>,
    pub(super) acts: Vec<Act>,
}

/// Something that a client is to do.
pub(super) enum Act {
    Connect(Rc<str>, Payload),
    Leave(Rc<str>),
    Emit(Rc<str>, String, Payload),
    Ask(Rc<str>, String, Payload, Duration, Settle),
    On(Rc<str>, String, Hear),
    Reply(Rc<str>, String, Answerer),
    After(Duration, Once),
    Every(Duration, Many),
    Close,
}

pub(super) type Once = Box<dyn FnOnce(&mut Actor)>;
pub(super) type Many = Rc<dyn Fn(&mut Actor)>;
pub(super) type Settle = Box<dyn FnOnce(&mut Actor, Result<Payload, AskError>)>;
pub(super) type Hear = Rc<dyn Fn(&mut Actor, &Payload)>;
pub(super) type Answerer = Rc<dyn Fn(&mut Actor, &Payload) -> Payload>;

impl std::fmt::Debug for Act {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect(..) => "Connect",
            Self::Leave(_) => "Leave",
            Self::Emit(..) => "Emit",
            Self::Ask(..) => "Ask",
            Self::On(..) => "On",
            Self::Reply(..) => "Reply",
            Self::After(..) => "After",
            Self::Every(..) => "Every",
            Self::Close => "Close",
        })
    }
}

/// Until an ask is given up.
const ASK_TIMEOUT: Duration = Duration::from_secs(10);

impl Actor {
    pub(super) fn new(index: usize, now: u64, namespace: &Rc<str>) -> Self {
        let now = Duration::from_micros(now);
        Self { index, now, namespace: Rc::clone(namespace), acts: Vec::new() }
    }

    /// Which of all clients it is, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The time since the world began.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Joins a namespace, now or as soon as there is a session, and again with each new one, as
    /// the official client does. What is said at the door is one object, or `()`. From here on
    /// this is the namespace that [`emit`](Self::emit) and the others mean.
    ///
    /// # Panics
    ///
    /// If the arguments cannot be written as JSON; so do all of the following.
    #[track_caller]
    pub fn connect(&mut self, namespace: &str, auth: impl ToArgs) {
        let namespace =
            if namespace.starts_with('/') { namespace } else { &format!("/{namespace}") };
        self.namespace = namespace.into();
        self.acts.push(Act::Connect(namespace.into(), written(auth)));
    }

    /// From here on another namespace is meant.
    pub fn of(&mut self, namespace: &str) -> &mut Self {
        self.namespace = namespace.into();
        self
    }

    /// Leaves the namespace for good.
    pub fn leave(&mut self) {
        self.acts.push(Act::Leave(self.namespace.clone()));
    }

    /// Ends the session, says so, and does not come back.
    pub fn disconnect(&mut self) {
        self.acts.push(Act::Close);
    }

    /// Says an event. Until it is a member it keeps what it says.
    #[track_caller]
    pub fn emit(&mut self, event: &str, args: impl ToArgs) {
        self.acts.push(Act::Emit(self.namespace.clone(), event.into(), written(args)));
    }

    /// Says an event and wants an answer, within 10 seconds.
    #[track_caller]
    pub fn ask<A: FromArgs>(
        &mut self,
        event: &str,
        args: impl ToArgs,
        then: impl FnOnce(&mut Self, Result<A, AskError>) + 'static,
    ) {
        self.ask_within(ASK_TIMEOUT, event, args, then);
    }

    /// Says an event and wants an answer within a time.
    #[track_caller]
    pub fn ask_within<A: FromArgs>(
        &mut self,
        timeout: Duration,
        event: &str,
        args: impl ToArgs,
        then: impl FnOnce(&mut Self, Result<A, AskError>) + 'static,
    ) {
        let settle = |c: &mut Self, answer: Result<Payload, AskError>| {
            then(c, answer.and_then(|args| args.parse().map_err(AskError::BadAnswer)));
        };
        let (namespace, settle) = (self.namespace.clone(), Box::new(settle));
        self.acts.push(Act::Ask(namespace, event.into(), written(args), timeout, settle));
    }

    /// Whenever it hears this event; `connect`, `connect_error` and `disconnect` are those of its
    /// own membership.
    #[track_caller]
    pub fn on<A: FromArgs>(&mut self, event: &str, then: impl Fn(&mut Self, A) + 'static) {
        let name = event.to_string();
        let hear = move |c: &mut Self, args: &Payload| then(c, read(c.index, &name, args));
        self.acts.push(Act::On(self.namespace.clone(), event.into(), Rc::new(hear)));
    }

    /// Answers this question, whenever it is put. Without it a question stays unanswered.
    #[track_caller]
    pub fn answer<A: FromArgs, R: ToArgs>(
        &mut self,
        event: &str,
        with: impl Fn(&mut Self, A) -> R + 'static,
    ) {
        let name = event.to_string();
        let reply = move |c: &mut Self, args: &Payload| {
            let args = read(c.index, &name, args);
            written(with(c, args))
        };
        self.acts.push(Act::Reply(self.namespace.clone(), event.into(), Rc::new(reply)));
    }

    /// Once, after so long. Not after the scenario's [`run_for`](super::Sim::run_for).
    pub fn after(&mut self, delay: Duration, then: impl FnOnce(&mut Self) + 'static) {
        self.acts.push(Act::After(delay, Box::new(then)));
    }

    /// Again and again, the first time after so long. Not after the scenario's
    /// [`run_for`](super::Sim::run_for).
    pub fn every(&mut self, period: Duration, then: impl Fn(&mut Self) + 'static) {
        self.acts.push(Act::Every(period.max(Duration::from_millis(1)), Rc::new(then)));
    }
}

#[track_caller]
fn written(args: impl ToArgs) -> Payload {
    Payload::from_args(args).unwrap_or_else(|why| panic!("a script's arguments: {why}"))
}

pub(super) fn read<A: FromArgs>(client: usize, event: &str, args: &Payload) -> A {
    args.parse().unwrap_or_else(|why| {
        panic!("client {client} heard {event:?} with {args:?}, which does not fit: {why}")
    })
}

/// What a script draws when its client is born: the same numbers for the same seed.
#[derive(Debug)]
pub struct Random<'a> {
    pub(super) choices: &'a mut Choices,
    pub(super) stream: Stream,
}

impl Random<'_> {
    /// A number below `bound`.
    ///
    /// # Panics
    ///
    /// If the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        assert!(bound > 0, "there is no number below 0");
        self.choices.choose(self.stream, bound)
    }

    /// Whether something happens that does so `percent` times in 100.
    pub fn chance(&mut self, percent: u64) -> bool {
        // The simplest world, in which all draws are 0, is one where it does not.
        self.choices.choose(self.stream, 100) >= 100 - percent.min(100)
    }

    /// One of these.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize].clone()
    }
}
