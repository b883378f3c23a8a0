//! What the kernel says of the machine, from `/proc` and `/sys`. The parsers are pure and in `readings/parse.rs`; what a
//! machine does not have is simply not listed. Disks are apart (`disks.rs`): they can hang.

mod parse;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::call::Reading;

/// The machine's readings of the kinds that the prefix may mean.
pub(crate) async fn of_machine(prefix: &str) -> Vec<Reading> {
    let wanted = SOURCES.iter().filter(|source| may_begin_with(source.keys, prefix));
    let (at_once, slow): (Vec<&Source>, Vec<&Source>) = wanted.partition(|source| source.is_at_once);
    let mut readings = of_sources(&at_once);
    if !slow.is_empty() {
        let others = tokio::task::spawn_blocking(move || of_sources(&slow));
        readings.extend(others.await.unwrap_or_default());
    }
    readings
}

fn of_sources(sources: &[&Source]) -> Vec<Reading> {
    let root = Path::new("/");
    sources.iter().flat_map(|source| (source.read)(root)).collect()
}

/// Whether keys of this kind can begin with the prefix.
pub(crate) fn may_begin_with(kind: &str, prefix: &str) -> bool {
    kind.starts_with(prefix) || prefix.starts_with(kind)
}

/// Where readings come from.
struct Source {
    /// The beginning of its keys.
    keys: &'static str,
    /// Whether the kernel only prints numbers that it has. Everything else gets a thread of its own: a sensor on a slow bus
    /// takes milliseconds, a network interface waits for whoever configures it. To change threads costs more than the numbers.
    is_at_once: bool,
    /// Reads it under a root.
    read: fn(&Path) -> Vec<Reading>,
}

impl Source {
    const fn new(keys: &'static str, is_at_once: bool, read: fn(&Path) -> Vec<Reading>) -> Self {
        Self { keys, is_at_once, read }
    }
}

const SOURCES: [Source; 7] = [
    Source::new("load.", true, load),
    Source::new("memory.", true, memory),
    Source::new("uptime", true, uptime),
    Source::new("file-descriptors.", true, file_descriptors),
    Source::new("link.", false, links),
    Source::new("temperature", false, temperatures),
    Source::new("mdraid.", false, arrays),
];

fn load(root: &Path) -> Vec<Reading> {
    let mut readings = parse::load(&text(root, "proc/loadavg"));
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    readings.push(plain("load.processors", processors as f64, "1"));
    readings
}

fn memory(root: &Path) -> Vec<Reading> {
    let mut readings = parse::memory(&text(root, "proc/meminfo"));
    readings.extend(parse::pressure(&text(root, "proc/pressure/memory")));
    readings
}

fn uptime(root: &Path) -> Vec<Reading> {
    parse::uptime(&text(root, "proc/uptime"))
}

fn file_descriptors(root: &Path) -> Vec<Reading> {
    parse::file_descriptors(&text(root, "proc/sys/fs/file-nr"))
}

fn arrays(root: &Path) -> Vec<Reading> {
    parse::arrays(&text(root, "proc/mdstat"))
}

/// An interface is up when it has a carrier; one that is switched off can't even be asked.
fn links(root: &Path) -> Vec<Reading> {
    let up = |name: &str| {
        f64::from(u8::from(
            text(root, &format!("sys/class/net/{name}/carrier")).trim() == "1",
        ))
    };
    let names = entries(root, "sys/class/net");
    let links = names
        .iter()
        .filter(|name| root.join("sys/class/net").join(name).join("operstate").exists());
    links
        .map(|name| with("link.up", up(name), "1", "interface", name.clone()))
        .collect()
}

