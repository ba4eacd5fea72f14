//! What breaks, and how: single connections, all of a client's, everybody's, the server itself, and
//! blows that are aimed at the moment after a mark was hit.

use crate::choice::Stream;
use crate::hub::{Event, Hub};
use crate::marks::Mark;
use crate::trace::Entity;

/// From a mark that was hit to the blow.
const AIM_DELAY: u64 = 100;
/// Aimed blows in one world.
const BLOWS_MAX: u32 = 20;
/// A pause over a ping's deadline is not longer.
const PAUSE_MAX: u64 = 30_000_000;

/// What may happen to the network, or to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing departs for a while.
    Stall,
    /// The same towards the client: its answers are on their way, and it hears nothing.
    StallDown,
    Reset,
    HalfOpen,
    Slow,
    /// The client does not read any more, and its window fills up.
    Deaf,
    /// The same for a while.
    Silence,
    /// One direction is far slower than the other.
    Lopsided,
    /// A client gets another address: none of its connections is known on the way any more.
    Rebinding,
    /// Clients stall one after another, and come free in another order.
    Clog,
    /// Every connection is reset: everybody comes back at once.
    Storm,
    ServerPause,
    /// The server pauses for longer than a ping may take to be answered.
    PauseOverPing,
}

const ALL: [Fault; 13] = [
    Fault::Stall,
    Fault::StallDown,
    Fault::Reset,
    Fault::HalfOpen,
    Fault::Slow,
    Fault::Deaf,
    Fault::Silence,
    Fault::Lopsided,
    Fault::Rebinding,
    Fault::Clog,
    Fault::Storm,
    Fault::ServerPause,
    Fault::PauseOverPing,
];

/// What struck, for the table of marks and faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Stall,
    Reset,
    HalfOpen,
    Slow,
    Deaf,
    Lopsided,
    Rebinding,
    Clog,
    Storm,
    Pause,
    Aimed,
    Outsider,
}

impl Class {
    pub(crate) const ALL: [Self; 12] = [
        Self::Stall,
        Self::Reset,
        Self::HalfOpen,
        Self::Slow,
        Self::Deaf,
        Self::Lopsided,
        Self::Rebinding,
        Self::Clog,
        Self::Storm,
        Self::Pause,
        Self::Aimed,
        Self::Outsider,
    ];
}

impl Fault {
    fn class(self) -> Class {
        match self {
            Self::Stall | Self::StallDown => Class::Stall,
            Self::Reset => Class::Reset,
            Self::HalfOpen => Class::HalfOpen,
            Self::Slow => Class::Slow,
            Self::Deaf | Self::Silence => Class::Deaf,
            Self::Lopsided => Class::Lopsided,
            Self::Rebinding => Class::Rebinding,
            Self::Clog => Class::Clog,
            Self::Storm => Class::Storm,
            Self::ServerPause | Self::PauseOverPing => Class::Pause,
        }
    }
}

/// A blow that follows a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    pub(crate) mark: Mark,
    pub(crate) blow: Blow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blow {
    Reset,
    HalfOpen,
    Stall,
    /// The client itself loses all of its connections.
    Rebinding,
}

impl Blow {
    pub(crate) const ALL: [Self; 4] = [Self::Reset, Self::HalfOpen, Self::Stall, Self::Rebinding];
}

/// How the network stays broken for a client that is not in the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ban {
    /// It reads nothing.
    Deaf,
    /// Nothing that it sends arrives, and it hears nothing.
    Cut,
    /// A thousand bytes a second.
    Slow,
}

impl Ban {
    pub(crate) const ALL: [Self; 3] = [Self::Deaf, Self::Cut, Self::Slow];
}

/// Bytes a second of what is slow.
pub(crate) const SLOW: u64 = 1000;

/// Whoever breaks things.
pub(crate) struct Chaos {
    stream: Stream,
    blows: u32,
}

impl Chaos {
    pub(crate) fn new(hub: &mut Hub) -> Self {
        Self { stream: hub.choices.stream("faults", 0), blows: 0 }
    }

    /// Time for a fault. Until when the server pauses, if that is it.
    pub(crate) fn strike(&mut self, hub: &mut Hub) -> Option<u64> {
        let every = hub.profile.fault_every.filter(|_| !hub.is_healed)?;
        hub.choices.span(self.stream, "fault");
        let pause = hub.choices.choose(self.stream, 2 * every + 1);
        if pause == 0 {
            return None;
        }
        hub.push(hub.now + pause, Event::Fault);
        // The first place stands for nothing.
        let place = hub.choices.choose(self.stream, ALL.len() as u64 + 1).checked_sub(1)?;
        let fault = ALL[place as usize];
        let live: Vec<usize> = (0..hub.conns.len()).filter(|&id| is_alive(hub, id)).collect();
        if live.is_empty() {
            return None;
        }
        let id = live[hub.choices.choose(self.stream, live.len() as u64) as usize];
        let length = 10_000 << hub.choices.choose(self.stream, 11);
        if !hub.profile.faults.has(fault.class()) {
            return None;
        }
        hub.marks.struck(fault.class());
        self.happens(fault, id, length, &live, hub)
    }

