//! The swarm: everything is drawn. Fixed shares of it are of a kind, so that no sweep is all noise:
//!
//! | share | kind        | for                                                              |
//! |-------|-------------|------------------------------------------------------------------|
//! | 10 %  | calm        | what must happen where nothing is in the way                     |
//! | 45 %  | full        | everything at once; each fault is in half of the worlds          |
//! | 20 %  | one fault   | one class of faults, so that one knows whose fault it was         |
//! | 10 %  | tiny        | one or two clients, everything at nearly the same instant        |
//! | 5 %   | large       | 30 to 70 clients                                                 |
//! | 5 %   | soak        | a day to a month in which nearly nothing happens                |
//! | 5 %   | adversarial | nearly everybody means no good                                   |

use std::time::Duration;

use parlor::{Config, Overflow, Volatile};

use super::{Faults, Links, MS, Profile, SECOND, scale, scale_down};
use crate::choice::{Choices, Stream};
use crate::client::Kind;
use crate::fault::{Aim, Blow};
use crate::marks::Mark;
use crate::proxy::Proxy;

const HOUR: u64 = 3600 * SECOND;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    Calm,
    Full,
    OneFault,
    Tiny,
    Large,
    Soak,
    Adversarial,
}

impl Share {
    fn draw(choices: &mut Choices, stream: Stream) -> Self {
        match choices.choose(stream, 100) {
            0..10 => Self::Calm,
            10..55 => Self::Full,
            55..75 => Self::OneFault,
            75..85 => Self::Tiny,
            85..90 => Self::Large,
            90..95 => Self::Soak,
            _ => Self::Adversarial,
        }
    }
}

/// What is drawn, one after the other.
struct Draw<'a> {
    choices: &'a mut Choices,
    stream: Stream,
}

impl Draw<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        self.choices.choose(self.stream, bound)
    }

    fn happens(&mut self, label: &'static str, share: u64, of: u64) -> bool {
        self.choices.span(self.stream, label);
        self.choices.happens(self.stream, share, of)
    }

    fn scale(&mut self, low: u64, high: u64) -> u64 {
        scale(self.choices, self.stream, (low, high))
    }

    fn scale_down(&mut self, low: u64, high: u64) -> u64 {
        scale_down(self.choices, self.stream, (low, high))
    }

    fn millis(&mut self, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.scale_down(low, high))
    }
}

impl Profile {
    pub(super) fn swarm(choices: &mut Choices, stream: Stream) -> Self {
        let share = Share::draw(choices, stream);
        let mut draw = Draw { choices, stream };
        let mut profile = Self { kinds: draw.kinds(share), ..Self::standard() };
        draw.options(&mut profile.config);
        draw.driver(&mut profile);
        if share != Share::Calm {
            draw.tight(&mut profile);
            draw.whims(&mut profile);
            profile.proxies = draw.proxies(&profile.kinds);
        }
        profile.think = draw.scale(50 * MS, 2 * SECOND);
        profile.text_bytes_max = draw.scale(16, 20_000);
        if share == Share::Calm {
            let Self { links, fault_every, .. } = Self::calm();
            (profile.links, profile.fault_every) = (links, fault_every);
        } else {
            profile.links = draw.links();
            profile.faults = draw.faults(share);
            profile.aim = draw.aim(share);
            profile.outsider_one_in = [0, 3][draw.below(2) as usize];
            profile.fault_every = Some(draw.scale(200 * MS, 10 * SECOND));
        }
        let mut time = 15 * SECOND;
        match share {
            Share::Calm | Share::Full | Share::OneFault | Share::Adversarial => {}
            Share::Tiny => {
                profile.links.latency = (MS, 2 * MS);
                profile.links.jitter = 0;
                profile.born_within = 2 * MS;
                profile.think = draw.scale(MS, 50 * MS);
                profile.is_tied = true;
                profile.fault_every = Some(draw.scale(20 * MS, SECOND));
                time = draw.scale(100 * MS, SECOND);
            }
            Share::Large => {
                // So much is said to everybody that each says little.
                profile.think = 10 * SECOND;
                profile.text_bytes_max = profile.text_bytes_max.min(500);
                time = 3 * SECOND;
            }
            Share::Soak => {
                // Whoever is cut off every few seconds, or knocks in vain, is not idle.
                profile.proxies.clear();
                profile.outsider_one_in = 0;
                profile.faults = Faults { half_open: false, deaf: false, ..profile.faults };
                let is_month = draw.happens("month", 1, 8);
                time = if is_month { 720 * HOUR } else { draw.scale(24 * HOUR, 360 * HOUR) };
                let config = &mut profile.config;
                config.ping_interval = Duration::from_micros(time / (40 + draw.below(200)));
                config.ping_timeout = config.ping_interval / 2;
                profile.think = time / (1 + draw.below(30));
                profile.fault_every = Some(time / (1 + draw.below(8)));
            }
        }
        profile.heal_at = time;
        profile.quiet_at = 2 * time;
        if share != Share::Calm && draw.happens("shutdown", 1, 10) {
            profile.shutdown_at = Some(1 + draw.below(2 * time));
        }
        profile.end_at = profile.quiet_at + profile.recovery();
        profile
    }
}

