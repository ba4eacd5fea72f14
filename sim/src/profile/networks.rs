//! The networks that a user can ask for by name.

use parlor::Config;

use super::{Faults, Links, MS, Profile, SECOND};
use crate::client::Kind;
use crate::proxy::Proxy;

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

impl Profile {
    /// A user's world, on one of the networks that have a name.
    pub(crate) fn scenario(
        network: Network,
        kinds: Vec<Kind>,
        mut config: Config,
        outside: (u64, u64),
    ) -> Self {
        config.limits.deadlines_per_call_max = 1;
        let mut profile = Self { kinds, config, outside, ..Self::calm() };
        match network {
            Network::Perfect => {
                profile.links.latency = (500, 500);
                profile.pass_delay = 0;
                profile.is_tied = false;
                profile.born_within = 1;
            }
            Network::OfficeProxy => {
                let proxies = [Proxy::Buffering, Proxy::IdleKilling(30 * SECOND), Proxy::None];
                let proxies = proxies.into_iter().cycle();
                profile.proxies = profile.kinds.iter().zip(proxies).map(|pair| pair.1).collect();
            }
            Network::Hostile => profile.refuse_one_in = 10,
            Network::Calm | Network::Lan | Network::Mobile | Network::TrainTunnel => {}
        }
        if let Some((every, faults)) = network.faults() {
            let links = network.links();
            Self { links, faults, fault_every: Some(every), ..profile }
        } else {
            profile
        }
    }
}

impl Network {
    /// What fails, and how often; `None` if nothing does.
    fn faults(self) -> Option<(u64, Faults)> {
        let none = Faults::NONE;
        Some(match self {
            Self::Perfect | Self::Calm => return None,
            Self::Lan => {
                (10 * SECOND, Faults { stall: true, reset: true, server_pause: true, ..none })
            }
            Self::OfficeProxy => {
                let faults = Faults { half_open: false, deaf: false, storm: true, ..Faults::PLAIN };
                (5 * SECOND, faults)
            }
            Self::Mobile => (2 * SECOND, Faults { storm: false, ..Faults::ALL }),
            Self::TrainTunnel => {
                let (stall, half_open, slow) = (true, true, true);
                let (clog, rebinding) = (true, true);
                (SECOND, Faults { stall, half_open, slow, clog, rebinding, ..none })
            }
            Self::Hostile => (700 * MS, Faults::ALL),
        })
    }

    fn links(self) -> Links {
        let usual = Profile::standard().links;
        match self {
            Self::Perfect | Self::Calm => Profile::calm().links,
            Self::Lan => Links { latency: (200, 5 * MS), ..usual },
            Self::OfficeProxy => Links { latency: (10 * MS, 80 * MS), ..usual },
            Self::Mobile => Links {
                latency: (30 * MS, 300 * MS),
                jitter: 80 * MS,
                bandwidth: (20_000, 1_000_000),
                buffer_bytes: (4096, 65_536),
                syn_lost_one_in: 20,
                ..usual
            },
            Self::TrainTunnel => {
                Links { latency: (40 * MS, 200 * MS), syn_lost_one_in: 5, ..usual }
            }
            Self::Hostile => Links {
                latency: (50, 400 * MS),
                jitter: 100 * MS,
                bandwidth: (4000, 10_000_000),
                cut_one_in: 2,
                segment_bytes: (4, 1500),
                buffer_bytes: (1024, 1 << 17),
                is_edge_early: false,
                syn_lost_one_in: 20,
            },
        }
    }
}
