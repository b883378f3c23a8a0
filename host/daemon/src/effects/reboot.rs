//! The operator's reboot command, of the server or of the machine.

use std::process::Stdio;
use std::time::Duration;

/// What to run, without a shell.
#[derive(Debug, Clone)]
pub(crate) struct RebootCommand {
    pub(crate) argv: Vec<String>,
    pub(crate) timeout: Duration,
}

impl RebootCommand {
    /// Runs it to its end. A command that reboots the machine does not come back from here.
    pub(super) async fn run(&self) -> Result<(), String> {
        let (program, arguments) = self.argv.split_first().ok_or("[service.reboot] argv is empty")?;
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let ended = tokio::time::timeout(self.timeout, command.output()).await;
        let output = ended
            .map_err(|_| format!("{program} did not end within {:?}", self.timeout))?
            .map_err(|error| format!("{program} can't be run: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("{program} ended with {}: {}", output.status, said.trim()))
    }
}
