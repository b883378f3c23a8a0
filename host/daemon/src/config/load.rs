//! From files to a [`Config`]: read, decode, check what must fit together, check what must be there.

use std::path::{Path, PathBuf};
use std::{fs, io};

use toml::Spanned;
use toml::de::DeTable;
use understudy_store::Retention;

use super::error::Problem;
use super::host::{self, Api, Cluster, Host};
use super::reader::{Notes, Table};
use super::service::{self, Service};
use super::source::{Place, Source};
use super::{Config, ConfigErrors, check, files, retention};

/// What could be read, for the checks: a part that could not be is none, and its errors are noted.
pub(super) struct Parts {
    pub(super) host: Option<Host>,
    pub(super) api: Api,
    pub(super) cluster: Option<Cluster>,
    pub(super) retention: Retention,
    /// By their numbers in paths: `service[0]` is the first.
    pub(super) services: Vec<Option<Service>>,
}

impl Config {
    /// Reads the file and `conf.d/*.toml` beside it, and checks everything, also what must be there on this machine:
    /// plugins, identity, token, disks.
    ///
    /// # Errors
    /// All that is wrong, at once.
    pub fn load(path: &Path) -> Result<Config, ConfigErrors> {
        Self::from_sources(read_all(path)?, Depth::Machine)
    }

    /// As [`Config::load`], without a look at the machine: for a configuration of another one.
    ///
    /// # Errors
    /// All that is wrong with the text.
    pub fn load_text(path: &Path) -> Result<Config, ConfigErrors> {
        Self::from_sources(read_all(path)?, Depth::Text)
    }

    pub(super) fn from_sources(sources: Vec<Source>, depth: Depth) -> Result<Config, ConfigErrors> {
        let notes = Notes::default();
        let parts = {
            let trees = parse(&sources, &notes);
            // A tree with holes would only bring errors that nobody made; but a misspelt section may be the very reason.
            if notes.any() {
                trees
                    .iter()
                    .enumerate()
                    .for_each(|(file, tree)| misspelt_sections(tree, file, &notes));
                None
            } else {
                Some(decode(&trees, &notes))
            }
        };
        if let Some(parts) = &parts {
            check::check(parts, &notes);
            match depth {
                Depth::Machine => files::check(parts, &notes),
                Depth::Text => {}
            }
        }
        match parts.filter(|_| !notes.any()).and_then(Parts::whole) {
            Some(config) => Ok(config),
            None => Err(ConfigErrors::new(sources, notes.take())),
        }
    }
}

/// How much is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// The text alone.
    Text,
    /// Also what it names on this machine.
    Machine,
}

impl Parts {
    fn whole(self) -> Option<Config> {
        let services = self.services.into_iter().collect::<Option<Vec<_>>>()?;
        Some(Config {
            host: self.host?,
            api: self.api,
            cluster: self.cluster?,
            retention: self.retention,
            services,
        })
    }
}

/// Where the API is, for programs that only want to ask it: other errors of the file don't matter to them.
pub fn api_of(path: &Path) -> Option<Api> {
    let sources = [Source::new(path, &fs::read_to_string(path).ok()?)];
    let notes = Notes::default();
    let trees = parse(&sources, &notes);
    let root = Table::root(trees.first()?, 0, &notes);
    Some(host::api(root.table("api")))
}

fn read_all(path: &Path) -> Result<Vec<Source>, ConfigErrors> {
    let fail = |path: &Path, error: io::Error| {
        let problem = Problem::new(None, format!("can't read {}: {error}", path.display()));
        ConfigErrors::new(
            Vec::new(),
            vec![problem.mend("say where the configuration is with --config FILE")],
        )
    };
    let read = |path: PathBuf| match fs::read_to_string(&path) {
        Ok(text) => Ok(Source { path, text }),
        Err(error) => Err(fail(&path, error)),
    };
    let mut sources = vec![read(path.into())?];
    let beside = path.parent().unwrap_or(Path::new(".")).join("conf.d");
    let entries = match fs::read_dir(&beside) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(sources),
        Err(error) => return Err(fail(&beside, error)),
    };
    let mut more = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| fail(&beside, error))?.path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            more.push(path);
        }
    }
    // In an order that does not depend on the file system.
    more.sort();
    for path in more {
        sources.push(read(path)?);
    }
    Ok(sources)
}

fn parse<'a>(sources: &'a [Source], notes: &Notes) -> Vec<Spanned<DeTable<'a>>> {
    let parse = |(file, source): (usize, &'a Source)| {
        let (tree, errors) = DeTable::parse_recoverable(&source.text);
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let place = Place {
                file,
                start: span.start,
                end: span.end,
            };
            notes.problem(Problem::new(
                Some(place),
                format!("not TOML: {}", error.message().trim()),
            ));
        }
        tree
    };
    sources.iter().enumerate().map(parse).collect()
}

fn decode(trees: &[Spanned<DeTable<'_>>], notes: &Notes) -> Parts {
    let mut parts = Parts {
        host: None,
        api: host::api(None),
        cluster: None,
        retention: Retention::default(),
        services: Vec::new(),
    };
    for (file, tree) in trees.iter().enumerate() {
        let root = Table::root(tree, file, notes);
        if file == 0 {
            root.require("host", "add [host] with name = \"alpha\"");
            root.require(
                "cluster",
                "add [cluster]; its identity is made by `understudy cluster init`",
            );
            parts.host = root.table("host").and_then(|table| host::host(&table));
            parts.api = host::api(root.table("api"));
            parts.retention = retention::retention(root.table("retention"));
            parts.cluster = root.table("cluster").map(|table| host::cluster(&table));
        } else {
            refuse_sections(&root);
        }
        let me = parts.host.as_ref().map(|host| &host.name);
        let tables = root.tables("service", parts.services.len());
        let services: Vec<_> = tables.iter().map(|table| service::service(table, me)).collect();
        parts.services.extend(services);
        root.finish();
    }
    parts
}

fn misspelt_sections(tree: &Spanned<DeTable<'_>>, file: usize, notes: &Notes) {
    let root = Table::root(tree, file, notes);
    for section in ["host", "api", "cluster", "retention", "service"] {
        let _ = root.optional(section, |_| Ok(()));
    }
    root.finish();
}

/// Files in `conf.d` add services and nothing else: what a host is must stand in one place.
fn refuse_sections(root: &Table<'_>) {
    for section in ["host", "api", "cluster", "retention"] {
        if root.has(section) {
            let _ = root.optional(section, |_| Ok(()));
            let problem = root.problem(section, format!("[{section}] can't stand in a file of conf.d"));
            root.notes()
                .problem(problem.mend("move it to understudy.toml; here may be [[service]] only"));
        }
    }
}
