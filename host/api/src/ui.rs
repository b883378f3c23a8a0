//! The embedded page: what `make web` built into `ui-dist/`, or a line that says how to build it.
//!
//! Invariant: the page holds no data and needs no token; everything it shows comes through `/api/v1`. Paths of the
//! API never end here as a page: a mistyped one is a 404.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{Embed, EmbeddedFile};

use crate::idempotency::hex;
use crate::wire::Problem;

#[derive(Embed)]
#[folder = "ui-dist"]
#[exclude = ".git*"]
struct Files;

/// Whatever is not a route: a file of the page, or the page itself, which has routes of its own.
pub(crate) async fn page(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    page_of::<Files>(&method, &uri, &headers)
}

fn page_of<F: Embed>(method: &Method, uri: &Uri, headers: &HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let is_api = path == "api" || path.starts_with("api/");
    if is_api {
        return Problem::from_status(StatusCode::NOT_FOUND).into_response();
    }
    if *method != Method::GET && *method != Method::HEAD {
        let allow = [(header::ALLOW, HeaderValue::from_static("GET,HEAD"))];
        return (allow, Problem::from_status(StatusCode::METHOD_NOT_ALLOWED)).into_response();
    }
    let wanted_as_page = !path.starts_with(HASHED) && (!names_file(path) || wants_html(headers));
    match (F::get(path), F::get(INDEX)) {
        (Some(file), _) if !path.is_empty() => send(path, file, headers),
        _ if !wanted_as_page => Problem::from_status(StatusCode::NOT_FOUND).into_response(),
        (_, Some(index)) => send(INDEX, index, headers),
        (_, None) => placeholder(),
    }
}

/// Whether the path looks like a file's. Services may have dots in their names, so this alone decides nothing.
fn names_file(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|last| last.contains('.'))
}

/// Whether somebody went to this address, as opposed to a page that loads a part of itself.
fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| text.contains("text/html"))
}

fn send(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let etag = format!("\"{}\"", hex(&file.metadata.sha256_hash()[..16]));
    let caching = if path.starts_with(HASHED) { FOR_EVER } else { ASK_AGAIN };
    let unchanged = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|text| text.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag))
    });
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let media_type = [(header::CONTENT_TYPE, HeaderValue::from_static(media_type(path)))];
        let body = match file.data {
            Cow::Borrowed(bytes) => Body::from(bytes),
            Cow::Owned(bytes) => Body::from(bytes),
        };
        (media_type, body).into_response()
    };
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    response
}

/// What a page of ours consists of; nothing else is in `ui-dist/`.
fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn placeholder() -> Response {
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static(ASK_AGAIN)),
    ];
    (headers, PLACEHOLDER).into_response()
}

const INDEX: &str = "index.html";

/// Vite writes files here whose names change with their content.
const HASHED: &str = "assets/";

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Ask again each time; the `ETag` makes that cheap.
const ASK_AGAIN: &str = "no-cache";

const PLACEHOLDER: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>understudy</title>\n\
    <h1>understudy</h1>\n<p>This daemon was built without its page. Run <code>make web</code>, then build it again.</p>\n\
    <p>The API is here all the same: <a href=\"/openapi.json\">/openapi.json</a>, \
    <a href=\"/api/v1/hosts\">/api/v1/hosts</a>.</p>\n</html>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Embed)]
    #[folder = "tests/page"]
    struct Built;

    #[derive(Embed)]
    #[folder = "tests/no-page"]
    #[exclude = ".git*"]
    struct NotBuilt;

    const SCRIPT: &str = "/assets/app-1a2b3c.js";

    fn get<F: Embed>(path: &str, headers: &[(header::HeaderName, &str)]) -> Response {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        let headers = headers.iter().map(|(name, text)| (name.clone(), value(text))).collect();
        page_of::<F>(&Method::GET, &path.parse().unwrap(), &headers)
    }

    fn seen(response: &Response) -> (u16, &str, &str) {
        let text = |name| {
            response
                .headers()
                .get(name)
                .map_or("", |value: &HeaderValue| value.to_str().unwrap())
        };
        (
            response.status().as_u16(),
            text(header::CONTENT_TYPE),
            text(header::CACHE_CONTROL),
        )
    }

    #[test]
    fn the_page_is_asked_for_again_and_its_parts_are_kept() {
        for path in ["/", "/index.html", "/services/redis"] {
            assert_eq!(
                seen(&get::<Built>(path, &[])),
                (200, "text/html; charset=utf-8", ASK_AGAIN),
                "{path}"
            );
        }
        assert_eq!(
            seen(&get::<Built>(SCRIPT, &[])),
            (200, "text/javascript; charset=utf-8", FOR_EVER)
        );
    }

    #[test]
    fn what_is_not_there_is_not_the_page() {
        for path in [
            "/assets/app-old.js",
            "/none.png",
            "/api/v1/none",
            "/api",
            "/../Cargo.toml",
            "/assets",
        ] {
            let status = get::<Built>(path, &[]).status().as_u16();
            assert_eq!(status, if path == "/assets" { 200 } else { 404 }, "{path}");
        }
        let html = [(header::ACCEPT, "text/html,*/*")];
        assert_eq!(get::<Built>("/services/redis.main", &html).status(), StatusCode::OK);
        assert_eq!(
            get::<Built>("/assets/app-old.js", &html).status(),
            StatusCode::NOT_FOUND
        );
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let etag = get::<Built>("/", &[]).headers()[header::ETAG]
            .to_str()
            .unwrap()
            .to_owned();
        let had = |tags: &str| get::<Built>("/", &[(header::IF_NONE_MATCH, tags)]).status().as_u16();
        assert_eq!(
            (had(&etag), had(&format!("\"x\", W/{etag}")), had("\"x\"")),
            (304, 304, 200)
        );
    }

    #[test]
    fn a_daemon_without_its_page_says_how_to_build_it() {
        let response = get::<NotBuilt>("/", &[]);
        assert_eq!(seen(&response), (200, "text/html; charset=utf-8", ASK_AGAIN));
        assert!(PLACEHOLDER.contains("make web"));
        assert_eq!(get::<NotBuilt>(SCRIPT, &[]).status(), StatusCode::NOT_FOUND);
    }
}
