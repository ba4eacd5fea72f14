//! One run: clients, network, server, faults, and the order in which a run comes to its end.

use parlor::{App, Handle, Root};

use crate::choice::Choices;
use crate::client::mind::Mind;
use crate::client::{Client, Kind, Me, Timer};
use crate::exhaustive::Crossing;
use crate::fault::{self, Ban, Chaos, Class};
use crate::hub::{Event, Hub};
use crate::marks::{Mark, Marks};
use crate::net::Arrived;
use crate::oracle::deeds::Deeds;
use crate::oracle::{Failure, Property, Verdicts};
use crate::profile::{Preset, Profile};
use crate::proxy::{self, Relays, Side};
use crate::server::Server;
use crate::trace::{Dir, Entity, Flag, Trace, Transcript};
use crate::user::{Demanded, Demands, Scripted};
use crate::workload::{Guise, Visitor, workload_with};

/// After the shutdown everything is over within the linger, and this.
const GRACE: u64 = 1_000_000;

pub(crate) struct World<S> {
    hub: Hub,
    server: Server<S>,
    clients: Vec<Client>,
    chaos: Chaos,
    relays: Relays,
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// What held and what did not.
    pub verdicts: Verdicts,
    /// What happened.
    pub trace: Trace,
    /// What was drawn.
    pub choices: Choices,
    /// What became of what the scenario demands.
    pub demanded: Vec<Demanded>,
    /// Which marks it has hit.
    pub(crate) marks: Marks,
    /// The kinds of its clients.
    pub(crate) kinds: Vec<Kind>,
    /// How long it took, in microseconds of its own time.
    pub simulated: u64,
}

impl Run {
    /// What a client said and heard: `c1`, several as `c1 c3`, or all of them as an empty text. The
    /// run has to be recorded.
    pub fn transcript(&self, clients: &str) -> Transcript {
        Transcript::of(self.trace.records(), clients)
    }
}

#[cfg(test)]
impl Run {
    /// What a toy of a test comes to.
    pub(crate) fn toy(verdicts: Verdicts, trace: Trace, choices: Choices, simulated: u64) -> Self {
        let (demanded, marks, kinds) = (Vec::new(), Marks::default(), Vec::new());
        Self { verdicts, trace, choices, demanded, marks, kinds, simulated }
    }
}

/// Runs one world of the workload as a choice log says: the test that is kept of a failure. If the
/// choices no longer fit the world, that is told on standard error, since then it shows less.
///
/// # Panics
///
/// If something does not hold, or the text is no choice log.
pub fn repeat(preset: Preset, choices: &str) {
    crate::sweep::repeat(|log| crate::command::subject(preset, log), choices);
}

/// Runs one world to its end, or to the first thing that does not hold.
pub fn run(preset: Preset, choices: Choices, is_told: bool) -> Run {
    run_as(Guise::PLAIN, preset, choices, is_told)
}

/// The same in a guise.
pub(crate) fn run_as(guise: Guise, preset: Preset, mut choices: Choices, is_told: bool) -> Run {
    let profile = Profile { guise, ..Profile::draw(preset, &mut choices) };
    let minds = profile.kinds.iter().map(|_| Box::new(Visitor::default()) as Box<dyn Mind>);
    let minds = minds.collect();
    let demands = Demands::default();
    let deeds = Deeds::default();
    let program = workload_with(deeds.clone(), guise);
    let mut world = World::new(profile, choices, is_told, |_io| program, minds, demands);
    world.server.keeps(deeds);
    world.run()
}

