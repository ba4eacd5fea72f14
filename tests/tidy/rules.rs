//! The rules, each over one file's text.

const FILE_LINES_MAX: usize = 800;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_COLUMNS_MAX: usize = 100;

/// Code that belongs on nobody's main branch.
const UNFINISHED: &[&str] =
    &["todo!(", "unimplemented!(", "dbg!(", "allow(dead_code)", "expect(dead_code)", "#[ignore"];
/// The same for words in comments, which may otherwise speak of anything.
const PROMISES: &[&str] = &["TODO", "FIXME", "XXX"];
/// What a core that is pure cannot name.
const IMPURE: &[&str] = &["unsafe", "getrandom", "SystemTime", "RandomState", "println"];
/// A layer, and what it knows nothing of.
const LAYERS: &[(&str, &[&str])] = &[
    ("src/http/", &["engineio", "socketio", "namespace", "sid", "packet"]),
    ("src/ws/", &["engineio", "socketio", "namespace", "sid", "packet"]),
    ("src/engineio/", &["socketio", "namespace", "room"]),
    ("src/socketio/", &["http", "httparse", "ws", "opcode"]),
    ("src/app/", &["http", "httparse", "ws", "opcode"]),
];
/// Where one machine keeps things.
const MACHINE_PATHS: &[&str] = &["/work/", "/tmp/", "/root/", "/home/"];
/// Where lock files may point to, if anywhere.
const REGISTRIES: &[&str] = &["github.com", "registry.npmjs.org"];

/// What is wrong with a file, a line each, as `path:line: why`.
pub(crate) fn check(path: &str, text: &str) -> Vec<String> {
    let mut faults = Faults { path, found: Vec::new() };
    match path.rsplit_once('.').map_or(path, |(_, extension)| extension) {
        "rs" => check_rust(&mut faults, text),
        "md" => check_words(&mut faults, text, MACHINE_PATHS, "a path of one machine"),
        "lock" => check_lock(&mut faults, text),
        "json" if path.ends_with("package-lock.json") => check_lock(&mut faults, text),
        _ => {}
    }
    faults.found
}

struct Faults<'a> {
    path: &'a str,
    found: Vec<String>,
}

impl Faults<'_> {
    fn add(&mut self, line: usize, why: &str) {
        self.found.push(format!("{}:{}: {why}", self.path, line + 1));
    }
}

fn check_rust(faults: &mut Faults<'_>, text: &str) {
    let path = faults.path;
    let product = product(path, text);
    if product.len() > FILE_LINES_MAX {
        faults.add(FILE_LINES_MAX, &format!("over {FILE_LINES_MAX} lines before its tests"));
    }
    for (at, line) in text.lines().enumerate() {
        // Rows of tables cannot be wrapped.
        let is_row = line.trim_start().starts_with("//! |");
        if line.chars().count() > LINE_COLUMNS_MAX && !is_row {
            faults.add(at, &format!("over {LINE_COLUMNS_MAX} columns"));
        }
    }
    // The lists above break the rules that they are of.
    if path != "tests/tidy/rules.rs" {
        check_unfinished(faults, text);
        check_words(faults, text, MACHINE_PATHS, "a path of one machine");
    }
    check_functions(faults, text);
    check_module_doc(faults, text);
    check_reasons(faults, &product);
    if path.starts_with("src/") {
        check_names(faults, &product, IMPURE, "the core is pure");
        check_std(faults, &product);
    }
    for (layer, unknown) in LAYERS {
        if path.starts_with(layer) {
            check_names(faults, &product, unknown, "a layer above or below");
        }
    }
}

/// The lines before the tests, which end a file or are one.
fn product<'a>(path: &str, text: &'a str) -> Vec<&'a str> {
    if path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs") {
        return Vec::new();
    }
    let lines: Vec<_> = text.lines().collect();
    let tests = |pair: &[&str]| pair[0] == "#[cfg(test)]" && pair[1].ends_with("mod tests {");
    let end = lines.windows(2).position(tests).unwrap_or(lines.len());
    lines[..end].to_vec()
}

fn check_words(faults: &mut Faults<'_>, text: &str, words: &[&str], why: &str) {
    for (at, line) in text.lines().enumerate() {
        for word in words.iter().filter(|word| line.contains(**word)) {
            faults.add(at, &format!("{word} is {why}"));
        }
    }
}

fn check_unfinished(faults: &mut Faults<'_>, text: &str) {
    for (at, line) in text.lines().enumerate() {
        let code = without_comment(line);
        let words: Vec<_> = line.split(|c: char| !c.is_alphanumeric()).collect();
        let code = UNFINISHED.iter().filter(|word| code.contains(**word));
        let promises = PROMISES.iter().filter(|word| words.contains(word));
        for word in code.chain(promises) {
            faults.add(at, &format!("{word} is unfinished"));
        }
    }
}

