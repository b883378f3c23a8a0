//! The identity's files: private from the moment they exist, and replaced whole or not at all.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::ClusterError;

/// The authority's certificate.
pub(super) const AUTHORITY: &str = "ca.pem";
/// The authority's key: on the founding host only.
pub(super) const AUTHORITY_KEY: &str = "ca-key.pem";
/// This host's certificate.
pub(super) const CERTIFICATE: &str = "cert.pem";
/// This host's key.
pub(super) const KEY: &str = "key.pem";

/// Fails on the first of these files that exists, unless forced.
pub(super) fn refuse_to_overwrite(directory: &Path, names: &[&str], force: bool) -> Result<(), ClusterError> {
    match names.iter().find(|name| exists(directory, name)) {
        Some(name) if !force => Err(ClusterError::Exists {
            path: directory.join(name),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Whether the file is there.
pub(super) fn exists(directory: &Path, name: &str) -> bool {
    directory.join(name).symlink_metadata().is_ok()
}

/// Makes the directory, if need be, and makes it private.
pub(super) fn private_directory(directory: &Path) -> Result<(), ClusterError> {
    let file = |source| ClusterError::File {
        path: directory.into(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(file)?;
    fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(file)
}

/// Writes a private file; a reader sees the old one or the new one.
pub(super) fn write(directory: &Path, name: &str, text: &str) -> Result<(), ClusterError> {
    let (path, draft) = (directory.join(name), directory.join(format!(".{name}.new")));
    let written = remove_if_there(&draft).and_then(|()| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, &path)?;
        fs::File::open(directory)?.sync_all()
    });
    written.map_err(|source| ClusterError::File { path, source })
}

/// Removes a file, if it is there.
pub(super) fn remove(directory: &Path, name: &str) -> Result<(), ClusterError> {
    let path = directory.join(name);
    remove_if_there(&path).map_err(|source| ClusterError::File { path, source })
}

/// Reads a file of the identity.
pub(super) fn read(path: PathBuf) -> Result<String, ClusterError> {
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ClusterError::Missing { path }),
        Err(source) => Err(ClusterError::File { path, source }),
    }
}

/// Reads a file that nobody else may be able to read.
pub(super) fn read_private(path: PathBuf) -> Result<String, ClusterError> {
    if let Ok(metadata) = fs::metadata(&path) {
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(ClusterError::Exposed { path, mode });
        }
    }
    read(path)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}