impl<S: Send + 'static> World<S> {
    /// A world with a program, and a mind for each client of the profile.
    pub(crate) fn new(
        profile: Profile,
        choices: Choices,
        is_told: bool,
        app: impl FnOnce(Handle<S>) -> App<S>,
        minds: Vec<Box<dyn Mind>>,
        demands: Demands<S>,
    ) -> Self {
        let mut hub = Hub::new(choices, profile, Trace::new(is_told));
        let server = Server::new(&mut hub, app, demands);
        let kinds = hub.profile.kinds.clone();
        let all = kinds.into_iter().zip(minds).enumerate();
        let clients = all.map(|(n, (kind, mind))| Client::new(n, kind, mind, &mut hub)).collect();
        let chaos = Chaos::new(&mut hub);
        Self { hub, server, clients, chaos, relays: Relays::default() }
    }

    /// The same, and in a window of its time everything may come in any order.
    pub(crate) fn crossed(mut self, crossing: Crossing) -> Self {
        self.hub.crossing = Some(crossing);
        self
    }

    pub(crate) fn run(mut self) -> Run {
        self.go();
        let demanded = self.server.demands().demanded();
        let Hub { choices, mut trace, verdicts, marks, profile, now, .. } = self.hub;
        if let Some(Failure { property, at, what }) = verdicts.failure() {
            trace.oracle(*at, &property.to_string(), "fail", what);
        }
        let kinds = profile.kinds;
        Run { verdicts, trace, choices, demanded, marks, kinds, simulated: now }
    }

    /// Lets a client look into its inbox.
    pub(crate) fn prompt(&mut self, client: usize) {
        let timer = Timer::Mind(Scripted::PROMPT);
        self.hub.timer(0, client, Me::ANY_LIFE, timer);
    }

    /// Lets so much time pass.
    pub(crate) fn pass(&mut self, time: u64) {
        self.until(self.hub.now + time);
    }

    /// Work from outside, now.
    #[track_caller]
    pub(crate) fn run_in_node<R>(&mut self, work: impl FnOnce(&mut Root<'_, S>) -> R) -> R {
        self.server.run(work, &mut self.hub)
    }

    /// What a client wants and does not have.
    pub(crate) fn wants(&self, client: usize) -> Option<String> {
        self.clients[client].wants()
    }

    pub(crate) fn state(&self) -> &S {
        self.server.state()
    }

    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.hub.verdicts.failure()
    }

    /// What happened so far.
    pub(crate) fn trace(&self) -> &Trace {
        &self.hub.trace
    }

    fn go(&mut self) {
        let Profile { heal_at, quiet_at, end_at, fault_every, shutdown_at, .. } = self.hub.profile;
        self.hub.push(heal_at, Event::Heal);
        self.hub.push(quiet_at, Event::Quiet);
        if fault_every.is_some() {
            self.hub.push(0, Event::Fault);
        }
        for (which, after) in self.server.demands().after_heal() {
            self.hub.push(heal_at + after, Event::Demand(which));
        }
        self.until(shutdown_at.unwrap_or(end_at));
        if self.is_over() {
            return;
        }
        match shutdown_at {
            Some(_) => {
                self.hub.marks.hit(Mark::ShutdownInChaos);
                // Another pause may begin within one.
                let mut end = self.hub.now;
                while self.server.paused_until() > end && !self.is_over() {
                    end = self.server.paused_until();
                    self.until(end);
                }
            }
            None => {
                self.well();
                self.settled();
            }
        }
        self.server.outsiders(&mut self.hub);
        self.hub.liveness.ends();
        self.server.shutdown(&mut self.hub);
        let linger = self.hub.profile.config.linger.as_micros() as u64;
        self.until(self.hub.now + 2 * linger + GRACE);
        if !self.is_over() {
            self.server.finish(&mut self.hub);
        }
    }

    /// Something does not hold, or no more is to be seen.
    fn is_over(&self) -> bool {
        self.hub.verdicts.failure().is_some() || self.hub.is_cut()
    }

    fn until(&mut self, end: u64) {
        while self.hub.verdicts.failure().is_none() && !self.server.is_drained() {
            let Some(event) = self.hub.pop(end) else { return };
            self.step(event);
        }
    }

    fn step(&mut self, event: Event) {
        let hub = &mut self.hub;
        match event {
            Event::Syn(id) => {
                let is_cut = hub.conns[id].is_cut;
                hub.trace.receives(hub.now, (id, Dir::Up), 0, Flag::Syn, is_cut);
                match hub.conns[id].side {
                    _ if is_cut => {}
                    Side::Front => self.relays.syn(id, hub),
                    _ => self.server.syn(id, hub),
                }
            }
            Event::Up(id) => {
                hub.trace.event(hub.now, 20, id as u64, &[]);
                if matches!(hub.arrive_up(id), Arrived::News | Arrived::Reset) {
                    match hub.conns[id].side {
                        Side::Front => self.relays.readable(id, hub),
                        _ => self.server.readable(id, hub),
                    }
                }
            }
            Event::Down(id) => {
                hub.trace.event(hub.now, 21, id as u64, &[]);
                let (bytes, is_end) = hub.arrive_down(id);
                self.read(id, &bytes, is_end);
            }
            Event::ResetUp(id) => {
                let is_cut = hub.conns[id].is_cut;
                hub.trace.receives(hub.now, (id, Dir::Up), 0, Flag::Rst, is_cut);
                match hub.conns[id].side {
                    _ if is_cut => {}
                    Side::Front => self.relays.reset(id, hub),
                    _ => self.server.reset(id, hub),
                }
            }
            Event::ResetDown(id) => {
                let is_cut = hub.conns[id].is_cut;
                hub.trace.receives(hub.now, (id, Dir::Down), 0, Flag::Rst, is_cut);
                if hub.hit(id, Dir::Down) == Arrived::Reset {
                    self.read(id, &[], true);
                }
            }
            Event::DueUp(id) => {
                if hub.due_up(id) {
                    self.read(id, &[], true);
                }
            }
            Event::DueDown(id) => match hub.conns[id].side {
                Side::Front => self.relays.due(id, hub),
                _ => self.server.due(id, hub),
            },
            Event::Pass => self.server.pass(hub),
            Event::Client(client, life, timer) => self.wake(client, life, timer),
            Event::Outside(number) => self.server.outside(number, hub),
            Event::Demand(which) => self.server.demand(which, hub),
            Event::Fault => self.fault(),
            Event::Stripped(id) => self.read(id, proxy::NO_UPGRADE, true),
            Event::Idle(id) => self.idle(id),
            Event::Clog(client, until) => fault::clog(client, until, hub),
            Event::Aimed(id) => self.chaos.aimed(id, hub),
            Event::Listen(id) => self.listen(id),
            Event::Heal => self.heal(),
            Event::Well => self.recovered(),
            Event::Quiet => hub.is_quiet = true,
        }
    }

    fn wake(&mut self, client: usize, life: u32, timer: Timer) {
        let hub = &mut self.hub;
        hub.trace.event(hub.now, 22, client as u64, &[]);
        self.clients[client].timer(life, timer, hub);
        self.notice(client);
    }

    /// A proxy looks whether anything has passed.
    fn idle(&mut self, id: usize) {
        let hub = &mut self.hub;
        if hub.is_idle(id) {
            hub.marks.hit(Mark::IdleKilled);
            fault::reset(hub, id);
        }
    }

    fn read(&mut self, id: usize, bytes: &[u8], is_end: bool) {
        let client = self.hub.conns[id].client;
        if self.hub.conns[id].side == Side::Back {
            self.relays.bytes(id, bytes, is_end, &mut self.hub);
            return;
        }
        if !bytes.is_empty() {
            self.hub.trace.hears(self.hub.now, id, bytes);
            self.clients[client].bytes(id, bytes, &mut self.hub);
            self.notice(client);
        }
        // It may have closed over what it has just read.
        if is_end && !self.hub.conns[id].is_left {
            self.clients[client].end(id, &mut self.hub);
            self.hub.leave(id);
        }
    }

    fn fault(&mut self) {
        if let Some(until) = self.chaos.strike(&mut self.hub) {
            self.server.pause(until);
        }
    }

    /// The network becomes good, and whoever did not read does, of the core set.
    fn heal(&mut self) {
        let outsiders = self.chaos.outsiders(&mut self.hub);
        self.hub.heal(outsiders);
        self.hub.trace.mark(self.hub.now, "healed");
        for (client, ban) in self.hub.outsiders.clone().into_iter().enumerate() {
            let Some(ban) = ban else { continue };
            self.hub.marks.hit(Mark::Outsider);
            self.hub.marks.struck(Class::Outsider);
            let on = Entity::Client(client as u32);
            self.hub.trace.fault_on(self.hub.now, on, &format!("{ban:?}"), None, &[]);
        }
        self.server.resume(&mut self.hub);
        (0..self.hub.conns.len()).for_each(|id| self.listen(id));
    }

    /// A client that did not read does so again, unless it never will.
    fn listen(&mut self, id: usize) {
        let conn = &mut self.hub.conns[id];
        let is_out = self.hub.outsiders[conn.client] == Some(Ban::Deaf);
        if !conn.is_deaf || conn.is_hostile || is_out {
            return;
        }
        conn.is_deaf = false;
        let on = self.hub.trace.entity(id).unwrap_or(Entity::Node(1));
        self.hub.trace.fault_off(self.hub.now, on, "deaf");
        let (bytes, is_end) = self.hub.read_down(id);
        self.hub.pump_down(id);
        self.read(id, &bytes, is_end);
    }

    /// Notices who is well again.
    fn notice(&mut self, client: usize) {
        if self.hub.is_healed && self.hub.liveness.is_awaited(client) {
            let client_now = &self.clients[client];
            if client_now.is_well() || client_now.is_gone() {
                self.hub.liveness.well(client);
            }
        }
    }

    /// Z1: in time after the healing.
    fn recovered(&mut self) {
        (0..self.clients.len()).for_each(|client| self.notice(client));
        let Hub { liveness, verdicts, .. } = &mut self.hub;
        liveness.due(|client| self.clients[client].wants(), verdicts);
        self.server.outsiders(&mut self.hub);
    }

    /// Z1: the profile leaves enough time from the healing, and from the last that somebody said.
    fn well(&mut self) {
        for (number, client) in self.clients.iter().enumerate() {
            // Whoever may begin again may be about to.
            if self.hub.outsiders[number].is_some() || self.hub.liveness.is_excused(number) {
                continue;
            }
            let wants = client.wants();
            self.hub.verdicts.claim(Property::Z1, wants.is_none(), || {
                let wants = wants.unwrap_or_default();
                format!("client {number} still wants {wants} long after the network has healed")
            });
        }
    }

    /// Z3: nobody has wanted anything for a while.
    fn settled(&mut self) {
        let core = self.clients.iter().zip(&self.hub.outsiders).filter(|(_, ban)| ban.is_none());
        let unsettled = core.map(|(client, _)| client).find_map(|one| one.unsettled(&self.hub));
        let is_settled = self.hub.asks.is_settled();
        let verdicts = &mut self.hub.verdicts;
        verdicts.claim(Property::Z3, unsettled.is_none(), || unsettled.unwrap_or_default());
        verdicts.claim(Property::Z3, is_settled, || "asks are open".into());
        self.hub.rules.settled(verdicts);
    }
}