    fn happens(
        &self,
        fault: Fault,
        id: usize,
        length: u64,
        live: &[usize],
        hub: &mut Hub,
    ) -> Option<u64> {
        let until = hub.now + length;
        match fault {
            Fault::Stall => stall(hub, id, until),
            Fault::StallDown => {
                tell(hub, id, "stall down", Some(until));
                hub.conns[id].down.stall(until);
            }
            Fault::Reset => reset(hub, id),
            Fault::HalfOpen => half_open(hub, id),
            Fault::Slow => {
                tell(hub, id, "slow", None);
                hub.conns[id].down.shape.bandwidth = SLOW;
            }
            Fault::Deaf => {
                tell(hub, id, "deaf", None);
                hub.conns[id].is_deaf = true;
            }
            Fault::Silence => {
                tell(hub, id, "deaf", Some(until));
                hub.conns[id].is_deaf = true;
                hub.push(until, Event::Listen(id));
            }
            Fault::Lopsided => {
                tell(hub, id, "lopsided", None);
                let conn = &mut hub.conns[id];
                let is_up = length.is_multiple_of(20_000);
                let pipe = if is_up { &mut conn.up } else { &mut conn.down };
                pipe.shape.latency = length;
            }
            Fault::Rebinding => rebind(hub, id),
            Fault::Clog => self.clog(length, hub),
            Fault::Storm => live.iter().for_each(|&id| reset(hub, id)),
            Fault::ServerPause => return pause(hub, length),
            Fault::PauseOverPing => {
                let beat = hub.profile.config.ping_interval + hub.profile.config.ping_timeout;
                return pause(hub, (beat.as_micros() as u64 + length).min(PAUSE_MAX));
            }
        }
        None
    }

    /// Each client in turn, each for its own time.
    fn clog(&self, length: u64, hub: &mut Hub) {
        for client in 0..hub.profile.kinds.len() {
            let [from, for_time] = [length, 2 * length]
                .map(|most| hub.now + hub.choices.choose(self.stream, most + 1));
            hub.push(from, Event::Clog(client, for_time.max(from)));
        }
    }

    /// A mark was hit, by what came on this connection.
    pub(crate) fn aimed(&mut self, id: usize, hub: &mut Hub) {
        let Some(aim) = hub.profile.aim.filter(|_| !hub.is_healed) else { return };
        if self.blows == BLOWS_MAX || !is_alive(hub, id) {
            return;
        }
        self.blows += 1;
        hub.marks.struck(Class::Aimed);
        match aim.blow {
            Blow::Reset => reset(hub, id),
            Blow::HalfOpen => half_open(hub, id),
            Blow::Stall => stall(hub, id, hub.now + 3_000_000),
            Blow::Rebinding => rebind(hub, id),
        }
    }

    /// Who stays broken when the network heals for the others, and how.
    pub(crate) fn outsiders(&self, hub: &mut Hub) -> Vec<Option<Ban>> {
        let one_in = hub.profile.outsider_one_in;
        let kinds = hub.profile.kinds.clone();
        let mut draw = |bound| hub.choices.choose(self.stream, bound);
        let mut one = |kind: crate::client::Kind| {
            let is_out = one_in > 0 && kind.is_honest() && draw(one_in) == 1;
            is_out.then(|| Ban::ALL[draw(Ban::ALL.len() as u64) as usize])
        };
        kinds.into_iter().map(&mut one).collect()
    }
}

impl crate::profile::Faults {
    fn has(&self, class: Class) -> bool {
        match class {
            Class::Stall => self.stall,
            Class::Reset => self.reset,
            Class::HalfOpen => self.half_open,
            Class::Slow => self.slow,
            Class::Deaf => self.deaf,
            Class::Lopsided => self.lopsided,
            Class::Rebinding => self.rebinding,
            Class::Clog => self.clog,
            Class::Storm => self.storm,
            Class::Pause => self.server_pause,
            // These are drawn on their own.
            Class::Aimed | Class::Outsider => false,
        }
    }
}

/// Soon after a mark is hit, this connection is struck.
pub(crate) fn take_aim(id: usize, hub: &mut Hub) {
    hub.push(hub.now + AIM_DELAY, Event::Aimed(id));
}

/// All connections of a client stall.
pub(crate) fn clog(client: usize, until: u64, hub: &mut Hub) {
    for id in 0..hub.conns.len() {
        if hub.conns[id].client == client && is_alive(hub, id) && !hub.is_healed {
            stall(hub, id, until);
        }
    }
}

fn is_alive(hub: &Hub, id: usize) -> bool {
    let conn = &hub.conns[id];
    !conn.is_left && !conn.is_reset && !conn.is_cut
}

fn tell(hub: &mut Hub, id: usize, fault: &str, until: Option<u64>) {
    let on = hub.trace.entity(id).unwrap_or(Entity::Node(1));
    let length = until.map_or(0, |until| until - hub.now);
    hub.trace.fault_on(hub.now, on, fault, until, &[("us", length)]);
}

fn stall(hub: &mut Hub, id: usize, until: u64) {
    tell(hub, id, "stall", Some(until));
    hub.conns[id].up.stall(until);
    hub.conns[id].down.stall(until);
}

pub(crate) fn reset(hub: &mut Hub, id: usize) {
    tell(hub, id, "reset", Some(hub.now));
    hub.conns[id].is_reset = true;
    hub.push(hub.now, Event::ResetUp(id));
    hub.push(hub.now, Event::ResetDown(id));
}

fn half_open(hub: &mut Hub, id: usize) {
    tell(hub, id, "half-open", None);
    hub.cut(id);
}

fn rebind(hub: &mut Hub, id: usize) {
    let client = hub.conns[id].client;
    for id in 0..hub.conns.len() {
        if hub.conns[id].client == client && is_alive(hub, id) {
            half_open(hub, id);
        }
    }
}

fn pause(hub: &mut Hub, length: u64) -> Option<u64> {
    let until = hub.now + length;
    let node = Entity::Node(1);
    hub.trace.fault_on(hub.now, node, "server pause", Some(until), &[("us", length)]);
    hub.marks.hit(Mark::ServerPause);
    Some(until)
}
