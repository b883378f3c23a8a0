//! Golden texts: what an operator sees for each mistake. `good.toml` is the configuration that the mistakes are made in.

use std::path::Path;
use std::time::Duration;

use understudy_address::AddressConfig;
use understudy_protocol::{DrainPolicy, Giveback, HostName, OnUnknown, Timing};
use understudy_runtime::Ask;

use super::load::Depth;
use super::source::Source;
use super::*;
use crate::damage::Damage;

mod machine;

const GOOD: &str = include_str!("tests/good.toml");

fn load(text: &str) -> Result<Config, ConfigErrors> {
    Config::from_sources(vec![Source::new(Path::new("u.toml"), text)], Depth::Text)
}

/// The errors' text after one replacement in the good configuration.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the good configuration has no {from:?}");
    errors(&GOOD.replacen(from, to, 1))
}

fn errors(text: &str) -> String {
    load(text).expect_err("this must be wrong").to_string()
}

#[test]
fn what_is_kept_can_be_said() {
    let said = "\n[retention]\njournal = { age = \"30d\", at_most = 50000 }\naudit = { age = \"12h\" }\n";
    let text = format!("{GOOD}{said}");
    let kept = load(&text).unwrap_or_else(|errors| panic!("{errors}")).retention;
    assert_eq!(
        (kept.journal.age.as_secs(), kept.journal.at_most),
        (30 * 86_400, 50_000)
    );
    assert_eq!((kept.audit.age.as_secs(), kept.audit.at_most), (12 * 3600, 200_000));
    let wrong = errors(&text.replacen("12h", "12 moons", 1));
    assert!(wrong.contains("is no age of records"), "{wrong}");
}

#[test]
fn no_damage_makes_the_reader_panic() {
    let mut refused = 0;
    for seed in 0..3000 {
        let text = Damage(seed).text(GOOD);
        if let Err(errors) = load(&text) {
            assert!(
                errors.to_string().contains("u.toml"),
                "seed {seed}: no place is named: {errors}"
            );
            refused += 1;
        }
    }
    assert!(refused > 1000, "{refused} were refused");
}

#[test]
fn the_good_configuration_is_read_whole() {
    let config = load(GOOD).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.host.name.as_str(), "alpha");
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:7420");
    assert_eq!(
        config.cluster.peers,
        [Peer {
            name: HostName::new("beta").unwrap(),
            address: "192.0.2.2:7421".into()
        }]
    );

    let [redis, web] = config.services.as_slice() else {
        panic!("{:?}", config.services)
    };
    assert_eq!(redis.plan.home().as_str(), "alpha");
    assert_eq!(redis.plan.me.as_str(), "alpha");
    assert_eq!(redis.plan.on_unknown, OnUnknown::TakeOver);
    assert_eq!(redis.plan.on_deadline_fault, DrainPolicy::Extend);
    assert_eq!(redis.plan.on_deadline_request, DrainPolicy::Abort);
    assert_eq!(redis.plan.extend_at_most, Duration::from_secs(120));
    let half_an_hour = Duration::from_secs(1800);
    assert_eq!((redis.plan.flap.takeovers, redis.plan.flap.window), (4, half_an_hour));
    assert_eq!(
        redis.plan.giveback,
        Giveback::Auto {
            delay: Duration::from_secs(60),
            attempts: 2
        }
    );
    assert!(redis.plan.reboot && redis.reboot.as_ref().is_some_and(|reboot| !reboot.machine));
    let timing = Timing {
        drain: Duration::from_secs(45),
        answer: Duration::from_secs(12),
        stay_down: Duration::from_millis(1500),
        ..Timing::default()
    };
    assert_eq!(redis.plan.timing, timing);
    assert_eq!(redis.ports, [7101]);
    assert!(matches!(&redis.address, AddressConfig::Proxy(proxy) if proxy.server.port() == 7101 && !proxy.carry_idle));
    assert_eq!(
        redis.probe,
        Probe {
            interval: Duration::from_millis(500),
            timeout: Duration::from_secs(1),
            rise: 2,
            fall: 3
        }
    );

    let plugin = &redis.plugins[0];
    assert_eq!(plugin.name(), "redis");
    assert_eq!(
        plugin.path_in(&config.host.plugin_dir),
        Path::new("/usr/lib/understudy/plugins/redis.wasm")
    );
    assert!(plugin.grants.contains(&Ask::Endpoint("server".into())) && plugin.grants.contains(&Ask::System));
    assert_eq!(
        plugin.config,
        serde_json::json!({ "max-lag-bytes": 10_000_000, "ratio": 0.5, "hosts": ["a", "b"] })
    );
    assert_eq!(plugin.endpoints["server"], Endpoint::Tcp("127.0.0.1:7101".into()));
    assert_eq!(
        plugin.endpoints["admin"],
        Endpoint::Tls {
            address: "db.example:6380".into(),
            server_name: "db.example".into(),
            ca_file: None,
            client: None
        }
    );
    assert!(
        plugin.commands["start"].changes,
        "a command is fenced unless it is said to be harmless"
    );
    assert_eq!(plugin.commands["start"].timeout, Duration::from_secs(10));
    assert_eq!(plugin.secrets["password"], Path::new("/etc/understudy/redis.password"));

    assert!(matches!(&web.address, AddressConfig::Vip(vip) if vip.interface == "eth0" && vip.ports == [80, 443]));
    assert_eq!(web.plan.giveback, Giveback::Manual);
    let at_once = GOOD.replacen("policy = \"auto\"", "policy = \"auto\"\ndelay = \"0s\"", 1);
    assert_eq!(
        load(&at_once).unwrap().services[0].plan.giveback,
        Giveback::Auto {
            delay: Duration::ZERO,
            attempts: 2
        }
    );
    assert_eq!(web.plan.timing, Timing::default());
}

