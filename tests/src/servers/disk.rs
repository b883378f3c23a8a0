//! A small disk that can be full.
//!
//! As root it is a file system of its own (tmpfs); without root it is an ordinary folder that can't be filled, and
//! [`DataDisk::can_fill`] says so.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::process::{is_root, run_to_end};

/// A host's data disk.
#[derive(Debug, Clone)]
pub struct DataDisk {
    path: PathBuf,
    mounted: bool,
}

impl DataDisk {
    /// Makes the disk at `path`, `mebibytes` large. Whoever removes the folder unmounts it first: [`super::sweep`] does.
    pub fn make(path: &Path, mebibytes: u32) -> Result<DataDisk> {
        fs::create_dir_all(path).with_context(|| format!("making {}", path.display()))?;
        let mounted = is_root() && mount(path, mebibytes).is_ok();
        Ok(DataDisk {
            path: path.to_owned(),
            mounted,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a file system of its own.
    pub fn can_fill(&self) -> bool {
        self.mounted
    }

    /// Fills it to the last byte with one file.
    pub fn fill(&self) -> Result<()> {
        if !self.mounted {
            bail!(
                "{} is no file system of its own: filling it would fill the machine's disk",
                self.path.display()
            );
        }
        let path = self.filler();
        let mut file = File::create(&path).with_context(|| format!("making {}", path.display()))?;
        let block = vec![0xa5; 64 * 1024];
        for size in [block.len(), 4096, 1] {
            while file.write_all(&block[..size]).is_ok() {}
        }
        Ok(())
    }

    /// Gives the space back.
    pub fn free(&self) -> Result<()> {
        fs::remove_file(self.filler()).context("removing the file that fills the disk")
    }

    fn filler(&self) -> PathBuf {
        self.path.join("somebody-left-this-here.dat")
    }
}

fn mount(path: &Path, mebibytes: u32) -> Result<()> {
    let words = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        &format!("size={mebibytes}m,mode=755"),
        "understudy-demo",
    ];
    let argv: Vec<String> = words
        .iter()
        .map(|w| (*w).to_owned())
        .chain([path.display().to_string()])
        .collect();
    run_to_end(&argv).map(drop)
}
