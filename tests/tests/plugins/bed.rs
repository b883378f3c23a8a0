//! A folder, free ports, the sandbox, and the loaded component.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use understudy_runtime::{Limits, Plugin, Runtime, RuntimeConfig};

/// The sandbox and the folder of one test.
pub(crate) struct Bed {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) runtime: Runtime,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache_dir = shared_cache();
        let runtime = Runtime::new(RuntimeConfig {
            cache_dir,
            limits: Limits::default(),
        })
        .unwrap();
        Self { folder, runtime }
    }

    /// The component of `plugins/dist/NAME.wasm`.
    pub(crate) async fn plugin(&self, name: &str) -> Arc<Plugin> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../plugins/dist/{name}.wasm"));
        assert!(path.exists(), "{} is missing: run plugins/build first", path.display());
        self.runtime.load(&path).await.unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Compiling once for all tests saves them most of their time.
fn shared_cache() -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache");
    std::fs::create_dir_all(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    path
}

/// A port of the loopback that nobody has at the moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// The program of that name, or a failure that says which package has it.
pub(crate) fn program(name: &str, package: &str) -> String {
    let places = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin"];
    let found = places
        .iter()
        .map(|place| format!("{place}/{name}"))
        .find(|path| Path::new(path).exists());
    found.unwrap_or_else(|| panic!("{name} is missing: install it with `apt-get install {package}`"))
}

/// Runs a program to its end.
pub(crate) fn run(argv: &[&str]) -> Output {
    Command::new(argv[0]).args(&argv[1..]).output().unwrap()
}

/// Asks `what` again and again until it says yes; fails after ten seconds with `name`.
pub(crate) fn until(name: &str, mut what: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !what() {
        assert!(Instant::now() < end, "never came true: {name}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends the process whose number is in this file, if it still runs. Only processes that a test started write such files here.
pub(crate) fn end_process_of(pid_file: &Path) {
    let Some(pid) = std::fs::read_to_string(pid_file)
        .ok()
        .and_then(|text| text.trim().parse::<i32>().ok())
    else {
        return;
    };
    let Some(pid) = rustix::process::Pid::from_raw(pid) else {
        return;
    };
    // It may be gone already.
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
}
