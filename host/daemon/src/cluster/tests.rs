//! Founding, inviting, joining: on real files.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;

use super::*;

fn name(text: &str) -> HostName {
    HostName::new(text).unwrap()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn founded() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    init(&directory.path().join("id"), &name("alpha"), false).unwrap();
    directory
}

#[test]
fn a_host_founds_and_another_joins() {
    let (first, second) = (founded(), tempfile::tempdir().unwrap());
    let (first, second) = (first.path().join("id"), second.path().join("deep/id"));
    let bundle = invite(&first, &name("beta")).unwrap();
    let joined = join(&second, &bundle, false).unwrap();
    let founder = show(&first).unwrap();

    assert_eq!((founder.host.as_str(), joined.host.as_str()), ("alpha", "beta"));
    assert_eq!(founder.authority, joined.authority);
    assert_ne!(founder.certificate, joined.certificate);
    assert!(founder.can_invite && !joined.can_invite);
    assert!(joined.certificate_expires < joined.authority_expires);
    let remaining = Identity::load(&second).unwrap().remaining().unwrap();
    assert!(remaining > Duration::from_secs(9 * 365 * 24 * 3600), "{remaining:?}");
}

#[test]
fn private_files_are_private_and_the_authoritys_key_stays() {
    let (first, second) = (founded(), tempfile::tempdir().unwrap());
    let first = first.path().join("id");
    let second = second.path().join("id");
    join(&second, &invite(&first, &name("beta")).unwrap(), false).unwrap();
    assert_eq!((mode(&first), mode(&second)), (0o700, 0o700));
    for file in ["ca-key.pem", "ca.pem", "cert.pem", "key.pem"] {
        assert_eq!(mode(&first.join(file)), 0o600, "{file}");
    }
    assert!(!second.join("ca-key.pem").exists());
    let refused = invite(&second, &name("gamma")).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("only the host where `understudy cluster init` ran"),
        "{refused}"
    );
}

#[test]
fn nothing_is_overwritten_unless_forced() {
    let first = founded();
    let first = first.path().join("id");
    let before = show(&first).unwrap();
    let refused = init(&first, &name("alpha"), false).unwrap_err();
    assert!(matches!(refused, ClusterError::Exists { .. }), "{refused}");
    assert_eq!(show(&first).unwrap(), before);
    assert_ne!(init(&first, &name("alpha"), true).unwrap().authority, before.authority);

    let bundle = invite(&first, &name("beta")).unwrap();
    assert!(matches!(join(&first, &bundle, false), Err(ClusterError::Exists { .. })));
    assert_eq!(join(&first, &bundle, true).unwrap().host, name("beta"));
    assert!(
        !first.join("ca-key.pem").exists(),
        "an authority's key that signed nothing here must not stay"
    );
}

#[test]
fn a_bundle_must_be_whole_and_fresh() {
    let (first, second) = (founded(), tempfile::tempdir().unwrap());
    let bundle = invite(&first.path().join("id"), &name("beta")).unwrap();
    let into = second.path().join("id");
    let old: Vec<String> = bundle
        .lines()
        .map(|line| {
            if line.starts_with("use-before-unix:") {
                "use-before-unix: 1000".into()
            } else {
                line.to_owned()
            }
        })
        .collect();
    assert!(matches!(
        join(&into, &old.join("\n"), false),
        Err(ClusterError::BundleTooOld { .. })
    ));
    assert!(matches!(
        join(&into, "hello", false),
        Err(ClusterError::NotABundle { .. })
    ));
    assert!(matches!(
        join(&into, &bundle[..bundle.len() - 80], false),
        Err(ClusterError::NotABundle { .. })
    ));
    assert!(!into.exists(), "a refused bundle must leave nothing behind");
}

#[test]
fn parts_of_different_identities_are_no_identity() {
    let (one, two) = (founded(), founded());
    let (one, two) = (one.path().join("id"), two.path().join("id"));
    std::fs::copy(one.join("key.pem"), two.join("key.pem")).unwrap();
    let error = Identity::load(&two).unwrap_err().to_string();
    assert!(error.contains("the key does not belong to the certificate"), "{error}");
    std::fs::copy(one.join("cert.pem"), two.join("cert.pem")).unwrap();
    let error = Identity::load(&two).unwrap_err().to_string();
    assert!(error.contains("the authority in ca.pem did not sign it"), "{error}");
}

#[test]
fn an_exposed_key_is_refused_with_its_mend() {
    let first = founded();
    let key = first.path().join("id/key.pem");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = Identity::load(&first.path().join("id")).unwrap_err().to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

#[test]
fn a_missing_identity_says_how_to_make_one() {
    let error = Identity::load(Path::new("/nonexistent/identity"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("understudy cluster init") && error.contains("understudy cluster join"),
        "{error}"
    );
}

#[test]
fn a_name_that_is_no_dns_name_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let refused = init(&directory.path().join("id"), &name("a..b"), false);
    assert!(matches!(refused, Err(ClusterError::NotADnsName { .. })));
}
