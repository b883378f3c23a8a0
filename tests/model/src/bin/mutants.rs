//! Breaks the machine on purpose, in a copy, one way after the other, and sees that each is caught.
//!
//! `make mutants` runs all, `ONLY=` one; `QUICK=1` those that the random walks catch (`by walks`), which is the share of
//! `make test`. A pattern that does not match the code any more, a machine that does not build, and a mutant that
//! survives fail the run. The sound machine goes first: if anybody "catches" that one, being caught means nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

struct Mutant {
    name: String,
    /// Who is said to catch it.
    by: String,
    changes: Vec<Change>,
}

/// These lines of a file become those.
struct Change {
    file: String,
    old: String,
    new: String,
}

/// The copy, and where it is built.
struct Bench {
    copy: PathBuf,
    target: PathBuf,
}

/// What became of one machine.
struct Found {
    scenarios: String,
    walks: Option<String>,
    /// None where it was not asked.
    model: Option<Option<String>>,
}

/// What a copy needs: the machine with its tests, and the model.
const COPIED: [&str; 3] = ["host/protocol", "tests/model", "Cargo.lock"];

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned();
    let asked = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    let mut mutants = read(&root);
    let (all, quick) = (mutants.len(), asked("QUICK").is_some());
    if let Some(only) = asked("ONLY") {
        mutants.retain(|mutant| mutant.name == only);
    }
    if quick {
        mutants.retain(|mutant| mutant.by == "walks");
    }
    assert!(!mutants.is_empty(), "there is no such mutant");
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let target = root.join(target).join("mutants");
    let bench = Bench {
        copy: target.join("copy"),
        target,
    };
    bench.lay(&root);
    println!("{} of {all} mutants\n", mutants.len());
    println!(
        "{:<55} {:>9}  {:<22} {:>5}  model",
        "mutant", "scenarios", "walks", "time"
    );
    let mut failures = Vec::new();
    if asked("ONLY").is_none()
        && let Err(why) = sound(&bench, quick)
    {
        failures.push(format!("the sound machine: {why}"));
    }
    for mutant in &mutants {
        if let Err(why) = is_caught(mutant, &bench) {
            println!("{:<55} FAILED", mutant.name);
            failures.push(format!("{}: {why}", mutant.name));
        }
    }
    println!(
        "\n{} caught, {} failed",
        mutants.len() - failures.len().min(mutants.len()),
        failures.len()
    );
    failures.iter().for_each(|failure| println!("FAILED: {failure}"));
    ExitCode::from(u8::from(!failures.is_empty()))
}

fn read(root: &Path) -> Vec<Mutant> {
    let text = std::fs::read_to_string(root.join("tests/model/mutants.txt")).unwrap();
    let block = |block: &str| {
        let (head, changes) = block
            .split_once("\nin ")
            .unwrap_or_else(|| panic!("{block}: in which file?"));
        let mutant = Mutant {
            name: head.lines().next().unwrap().to_owned(),
            by: starting(head, "by "),
            changes: changes.split("\nin ").map(change).collect(),
        };
        assert!(
            ["walks", "model"].contains(&mutant.by.as_str()),
            "{}: by walks or by model?",
            mutant.name
        );
        assert!(!starting(head, "why ").is_empty(), "{}: why is it wrong?", mutant.name);
        mutant
    };
    text.split("\n== ").skip(1).map(block).collect()
}

fn change(text: &str) -> Change {
    Change {
        file: text.lines().next().unwrap().to_owned(),
        old: starting(text, "-"),
        new: starting(text, "+"),
    }
}

/// The lines that start with this, without it.
fn starting(text: &str, sign: &str) -> String {
    let lines = text.lines().filter_map(|line| line.strip_prefix(sign));
    lines.collect::<Vec<_>>().join("\n")
}

fn sound(bench: &Bench, quick: bool) -> Result<(), String> {
    let begun = Instant::now();
    let mut found = bench.tests()?;
    if !quick {
        found.model = Some(bench.model()?);
    }
    println!("{}", line("(the sound machine)", &found, begun));
    let caught = found.scenarios != "-" || found.walks.is_some() || found.model.flatten().is_some();
    if caught {
        Err("it is caught, too".to_owned())
    } else {
        Ok(())
    }
}

