//! What a run is made of: how many clients of which kind, on what network, with what broken, and
//! the server's options.

use std::time::Duration;

use parlor::Config;

use crate::choice::{Choices, Stream};
use crate::client::Kind;
use crate::net::{self, Shape};

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

/// Networks that a user can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// Nothing takes time but light.
    Perfect,
    Calm,
    Lan,
    OfficeProxy,
    Mobile,
    TrainTunnel,
    Hostile,
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
    /// One write in so many is refused for nothing; 0 for none.
    pub(crate) refuse_one_in: u64,
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
}

impl Faults {
    const ALL: Self = Self {
        stall: true,
        reset: true,
        half_open: true,
        slow: true,
        server_pause: true,
        deaf: true,
    };
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
                let Faults { stall, reset, half_open, slow, server_pause, deaf } =
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

    /// A user's world, on one of the networks that have a name.
    pub(crate) fn scenario(
        network: Network,
        kinds: Vec<Kind>,
        mut config: Config,
        outside: (u64, u64),
    ) -> Self {
        config.limits.deadlines_per_call_max = 1;
        let mut profile = Self { kinds, config, outside, ..Self::calm() };
        let all = Faults::ALL;
        let (links, fault_every, faults) = match network {
            Network::Perfect => {
                profile.links.latency = (500, 500);
                profile.pass_delay = 0;
                profile.is_tied = false;
                profile.born_within = 1;
                return profile;
            }
            Network::Calm => return profile,
            Network::Lan => {
                let links = Links { latency: (200, 5 * MS), ..Self::standard().links };
                let faults = Faults { half_open: false, slow: false, deaf: false, ..all };
                (links, 10 * SECOND, faults)
            }
            Network::OfficeProxy => {
                let links = Links { latency: (10 * MS, 80 * MS), ..Self::standard().links };
                (links, 5 * SECOND, Faults { half_open: false, deaf: false, ..all })
            }
            Network::Mobile => {
                let links = Links {
                    latency: (30 * MS, 300 * MS),
                    jitter: 80 * MS,
                    bandwidth: (20_000, 1_000_000),
                    buffer_bytes: (4096, 65_536),
                    syn_lost_one_in: 20,
                    ..Self::standard().links
                };
                (links, 2 * SECOND, all)
            }
            Network::TrainTunnel => {
                let links = Links {
                    latency: (40 * MS, 200 * MS),
                    syn_lost_one_in: 5,
                    ..Self::standard().links
                };
                let faults = Faults { reset: false, server_pause: false, deaf: false, ..all };
                (links, SECOND, faults)
            }
            Network::Hostile => {
                let links = Links {
                    latency: (50, 400 * MS),
                    jitter: 100 * MS,
                    bandwidth: (4000, 10_000_000),
                    cut_one_in: 2,
                    segment_bytes: (4, 1500),
                    buffer_bytes: (1024, 1 << 17),
                    is_edge_early: false,
                    syn_lost_one_in: 20,
                };
                profile.refuse_one_in = 10;
                (links, 700 * MS, all)
            }
        };
        Self { links, faults, fault_every: Some(fault_every), ..profile }
    }

    /// Faults, and what clients begin, for so long; and so long after that at least.
    pub(crate) fn lasting(self, time: u64, after: u64) -> Self {
        let beat = (self.config.ping_interval + self.config.ping_timeout).as_micros() as u64;
        let end_at = time + after.max(2 * beat + 60 * SECOND);
        Self { heal_at: time, quiet_at: time, end_at, ..self }
    }

    fn standard() -> Self {
        let mut config = Config {
            ping_interval: Duration::from_secs(10),
            ping_timeout: Duration::from_secs(5),
            ..Config::default()
        };
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
            faults: Faults::ALL,
            born_within: SECOND,
            outside: (MS, SECOND),
            stagger: 0,
            knock_at: 0,
            think: 1100 * MS,
            text_bytes_max: 2000,
            heal_at: 40 * SECOND,
            quiet_at: 82 * SECOND,
            end_at: 90 * SECOND,
            is_tied: true,
            pass_delay: 200,
            read_bytes: 65_536,
            is_eager: false,
            refuse_one_in: 0,
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

    fn swarm(choices: &mut Choices, stream: Stream) -> Self {
        let mut profile = Self::standard();
        let count = choices.between(stream, 1, 7);
        profile.kinds = (0..count)
            .map(|_| match choices.choose(stream, 10) {
                0..=2 => Kind::Polling,
                3..=5 => Kind::WebSocket,
                6..=8 => Kind::Upgrading,
                _ if choices.happens(stream, 1, 2) => Kind::Requester,
                _ => Kind::Hostile,
            })
            .collect();
        Self::draw_options(&mut profile.config, choices, stream);
        profile.links = Links {
            latency: (50, 300 * MS),
            jitter: scale(choices, stream, (1, 100 * MS)),
            bandwidth: (2_000, 50_000_000),
            cut_one_in: choices.choose(stream, 4),
            segment_bytes: (4, 1500),
            buffer_bytes: (1024, 1 << 18),
            is_edge_early: choices.happens(stream, 1, 2),
            syn_lost_one_in: [0, 20][choices.choose(stream, 2) as usize],
        };
        let mut half = |label| {
            choices.span(stream, label);
            choices.happens(stream, 1, 2)
        };
        profile.faults = Faults {
            stall: half("stalls"),
            reset: half("resets"),
            half_open: half("half-opens"),
            slow: half("slow-links"),
            server_pause: half("server-pauses"),
            deaf: half("deafness"),
        };
        profile.is_eager = half("eager-flushes");
        profile.is_tied = half("ties");
        choices.span(stream, "rest");
        let is_calm = !choices.happens(stream, 9, 10);
        let every = scale(choices, stream, (200 * MS, 10 * SECOND));
        profile.fault_every = (!is_calm).then_some(every);
        if is_calm {
            profile.links = Self::calm().links;
        }
        profile.think = scale(choices, stream, (50 * MS, 2 * SECOND));
        profile.text_bytes_max = scale(choices, stream, (16, 20_000));
        profile.pass_delay = scale(choices, stream, (1, 50 * MS));
        profile.read_bytes = scale_down(choices, stream, (64, 65_536)) as usize;
        profile.refuse_one_in = [0, 10][choices.choose(stream, 2) as usize];
        profile.heal_at = 15 * SECOND;
        let beat = profile.config.ping_interval + profile.config.ping_timeout;
        let beat = beat.as_micros() as u64;
        profile.quiet_at = profile.heal_at + 15 * SECOND;
        profile.end_at = profile.quiet_at + 2 * beat + 60 * SECOND;
        profile
    }

    fn draw_options(config: &mut Config, choices: &mut Choices, stream: Stream) {
        let mut millis =
            |low, high| Duration::from_millis(scale_down(choices, stream, (low, high)));
        config.ping_interval = millis(300, 25_000);
        config.ping_timeout = millis(2000, 20_000);
        config.upgrade_timeout = millis(1000, 10_000);
        config.connect_timeout = millis(3000, 45_000);
        config.linger = millis(100, 5000);
        config.polling_close_timeout = millis(500, 30_000);
        if choices.happens(stream, 1, 3) {
            config.limits.egress_bytes_max = scale_down(choices, stream, (30_000, 1 << 20)) as u32;
        }
        if choices.happens(stream, 1, 4) {
            config.overflow = parlor::Overflow::DropMessage;
        }
        if choices.happens(stream, 1, 4) {
            config.limits.asks_per_socket_max = choices.down(stream, 3, 1) as u32;
        }
    }
}