impl Draw<'_> {
    fn kinds(&mut self, share: Share) -> Vec<Kind> {
        let count = match share {
            Share::Tiny | Share::Soak => 1 + self.below(2),
            Share::Large => 30 + self.below(40),
            _ => 1 + self.below(7),
        };
        let strangers = match share {
            Share::Adversarial => 6,
            // They would not be idle for days.
            Share::Soak => 0,
            _ => 1,
        };
        (0..count)
            .map(|_| match self.below(9 + strangers) {
                0..=2 => Kind::Polling,
                3..=5 => Kind::WebSocket,
                6..=8 => Kind::Upgrading,
                _ => [Kind::Requester, Kind::Sloppy, Kind::Hostile, Kind::Hostile]
                    [self.below(4) as usize],
            })
            .collect()
    }

    fn links(&mut self) -> Links {
        Links {
            latency: (50, 300 * MS),
            jitter: self.scale(1, 100 * MS),
            bandwidth: (2_000, 50_000_000),
            cut_one_in: self.below(4),
            segment_bytes: (4, 1500),
            buffer_bytes: (1024, 1 << 18),
            is_edge_early: self.below(2) == 1,
            syn_lost_one_in: [0, 20][self.below(2) as usize],
        }
    }

    fn faults(&mut self, share: Share) -> Faults {
        if share == Share::OneFault {
            let one = self.below(10);
            return Faults {
                stall: one == 0,
                reset: one == 1,
                half_open: one == 2,
                slow: one == 3,
                server_pause: one == 4,
                deaf: one == 5,
                lopsided: one == 6,
                rebinding: one == 7,
                clog: one == 8,
                storm: one == 9,
            };
        }
        Faults {
            stall: self.happens("stalls", 1, 2),
            reset: self.happens("resets", 1, 2),
            half_open: self.happens("half-opens", 1, 2),
            slow: self.happens("slow-links", 1, 2),
            server_pause: self.happens("server-pauses", 1, 2),
            deaf: self.happens("deafness", 1, 2),
            lopsided: self.happens("lopsided-links", 1, 2),
            rebinding: self.happens("rebindings", 1, 2),
            clog: self.happens("clogs", 1, 2),
            storm: self.happens("storms", 1, 4),
        }
    }

    /// A mark, soon after which something is struck.
    fn aim(&mut self, share: Share) -> Option<Aim> {
        let is_any = share != Share::OneFault && self.happens("aim", 1, 4);
        is_any.then(|| {
            // Between an answer and the next poll, between `2probe` and `5`; or anywhere.
            let mark = match self.below(4) {
                0 => Mark::Answered,
                1 => Mark::Probed,
                _ => Mark::ALL[self.below(Mark::ALL.len() as u64) as usize],
            };
            Aim { mark, blow: Blow::ALL[self.below(Blow::ALL.len() as u64) as usize] }
        })
    }

    /// How the server is driven.
    fn driver(&mut self, profile: &mut Profile) {
        profile.is_eager = self.happens("eager-flushes", 1, 2);
        profile.is_tied = self.happens("ties", 1, 2);
        profile.pass_delay = self.scale(1, 50 * MS);
        profile.read_bytes = self.scale_down(64, 65_536) as usize;
        profile.refuse_one_in = [0, 10][self.below(2) as usize];
    }

    /// Liberties that a calm world is better without.
    fn whims(&mut self, profile: &mut Profile) {
        profile.is_clock_loose = self.happens("loose-clock", 1, 4);
        if self.happens("late-flushes", 1, 4) {
            profile.flush_delay = self.scale(MS, 16 * MS);
        }
        if self.happens("clock-ticks", 1, 4) {
            profile.clock_tick = self.scale(MS, 16 * MS);
        }
    }

    fn proxies(&mut self, kinds: &[Kind]) -> Vec<Proxy> {
        let mut one = |&kind: &Kind| {
            if !self.happens("proxy", 1, 8) {
                return Proxy::None;
            }
            match self.below(5) {
                _ if !kind.is_honest() => Proxy::None,
                0 if kind == Kind::Upgrading => Proxy::Stripping,
                1 => Proxy::Buffering,
                2 | 3 => Proxy::Retrying,
                _ => Proxy::IdleKilling([60, 30, 5][self.below(3) as usize] * SECOND),
            }
        };
        kinds.iter().map(&mut one).collect()
    }

    /// Each limit that honest clients of the workload can live with, or come back from.
    fn tight(&mut self, profile: &mut Profile) {
        let (config, kinds) = (&mut profile.config, &profile.kinds);
        config.request_timeout = self.millis(10_000, 60_000);
        config.idle_timeout = self.millis(5000, 60_000);
        config.ask_timeout = self.millis(50, 10_000);
        if self.happens("small-bodies", 1, 4) {
            config.max_payload = self.scale_down(60_000, 1_000_000) as u32;
        }
        if self.happens("short-decisions", 1, 8) {
            config.decision_timeout = Some(self.millis(100, 2000));
        }
        let limits = &mut config.limits;
        if self.happens("low-water", 1, 4) {
            limits.egress_bytes_high = self.scale(16, 16_384) as u32;
        }
        if self.happens("small-heads", 1, 8) {
            limits.head_bytes_max = self.scale_down(400, 16_384) as u32;
        }
        if self.happens("shallow-json", 1, 8) {
            limits.json_depth_max = 127 - self.below(120) as u32;
        }
        if self.happens("few-attachments", 1, 8) {
            limits.attachments_max = 10 - self.below(7) as u32;
            limits.attachment_bytes_max = self.scale_down(100_000, 10_000_000) as u32;
        }
        if self.happens("few-fragments", 1, 8) {
            limits.fragments_max = self.scale_down(4, 1024) as u32;
        }
        if self.happens("few-namespaces", 1, 8) {
            limits.namespaces_per_session_max = 64 - self.below(62) as u32;
        }
        if self.happens("few-connects", 1, 8) {
            limits.connects_pending_max = 1 + self.below(3) as u32;
        }
        // Whoever is turned away comes back, if there are not too many who never go.
        let are_honest = kinds.iter().all(|kind| kind.is_honest());
        if are_honest && self.happens("few-sessions", 1, 6) {
            limits.sessions_max = (kinds.len() as u64 + self.below(3)) as u32;
        }
        if are_honest && self.happens("few-connections", 1, 6) {
            let needs = kinds.iter().map(|kind| match kind {
                Kind::Polling => 2,
                Kind::Upgrading => 3,
                _ => 1,
            });
            limits.connections_max = (needs.sum::<u64>() + 1 + self.below(5)) as u32;
            // The dead go in time.
            config.idle_timeout = Duration::from_secs(5);
            config.request_timeout = Duration::from_secs(10);
        }
    }

    fn options(&mut self, config: &mut Config) {
        config.ping_interval = self.millis(300, 25_000);
        config.ping_timeout = self.millis(2000, 20_000);
        config.upgrade_timeout = self.millis(1000, 10_000);
        config.connect_timeout = self.millis(3000, 45_000);
        config.linger = self.millis(100, 5000);
        config.polling_close_timeout = self.millis(500, 30_000);
        let limits = &mut config.limits;
        if self.happens("client-bounds", 1, 3) {
            limits.egress_bytes_max = self.scale_down(8000, 1 << 20) as u32;
        }
        if self.happens("dropping", 1, 4) {
            config.overflow = Overflow::DropMessage;
            // Nobody is cut off by these, however tight they are.
            limits.egress_bytes_max = self.scale_down(2000, 65_536) as u32;
            if self.happens("bound-of-all", 1, 3) {
                let times = 4 - self.below(4);
                limits.egress_bytes_total_max = times * u64::from(limits.egress_bytes_max);
            }
        }
        if self.happens("few-asks", 1, 4) {
            limits.asks_per_socket_max = 3 - self.below(3) as u32;
        }
        if self.happens("few-pipelined", 1, 4) {
            limits.pipelined_requests_max = 16 - self.below(16) as u32;
        }
        if self.happens("few-rooms", 1, 8) {
            limits.rooms_per_socket_max = 3 - self.below(3) as u32;
        }
        if self.happens("cork", 1, 8) {
            let cork_bytes_max = self.scale(500, 100_000) as u32;
            config.volatile = Volatile::Turn { cork_bytes_max };
        }
        if self.happens("watermark", 1, 10) {
            config.volatile = Volatile::Watermark { bytes_max: self.scale(1, 1 << 16) as u32 };
        }
    }
}