fn check_std(faults: &mut Faults<'_>, lines: &[&str]) {
    for (at, line) in lines.iter().enumerate() {
        let code = without_comment(line);
        if code.match_indices("std::").any(|(start, _)| !code[..start].ends_with(is_of_a_name)) {
            faults.add(at, "names `std`: the core is pure");
        }
    }
}

fn is_of_a_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Names in code, as whole words or parts of `snake_case`; comments may explain.
fn check_names(faults: &mut Faults<'_>, lines: &[&str], names: &[&str], why: &str) {
    for (at, line) in lines.iter().enumerate() {
        let code = without_comment(line);
        let words = code.split(|c: char| !c.is_ascii_alphanumeric());
        for word in words.filter(|word| names.contains(word)) {
            // The attribute that forbids it.
            if !code.contains("forbid(unsafe_code)") {
                faults.add(at, &format!("names `{word}`: {why}"));
            }
        }
    }
}

fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let bytes = line.as_bytes();
    for at in 0..bytes.len() {
        match bytes[at] {
            b'"' if at == 0 || bytes[at - 1] != b'\\' => quoted = !quoted,
            b'/' if !quoted && bytes.get(at + 1) == Some(&b'/') => return &line[..at],
            _ => {}
        }
    }
    line
}

/// rustfmt puts a function's last brace under its first line.
fn check_functions(faults: &mut Faults<'_>, text: &str) {
    let mut open: Option<(usize, &str)> = None;
    for (at, line) in text.lines().enumerate() {
        let code = line.trim_start();
        let indent = &line[..line.len() - code.len()];
        if let Some((start, wanted)) = open
            && indent == wanted
            && (code == "}" || code.ends_with(';'))
        {
            if at - start + 1 > FUNCTION_LINES_MAX {
                faults.add(start, &format!("a function of over {FUNCTION_LINES_MAX} lines"));
            }
            open = None;
        }
        if open.is_none() && is_function(code) && !line.ends_with([';', '}']) {
            open = Some((at, indent));
        }
    }
}

fn is_function(code: &str) -> bool {
    let words = code.split(' ').skip_while(|word| {
        matches!(*word, "pub" | "const" | "async" | "extern" | "\"C\"") || word.starts_with("pub(")
    });
    words.take(1).eq(["fn"])
}

fn check_module_doc(faults: &mut Faults<'_>, text: &str) {
    if !text.lines().any(|line| line.starts_with("//! ")) {
        faults.add(0, "a file begins by saying what it is for");
    }
}

/// `expect` says why it holds, as a clause: in lower case, unless its first word is a name.
fn check_reasons(faults: &mut Faults<'_>, lines: &[&str]) {
    for (at, line) in lines.iter().enumerate() {
        for (start, call) in line.match_indices(".expect(\"") {
            let reason = line[start + call.len()..].split('"').next().expect("split yields a part");
            let mut chars = reason.chars();
            let is_sentence = chars.next().is_some_and(char::is_uppercase)
                && chars.next().is_some_and(char::is_lowercase);
            if !reason.contains(' ') || is_sentence || reason.ends_with('.') {
                faults.add(at, &format!("`expect({reason:?})` gives no reason"));
            }
        }
        if without_comment(line).contains(".unwrap()") {
            faults.add(at, "`unwrap()` gives no reason");
        }
    }
}

