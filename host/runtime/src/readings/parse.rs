//! The kernel's text files, read. Pure: text in, readings out; what does not parse is left out.

use super::{plain, with};
use crate::call::Reading;

/// `/proc/loadavg`: `0.20 0.18 0.12 1/80 11206`.
pub(super) fn load(text: &str) -> Vec<Reading> {
    let numbers = text.split_whitespace().map_while(|word| word.parse().ok());
    let keys = ["load.one", "load.five", "load.fifteen"];
    keys.into_iter()
        .zip(numbers)
        .map(|(key, value)| plain(key, value, "1"))
        .collect()
}

/// `/proc/meminfo`: `MemTotal:  16314688 kB`.
pub(super) fn memory(text: &str) -> Vec<Reading> {
    let value = |wanted: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(wanted)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let names = [
        ("MemTotal", "memory.total"),
        ("MemAvailable", "memory.available"),
        ("SwapTotal", "memory.swap-total"),
        ("SwapFree", "memory.swap-available"),
    ];
    names
        .into_iter()
        .filter_map(|(name, key)| Some(plain(key, value(name)? * 1024.0, "B")))
        .collect()
}

/// `/proc/pressure/memory`: `some avg10=1.50 avg60=…`, in percent of the time that somebody waited.
pub(super) fn pressure(text: &str) -> Option<Reading> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let percent: f64 = some
        .split_whitespace()
        .find_map(|word| word.strip_prefix("avg10="))?
        .parse()
        .ok()?;
    Some(plain("memory.pressure", percent / 100.0, "1"))
}

/// `/proc/uptime`: `350735.47 234388.90`.
pub(super) fn uptime(text: &str) -> Vec<Reading> {
    let seconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    seconds
        .map(|seconds| plain("uptime", seconds, "s"))
        .into_iter()
        .collect()
}

/// `/proc/sys/fs/file-nr`: allocated, unused, the most.
pub(super) fn file_descriptors(text: &str) -> Vec<Reading> {
    let numbers: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    match numbers[..] {
        [allocated, _, most] => vec![
            plain("file-descriptors.total", most, "1"),
            plain("file-descriptors.available", (most - allocated).max(0.0), "1"),
        ],
        _ => Vec::new(),
    }
}

/// `/proc/mdstat`: `md0 : active raid1 …`, and in one of the next lines `[2/1] [U_]`: two wanted, one there.
pub(super) fn arrays(text: &str) -> Vec<Reading> {
    let mut readings = Vec::new();
    let mut array = None;
    for line in text.lines() {
        match line.split_once(" : ") {
            Some((name, _)) if name.starts_with("md") => array = Some(name.trim()),
            _ => {
                let Some((name, missing)) = array.zip(missing_members(line)) else {
                    continue;
                };
                readings.push(with("mdraid.degraded", missing, "1", "array", name.to_owned()));
                array = None;
            }
        }
    }
    readings
}

fn missing_members(line: &str) -> Option<f64> {
    line.split_whitespace().find_map(|word| {
        let (wanted, there) = word.strip_prefix('[')?.strip_suffix(']')?.split_once('/')?;
        Some((wanted.parse::<f64>().ok()? - there.parse::<f64>().ok()?).max(0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(readings: Vec<Reading>) -> Vec<(String, f64)> {
        readings
            .into_iter()
            .map(|reading| (reading.key, reading.value))
            .collect()
    }

    #[test]
    fn each_file_is_read() {
        assert_eq!(
            values(load("0.20 0.18 0.12 1/80 11206\n"))[2],
            ("load.fifteen".into(), 0.12)
        );
        let memory = values(memory("MemTotal:       2 kB\nMemFree: 9 kB\nMemAvailable:   1 kB\n"));
        assert_eq!(
            memory,
            [("memory.total".into(), 2048.0), ("memory.available".into(), 1024.0)]
        );
        assert_eq!(
            pressure("some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.0\n")
                .unwrap()
                .value,
            0.015
        );
        assert_eq!(values(uptime("350735.47 234388.90\n")), [("uptime".into(), 350_735.47)]);
        assert_eq!(
            values(file_descriptors("100\t0\t1000\n"))[1],
            ("file-descriptors.available".into(), 900.0)
        );
    }

    #[test]
    fn nonsense_gives_nothing() {
        for text in ["", "x", "\0\n:\n[", "md0 : \n [/] [x/y]"] {
            assert!(
                load(text).is_empty() && memory(text).is_empty() && uptime(text).is_empty(),
                "{text:?}"
            );
            assert!(
                pressure(text).is_none() && file_descriptors(text).is_empty() && arrays(text).is_empty(),
                "{text:?}"
            );
        }
    }

    #[test]
    fn an_array_with_a_missing_member_is_degraded() {
        let text = "Personalities : [raid1] [raid6]\n\
            md0 : active raid1 sdb1[1] sda1[0]\n      1047552 blocks super 1.2 [2/2] [UU]\n      \n\
            md127 : active raid5 sdc[3](F) sdd[1] sde[0]\n      2096128 blocks level 5, 512k chunk [3/2] [UU_]\n\
            unused devices: <none>\n";
        let arrays: Vec<_> = arrays(text)
            .into_iter()
            .map(|r| (r.attributes[0].1.clone(), r.value))
            .collect();
        assert_eq!(arrays, [("md0".into(), 0.0), ("md127".into(), 1.0)]);
    }
}
