//! Right = asked ∩ granted; a denial says which of the two it was, and the line that would help.

use serde_json::json;
use understudy_runtime::{Endpoint, Secret};

use crate::support::{hostile, probe, target};

#[tokio::test]
async fn what_is_not_granted_is_refused_with_the_line() {
    let mut target = target("not-granted", json!({"do": "connect", "endpoint": "tcp"}));
    target.endpoints.insert(
        "tcp".into(),
        Endpoint::Tcp {
            address: "127.0.0.1:1".into(),
        },
    );
    target.granted = ["system".parse().unwrap()].into();
    let seen = probe(target).await;
    assert_eq!(seen["error"], "not-granted");
    assert_eq!(
        seen["hint"],
        "service \"not-granted\", in the [[service.plugin]] of hostile: \
         grant = [\"endpoint:tcp\", \"system\"]"
    );
}

#[tokio::test]
async fn what_is_not_asked_for_is_refused_though_granted() {
    let mut target = target("not-asked", json!({"do": "connect", "endpoint": "unasked"}));
    target.endpoints.insert(
        "unasked".into(),
        Endpoint::Tcp {
            address: "127.0.0.1:1".into(),
        },
    );
    let seen = probe(target).await;
    assert_eq!(seen["error"], "not-granted");
    assert!(seen["message"].contains("manifest does not ask"), "{}", seen["message"]);
    assert!(!seen.contains_key("hint"), "no line would help");
}

#[tokio::test]
async fn what_is_granted_and_not_declared_is_unknown() {
    for (config, line) in [
        (
            json!({"do": "connect", "endpoint": "tcp"}),
            "[service.plugin.endpoints.tcp]",
        ),
        (
            json!({"do": "run", "command": "echo"}),
            "[service.plugin.commands.echo]",
        ),
        (
            json!({"do": "secret", "secret": "password"}),
            "[service.plugin.secrets.password]",
        ),
    ] {
        let seen = probe(target("not-declared", config)).await;
        assert_eq!(seen["error"], "unknown-name");
        assert!(seen["hint"].contains(line), "{}", seen["hint"]);
    }
}

#[tokio::test]
async fn every_kind_is_checked() {
    for config in [
        json!({"do": "connect", "endpoint": "tcp"}),
        json!({"do": "http", "endpoint": "web", "path": "/"}),
        json!({"do": "run", "command": "echo"}),
        json!({"do": "secret", "secret": "password"}),
        json!({"do": "system"}),
        json!({"do": "sockets"}),
    ] {
        let mut target = target("nothing-granted", config.clone());
        target.granted.clear();
        assert_eq!(probe(target).await["error"], "not-granted", "{config}");
    }
}

#[tokio::test]
async fn a_secret_reaches_the_plugin_and_no_text() {
    let mut target = target("secret", json!({"do": "secret", "secret": "password"}));
    target.secrets.insert("password".into(), Secret::new("hunter2"));
    assert!(!format!("{target:?} {:?}", target.secrets).contains("hunter2"));
    assert_eq!(probe(target).await["secret"], "hunter2");
}

#[tokio::test]
async fn nothing_is_granted_at_install() {
    let found = hostile()
        .await
        .check_config(r#"{"do": "reach-at-install"}"#)
        .await
        .unwrap();
    assert_eq!(found.len(), 5);
    assert!(
        found.iter().all(|diagnostic| diagnostic.message == "not-granted"),
        "{found:?}"
    );
}

#[tokio::test]
async fn a_configuration_is_checked_by_the_plugin() {
    let plugin = hostile().await;
    assert!(plugin.check_config("{}").await.unwrap().is_empty());
    assert_eq!(plugin.check_config("[1]").await.unwrap()[0].message, "not an object");
}
