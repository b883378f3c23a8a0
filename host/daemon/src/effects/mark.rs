//! The mark that this daemon's server serves: a file with the machine's boot id, there from the taking of the address
//! until it is dropped. It tells a restarted daemon that the server it finds serving is its own, from this boot of the
//! machine, and not one that somebody started by hand.
//!
//! Invariant: a mark that can't be written or read means that it is not there; the host then hears the others first.

use std::path::{Path, PathBuf};

use understudy_protocol::ServiceName;

/// Where a service's mark lies, and what it says in this boot.
#[derive(Debug, Clone)]
pub(crate) struct ServingMark {
    file: PathBuf,
    machine_boot_id: String,
}

impl ServingMark {
    pub(crate) fn new(state_dir: &Path, service: &ServiceName, machine_boot_id: &str) -> Self {
        ServingMark {
            file: state_dir.join(format!("serving.{service}")),
            machine_boot_id: machine_boot_id.to_owned(),
        }
    }

    /// Whether the mark was set in this boot of the machine.
    pub(crate) fn is_set(&self) -> bool {
        std::fs::read_to_string(&self.file).is_ok_and(|text| text.trim() == self.machine_boot_id)
    }

    pub(super) fn set(&self) {
        if let Err(error) = std::fs::write(&self.file, &self.machine_boot_id) {
            tracing::warn!(file = %self.file.display(), %error, "can't be written: a restart will hear the others first");
        }
    }

    pub(super) fn remove(&self) -> Result<(), String> {
        match std::fs::remove_file(&self.file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("{} can't be removed: {error}", self.file.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_counts_only_in_its_own_boot() {
        let folder = std::env::temp_dir().join(format!("understudy-mark-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let service = ServiceName::new("web").unwrap();
        let mark = ServingMark::new(&folder, &service, "one");
        assert!(!mark.is_set());
        mark.set();
        assert!(mark.is_set());
        assert!(!ServingMark::new(&folder, &service, "two").is_set());
        mark.remove().unwrap();
        mark.remove().unwrap();
        assert!(!mark.is_set());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
