//! Small worlds that are run again with something changed: V5, X6 and X8. Their clients take
//! turns, each long enough for a message to get through, so a transport that is slower by some
//! milliseconds changes no order. No deadline is near, nobody reacts, nothing is bounded.

use std::cell::RefCell;
use std::rc::Rc;

use super::Related;
use super::account::{Account, Lane, Line};
use crate::choice::Choices;
use crate::client::Kind;
use crate::client::mind::{Mind, News, Seat, Wake};
use crate::profile::{Network, Profile};
use crate::user::Demands;
use crate::workload::{Variant, WORD, WORDED, workload_as};
use crate::world::{Run, World};

/// By then everybody is connected and upgraded.
const START: u64 = 3_000_000;
/// One client's turn.
const TURN: u64 = 250_000;
/// How many turns each has.
const TURNS: u64 = 12;
/// After the last.
const REST: u64 = 2_000_000;

const KINDS: [Kind; 3] = [Kind::Polling, Kind::WebSocket, Kind::Upgrading];

/// What clients got, by client. When they got it is not told: transports differ in that.
type Heard = Rc<RefCell<Account>>;

/// X6: everybody polls, or nobody, or all upgrade.
pub(super) fn transports(choices: Choices) -> (Run, Related) {
    compare(choices, &KINDS.map(|kind| ([kind; 3], Variant::Plain)))
}

/// V5 and X8: with and without what is volatile.
pub(super) fn no_volatile(choices: Choices) -> (Run, Related) {
    compare(choices, &[Variant::Plain, Variant::NothingVolatile].map(|variant| (KINDS, variant)))
}

/// Runs the first of these worlds, and the others of the same choices.
fn compare(choices: Choices, all: &[([Kind; 3], Variant)]) -> (Run, Related) {
    let (run, heard) = twin(choices, all[0]);
    let mut accounts = vec![heard];
    for &way in &all[1..] {
        if run.verdicts.failure().is_some() {
            break;
        }
        let (other, heard) = twin(run.choices.again(), way);
        if other.verdicts.failure().is_some() {
            return (Run { choices: run.choices, ..other }, Related::Vacuous);
        }
        accounts.push(heard);
    }
    (run, alike(&accounts))
}

/// Whether clients got the same in all of them.
fn alike(accounts: &[Account]) -> Related {
    let parting = accounts.windows(2).find_map(|pair| pair[0].parting(&pair[1]));
    Related::of(accounts.iter().any(|account| account.len() > 0), parting)
}

/// One world, and what its clients got.
fn twin(choices: Choices, (kinds, variant): ([Kind; 3], Variant)) -> (Run, Account) {
    let of = kinds.len() as u64;
    let config = parlor::Config::default();
    let mut profile = Profile::scenario(Network::Calm, kinds.into(), config, (1, 1));
    let (quiet_at, born_within) = (START + TURNS * of * TURN, 1);
    let end_at = quiet_at + REST;
    profile = Profile { heal_at: 1, quiet_at, end_at, born_within, ..profile };
    let heard = Heard::default();
    let mind = |number| -> Box<dyn Mind> {
        Box::new(Taker { number, of, said: 0, heard: Rc::clone(&heard) })
    };
    let minds = (0..of).map(mind).collect();
    let program = |_io| workload_as(variant);
    let world = World::new(profile, choices, true, program, minds, Demands::default());
    (world.run(), heard.take())
}

/// A client that says something when it is its turn.
struct Taker {
    number: u64,
    of: u64,
    said: u64,
    heard: Heard,
}

impl Mind for Taker {
    fn born(&mut self, seat: &mut Seat<'_>) {
        for turn in 0..TURNS {
            let after = START + (turn * self.of + self.number) * TURN;
            seat.wake_always(after, (0, turn, 0));
        }
    }

