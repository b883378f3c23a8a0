//! What is in the kernel already: tables with their comments, and how full a set is.

use super::attribute::{self, Attributes};
use super::batch::{Family, Place, comment_of};
use super::link::{Link, Refused};

/// A table that exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FoundTable {
    pub(crate) place: Place,
    /// What whoever made it says of it.
    pub(crate) comment: Option<String>,
}

impl Link {
    /// The tables whose name begins so, of the families that this crate uses.
    pub(crate) async fn tables(&self, beginning: &str) -> Result<Vec<FoundTable>, Refused> {
        let answers = self.list(GET_TABLE, 0, Vec::new()).await?;
        let tables = answers.iter().filter_map(|answer| {
            let table = attribute::text(attribute::find(&answer.body, 1)?);
            let family = Family::of_number(answer.family)?;
            Some(FoundTable {
                comment: attribute::find(&answer.body, 6).and_then(comment_of),
                place: Place::new(family, table),
            })
        });
        let mut tables: Vec<_> = tables
            .filter(|found| found.place.table.starts_with(beginning))
            .collect();
        tables.sort();
        Ok(tables)
    }

    /// How many elements a set has now.
    pub(crate) async fn count(&self, place: &Place, set: &str) -> Result<usize, Refused> {
        let question = Attributes::new().text(1, &place.table).text(2, set).into_bytes();
        let answers = self.list(GET_ELEMENTS, place.family.number(), question).await?;
        let elements = answers.iter().filter_map(|answer| attribute::find(&answer.body, 3));
        Ok(elements.map(|list| attribute::read(list).count()).sum())
    }
}

const GET_TABLE: u16 = 1;
const GET_ELEMENTS: u16 = 13;
