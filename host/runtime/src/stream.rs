//! Opens the byte stream behind an endpoint's name: TCP, TLS or a unix socket.

use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

use crate::target::{ClientCertificate, Endpoint};

/// A byte stream, whatever carries it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects. The error is in words that name no address: a guest reads them.
pub(crate) async fn open(endpoint: &Endpoint) -> Result<Box<dyn Stream>, String> {
    match endpoint {
        Endpoint::Tcp { address } => Ok(Box::new(tcp(address).await?)),
        Endpoint::Unix { path } => match UnixStream::connect(path).await {
            Ok(stream) => Ok(Box::new(stream)),
            Err(error) => Err(reason(&error)),
        },
        Endpoint::Tls {
            address,
            server_name,
            authorities,
            client,
        } => {
            let config = tls_config(authorities.as_deref(), client.as_ref()).await?;
            let name = ServerName::try_from(server_name.clone())
                .map_err(|_| "the endpoint's server-name is neither a host name nor an address".to_owned())?;
            let stream = tcp(address).await?;
            let connected = TlsConnector::from(config).connect(name, stream).await;
            Ok(Box::new(connected.map_err(|error| tls_reason(&error))?))
        }
    }
}

/// What an HTTP request calls the server.
pub(crate) fn authority(endpoint: &Endpoint) -> &str {
    match endpoint {
        Endpoint::Tcp { address } => address,
        Endpoint::Tls { server_name, .. } => server_name,
        Endpoint::Unix { .. } => "localhost",
    }
}

async fn tcp(address: &str) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(address).await.map_err(|error| reason(&error))?;
    // Probes are short questions: waiting to fill a packet only delays them.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// The kind only: the full text may hold the address.
fn reason(error: &std::io::Error) -> String {
    error.kind().to_string()
}

/// What went wrong with TLS, without the names in the certificate; those are in the daemon's log.
fn tls_reason(error: &std::io::Error) -> String {
    tracing::debug!(%error, "a TLS endpoint was refused");
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let what = match inner {
        None => return format!("TLS: {}", error.kind()),
        Some(rustls::Error::InvalidCertificate(reason)) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the certificate is not valid yet"
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                "the certificate is signed by nobody that the endpoint's authorities know"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the certificate is for another name than the endpoint's server_name"
            }
            // Foreign and growing: every other reason is told in the log.
            _ => "the certificate is not accepted; the daemon's log says why",
        },
        Some(_) => "the handshake failed; the daemon's log says why",
    };
    format!("TLS: {what}")
}

async fn tls_config(
    authorities: Option<&[u8]>,
    client: Option<&ClientCertificate>,
) -> Result<Arc<ClientConfig>, String> {
    let machine;
    let authorities = match authorities {
        Some(pem) => pem,
        None => {
            machine = tokio::fs::read(MACHINE_AUTHORITIES).await.map_err(|error| {
                format!(
                    "{MACHINE_AUTHORITIES}: {error}; install ca-certificates or give the endpoint its own authorities"
                )
            })?;
            &machine
        }
    };
    let mut roots = RootCertStore::empty();
    let (good, _) = roots.add_parsable_certificates(certificates(authorities)?);
    if good == 0 {
        return Err("the endpoint's authorities hold no certificate".to_owned());
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(ClientCertificate { chain, key }) => {
            let key = PrivateKeyDer::from_pem_slice(key.reveal())
                .map_err(|_| "the endpoint's client key is no PEM private key".to_owned())?;
            builder
                .with_client_auth_cert(certificates(chain)?, key)
                .map_err(|error| format!("the endpoint's client certificate: {error}"))?
        }
    };
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("a damaged certificate: {error}"))
}

/// Where Debian, and most others by a link, keep what they trust.
const MACHINE_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
