//! One mutant: its file, and what it makes of the core.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

/// Where they are, seen from the root of the workspace.
const FOLDER: &str = "sim/mutants";

/// An edit of the core that breaks one promise.
#[derive(Clone, Debug)]
pub struct Mutant {
    /// Its number: those of the protocol's promises are designed, `H` has been a bug of somebody,
    /// `N` breaks a sentence of the core's contract.
    pub id: String,
    /// The name of its file, without the ending.
    pub name: String,
    /// What is broken, a sentence.
    pub title: String,
    /// Which properties should find it; one does.
    pub properties: Vec<String>,
    /// Where the world has seen it, for those that were bugs.
    pub cites: Option<String>,
    edits: Vec<Edit>,
}

#[derive(Clone, Debug)]
struct Edit {
    /// Seen from the root of the workspace.
    file: String,
    /// Occurs exactly once in it.
    find: String,
    replace: String,
}

impl Mutant {
    /// All of a workspace, by their numbers.
    ///
    /// # Errors
    ///
    /// If they cannot be read, or one is not written as it must be; the message says which.
    pub fn load_all(workspace: &Path) -> Result<Vec<Self>, String> {
        let folder = workspace.join(FOLDER);
        let broken = |error| format!("{}: {error}", folder.display());
        let mut mutants = Vec::new();
        for entry in fs::read_dir(&folder).map_err(broken)? {
            let path = entry.map_err(broken)?.path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                mutants.push(Self::load(&path)?);
            }
        }
        mutants.sort_by_key(Self::order);
        let twin = mutants.windows(2).find(|pair| pair[0].id == pair[1].id);
        match twin {
            Some(pair) => Err(format!("{} and {} have one id", pair[0].name, pair[1].name)),
            None => Ok(mutants),
        }
    }

    fn load(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(path).map_err(|error| format!("{shown}: {error}"))?;
        let table: Table = text.parse().map_err(|error| format!("{shown}: {error}"))?;
        Self::read(name, table).map_err(|why| format!("{shown}: {why}"))
    }

    fn read(name: String, mut table: Table) -> Result<Self, String> {
        let id = text(&mut table, "id")?;
        let title = text(&mut table, "title")?;
        let properties = match table.remove("property") {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(list)) if !list.is_empty() => list
                .into_iter()
                .map(|value| Ok(value.as_str().ok_or("`property` is a text, or some")?.to_string()))
                .collect::<Result<_, &str>>()?,
            _ => return Err("`property` is a text, or some".into()),
        };
        let cites = table.contains_key("cites").then(|| text(&mut table, "cites")).transpose()?;
        let file = text(&mut table, "file")?;
        let also = match table.remove("also") {
            None => Vec::new(),
            Some(Value::Array(list)) => list,
            Some(_) => return Err("`also` is a list of edits: `[[also]]`".into()),
        };
        let mut edits = vec![Edit::read(file, &mut table)?];
        nothing_else(&table)?;
        for edit in also {
            let Value::Table(mut table) = edit else {
                return Err("`also` is a list of edits: `[[also]]`".into());
            };
            let file = match table.contains_key("file") {
                true => text(&mut table, "file")?,
                false => edits[0].file.clone(),
            };
            edits.push(Edit::read(file, &mut table)?);
            nothing_else(&table)?;
        }
        Ok(Self { id, name, title, properties, cites, edits })
    }

    /// Whether somebody who writes this means it.
    pub fn is_called(&self, name: &str) -> bool {
        self.id.eq_ignore_ascii_case(name) || self.name == name
    }

    /// The designed ones first, each kind by its numbers.
    fn order(&self) -> (Option<char>, u32) {
        let kind = self.id.chars().next().filter(|first| first.is_alphabetic());
        let number = self.id.trim_start_matches(char::is_alphabetic).parse();
        (kind, number.unwrap_or(u32::MAX))
    }

    /// The files that it edits, as they are then.
    ///
    /// # Errors
    ///
    /// If it does not fit the tree: a file is missing, or what it looks for is not in it exactly
    /// once.
    pub fn apply(&self, tree: &Path) -> Result<BTreeMap<PathBuf, String>, String> {
        let mut files = BTreeMap::new();
        for Edit { file, find, replace } in &self.edits {
            let path = tree.join(file);
            let original = fs::read_to_string(&path)
                .map_err(|error| format!("{} does not apply: {file}: {error}", self.name))?;
            let times = original.matches(find).count();
            if times != 1 {
                let first = find.trim().lines().next().unwrap_or_default();
                return Err(format!(
                    "{} does not apply: {file} has {times} times, not once: {first} ..",
                    self.name
                ));
            }
            let edited = files.entry(path).or_insert(original);
            *edited = edited.replacen(find, replace, 1);
        }
        Ok(files)
    }
}

impl Edit {
    fn read(file: String, table: &mut Table) -> Result<Self, String> {
        let find = text(table, "find")?;
        let replace = text(table, "replace")?;
        if find.is_empty() || find == replace {
            return Err("an edit finds something, and makes something else of it".into());
        }
        Ok(Self { file, find, replace })
    }
}

fn text(table: &mut Table, key: &str) -> Result<String, String> {
    match table.remove(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("`{key}` is a text")),
        None => Err(format!("`{key}` is missing")),
    }
}

fn nothing_else(table: &Table) -> Result<(), String> {
    match table.keys().next() {
        Some(key) => Err(format!("`{key}` is nothing that a mutant says")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Mutant, String> {
        Mutant::read("01-name".into(), text.parse().expect("it is TOML"))
    }

    const GOOD: &str = "id = '1'\ntitle = 't'\nproperty = 'V1'\nfile = 'f'\nfind = 'a'\n";

    #[test]
    fn a_mutant_says_everything_and_nothing_else() {
        let good = read(&format!("{GOOD}replace = 'b'\n[[also]]\nfind = 'c'\nreplace = ''"));
        let good = good.expect("it says everything");
        assert_eq!((good.edits.len(), &*good.edits[1].file), (2, "f"));
        assert!(good.is_called("1") && good.is_called("01-name") && !good.is_called("01"));
        for (bad, why) in [
            (GOOD.to_string(), "`replace` is missing"),
            (format!("{GOOD}replace = 1"), "`replace` is a text"),
            (format!("{GOOD}replace = 'b'\nseeds = 1"), "`seeds` is nothing that a mutant says"),
            (format!("{GOOD}replace = 'a'"), "makes something else"),
            (format!("{GOOD}replace = 'b'\nalso = 1"), "a list of edits"),
            (GOOD.replace("'V1'", "[]"), "`property` is a text, or some"),
        ] {
            let told = read(&bad).expect_err(&bad);
            assert!(told.contains(why), "{told}");
        }
    }

    #[test]
    fn the_designed_come_first_and_each_kind_is_counted() {
        let named = |id: &str| {
            read(&GOOD.replace("'1'", &format!("'{id}'")).replace("find", "replace = 'b'\nfind"))
        };
        let mut all: Vec<_> = ["N10", "2", "H1", "N9", "13"].map(|id| named(id).unwrap()).into();
        all.sort_by_key(Mutant::order);
        let ids: Vec<_> = all.iter().map(|mutant| &*mutant.id).collect();
        assert_eq!(ids, ["2", "13", "H1", "N9", "N10"]);
    }
}