fn temperatures(root: &Path) -> Vec<Reading> {
    let mut readings = Vec::new();
    for zone in entries(root, "sys/class/thermal")
        .iter()
        .filter(|name| name.starts_with("thermal_zone"))
    {
        let kind = text(root, &format!("sys/class/thermal/{zone}/type"));
        let label = format!("{zone}/{}", kind.trim());
        readings.extend(temperature(root, &format!("sys/class/thermal/{zone}/temp"), label));
    }
    for chip in entries(root, "sys/class/hwmon") {
        let directory = format!("sys/class/hwmon/{chip}");
        let name = text(root, &format!("{directory}/name"));
        for file in entries(root, &directory) {
            let Some(sensor) = file.strip_suffix("_input").filter(|sensor| sensor.starts_with("temp")) else {
                continue;
            };
            let label = text(root, &format!("{directory}/{sensor}_label"));
            let label = if label.trim().is_empty() { sensor } else { label.trim() };
            let label = format!("{}/{label}", name.trim());
            readings.extend(temperature(root, &format!("{directory}/{file}"), label));
        }
    }
    readings
}

fn temperature(root: &Path, path: &str, sensor: String) -> Option<Reading> {
    let thousandths: f64 = text(root, path).trim().parse().ok()?;
    Some(with("temperature", thousandths / 1000.0, "Cel", "sensor", sensor))
}

/// The file's text; nothing where it can't be read.
fn text(root: &Path, path: &str) -> String {
    let mut text = String::with_capacity(USUAL_BYTES);
    // Not all at once: the kernel calls these files empty, and the standard library would feel its way with tiny reads.
    let read = File::open(root.join(path)).and_then(|file| file.take(MOST_BYTES).read_to_string(&mut text));
    read.map(|_| text).unwrap_or_default()
}

fn entries(root: &Path, directory: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root.join(directory)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn plain(key: &str, value: f64, unit: &str) -> Reading {
    Reading {
        key: key.to_owned(),
        value,
        unit: unit.to_owned(),
        attributes: Vec::new(),
    }
}

fn with(key: &str, value: f64, unit: &str, attribute: &str, text: String) -> Reading {
    Reading {
        attributes: vec![(attribute.to_owned(), text)],
        ..plain(key, value, unit)
    }
}

/// Holds any of these files on a usual machine.
const USUAL_BYTES: usize = 4 << 10;
/// Far more than any of them has.
const MOST_BYTES: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_prefix_means_a_kind() {
        assert!(may_begin_with("disk.", ""));
        assert!(may_begin_with("disk.", "disk.available"));
        assert!(may_begin_with("memory.", "mem"));
        assert!(!may_begin_with("load.", "disk."));
    }

    #[test]
    fn sensors_and_links_are_found_where_the_kernel_puts_them() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
        write("sys/class/thermal/thermal_zone0/temp", "47500\n");
        write("sys/class/hwmon/hwmon1/name", "nvme\n");
        write("sys/class/hwmon/hwmon1/temp1_label", "Composite\n");
        write("sys/class/hwmon/hwmon1/temp1_input", "38850\n");
        write("sys/class/hwmon/hwmon1/temp2_input", "not a number\n");
        write("sys/class/net/eth0/operstate", "up\n");
        write("sys/class/net/eth0/carrier", "1\n");
        write("sys/class/net/eth1/operstate", "down\n");
        let found: Vec<_> = temperatures(root.path())
            .into_iter()
            .map(|r| (r.attributes[0].1.clone(), r.value))
            .collect();
        assert_eq!(
            found,
            [
                ("thermal_zone0/x86_pkg_temp".into(), 47.5),
                ("nvme/Composite".into(), 38.85)
            ]
        );
        let links: Vec<_> = links(root.path())
            .into_iter()
            .map(|r| (r.attributes[0].1.clone(), r.value))
            .collect();
        assert_eq!(links, [("eth0".into(), 1.0), ("eth1".into(), 0.0)]);
    }

    #[tokio::test]
    async fn this_machine_has_memory_and_a_load() {
        let readings = of_machine("").await;
        for key in [
            "load.one",
            "memory.total",
            "memory.available",
            "uptime",
            "file-descriptors.available",
            "link.up",
        ] {
            assert!(readings.iter().any(|reading| reading.key == key), "{key}");
        }
        assert!(
            of_machine("memory.")
                .await
                .iter()
                .all(|reading| reading.key.starts_with("memory."))
        );
    }
}
