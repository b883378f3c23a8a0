//! The command line: parses it and hands over to the one function that does it.
//!
//! Invariants: what a program may want to read goes to standard output and nothing else does; every failure is one
//! message on standard error and one code of `exit.rs`; orders and questions go over REST, never around the daemon.

mod address;
mod args;
mod client;
mod cluster;
mod examples;
mod failure;
mod history;
mod local;
mod orders;
mod out;
mod pauses;
mod proof;
mod rehearsal;
mod requests;
mod status;
mod table;
mod time;
mod wait;

use std::process::ExitCode;

use clap::Parser;

use crate::exit::Exit;
use args::{Cli, Command, ConfigCommand};
use failure::{Failure, Outcome};

/// The whole program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match dispatch(cli.command) {
        Ok(()) => Exit::Ok.into(),
        Err(failure) => {
            eprintln!("{}", failure.message.trim_end());
            failure.exit.into()
        }
    }
}

fn dispatch(command: Command) -> Outcome {
    match command {
        Command::Run { file } => local::run(&file),
        Command::Config {
            command: ConfigCommand::Check { text_only, file },
        } => local::check(&file, text_only),
        Command::Fsm { table } => local::fsm(table),
        Command::Address { command } => asked(address::address(command)),
        Command::Cluster { command } => cluster::cluster(command),
        Command::Status { service, daemon } => asked(status::status(&daemon, service.as_ref())),
        Command::Takeover {
            service,
            to,
            reason,
            dry_run: true,
            force,
            waiting,
            daemon,
        } => asked(rehearsal::takeover(&daemon, &service, to, reason, &force, &waiting)),
        Command::Takeover {
            service,
            to,
            reason,
            force,
            waiting,
            daemon,
            ..
        } => asked(orders::takeover(&daemon, &service, to, reason, force, &waiting)),
        Command::Giveback {
            service,
            dry_run: true,
            override_vetoes,
            waiting,
            daemon,
            ..
        } => asked(rehearsal::giveback(&daemon, &service, override_vetoes, &waiting)),
        Command::Giveback {
            service,
            reason,
            override_vetoes,
            waiting,
            daemon,
            ..
        } => asked(orders::giveback(&daemon, &service, reason, override_vetoes, &waiting)),
        Command::Cure {
            service,
            reason,
            daemon,
        } => asked(orders::cure(&daemon, &service, reason)),
        Command::Cancel {
            service,
            reason,
            daemon,
        } => asked(orders::cancel(&daemon, &service, reason)),
        Command::Bootstrap {
            service,
            reason,
            waiting,
            daemon,
        } => asked(orders::bootstrap(&daemon, &service, reason, &waiting)),
        Command::Pause {
            what,
            reason,
            lasts,
            daemon,
        } => asked(pauses::pause(&daemon, what, reason, lasts)),
        Command::Unpause { what, reason, daemon } => asked(pauses::unpause(&daemon, what, reason)),
        Command::Requests {
            round,
            service,
            state,
            outcome,
            daemon,
        } => {
            let wanted = requests::Wanted {
                round,
                service,
                state,
                outcome,
            };
            asked(requests::requests(&daemon, wanted))
        }
        Command::Bundle {
            takeover,
            service,
            daemon,
        } => asked(proof::bundle(&daemon, takeover, service)),
        Command::Verify {
            file,
            ca,
            json,
            identity,
        } => proof::verify(&file, ca.as_deref(), &identity, json),
        Command::History {
            service,
            round,
            host,
            lines,
            follow,
            daemon,
        } => {
            let wanted = history::Wanted {
                service,
                round,
                host,
                lines,
            };
            asked(history::history(&daemon, &wanted, follow))
        }
    }
}

/// One thread is enough to ask.
fn asked(question: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failure::failed)?.block_on(question)
}
