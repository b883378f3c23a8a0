//! `understudy cluster …`: identities, on this machine's disk.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde_json::json;

use super::args::ClusterCommand;
use super::failure::{Failure, Outcome};
use super::{out, time};
use crate::cluster::{self, BUNDLE_LIFE, Shown};
use understudy_protocol::HostName;

/// Runs one of the commands.
pub(super) fn cluster(command: ClusterCommand) -> Outcome {
    match command {
        ClusterCommand::Init { host, force, identity } => {
            let shown = cluster::init(&identity.identity, &host, force).map_err(Failure::failed)?;
            out::text(&format!("{}\n{}", describe(&shown), how_to_join(&identity.identity)))
        }
        ClusterCommand::Invite { host, out, identity } => {
            let bundle = cluster::invite(&identity.identity, &host).map_err(Failure::failed)?;
            deliver(&host, &bundle, out.as_deref())
        }
        ClusterCommand::Join { from, force, identity } => {
            let bundle = read_bundle(&from)?;
            let shown = cluster::join(&identity.identity, &bundle, force).map_err(Failure::failed)?;
            let next = "Delete the bundle now, here and where it was made: it holds this host's key.";
            out::text(&format!("{}\n{next}\n", describe(&shown)))
        }
        ClusterCommand::Show { json, identity } => {
            let shown = cluster::show(&identity.identity).map_err(Failure::failed)?;
            if json {
                out::json(&as_json(&shown))
            } else {
                out::text(&describe(&shown))
            }
        }
    }
}

fn describe(shown: &Shown) -> String {
    let role = if shown.can_invite {
        "this host can invite others"
    } else {
        "joined"
    };
    format!(
        "host         {} ({role})\n\
         directory    {}\n\
         cluster      {}  (must be equal on all hosts)\n\
         \x20            until {}\n\
         certificate  {}\n\
         \x20            until {}\n",
        shown.host,
        shown.directory.display(),
        shown.authority,
        time::day(shown.authority_expires),
        shown.certificate,
        time::day(shown.certificate_expires),
    )
}

fn as_json(shown: &Shown) -> serde_json::Value {
    json!({
        "host": shown.host.as_str(),
        "directory": shown.directory,
        "cluster": shown.authority,
        "cluster_expires": time::day(shown.authority_expires),
        "certificate": shown.certificate,
        "certificate_expires": time::day(shown.certificate_expires),
        "can_invite": shown.can_invite,
    })
}

fn how_to_join(directory: &Path) -> String {
    let elsewhere = if directory == Path::new(crate::config::IDENTITY) {
        String::new()
    } else {
        format!(" --identity {}", directory.display())
    };
    format!(
        "To let another host join, here:\n  \
         understudy cluster invite --host beta --out beta.bundle{elsewhere}\n  \
         scp beta.bundle beta: && rm beta.bundle\n\
         and on beta:\n  \
         understudy cluster join --from beta.bundle\n"
    )
}

fn deliver(host: &HostName, bundle: &str, to: Option<&Path>) -> Outcome {
    let Some(path) = to else { return out::text(bundle) };
    let failed = |error| Failure::failed(format!("{}: {error}", path.display()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    file.write_all(bundle.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)?;
    out::text(&format!(
        "{} is {host}'s identity: a secret, good for {}.\nCarry it to {host} (scp), and there:\n  \
         understudy cluster join --from {}\n",
        path.display(),
        time::length(u64::try_from(BUNDLE_LIFE.as_millis()).unwrap_or(u64::MAX)),
        path.file_name().map_or_else(
            || path.display().to_string(),
            |name| name.to_string_lossy().into_owned()
        ),
    ))
}

fn read_bundle(from: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = if from == Path::new("-") {
        std::io::stdin().take(BUNDLE_LIMIT).read_to_string(&mut text)
    } else {
        fs::File::open(from).and_then(|file| file.take(BUNDLE_LIMIT).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::failed(format!("{}: {error}", from.display())))?;
    Ok(text)
}

/// A bundle has less than 4 KiB; whatever is longer is something else.
const BUNDLE_LIMIT: u64 = 64 * 1024;
