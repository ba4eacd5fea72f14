//! `--replay`: a run again, by the choices that were written down.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::options::Options;
use super::{Builtin, Exit, report, subject};
use crate::choice::{ChoiceLog, Choices, Drift};
use crate::exhaustive::Scene;
use crate::oracle::Property;
use crate::profile::Preset;
use crate::sweep::{Subject, world};

/// Lines of the story's end.
const STORY_LINES: usize = 24;

/// The whole command.
pub(super) fn replay(options: &Options, path: &Path) -> Exit {
    let (subject, log) = match read(path) {
        Ok(read) => read,
        Err(why) => {
            eprintln!("parlor-sim: {}: {why}", path.display());
            return Exit::Bad;
        }
    };
    let profile = subject.name();
    let run = match world(&*subject, Choices::replayed(log), true) {
        Ok(run) => run,
        Err(text) => {
            println!("FAIL  {}  profile {profile}", Property::M3);
            println!("      it panicked: {text}");
            return Exit::Failed;
        }
    };
    let drift = run.choices.drift();
    let Some(failure) = run.verdicts.failure() else {
        return match held(drift.as_ref(), run.trace.events()) {
            Ok(text) => {
                println!("ok    {text}");
                Exit::Held
            }
            Err(why) => {
                eprintln!("parlor-sim: {}: {why}", path.display());
                Exit::Bad
            }
        };
    };
    println!("FAIL  {}  profile {profile}", failure.property);
    println!("      {}", failure.property.sentence());
    let at = failure.at;
    println!("      {}.{:06} s: {}\n", at / 1_000_000, at % 1_000_000, failure.what);
    let mut story = String::new();
    let lines = if options.is_traced { usize::MAX } else { STORY_LINES };
    report::end_of(&run.trace, lines, &mut story);
    print!("{story}");
    if let Some(drift) = drift {
        println!("\n      but     {drift}");
    }
    Exit::Failed
}

/// What is said of a run of a log that holds. What passes because it is another run has shown
/// nothing.
fn held(drift: Option<&Drift>, events: u64) -> Result<String, String> {
    match drift {
        None => Ok(format!("it holds: {events} events, as they were chosen")),
        Some(ended @ Drift::Ended { .. }) => Ok(format!("{ended}, and holds: {events} events")),
        Some(drift) => Err(drift.to_string()),
    }
}

/// Whether a file is a trace, by its first letter.
pub(super) fn is_trace(path: &Path) -> bool {
    let mut first = [0; 1];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut first));
    read.is_ok() && first == *b"{"
}

/// A choice log, and what it is of.
pub(super) fn read(path: &Path) -> Result<(Box<dyn Subject>, ChoiceLog), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let log = ChoiceLog::parse(&text)?;
    let app = log.world("app").ok_or("line 1 names no app")?;
    let name = log.world("profile").ok_or("line 1 names no profile")?;
    let of: Option<Box<dyn Subject>> = match app {
        Builtin::APP => {
            let preset = Preset::ALL.into_iter().find(|preset| preset.name() == name);
            preset.map(|preset| subject(preset, &log)).transpose()?
        }
        Scene::APP => Scene::named(name).map(|scene| Box::new(scene) as _),
        app => return Err(format!("it is of {app:?}, which only its own test can run")),
    };
    let of = of.ok_or_else(|| format!("line 1: there is no profile {name:?}"))?;
    Ok((of, log))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_goes_on_where_its_log_ends_has_held() {
        let told = |drift: Option<Drift>| held(drift.as_ref(), 7);
        assert_eq!(told(None).unwrap(), "it holds: 7 events, as they were chosen");
        let ended = told(Some(Drift::Ended { at: 12_000_345 })).unwrap();
        assert_eq!(ended, "the log ends at 12.000345 s; the run went on, and holds: 7 events");
        let why = told(Some(Drift::Unknown("a#0".into()))).unwrap_err();
        assert_eq!(why, "the choices no longer fit: nothing draws from a#0");
    }

    #[test]
    fn a_log_that_was_cut_off_ends_and_one_with_another_bound_does_not_fit() {
        let run = |choices| crate::world::run(Preset::Calm, choices, false);
        let log = run(Choices::recorded(1).until(5_000_000)).choices.log();
        let drift = run(Choices::replayed(log.clone())).choices.drift();
        let Some(Drift::Ended { at }) = drift else { panic!("{drift:?}") };
        assert!((4_000_000..7_000_000).contains(&at), "{at}");
        let text = log.to_string().replacen("think: ", "think: 0/3 ", 1);
        let other = ChoiceLog::parse(&text).unwrap();
        let drift = run(Choices::replayed(other)).choices.drift();
        assert!(matches!(drift, Some(Drift::Other { found: Some(3), .. })), "{drift:?}");
    }

    #[test]
    fn what_cannot_be_run_is_told_in_a_line() {
        let path = std::env::temp_dir().join(format!("parlor-choices-{}", std::process::id()));
        let why = |text: &str| {
            fs::write(&path, text).expect("the directory is there to be written to");
            read(&path).map(|_| ()).unwrap_err()
        };
        assert_eq!(why("nothing"), "line 1 is not the head of a choice log");
        assert_eq!(why("parlor-choices 2 seed 1"), "line 1 names no app");
        let other = "parlor-choices 2 app chat profile mobile seed 1";
        assert_eq!(why(other), "it is of \"chat\", which only its own test can run");
        for app in ["workload", "scene"] {
            let other = format!("parlor-choices 2 app {app} profile x-9 seed 1");
            assert_eq!(why(&other), "line 1: there is no profile \"x-9\"");
        }
        let other = "parlor-choices 2 app workload profile calm comparison X0 seed 1";
        assert_eq!(why(other), "line 1: there is no comparison \"X0\"");
        let other = "parlor-choices 2 app workload profile calm seed 1\na#0: 3/2";
        assert_eq!(why(other), "line 2 has no choices");
        fs::remove_file(&path).expect("it was written");
        assert!(read(&path).is_err());
    }
}
