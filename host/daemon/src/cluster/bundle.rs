//! What one host carries to another to let it join: one text file, readable before it is believed.
//!
//! Invariant: a bundle holds a private key. It is as secret as the key itself, and says so in its first lines.

use std::time::{Duration, SystemTime};

use understudy_protocol::HostName;

use super::ClusterError;
use super::authority::Issued;

/// A bundle's content.
pub(super) struct Bundle {
    pub(super) host: HostName,
    pub(super) use_before: SystemTime,
    pub(super) authority_pem: String,
    pub(super) issued: Issued,
}

impl Bundle {
    pub(super) fn to_text(&self) -> String {
        let use_before = self
            .use_before
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        format!(
            "{FIRST_LINE}\n\
             # SECRET: whoever has this file can be the host {host}. Carry it over a safe way (scp), install it there with\n\
             #   understudy cluster join --from THIS-FILE\n\
             # and then delete it on both hosts.\n\
             host: {host}\n\
             use-before-unix: {use_before}\n\
             {}{}{}",
            self.authority_pem,
            self.issued.certificate_pem,
            self.issued.key_pem,
            host = self.host,
        )
    }

    pub(super) fn parse(text: &str) -> Result<Self, ClusterError> {
        let bad = |problem| ClusterError::NotABundle { problem };
        if text.lines().next().map(str::trim) != Some(FIRST_LINE) {
            return Err(bad("its first line is another"));
        }
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let host = field("host:")
            .and_then(|name| HostName::new(name).ok())
            .ok_or(bad("it names no host"))?;
        let use_before = field("use-before-unix:").and_then(|seconds| seconds.parse().ok());
        let use_before = SystemTime::UNIX_EPOCH
            .checked_add(Duration::from_secs(
                use_before.ok_or(bad("it does not say until when it can be used"))?,
            ))
            .ok_or(bad("its date is out of range"))?;
        let mut blocks = pem_blocks(text).into_iter();
        match (blocks.next(), blocks.next(), blocks.next(), blocks.next()) {
            (Some(authority_pem), Some(certificate_pem), Some(key_pem), None) => Ok(Bundle {
                host,
                use_before,
                authority_pem,
                issued: Issued {
                    certificate_pem,
                    key_pem,
                },
            }),
            _ => Err(bad("it must hold two certificates and a key; was it cut?")),
        }
    }
}

fn pem_blocks(text: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        if line.starts_with("-----BEGIN ") {
            block = Some(String::new());
        }
        if let Some(open) = block.as_mut() {
            open.push_str(line);
            open.push('\n');
        }
        if line.starts_with("-----END ") {
            blocks.extend(block.take());
        }
    }
    blocks
}

const FIRST_LINE: &str = "# understudy cluster bundle 1";
