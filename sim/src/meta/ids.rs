//! D6: the same inputs under another secret. Every id is another one, and nothing else is.

use std::collections::BTreeSet;

use parlor::App;

use super::account::{Account, Detail};
use super::names::Names;
use super::play::{Manner, play};
use super::{Parting, Related};
use crate::choice::{Choices, Stream};
use crate::client::packet::unbase64_url;
use crate::trace::InputLog;

/// Of an id, the bytes in front of its random ones: a place in a table, which may be the same.
const PLACE_BYTES: usize = 4;

pub(super) fn secret<S: Send + 'static>(
    log: &InputLog,
    program: fn() -> App<S>,
    choices: &mut Choices,
    stream: Stream,
) -> Related {
    let seed = log.seed ^ (1 + choices.choose(stream, u64::MAX));
    let mut one = play(log, Manner::as_taken(), |_io| program());
    let one_names = Names::of(&one);
    let mut two_names = Names::renaming(&one_names, log);
    let manner = Manner { names: Some(&mut two_names), ..Manner::as_taken() };
    let mut two = play(&InputLog { seed, ..log.clone() }, manner, |_io| program());
    let told = [&one_names, &two_names].map(|names| names.ids().collect::<Vec<_>>());
    let parting = in_common(&told[0], &told[1]);
    one_names.canonical(&mut one);
    two_names.canonical(&mut two);
    let [one, two] = [&one, &two].map(|all| Account::of(all, Detail::EXACT));
    let parting = parting.map(|what| Parting { at: 0, what });
    Related::of(!told[0].is_empty(), parting.or_else(|| one.parting(&two)))
}

/// What is wrong with the ids of two runs. Within one, too, no random bits come twice.
fn in_common(one: &[&[u8]], two: &[&[u8]]) -> Option<String> {
    if one.len() != two.len() {
        return Some(format!("{} ids are told, and {} under another secret", one.len(), two.len()));
    }
    let mut seen = BTreeSet::new();
    one.iter().chain(two).find_map(|id| {
        let shown = String::from_utf8_lossy(id);
        let Some(random) =
            unbase64_url(&shown).and_then(|raw| Some(raw.get(PLACE_BYTES..)?.to_vec()))
        else {
            return Some(format!("{shown} is no id"));
        };
        let is_new = seen.insert(random);
        (!is_new).then(|| format!("the random bits of {shown} are those of another id"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"AAAAAFeEZaRkIhwpMTcB";
    const TWO: &[u8] = b"AAAAAFeEZaRkIhwpMTcC";
    /// The bits of the first, in another place.
    const MOVED: &[u8] = b"AAAAAVeEZaRkIhwpMTcB";

    #[test]
    fn d6_two_runs_have_no_random_bits_in_common() {
        assert_eq!(in_common(&[ONE], &[TWO]), None);
        assert_eq!(in_common(&[], &[]), None);
        assert!(in_common(&[ONE], &[ONE]).is_some());
        assert!(in_common(&[ONE], &[MOVED]).is_some());
        assert!(in_common(&[ONE, MOVED], &[TWO, TWO]).is_some(), "in one run");
        assert!(in_common(&[ONE], &[]).is_some());
        assert!(in_common(&[ONE], &[b"no id"]).is_some());
    }
}
