//! What breaks: networks by name.

use crate::profile::Network;

/// A network, and how it fails while a scenario runs. Then it heals.
#[derive(Clone, Copy, Debug)]
pub struct Faults(pub(super) Network);

impl Faults {
    /// A good network on which nothing breaks.
    pub fn none() -> Self {
        Self(Network::Calm)
    }

    /// An office's own: fast, and a connection is reset or stalls now and then.
    pub fn lan() -> Self {
        Self(Network::Lan)
    }

    /// Behind a proxy that is slow, and ends connections.
    pub fn office_proxy() -> Self {
        Self(Network::OfficeProxy)
    }

    /// Telephones: slow, uneven, with stalls, resets and connections that vanish.
    pub fn mobile() -> Self {
        Self(Network::Mobile)
    }

    /// A train with tunnels: nothing arrives for seconds, then all of it.
    pub fn train_tunnel() -> Self {
        Self(Network::TrainTunnel)
    }

    /// All of it at once, and readers that do not read.
    pub fn hostile() -> Self {
        Self(Network::Hostile)
    }

    /// One of these by its name, such as `"train_tunnel"`; `None` if there is none.
    ///
    /// ```
    /// assert!(parlor_sim::Faults::named("mobile").is_some());
    /// ```
    pub fn named(name: &str) -> Option<Self> {
        let network = match name {
            "none" => Network::Calm,
            "lan" => Network::Lan,
            "office_proxy" => Network::OfficeProxy,
            "mobile" => Network::Mobile,
            "train_tunnel" => Network::TrainTunnel,
            "hostile" => Network::Hostile,
            _ => return None,
        };
        Some(Self(network))
    }
}
