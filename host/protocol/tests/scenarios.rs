//! Scenario files: what happens, in words, and the journal it must lead to. `UPDATE_SCENARIOS=1 cargo test` writes
//! the journals anew; the difference is then read like code.
#![allow(clippy::unwrap_used, clippy::panic)]

mod play;
mod world;

#[test]
fn scenarios() {
    let update = std::env::var_os("UPDATE_SCENARIOS").is_some();
    let mut wrong = Vec::new();
    for file in play::files() {
        let text = std::fs::read_to_string(&file).unwrap();
        let (played, _) = play::play(&text);
        if update {
            std::fs::write(&file, played).unwrap();
        } else if played != text {
            wrong.push(format!("{}:\n{played}", file.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "these scenarios went another way:\n{}",
        wrong.join("\n")
    );
}
