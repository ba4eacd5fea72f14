//! Z1 to Z4: after the network has healed for those in the core, all is well with them in time,
//! and then it is quiet; whoever stays broken for good neither delays that nor costs much.

use std::collections::{BTreeMap, BTreeSet};

use super::{Property, Verdicts};
use crate::client::packet::Packet;
use crate::client::unit::Unit;

/// One noop each 100 ms is the most that an upgrade may cost; a POST and its poll go with it.
const REQUESTS_A_SECOND_MAX: u32 = 12;
/// Heads of answers, and the engine's own packets, which have an allowance beyond every bound.
const ALLOWANCE_BYTES: u64 = 16 << 10;

/// When what must have happened. Times are microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// From the healing until everybody in the core is connected and upgraded.
    pub(crate) well_within: u64,
    /// From then on nothing but heartbeats remains.
    pub(crate) idle_from: u64,
    /// The most that may wait on one connection.
    pub(crate) egress_bytes_max: u64,
}

/// Who is in the core, and how it is with them.
#[derive(Debug, Default)]
pub(crate) struct Liveness {
    terms: Option<Terms>,
    /// Who is not well yet, since the healing.
    awaited: Vec<bool>,
    has_outsiders: bool,
    /// Who was let into no namespace: the server ends their sessions again and again. And who asked
    /// on a connection that the server was just giving up.
    excused: BTreeSet<usize>,
    /// Which second, and the requests in it, of each client.
    pace: BTreeMap<usize, (u64, u32)>,
}

impl Liveness {
    /// The network heals for these. `has_outsiders`: and for others it stays broken.
    pub(crate) fn heals(&mut self, core: Vec<bool>, has_outsiders: bool, terms: Terms) {
        *self = Self { terms: Some(terms), awaited: core, has_outsiders, ..Self::default() };
    }

    /// The end is near: whatever is said now is said because of that.
    pub(crate) fn ends(&mut self) {
        self.terms = None;
    }

    pub(crate) fn is_awaited(&self, client: usize) -> bool {
        self.awaited.get(client) == Some(&true)
    }

    /// A client has all that it wants: a session, and its transport.
    pub(crate) fn well(&mut self, client: usize) {
        if let Some(awaited) = self.awaited.get_mut(client) {
            *awaited = false;
        }
    }

    /// A client has a reason to begin again: it was a member of nothing, or unlucky.
    pub(crate) fn excuse(&mut self, client: usize) {
        self.excused.insert(client);
    }

    pub(crate) fn is_excused(&self, client: usize) -> bool {
        self.excused.contains(&client)
    }

    /// The time is up. `wants` says what a client lacks now.
    pub(crate) fn due(&self, wants: impl Fn(usize) -> Option<String>, verdicts: &mut Verdicts) {
        let late = self.awaited.iter().position(|&awaited| awaited);
        verdicts.claim(Property::Z1, late.is_none(), || {
            let client = late.unwrap_or_default();
            let wants = wants(client).unwrap_or_else(|| "to have been connected".into());
            format!("client {client} has not been well since the healing; it wants {wants}")
        });
        if self.has_outsiders {
            verdicts.claim(Property::Z4, late.is_none(), String::new);
        }
    }

    /// So much waits for a client that stays broken.
    pub(crate) fn holds(&self, client: usize, bytes: u64, verdicts: &mut Verdicts) {
        let Some(terms) = self.terms else { return };
        let most = terms.egress_bytes_max + ALLOWANCE_BYTES;
        verdicts.claim(Property::Z4, bytes <= most, || {
            format!("{bytes} bytes wait for client {client}, who will never read them")
        });
    }

    /// A client of the core opens a connection. On a WebSocket nobody needs another one.
    pub(crate) fn connects(
        &mut self,
        now: u64,
        (client, is_websocket): (usize, bool),
        verdicts: &mut Verdicts,
    ) {
        if self.is_idle(now) && is_websocket && !self.is_excused(client) {
            verdicts.fail(Property::Z2, format!("client {client} connects, and nothing is wrong"));
        }
    }

