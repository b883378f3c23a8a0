//! Reads TOML tables key by key, and goes on after an error, so that one run finds them all.
//!
//! Invariants: every key that nobody asked for is an error; every value read leaves its place behind, under a path like
//! `service[0].probe.interval`, for the checks that come later.

use std::cell::RefCell;
use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Problem;
use super::source::Place;
use super::suggest::nearest;
use super::value::Wrong;

/// What reading leaves behind: problems, and the places of everything read.
#[derive(Debug, Default)]
pub(super) struct Notes {
    problems: RefCell<Vec<Problem>>,
    places: RefCell<BTreeMap<String, Place>>,
}

impl Notes {
    pub(super) fn problem(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn any(&self) -> bool {
        !self.problems.borrow().is_empty()
    }

    pub(super) fn take(&self) -> Vec<Problem> {
        self.problems.take()
    }

    /// Where the value of that path is; where it was not written, the nearest table that could hold it.
    pub(super) fn place(&self, path: &str) -> Option<Place> {
        let places = self.places.borrow();
        let mut path = path;
        loop {
            if let Some(place) = places.get(path) {
                return Some(*place);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    fn mark(&self, path: &str, place: Place) {
        self.places.borrow_mut().insert(path.to_owned(), place);
    }
}

/// One table.
pub(super) struct Table<'a> {
    map: &'a DeTable<'a>,
    place: Place,
    path: String,
    notes: &'a Notes,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Table<'a> {
    pub(super) fn root(map: &'a Spanned<DeTable<'a>>, file: usize, notes: &'a Notes) -> Self {
        let place = Place { file, start: 0, end: 0 };
        Table {
            map: map.get_ref(),
            place,
            path: String::new(),
            notes,
            known: RefCell::default(),
        }
    }

    pub(super) fn notes(&self) -> &'a Notes {
        self.notes
    }

    /// Whether the key is written at all.
    pub(super) fn has(&self, key: &str) -> bool {
        self.map.contains_key(key)
    }

    /// A problem with the value of a key; with the table itself, where the key is not written.
    pub(super) fn problem(&self, key: &str, message: impl Into<String>) -> Problem {
        Problem::new(self.notes.place(&self.path_of(key)).or(Some(self.place)), message)
    }

    /// A value that may be left out.
    pub(super) fn optional<T>(&self, key: &'static str, read: impl Fn(&DeValue<'a>) -> Result<T, Wrong>) -> Option<T> {
        self.known.borrow_mut().push(key);
        let value = self.map.get(key)?;
        self.read(&self.path_of(key), key, value, read)
    }

    /// A value that must be there. None: the problem is noted.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        example: &str,
        read: impl Fn(&DeValue<'a>) -> Result<T, Wrong>,
    ) -> Option<T> {
        self.require(key, &format!("add {key} = {example}"));
        self.optional(key, read)
    }

    /// A list; empty where it is left out. Every bad item is a problem of its own.
    pub(super) fn list<T>(&self, key: &'static str, read: impl Fn(&DeValue<'a>) -> Result<T, Wrong> + Copy) -> Vec<T> {
        self.known.borrow_mut().push(key);
        let Some(value) = self.map.get(key) else {
            return Vec::new();
        };
        let path = self.path_of(key);
        self.notes.mark(&path, self.place_of(value));
        let Some(items) = value.get_ref().as_array() else {
            self.wrong(key, value, Wrong::kind("a list like [\"a\", \"b\"]", value.get_ref()));
            return Vec::new();
        };
        let read = |(index, item)| self.read(&format!("{path}[{index}]"), key, item, read);
        items.iter().enumerate().filter_map(read).collect()
    }

    /// A table inside; none where it is left out.
    pub(super) fn table(&self, key: &'static str) -> Option<Table<'a>> {
        self.known.borrow_mut().push(key);
        self.open(self.path_of(key), key, self.map.get(key)?)
    }

    /// Tables written as `[[key]]`; `first` is the number of the first, for paths.
    pub(super) fn tables(&self, key: &'static str, first: usize) -> Vec<Table<'a>> {
        self.known.borrow_mut().push(key);
        let Some(value) = self.map.get(key) else {
            return Vec::new();
        };
        let Some(items) = value.get_ref().as_array() else {
            let header = shown(&self.path_of(key));
            self.wrong(
                key,
                value,
                Wrong::new(format!("this must be written as [[{header}]]: there may be several")),
            );
            return Vec::new();
        };
        let open = |(index, item)| self.open(format!("{}[{}]", self.path_of(key), first + index), key, item);
        items.iter().enumerate().filter_map(open).collect()
    }

    /// A table whose keys are names of the operator's choice, each with a table.
    pub(super) fn named_tables(&self, key: &'static str) -> Vec<(String, Table<'a>)> {
        let Some(names) = self.table(key) else {
            return Vec::new();
        };
        let open = |(name, value): (&'a Spanned<_>, &'a Spanned<_>)| {
            let name: &std::borrow::Cow<'a, str> = name.get_ref();
            Some((
                name.to_string(),
                names.open(format!("{}.{name}", names.path), name, value)?,
            ))
        };
        names.map.iter().filter_map(open).collect()
    }

    /// A table whose keys are names of the operator's choice, each with a value.
    pub(super) fn named<T>(
        &self,
        key: &'static str,
        read: impl Fn(&DeValue<'a>) -> Result<T, Wrong> + Copy,
    ) -> BTreeMap<String, T> {
        let Some(names) = self.table(key) else {
            return BTreeMap::new();
        };
        let entry = |(name, value): (&'a Spanned<_>, &'a Spanned<DeValue<'a>>)| {
            let name: &std::borrow::Cow<'a, str> = name.get_ref();
            Some((
                name.to_string(),
                names.read(&format!("{}.{name}", names.path), name, value, read)?,
            ))
        };
        names.map.iter().filter_map(entry).collect()
    }

    /// Notes it when a key is missing.
    pub(super) fn require(&self, key: &str, mend: &str) {
        if !self.has(key) {
            let problem = Problem::new(Some(self.place), format!("{} needs `{key}`", self.title()));
            self.notes.problem(problem.mend(mend));
        }
    }

    /// To be called last: whatever was not asked for until now is unknown.
    pub(super) fn finish(&self) {
        let known = self.known.borrow();
        for (key, _) in self.map.iter() {
            if known.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let span = key.span();
            let place = Place {
                file: self.place.file,
                start: span.start,
                end: span.end,
            };
            let message = format!("unknown key `{}` in {}", key.get_ref(), self.title());
            self.notes.problem(
                Problem::new(Some(place), message).mend(match nearest(key.get_ref(), &known) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys here are {}", known.join(", ")),
                }),
            );
        }
    }

    fn read<T>(
        &self,
        path: &str,
        key: &str,
        value: &Spanned<DeValue<'a>>,
        read: impl Fn(&DeValue<'a>) -> Result<T, Wrong>,
    ) -> Option<T> {
        self.notes.mark(path, self.place_of(value));
        read(value.get_ref())
            .map_err(|wrong| self.wrong(key, value, wrong))
            .ok()
    }

    fn open(&self, path: String, key: &str, value: &'a Spanned<DeValue<'a>>) -> Option<Table<'a>> {
        let place = self.place_of(value);
        self.notes.mark(&path, place);
        match value.get_ref().as_table() {
            Some(map) => Some(Table {
                map,
                place,
                path,
                notes: self.notes,
                known: RefCell::default(),
            }),
            None => {
                self.wrong(key, value, Wrong::kind("a table", value.get_ref()));
                None
            }
        }
    }

    fn wrong(&self, key: &str, value: &Spanned<DeValue<'a>>, wrong: Wrong) {
        let mut problem = Problem::new(Some(self.place_of(value)), format!("`{key}`: {}", wrong.message));
        problem.mend = wrong.mend;
        self.notes.problem(problem);
    }

    fn place_of(&self, value: &Spanned<DeValue<'_>>) -> Place {
        let span = value.span();
        Place {
            file: self.place.file,
            start: span.start,
            end: span.end,
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn title(&self) -> String {
        if self.path.is_empty() {
            "the file".to_owned()
        } else {
            format!("[{}]", shown(&self.path))
        }
    }
}

/// A path as the operator writes it: without the numbers.
fn shown(path: &str) -> String {
    let mut shown = String::with_capacity(path.len());
    let mut inside = false;
    for c in path.chars() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            _ if !inside => shown.push(c),
            _ => {}
        }
    }
    shown
}
