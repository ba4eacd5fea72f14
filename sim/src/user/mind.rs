//! A script at work: a client's mind that does what an [`Actor`] noted.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

use parlor::{AskError, Bytes, Payload};

use super::client::Script;
use super::diary::Shared;
use super::script::{Act, Actor, Answerer, Hear, Many, Once, Random, Settle};
use crate::choice::Stream;
use crate::client::Leave;
use crate::client::mind::{Mind, News, Seat, Wake};

// What it is woken for.
const AFTER: u32 = 0;
const EVERY: u32 = 1;
const TIMEOUT: u32 = 2;
const PROMPT: u32 = 3;

/// What a client is told to do from outside its script.
pub(super) type Inbox = Rc<RefCell<Vec<Once>>>;

pub(crate) struct Scripted {
    script: Script,
    random: Stream,
    diary: Shared,
    /// The namespace that the script speaks of, when a closure begins.
    home: Rc<str>,
    /// By place.
    rooms: Vec<Room>,
    onces: BTreeMap<u64, (Rc<str>, Once)>,
    manies: BTreeMap<u64, (Rc<str>, Duration, Many)>,
    asks: BTreeMap<u64, Asked>,
    next: u64,
    inbox: Inbox,
}

/// What belongs to one namespace.
struct Room {
    namespace: Rc<str>,
    hears: BTreeMap<String, Vec<Hear>>,
    replies: BTreeMap<String, Answerer>,
    /// What is said as soon as it is a member.
    kept: Vec<Kept>,
}

enum Kept {
    Emit(String, Payload),
    /// The event, its arguments, and the number of the ask.
    Ask(String, Payload, u64),
}

struct Asked {
    place: usize,
    /// Under which id, once it is sent.
    id: Option<u64>,
    settle: Settle,
}

impl Scripted {
    /// To look into its inbox.
    pub(crate) const PROMPT: Wake = (PROMPT, 0, 0);

    pub(super) fn new(script: Script, random: Stream, diary: Shared) -> Self {
        Self {
            script,
            random,
            diary,
            home: "/".into(),
            rooms: Vec::new(),
            onces: BTreeMap::new(),
            manies: BTreeMap::new(),
            asks: BTreeMap::new(),
            next: 0,
            inbox: Inbox::default(),
        }
    }

    /// With somebody who tells it what to do, beside its script.
    pub(super) fn with_inbox(self, inbox: Inbox) -> Self {
        Self { inbox, ..self }
    }

    /// Lets a closure of the script speak, and does what it said.
    fn play(&mut self, home: &Rc<str>, seat: &mut Seat<'_>, say: impl FnOnce(&mut Actor)) {
        let mut actor = Actor::new(seat.me.number, seat.hub.now, home);
        say(&mut actor);
        for act in actor.acts {
            self.act(act, seat);
        }
    }

    fn act(&mut self, act: Act, seat: &mut Seat<'_>) {
        match act {
            Act::Connect(namespace, auth) => {
                let auth = auth.argument(0).unwrap_or_default().to_string();
                let place = seat.join(&namespace, &auth);
                self.room(place, &namespace);
                self.home = namespace;
            }
            Act::Leave(namespace) => {
                let place = self.place(&namespace);
                seat.part(place);
                self.out_of(place, seat);
            }
            Act::Emit(namespace, event, args) => {
                let place = self.place(&namespace);
                self.diary.say(&event, args.clone());
                self.say(place, Kept::Emit(event, args), seat);
            }
            Act::Ask(namespace, event, args, timeout, settle) => {
                let place = self.place(&namespace);
                self.diary.say(&event, args.clone());
                self.next += 1;
                let number = self.next;
                self.asks.insert(number, Asked { place, id: None, settle });
                seat.wake_always(micros(timeout), (TIMEOUT, number, 0));
                self.say(place, Kept::Ask(event, args, number), seat);
            }
            Act::On(namespace, event, hear) => {
                let place = self.place(&namespace);
                self.rooms[place].hears.entry(event).or_default().push(hear);
            }
            Act::Reply(namespace, event, reply) => {
                let place = self.place(&namespace);
                self.rooms[place].replies.insert(event, reply);
            }
            Act::After(delay, once) => {
                self.next += 1;
                self.onces.insert(self.next, (Rc::clone(&self.home), once));
                seat.wake_always(micros(delay), (AFTER, self.next, 0));
            }
            Act::Every(period, many) => {
                self.next += 1;
                self.manies.insert(self.next, (Rc::clone(&self.home), period, many));
                seat.wake_always(micros(period), (EVERY, self.next, 0));
            }
            Act::Close => *seat.leave = Some(Leave::ForGood),
        }
    }

    fn place(&self, namespace: &str) -> usize {
        let place = self.rooms.iter().position(|room| &*room.namespace == namespace);
        place.unwrap_or_else(|| panic!("a script speaks to {namespace:?} before it connects to it"))
    }

    fn room(&mut self, place: usize, namespace: &Rc<str>) {
        if place == self.rooms.len() {
            let namespace = Rc::clone(namespace);
            let (hears, replies) = (BTreeMap::new(), BTreeMap::new());
            self.rooms.push(Room { namespace, hears, replies, kept: Vec::new() });
        }
    }

