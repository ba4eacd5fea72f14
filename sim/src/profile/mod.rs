//! What a run is made of: how many clients of which kind, on what network, with what broken, and
//! the server's options.

mod networks;
mod swarm;

use std::time::Duration;

use parlor::Config;

use crate::choice::{Choices, Stream};
use crate::client::Kind;
use crate::fault::Aim;
use crate::net::{self, Shape};
use crate::proxy::Proxy;
use crate::workload::Guise;
pub(crate) use networks::Network;

const MS: u64 = 1000;
const SECOND: u64 = 1000 * MS;

/// The worlds that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Two clients of each kind, 90 s, ordinary links, a few faults; nothing else is drawn.
    Standard,
    /// Everything is drawn: clients, links, faults, options, limits.
    Swarm,
    /// As standard, on links that are fast, and nothing breaks.
    Calm,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Standard, Self::Swarm, Self::Calm];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Swarm => "swarm",
            Self::Calm => "calm",
        }
    }
}

/// A world, before it begins. Times are microseconds.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) config: Config,
    pub(crate) links: Links,
    /// From one fault to the next, on average; `None` for no faults at all.
    pub(crate) fault_every: Option<u64>,
    pub(crate) faults: Faults,
    /// What is struck soon after which mark.
    pub(crate) aim: Option<Aim>,
    /// For one client in so many the network does not heal; 0 for none.
    pub(crate) outsider_one_in: u64,
    /// Clients connect for the first time within so long, 1 for at once.
    pub(crate) born_within: u64,
    /// How long work from outside is on its way.
    pub(crate) outside: (u64, u64),
    /// From when one client may connect to when the next may.
    pub(crate) stagger: u64,
    /// Before it nobody upgrades.
    pub(crate) knock_at: u64,
    /// Between two things that a client does, on average.
    pub(crate) think: u64,
    pub(crate) text_bytes_max: u64,
    /// Faults end.
    pub(crate) heal_at: u64,
    /// Clients do nothing of their own accord from here on.
    pub(crate) quiet_at: u64,
    pub(crate) end_at: u64,
    /// Whether the order of what happens at one instant is drawn.
    pub(crate) is_tied: bool,
    /// The driver: from the first thing to do until it does it.
    pub(crate) pass_delay: u64,
    /// The most that it reads at once.
    pub(crate) read_bytes: usize,
    /// It flushes after each call instead of after each pass.
    pub(crate) is_eager: bool,
    /// It flushes so much later than asked, at most.
    pub(crate) flush_delay: u64,
    /// It wakes for deadlines at multiples of it.
    pub(crate) clock_tick: u64,
    /// Sometimes it tells its node an older time than before.
    pub(crate) is_clock_loose: bool,
    /// It shuts down in the middle of everything, instead of at the end.
    pub(crate) shutdown_at: Option<u64>,
    /// What stands in front of each client; nothing, where it is too short.
    pub(crate) proxies: Vec<Proxy>,
    /// One write in so many is refused for nothing; 0 for none.
    pub(crate) refuse_one_in: u64,
    pub(crate) guise: Guise,
}

/// Which faults there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Faults {
    pub(crate) stall: bool,
    pub(crate) reset: bool,
    pub(crate) half_open: bool,
    pub(crate) slow: bool,
    pub(crate) server_pause: bool,
    pub(crate) deaf: bool,
    pub(crate) lopsided: bool,
    pub(crate) rebinding: bool,
    pub(crate) clog: bool,
    pub(crate) storm: bool,
}

impl Faults {
    const NONE: Self = Self {
        stall: false,
        reset: false,
        half_open: false,
        slow: false,
        server_pause: false,
        deaf: false,
        lopsided: false,
        rebinding: false,
        clog: false,
        storm: false,
    };
    /// Those that strike one connection, or the server.
    const PLAIN: Self = Self {
        stall: true,
        reset: true,
        half_open: true,
        slow: true,
        server_pause: true,
        deaf: true,
        ..Self::NONE
    };
    const ALL: Self =
        Self { lopsided: true, rebinding: true, clog: true, storm: true, ..Self::PLAIN };
}

/// From what the shape of each link is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    latency: (u64, u64),
    jitter: u64,
    bandwidth: (u64, u64),
    /// One link in so many cuts its segments anywhere; 0 for none.
    cut_one_in: u64,
    segment_bytes: (u64, u64),
    buffer_bytes: (u64, u64),
    /// Whether a writer hears of room from the first byte on, instead of at a third.
    is_edge_early: bool,
    /// One connection in so many loses SYNs until the network heals; 0 for none.
    syn_lost_one_in: u64,
}

impl Links {
    pub(crate) fn draw_syn(&self, choices: &mut Choices, stream: Stream) -> Syn {
        let is_lost = self.syn_lost_one_in > 0 && choices.happens(stream, 1, self.syn_lost_one_in);
        match if is_lost { 1 + choices.choose(stream, 4) as u32 } else { 0 } {
            4 => Syn::Lost,
            losses => Syn::Late(net::syn_delay(losses)),
        }
    }

    pub(crate) fn draw(&self, choices: &mut Choices, stream: Stream) -> Shape {
        let buffer_bytes = scale_down(choices, stream, self.buffer_bytes) as usize;
        let is_cut = self.cut_one_in > 0 && choices.happens(stream, 1, self.cut_one_in);
        let segment_bytes =
            if is_cut { scale_down(choices, stream, self.segment_bytes) } else { 65_536 };
        Shape {
            latency: scale(choices, stream, self.latency),
            jitter: self.jitter,
            bandwidth: scale_down(choices, stream, self.bandwidth),
            segment_bytes: segment_bytes as usize,
            is_cut,
            buffer_bytes,
            window_bytes: buffer_bytes,
            edge_bytes: if self.is_edge_early { 1 } else { buffer_bytes / 3 },
            is_flushed_by_reset: choices.happens(stream, 1, 2),
            patience: match choices.choose(stream, 8) {
                0 => None,
                losses => Some(net::stall(2 + losses as u32)),
            },
        }
    }
}

