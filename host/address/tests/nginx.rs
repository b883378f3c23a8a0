//! A switch between two real nginx, as the daemon does it, with clients that never stop asking.
#![allow(clippy::unwrap_used)]

mod bed;

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bed::{address, config, free};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use understudy_address::ProxyConfig;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_client_of_nginx_notices_a_switch() {
    let listen = free();
    let mut nginx = Nginx::start("host-0");
    let carrying = |server| ProxyConfig {
        carry_idle: true,
        ..config(listen, server)
    };
    let mut now = address(carrying(nginx.at), "host-0").await;
    now.take().await.unwrap();

    let going = Arc::new(AtomicBool::new(true));
    let kept: Vec<_> = (0..20)
        .map(|_| tokio::spawn(keep_asking(listen, going.clone())))
        .collect();
    let fresh = tokio::spawn(ask_afresh(listen, going.clone()));
    for round in 1..=3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let name: &'static str = ["", "host-1", "host-2", "host-3"][round];
        now.hold().await.unwrap();
        assert_eq!(now.wait_flows_idle(Duration::from_secs(5)).await, []);
        assert_eq!(now.quiesce(Duration::from_secs(5)).await.busy, []);
        tokio::task::block_in_place(|| nginx.quit());
        now.drop_address().await.unwrap();
        nginx = Nginx::start(name);
        let next = address(carrying(nginx.at), name).await;
        next.take().await.unwrap();
        now = next;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    going.store(false, Ordering::SeqCst);
    for client in kept {
        let answered = client.await.unwrap();
        for host in ["host-0", "host-1", "host-2", "host-3"] {
            assert!(
                answered.iter().any(|by| by == host),
                "one connection lives through all servers: {answered:?}"
            );
        }
    }
    assert!(fresh.await.unwrap() > 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_learns_who_its_client_is() {
    let listen = free();
    let nginx = Nginx::start_with("proxy_protocol", "$proxy_protocol_addr $proxy_protocol_port");
    let telling = ProxyConfig {
        proxy_protocol: true,
        ..config(listen, nginx.at)
    };
    let address = address(telling, "host").await;
    address.take().await.unwrap();
    let mut stream = BufReader::new(TcpStream::connect(listen).await.unwrap());
    let own = stream.get_ref().local_addr().unwrap();
    for _ in 0..2 {
        assert_eq!(get(&mut stream).await.unwrap(), format!("{} {}", own.ip(), own.port()));
    }
}

/// Twenty requests a second on one connection; who answered them.
async fn keep_asking(listen: SocketAddr, going: Arc<AtomicBool>) -> Vec<String> {
    let mut stream = BufReader::new(TcpStream::connect(listen).await.unwrap());
    let mut answered = Vec::new();
    while going.load(Ordering::SeqCst) {
        answered.push(
            get(&mut stream)
                .await
                .unwrap_or_else(|error| panic!("after {} answers: {error}", answered.len())),
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    answered
}

/// A hundred connections a second with one request each; how many.
async fn ask_afresh(listen: SocketAddr, going: Arc<AtomicBool>) -> usize {
    let mut running = tokio::task::JoinSet::new();
    let mut asked = 0;
    while going.load(Ordering::SeqCst) {
        asked += 1;
        running.spawn(async move {
            let mut stream = BufReader::new(TcpStream::connect(listen).await.unwrap());
            get(&mut stream).await.unwrap();
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    while let Some(client) = running.join_next().await {
        client.unwrap();
    }
    asked
}

async fn get(stream: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await?;
    let mut length = None;
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(text) = line.strip_prefix("Content-Length: ") {
            length = text.trim().parse::<usize>().ok();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length.unwrap()];
    stream.read_exact(&mut body).await?;
    Ok(String::from_utf8(body).unwrap())
}

struct Nginx {
    at: SocketAddr,
    child: Child,
    folder: PathBuf,
}

impl Nginx {
    fn start(name: &str) -> Self {
        Self::start_with("", name)
    }

    /// With options behind its listening address, and an answer of nginx's own language.
    fn start_with(options: &str, says: &str) -> Self {
        let at = free();
        let folder = std::env::temp_dir().join(format!("ustest-addr-{}-nginx-{}", std::process::id(), at.port()));
        fs::create_dir_all(&folder).unwrap();
        let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {}/{kind};\n", folder.display()))
            .concat();
        let text = format!(
            "daemon off;\npid {0}/pid;\nworker_processes 1;\nevents {{ worker_connections 512; }}\nhttp {{\n{temp}access_log off;\n\
             keepalive_requests 1000000;\nserver {{ listen {at} {options}; location / {{ return 200 \"{says}\"; }} }}\n}}\n",
            folder.display()
        );
        fs::write(folder.join("nginx.conf"), text).unwrap();
        let child = Command::new("nginx")
            .arg("-p")
            .arg(&folder)
            .arg("-c")
            .arg(folder.join("nginx.conf"))
            .arg("-e")
            .arg(folder.join("error.log"))
            .stdout(Stdio::null())
            .spawn()
            .expect("this test needs nginx (package nginx-light)");
        let nginx = Nginx { at, child, folder };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::net::TcpStream::connect(at).is_err() {
            assert!(
                Instant::now() < deadline,
                "nginx does not start: see {}",
                nginx.folder.display()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
        nginx
    }

    /// The graceful stop: it completes its requests and closes idle connections.
    fn quit(&mut self) {
        kill_process(Pid::from_child(&self.child), Signal::QUIT).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // The master takes its workers along.
            let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
            let _ = self.child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