    /// Says it now, or keeps it until it is a member.
    fn say(&mut self, place: usize, what: Kept, seat: &mut Seat<'_>) {
        if seat.spaces[place].id().is_none() {
            self.rooms[place].kept.push(what);
            return;
        }
        match what {
            Kept::Emit(event, args) => {
                seat.say(place, (&event, &args.to_json()), attached(&args), false);
            }
            Kept::Ask(event, args, number) => {
                // One that is over was kept too long.
                if let Some(asked) = self.asks.get_mut(&number) {
                    asked.id = seat.say(place, (&event, &args.to_json()), attached(&args), true);
                }
            }
        }
    }

    /// Its questions there, as far as they were sent, will not be answered.
    fn out_of(&mut self, place: usize, seat: &mut Seat<'_>) {
        self.diary.left(&self.rooms[place].namespace);
        let is_lost = |asked: &Asked| asked.place == place && asked.id.is_some();
        let lost = self.asks.iter().filter(|(_, asked)| is_lost(asked));
        let lost: Vec<u64> = lost.map(|(&number, _)| number).collect();
        for number in lost {
            self.settle(number, Err(AskError::Disconnected), seat);
        }
    }

    fn settle(&mut self, number: u64, answer: Result<Payload, AskError>, seat: &mut Seat<'_>) {
        let Some(Asked { place, settle, .. }) = self.asks.remove(&number) else { return };
        let home = Rc::clone(&self.rooms[place].namespace);
        self.play(&home, seat, |actor| settle(actor, answer));
    }

    fn hear(
        &mut self,
        (place, id): (usize, Option<u64>),
        event: &str,
        args: &Payload,
        seat: &mut Seat<'_>,
    ) {
        self.diary.hear(event, args.clone());
        let room = &self.rooms[place];
        let home = Rc::clone(&room.namespace);
        let hears = room.hears.get(event).cloned().unwrap_or_default();
        let reply = room.replies.get(event).cloned();
        for hear in hears {
            self.play(&home, seat, |actor| hear(actor, args));
        }
        if let (Some(id), Some(reply)) = (id, reply) {
            let mut answer = Payload::empty();
            self.play(&home, seat, |actor| answer = reply(actor, args));
            seat.answer(place, id, &answer.to_json(), attached(&answer));
        }
    }
}

impl Mind for Scripted {
    fn born(&mut self, seat: &mut Seat<'_>) {
        let mut actor = Actor::new(seat.me.number, seat.hub.now, &self.home);
        let mut random = Random { choices: &mut seat.hub.choices, stream: self.random };
        (self.script)(&mut actor, &mut random);
        for act in actor.acts {
            self.act(act, seat);
        }
    }

    fn told(&mut self, news: &News<'_>, seat: &mut Seat<'_>) {
        match *news {
            News::Opened => {}
            News::Lost => {
                self.diary.lost();
                for place in 0..self.rooms.len() {
                    self.out_of(place, seat);
                    self.hear((place, None), "disconnect", &Payload::empty(), seat);
                }
            }
            News::Admitted { place } => {
                if let Some(id) = seat.spaces[place].id() {
                    self.diary.admitted(&self.rooms[place].namespace, id);
                }
                for kept in mem::take(&mut self.rooms[place].kept) {
                    self.say(place, kept, seat);
                }
                self.hear((place, None), "connect", &Payload::empty(), seat);
            }
            News::Refused { place, data } => {
                let args = payload(&format!("[{data}]"), &[]);
                self.hear((place, None), "connect_error", &args, seat);
            }
            News::Expelled { place } => {
                self.out_of(place, seat);
                self.hear((place, None), "disconnect", &Payload::empty(), seat);
            }
            News::Event { place, name, args, attachments, id } => {
                self.hear((place, id), name, &payload(args, attachments), seat);
            }
            News::Answer { place, id, args, attachments } => {
                let is_it = |asked: &Asked| asked.place == place && asked.id == Some(id);
                let found = self.asks.iter().find(|(_, asked)| is_it(asked));
                // One that timed out is not there any more.
                if let Some((&number, _)) = found {
                    self.settle(number, Ok(payload(args, attachments)), seat);
                }
            }
        }
    }

    fn woken(&mut self, (what, number, _): Wake, seat: &mut Seat<'_>) {
        match what {
            PROMPT => {
                let home = Rc::clone(&self.home);
                for say in self.inbox.take() {
                    self.play(&home, seat, say);
                }
            }
            TIMEOUT => self.settle(number, Err(AskError::TimedOut), seat),
            _ if seat.hub.is_quiet => {}
            AFTER => {
                if let Some((home, once)) = self.onces.remove(&number)
                    && seat.keeps_step()
                {
                    self.play(&home, seat, once);
                }
            }
            _ => {
                let Some((home, period, many)) = self.manies.get(&number) else { return };
                let (home, period, many) = (Rc::clone(home), *period, Rc::clone(many));
                seat.wake_always(micros(period), (EVERY, number, 0));
                if seat.keeps_step() {
                    self.play(&home, seat, |actor| many(actor));
                }
            }
        }
    }
}

fn micros(duration: Duration) -> u64 {
    duration.as_micros() as u64
}

fn attached(args: &Payload) -> Vec<Vec<u8>> {
    args.attachments().iter().map(|bytes| bytes.to_vec()).collect()
}

/// Arguments that have arrived; the client's codec has checked them.
fn payload(args: &str, attachments: &[Vec<u8>]) -> Payload {
    let attachments = attachments.iter().cloned().map(Bytes::from).collect();
    let args = Payload::from_json(args).expect("the client takes nothing but JSON");
    args.with_attachments(attachments)
}