fn check_lock(faults: &mut Faults<'_>, text: &str) {
    for (at, line) in text.lines().enumerate() {
        let Some((_, rest)) = line.split_once("://") else { continue };
        let host = rest.split(['/', '"', ':']).next().expect("split yields at least one part");
        // Of npm, where to send money.
        if !REGISTRIES.contains(&host) && !line.trim_start().starts_with("\"url\": ") {
            faults.add(at, &format!("{host} is not a public registry"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    /// A file that breaks one rule, and where.
    #[track_caller]
    fn breaks(path: &str, text: &str, fault: &str) {
        let found = check(path, text);
        assert!(matches!(&found[..], [one] if one.contains(fault)), "{found:#?}");
    }

    #[track_caller]
    fn keeps(path: &str, text: &str) {
        assert_eq!(check(path, text), [""; 0]);
    }

    fn rust(code: &str) -> String {
        format!("//! A file.\n{code}\n")
    }

    fn function(lines: usize) -> String {
        let body = "    work();\n".repeat(lines - 2);
        rust(&format!("pub(crate) fn long() {{\n{body}}}"))
    }

    #[test]
    fn files_are_short_before_their_tests() {
        let lines = |count| rust(&"// line\n".repeat(count));
        keeps("src/a.rs", &lines(798));
        breaks("src/a.rs", &lines(800), "src/a.rs:801: over 800 lines");
        breaks("io/src/a.rs", &format!("#[cfg(test)]\nuse b;\n{}", lines(800)), "over 800 lines");
        keeps("src/a.rs", &rust(&format!("#[cfg(test)]\nmod tests {{\n{}}}", lines(800))));
        keeps("tests/a.rs", &lines(800));
    }

    #[test]
    fn lines_are_short() {
        keeps("src/a.rs", &rust(&format!("// {}", "é".repeat(97))));
        breaks("src/a.rs", &rust(&format!("// {}", "é".repeat(98))), "src/a.rs:2: over 100 col");
        keeps("src/a.rs", &rust(&format!("//! | {} |", "x".repeat(100))));
    }

    #[test]
    fn functions_are_short_in_tests_too() {
        keeps("src/a.rs", &function(70));
        breaks("src/a.rs", &function(71), "src/a.rs:2: a function of over 70 lines");
        breaks("tests/a.rs", &function(71), "over 70 lines");
        let nested = function(71).replace('\n', "\n    ");
        breaks("src/a.rs", &nested, "over 70 lines");
        let two = format!("{}{}", function(60), function(60).replace("//! A file.\n", ""));
        keeps("src/a.rs", &two);
    }

    #[test]
    fn nothing_is_unfinished() {
        for word in super::UNFINISHED {
            breaks("tests/a.rs", &rust(word), "is unfinished");
            keeps("tests/a.rs", &rust(&format!("// {word}")));
        }
        for word in super::PROMISES {
            breaks("src/a.rs", &rust(&format!("work(); // {word}: work harder")), "is unfinished");
            keeps("src/a.rs", &rust(&format!("// \\u{word}X")));
        }
    }

    #[test]
    fn files_say_what_they_are_for() {
        breaks("sim/src/a.rs", "use b;\n", "sim/src/a.rs:1: a file begins");
    }

    #[test]
    fn the_core_is_pure_in_code_that_is_no_test() {
        for code in ["use std::net::TcpStream;", "unsafe { f() }", "getrandom::fill(&mut seed);"] {
            breaks("src/a.rs", &rust(code), "src/a.rs:2: names");
            keeps("io/src/a.rs", &rust(code));
            keeps("src/a.rs", &rust(&format!("// {code}")));
            keeps("src/a.rs", &rust(&format!("#[cfg(test)]\nmod tests {{\n    {code}\n}}")));
            keeps("src/app/tests.rs", &rust(code));
            keeps("src/app/tests/wire.rs", &rust(code));
        }
        keeps("src/lib.rs", &rust("#![forbid(unsafe_code)]\nuse not_std::net;"));
    }

    #[test]
    fn layers_know_only_what_is_below() {
        breaks("src/http/a.rs", &rust("use crate::engineio::A;"), "names `engineio`");
        breaks("src/ws/a.rs", &rust("let sid = 1;"), "names `sid`");
        breaks("src/engineio/a.rs", &rust("fn room_of() {}"), "names `room`");
        breaks("src/socketio/a.rs", &rust("use crate::ws::A;"), "names `ws`");
        keeps("src/socketio/a.rs", &rust("/// Nothing of `http` and ws."));
        keeps("src/engineio/a.rs", &rust("use crate::{http, ws};"));
        breaks("src/ws/a.rs", &rust("let url = \"ws://\"; sid(); // sid"), "names `sid`");
    }

    #[test]
    fn expectations_have_reasons() {
        for reason in ["", "present", "It is there", "it is there."] {
            breaks("io/src/a.rs", &rust(&format!("a.expect(\"{reason}\");")), "gives no reason");
        }
        breaks("src/a.rs", &rust("a.unwrap();"), "gives no reason");
        keeps("src/a.rs", &rust("a.expect(\"it was put there\"); a.unwrap_or(1);"));
        keeps("src/a.rs", &rust("a.expect(\"JSON is text\");"));
        keeps("tests/a.rs", &rust("a.unwrap();"));
    }

    #[test]
    fn lock_files_and_pages_tell_nothing_of_a_machine() {
        let source = |host| format!("source = \"registry+https://{host}/index\"\n");
        keeps("Cargo.lock", &source("github.com"));
        breaks("Cargo.lock", &source("mirror.corp.example"), "mirror.corp.example is not");
        breaks("tests/x/package-lock.json", &source("127.0.0.1:4873"), "127.0.0.1 is not");
        keeps("README.md", "Read `https://socket.io/docs/`.\n");
        for path in super::MACHINE_PATHS {
            breaks("README.md", &format!("See {path}x.\n"), "a path of one machine");
        }
    }
}
