//! Open-ended key/value pairs: how to build them and how to read them.

/// Key/value pairs; keys are kebab-case and occur once.
pub type Attributes = Vec<(String, String)>;

/// The bytes of one value that the host takes; a longer value is cut, so that one long message never costs a whole report.
const MAX_VALUE: usize = 4096;

/// Building and reading [`Attributes`].
pub trait AttributesExt {
    /// With one more pair. A value of more than 4 KiB is cut.
    #[must_use]
    fn with(self, key: &str, value: impl ToString) -> Self;
    /// With one more pair where there is a value.
    #[must_use]
    fn with_some(self, key: &str, value: Option<impl ToString>) -> Self;
    /// The value of `key`.
    fn value(&self, key: &str) -> Option<&str>;
}

impl AttributesExt for Attributes {
    fn with(mut self, key: &str, value: impl ToString) -> Self {
        let mut value = value.to_string();
        if value.len() > MAX_VALUE {
            let end = (0..=MAX_VALUE)
                .rev()
                .find(|&end| value.is_char_boundary(end))
                .unwrap_or(0);
            value.truncate(end);
        }
        match self.iter_mut().find(|(known, _)| known == key) {
            Some(pair) => pair.1 = value,
            None => self.push((key.to_owned(), value)),
        }
        self
    }

    fn with_some(self, key: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.iter()
            .find(|(known, _)| known == key)
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_occurs_once_and_the_last_value_stays() {
        let attributes = Attributes::new().with("a", 1).with("b", 2).with("a", 3);
        assert_eq!(
            attributes,
            [("a".to_owned(), "3".to_owned()), ("b".to_owned(), "2".to_owned())]
        );
        assert_eq!(attributes.value("b"), Some("2"));
        assert_eq!(attributes.value("c"), None);
    }

    #[test]
    fn a_long_value_is_cut_at_a_character() {
        let attributes = Attributes::new()
            .with("long", "ä".repeat(3000))
            .with("odd", format!("x{}", "ä".repeat(3000)));
        assert_eq!(attributes.value("long").map(str::len), Some(4096));
        assert_eq!(attributes.value("odd").map(str::len), Some(4095));
    }
}
