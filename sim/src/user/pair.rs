//! A server and one client, for unit tests: five lines, no seeds, no faults.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use parlor::{App, Config, FromArgs, Handle, Root, SocketId};

use super::demand::Demands;
use super::diary::{Diary, Shared};
use super::mind::{Inbox, Scripted};
use super::script::Actor;
use crate::choice::Choices;
use crate::client::Kind;
use crate::profile::{Network, Profile};
use crate::trace::{Story, Transcript};
use crate::world::World;

/// A program and one client that has joined `/`, over a perfect network on which everything takes
/// half a millisecond, in virtual time.
///
/// ```
/// use parlor::{App, Handle};
/// use parlor_sim::{Pair, ms};
///
/// fn shout(_io: Handle) -> App {
///     let mut app = App::new();
///     app.of("/").on("say", |cx, text: String| cx.emit("said", text.to_uppercase()));
///     app
/// }
///
/// let mut pair = Pair::websocket(shout);
/// pair.client(|c| c.emit("say", "hi"));
/// pair.step(ms(10));
/// assert_eq!(*pair.heard::<String>("said"), ["HI"]);
/// ```
pub struct Pair<S = ()> {
    world: World<S>,
    inbox: Inbox,
    diary: Shared,
}

impl<S: Send + 'static> Pair<S> {
    /// A client with a websocket.
    pub fn websocket(program: impl FnOnce(Handle<S>) -> App<S>) -> Self {
        Self::of(Kind::WebSocket, Config::default(), program)
    }

    /// A client that polls.
    pub fn polling(program: impl FnOnce(Handle<S>) -> App<S>) -> Self {
        Self::of(Kind::Polling, Config::default(), program)
    }

    /// A client that has polled and then upgraded.
    pub fn browser(program: impl FnOnce(Handle<S>) -> App<S>) -> Self {
        Self::of(Kind::Upgrading, Config::default(), program)
    }

    /// A client with a websocket, of a server with options.
    pub fn with_config(config: Config, program: impl FnOnce(Handle<S>) -> App<S>) -> Self {
        Self::of(Kind::WebSocket, config, program)
    }

    fn of(kind: Kind, config: Config, program: impl FnOnce(Handle<S>) -> App<S>) -> Self {
        /// Longer than any test; nothing heals, and nothing ends by itself.
        const LONG: u64 = u64::MAX / 4;
        /// More than it takes to connect and upgrade; a program that refuses everybody goes on.
        const ROUNDS_MAX: usize = 100;
        let mut choices = Choices::new(0);
        let profile =
            Profile::scenario(Network::Perfect, vec![kind], config, (1000, 1000)).lasting(LONG, 0);
        let random = choices.stream("script", 0);
        let diary = Diary::new(0, "client".into());
        let inbox: Inbox = Rc::new(RefCell::default());
        let script = Rc::new(|c: &mut Actor, _: &mut super::Random<'_>| c.connect("/", ()));
        let mind = Scripted::new(script, random, diary.clone()).with_inbox(Rc::clone(&inbox));
        let minds: Vec<Box<dyn crate::client::mind::Mind>> = vec![Box::new(mind)];
        let mut pair = Self {
            world: World::new(profile, choices, true, program, minds, Demands::default()),
            inbox,
            diary,
        };
        for _ in 0..ROUNDS_MAX {
            if pair.world.wants(0).is_none() && pair.id().is_some() {
                break;
            }
            pair.step(Duration::from_millis(1));
        }
        pair
    }

    /// Lets the client say or do something, now.
    pub fn client(&mut self, say: impl FnOnce(&mut Actor) + 'static) {
        self.inbox.borrow_mut().push(Box::new(say));
        self.world.prompt(0);
        self.step(Duration::ZERO);
    }

    /// Does something in the server, from outside, as one turn.
    #[track_caller]
    pub fn server<R>(&mut self, work: impl FnOnce(&mut Root<'_, S>) -> R) -> R {
        let result = self.world.run_in_node(work);
        self.sound();
        result
    }

    /// Lets so much time pass.
    ///
    /// # Panics
    ///
    /// If anything does not hold that Parlor promises.
    pub fn step(&mut self, time: Duration) {
        self.world.pass(time.as_micros() as u64);
        self.sound();
    }

    fn sound(&self) {
        if let Some(failure) = self.world.failure() {
            let story = Story::new(self.world.trace().records());
            panic!("{}: {}\n{story}", failure.property, failure.what);
        }
    }

    /// What the client said and heard, for
    /// [`assert_protocol_snapshot`](crate::assert_protocol_snapshot).
    pub fn transcript(&self) -> Transcript {
        Transcript::of(self.world.trace().records(), "c0")
    }

    /// The program's state.
    pub fn state(&self) -> &S {
        self.world.state()
    }

    /// Who the client is in `/`, while it is a member.
    pub fn id(&self) -> Option<SocketId> {
        self.diary.id("/")
    }

    /// The arguments of all events of this name that the client heard, in order.
    ///
    /// # Panics
    ///
    /// If some do not fit the type.
    pub fn heard<A: FromArgs + Clone + 'static>(&self, event: &str) -> Rc<Vec<A>> {
        self.diary.all(true, event)
    }
}

impl<S> std::fmt::Debug for Pair<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}
