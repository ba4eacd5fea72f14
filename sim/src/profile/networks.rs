//! The networks that a user can ask for by name.

use parlor::Config;

use super::{Faults, Links, MS, Profile, SECOND};
use crate::client::Kind;

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
                (links, 10 * SECOND, Faults { stall: true, reset: true, ..Faults::NONE })
            }
            Network::OfficeProxy => {
                let links = Links { latency: (10 * MS, 80 * MS), ..Self::standard().links };
                let faults = Faults { half_open: false, deaf: false, storm: true, ..Faults::PLAIN };
                (links, 5 * SECOND, faults)
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
                (links, 2 * SECOND, Faults { storm: false, ..Faults::ALL })
            }
            Network::TrainTunnel => {
                let links = Links {
                    latency: (40 * MS, 200 * MS),
                    syn_lost_one_in: 5,
                    ..Self::standard().links
                };
                let faults = Faults {
                    stall: true,
                    half_open: true,
                    slow: true,
                    clog: true,
                    rebinding: true,
                    ..Faults::NONE
                };
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
                (links, 700 * MS, Faults::ALL)
            }
        };
        Self { links, faults, fault_every: Some(fault_every), ..profile }
    }
}