#[test]
fn an_unknown_key_is_found_with_what_was_meant() {
    assert_eq!(
        with("interval = \"500ms\"", "intervall = \"500ms\""),
        "u.toml:48:1: unknown key `intervall` in [service.probe]\n   \
           48 | intervall = \"500ms\"\n      \
              | ^^^^^^^^^\n      \
              mend: did you mean `interval`?\n\n\
         1 error in the configuration"
    );
    assert_eq!(
        with("[api]", "[api]\ncolour = 3"),
        "u.toml:7:1: unknown key `colour` in [api]\n    \
            7 | colour = 3\n      \
              | ^^^^^^\n      \
              mend: the keys here are listen, token_file, allowed_hosts\n\n\
         1 error in the configuration"
    );
}

#[test]
fn every_error_is_found_in_one_run_in_the_order_of_the_file() {
    let text = GOOD
        .replacen("name = \"alpha\"", "name = \"Alpha!\"", 1)
        .replacen("deadline = \"45s\"", "deadline = 45", 1)
        .replacen("policy = \"auto\"", "policy = \"atuo\"", 1)
        .replacen("interface = \"eth0\"", "", 1);
    assert_eq!(
        errors(&text),
        "u.toml:2:8: `name`: \"Alpha!\" is not a name: use 1 to 63 of a-z, 0-9, '-', '_', '.', starting with a letter or a digit\n    \
            2 | name = \"Alpha!\"\n      \
              |        ^^^^^^^^\n\n\
         u.toml:55:12: `deadline`: this must be a length of time in quotes, and it is a whole number\n   \
           55 | deadline = 45\n      \
              |            ^^\n      \
              mend: write a number with a unit: \"500ms\", \"10s\", \"2m\" or \"1h\"\n\n\
         u.toml:64:10: `policy`: \"atuo\" is none of \"manual\", \"auto\"\n   \
           64 | policy = \"atuo\"\n      \
              |          ^^^^^^\n      \
              mend: did you mean \"auto\"?\n\n\
         u.toml:79:1: [service.address] needs `interface`\n   \
           79 | [service.address]\n      \
              | ^^^^^^^^^^^^^^^^^\n      \
              mend: add interface = \"eth0\" (the interface to put them on)\n\n\
         4 errors in the configuration"
    );
}

