//! "Did you mean": the known word that is nearest to a misspelt one.

/// The nearest of the known words, if it is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let word = plain(word);
    let near = (word.chars().count() / 3).max(1);
    let candidates = known.iter().map(|known| (distance(&word, &plain(known)), *known));
    candidates
        .filter(|(distance, _)| *distance <= near)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Case and the kind of dash are nobody's intention.
fn plain(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

/// Insertions, deletions, replacements and swaps of neighbours that make one word the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![vec![0; other.len() + 1]; one.len() + 1];
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i.max(j)
            } else {
                let same = usize::from(one[i - 1] != other[j - 1]);
                let best = (rows[i - 1][j] + 1)
                    .min(rows[i][j - 1] + 1)
                    .min(rows[i - 1][j - 1] + same);
                let swapped = i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
                if swapped {
                    best.min(rows[i - 2][j - 2] + 1)
                } else {
                    best
                }
            };
        }
    }
    rows[one.len()][other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near_is_meant() {
        let known = ["interval", "timeout", "rise", "fall", "on_unknown", "stay_down"];
        assert_eq!(nearest("intervall", &known), Some("interval"));
        assert_eq!(nearest("tiemout", &known), Some("timeout"));
        assert_eq!(nearest("on-unknown", &known), Some("on_unknown"));
        assert_eq!(nearest("Rise", &known), Some("rise"));
        assert_eq!(nearest("stay-dwon", &known), Some("stay_down"));
        assert_eq!(nearest("colour", &known), None);
        assert_eq!(nearest("", &known), None);
    }
}
