//! The window in which everything may happen in any order, and what tells two states apart.

use std::hash::{Hash, Hasher};

use parlor::Stats;

use crate::choice::{Choices, Stream, mix};
use crate::client::Timer;
use crate::hub::Event;

/// See the module's doc.
pub(crate) struct Crossing {
    stream: Stream,
    window: (u64, u64),
    /// How often all that is due may still be put off.
    ticks: u64,
    /// What each half of the server, and each client, has had.
    server: [Print; CLIENTS],
    clients: [Print; CLIENTS],
    /// What each client has read.
    heard: [Print; CLIENTS],
    /// What is being done, and which halves of the server that is about.
    at: Option<(u64, Event)>,
    touched: [bool; CLIENTS],
    /// The client at which it is done, and whether it made it do something.
    at_client: Option<usize>,
    is_answered: bool,
    /// Of the latest pick until the next: which clients it was about, whether it reached the
    /// server, and who took a step.
    moved: [bool; CLIENTS],
    has_reached: bool,
    stepped: Option<usize>,
    /// Where that was said.
    said: Vec<usize>,
    /// Who has taken a step, and where it was said, if nothing has come of it.
    owed: [Option<Vec<usize>>; CLIENTS],
    heed: [Heed; CLIENTS],
    /// Whether ways are left out that say nothing new.
    is_reduced: bool,
    /// The server's counters and its next deadline.
    shown: (Stats, Option<u64>),
    /// The window is behind.
    is_over: bool,
    pub(crate) is_cut: bool,
}

/// What a client makes of what it hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heed {
    /// Anything may change what it says, and when.
    Close,
    /// It answers what it is asked; else it goes on as if it had heard nothing.
    Questions,
    /// It never is asked.
    Nothing,
}

/// What comes next.
pub(crate) enum Pick {
    Event(usize),
    /// All of it is put off by a unit of time.
    Tick,
    /// All that can follow is known.
    Nothing,
}

/// As many has a scene. The server has a half for each: its connections, session and socket.
const CLIENTS: usize = 2;

impl Crossing {
    pub(crate) fn new(
        window: (u64, u64),
        ticks: u64,
        heed: [Heed; CLIENTS],
        choices: &mut Choices,
    ) -> Self {
        let is_reduced = !choices.is_plain();
        Self {
            stream: choices.stream("next", 0),
            window,
            ticks,
            server: Default::default(),
            clients: Default::default(),
            heard: Default::default(),
            at: None,
            touched: Default::default(),
            at_client: None,
            is_answered: false,
            moved: Default::default(),
            has_reached: false,
            stepped: None,
            said: Vec::new(),
            owed: Default::default(),
            heed: if is_reduced { heed } else { [Heed::Close; CLIENTS] },
            is_reduced,
            shown: Default::default(),
            is_over: false,
            is_cut: false,
        }
    }

    /// Whether anything may come first now.
    pub(crate) fn is_open(&mut self, now: u64, choices: &mut Choices) -> bool {
        let (from, until) = self.window;
        if now >= until && !std::mem::replace(&mut self.is_over, true) {
            let mut state = Print::default();
            self.heard.hash(&mut state);
            choices.end(state.whole());
        }
        let is_open = (from..until).contains(&now);
        choices.branch(is_open);
        is_open
    }

    /// Which of these, which are due now and sorted, comes next.
    pub(crate) fn pick(
        &mut self,
        now: u64,
        due: &[Event],
        later: impl Iterator<Item = (u64, Event)>,
        choices: &mut Choices,
    ) -> Pick {
        self.settle();
        if self.is_needless() {
            return self.leave(choices);
        }
        // On known ground nobody asks where it is.
        let mut state = Print::default();
        if choices.is_new_ground() {
            (now, due, &self.server, &self.clients, self.ticks, &self.owed).hash(&mut state);
            later.for_each(|later| later.hash(&mut state));
            let (stats, wake) = &self.shown;
            stats.each().for_each(|(_, count)| count.hash(&mut state));
            wake.hash(&mut state);
        }
        if choices.is_known(state.whole()) {
            self.is_cut = true;
            return Pick::Nothing;
        }
        let ways: Vec<usize> = (0..due.len()).filter(|&place| self.may_come(due[place])).collect();
        let may_tick = self.ticks > 0 && self.may_tick();
        let count = ways.len() + usize::from(may_tick);
        if count == 0 {
            return self.leave(choices);
        }
        let picked = choices.choose(self.stream, count as u64) as usize;
        let Some(&place) = ways.get(picked) else {
            self.ticks -= 1;
            return Pick::Tick;
        };
        self.stepped = stepping(due[place]);
        (self.moved, self.has_reached) = Default::default();
        self.said.clear();
        Pick::Event(place)
    }

