//! What an address left behind, seen and cleaned by the command line without a daemon. Needs root.
#![allow(clippy::unwrap_used, missing_docs)]

use std::fs;
use std::path::Path;

use serde_json::Value;
use understudy_tests::cluster::Built;
use understudy_tests::lan::Lan;

const NODE: &str = "alpha";

#[test]
fn a_leftover_is_seen_and_cleaned() {
    let lan = Lan::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = write_config(folder.path());
    let program = Built::for_tests().unwrap().daemon();
    let ask = |words: &str| {
        let command = format!("{} address {words} --config {}", program.display(), config.display());
        lan.run(NODE, &command)
    };
    let shown = || -> Value { serde_json::from_str(&ask("show --json").unwrap()).unwrap() };

    let before = shown();
    assert_eq!(
        (&before[0]["verdict"], &before[0]["record"]),
        (&"in-order".into(), &"not-held".into())
    );
    // As a daemon that was killed leaves it: the address, on lo as well, and rules of its own and of a service that is
    // not configured any more.
    lan.run(NODE, "ip address add 192.0.2.10/24 dev eth0").unwrap();
    lan.run(NODE, "ip address add 192.0.2.10/32 dev lo").unwrap();
    lan.run(NODE, "nft add table netdev us_hold_web").unwrap();
    lan.run(NODE, "nft add table arp us_hide_web").unwrap();
    lan.run(NODE, "nft add table netdev us_drain_gone").unwrap();
    let left = shown();
    assert_eq!(left[0]["verdict"], "leftover");
    let kinds: Vec<_> = left[0]["traces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trace| trace["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["address", "armed", "rules", "rules"]);
    assert_eq!(left[1]["service"], Value::Null);
    assert_eq!(left[1]["traces"][0]["place"], "netdev us_drain_gone");
    assert!(ask("show").unwrap().contains("understudy address clean"));

    let said = ask("clean").unwrap();
    assert!(said.contains("192.0.2.10/24 on eth0 removed"), "{said}");
    assert_eq!(shown().as_array().unwrap().len(), 1);
    assert_eq!(shown()[0]["verdict"], "in-order");
    let tables = lan.run(NODE, "nft list tables").unwrap();
    assert!(!tables.contains("us_"), "{tables}");
    assert!(!lan.run(NODE, "ip address show").unwrap().contains("192.0.2.10"));
    assert_eq!(ask("clean").unwrap().trim(), "nothing was left over");
}

fn write_config(folder: &Path) -> std::path::PathBuf {
    let at = folder.display();
    let text = format!(
        "[host]\nname = \"alpha\"\nstate_dir = \"{at}/state\"\nplugin_dir = \"{at}\"\n\n\
         [cluster]\nlisten = \"192.0.2.2:7421\"\nidentity = \"{at}/identity\"\n\n\
         [[cluster.peer]]\nname = \"beta\"\naddress = \"192.0.2.3:7421\"\n\n\
         [[service]]\nname = \"web\"\nserver_type = \"nginx\"\ncandidates = [\"alpha\", \"beta\"]\nports = [80]\n\n\
         [service.address]\nmode = \"vip\"\naddresses = [\"192.0.2.10/24\"]\ninterface = \"eth0\"\n\n\
         [[service.plugin]]\ncomponent = \"nginx.wasm\"\ngrant = []\n"
    );
    let file = folder.join("understudy.toml");
    fs::write(&file, text).unwrap();
    file
}