/// What becomes of a connection's first segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Syn {
    /// It arrives so much later than it could.
    Late(u64),
    /// It goes nowhere, and so does each further one.
    Lost,
}

/// A number between two, each size as likely as any other. The low one is the simplest.
fn scale(choices: &mut Choices, stream: Stream, (low, high): (u64, u64)) -> u64 {
    if low == high {
        return low;
    }
    let doublings = (high / low.max(1)).ilog2() + 1;
    let floor = low << choices.choose(stream, u64::from(doublings));
    choices.between(stream, floor.min(high), (2 * floor).min(high))
}

/// The same, and the high one is the simplest.
fn scale_down(choices: &mut Choices, stream: Stream, (low, high): (u64, u64)) -> u64 {
    if low == high {
        return low;
    }
    let doublings = (high / low.max(1)).ilog2() + 1;
    let ceiling = high >> choices.choose(stream, u64::from(doublings));
    choices.down(stream, ceiling.max(low), (ceiling / 2).max(low))
}

impl Profile {
    pub(crate) fn draw(preset: Preset, choices: &mut Choices) -> Self {
        match preset {
            Preset::Standard => {
                let stream = choices.stream("profile", 0);
                let mut profile = Self::standard();
                let mut keep = |label, kept: &mut bool| *kept &= choices.keep(stream, label);
                let Faults { stall, reset, half_open, slow, server_pause, deaf, .. } =
                    &mut profile.faults;
                keep("stalls", stall);
                keep("resets", reset);
                keep("half-opens", half_open);
                keep("slow-links", slow);
                keep("server-pauses", server_pause);
                keep("deafness", deaf);
                let are_any = choices.keep(stream, "faults");
                profile.fault_every = profile.fault_every.filter(|_| are_any);
                profile
            }
            Preset::Calm => Self::calm(),
            Preset::Swarm => {
                let stream = choices.stream("profile", 0);
                Self::swarm(choices, stream)
            }
        }
    }

    /// Whether a client may find no room for its session.
    pub(crate) fn are_sessions_few(&self) -> bool {
        self.config.limits.sessions_max < 1 << 20
    }

    pub(crate) fn proxy(&self, client: usize) -> Proxy {
        self.proxies.get(client).copied().unwrap_or_default()
    }

    /// Faults, and what clients begin, for so long; and so long after that at least.
    pub(crate) fn lasting(self, time: u64, after: u64) -> Self {
        let end_at = time + after.max(self.recovery());
        Self { heal_at: time, quiet_at: time, end_at, ..self }
    }

    /// After so long on a good network everybody is back: both sides have noticed what is dead, and
    /// connected anew.
    fn recovery(&self) -> u64 {
        let beat = (self.config.ping_interval + self.config.ping_timeout).as_micros() as u64;
        2 * beat + 60 * SECOND
    }

    fn standard() -> Self {
        let mut config = Config {
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(5),
            ..Config::default()
        };
        // Asks are over when all is quiet.
        config.ask_timeout = Duration::from_secs(3);
        config.limits.deadlines_per_call_max = 1;
        Self {
            kinds: [Kind::Polling, Kind::WebSocket, Kind::Upgrading].repeat(2),
            config,
            links: Links {
                latency: (5 * MS, 60 * MS),
                jitter: 5 * MS,
                bandwidth: (200_000, 2_000_000),
                cut_one_in: 4,
                segment_bytes: (200, 1500),
                buffer_bytes: (16_384, 131_072),
                is_edge_early: false,
                syn_lost_one_in: 0,
            },
            fault_every: Some(4 * SECOND),
            faults: Faults::PLAIN,
            aim: None,
            outsider_one_in: 0,
            born_within: SECOND,
            outside: (MS, SECOND),
            stagger: 0,
            knock_at: 0,
            think: 2200 * MS,
            text_bytes_max: 2000,
            heal_at: 40 * SECOND,
            quiet_at: 82 * SECOND,
            end_at: 90 * SECOND,
            is_tied: true,
            pass_delay: 200,
            read_bytes: 65_536,
            is_eager: false,
            flush_delay: 0,
            clock_tick: 1,
            is_clock_loose: false,
            shutdown_at: None,
            proxies: Vec::new(),
            refuse_one_in: 0,
            guise: Guise::PLAIN,
        }
    }

    /// Links on which nothing takes time.
    pub(crate) fn instant() -> Self {
        let mut profile = Self::calm();
        profile.links.latency = (0, 0);
        profile.links.bandwidth = (u64::MAX, u64::MAX);
        profile
    }

    fn calm() -> Self {
        let mut profile = Self::standard();
        profile.fault_every = None;
        profile.links.latency = (MS, 2 * MS);
        profile.links.jitter = 0;
        profile.links.bandwidth = (100_000_000, 100_000_000);
        profile.links.cut_one_in = 0;
        profile.links.buffer_bytes = (1 << 20, 1 << 20);
        profile
    }

    /// After how long a silence each client can take a volatile packet; `None` where the network
    /// or the driver is not calm.
    pub(crate) fn quiet(&self) -> Option<u64> {
        let is_calm = self.fault_every.is_none()
            && self.pass_delay <= MS
            && self.read_bytes >= 4096
            && self.links.latency.1 <= 2 * MS
            && self.links.jitter <= MS
            && self.links.bandwidth.0 >= 10_000_000;
        // Round trips, what a client thinks about before it polls again, and some passes.
        is_calm.then_some(100 * MS)
    }
}
