//! Every kept input, through the check of its target, without a fuzzer: what once broke something stays mended, and
//! the seeds are what they are said to be. And the target programs, the checks and the folders have the same names.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use understudy_fuzz::TARGETS;

fn place(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(place(folder)).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn every_kept_input_holds() {
    for (target, check) in TARGETS {
        let mut inputs = 0;
        for folder in ["seeds", "found"] {
            let Ok(entries) = fs::read_dir(place(folder).join(target)) else {
                continue;
            };
            for entry in entries {
                let path = entry.unwrap().path();
                println!("{}", path.display());
                check(&fs::read(&path).unwrap());
                inputs += 1;
            }
        }
        assert!(inputs > 0, "{target} has no inputs in seeds/{target}");
    }
}

#[test]
fn nothing_is_a_target_by_name_only() {
    let checks: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let programs = names("targets")
        .into_iter()
        .map(|file| file.trim_end_matches(".rs").replace('_', "-"));
    assert_eq!(programs.collect::<BTreeSet<_>>(), checks, "targets/ and TARGETS");
    assert_eq!(names("seeds"), checks, "seeds/ and TARGETS");
    assert!(names("found").is_subset(&checks), "found/ and TARGETS");
    let manifest = fs::read_to_string(place("Cargo.toml")).unwrap();
    for name in &checks {
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} has no program in Cargo.toml"
        );
    }
}
