//! What a client wants: the part of it that differs from one program to the next. All of its will
//! goes through a [`Seat`], which knows how a client says things.

use super::packet::Packet;
use super::space::Space;
use super::{Antic, Leave, Me, Timer};
use crate::hub::Hub;

/// Decides what a client does.
pub(crate) trait Mind {
    /// Its life begins; it is about to connect for the first time.
    fn born(&mut self, seat: &mut Seat<'_>) {
        let _ = seat;
    }

    /// Something happened to it.
    fn told(&mut self, news: &News<'_>, seat: &mut Seat<'_>);

    /// A timer that it set.
    fn woken(&mut self, wake: Wake, seat: &mut Seat<'_>);

    /// What it still wants; `None` if it is content. Asked when all should be well.
    fn wants(&self) -> Option<String> {
        None
    }

    /// What is not settled, of questions that it put; asked when it has wanted nothing for long.
    fn unsettled(&self, hub: &Hub) -> Option<String> {
        let _ = hub;
        None
    }
}

/// What a timer is for; minds choose the meaning.
pub(crate) type Wake = (u32, u64, u64);

/// What happens to a client. Places are those of its namespaces, in the order of joining.
#[derive(Debug)]
pub(crate) enum News<'a> {
    /// A session is open, and every namespace that it was in, or wants, is joined again.
    Opened,
    /// The session is over.
    Lost,
    /// It is a member.
    Admitted { place: usize },
    /// It is refused; the object says why.
    Refused { place: usize, data: &'a str },
    /// The server took it out.
    Expelled { place: usize },
    /// An event: its name, the list of its arguments, and under which id an answer is awaited.
    Event {
        place: usize,
        name: &'a str,
        args: &'a str,
        attachments: &'a [Vec<u8>],
        id: Option<u64>,
    },
    /// The answer to what it asked under this id.
    Answer { place: usize, id: u64, args: &'a str, attachments: &'a [Vec<u8>] },
}

/// A client, to its mind.
pub(crate) struct Seat<'a> {
    pub(crate) me: &'a Me,
    pub(crate) spaces: &'a mut Vec<Space>,
    /// What it says now.
    pub(crate) out: &'a mut Vec<Packet>,
    /// It wants to go.
    pub(crate) leave: &'a mut Option<Leave>,
    /// It wants to do something that it should not.
    pub(crate) antic: &'a mut Option<Antic>,
    /// Whether a session is open.
    pub(crate) is_open: bool,
    /// Whether so much waits to be sent that a polite client says no more.
    pub(crate) is_full: bool,
    pub(crate) hub: &'a mut Hub,
}

impl Seat<'_> {
    /// A number below a bound, of the client's own stream.
    pub(crate) fn choose(&mut self, bound: u64) -> u64 {
        self.hub.choices.choose(self.me.stream, bound)
    }

    /// What it draws next is for this.
    pub(crate) fn span(&mut self, label: &'static str) {
        self.hub.choices.span(self.me.stream, label);
    }

    /// Whether the next step of a script is taken: see [`keep`](crate::choice::Choices::keep).
    pub(crate) fn keeps_step(&mut self) -> bool {
        self.hub.choices.keep(self.me.stream, "step")
    }

    /// Wants to be in a namespace from now on, with this to say at the door: an object, or
    /// nothing. Gives its place.
    pub(crate) fn join(&mut self, namespace: &str, auth: &str) -> usize {
        let known = self.spaces.iter().position(|space| space.is_of(namespace));
        let place = known.unwrap_or_else(|| {
            self.spaces.push(Space::new(namespace));
            self.spaces.len() - 1
        });
        self.out.extend(self.spaces[place].join(auth, self.is_open));
        place
    }

    /// Asks once more to be let in, where the answer is still awaited: nobody may.
    pub(crate) fn insist(&mut self, place: usize) {
        self.out.extend(self.spaces[place].insist());
    }

    /// Leaves a namespace, and wants it no longer.
    pub(crate) fn part(&mut self, place: usize) {
        self.out.extend(self.spaces[place].part(false));
    }

    /// Leaves a namespace, to come back later.
    pub(crate) fn step_out(&mut self, place: usize) {
        self.out.extend(self.spaces[place].part(true));
    }

    /// Says an event to a namespace that it is a member of: the list of its arguments as JSON.
    /// With `asks`, gives the id under which the answer will come.
    pub(crate) fn say(
        &mut self,
        place: usize,
        (name, args): (&str, &str),
        attachments: Vec<Vec<u8>>,
        asks: bool,
    ) -> Option<u64> {
        let (packets, id) = self.spaces[place].say((name, args), attachments, asks, self.hub);
        self.out.extend(packets);
        id
    }

    /// Answers what it was asked under this id; nothing, if it is no member any more.
    pub(crate) fn answer(&mut self, place: usize, id: u64, args: &str, attachments: Vec<Vec<u8>>) {
        self.out.extend(self.spaces[place].answer(id, args, attachments));
    }

    /// To be woken while this session lasts.
    pub(crate) fn wake(&mut self, after: u64, wake: Wake) {
        self.hub.timer(after, self.me.number, self.me.life, Timer::Mind(wake));
    }

    /// To be woken whatever happens.
    pub(crate) fn wake_always(&mut self, after: u64, wake: Wake) {
        self.hub.timer(after, self.me.number, Me::ANY_LIFE, Timer::Mind(wake));
    }
}
