//! One HTTP/1.1 request on a stream that is already open.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{HOST, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;

use crate::bindings::understudy::plugin::endpoints::{HttpRequest, HttpResponse};
use crate::bindings::understudy::plugin::types::HostError;
use crate::imports::refuse;
use crate::stream::Stream;
use crate::threads::AbortOnDrop;

/// Checks a guest's request, before anything is connected.
pub(crate) fn prepare(request: HttpRequest) -> Result<Request<Full<Bytes>>, HostError> {
    let HttpRequest {
        method,
        path,
        headers,
        body,
    } = request;
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| refuse::invalid(format!("method {method:?}")))?;
    if method == Method::CONNECT {
        return Err(refuse::invalid("CONNECT: open a connection instead".to_owned()));
    }
    let uri = path.parse::<Uri>().ok().filter(|_| path.starts_with('/'));
    let uri = uri.ok_or_else(|| refuse::invalid(format!("path {path:?}: it must begin with / and be encoded")))?;
    let mut prepared = Request::new(Full::new(Bytes::from(body)));
    *prepared.method_mut() = method;
    *prepared.uri_mut() = uri;
    for (name, value) in headers {
        if THE_HOSTS_OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            return Err(refuse::invalid(format!("the header {name} is the host's to set")));
        }
        let bad = || refuse::invalid(format!("the header {name:?} is malformed"));
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        prepared
            .headers_mut()
            .append(key, HeaderValue::from_str(&value).map_err(|_| bad())?);
    }
    Ok(prepared)
}

/// Sends the request and reads the answer, up to `max_body` bytes of it. Ends with its caller.
pub(crate) async fn exchange(
    stream: Box<dyn Stream>,
    authority: &str,
    mut request: Request<Full<Bytes>>,
    max_body: usize,
) -> Result<HttpResponse, HostError> {
    let failed = |error: hyper::Error| refuse::failed(format!("HTTP: {error}"));
    if !request.headers().contains_key(HOST) {
        let host = HeaderValue::from_str(authority).map_err(|_| refuse::failed("the endpoint's address".to_owned()))?;
        request.headers_mut().insert(HOST, host);
    }
    let mut client = hyper::client::conn::http1::Builder::new();
    client.max_buf_size(LARGEST_HEAD_BYTES);
    let (mut sender, connection) = client.handshake(TokioIo::new(stream)).await.map_err(failed)?;
    let _connection = AbortOnDrop(tokio::spawn(connection));
    let response = sender.send_request(request).await.map_err(failed)?;
    read(response, max_body).await.map_err(failed)
}

async fn read(response: Response<hyper::body::Incoming>, max_body: usize) -> Result<HttpResponse, hyper::Error> {
    let status = response.status().as_u16();
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.to_string(), text(value)))
        .collect();
    let mut incoming = response.into_body();
    let mut body = Vec::new();
    let mut truncated = false;
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        let room = max_body - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if data.len() > room {
            truncated = true;
            break;
        }
    }
    Ok(HttpResponse {
        status,
        headers,
        body,
        truncated,
    })
}

/// What frames the message: a guest that set these could smuggle a second request.
const THE_HOSTS_OWN: [&str; 4] = ["content-length", "transfer-encoding", "connection", "upgrade"];
/// No server's head is larger.
const LARGEST_HEAD_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, path: &str, header: (&str, &str)) -> HttpRequest {
        HttpRequest {
            method: method.into(),
            path: path.into(),
            headers: vec![(header.0.into(), header.1.into())],
            body: Vec::new(),
        }
    }

    #[test]
    fn a_request_can_not_smuggle_another() {
        assert!(prepare(request("GET", "/status?full", ("accept", "text/plain"))).is_ok());
        for bad in [
            request("GET", "status", ("accept", "*")),
            request("GET", "http://other/", ("accept", "*")),
            request("GET", "/a b", ("accept", "*")),
            request("G T", "/", ("accept", "*")),
            request("CONNECT", "/", ("accept", "*")),
            request("GET", "/", ("Content-Length", "4")),
            request("GET", "/", ("a b", "4")),
            request("GET", "/", ("a", "4\r\nb: 5")),
        ] {
            assert_eq!(prepare(bad).unwrap_err().code, "invalid");
        }
    }
}