    /// The server has heard a client of the core say this.
    pub(crate) fn heard(&mut self, now: u64, client: usize, unit: &Unit, verdicts: &mut Verdicts) {
        if !self.is_idle(now) {
            return;
        }
        let is_pong =
            |packet: &Packet| matches!(packet, Packet::Text('3', text) if text.is_empty());
        let is_beat = match unit {
            Unit::Get { .. } | Unit::PostHead { .. } => true,
            Unit::Post { packets, .. } => packets.iter().all(is_pong),
            Unit::Frame(packet) => is_pong(packet),
            Unit::Handshake { .. } | Unit::Upgrade { .. } if self.is_excused(client) => true,
            Unit::Handshake { .. } | Unit::Upgrade { .. } => {
                let what = format!("client {client} begins again: {unit:?}");
                verdicts.fail(Property::Z2, what);
                return;
            }
            Unit::WsPing(_) => true,
            Unit::Excess { .. } | Unit::WsClose => false,
        };
        // What outsiders do to each other is told to everybody.
        let is_excused = self.has_outsiders || self.is_excused(client);
        verdicts.claim(Property::Z3, is_beat || is_excused, || {
            format!("nobody wants anything, and client {client} says {unit:?}")
        });
        if matches!(unit, Unit::Get { .. } | Unit::PostHead { .. }) {
            let second = now / 1_000_000;
            let (at, count) = self.pace.entry(client).or_default();
            *count = if *at == second { *count + 1 } else { 1 };
            *at = second;
            let is_slow = *count <= REQUESTS_A_SECOND_MAX;
            verdicts.claim(Property::Z2, is_slow, || {
                format!("client {client} makes more than {REQUESTS_A_SECOND_MAX} requests a second")
            });
        }
    }

    fn is_idle(&self, now: u64) -> bool {
        self.terms.is_some_and(|terms| now >= terms.idle_from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::tests::fires;

    const TERMS: Terms = Terms { well_within: 100, idle_from: 1000, egress_bytes_max: 5000 };

    fn healed(has_outsiders: bool) -> Liveness {
        let mut liveness = Liveness::default();
        liveness.heals(vec![true, true], has_outsiders, TERMS);
        liveness
    }

    fn heard(now: u64, unit: &Unit) -> impl FnOnce(&mut Verdicts) {
        move |verdicts| healed(false).heard(now, 0, unit, verdicts)
    }

    #[test]
    fn everybody_in_the_core_is_well_in_time() {
        let due = |well: &[usize], has_outsiders| {
            let mut liveness = healed(has_outsiders);
            well.iter().for_each(|&client| liveness.well(client));
            move |verdicts: &mut Verdicts| liveness.due(|_| None, verdicts)
        };
        fires(None, due(&[0, 1], false));
        fires(Some(Property::Z1), due(&[1], false));
        fires(None, due(&[1, 0], true));
        fires(Some(Property::Z1), due(&[0], true));
    }

    #[test]
    fn one_who_is_broken_for_good_costs_no_more_than_his_bound() {
        fires(None, |verdicts| healed(true).holds(0, 5000 + ALLOWANCE_BYTES, verdicts));
        fires(Some(Property::Z4), |verdicts| {
            healed(true).holds(0, 5001 + ALLOWANCE_BYTES, verdicts);
        });
    }

    #[test]
    fn afterwards_nobody_begins_again_or_hurries() {
        let gets = |count| {
            move |verdicts: &mut Verdicts| {
                let mut liveness = healed(false);
                let get = Unit::Get { session: 1 };
                (0..count).for_each(|n| liveness.heard(7_000_000 + n, 0, &get, verdicts));
            }
        };
        fires(None, gets(12));
        fires(Some(Property::Z2), gets(13));
        let handshake = Unit::Handshake { session: 1, is_websocket: true };
        fires(None, heard(999, &handshake));
        fires(Some(Property::Z2), heard(1000, &handshake));
        let connects = |is_websocket| {
            move |verdicts: &mut Verdicts| {
                healed(false).connects(1000, (0, is_websocket), verdicts);
            }
        };
        fires(None, connects(false));
        fires(Some(Property::Z2), connects(true));
        fires(None, |verdicts| {
            let mut liveness = healed(false);
            liveness.excuse(0);
            liveness.connects(1000, (0, true), verdicts);
            liveness.heard(1000, 0, &handshake, verdicts);
        });
    }

    #[test]
    fn afterwards_there_are_only_heartbeats() {
        let frame = |kind, text: &str| Unit::Frame(Packet::Text(kind, text.into()));
        fires(None, heard(1000, &frame('3', "")));
        fires(Some(Property::Z3), heard(1000, &frame('4', "2[\"echo\"]")));
        fires(None, heard(999, &frame('4', "2[\"echo\"]")));
        let post = |packets| Unit::Post { session: 1, packets };
        fires(None, heard(1000, &post(vec![Packet::Text('3', String::new())])));
        fires(Some(Property::Z3), heard(1000, &post(vec![Packet::Text('4', "1".into())])));
    }
}
