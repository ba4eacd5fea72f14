//! Marks: places that a sweep must have come to, or its generator has a blind spot. They are taken
//! from what the world itself logs and from the core's public counters; the core has none of its
//! own.

mod scout;

use std::fmt;

use parlor::{DisconnectReason, SendStatus, Stats};

use crate::client::packet::Packet;
use crate::client::unit::Unit;
use crate::fault::Class;
use crate::oracle::told::Told;
use crate::watch::{Seen, Settled};
pub(crate) use scout::Scout;

/// In how many worlds of a sweep a mark must be hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Tier {
    /// In one of a hundred.
    Common,
    /// In one of a thousand.
    Rare,
    /// In ten.
    Extreme,
}

impl Tier {
    /// The least number of worlds, of so many.
    fn least(self, worlds: u64) -> u64 {
        match self {
            Self::Common => worlds / 100,
            Self::Rare => worlds / 1000,
            Self::Extreme => 10,
        }
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Common => "1 %",
            Self::Rare => "0.1 %",
            Self::Extreme => "10",
        })
    }
}

macro_rules! marks {
    ($($mark:ident $name:literal $tier:ident,)*) => {
        /// A mark.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mark {
            $($mark,)*
        }

        impl Mark {
            pub(crate) const ALL: &[Self] = &[$(Self::$mark,)*];

            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$mark => $name,)*
                }
            }

            pub(crate) fn tier(self) -> Tier {
                match self {
                    $(Self::$mark => Tier::$tier,)*
                }
            }
        }
    };
}

marks! {
    VolatileSent "volatile.sent" Common,
    VolatileNoPoll "volatile.dropped.poll_between_cycles" Common,
    VolatileSameTurn "volatile.dropped.same_turn" Common,
    VolatileRefused "volatile.dropped.ws_backlog" Common,
    VolatileCork "cork.reached" Rare,
    VolatileClosing "volatile.dropped.closing" Rare,
    VolatileLimit "volatile.dropped.limit" Rare,
    VolatileBinary "volatile.binary.dropped" Rare,
    VolatileMixed "volatile.broadcast.mixed_outcome" Rare,
    VolatileAskDropped "volatile.ack.dropped" Rare,
    RefusedZero "sent.refused_zero" Common,
    TwoDeadlines "turn.two_deadlines_one_instant" Rare,
    GetBehindPost "turn.get_behind_post" Rare,
    ProbeAndFive "upgrade.probe_and_5_one_read" Extreme,
    EventBeforeEnd "event_before_end_one_read" Rare,
    OutsideLate "outside.answer_late" Rare,
    AckOk "ack.ok" Common,
    AckTimeout "ack.timeout" Common,
    AckLate "ack.late_after_timeout" Rare,
    AckDuplicate "ack.duplicate" Rare,
    AckForeign "ack.foreign_id" Extreme,
    AckTie "ack.tie_timer_and_packet" Extreme,
    AckBinary "ack.binary" Rare,
    AckDisconnect "ack.disconnect_outstanding" Common,
    AskLimited "limit.asks_or_rooms" Rare,
    Upgraded "upgrade.completed" Common,
    UpgradeAbandoned "upgrade.abandoned" Rare,
    Probed "upgrade.probed" Common,
    EmitUpgrading "upgrade.emit_between_probe_and_5" Common,
    BroadcastUpgrading "upgrade.broadcast_race" Common,
    VolatileUpgrading "volatile.dropped.during_upgrade" Rare,
    FlushAtFive "upgrade.flush_at_5" Rare,
    PingFlushedAtFive "upgrade.ping_flushed_at_5" Rare,
    GetWhileUpgrading "upgrade.second_get_while_upgrading" Rare,
    UpgradeTimeout "upgrade.timeout" Rare,
    DiedAfterProbe "upgrade.ws_died_after_probe" Rare,
    CloseUpgrading "upgrade.close_during" Rare,
    PingOutstanding "upgrade.ping_outstanding" Rare,
    SecondWebSocket "upgrade.second_websocket" Rare,
    Answered "poll.answered" Common,
    GoneAfterAnswer "poll.client_gone_after_write" Rare,
    OverlapGet "poll.overlap_get" Rare,
    OverlapPost "poll.overlap_post" Rare,
    PollingClose "poll.closing_timeout" Rare,
    Answer413 "poll.413" Rare,
    Answer431 "http.431" Rare,
    Answer503 "http.503" Rare,
    Answer404 "http.404" Rare,
    RequestTimeout "http.request_timeout" Rare,
    Reordered "http.conn_switch_reorder" Rare,
    Fragmented "ws.fragmented" Rare,
    Buffered "proxy.buffered" Rare,
    Retried "proxy.post_retried" Extreme,
    PostInPieces "poll.split_body_1byte" Rare,
    Pipelined "http.pipelined" Rare,
    Paused "http.paused" Rare,
    AbortWithBacklog "ws.close_with_backlog" Rare,
    PingTimeout "hb.timeout" Common,
    PongAtDeadline "hb.pong_at_deadline" Extreme,
    ServerPause "hb.server_pause" Rare,
    PauseOverDeadline "hb.server_pause_over_deadline" Rare,
    ConnectRefused "connect.refused" Rare,
    ConnectTimeout "connect.timeout" Rare,
    ConnectTwice "connect.double_during_middleware" Extreme,
    DecisionTimeout "connect.decision_timeout" Rare,
    Refused "middleware.reject_after_join" Rare,
    DisconnectInHandler "disconnect.in_handler" Rare,
    DisconnectInAnswer "disconnect.reentrant_ack" Extreme,
    Backlogged "slow.high_water" Rare,
    PolicyDropped "slow.policy_dropped" Rare,
    PolicyClosed "slow.policy_closed" Rare,
    HttpFault "hostile.http_fault" Rare,
    WebSocketFault "hostile.websocket_fault" Rare,
    EngineFault "hostile.engine_fault" Rare,
    PacketBad "hostile.packet_bad" Rare,
    HandshakeFailed "hostile.handshake_failed" Rare,
    PartialBinary "hostile.partial_binary" Rare,
    AttachmentBomb "hostile.attachment_bomb" Extreme,
    DeepJson "hostile.deep_json" Extreme,
    RoomLeft "rooms.left" Common,
    LeaveInBroadcast "rooms.leave_during_broadcast" Rare,
    Gone "rooms.join_after_disconnect" Rare,
    HalfOpenReaped "half_open.reaped" Rare,
    ResetUnread "rst.unread_data" Rare,
    WheelRound "timer.wheel_round" Extreme,
    Soak "soak.30d" Extreme,
    Outsider "fault.outsider" Common,
    StaleInput "inputs.stale" Rare,
    OlderNow "driver.older_now" Common,
    WritableForNothing "driver.writable_for_nothing" Common,
    LateFlush "driver.late_flush" Rare,
    ShutdownInChaos "shutdown.in_chaos" Rare,
    ConnectionRefused "limit.connections" Rare,
    HandshakeRefused "limit.sessions" Rare,
    Stripped "proxy.upgrade_refused" Rare,
    IdleKilled "proxy.idle_killed" Rare,
}

