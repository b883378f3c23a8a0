//! Real servers for the tests: started on free ports of the loopback with their own data, ended by their own pids.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, SanType};
use tempfile::TempDir;

/// A child that ends with its owner.
struct Process(Child);

impl Process {
    fn start(program: &str, package: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn();
        Self(child.unwrap_or_else(|error| panic!("{program}: {error}; run `apt-get install {package}`")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Redis on a TCP port and on a unix socket.
pub(crate) struct Redis {
    pub(crate) port: u16,
    directory: TempDir,
    _process: Process,
}

impl Redis {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let port = free_port();
        let socket = directory.path().join("redis.sock");
        let arguments = [
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--unixsocket",
            socket.to_str().unwrap(),
            "--save",
            "",
            "--dir",
            directory.path().to_str().unwrap(),
        ];
        let process = Process::start("redis-server", "redis-server", &arguments);
        let redis = Self {
            port,
            directory,
            _process: process,
        };
        eventually("redis answers", || UnixStream::connect(redis.socket()).is_ok()).await;
        eventually("redis answers", || TcpStream::connect(redis.address()).is_ok()).await;
        redis
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("redis.sock")
    }
}

/// An nginx that speaks HTTP on one port and HTTPS on two more: the last wants a client's certificate.
pub(crate) struct Nginx {
    pub(crate) http: u16,
    pub(crate) https: u16,
    pub(crate) https_for_known: u16,
    /// PEM of who signed its certificate.
    pub(crate) authority: String,
    /// PEM of a client's certificate and key, signed by the same.
    pub(crate) client: (String, String),
    _directory: TempDir,
    _process: Process,
}

impl Nginx {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [http, https, https_for_known] = [free_port(), free_port(), free_port()];
        let authority = authority();
        let (certificate, key) = signed(&authority, "web.test");
        let client = signed(&authority, "probe.test");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        write("authority.pem", &authority.pem());
        write("certificate.pem", &certificate);
        write("key.pem", &key);
        write("large", &"x".repeat(100_000));
        let at = directory.path().display().to_string();
        let tls = format!("ssl_certificate {at}/certificate.pem; ssl_certificate_key {at}/key.pem;");
        let places = format!(
            "location /status {{ return 200 'Active connections: 1 of $http_host\\n'; }}
             location /echo {{ return 200 '$request_method $http_x_from $content_length'; }}
             location /large {{ root {at}; }}"
        );
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;
             events {{ }}
             http {{
               access_log off; client_body_temp_path {at}/body; proxy_temp_path {at}/proxy;
               fastcgi_temp_path {at}/fastcgi; uwsgi_temp_path {at}/uwsgi; scgi_temp_path {at}/scgi;
               server {{ listen 127.0.0.1:{http}; {places} }}
               server {{ listen 127.0.0.1:{https} ssl; {tls} {places} }}
               server {{ listen 127.0.0.1:{https_for_known} ssl; {tls} {places}
                 ssl_client_certificate {at}/authority.pem; ssl_verify_client on; }}
             }}"
        );
        let config = write("nginx.conf", &config);
        let arguments = ["-c", &config, "-p", &at, "-e", &format!("{at}/error.log")];
        let process = Process::start("/usr/sbin/nginx", "nginx-light", &arguments);
        for port in [http, https, https_for_known] {
            eventually("nginx answers", || TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
        }
        let authority = authority.pem();
        Self {
            http,
            https,
            https_for_known,
            authority,
            client,
            _directory: directory,
            _process: process,
        }
    }
}

/// A certificate authority of its own.
pub(crate) fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = named("authority.test");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A certificate and its key.
fn signed(authority: &CertifiedIssuer<'static, KeyPair>, name: &str) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = named(name);
    params
        .subject_alt_names
        .push(SanType::DnsName(name.try_into().unwrap()));
    (params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

/// Names tell the signer from the signed.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// A port that accepts, and does with each connection what it is told: on a thread of its own.
pub(crate) fn listener(serve: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    port
}

/// A port that reads and never says a word.
pub(crate) fn silent() -> u16 {
    listener(|mut stream| {
        std::thread::spawn(move || while stream.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {});
    })
}

/// A port that answers everything with the same bytes, then closes.
pub(crate) fn saying(answer: &'static [u8]) -> u16 {
    listener(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer);
    })
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until something is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
