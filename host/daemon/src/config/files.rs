//! What the configuration names on this machine, and must be there: plugins, identity, secrets, programs, disks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use understudy_address::AddressConfig;

use super::error::Problem;
use super::load::Parts;
use super::plugin::{Endpoint, Plugin};
use super::reader::Notes;
use super::service::Service;
use crate::cluster::Identity;

/// Notes everything that is missing.
pub(super) fn check(parts: &Parts, notes: &Notes) {
    if let Some(token) = &parts.api.token_file {
        private_file(token, "api.token_file", "make it with `openssl rand -hex 32`", notes);
    }
    identity(parts, notes);
    if let Some(host) = &parts.host {
        disks(&host.data_disks, "host.data_disks", notes);
    }
    for (number, service) in parts.services.iter().enumerate() {
        let Some(service) = service else { continue };
        let at = format!("service[{number}]");
        interface(service, &at, notes);
        if let Some(reboot) = &service.reboot {
            program(reboot.argv.first(), &format!("{at}.reboot.argv"), notes);
        }
        for (index, plugin) in service.plugins.iter().enumerate() {
            self::plugin(parts, plugin, &format!("{at}.plugin[{index}]"), notes);
        }
    }
}

fn identity(parts: &Parts, notes: &Notes) {
    let Some(cluster) = &parts.cluster else { return };
    let place = notes.place("cluster.identity");
    match (Identity::load(&cluster.identity), &parts.host) {
        (Err(error), _) => notes.problem(Problem::new(place, error.to_string())),
        (Ok(identity), Some(host)) if identity.host != host.name => {
            let message = format!("the identity in {} is {}'s", cluster.identity.display(), identity.host);
            let mend = format!("set host.name = \"{}\", or join anew as {}", identity.host, host.name);
            notes.problem(
                Problem::new(place, message)
                    .also("host.name", notes.place("host.name"))
                    .mend(mend),
            );
        }
        (Ok(_), _) => {}
    }
}

fn plugin(parts: &Parts, plugin: &Plugin, at: &str, notes: &Notes) {
    disks(&plugin.disks, &format!("{at}.disks"), notes);
    for (name, command) in &plugin.commands {
        program(command.argv.first(), &format!("{at}.commands.{name}.argv"), notes);
        if let Some(cwd) = &command.cwd {
            present(cwd, &format!("{at}.commands.{name}.cwd"), notes);
        }
    }
    for (name, file) in &plugin.secrets {
        private_file(
            file,
            &format!("{at}.secrets.{name}.file"),
            "write the secret into it",
            notes,
        );
    }
    for (name, endpoint) in &plugin.endpoints {
        let Endpoint::Tls { ca_file, client, .. } = endpoint else {
            continue;
        };
        let at = format!("{at}.endpoints.{name}");
        ca_file
            .iter()
            .for_each(|file| present(file, &format!("{at}.ca_file"), notes));
        if let Some((certificate, key)) = client {
            present(certificate, &format!("{at}.cert_file"), notes);
            private_file(key, &format!("{at}.key_file"), "write the key into it", notes);
        }
    }
    // Without [host] nobody knows where relative components are, and that is an error already.
    if let Some(host) = &parts.host {
        component(&plugin.path_in(&host.plugin_dir), plugin.digest.as_deref(), at, notes);
    }
}

fn component(path: &Path, pinned: Option<&str>, at: &str, notes: &Notes) {
    let place = notes.place(&format!("{at}.component"));
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let problem = Problem::new(place, format!("the plugin {} can't be read: {error}", path.display()));
            notes.problem(problem.mend("components are looked for in host.plugin_dir, unless they begin with /"));
            return;
        }
    };
    let found: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if let Some(pinned) = pinned.filter(|pinned| *pinned != found) {
        let message = format!(
            "{} is not the pinned component: it is sha256:{found}, not sha256:{pinned}",
            path.display()
        );
        let problem = Problem::new(notes.place(&format!("{at}.digest")), message);
        notes.problem(problem.mend("if you changed it yourself, write the new digest here"));
    }
}

fn interface(service: &Service, at: &str, notes: &Notes) {
    let AddressConfig::Vip(vip) = &service.address else {
        return;
    };
    if !Path::new("/sys/class/net").join(&vip.interface).exists() {
        let place = notes.place(&format!("{at}.address.interface"));
        let problem = Problem::new(place, format!("this machine has no interface {}", vip.interface));
        notes.problem(problem.mend("see `ip link` for the interfaces there are"));
    }
}

fn disks(paths: &[PathBuf], at: &str, notes: &Notes) {
    for (index, path) in paths.iter().enumerate() {
        present(path, &format!("{at}[{index}]"), notes);
    }
}

fn present(path: &Path, at: &str, notes: &Notes) {
    if let Err(error) = fs::metadata(path) {
        notes.problem(Problem::new(notes.place(at), format!("{}: {error}", path.display())));
    }
}

fn program(path: Option<&String>, at: &str, notes: &Notes) {
    let Some(path) = path else { return };
    let runs = fs::metadata(path).map(|file| file.is_file() && file.permissions().mode() & 0o111 != 0);
    let message = match runs {
        Ok(true) => return,
        Ok(false) => format!("{path} is no program that can be run"),
        Err(error) => format!("{path}: {error}"),
    };
    notes.problem(Problem::new(notes.place(at), message).mend("write the program's absolute path (see `command -v`)"));
}

fn private_file(path: &Path, at: &str, how: &str, notes: &Notes) {
    let place = notes.place(at);
    match fs::metadata(path) {
        Err(error) => {
            let problem = Problem::new(place, format!("{}: {error}", path.display()));
            notes.problem(problem.mend(format!("{how}, then chmod 600")));
        }
        Ok(file) if file.permissions().mode() & 0o007 != 0 => {
            let problem = Problem::new(place, format!("{} can be read by everybody", path.display()));
            notes.problem(problem.mend(format!("chmod 600 {}", path.display())));
        }
        Ok(_) => {}
    }
}
