//! Which disks can be asked without waiting: those whose numbers the kernel has in memory, by a way that it has in memory.
//!
//! Invariants: nothing here waits for a disk or a server; in doubt the answer is none, and a thread is asked. It must not
//! be decided by the path alone: somebody may mount something else there at any time.

use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatVfs, StatxFlags, fstatfs, fstatvfs, openat2, statx};

/// A mounted file system of a kind that keeps its numbers in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InMemory {
    device: (u32, u32),
    mount: u64,
}

impl InMemory {
    /// What is mounted at the path, if it is of such a kind. May wait for as long as the disk takes.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let disk = open(path, ResolveFlags::empty())?;
        let kind = fstatfs(&disk).ok()?.f_type;
        let is_known = KINDS.iter().any(|(_, magic)| i128::from(kind) == *magic);
        if is_known { Self::of(&disk) } else { None }
    }

    /// Its numbers; none when the way there is not in memory, or when it is no longer what is mounted there.
    pub(super) fn numbers(self, path: &Path) -> Option<StatVfs> {
        let disk = open(path, ResolveFlags::CACHED)?;
        let is_the_same = Self::of(&disk)? == self;
        if is_the_same { fstatvfs(&disk).ok() } else { None }
    }

    fn of(disk: &impl std::os::fd::AsFd) -> Option<Self> {
        // Without the flag a network file system would ask its server.
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        let found = statx(disk, c"", flags, StatxFlags::MNT_ID).ok()?;
        Some(Self {
            device: (found.stx_dev_major, found.stx_dev_minor),
            mount: found.stx_mnt_id,
        })
    }
}

/// For a moment: an open disk can't be unmounted.
fn open(path: &Path, resolve: ResolveFlags) -> Option<std::os::fd::OwnedFd> {
    openat2(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve).ok()
}

/// Local file systems and their numbers in `statfs(2)`. Not: whatever asks a server (NFS, SMB, Ceph), a program (FUSE) or
/// another file system (overlay).
const KINDS: [(&str, i128); 5] = [
    ("ext2, ext3, ext4", 0xef53),
    ("XFS", 0x5846_5342),
    ("btrfs", 0x9123_683e),
    ("F2FS", 0xf2f5_2010),
    ("tmpfs", 0x0102_1994),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_disk_answers_as_statvfs_does_and_a_pseudo_file_system_is_left_to_a_thread() {
        // /dev/shm is a tmpfs wherever there is one; the build's own disk may be an overlay.
        let shm = Path::new("/dev/shm");
        let disk = InMemory::at(shm).expect("/dev/shm must be a tmpfs for this test");
        let numbers = disk.numbers(shm).expect("the way to /dev/shm is in memory");
        assert_eq!(numbers.f_blocks, rustix::fs::statvfs(shm).unwrap().f_blocks);
        assert_eq!(InMemory::at(Path::new("/proc")), None);
        assert_eq!(InMemory::at(Path::new("/does/not/exist")), None);
    }

    #[test]
    fn another_mount_is_not_taken_for_the_one_that_was_there() {
        let disk = InMemory::at(Path::new("/dev/shm")).unwrap();
        assert!(disk.numbers(Path::new("/proc")).is_none());
        assert!(disk.numbers(Path::new("/does/not/exist")).is_none());
    }
}
