//! The released copies of the interface are frozen.

use std::path::Path;
use std::process::Command;

#[test]
fn no_released_copy_has_changed() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../check-released");
    let output = Command::new(script).output().expect("plugins/check-released runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stdout)
    );
}
