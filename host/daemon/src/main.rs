//! The command `understudy`.

use std::process::ExitCode;

fn main() -> ExitCode {
    understudy_daemon::cli::main()
}
