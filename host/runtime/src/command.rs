//! Commands that the operator declared: a program, its arguments with places for parameters, and what each
//! parameter may look like. Pure: running them is `imports/commands.rs`.
//!
//! Invariant: there is no shell, a parameter fills places inside declared arguments and can never add an
//! argument, become an option (begin with `-`) or leave its pattern.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// A command as the operator declared it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandSpec {
    /// The program (an absolute path) and its arguments; `{name}` is the place of a parameter, `{{` a brace.
    pub argv: Vec<String>,
    /// What each parameter may be.
    pub parameters: BTreeMap<String, Pattern>,
    /// How long it may run before its whole process group is killed.
    pub timeout: Duration,
    /// Its environment, beside a plain `PATH` and `LANG`.
    pub env: BTreeMap<String, String>,
    /// Where it runs; none: `/`.
    pub cwd: Option<PathBuf>,
    /// Whether it changes anything: then it is refused to calls that only look and to calls of an old term.
    pub changes: bool,
}

/// What a parameter may look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// Letters, digits and `_ . @ : -`.
    Word,
    /// Decimal digits, with a sign or without.
    Number,
    /// An absolute path without `..`.
    Path,
    /// `host:port` or `[address]:port`.
    HostPort,
}

/// Why a declaration is no good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCommand {
    /// There is no program.
    #[error("argv is empty: write the program's absolute path first")]
    NoProgram,
    /// The program would be searched for.
    #[error("{program:?} is not an absolute path: write where the program is, for example /usr/bin/{program}")]
    NotAbsolute {
        /// What was written.
        program: String,
    },
    /// A place without a declared parameter.
    #[error("argv names {{{name}}}, but no parameter of that name is declared: add {name} = \"word\" to parameters")]
    UndeclaredPlace {
        /// The place's name.
        name: String,
    },
    /// A parameter without a place.
    #[error("parameter {name:?} has no place in argv: add {{{name}}} or remove the parameter")]
    UnusedParameter {
        /// The parameter's name.
        name: String,
    },
    /// A brace that is not closed.
    #[error("{argument:?} has a brace that is not closed: write {{name}}, or {{{{ for a brace")]
    OpenBrace {
        /// The argument.
        argument: String,
    },
}

