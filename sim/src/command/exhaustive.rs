//! `--exhaustive`: every interleaving of a small scene.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::Exit;
use super::minimize::DIRECTORY;
use crate::exhaustive::{Covered, Scene, explore};

/// The whole command.
pub(super) fn exhaustive(scene: Scene, time_max: Option<Duration>) -> Exit {
    let name = scene.machine.name();
    let covered = explore(scene, time_max);
    let Covered { whole, met, needless, states, ends, is_late, failed, elapsed } = covered;
    let paths = whole + met + needless;
    let speed = u128::from(paths) * 1_000_000 / elapsed.as_micros().max(1);
    let figures = format!(
        "{paths} paths, {met} of them left where they met another, {needless} that say nothing \
         new; {states} states, {ends} ends; {:.1} s, {speed} paths/s",
        elapsed.as_secs_f64()
    );
    let Some((failure, log)) = failed else {
        if is_late {
            println!("part  {name}, {} operations of 2 clients: time was up", scene.depth);
            println!("      {figures}");
            return Exit::Vacuous;
        }
        println!("ok    {name}, {} operations of 2 clients: every order holds", scene.depth);
        println!("      {figures}");
        return Exit::Held;
    };
    println!("FAIL  {}  {name}, {} operations", failure.property, scene.depth);
    println!("      {}", failure.property.sentence());
    println!("      {}\n      after {figures}", failure.what);
    let directory = Path::new(DIRECTORY).join(format!("{}-{}", failure.property, scene.title()));
    let path = directory.join("bug.choices");
    let written = fs::create_dir_all(&directory).and_then(|()| fs::write(&path, log.to_string()));
    match written {
        Ok(()) => {
            println!("\n      again   cargo sim --replay {}", path.display());
            Exit::Failed
        }
        Err(error) => {
            eprintln!("parlor-sim: the choices cannot be written: {error}");
            Exit::Bad
        }
    }
}
