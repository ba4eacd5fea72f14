//! The simulator's TCP and the kernel's are the same thing to a program: each script is run over
//! both, and what its steps come to is compared.
//!
//! Where kernels or networks may differ, a step has several legal outcomes. What the virtual
//! network shows on any of its links must be legal; what the kernel shows must be legal, and be
//! among what the virtual network shows: so it neither invents nor leaves out.

mod loopback;
mod script;
mod scripts;
mod simulated;

use std::collections::BTreeSet;

use loopback::Loopback;
use script::{Outcomes, Script};
use scripts::SCRIPTS;
use simulated::Simulated;

/// Links whose shapes are drawn.
const LINKS: u64 = 300;
/// Kernels have moods: buffers are tuned, and threads are late.
const KERNEL_RUNS: usize = 4;

/// What all links together show.
fn simulated(script: &Script) -> BTreeSet<Outcomes> {
    let run = |seed| script.run(&mut Simulated::new(seed), &format!("over virtual link {seed}"));
    (0..LINKS).map(run).collect()
}

#[test]
fn the_kernel_shows_what_the_simulator_shows() {
    for (name, text) in SCRIPTS {
        let script = Script::parse(name, text);
        let possible = simulated(&script);
        for run in 0..KERNEL_RUNS {
            let outcomes = script.run(&mut Loopback::new(run % 2 == 1), "over loopback");
            assert!(
                possible.contains(&outcomes),
                "{name}: over loopback it came to {outcomes:?}, over virtual links to {possible:#?}"
            );
        }
        for (step, place) in script.steps.iter().zip(0..) {
            for legal in &step.legal {
                let is_shown = possible.iter().any(|outcomes| outcomes[place] == *legal);
                assert!(is_shown, "{name}: {:?} never comes to {legal:?}", step.text);
            }
        }
    }
}
