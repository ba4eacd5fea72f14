//! A server's options as a trace tells them, and read back.

use std::time::Duration;

use parlor::{Config, Limits, Mode, Overflow, Volatile};

use super::value::Value;

fn micros(time: Duration) -> Value {
    Value::from(time.as_micros() as u64)
}

macro_rules! fields {
    ($($wide:ident: $kind:ident, $($name:ident)*;)*) => {
        /// The options that are plain, in a fixed order. Those of `cookie`, `cors` and
        /// `initial_packet` are told by whether there are any.
        pub(crate) fn told(config: &Config) -> (Value, Value) {
            let mut all = vec![
                $($((stringify!($name).to_string(), fields!(@tell $kind, config.$name)),)*)*
            ];
            let mode = if config.mode == Mode::EngineIo { "engine.io" } else { "socket.io" };
            let overflow = match config.overflow {
                Overflow::DropMessage => "drop",
                Overflow::CloseSession => "close",
            };
            let (volatile, bytes) = match config.volatile {
                Volatile::Turn { cork_bytes_max } => ("turn", cork_bytes_max),
                Volatile::Watermark { bytes_max } => ("watermark", bytes_max),
            };
            let is_plain = config.cookie.is_none() && config.cors.is_none();
            all.extend(
                [
                    ("mode", mode.into()),
                    ("path", (&*config.path).into()),
                    ("polling", config.transports.polling.into()),
                    ("websocket", config.transports.websocket.into()),
                    ("overflow", overflow.into()),
                    ("volatile", volatile.into()),
                    ("volatile_bytes_max", u64::from(bytes).into()),
                    ("is_plain", (is_plain && config.initial_packet.is_none()).into()),
                ]
                .map(|(name, value)| (name.to_string(), value)),
            );
            (Value::Object(all), limits(&config.limits))
        }

        /// The options that a trace tells. Fails with the name of what is missing.
        pub(crate) fn read(config: &Value, limits: &Value) -> Result<Config, String> {
            let of = |name: &str| config.field(name).ok_or(format!("config has no {name:?}"));
            let mut out = Config::default();
            $($(fields!(@read $kind, out.$name, of(stringify!($name))?, stringify!($name));)*)*
            let word = |name| Ok::<_, String>(of(name)?.text().unwrap_or_default());
            if word("mode")? == "engine.io" {
                out.mode = Mode::EngineIo;
            }
            out.path = word("path")?.into();
            out.transports.polling = of("polling")? == &Value::Bool(true);
            out.transports.websocket = of("websocket")? == &Value::Bool(true);
            if word("overflow")? == "drop" {
                out.overflow = Overflow::DropMessage;
            }
            let bytes = of("volatile_bytes_max")?.number().unwrap_or_default() as u32;
            out.volatile = match word("volatile")? {
                "watermark" => Volatile::Watermark { bytes_max: bytes },
                _ => Volatile::Turn { cork_bytes_max: bytes },
            };
            if of("is_plain")? != &Value::Bool(true) {
                return Err("its cookie, cors or initial_packet is not told".into());
            }
            read_limits(limits, &mut out.limits)?;
            Ok(out)
        }
    };
    (@tell time, $field:expr) => { micros($field) };
    (@tell maybe, $field:expr) => { Value::from($field.map(|time| time.as_micros() as u64)) };
    (@tell flag, $field:expr) => { Value::from($field) };
    (@tell number, $field:expr) => { Value::from(u64::from($field)) };
    (@read time, $out:expr, $value:expr, $name:expr) => {
        $out = Duration::from_micros($value.number().ok_or(format!("{} is no time", $name))?)
    };
    (@read maybe, $out:expr, $value:expr, $name:expr) => {
        $out = $value.number().map(Duration::from_micros)
    };
    (@read flag, $out:expr, $value:expr, $name:expr) => {
        $out = $value.bool().ok_or(format!("{} is neither true nor false", $name))?
    };
    (@read number, $out:expr, $value:expr, $name:expr) => {{
        let number = $value.number().and_then(|number| number.try_into().ok());
        $out = number.ok_or(format!("{} is no number that fits", $name))?
    }};
}

fields! {
    times: time, ping_interval ping_timeout upgrade_timeout connect_timeout ask_timeout
        polling_close_timeout linger request_timeout idle_timeout;
    maybe: maybe, decision_timeout destroy_upgrade_timeout;
    flags: flag, add_trailing_slash allow_upgrades decide_handshakes take_requests
        announce_disconnecting room_events session_events;
    numbers: number, max_payload shard;
}

macro_rules! limits {
    ($($name:ident)*) => {
        fn limits(limits: &Limits) -> Value {
            let all = [$((stringify!($name), Value::from(u64::from(limits.$name))),)*];
            Value::Object(all.map(|(name, value)| (name.to_string(), value)).into())
        }

        fn read_limits(value: &Value, out: &mut Limits) -> Result<(), String> {
            $(
                let number = value.field(stringify!($name)).and_then(Value::number);
                let number = number.and_then(|number| number.try_into().ok());
                out.$name = number.ok_or(concat!("limits has no ", stringify!($name)))?;
            )*
            Ok(())
        }
    };
}

limits! {
    connections_max sessions_max head_bytes_max pipelined_requests_max egress_bytes_max
    egress_bytes_total_max egress_bytes_high fragments_max attachments_max attachment_bytes_max
    json_depth_max namespaces_per_session_max rooms_per_socket_max asks_per_socket_max
    once_per_socket_max handshakes_pending_max connects_pending_max requests_pending_max
    timers_max outside_max deadlines_per_call_max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_as_they_are_told() {
        let mut config = Config {
            ping_interval: Duration::from_micros(1234),
            decision_timeout: Some(Duration::from_secs(1)),
            destroy_upgrade_timeout: None,
            allow_upgrades: false,
            overflow: Overflow::DropMessage,
            volatile: Volatile::Watermark { bytes_max: 7 },
            path: "/here".into(),
            ..Config::default()
        };
        config.limits.timers_max = 3;
        config.transports.polling = false;
        let (told, limits) = told(&config);
        let again = read(&told, &limits).unwrap();
        assert_eq!(format!("{again:?}"), format!("{config:?}"));
        assert_eq!(read(&limits, &limits).unwrap_err(), "config has no \"ping_interval\"");
    }
}
