//! `endpoints`: byte streams and HTTP requests to places that the guest knows by name only.
//!
//! Invariant: a call that may change the server opens no connection, and writes no byte, once its term is old.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use wasmtime::component::Resource;

use crate::bindings::understudy::plugin::endpoints::{Host, HostConnection, HttpRequest, HttpResponse};
use crate::bindings::understudy::plugin::types::HostError;
use crate::capability::Ask;
use crate::http;
use crate::imports::refuse;
use crate::state::{CallState, Purpose};
use crate::stream::{self, Stream};
use crate::target::Endpoint;

/// An open connection of a guest's.
#[allow(unreachable_pub, reason = "the generated bindings re-export it")]
pub struct Connection {
    name: String,
    /// None once a write failed half way: nobody can say what the other side has.
    stream: Option<Box<dyn Stream>>,
}

impl Host for CallState {
    async fn connect(
        &mut self,
        name: String,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Resource<Connection>, HostError>> {
        let _entered = self.enter(format!("endpoints.connect({})", clip(&name)));
        if self.open_connections >= self.limits.connections {
            let message = format!("{} connections are open; close one first", self.open_connections);
            return Ok(Err(refuse::too_many(message)));
        }
        let allowed = self.allowed(timeout_ms);
        let endpoint = match self.endpoint(&name) {
            Ok(endpoint) => endpoint,
            Err(error) => return Ok(Err(error)),
        };
        let stream = match open(&name, &endpoint, allowed).await {
            Ok(stream) => stream,
            Err(error) => return Ok(Err(error)),
        };
        self.open_connections += 1;
        Ok(Ok(self.table.push(Connection {
            name,
            stream: Some(stream),
        })?))
    }

    async fn http(
        &mut self,
        name: String,
        request: HttpRequest,
        max_body: u32,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<HttpResponse, HostError>> {
        let _entered = self.enter(format!("endpoints.http({})", clip(&name)));
        let allowed = self.allowed(timeout_ms);
        let max_body = usize::try_from(max_body).unwrap_or(MOST_BODY).min(MOST_BODY);
        let endpoint = self.endpoint(&name);
        let exchange = async {
            let (endpoint, request) = (endpoint?, http::prepare(request)?);
            let stream = open(&name, &endpoint, allowed).await?;
            http::exchange(stream, stream::authority(&endpoint), request, max_body).await
        };
        match timeout(allowed, exchange).await {
            Ok(answer) => Ok(answer),
            Err(_) => Ok(Err(refuse::timed_out(&name, allowed))),
        }
    }
}

impl HostConnection for CallState {
    async fn read(
        &mut self,
        connection: Resource<Connection>,
        max: u32,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, HostError>> {
        let allowed = self.allowed(timeout_ms);
        let name = self.table.get(&connection)?.name.clone();
        let _entered = self.enter(format!("endpoints.connection.read({})", clip(&name)));
        let connection = self.table.get_mut(&connection)?;
        Ok(read(connection, max, allowed).await)
    }

    async fn write(
        &mut self,
        connection: Resource<Connection>,
        data: Vec<u8>,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<(), HostError>> {
        let allowed = self.allowed(timeout_ms);
        let name = self.table.get(&connection)?.name.clone();
        let _entered = self.enter(format!("endpoints.connection.write({})", clip(&name)));
        if let Err(error) = self.check_fence(&name) {
            return Ok(Err(error));
        }
        let connection = self.table.get_mut(&connection)?;
        Ok(write(connection, &data, allowed).await)
    }

    async fn finish(&mut self, connection: Resource<Connection>) -> wasmtime::Result<Result<(), HostError>> {
        let allowed = self.remaining();
        let Connection { name, stream } = self.table.get_mut(&connection)?;
        let Some(stream) = stream else { return Ok(Err(broken())) };
        match timeout(allowed, stream.shutdown()).await {
            Ok(Ok(())) => Ok(Ok(())),
            Ok(Err(error)) => Ok(Err(refuse::closed(&error.kind().to_string()))),
            Err(_) => Ok(Err(refuse::timed_out(name, allowed))),
        }
    }

    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        self.open_connections = self.open_connections.saturating_sub(1);
        Ok(())
    }
}

impl CallState {
    /// What the name stands for, if that is granted and the term is not old.
    fn endpoint(&self, name: &str) -> Result<Endpoint, HostError> {
        let ask = Ask::Endpoint(name.to_owned());
        let target = self.granted(&ask).map_err(refuse::denied)?;
        let endpoint = target
            .endpoints
            .get(name)
            .ok_or_else(|| refuse::denied(self.rights.not_declared(&ask)))?;
        self.check_fence(name)?;
        Ok(endpoint.clone())
    }

    fn check_fence(&self, name: &str) -> Result<(), HostError> {
        match self.purpose {
            Purpose::Change if self.is_fenced() => Err(refuse::fenced(&format!("endpoint {name}"), self.term)),
            Purpose::Change | Purpose::Look | Purpose::Install => Ok(()),
        }
    }
}

async fn open(name: &str, endpoint: &Endpoint, allowed: Duration) -> Result<Box<dyn Stream>, HostError> {
    match timeout(allowed, stream::open(endpoint)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(reason)) => Err(refuse::unreachable(format!("{name}: {reason}"))),
        Err(_) => Err(refuse::timed_out(name, allowed)),
    }
}

async fn read(connection: &mut Connection, max: u32, allowed: Duration) -> Result<Vec<u8>, HostError> {
    let Connection { name, stream } = connection;
    let stream = stream.as_mut().ok_or_else(broken)?;
    let max = usize::try_from(max).unwrap_or(MOST_AT_ONCE).min(MOST_AT_ONCE);
    if max == 0 {
        return Err(refuse::invalid(
            "read at least 1 byte: empty means that the other side has closed".to_owned(),
        ));
    }
    let mut buffer = vec![0; max.min(READ_AT_ONCE)];
    match timeout(allowed, stream.read(&mut buffer)).await {
        Ok(Ok(length)) => {
            buffer.truncate(length);
            Ok(buffer)
        }
        Ok(Err(error)) => Err(refuse::closed(&format!("{name}: {}", error.kind()))),
        Err(_) => Err(refuse::timed_out(name, allowed)),
    }
}

async fn write(connection: &mut Connection, data: &[u8], allowed: Duration) -> Result<(), HostError> {
    if data.len() > MOST_AT_ONCE {
        return Err(refuse::too_large(format!("write at most {MOST_AT_ONCE} bytes at once")));
    }
    let mut stream = connection.stream.take().ok_or_else(broken)?;
    let send = async {
        stream.write_all(data).await?;
        stream.flush().await
    };
    match timeout(allowed, send).await {
        Ok(Ok(())) => {
            connection.stream = Some(stream);
            Ok(())
        }
        Ok(Err(error)) => Err(refuse::closed(&format!("{}: {}", connection.name, error.kind()))),
        Err(_) => Err(refuse::timed_out(&connection.name, allowed)),
    }
}

fn broken() -> HostError {
    refuse::closed("an earlier write failed half way; connect anew")
}

/// A guest's text, for a trace.
pub(crate) fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// The size that the interface promises.
const MOST_AT_ONCE: usize = 256 << 10;
/// A guest asks for as much as it would take, and answers are short: more room would be wiped for nothing.
const READ_AT_ONCE: usize = 16 << 10;
/// Status pages are far smaller; what is cut off is said.
const MOST_BODY: usize = 4 << 20;
