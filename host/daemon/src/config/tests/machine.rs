//! What is read from the disk, and what must be there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use understudy_protocol::HostName;

use super::super::{Config, api_of};
use super::GOOD;

#[test]
fn files_are_read_from_the_folder_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("understudy.toml");
    assert!(
        Config::load_text(&path)
            .unwrap_err()
            .to_string()
            .contains("--config FILE")
    );
    fs::write(&path, GOOD).unwrap();
    assert_eq!(Config::load_text(&path).unwrap().services.len(), 2);
    fs::create_dir(folder.path().join("conf.d")).unwrap();
    fs::write(folder.path().join("conf.d/README"), "not TOML at all").unwrap();
    for name in ["b", "a"] {
        let text = GOOD[GOOD.find("[[service]]\nname = \"web\"").unwrap()..]
            .replace("\"web\"", &format!("\"{name}\""))
            .replace(
                "192.0.2.10/24",
                if name == "a" { "192.0.2.11/24" } else { "192.0.2.12/24" },
            );
        fs::write(folder.path().join(format!("conf.d/{name}.toml")), text).unwrap();
    }
    let names: Vec<String> = Config::load_text(&path)
        .unwrap()
        .services
        .iter()
        .map(|s| s.name.to_string())
        .collect();
    assert_eq!(names, ["redis", "web", "a", "b"]);
}

#[test]
fn what_the_machine_lacks_is_said_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("understudy.toml");
    let secret = folder.path().join("password");
    fs::write(&secret, "x").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o644)).unwrap();
    let text = GOOD.replace("/etc/understudy/redis.password", &secret.display().to_string());
    let text = text
        .replace("/etc/understudy/identity", "/nonexistent/identity")
        .replace("eth0", "nointerface0");
    fs::write(
        &path,
        text.replace("/usr/bin/redis-server", "/nonexistent/redis-server"),
    )
    .unwrap();
    let errors = Config::load(&path).unwrap_err().to_string();
    for part in [
        "understudy.toml:11:12: /nonexistent/identity/ca.pem is missing: make it with `understudy cluster init",
        "the plugin /usr/lib/understudy/plugins/redis.wasm can't be read",
        "/nonexistent/redis-server: No such file",
        "password can be read by everybody",
        "mend: chmod 600",
        "this machine has no interface nointerface0",
    ] {
        assert!(errors.contains(part), "{part}:\n{errors}");
    }
}

#[test]
fn the_identity_must_be_this_hosts_and_the_component_the_pinned_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    crate::cluster::init(&at("id"), &HostName::new("beta").unwrap(), false).unwrap();
    fs::write(at("redis.wasm"), "not the pinned one").unwrap();
    let text = GOOD
        .replace("/etc/understudy/identity", &at("id").display().to_string())
        .replace("/usr/lib/understudy/plugins", &folder.path().display().to_string());
    fs::write(at("understudy.toml"), text).unwrap();
    let errors = Config::load(&at("understudy.toml")).unwrap_err().to_string();
    assert!(
        errors.contains("is beta's") && errors.contains("set host.name = \"beta\", or join anew as alpha"),
        "{errors}"
    );
    assert!(
        errors.contains("redis.wasm is not the pinned component: it is sha256:"),
        "{errors}"
    );
}

#[test]
fn programs_that_only_ask_find_the_api_in_a_file_with_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("understudy.toml");
    fs::write(&path, "[api]\nlisten = \"127.0.0.1:9999\"\n[host]\nname = 3\n").unwrap();
    assert_eq!(api_of(&path).unwrap().listen.port(), 9999);
    assert!(api_of(&folder.path().join("none")).is_none());
}