fn is_caught(mutant: &Mutant, bench: &Bench) -> Result<(), String> {
    let begun = Instant::now();
    let mut sound = Vec::new();
    let mut broken = Ok(());
    for change in &mutant.changes {
        let file = bench.copy.join(&change.file);
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        match text.matches(&change.old).count() {
            1 => std::fs::write(&file, text.replace(&change.old, &change.new)).unwrap(),
            times => {
                broken = Err(format!(
                    "its lines are {times} times in {}: bring mutants.txt up to date",
                    change.file
                ))
            }
        }
        sound.push((file, text));
    }
    let found = broken.and_then(|()| match mutant.by.as_str() {
        "walks" => bench.tests(),
        // The walks let it through, and take their time to say so.
        _ => bench.model().map(|model| Found {
            scenarios: String::new(),
            walks: None,
            model: Some(model),
        }),
    });
    for (file, text) in sound.into_iter().rev() {
        std::fs::write(file, text).unwrap();
    }
    let found = found?;
    println!("{}", line(&mutant.name, &found, begun));
    // A scenario compares every word of a journal: that it differs does not yet say that a rule is broken.
    if found.walks.is_some() || found.model.flatten().is_some() {
        Ok(())
    } else {
        Err(format!("it survives the {}", mutant.by))
    }
}

fn line(name: &str, found: &Found, begun: Instant) -> String {
    let mut line = format!("{name:<55} {:>9}", found.scenarios);
    let walks = found.walks.as_deref().unwrap_or("-");
    let model = found.model.as_ref().map_or("", |model| model.as_deref().unwrap_or("-"));
    let _ = write!(line, "  {walks:<22} {:>4}s  {model}", begun.elapsed().as_secs());
    line
}

impl Bench {
    /// A workspace of its own with nothing but the machine and its proof. Its files are new, so that nothing that was
    /// built of an earlier mutant passes for the sound machine.
    fn lay(&self, root: &Path) {
        std::fs::create_dir_all(&self.copy).unwrap();
        for part in COPIED {
            let (from, to) = (root.join(part), self.copy.join(part));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            let _ = if to.is_dir() {
                std::fs::remove_dir_all(&to)
            } else {
                Ok(())
            };
            let copied = Command::new("cp").arg("-r").arg(from).arg(&to).status();
            assert!(copied.unwrap().success(), "{part} can't be copied");
        }
        let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
        let line = |line: &str| match line.starts_with("members = ") {
            true => "members = [\"host/protocol\", \"tests/model\"]".to_owned(),
            false => line.to_owned(),
        };
        let lines: Vec<String> = manifest.lines().map(line).collect();
        std::fs::write(self.copy.join("Cargo.toml"), lines.join("\n")).unwrap();
    }

    /// Scenarios and walks, in a build that takes seconds.
    fn tests(&self) -> Result<Found, String> {
        let told = self.run("dev", "debug", "catch", &[])?;
        let of = |sign: &str| told.lines().find_map(|line| line.strip_prefix(sign)).map(str::to_owned);
        Ok(Found {
            scenarios: of("scenarios ").unwrap_or_else(|| "-".to_owned()),
            walks: of("walks "),
            model: None,
        })
    }

    fn model(&self) -> Result<Option<String>, String> {
        let told = self.run("proof", "proof", "model", &["search"])?;
        Ok(told
            .lines()
            .find_map(|line| line.strip_prefix("model, "))
            .map(str::to_owned))
    }

    fn run(&self, profile: &str, folder: &str, program: &str, arguments: &[&str]) -> Result<String, String> {
        // By name: the toolchain is this workspace's, not the one that a dependency asks for in its own folder.
        let built = Command::new("cargo")
            .args([
                "build",
                "--quiet",
                "--profile",
                profile,
                "-p",
                "understudy-model",
                "--bin",
                program,
            ])
            .current_dir(&self.copy)
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_INCREMENTAL", "0")
            .env("RUSTFLAGS", "-Awarnings")
            .output()
            .unwrap();
        if !built.status.success() {
            return Err(format!("it does not build\n{}", String::from_utf8_lossy(&built.stderr)));
        }
        let program = self.target.join(folder).join(program);
        let output = Command::new(program).args(arguments).output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.code() {
            Some(0 | 1) => Ok(told),
            other => Err(format!("it ended with {other:?}\n{told}")),
        }
    }
}
