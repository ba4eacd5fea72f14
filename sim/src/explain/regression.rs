//! The test that is written for a failure: it runs the choices that led to it, and says if they no
//! longer fit.

use std::fmt::Write as _;

use crate::oracle::Failure;

/// What the choices are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// The built-in workload, in worlds of this preset.
    Workload(&'a str),
    /// A user's program and scenario, as Rust names them.
    Check(&'a str, &'a str),
}

/// The text of a test file that stands beside `bug.choices`.
pub(crate) fn regression(kind: Kind<'_>, failure: &Failure, seed: u64) -> String {
    let property = failure.property;
    let mut out = String::new();
    let _ =
        writeln!(out, "//! Found by simulation, seed {seed}, and made as small as it could be.");
    let _ = writeln!(out, "//! {property}: {}", property.sentence());
    for line in failure.what.lines() {
        let _ = writeln!(out, "//! {line}");
    }
    let name = format!("{property}_of_seed_{seed}").to_lowercase();
    let body = match kind {
        Kind::Workload(preset) => format!(
            "    parlor_sim::repeat(parlor_sim::Preset::{preset}, include_str!(\"bug.choices\"));\n"
        ),
        Kind::Check(program, scenario) => format!(
            "    parlor_sim::check_choices(include_str!(\"bug.choices\"), {}, {});\n",
            named(program),
            named(scenario)
        ),
    };
    let _ = write!(out, "\n#[test]\nfn {name}() {{\n{body}}}\n");
    out
}

/// A function by its path in its crate. One without a name is to be filled in, and does not compile
/// until it is.
fn named(path: &str) -> String {
    match path.split_once("::") {
        Some((_, inside)) if !path.contains(['{', '<']) => format!("crate::{inside}"),
        _ => "/* here stands the function that the check had */".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::Property;

    #[test]
    fn it_names_what_failed_and_the_choices_beside_it() {
        let failure = Failure { property: Property::O1, at: 1, what: "one\ntwo".into() };
        let text = regression(Kind::Workload("Swarm"), &failure, 7);
        assert!(text.contains("//! O1: What a socket receives"), "{text}");
        assert!(text.contains("\n//! one\n//! two\n"), "{text}");
        assert!(text.contains("fn o1_of_seed_7() {\n    parlor_sim::repeat("), "{text}");
        let check = regression(Kind::Check("chat::demo::chat", "chat::promises"), &failure, 7);
        let call = "(include_str!(\"bug.choices\"), crate::demo::chat, crate::promises);";
        assert!(check.contains(call), "{check}");
        let closure = regression(Kind::Check("a::{{closure}}", "a::b"), &failure, 7);
        assert!(closure.contains("/* here"), "{closure}");
    }
}
