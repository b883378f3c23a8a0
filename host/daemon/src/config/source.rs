//! The files a configuration comes from, and places in them.

use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug, Clone)]
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Some bytes of one of the files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Which file: its number in the list of sources.
    pub(super) file: usize,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Source {
    pub(super) fn new(path: &Path, text: &str) -> Self {
        Source {
            path: path.into(),
            text: text.into(),
        }
    }

    /// `file:line:column`, both counted from 1, the column in characters.
    pub(super) fn position(&self, place: Place) -> String {
        let (line, column) = self.line_and_column(place.start);
        format!("{}:{line}:{column}", self.path.display())
    }

    /// The line, and carets under the place.
    pub(super) fn excerpt(&self, place: Place) -> String {
        let (number, column) = self.line_and_column(place.start);
        let line = self.text.lines().nth(number - 1).unwrap_or_default();
        let length = self.text.get(place.start..place.end).map_or(1, |text| {
            let first = text.lines().next().unwrap_or_default();
            first.chars().count().max(1)
        });
        // A tab stays a tab, so that the carets stand where the terminal puts the text.
        let lead: String = line
            .chars()
            .take(column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let carets = "^".repeat(length.min(line.chars().count().saturating_sub(column - 1).max(1)));
        format!("{number:>5} | {line}\n      | {lead}{carets}")
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
        (line, column)
    }
}