#[test]
fn what_does_not_fit_together_names_both_places() {
    assert_eq!(
        with("name = \"web\"", "name = \"redis\""),
        "u.toml:74:8: the service redis is here twice\n   \
           74 | name = \"redis\"\n      \
              |        ^^^^^^^\n      \
              first: u.toml:18:8\n      \
              mend: rename one, or remove it\n\n\
         1 error in the configuration"
    );
    assert_eq!(
        with("listen = [\"127.0.0.1:7001\"]", "listen = [\"0.0.0.0:7420\"]"),
        "u.toml:24:11: 0.0.0.0:7420 is taken: the API listens there\n   \
           24 | listen = [\"0.0.0.0:7420\"]\n      \
              |           ^^^^^^^^^^^^^^\n      \
              there: u.toml:7:10\n      \
              mend: use another port\n\n\
         1 error in the configuration"
    );
}

#[test]
fn the_wrong_mode_is_not_an_unknown_key() {
    assert_eq!(
        with(
            "server = \"127.0.0.1:7101\"",
            "server = \"127.0.0.1:7101\"\ninterface = \"eth0\""
        ),
        "u.toml:26:13: `interface` belongs to mode \"vip\"\n   \
           26 | interface = \"eth0\"\n      \
              |             ^^^^^^\n      \
              mend: remove it, or set mode = \"vip\"\n\n\
         1 error in the configuration"
    );
}

#[test]
fn a_grant_without_a_declaration_says_what_to_add() {
    let text = with("\"command:start\"", "\"command:restart\"");
    assert!(
        text.contains("`grant`: command:restart is granted, and nothing of that name is declared"),
        "{text}"
    );
    assert!(
        text.contains("add [service.plugin.commands.restart] with argv"),
        "{text}"
    );
    let text = with("\"command:start\"", "\"cmd:start\"");
    assert!(
        text.contains("\"cmd:start\" is nothing a plugin can be granted: write `endpoint:NAME`"),
        "{text}"
    );
}

