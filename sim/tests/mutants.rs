//! Every mutant is there, is written as it must be, and applies to the core as it stands.

use std::collections::BTreeSet;
use std::path::Path;

use parlor_sim::mutants::Mutant;

/// All that the features of this stage can be broken in. The numbers left out wait for recovery,
/// the older generation and the cluster; H4, H7 and H11 are the same edits as others.
const DESIGNED: &[u32] = &[
    1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16, 17, 18, 19, 20, 22, 23, 24, 25, 26, 27, 28, 36,
    37, 38, 39, 40,
];
const HISTORICAL: &[u32] = &[1, 2, 3, 6, 8, 9, 10, 12, 17];
const CONTRACT: std::ops::RangeInclusive<u32> = 1..=35;

/// What a mutant may be expected to die by: the simulator's properties, each group with how many.
const PROPERTIES: &[(&str, u32)] = &[
    ("S", 1),
    ("V", 12),
    ("A", 10),
    ("O", 6),
    ("U", 7),
    ("P", 6),
    ("R", 4),
    ("D", 10),
    ("T", 7),
    ("M", 6),
    ("E", 6),
    ("Z", 4),
    ("X", 14),
];

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the simulator is a member of it")
}

fn mutants() -> Vec<Mutant> {
    Mutant::load_all(workspace()).expect("all are written as they must be")
}

#[test]
fn all_are_there() {
    let designed = DESIGNED.iter().map(u32::to_string);
    let historical = HISTORICAL.iter().map(|number| format!("H{number}"));
    let contract = CONTRACT.map(|number| format!("N{number}"));
    let all: Vec<_> = designed.chain(historical).chain(contract).collect();
    let ids: Vec<_> = mutants().into_iter().map(|mutant| mutant.id).collect();
    assert_eq!(ids, all, "in this order");
    assert_eq!(all.len(), 74);
}

#[test]
fn each_applies_and_is_named_after_its_number() {
    for mutant in mutants() {
        let Mutant { id, name, title, .. } = &mutant;
        let (kind, number) = id.split_at(usize::from(id.starts_with(char::is_alphabetic)));
        let number: u32 = number.parse().expect("an id ends in a number");
        let start = format!("{}{number:02}-", kind.to_lowercase());
        assert!(name.starts_with(&start), "{name} is mutant {id}");
        assert!(title.ends_with('.') && title.len() > 20, "{name}: {title:?} is no sentence");
        let edited = mutant.apply(workspace()).unwrap_or_else(|why| panic!("{why}"));
        for path in edited.keys() {
            let is_core = path.starts_with(workspace().join("src"));
            assert!(is_core, "{name} edits {}, which is not the core", path.display());
        }
    }
}

#[test]
fn each_is_expected_to_die_by_a_property() {
    let known: BTreeSet<_> = PROPERTIES
        .iter()
        .flat_map(|&(group, count)| (0..=count).map(move |number| format!("{group}{number}")))
        .collect();
    for mutant in mutants() {
        for property in &mutant.properties {
            assert!(known.contains(property), "{}: there is no {property}", mutant.name);
        }
    }
}

#[test]
fn those_that_were_bugs_say_whose() {
    for mutant in mutants().into_iter().filter(|mutant| mutant.id.starts_with('H')) {
        let cites = mutant.cites.unwrap_or_else(|| panic!("{} cites nothing", mutant.name));
        for issue in cites.split(", ") {
            let (repository, number) = issue.split_once('#').expect("owner/name#number");
            assert_eq!(repository.split('/').count(), 2, "{issue}");
            assert!(number.parse::<u32>().is_ok(), "{issue}");
        }
    }
}

/// A mutant that no longer fits the core must be seen, and say where.
#[test]
fn one_that_does_not_apply_says_why() {
    let mutant = &mutants()[0];
    let tree = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let why = mutant.apply(tree).expect_err("there is no core in it");
    assert!(why.contains(&mutant.name) && why.contains("does not apply"), "{why}");
}
