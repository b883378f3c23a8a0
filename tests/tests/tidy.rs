//! What a newcomer relies on, checked: the crates' edges, a word at the top of each file, no drawer modules, no file
//! too long to read, and that the commands in the documents exist.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Longer than this, a file is two files.
const MAX_LINES: usize = 500;

/// Crate → the workspace's crates that it may name. A crate that is not here is not allowed to exist.
const EDGES: [(&str, &[&str]); 10] = [
    ("understudy-protocol", &[]),
    ("understudy-wire", &["understudy-protocol"]),
    ("understudy-runtime", &["understudy-protocol"]),
    ("understudy-store", &["understudy-protocol"]),
    ("understudy-address", &["understudy-protocol"]),
    ("understudy-api", &["understudy-protocol"]),
    (
        "understudy",
        &[
            "understudy-protocol",
            "understudy-wire",
            "understudy-runtime",
            "understudy-store",
            "understudy-address",
            "understudy-api",
        ],
    ),
    // The proof sees the machine and nothing else of the product.
    ("understudy-model", &["understudy-protocol"]),
    // The fuzzer attacks what decodes, and is built again with instruments: nothing that takes long to build.
    (
        "understudy-fuzz",
        &["understudy-protocol", "understudy-wire", "understudy-store"],
    ),
    // The tests see the daemon as an operator does, the types of what they attack, and measure addresses by themselves.
    (
        "understudy-tests",
        &["understudy-protocol", "understudy-runtime", "understudy-address"],
    ),
];

/// Beginning of a dependency's name → the only crates that may name it.
const QUARANTINE: [(&str, &[&str]); 10] = [
    ("wasmtime", &["understudy-runtime"]),
    // The fuzzer damages rows by hand.
    ("sqlx", &["understudy-store", "understudy-fuzz"]),
    ("libsqlite3", &["understudy-store"]),
    ("axum", &["understudy-api"]),
    ("utoipa", &["understudy-api"]),
    ("rtnetlink", &["understudy-address"]),
    ("netlink-packet-route", &["understudy-address"]),
    // The runtime lists a service's sockets for its plugins; addresses are not its business.
    (
        "netlink-packet-sock-diag",
        &["understudy-address", "understudy-runtime"],
    ),
    ("stateright", &["understudy-model"]),
    ("etcd", &["understudy-witness"]),
];

/// Crates of decisions and words alone: each with its folder, all that it may depend on, and why.
const PURE: [(&str, &str, &[&str], &str); 2] = [
    (
        "understudy-protocol",
        "host/protocol/src/",
        &["thiserror"],
        "the protocol is std and thiserror: no clock, no I/O, no runtime, no serialization",
    ),
    (
        "understudy-wire",
        "host/wire/src/",
        &[
            "base64",
            "bytes",
            "serde",
            "serde_json",
            "thiserror",
            "understudy-protocol",
        ],
        "the wire is bytes in, words out: whatever it depends on is built again for the fuzzer",
    ),
];

/// What reaches out of a crate.
const IMPURE: [&str; 7] = [
    "std::net",
    "std::fs",
    "std::thread",
    "std::env",
    "SystemTime",
    "Instant::now",
    "std::process",
];