/// Why parameters do not fit a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadParameter {
    /// The command has no such parameter.
    #[error("the command has no parameter {0:?}")]
    Unknown(String),
    /// A place stays empty.
    #[error("parameter {0:?} is missing")]
    Missing(String),
    /// The value leaves its pattern.
    #[error("parameter {name:?} must be {expected}")]
    Mismatch {
        /// The parameter.
        name: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl CommandSpec {
    /// Whether the declaration is good.
    ///
    /// # Errors
    /// Says what is wrong and what to write instead.
    pub fn check(&self) -> Result<(), BadCommand> {
        let program = self.argv.first().ok_or(BadCommand::NoProgram)?;
        if !program.starts_with('/') || program.contains('{') {
            return Err(BadCommand::NotAbsolute {
                program: program.clone(),
            });
        }
        let mut used = BTreeSet::new();
        for argument in &self.argv {
            for piece in pieces(argument).ok_or_else(|| BadCommand::OpenBrace {
                argument: argument.clone(),
            })? {
                if let Piece::Place(name) = piece {
                    used.insert(name);
                }
            }
        }
        if let Some(name) = used.iter().find(|name| !self.parameters.contains_key(**name)) {
            return Err(BadCommand::UndeclaredPlace {
                name: (*name).to_owned(),
            });
        }
        match self.parameters.keys().find(|name| !used.contains(name.as_str())) {
            Some(name) => Err(BadCommand::UnusedParameter { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// The arguments with these parameters in their places.
    pub(crate) fn fill(&self, values: &[(String, String)]) -> Result<Vec<String>, BadParameter> {
        let mut given = BTreeMap::new();
        for (name, value) in values {
            let pattern = self
                .parameters
                .get(name)
                .ok_or_else(|| BadParameter::Unknown(name.clone()))?;
            if !pattern.matches(value) {
                return Err(BadParameter::Mismatch {
                    name: name.clone(),
                    expected: pattern.wording(),
                });
            }
            given.insert(name.as_str(), value.as_str());
        }
        self.argv.iter().map(|argument| fill_one(argument, &given)).collect()
    }
}

fn fill_one(argument: &str, given: &BTreeMap<&str, &str>) -> Result<String, BadParameter> {
    let mut filled = String::with_capacity(argument.len());
    for piece in pieces(argument).unwrap_or_default() {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Place(name) => {
                filled.push_str(given.get(name).ok_or_else(|| BadParameter::Missing(name.to_owned()))?);
            }
        }
    }
    Ok(filled)
}

enum Piece<'a> {
    Text(&'a str),
    Place(&'a str),
}

/// The argument cut at its places; none where a brace is not closed.
fn pieces(argument: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut rest = argument;
    while let Some(at) = rest.find('{') {
        let (text, braced) = rest.split_at(at);
        pieces.push(Piece::Text(text));
        if let Some(after) = braced.strip_prefix("{{") {
            pieces.push(Piece::Text("{"));
            rest = after;
        } else {
            let (name, after) = braced[1..].split_once('}')?;
            pieces.push(Piece::Place(name));
            rest = after;
        }
    }
    pieces.push(Piece::Text(rest));
    Some(pieces)
}

impl Pattern {
    fn matches(self, value: &str) -> bool {
        if value.is_empty() || value.len() > LONGEST_PARAMETER || value.starts_with('-') && self != Pattern::Number {
            return false;
        }
        match self {
            Pattern::Word => is_word(value),
            Pattern::Number => value.parse::<i64>().is_ok(),
            Pattern::Path => {
                value.starts_with('/')
                    && !value.split('/').any(|part| part == "..")
                    && !value.contains(char::is_control)
            }
            Pattern::HostPort => is_host_port(value),
        }
    }

    fn wording(self) -> &'static str {
        match self {
            Pattern::Word => "a word of letters, digits and _ . @ : - that does not begin with -",
            Pattern::Number => "a decimal number",
            Pattern::Path => "an absolute path without ..",
            Pattern::HostPort => "host:port or [address]:port",
        }
    }
}

fn is_word(value: &str) -> bool {
    value
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '@' | ':' | '-'))
}

fn is_host_port(value: &str) -> bool {
    let Some((host, port)) = value.rsplit_once(':') else {
        return false;
    };
    let host_is_good = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty()
                && host
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        }
    };
    host_is_good && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// A path is at most this long.
const LONGEST_PARAMETER: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(argv: &[&str], parameters: &[(&str, Pattern)]) -> CommandSpec {
        CommandSpec {
            argv: argv.iter().map(|&text| text.to_owned()).collect(),
            parameters: parameters
                .iter()
                .map(|&(name, pattern)| (name.to_owned(), pattern))
                .collect(),
            timeout: Duration::from_secs(1),
            env: BTreeMap::new(),
            cwd: None,
            changes: false,
        }
    }

    fn values(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn a_declaration_is_checked() {
        assert_eq!(spec(&[], &[]).check(), Err(BadCommand::NoProgram));
        assert!(matches!(
            spec(&["nginx"], &[]).check(),
            Err(BadCommand::NotAbsolute { .. })
        ));
        assert!(matches!(
            spec(&["/x", "{a}"], &[]).check(),
            Err(BadCommand::UndeclaredPlace { .. })
        ));
        assert!(matches!(
            spec(&["/x"], &[("a", Pattern::Word)]).check(),
            Err(BadCommand::UnusedParameter { .. })
        ));
        assert!(matches!(
            spec(&["/x", "{a"], &[]).check(),
            Err(BadCommand::OpenBrace { .. })
        ));
        assert_eq!(spec(&["/x", "-p={a}", "{{}"], &[("a", Pattern::Word)]).check(), Ok(()));
    }

    #[test]
    fn parameters_fill_places_and_nothing_else() {
        let spec = spec(
            &["/bin/kill", "--signal={signal}", "{{x}"],
            &[("signal", Pattern::Word)],
        );
        assert_eq!(
            spec.fill(&values(&[("signal", "TERM")])).unwrap(),
            ["/bin/kill", "--signal=TERM", "{x}"]
        );
        assert_eq!(spec.fill(&[]), Err(BadParameter::Missing("signal".into())));
        assert_eq!(
            spec.fill(&values(&[("other", "1")])),
            Err(BadParameter::Unknown("other".into()))
        );
        assert!(spec.fill(&values(&[("signal", "a b")])).is_err());
    }

    #[test]
    fn patterns_hold() {
        let cases: &[(Pattern, &[&str], &[&str])] = &[
            (
                Pattern::Word,
                &["a", "a-b", "x@y:1"],
                &["", "-a", "a b", "a;b", "a\n", "$(x)", "ü"],
            ),
            (Pattern::Number, &["1", "-1", "+7"], &["", "1.5", "0x1", "--1", "1 "]),
            (
                Pattern::Path,
                &["/a/b", "/a b", "/a..b"],
                &["", "a", "/a/../b", "/..", "/a\0", "/a\nb"],
            ),
            (
                Pattern::HostPort,
                &["h:1", "1.2.3.4:80", "[::1]:80"],
                &["", ":1", "h:0", "h:70000", "::1:80", "-h:1", "h h:1"],
            ),
        ];
        for (pattern, good, bad) in cases {
            good.iter()
                .for_each(|value| assert!(pattern.matches(value), "{pattern:?} {value:?}"));
            bad.iter()
                .for_each(|value| assert!(!pattern.matches(value), "{pattern:?} {value:?}"));
        }
    }
}
