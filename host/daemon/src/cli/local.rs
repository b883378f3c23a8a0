//! What needs no daemon: running one, checking the configuration, printing the protocol's table.

use tracing_subscriber::EnvFilter;
use understudy_address::{Address, AddressConfig, AddressError};

use super::args::ConfigFile;
use super::failure::{Failure, Outcome};
use super::out;
use crate::components;
use crate::config::{Config, ConfigErrors};
use crate::exit::Exit;
use crate::run;

/// Runs the daemon until it is told to stop.
pub(super) fn run(file: &ConfigFile) -> Outcome {
    let config = Config::load(&file.config).map_err(|errors| wrong(&errors))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let colours = std::env::var_os("NO_COLOR").is_none() && std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    // The whole chain of causes: the first says what, the last why.
    runtime
        .block_on(run::run(config, &file.config))
        .map_err(|error| Failure::failed(format!("{error:#}")))
}

/// Finds every error of the configuration.
pub(super) fn check(file: &ConfigFile, text_only: bool) -> Outcome {
    let config = if text_only {
        Config::load_text(&file.config)
    } else {
        Config::load(&file.config)
    };
    let config = config.map_err(|errors| wrong(&errors))?;
    if !text_only {
        addresses(&config)?;
        components(&config)?;
    }
    let services: Vec<&str> = config.services.iter().map(|service| service.name.as_str()).collect();
    out::line(&format!(
        "{}: good. Host {}, {} peer(s), {} service(s){}{}",
        file.config.display(),
        config.host.name,
        config.cluster.peers.len(),
        services.len(),
        if services.is_empty() { "" } else { ": " },
        services.join(", "),
    ))
}

/// Asks the kernel whether addresses could move here. What only this command's user may not do is a note: the daemon
/// has rights of its own.
fn addresses(config: &Config) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::failed)?;
    for service in &config.services {
        let AddressConfig::Vip(_) = &service.address else {
            continue;
        };
        let made = Address::new(service.address.clone(), service.name.clone(), config.host.name.clone());
        match runtime.block_on(made) {
            Ok(_) => {}
            Err(error @ AddressError::Privilege { .. }) => out::line(&format!(
                "note: service {}: {error}. Where the daemon can't have it, use mode = \"proxy\"",
                service.name
            ))?,
            Err(error) => {
                let message = format!("service {}: its address can't be used: {error}", service.name);
                return Err(Failure::new(Exit::Config, message));
            }
        }
    }
    Ok(())
}

/// What only the plugins themselves can say.
fn components(config: &Config) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let found = runtime
        .block_on(components::check(config))
        .map_err(|error| Failure::failed(format!("{error:#}")))?;
    for note in &found.notes {
        out::line(&format!("note: {}", out::plain(note)))?;
    }
    if found.errors.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Config, found.errors.join("\n")))
}

/// Prints the transition table.
pub(super) fn fsm(table: bool) -> Outcome {
    out::text(&if table {
        understudy_protocol::table_text()
    } else {
        understudy_protocol::diagram()
    })
}

fn wrong(errors: &ConfigErrors) -> Failure {
    Failure::new(Exit::Config, errors.to_string())
}
