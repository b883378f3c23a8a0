//! What the machine says of itself and of the service's connections: the real kernel's answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use serde_json::{Value, json};
use understudy_runtime::ConnectionAnnotator;

use crate::support::{GUARD, Seen, check, context, probe, target};

#[tokio::test]
async fn readings_are_those_of_the_prefix() {
    let mut target = target("system", json!({"do": "system", "prefix": "disk."}));
    target.disks = vec!["/".into()];
    let report = check(target.clone(), context()).await.unwrap();
    assert!(report.readings.iter().all(|reading| reading.key.starts_with("disk.")));
    let total = report
        .readings
        .iter()
        .find(|reading| reading.key == "disk.total")
        .unwrap();
    assert!(total.value > 0.0 && total.unit == "B");
    assert_eq!(total.attributes, [("path".to_owned(), "/".to_owned())]);

    target.config = json!({"do": "system", "prefix": ""}).to_string();
    let report = check(target, context()).await.unwrap();
    for key in ["load.one", "memory.available", "disk.available", "uptime", "link.up"] {
        assert!(report.readings.iter().any(|reading| reading.key == key), "{key}");
    }
}

struct Client;

impl ConnectionAnnotator for Client {
    fn annotate(&self, local: SocketAddr, remote: SocketAddr) -> Vec<(String, String)> {
        vec![
            ("client".to_owned(), format!("192.0.2.9:{}", remote.port())),
            ("of".to_owned(), local.to_string()),
        ]
    }
}

/// A listening port with some clients, all accepted.
struct Server {
    port: u16,
    clients: Vec<TcpStream>,
    accepted: Vec<TcpStream>,
    _listener: TcpListener,
}

impl Server {
    fn new(address: &str, clients: usize) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let local = listener.local_addr().unwrap();
        let mut server = Self {
            port: local.port(),
            clients: Vec::new(),
            accepted: Vec::new(),
            _listener: listener,
        };
        for _ in 0..clients {
            server.clients.push(TcpStream::connect(local).unwrap());
            server.accepted.push(server._listener.accept().unwrap().0);
        }
        server
    }

    /// The connection of one client, as a plugin sees it.
    fn entry(&self, seen: &Seen, client: usize) -> Value {
        let remote = self.clients[client].local_addr().unwrap().to_string();
        let entries = seen.iter().filter(|(key, _)| key.starts_with("connection-"));
        let entries: Vec<Value> = entries.map(|(_, entry)| serde_json::from_str(entry).unwrap()).collect();
        entries
            .into_iter()
            .find(|entry| entry["remote"] == remote)
            .expect("the client is listed")
    }
}

#[tokio::test]
async fn connections_of_the_services_ports_are_listed() {
    let mut server = Server::new("127.0.0.1:0", 3);
    let other = Server::new("127.0.0.1:0", 2);
    let mut target = target("sockets", json!({"do": "sockets", "page": 2}));
    target.ports = vec![server.port];
    target.annotator = Some(Arc::new(Client));

    // The first asked and was answered, the second asked and was heard, the third's question was not even read.
    server.clients[0].write_all(b"question").unwrap();
    server.accepted[0].read_exact(&mut [0; 8]).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    server.accepted[0].write_all(b"answer").unwrap();
    server.clients[1].write_all(b"question").unwrap();
    server.accepted[1].read_exact(&mut [0; 8]).unwrap();
    server.clients[2].write_all(b"question").unwrap();

    let seen = probe(target).await;
    assert_eq!(
        (seen["total"].as_str(), seen["listed"].as_str(), seen["pages"].as_str()),
        ("3", "3", "2")
    );
    let awaits: Vec<Value> = (0..3)
        .map(|client| server.entry(&seen, client)["attributes"]["awaiting-answer"].clone())
        .collect();
    assert_eq!(awaits, ["false", "true", "true"]);
    let entry = server.entry(&seen, 2);
    assert_eq!(entry["state"], "established");
    assert_eq!(entry["receive-queue"], 8);
    assert_eq!(entry["local"], format!("127.0.0.1:{}", server.port));
    assert_eq!(entry["attributes"]["bytes-received"], "8");
    let port = server.clients[2].local_addr().unwrap().port();
    assert_eq!(entry["attributes"]["client"], format!("192.0.2.9:{port}"));
    drop(other);
}

#[tokio::test]
async fn states_change_and_connections_go() {
    let mut server = Server::new("127.0.0.1:0", 2);
    let mut target = target("sockets-states", json!({"do": "sockets"}));
    target.ports = vec![server.port];
    server.clients[0].shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(server.entry(&probe(target.clone()).await, 0)["state"], "close-wait");
    server.accepted.clear();
    server.clients.clear();
    let gone = async {
        while probe(target.clone()).await["total"] != "0" {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(GUARD, gone)
        .await
        .expect("closed connections stay listed");
    target.ports.clear();
    assert_eq!(probe(target).await["total"], "0", "no ports, no connections");
}

#[tokio::test]
async fn both_families_are_listed() {
    let server = Server::new("[::1]:0", 1);
    let mut target = target("sockets-6", json!({"do": "sockets"}));
    target.ports = vec![server.port];
    let seen = probe(target).await;
    assert_eq!(server.entry(&seen, 0)["local"], format!("[::1]:{}", server.port));
}