/// Names that say nothing about what is inside.
const DRAWERS: [&str; 9] = [
    "util", "utils", "common", "helper", "helpers", "manager", "misc", "shared", "types",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The packages of a workspace, as cargo sees them.
fn packages(manifest: &str) -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(root().join(manifest))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(value: &Value) -> String {
    value["name"].as_str().unwrap().to_owned()
}

/// The names of all dependencies; with `shipped`, only those that end up in the product.
fn dependencies(package: &Value, shipped: bool) -> Vec<Value> {
    let all = package["dependencies"].as_array().unwrap().iter();
    all.filter(|d| !shipped || d["kind"].as_str() != Some("dev"))
        .cloned()
        .collect()
}

/// Folders in which nobody writes by hand.
const NOT_WRITTEN: [&str; 6] = ["target", "node_modules", ".git", ".demo", "dist", "ui-dist"];

/// All files of the project that somebody wrote, with this ending.
fn sources(ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            let (path, name) = (entry.path(), entry.file_name());
            match entry.file_type().unwrap().is_dir() {
                true if NOT_WRITTEN.iter().any(|skipped| name == *skipped) => {}
                true => folders.push(path),
                false if path.to_str().is_some_and(|p| p.ends_with(ending)) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[track_caller]
fn none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn crates_name_only_the_crates_they_may() {
    let allowed: BTreeMap<_, _> = EDGES.into_iter().collect();
    let packages = packages("Cargo.toml");
    let ours: BTreeSet<String> = packages.iter().map(name).collect();
    let mut wrong = Vec::new();
    for package in &packages {
        let package_name = name(package);
        let Some(may) = allowed.get(package_name.as_str()) else {
            wrong.push(format!(
                "{package_name} has no place in the layout (see EDGES here, and the layout in ARCHITECTURE.md)"
            ));
            continue;
        };
        let named = dependencies(package, true)
            .iter()
            .map(name)
            .filter(|d| ours.contains(d))
            .collect::<Vec<_>>();
        wrong.extend(
            named
                .iter()
                .filter(|d| !may.contains(&d.as_str()))
                .map(|d| format!("{package_name} names {d}")),
        );
    }
    none("edges between crates that the layout forbids", wrong);
}

#[test]
fn the_pure_crates_are_pure() {
    let packages = packages("Cargo.toml");
    for (crate_name, folder, may, why) in PURE {
        let package = packages.iter().find(|p| name(p) == crate_name).unwrap();
        let named: Vec<String> = dependencies(package, true).iter().map(name).collect();
        assert_eq!(named, may, "{crate_name}: {why}");
        let is_tests = |file: &PathBuf| short(file).starts_with(&format!("{folder}tests"));
        for file in sources(".rs")
            .into_iter()
            .filter(|f| short(f).starts_with(folder) && !is_tests(f))
        {
            let text = fs::read_to_string(&file).unwrap();
            let code: Vec<&str> = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            for word in IMPURE {
                assert!(
                    !code.iter().any(|line| line.contains(word)),
                    "{} uses {word}: {crate_name} is pure",
                    short(&file)
                );
            }
        }
    }
}

#[test]
fn heavy_dependencies_stay_in_their_crates() {
    let mut wrong = Vec::new();
    for package in packages("Cargo.toml") {
        for dependency in dependencies(&package, true).iter().map(name) {
            let rule = QUARANTINE
                .iter()
                .find(|(beginning, _)| dependency.starts_with(beginning));
            if let Some((_, may)) = rule.filter(|(_, may)| !may.contains(&name(&package).as_str())) {
                wrong.push(format!(
                    "{} names {dependency}, which only {} may",
                    name(&package),
                    may.join(" and ")
                ));
            }
        }
    }
    none("heavy dependencies outside their crate", wrong);
}

#[test]
fn plugins_know_nothing_of_the_host() {
    let plugins = root().join("plugins");
    let mut wrong = Vec::new();
    for package in packages("plugins/Cargo.toml") {
        for dependency in dependencies(&package, false) {
            let path = dependency["path"].as_str().map(PathBuf::from);
            if path.is_some_and(|p| !p.starts_with(&plugins))
                || EDGES.iter().any(|(host, _)| *host == name(&dependency))
            {
                wrong.push(format!("{} names {}", name(&package), name(&dependency)));
            }
        }
    }
    none("plugins know ../wit and their SDK", wrong);
}

#[test]
fn packages_say_what_they_are() {
    let mut wrong = Vec::new();
    for package in packages("Cargo.toml").iter().chain(&packages("plugins/Cargo.toml")) {
        if package["license"].as_str() != Some("Apache-2.0") {
            wrong.push(format!(
                "{}: license is {}, not Apache-2.0",
                name(package),
                package["license"]
            ));
        }
        if package["description"].as_str().is_none_or(|d| d.trim().is_empty()) {
            wrong.push(format!("{}: no description", name(package)));
        }
        if package["publish"]
            .as_array()
            .is_none_or(|registries| !registries.is_empty())
        {
            wrong.push(format!("{}: publish is not false", name(package)));
        }
    }
    let page: Value = serde_json::from_str(&fs::read_to_string(root().join("web/package.json")).unwrap()).unwrap();
    assert_eq!(page["license"], "Apache-2.0");
    none("packages without a word about themselves", wrong);
}

#[test]
fn every_module_opens_with_what_it_is_for() {
    let opens = |file: &PathBuf| fs::read_to_string(file).unwrap().trim_start().starts_with("//!");
    let wrong = sources(".rs")
        .into_iter()
        .filter(|f| !is_example(f) && !opens(f))
        .map(|f| short(&f))
        .collect();
    none("modules that don't open with //!", wrong);
}

#[test]
fn no_module_is_a_drawer() {
    let drawer = |file: &PathBuf| {
        let module = file.file_stem().unwrap().to_str().unwrap();
        let folder = file
            .parent()
            .and_then(Path::file_name)
            .and_then(|f| f.to_str())
            .unwrap_or_default();
        DRAWERS.contains(&module) || DRAWERS.contains(&folder)
    };
    none(
        "modules named after nothing",
        sources(".rs").into_iter().filter(drawer).map(|f| short(&f)).collect(),
    );
}

#[test]
fn no_file_is_too_long() {
    let length = |file: &Path| fs::read_to_string(file).unwrap().lines().count();
    let written = [".rs", ".ts", ".svelte"]
        .into_iter()
        .flat_map(sources)
        .map(|f| (length(&f), f));
    let wrong = written
        .filter(|(lines, _)| *lines > MAX_LINES)
        .map(|(lines, f)| format!("{}: {lines} lines", short(&f)));
    none(&format!("files of more than {MAX_LINES} lines"), wrong.collect());
}

#[test]
fn nothing_is_left_undone_in_the_code() {
    // Written apart, so that this file does not name them.
    let words = [
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
    ];
    let mut wrong = Vec::new();
    for file in sources(".rs") {
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().enumerate();
        let left = lines.filter(|(_, line)| words.iter().any(|word| line.contains(word)));
        wrong.extend(left.map(|(number, line)| format!("{}:{}: {}", short(&file), number + 1, line.trim())));
    }
    none("left undone", wrong);
}

#[test]
fn the_documents_commands_exist() {
    let makefile = fs::read_to_string(root().join("Makefile")).unwrap();
    let targets: BTreeSet<&str> = makefile
        .lines()
        .filter(|l| !l.starts_with(['\t', '#', '.', ' ']))
        .filter_map(|l| l.split_once(':'))
        .map(|(t, _)| t.trim())
        .collect();
    let mut wrong = Vec::new();
    for document in sources(".md") {
        let text = fs::read_to_string(&document).unwrap();
        for (before, after) in text
            .match_indices("make ")
            .map(|(at, _)| (&text[..at], &text[at + 5..]))
        {
            // Only commands: in code, or at the beginning of a line of a code block.
            let is_command = before.ends_with('`') || before.ends_with("=1 ") || before.ends_with("    ");
            let target: String = after
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '-')
                .collect();
            if is_command && !target.is_empty() && !targets.contains(target.as_str()) {
                wrong.push(format!("{}: make {target}", short(&document)));
            }
        }
    }
    none("commands in documents that the Makefile does not have", wrong);
}

#[test]
fn scripts_stop_at_the_first_error() {
    for script in [
        ".ci/run",
        "tests/need",
        "tests/run",
        "tests/fresh",
        "tests/fuzz/run",
        "plugins/build",
        "web/build",
    ] {
        let text = fs::read_to_string(root().join(script)).unwrap_or_else(|e| panic!("{script}: {e}"));
        assert!(
            text.starts_with("#!/usr/bin/env bash\n"),
            "{script} must say that it is for bash"
        );
        assert!(
            text.contains("set -euo pipefail") || text.contains("set -uo pipefail"),
            "{script} goes on after errors"
        );
    }
}

/// Examples of plugins in other languages bring their own code generators' files.
fn is_example(file: &Path) -> bool {
    short(file).starts_with("plugins/examples/")
}

#[test]
fn the_readme_shows_the_machine_that_runs() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let block = format!("```mermaid\n{}```", understudy_protocol::diagram());
    assert!(
        readme.contains(&block),
        "print the README's diagram anew: `understudy fsm`"
    );
}
