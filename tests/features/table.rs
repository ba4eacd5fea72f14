//! `tests/FEATURES.md` is complete, and the tests that it names exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The names of all tests there are, each behind its file: `src/ws/reader.rs::faults_..`.
fn tests_below(folder: &str, found: &mut BTreeSet<String>) {
    let path = Path::new(ROOT).join(folder);
    for entry in fs::read_dir(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())) {
        let entry = entry.expect("a folder can be read");
        let name = entry.file_name().into_string().expect("names are ASCII");
        let below = format!("{folder}/{name}");
        if entry.path().is_dir() {
            if name != "node_modules" {
                tests_below(&below, found);
            }
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("a source is text");
            let mut lines = text.lines().map(str::trim);
            while let Some(line) = lines.next() {
                if line == "#[test]" {
                    let function = lines.by_ref().find_map(|line| line.strip_prefix("fn "));
                    let function = function.and_then(|rest| rest.split('(').next());
                    found.insert(format!("{below}::{}", function.expect("a test has a name")));
                }
            }
            // The behaviours of interop are named in a macro.
            if let Some((_, list)) = text.split_once("\nsix_ways! {") {
                let list = list.split('}').next().expect("split yields at least one part");
                found.extend(list.split_whitespace().map(|test| format!("{below}::{test}")));
            }
        }
    }
}

fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in ["src", "io/src", "tests"] {
        tests_below(folder, &mut found);
    }
    found
}

/// What stands between backquotes and looks like a test: `file.rs::name`.
fn named(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains(".rs::"))
}

#[test]
fn every_row_is_graded_and_every_test_named_exists() {
    let table = fs::read_to_string(Path::new(ROOT).join("tests/FEATURES.md")).expect("it exists");
    let known = tests();
    let mut next = 1;
    for line in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let Ok(number) = cells[0].parse::<u32>() else { continue };
        assert_eq!((number, cells.len()), (next, 4), "{line}");
        next += 1;
        let (grade, why) = (cells[2], cells[3]);
        let tests: Vec<_> = named(why).collect();
        match grade {
            "yes" => assert!(!tests.is_empty(), "a yes without a test: {line}"),
            "later" | "no" => assert!(!why.is_empty(), "no reason: {line}"),
            _ => panic!("{grade} is no grade: {line}"),
        }
    }
    assert_eq!(next, 151, "150 rows");
    for test in named(&table) {
        assert!(known.contains(test), "there is no test {test}");
    }
}

/// A row's own test bears its number; none is left out of the table.
#[test]
fn every_test_of_a_row_is_in_the_table() {
    let table = fs::read_to_string(Path::new(ROOT).join("tests/FEATURES.md")).expect("it exists");
    let named: BTreeSet<_> = named(&table).collect();
    for test in tests().iter().filter(|test| test.contains("::row_")) {
        assert!(named.contains(&**test), "{test} is not in the table");
    }
}

#[test]
fn every_test_that_the_page_of_differences_names_exists() {
    let page = Path::new(ROOT).join("src/guide/differences.md");
    let page = fs::read_to_string(page).expect("it exists");
    let known = tests();
    let mut count = 0;
    for test in named(&page) {
        assert!(known.contains(test), "there is no test {test}");
        count += 1;
    }
    assert!(count > 30, "each difference has its test");
}