    fn told(&mut self, news: &News<'_>, _seat: &mut Seat<'_>) {
        let line = match *news {
            News::Event { name, args, .. } if is_volatile(name, args) => return,
            News::Event { place, name, args, attachments, .. } => {
                let args = if name == "came" { "somebody" } else { args };
                format!("in {place} {name} {args} {attachments:?}")
            }
            News::Answer { place, id, args, .. } => format!("in {place} the answer {id}: {args}"),
            News::Admitted { place } => format!("enters {place}"),
            ref other => format!("{other:?}"),
        };
        let lane = Lane::Client(self.number as usize);
        self.heard.borrow_mut().add(lane, 0, Line::Text(line));
    }

    fn woken(&mut self, (_, turn, _): Wake, seat: &mut Seat<'_>) {
        seat.span("turn");
        match turn {
            0 => {
                seat.join("/", "");
            }
            1 => {
                seat.join(WORDED, WORD);
            }
            _ => self.say(seat),
        }
    }
}

impl Taker {
    fn say(&mut self, seat: &mut Seat<'_>) {
        let place = seat.choose(2) as usize;
        let room = ["a", "b"][seat.choose(2) as usize];
        let count = seat.choose(30);
        self.said += 1;
        let said = self.said;
        let mut attachments = Vec::new();
        let (name, rest, asks) = match seat.choose(12) {
            0 => ("echo", format!(r#","{}""#, "e".repeat(count as usize)), false),
            1 => ("sum", r#","s""#.into(), true),
            2 => ("say", format!(r#","{room}","t""#), false),
            3 => ("all", r#","t""#.into(), false),
            4 => {
                attachments.push(vec![7; count as usize]);
                ("bytes", r#",{"_placeholder":true,"num":0}"#.into(), false)
            }
            5 | 6 => ("burst", format!(",{count}"), false),
            7 => ("few", format!(r#","{room}""#), false),
            8 => ("volatile", r#","v""#.into(), false),
            9 => ("leave", format!(r#","{room}""#), false),
            _ => ("join", format!(r#","{room}""#), false),
        };
        let args = format!("[{said}{rest}]");
        seat.say(place, (name, &args), attachments, asks);
    }
}

/// As the workload sends them: of a burst each fifth packet, whose texts grow by 40.
fn is_volatile(name: &str, args: &str) -> bool {
    let of_burst = || {
        let letters = args.bytes().filter(|&byte| byte == b'x').count();
        letters / 40 % 5 == 3
    };
    matches!(name, "volatile" | "few") || name == "burst" && of_burst()
}

#[cfg(test)]
mod tests {
    use super::super::Parting;
    use super::*;

    #[test]
    fn clients_get_the_same_on_every_transport_and_without_volatile_packets() {
        for seed in 0..4 {
            for compare in [transports, no_volatile] {
                let (run, related) = compare(Choices::recorded(seed));
                assert_eq!((run.verdicts.failure(), related), (None, Related::Alike));
            }
        }
    }

    #[test]
    fn a_packet_that_only_one_got_is_told() {
        let heard = |lines: &[&str]| {
            let mut account = Account::default();
            for line in lines {
                account.add(Lane::Client(1), 0, Line::Text((*line).into()));
            }
            account
        };
        let related = alike(&[heard(&["a", "b"]), heard(&["a"])]);
        let what = "client 1: first at 0 us b; then nothing more";
        assert_eq!(related, Related::Differ(Parting { at: 0, what: what.into() }));
        assert_eq!(alike(&[heard(&["a"]), heard(&["a"])]), Related::Alike);
        assert_eq!(alike(&[heard(&[]), heard(&[])]), Related::Vacuous);
    }

    #[test]
    fn each_fifth_packet_of_a_burst_is_volatile() {
        let all: Vec<bool> =
            (0..10).map(|turn| is_volatile("burst", &"x".repeat(turn * 40))).collect();
        let places: Vec<usize> = (0..10).filter(|&turn| all[turn]).collect();
        assert_eq!(places, [3, 8]);
        assert!(is_volatile("few", "[1]") && !is_volatile("echo", "[1]"));
    }
}
