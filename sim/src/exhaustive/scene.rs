//! The scenes: for each machine two clients and up to six things that they do. The second client
//! is the one that matters; the first makes the server speak to it.

use std::time::Duration;

use parlor::Config;

use super::program::program;
use super::{Crossing, Heed};
use crate::choice::Choices;
use crate::client::json;
use crate::client::mind::{Mind, News, Seat, Wake};
use crate::client::{Kind, Leave};
use crate::hub::Hub;
use crate::oracle::asks::Questions;
use crate::profile::Profile;
use crate::sweep::Subject;
use crate::user::Demands;
use crate::world::{Run, World};

/// The least time there is, beside none.
pub(crate) const UNIT: u64 = 1000;
/// When the window opens, and for how long it can matter.
const FROM: u64 = 20 * UNIT;
const UNTIL: u64 = FROM + 30 * UNIT;
/// After it a client that has left comes back.
const BACK: u64 = 100 * UNIT;

/// What is gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    Upgrade,
    Poll,
    Ack,
    /// The same where one of them polls, and deadlines come as soon as nothing else does.
    AckByPoll,
}

impl Machine {
    pub(crate) const ALL: [Self; 4] = [Self::Upgrade, Self::Poll, Self::Ack, Self::AckByPoll];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Upgrade => "upgrade",
            Self::Poll => "poll",
            Self::Ack => "ack",
            Self::AckByPoll => "ack-by-poll",
        }
    }

    /// Of the one that makes the server speak, and of the other.
    fn kinds(self) -> [Kind; 2] {
        match self {
            Self::Upgrade => [Kind::WebSocket, Kind::Upgrading],
            Self::Poll => [Kind::WebSocket, Kind::Polling],
            Self::Ack => [Kind::WebSocket, Kind::WebSocket],
            Self::AckByPoll => [Kind::Polling, Kind::WebSocket],
        }
    }

    fn heed(self, kind: Kind) -> Heed {
        match (kind, self) {
            (Kind::WebSocket, Self::Upgrade | Self::Poll) => Heed::Nothing,
            (Kind::WebSocket, _) => Heed::Questions,
            // One that polls may have to wait for an answer before it says more.
            _ => Heed::Close,
        }
    }

    /// How often time may pass: where something waits for a time that is near.
    fn ticks(self) -> u64 {
        if self == Self::Ack { 1 } else { 0 }
    }

    /// By whom, and what.
    fn steps(self) -> [(usize, Step); 6] {
        use Step::{All, Ask, Away, Bytes, Echo, Few, Part, Question, Reset};
        match self {
            Self::Upgrade => [(0, All), (0, Few), (1, Question), (0, Few), (0, All), (1, Away)],
            Self::Poll => [(0, All), (1, Echo), (0, Few), (1, Bytes), (0, All), (1, Reset)],
            Self::Ack | Self::AckByPoll => {
                let (one, two) = (Ask { units: 1 }, Ask { units: 2 });
                [(1, one), (0, one), (1, two), (0, two), (1, Part), (0, Reset)]
            }
        }
    }
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Echo,
    Bytes,
    /// The server sends to everybody; to everybody else, volatile.
    All,
    Few,
    /// Asks the server.
    Question,
    /// Lets itself be asked, for so long.
    Ask {
        units: u64,
    },
    Part,
    Away,
    Reset,
}

/// A machine, and how many of its steps are taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene {
    pub(crate) machine: Machine,
    pub(crate) depth: usize,
}

impl Scene {
    pub(crate) const DEPTH_MAX: usize = 6;
    /// What a log says of the program that ran.
    pub(crate) const APP: &str = "scene";

    /// From the name that a log has for it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (machine, depth) = name.rsplit_once('-')?;
        let machine = Machine::ALL.into_iter().find(|known| known.name() == machine)?;
        let depth = depth.parse().ok().filter(|&depth| depth <= Self::DEPTH_MAX)?;
        Some(Self { machine, depth })
    }

    /// The name that a log has for it.
    pub(crate) fn title(self) -> String {
        format!("{}-{}", self.machine.name(), self.depth)
    }

    fn profile(self) -> Profile {
        let mut config = Config { linger: Duration::from_millis(500), ..Config::default() };
        config.limits.deadlines_per_call_max = 1;
        let steps = &self.machine.steps()[..self.depth];
        // Who goes away hangs up on its poll, too.
        let is_broken = steps.iter().any(|(_, step)| matches!(step, Step::Reset | Step::Away));
        Profile {
            kinds: self.machine.kinds().into(),
            config,
            // No fault is drawn: clients themselves break what breaks.
            fault_every: is_broken.then_some(UNTIL),
            is_tied: false,
            pass_delay: 0,
            stagger: UNIT,
            knock_at: FROM,
            heal_at: UNTIL,
            quiet_at: UNTIL,
            end_at: UNTIL + 5_000_000,
            ..Profile::instant()
        }
    }
}

impl Subject for Scene {
    fn name(&self) -> &str {
        self.machine.name()
    }

    fn app(&self) -> &str {
        Self::APP
    }

    fn run(&self, choices: Choices, is_told: bool) -> Run {
        self.run_with(choices, is_told, |player| Box::new(player))
    }
}

impl Scene {
    fn run_with(
        self,
        mut choices: Choices,
        is_told: bool,
        mind: impl Fn(Player) -> Box<dyn Mind>,
    ) -> Run {
        let minds = (0..2).map(|number| {
            let steps = self.machine.steps().into_iter().take(self.depth);
            let steps = steps.filter(|&(who, _)| who == number).map(|(_, step)| step);
            mind(Player::new(number, steps.collect()))
        });
        let minds = minds.collect();
        let heed = self.machine.kinds().map(|kind| self.machine.heed(kind));
        let ticks = self.machine.ticks();
        let crossing = Crossing::new((FROM, UNTIL), ticks, heed, &mut choices);
        let (profile, demands) = (self.profile(), Demands::default());
        let world = World::new(profile, choices, is_told, |_io| program(), minds, demands);
        world.crossed(crossing).run()
    }
}

