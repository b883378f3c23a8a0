//! What is wrong with a configuration: every error found, each with its place, its line and its mend.

use std::fmt;

use super::source::{Place, Source};

/// Everything that is wrong. Its text is made for a terminal: several lines an error, and a count at the end.
#[derive(Debug)]
pub struct ConfigErrors {
    sources: Vec<Source>,
    problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) place: Option<Place>,
    pub(super) message: String,
    /// Other places that have to do with it, each with a word on what it is.
    pub(super) also: Vec<(String, Place)>,
    pub(super) mend: Option<String>,
}

impl Problem {
    pub(super) fn new(place: Option<Place>, message: impl Into<String>) -> Self {
        Problem {
            place,
            message: message.into(),
            also: Vec::new(),
            mend: None,
        }
    }

    pub(super) fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    pub(super) fn also(mut self, what: impl Into<String>, place: Option<Place>) -> Self {
        self.also.extend(place.map(|place| (what.into(), place)));
        self
    }
}

impl ConfigErrors {
    /// Sorts them by where they are.
    pub(super) fn new(sources: Vec<Source>, mut problems: Vec<Problem>) -> Self {
        problems.sort_by_key(|problem| problem.place.map(|place| (place.file, place.start)));
        ConfigErrors { sources, problems }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    fn position(&self, place: Place) -> String {
        self.sources
            .get(place.file)
            .map_or_else(String::new, |source| source.position(place))
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, problem: &Problem) -> fmt::Result {
        match problem.place {
            Some(place) => {
                writeln!(f, "{}: {}", self.position(place), problem.message)?;
                if let Some(source) = self.sources.get(place.file) {
                    writeln!(f, "{}", source.excerpt(place))?;
                }
            }
            None => writeln!(f, "{}", problem.message)?,
        }
        for (what, place) in &problem.also {
            writeln!(f, "      {what}: {}", self.position(*place))?;
        }
        problem
            .mend
            .iter()
            .try_for_each(|mend| writeln!(f, "      mend: {mend}"))
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            self.write(f, problem)?;
            writeln!(f)?;
        }
        match self.problems.len() {
            1 => write!(f, "1 error in the configuration"),
            count => write!(f, "{count} errors in the configuration"),
        }
    }
}

impl std::error::Error for ConfigErrors {}
