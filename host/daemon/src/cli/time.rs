//! Instants and lengths of time for people: UTC, and never more digits than anybody reads.

use std::time::SystemTime;

/// `2026-11-23 03:14:15`: UTC, as all hosts' journals are.
pub(super) fn instant(at_ms: u64) -> String {
    let seconds = at_ms / 1000;
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        second / 3600,
        second / 60 % 60,
        second % 60
    )
}

/// The day only.
pub(super) fn day(at: SystemTime) -> String {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    instant(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
        .chars()
        .take(10)
        .collect()
}

/// `850 ms`, `4.2 s`, `3 min 5 s`, `2 h 10 min`, `12 d`.
pub(super) fn length(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0 => format!("{ms} ms"),
        1..=9 => format!("{seconds}.{} s", ms % 1000 / 100),
        10..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..=172_799 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar.
fn civil(mut days: u64) -> (u64, u64, u64) {
    let mut year = 1970;
    loop {
        let length = if leap(year) { 366 } else { 365 };
        if days < length || year == LAST_YEAR {
            break;
        }
        days -= length;
        year += 1;
    }
    let february = if leap(year) { 29 } else { 28 };
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length || month == 12 {
            break;
        }
        days -= length;
        month += 1;
    }
    (year, month, days + 1)
}

fn leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// A number from the network may be anything; the loop must end.
const LAST_YEAR: u64 = 9999;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_calendar_dates() {
        assert_eq!(instant(0), "1970-01-01 00:00:00");
        assert_eq!(instant(951_782_400_000), "2000-02-29 00:00:00");
        assert_eq!(instant(1_767_225_599_999), "2025-12-31 23:59:59");
        assert_eq!(instant(1_772_236_800_000), "2026-02-28 00:00:00");
        assert_eq!(instant(4_107_542_400_000), "2100-03-01 00:00:00");
        assert!(instant(u64::MAX).starts_with("9999-"));
    }

    #[test]
    fn lengths_are_short() {
        let cases = [
            (0, "0 ms"),
            (850, "850 ms"),
            (4_260, "4.2 s"),
            (59_999, "59 s"),
            (185_000, "3 min 5 s"),
        ];
        for (ms, text) in cases {
            assert_eq!(length(ms), text);
        }
        assert_eq!(length(7_800_000), "2 h 10 min");
        assert_eq!(length(12 * 86_400_000), "12 d");
    }
}
