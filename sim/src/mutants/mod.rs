//! Mutants: edits of the core, each of which breaks one promise that it makes. What the simulator
//! is worth is how many of them it kills, and how soon.
//!
//! Each is a file of `sim/mutants`. They are applied to a copy of the tree, one after the other;
//! the simulator is built around each and sweeps seeds until something does not hold.

mod hunt;
mod mutant;
mod table;
mod tree;

use std::time::Instant;

use crate::command::Exit;
use hunt::Fate;
pub use mutant::Mutant;
use table::{Death, Table, clear, progress};
use tree::Tree;

/// Seeds within which a mutant should die.
const BUDGET: u64 = 2000;
/// Before the hash of a commit: one mutant, drawn by it.
const DRAWN: &str = "drawn:";

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    names: Vec<String>,
    budget: u64,
    jobs: u64,
    is_check: bool,
    is_minimized: bool,
}

/// Reads what stands behind `--mutants` on the command line, to its end.
pub(crate) fn parse(parser: &mut lexopt::Parser, jobs: u64) -> Result<Request, lexopt::Error> {
    use lexopt::prelude::*;
    let (is_check, is_minimized) = (false, false);
    let mut request = Request { names: Vec::new(), budget: BUDGET, jobs, is_check, is_minimized };
    while let Some(arg) = parser.next()? {
        match arg {
            Value(name) => request.names.push(name.string()?),
            Long("budget") => request.budget = parser.value()?.parse_with(count)?,
            Long("jobs") => request.jobs = parser.value()?.parse_with(count)?,
            Long("check") => request.is_check = true,
            Long("minimize") => request.is_minimized = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(request)
}

fn count(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|&count| count > 0).ok_or_else(|| "it is at least 1".into())
}

/// Does it.
pub(crate) fn run(request: &Request) -> Exit {
    if let [what, seed] = &request.names[..]
        && let Ok(seed) = seed.parse()
    {
        match &**what {
            hunt::THIS => return hunt::this(seed, request.budget, request.jobs),
            hunt::SMALL => return hunt::small(seed),
            _ => {}
        }
    }
    let done = match request.is_check {
        true => check(request),
        false => kill(request),
    };
    done.unwrap_or_else(|why| {
        clear();
        eprintln!("parlor-sim: {why}");
        Exit::Bad
    })
}

/// Builds and sweeps each, and prints the table.
fn kill(request: &Request) -> Result<Exit, String> {
    let started = Instant::now();
    let (tree, mutants) = prepare(request)?;
    let mut table = Table::begin();
    for (mutant, place) in mutants.iter().zip(1..) {
        let what = format!("{place} of {}: {}", mutants.len(), mutant.name);
        progress(&format!("{what}, building"));
        let begun = Instant::now();
        let edited = tree.edit(&mutant.apply(tree.root())?)?;
        let binary = tree.build().map_err(|why| uncompiled(mutant, &why))?;
        let built = begun.elapsed();
        let told = |held| progress(&format!("{what}, {held} seeds held"));
        let fate = hunt::hunt(&binary, request.budget, request.jobs, &told)?;
        let swept = begun.elapsed() - built;
        let small = match fate {
            Fate::Killed { seed, .. } if request.is_minimized => {
                progress(&format!("{what}, made small"));
                hunt::minimize(&binary, seed)?
            }
            _ => None,
        };
        drop(edited);
        table.row(mutant, &Death { fate, built, swept, small });
    }
    Ok(if table.end(started.elapsed()) { Exit::Held } else { Exit::Failed })
}

/// Whether each applies, and compiles.
fn check(request: &Request) -> Result<Exit, String> {
    let started = Instant::now();
    let (tree, mutants) = prepare(request)?;
    for (mutant, place) in mutants.iter().zip(1..) {
        progress(&format!("{place} of {}: {}, checking", mutants.len(), mutant.name));
        let _edited = tree.edit(&mutant.apply(tree.root())?)?;
        tree.check().map_err(|why| uncompiled(mutant, &why))?;
    }
    clear();
    let seconds = started.elapsed().as_secs();
    println!("ok    {} mutants apply and compile; {seconds} s", mutants.len());
    Ok(Exit::Held)
}

fn uncompiled(mutant: &Mutant, why: &str) -> String {
    format!("{} does not compile:\n{why}", mutant.name)
}

/// The copy, and those that were asked for; all of them apply.
fn prepare(request: &Request) -> Result<(Tree, Vec<Mutant>), String> {
    let workspace = tree::workspace()?;
    let mutants = chosen(&request.names, Mutant::load_all(&workspace)?)?;
    let tree = Tree::of(&workspace)?;
    for mutant in &mutants {
        mutant.apply(tree.root())?;
    }
    Ok((tree, mutants))
}

fn chosen(names: &[String], mutants: Vec<Mutant>) -> Result<Vec<Mutant>, String> {
    let mut chosen = vec![names.is_empty(); mutants.len()];
    for name in names {
        if let Some(hash) = name.strip_prefix(DRAWN) {
            chosen[drawn(hash, mutants.len())?] = true;
        } else if name == "all" {
            chosen.fill(true);
        } else {
            let place = mutants.iter().position(|mutant| mutant.is_called(name));
            chosen[place.ok_or_else(|| format!("there is no mutant {name:?}"))?] = true;
        }
    }
    Ok(mutants.into_iter().zip(chosen).filter(|(_, is_in)| *is_in).map(|(one, _)| one).collect())
}

/// Which of so many a hash draws.
fn drawn(hash: &str, count: usize) -> Result<usize, String> {
    let digits = hash.get(..hash.len().min(15)).unwrap_or_default();
    let number = usize::from_str_radix(digits, 16);
    let number = number.map_err(|_| format!("{hash:?} is no hash of a commit"))?;
    number.checked_rem(count).ok_or_else(|| "there is no mutant".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_draws_one_and_anything_else_is_told() {
        assert_eq!(drawn("0000000000000000000000000000000000000049", 72), Ok(0));
        assert_eq!(drawn("4a", 72), Ok(2));
        assert_eq!(drawn("4A00000000000000ffff", 7), drawn("4a00000000000001", 7));
        for bad in ["", "head", "ä"] {
            assert!(drawn(bad, 72).is_err(), "{bad}");
        }
        assert!(drawn("4a", 0).is_err());
    }
}