/// Which marks a run has hit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    all: u128,
    /// In this turn.
    fresh: u128,
    /// Which classes of faults struck.
    faults: u16,
    /// The core's counters so far.
    stats: Stats,
}

const _: () = assert!(Mark::ALL.len() <= 128);

impl Marks {
    pub(crate) fn hit(&mut self, mark: Mark) {
        self.hit_if(true, mark);
    }

    /// A fault strikes.
    pub(crate) fn struck(&mut self, class: Class) {
        self.faults |= 1 << class as u32;
    }

    /// Another turn begins.
    pub(crate) fn turn(&mut self) {
        self.fresh = 0;
    }

    /// Whether a mark was hit in this turn.
    pub(crate) fn is_fresh(self, mark: Mark) -> bool {
        self.fresh >> mark as u32 & 1 == 1
    }

    fn hit_if(&mut self, is_hit: bool, mark: Mark) {
        let bit = u128::from(is_hit) << mark as u32;
        self.all |= bit;
        self.fresh |= bit;
    }

    pub(crate) fn has(self, mark: Mark) -> bool {
        self.all >> mark as u32 & 1 == 1
    }

    /// What ended in one read of so many bytes.
    pub(crate) fn read(&mut self, bytes: usize, units: &[Unit]) {
        let is_post = |unit: &Unit| matches!(unit, Unit::Post { .. });
        self.hit_if(bytes == 1 && units.iter().any(is_post), Mark::PostInPieces);
        let requests = units.iter().filter(|unit| unit.is_request()).count();
        self.hit_if(requests > 1, Mark::Pipelined);
        for (first, then) in units.iter().zip(units.iter().skip(1)) {
            let is_get = matches!(then, Unit::Get { .. });
            self.hit_if(is_post(first) && is_get, Mark::GetBehindPost);
            let is_probe = *first == Unit::Frame(Packet::Text('2', "probe".into()));
            let is_five = *then == Unit::Frame(Packet::Text('5', String::new()));
            self.hit_if(is_probe && is_five, Mark::ProbeAndFive);
            let is_event =
                matches!(first, Unit::Frame(Packet::Text('4', text)) if text.starts_with('2'));
            let is_end = *then == Unit::WsClose
                || matches!(then, Unit::Frame(Packet::Text('4', text)) if text.starts_with('1'));
            self.hit_if(is_event && is_end, Mark::EventBeforeEnd);
        }
    }