// What a player is woken for.
const STEP: u32 = 0;
const JOIN: u32 = 1;

/// A client that takes its steps one after the other.
struct Player {
    steps: Vec<Step>,
    taken: usize,
    questions: Questions,
    /// Of the latest that it said; nobody else says the same.
    number: u64,
    has_begun: bool,
}

impl Player {
    fn new(number: usize, steps: Vec<Step>) -> Self {
        let questions = Questions::default();
        Self { steps, taken: 0, questions, number: 100 * number as u64, has_begun: false }
    }

    fn step(&mut self, seat: &mut Seat<'_>) {
        let Some(&step) = self.steps.get(self.taken) else { return };
        self.taken += 1;
        match step {
            Step::Echo => self.say("echo", ",\"x\"", seat),
            Step::Bytes => self.bytes(seat),
            Step::All => self.say("all", ",\"x\"", seat),
            Step::Few => self.say("few", ",\"a\"", seat),
            Step::Question => self.say("sum", ",\"x\"", seat),
            Step::Ask { units } => self.say("ask", &format!(",{units}"), seat),
            Step::Part => {
                seat.step_out(0);
                self.questions = Questions::default();
                seat.wake_always(BACK, (JOIN, 0, 0));
            }
            Step::Away => *seat.leave = Some(Leave::ForGood),
            Step::Reset => *seat.leave = Some(Leave::Reset),
        }
        if self.taken < self.steps.len() {
            seat.wake_always(0, (STEP, 0, 0));
        }
    }

    fn say(&mut self, name: &str, rest: &str, seat: &mut Seat<'_>) {
        self.number += 1;
        let args = format!("[{}{rest}]", self.number);
        if let Some(id) = seat.say(0, (name, &args), Vec::new(), name == "sum") {
            self.questions.asked(id, self.number);
        }
    }

    fn bytes(&mut self, seat: &mut Seat<'_>) {
        self.number += 1;
        let args = format!(r#"[{},{{"_placeholder":true,"num":0}}]"#, self.number);
        seat.say(0, ("bytes", &args), vec![vec![7, 0, 255]], false);
    }
}

impl Mind for Player {
    fn born(&mut self, seat: &mut Seat<'_>) {
        seat.join("/", "");
    }

    fn told(&mut self, news: &News<'_>, seat: &mut Seat<'_>) {
        match *news {
            News::Admitted { .. } if !self.has_begun => {
                self.has_begun = true;
                seat.wake_always(FROM.saturating_sub(seat.hub.now), (STEP, 0, 0));
            }
            News::Lost => self.questions = Questions::default(),
            // The program does that to some who do not answer in time.
            News::Expelled { .. } => {
                self.questions = Questions::default();
                seat.wake_always(BACK, (JOIN, 0, 0));
            }
            News::Event { place, name: "question", args, id: Some(id), .. } => {
                let number = json::members(args).and_then(|all| all.first()?.parse::<u64>().ok());
                if let Some(number) = number {
                    seat.answer(place, id, &format!("[{number}]"), Vec::new());
                }
            }
            News::Answer { id, args, .. } => {
                let number = json::members(args).and_then(|all| all.first()?.parse().ok());
                self.questions.answered(id, number, &mut seat.hub.verdicts);
            }
            _ => {}
        }
    }

    fn woken(&mut self, (what, ..): Wake, seat: &mut Seat<'_>) {
        match what {
            STEP => self.step(seat),
            _ => {
                seat.join("/", "");
            }
        }
    }

    fn wants(&self) -> Option<String> {
        let left = self.steps.len() - self.taken;
        (left > 0).then(|| format!("to take {left} more steps"))
    }

    fn unsettled(&self, _hub: &Hub) -> Option<String> {
        let is_open = !self.questions.is_empty();
        is_open.then(|| format!("answers never came: {:?}", self.questions))
    }
}

/// A scene in which it is a mistake that the second client hears these three in this order.
#[cfg(test)]
pub(super) struct Trap {
    pub(super) scene: Scene,
    pub(super) order: [&'static str; 3],
}

#[cfg(test)]
struct Trapped {
    player: Player,
    order: [&'static str; 3],
    heard: Vec<String>,
}

#[cfg(test)]
impl Subject for Trap {
    fn name(&self) -> &str {
        "trap"
    }

    fn run(&self, choices: Choices, is_told: bool) -> Run {
        let order = self.order;
        let mind = |player| Box::new(Trapped { player, order, heard: Vec::new() }) as Box<dyn Mind>;
        self.scene.run_with(choices, is_told, mind)
    }
}

#[cfg(test)]
impl Mind for Trapped {
    fn born(&mut self, seat: &mut Seat<'_>) {
        self.player.born(seat);
    }

    fn told(&mut self, news: &News<'_>, seat: &mut Seat<'_>) {
        if let News::Event { name, .. } = news
            && seat.me.number == 1
            && self.order.contains(name)
        {
            self.heard.push((*name).into());
            if self.heard == self.order {
                let what = format!("{:?}", self.order);
                seat.hub.verdicts.fail(crate::oracle::Property::App, what);
            }
        }
        self.player.told(news, seat);
    }

    fn woken(&mut self, wake: Wake, seat: &mut Seat<'_>) {
        self.player.woken(wake, seat);
    }

    fn wants(&self) -> Option<String> {
        self.player.wants()
    }

    fn unsettled(&self, hub: &Hub) -> Option<String> {
        self.player.unsettled(hub)
    }
}