    fn leave(&mut self, choices: &mut Choices) -> Pick {
        choices.leave();
        self.is_cut = true;
        Pick::Nothing
    }

    /// Somebody's step was taken in front of what has nothing to do with it: it is taken later on
    /// another way.
    fn is_needless(&mut self) -> bool {
        if !self.is_reduced {
            return false;
        }
        match self.stepped.take() {
            // What comes at once of some steps is seen by all.
            Some(_) if self.has_reached => self.owed = Default::default(),
            Some(client) => self.owed[client] = Some(std::mem::take(&mut self.said)),
            None => {
                let owed = std::mem::take(&mut self.owed);
                return (0..CLIENTS).any(|client| owed[client].is_some() && !self.moved[client]);
            }
        }
        false
    }

    /// Of two clients the first steps first, where nothing is between them. And what follows from a
    /// step is its arrival, if its client heeds nothing.
    fn may_come(&self, event: Event) -> bool {
        if !self.is_reduced {
            return true;
        }
        if let Some(client) = stepping(event) {
            return self.owed[client + 1..].iter().all(Option::is_none);
        }
        let awaited = self.owed.iter().zip(self.heed).filter(|(_, heed)| *heed == Heed::Nothing);
        let mut awaited = awaited.filter_map(|(owed, _)| owed.as_ref());
        awaited.all(|said| matches!(event, Event::Up(id) if said.contains(&id)))
    }

    /// Time does not matter to a step, nor to a server that waits for none that is near.
    fn may_tick(&self) -> bool {
        let is_near = self.shown.1.is_some_and(|wake| wake < self.window.1);
        !self.is_reduced || is_near && self.owed.iter().all(Option::is_none)
    }

    /// Something happens at the server, or at a client, and is about a client, or about all.
    pub(crate) fn happens(&mut self, now: u64, event: Event, client: Option<usize>) {
        self.settle();
        self.at = Some((now, event));
        match (event, client) {
            (Event::Down(_) | Event::ResetDown(_) | Event::Client(..), Some(client)) => {
                self.at_client = Some(client);
                let is_heard = matches!(event, Event::Down(_));
                self.is_answered = !is_heard || self.heed[client] == Heed::Close;
            }
            (_, Some(client)) => self.touch(client),
            _ if event == Event::Pass => {}
            _ => self.touch_all(),
        }
    }

    /// A client says something on a connection, or wants to be woken.
    pub(crate) fn speaks(&mut self, client: usize, id: Option<usize>) {
        self.is_answered |= self.at_client == Some(client);
        self.said.extend(id);
    }

    /// The last of what a client has said on a connection arrives.
    pub(crate) fn arrives(&mut self, client: usize, id: usize) {
        self.moved[client] |= self.owed[client].as_ref().is_some_and(|said| said.contains(&id));
    }

    /// What the server is at is about a client, too.
    pub(crate) fn touch(&mut self, client: usize) {
        self.touched[client] = true;
    }

    /// It is about all, as far as anybody can tell.
    pub(crate) fn touch_all(&mut self) {
        self.touched = [true; CLIENTS];
    }

    /// A client reads.
    pub(crate) fn hears(&mut self, id: usize, client: usize, read: &(Vec<u8>, bool)) {
        (id, read).hash(&mut self.heard[client]);
    }

    /// The server shows this after a call.
    pub(crate) fn shows(&mut self, stats: &Stats, wake: Option<u64>) {
        self.shown = (*stats, wake);
    }

    /// What was done is behind: a half of the server that it was not about has not noticed, nor has
    /// a client that goes on as before.
    fn settle(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        if !self.is_reduced {
            touched = [true; CLIENTS];
        }
        let Some(at) = self.at.take() else { return };
        if let Some(client) = self.at_client.take() {
            if self.is_answered {
                at.hash(&mut self.clients[client]);
                self.moved[client] = true;
            }
            return;
        }
        let mut print = Print::default();
        at.hash(&mut print);
        let halves = || (0..CLIENTS).filter(|&half| touched[half]);
        halves().for_each(|half| (half, self.server[half]).hash(&mut print));
        halves().for_each(|half| self.server[half] = print);
        self.has_reached |= touched.contains(&true);
    }
}

/// Whose step it is.
fn stepping(event: Event) -> Option<usize> {
    match event {
        Event::Client(client, _, Timer::Mind(_)) => Some(client),
        _ => None,
    }
}

/// A hash of 128 bits, the same in every run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Print(u64, u64);

impl Print {
    fn whole(self) -> u128 {
        u128::from(self.0) << 64 | u128::from(self.1)
    }
}

impl Hasher for Print {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word) ^ (chunk.len() as u64) << 60;
            *self = Self(mix(self.0, word, 1), mix(self.1, word, 2));
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