    /// What the program did or was told.
    pub(crate) fn seen(&mut self, seen: &Seen) {
        match seen {
            Seen::Emit { volatile, status, .. } => {
                let is_taken = matches!(status, SendStatus::Sent | SendStatus::Backlogged { .. });
                self.hit_if(*volatile && is_taken, Mark::VolatileSent);
                let is_backlogged = matches!(status, SendStatus::Backlogged { .. });
                self.hit_if(is_backlogged, Mark::Backlogged);
            }
            Seen::Broadcast(_, cast) => {
                let is_taken = cast.fanout.sent + cast.fanout.backlogged > 0;
                let is_mixed = cast.volatile && is_taken && cast.fanout.dropped > 0;
                self.hit_if(is_mixed, Mark::VolatileMixed);
                self.hit_if(cast.fanout.backlogged > 0, Mark::Backlogged);
            }
            Seen::Settled(_, _, settled) => self.hit(match settled {
                Settled::Answered(_) | Settled::BadAnswer => Mark::AckOk,
                Settled::TimedOut => Mark::AckTimeout,
                Settled::Disconnected => Mark::AckDisconnect,
                Settled::Dropped => Mark::VolatileAskDropped,
            }),
            Seen::Told(_, Told::Left(_, reason)) => {
                self.hit_if(*reason == DisconnectReason::PingTimeout, Mark::PingTimeout);
            }
            Seen::Leave(..) => self.hit(Mark::RoomLeft),
            _ => {}
        }
    }

    /// What the core has counted since the last time.
    pub(crate) fn counted(&mut self, stats: &Stats) {
        for (count, mark) in [
            (stats.volatile_no_poll - self.stats.volatile_no_poll, Mark::VolatileNoPoll),
            (stats.volatile_same_turn - self.stats.volatile_same_turn, Mark::VolatileSameTurn),
            (stats.volatile_refused - self.stats.volatile_refused, Mark::VolatileRefused),
            (stats.volatile_cork - self.stats.volatile_cork, Mark::VolatileCork),
            (stats.volatile_closing - self.stats.volatile_closing, Mark::VolatileClosing),
            (stats.volatile_limit - self.stats.volatile_limit, Mark::VolatileLimit),
            (stats.answers_gone - self.stats.answers_gone, Mark::OutsideLate),
            (stats.limits_hit - self.stats.limits_hit, Mark::AskLimited),
            (stats.upgrades - self.stats.upgrades, Mark::Upgraded),
            (stats.upgrades_abandoned - self.stats.upgrades_abandoned, Mark::UpgradeAbandoned),
            (stats.connects_refused - self.stats.connects_refused, Mark::ConnectRefused),
            (stats.events_dropped - self.stats.events_dropped, Mark::DisconnectInHandler),
            (stats.overflow_dropped - self.stats.overflow_dropped, Mark::PolicyDropped),
            (stats.overflow_closed - self.stats.overflow_closed, Mark::PolicyClosed),
            (stats.http_faults - self.stats.http_faults, Mark::HttpFault),
            (stats.websocket_faults - self.stats.websocket_faults, Mark::WebSocketFault),
            (stats.engine_faults - self.stats.engine_faults, Mark::EngineFault),
            (stats.packets_bad - self.stats.packets_bad, Mark::PacketBad),
            (stats.handshakes_failed - self.stats.handshakes_failed, Mark::HandshakeFailed),
            (stats.inputs_stale - self.stats.inputs_stale, Mark::StaleInput),
            (stats.commands_gone - self.stats.commands_gone, Mark::Gone),
        ] {
            self.hit_if(count > 0, mark);
        }
        self.stats = *stats;
    }
}

