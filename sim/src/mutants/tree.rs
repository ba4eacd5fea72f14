//! The copy of the workspace that mutants are built in. The workspace itself is never touched.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the copy is, seen from the root of the workspace.
const PLACE: &str = "target/mutants";
/// What a walk passes over where there is no git to ask.
const IGNORED: &[&str] = &[".git", "node_modules", "target"];
/// Lines of the compiler's that are shown.
const ERROR_LINES: usize = 12;

/// The one copy, with one target directory beside it. Nobody else uses it meanwhile.
pub(super) struct Tree {
    root: PathBuf,
    target: PathBuf,
    _lock: File,
}

/// Files of the copy that are edited; dropping it writes the originals back.
pub(super) struct Edited(BTreeMap<PathBuf, String>);

/// The root of the workspace that this process was started in.
pub(super) fn workspace() -> Result<PathBuf, String> {
    let mut locate = cargo();
    locate.args(["locate-project", "--workspace", "--message-format", "plain"]);
    let manifest = PathBuf::from(output(&mut locate)?.trim_end());
    let root = manifest.parent().ok_or("cargo locates a project that is nowhere")?;
    Ok(root.to_path_buf())
}

impl Tree {
    /// Makes the copy equal to the workspace, whatever the last run has left. Files that are the
    /// same are not written, so that only what changed is built anew.
    pub(super) fn of(workspace: &Path) -> Result<Self, String> {
        let place = workspace.join(PLACE);
        let (root, target) = (place.join("tree"), place.join("target"));
        fs::create_dir_all(&root).map_err(|error| format!("{}: {error}", root.display()))?;
        let lock = File::create(place.join("lock")).map_err(|error| error.to_string())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err("another run uses the copy".into()),
            Err(TryLockError::Error(error)) => return Err(format!("the copy's lock: {error}")),
        }
        let wanted = files(workspace)?;
        for file in &wanted {
            copy(&workspace.join(file), &root.join(file))?;
        }
        let mut found = BTreeSet::new();
        walk(&root, Path::new(""), &mut found)?;
        for stale in found.difference(&wanted) {
            fs::remove_file(root.join(stale)).map_err(|error| error.to_string())?;
        }
        Ok(Self { root, target, _lock: lock })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Writes edited files into the copy.
    pub(super) fn edit(&self, files: &BTreeMap<PathBuf, String>) -> Result<Edited, String> {
        let mut edited = Edited(BTreeMap::new());
        for (path, text) in files {
            let original = fs::read_to_string(path).map_err(|error| error.to_string())?;
            edited.0.insert(path.clone(), original);
            fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        Ok(edited)
    }

    /// Builds the simulator around the core as it is in the copy, and says where it is.
    pub(super) fn build(&self) -> Result<PathBuf, String> {
        self.cargo(&["build", "--profile", "mutant", "-p", "parlor-sim", "--bin", "parlor-sim"])?;
        let name = format!("parlor-sim{}", env::consts::EXE_SUFFIX);
        Ok(self.target.join("mutant").join(name))
    }

    /// Whether the core in the copy compiles.
    pub(super) fn check(&self) -> Result<(), String> {
        self.cargo(&["check", "--profile", "mutant", "-p", "parlor"])
    }

    fn cargo(&self, arguments: &[&str]) -> Result<(), String> {
        let mut command = cargo();
        command.current_dir(&self.root).args(arguments).args(["--quiet", "--locked"]);
        command.arg("--target-dir").arg(&self.target);
        output(&mut command).map(drop)
    }
}

impl Drop for Edited {
    fn drop(&mut self) {
        for (path, text) in &self.0 {
            // The next run makes the copy equal to the workspace, should this fail.
            let _ = fs::write(path, text);
        }
    }
}

/// The cargo that started this process, if one did.
fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn output(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<_> = told.lines().skip_while(|line| !line.starts_with("error")).collect();
    let lines = if lines.is_empty() { told.lines().collect() } else { lines };
    Err(lines[..lines.len().min(ERROR_LINES)].join("\n"))
}

/// The workspace's files, seen from its root: those that git knows or would not ignore.
fn files(workspace: &Path) -> Result<BTreeSet<PathBuf>, String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(workspace);
    git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let mut files = BTreeSet::new();
    match output(&mut git) {
        Ok(list) => {
            let all = list.split_terminator('\0').map(PathBuf::from);
            files.extend(all.filter(|file| workspace.join(file).is_file()));
        }
        Err(_) => walk(workspace, Path::new(""), &mut files)?,
    }
    Ok(files)
}

fn walk(root: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) -> Result<(), String> {
    let broken = |error| format!("{}: {error}", root.join(folder).display());
    for entry in fs::read_dir(root.join(folder)).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        let (name, path) = (entry.file_name(), folder.join(entry.file_name()));
        if entry.path().is_file() {
            files.insert(path);
        } else if !IGNORED.iter().any(|ignored| name == *ignored) {
            walk(root, &path, files)?;
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let broken = |error| format!("{}: {error}", from.display());
    let bytes = fs::read(from).map_err(broken)?;
    if fs::read(to).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(broken)?;
    }
    fs::write(to, bytes).map_err(broken)
}