#[test]
fn candidates_are_known_hosts_and_this_host_is_one() {
    let text = with(
        "candidates = [\"alpha\", \"beta\"]",
        "candidates = [\"beta\", \"gamma\", \"beta\"]",
    );
    for part in [
        "this host, alpha, is no candidate of redis",
        "gamma is neither this host nor a peer",
        "add [[cluster.peer]] with name = \"gamma\"",
        "beta is here twice",
        "3 errors",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(with("candidates = [\"alpha\", \"beta\"]", "").contains("[service] needs `candidates`"));
}

#[test]
fn each_mistake_has_its_message() {
    for (from, to, message) in [
        (
            "listen = \"127.0.0.1:7420\"",
            "listen = \"192.0.2.1:7420\"",
            "without a token",
        ),
        (
            "name = \"beta\"",
            "name = \"alpha\"",
            "alpha is this host, and no peer of itself",
        ),
        (
            "address = \"192.0.2.2:7421\"",
            "address = \"192.0.2.2\"",
            "is no host with a port",
        ),
        (
            "state_dir = \"/var/lib/understudy\"",
            "state_dir = \"var\"",
            "is not an absolute path",
        ),
        (
            "timeout = \"1s\"",
            "timeout = \"2s\"",
            "make `timeout` at most `interval` times `fall`",
        ),
        (
            "timeout = \"1s\"",
            "timeout = \"0s\"",
            "this must be longer than nothing",
        ),
        ("timeout = \"1s\"", "timeout = \"9000h\"", "is longer than a year"),
        ("rise = 2", "rise = 0", "this must be between 1 and 1000"),
        (
            "rise = 2",
            "rise = \"2\"",
            "this must be a whole number, and it is a text",
        ),
        (
            "answer = \"12s\"",
            "answer = \"3s\"",
            "the holder would give up while the candidate still assesses",
        ),
        (
            "answer = \"12s\"",
            "drain = \"12s\"",
            "set `deadline` in [service.drain]",
        ),
        (
            "stay_down = \"1500ms\"",
            "stay-down = \"1s\"",
            "did you mean `stay_down`?",
        ),
        (
            "server = \"127.0.0.1:7101\"",
            "server = \"127.0.0.1:7001\"",
            "can't be the local server: the service redis listens there",
        ),
        (
            "addresses = [\"192.0.2.10/24\"]",
            "addresses = [\"192.0.2.10\"]",
            "is not an address with a prefix length",
        ),
        (
            "ports = [80, 443]",
            "",
            "every connection to these addresses would wait",
        ),
        ("mode = \"vip\"", "mode = \"vpi\"", "did you mean \"vip\"?"),
        ("component = \"redis.wasm\"", "", "[service.plugin] needs `component`"),
        (
            "tcp = \"127.0.0.1:7101\"",
            "",
            "an endpoint is one of `tcp`, `unix` and `tls`",
        ),
        (
            "tcp = \"127.0.0.1:7101\"",
            "tcp = \"a:1\"\nca_file = \"/x\"",
            "`ca_file` belongs to a `tls` endpoint",
        ),
        (
            "tls = \"db.example:6380\"",
            "tls = \"db.example:6380\"\nkey_file = \"/k\"",
            "`cert_file` and `key_file` belong together",
        ),
        (
            "argv = [\"/usr/bin/redis-server\"",
            "argv = [\"redis-server\"",
            "begin with the program's absolute path",
        ),
        (
            "\"/etc/redis/x.conf\"]",
            "\"{file}\"]",
            "no parameter of that name is declared",
        ),
        ("digest = \"sha256:", "digest = \"md5:", "this is no digest"),
        ("ratio = 0.5", "ratio = nan", "can't be given to a plugin"),
        ("[cluster]", "[clutser]", "did you mean `cluster`?"),
        (
            "[[service]]\nname = \"web\"",
            "[[sevrice]]\nname = \"web\"",
            "did you mean `service`?",
        ),
        (
            "[[cluster.peer]]",
            "[cluster.peer]",
            "this must be written as [[cluster.peer]]",
        ),
    ] {
        let text = with(from, to);
        assert!(text.contains(message), "{to:?} should say {message:?}:\n{text}");
        let unplaced = text.lines().filter(|line| line.starts_with("u.toml:")).count();
        assert!(unplaced > 0, "{to:?} has no place:\n{text}");
    }
}

#[test]
fn broken_toml_is_shown_where_it_breaks_and_nothing_is_guessed_from_the_rest() {
    let text = with("mode = \"proxy\"", "mode = proxy");
    assert!(text.contains("u.toml:23:8: not TOML:"), "{text}");
    assert!(!text.contains("needs"), "{text}");
    assert!(errors("a = 1\na = 2\n[x\n").contains("not TOML"));
    assert!(errors("").contains("the file needs `host`"));
}

#[test]
fn further_files_add_services_and_nothing_else() {
    let more = "[[service]]\nname = \"web\"\nserver_type = \"nginx\"\ncandidates = [\"alpha\"]\n[service.address]\n\
                mode = \"proxy\"\nlisten = [\"127.0.0.1:8001\"]\nserver = \"127.0.0.1:8101\"\n[[service.plugin]]\n\
                component = \"nginx.wasm\"\n";
    let load = |second: &str| {
        let sources = vec![
            Source::new(Path::new("u.toml"), GOOD),
            Source::new(Path::new("conf.d/web.toml"), second),
        ];
        Config::from_sources(sources, Depth::Text)
    };
    assert_eq!(
        load(more).unwrap_err().to_string(),
        "conf.d/web.toml:2:8: the service web is here twice\n    \
            2 | name = \"web\"\n      \
              |        ^^^^^\n      \
              first: u.toml:74:8\n      \
              mend: rename one, or remove it\n\n\
         1 error in the configuration"
    );
    assert_eq!(load(&more.replace("\"web\"", "\"third\"")).unwrap().services.len(), 3);
    let text = load("[host]\nname = \"beta\"\n").unwrap_err().to_string();
    assert!(
        text.contains("conf.d/web.toml:1:1: [host] can't stand in a file of conf.d"),
        "{text}"
    );
}