/// In how many worlds of a sweep each mark was hit.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage {
    worlds: u64,
    hits: Vec<Hits>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Hits {
    worlds: u64,
    /// Of those, in which a class of faults struck.
    with: [u64; Class::ALL.len()],
}

impl Coverage {
    pub(crate) fn add(&mut self, marks: Marks) {
        self.worlds += 1;
        self.hits.resize(Mark::ALL.len(), Hits::default());
        for (hits, &mark) in self.hits.iter_mut().zip(Mark::ALL) {
            if marks.has(mark) {
                hits.worlds += 1;
                let with = hits.with.iter_mut().enumerate();
                with.for_each(|(class, with)| *with += u64::from(marks.faults >> class & 1));
            }
        }
    }

    /// Marks that were hit in fewer worlds than their tier demands.
    pub(crate) fn missed(&self) -> impl Iterator<Item = Mark> {
        let hits = |mark: Mark| self.hits.get(mark as usize).map_or(0, |hits| hits.worlds);
        let all = Mark::ALL.iter().copied();
        all.filter(move |&mark| hits(mark) < mark.tier().least(self.worlds))
    }
}

impl fmt::Display for Coverage {
    /// A table, a line for each mark; then in how many worlds it met each class of faults.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>8}  {:>6}  mark, in {} worlds", "hit", "tier", self.worlds)?;
        for (hits, &mark) in self.hits.iter().zip(Mark::ALL) {
            let is_low = hits.worlds < mark.tier().least(self.worlds);
            let note = if is_low { "  BELOW ITS TIER" } else { "" };
            let (hits, tier) = (hits.worlds, mark.tier().to_string());
            writeln!(f, "{hits:>8}  {tier:>6}  {}{note}", mark.name())?;
        }
        let classes: String =
            Class::ALL.iter().map(|class| format!("{:>11}", format!("{class:?}"))).collect();
        writeln!(f, "\n{classes}  mark, in worlds in which that struck")?;
        for (hits, &mark) in self.hits.iter().zip(Mark::ALL) {
            let with: String = hits.with.iter().map(|with| format!("{with:>11}")).collect();
            writeln!(f, "{with}  {}", mark.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_below_its_tier_is_missed() {
        let mut coverage = Coverage::default();
        for world in 0..1000 {
            let mut marks = Marks::default();
            marks.hit_if(world < 10, Mark::AckOk);
            marks.hit_if(world < 9, Mark::AckTimeout);
            marks.hit_if(world == 7, Mark::Pipelined);
            coverage.add(marks);
        }
        let missed: Vec<Mark> = coverage.missed().collect();
        assert!(!missed.contains(&Mark::AckOk) && !missed.contains(&Mark::Pipelined));
        assert!(missed.contains(&Mark::AckTimeout) && missed.contains(&Mark::GetBehindPost));
        assert!(coverage.to_string().contains("9     1 %  ack.timeout  BELOW"), "{coverage}");
    }

    #[test]
    fn a_mark_is_counted_with_the_faults_of_its_world() {
        let mut coverage = Coverage::default();
        for faults in [&[Class::Stall][..], &[Class::Stall, Class::Outsider], &[]] {
            let mut marks = Marks::default();
            marks.hit(Mark::VolatileSent);
            faults.iter().for_each(|&class| marks.struck(class));
            coverage.add(marks);
        }
        let with = coverage.hits[Mark::VolatileSent as usize].with;
        assert_eq!(with, [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn what_stands_in_one_read_is_marked() {
        let frame = |kind, text: &str| Unit::Frame(Packet::Text(kind, text.into()));
        let mut marks = Marks::default();
        marks.read(30, &[frame('2', "probe"), frame('5', "")]);
        assert!(marks.has(Mark::ProbeAndFive) && !marks.has(Mark::EventBeforeEnd));
        marks.read(30, &[frame('4', "2[\"a\"]"), frame('4', "1")]);
        assert!(marks.has(Mark::EventBeforeEnd));
        let post = Unit::Post { session: 1, packets: Vec::new() };
        marks.read(1, std::slice::from_ref(&post));
        assert!(marks.has(Mark::PostInPieces) && !marks.has(Mark::Pipelined));
        marks.read(300, &[post, Unit::Get { session: 1 }]);
        assert!(marks.has(Mark::GetBehindPost) && marks.has(Mark::Pipelined));
    }
}
