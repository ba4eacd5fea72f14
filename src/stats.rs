//! Plain counters. Every path that drops, ignores or refuses something counts it here.

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Counters since the start; all only ever grow.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        impl Stats {
            /// All of them by name, in a fixed order: for a metrics page or a log line.
            pub fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)*].into_iter()
            }
        }
    };
}

stats! {
    /// Connections accepted.
    connections_accepted,
    /// Connections refused at `connections_max`.
    connections_refused,
    /// Inputs for connections that were closed before.
    inputs_stale,
    /// Requests answered.
    requests,
    /// Requests that HTTP itself refuses.
    http_faults,
    /// Requests or connections that took too long.
    http_timeouts,
    /// Requests that Engine.IO refuses.
    handshakes_failed,
    /// Sessions opened.
    sessions_opened,
    /// Sessions ended.
    sessions_closed,
    /// Upgrades finished.
    upgrades,
    /// Websocket candidates closed without an upgrade.
    upgrades_abandoned,
    /// WebSocket messages or frames that RFC 6455 or `max_payload` refuses.
    websocket_faults,
    /// Bodies over `max_payload`.
    bodies_too_large,
    /// Sessions ended by something that is no Engine.IO packet.
    engine_faults,
    /// Sessions ended by something that is no Socket.IO packet, or not allowed in its state.
    packets_bad,
    /// Packets for a namespace that the server had left.
    packets_late,
    /// Answers that nobody waits for: late, twice or unknown.
    acks_unknown,
    /// Answers of the application for sockets that had gone.
    answers_gone,
    /// Connects refused by the core: unknown namespace, overdue, or over a limit.
    connects_refused,
    /// Sockets connected.
    sockets_connected,
    /// Sockets disconnected.
    sockets_disconnected,
    /// Events received.
    messages_received,
    /// Packets sent or queued, each recipient counted.
    packets_sent,
    /// Volatile packets dropped: no GET was parked.
    volatile_no_poll,
    /// Volatile packets dropped: something was sent in the same turn.
    volatile_same_turn,
    /// Volatile packets dropped: the kernel is refusing.
    volatile_refused,
    /// Volatile packets dropped: too much waits to be flushed.
    volatile_cork,
    /// Volatile packets dropped: the session is closing.
    volatile_closing,
    /// Volatile packets dropped: a bound would be passed.
    volatile_limit,
    /// Packets dropped because their client's bound was reached.
    overflow_dropped,
    /// Sessions closed because their bound was reached.
    overflow_closed,
    /// Emits that were the caller's mistake.
    emits_invalid,
    /// Commands for what had gone.
    commands_gone,
    /// Asks, joins, timers and requests that a limit refused.
    limits_hit,
    /// Arguments that no handler could take.
    args_bad,
    /// Events that no handler was registered for.
    events_unheard,
    /// Replies to clients that had not asked.
    replies_unasked,
    /// Events dropped behind a disconnect that a handler asked for.
    events_dropped,
    /// Handlers that panicked, as far as a driver contained it.
    panics,
}
