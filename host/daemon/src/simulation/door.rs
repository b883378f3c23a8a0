//! A service's address on a host. As with the real one, a move that has begun is carried to its end even where nobody
//! waits for it any more, and moves come one after another.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use understudy_address::{AddressError, Flow, Holding, Quiet, Remaining};
use understudy_protocol::{HostName, ServiceName};

use super::server::{Server, Trouble};
use super::world::World;
use crate::edges::Door;

#[derive(Clone)]
pub(super) struct SimulatedDoor {
    pub(super) world: Arc<World>,
    pub(super) who: HostName,
    pub(super) life: u64,
    pub(super) service: ServiceName,
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
}

impl SimulatedDoor {
    async fn carry_out(
        &self,
        what: &'static str,
        change: impl FnOnce(&mut Server) + Send + 'static,
    ) -> Result<(), AddressError> {
        let door = self.clone();
        let moving = tokio::spawn(async move {
            let _turn = door.turn.lock().await;
            let length = door.world.throw(|dice| dice.mostly((1, 30), (300, 3_000), 15));
            door.world.pass(&door.who, door.life, length).await;
            door.world.step(|state| {
                let trouble = state.server(&door.who, &door.service).trouble.get(what).copied();
                if !matches!(trouble, None | Some(Trouble::TrapsAfterwards)) {
                    state.count("moves of an address that failed");
                    return Err("simulated");
                }
                let server = state.server(&door.who, &door.service);
                change(server);
                let now = server.address_in_words();
                state.say(
                    door.who.as_str(),
                    format_args!("{} address: {what}: {now}", door.service),
                );
                if trouble.is_some() {
                    Err("simulated, and yet it was done")
                } else {
                    Ok(())
                }
            })
        });
        let failed = |detail: &str| AddressError::System {
            what: "moving the address",
            error: std::io::Error::other(detail.to_owned()),
        };
        match moving.await {
            Ok(done) => done.map_err(failed),
            Err(error) => Err(failed(&error.to_string())),
        }
    }
}

#[async_trait]
impl Door for SimulatedDoor {
    async fn take(&self) -> Result<(), AddressError> {
        self.carry_out("take", |server| {
            (server.address, server.armed) = (Holding::Admitting, false);
            server.redirects = None;
        })
        .await
    }

    async fn hold(&self) -> Result<(), AddressError> {
        self.carry_out("hold", |server| {
            if server.address == Holding::Admitting {
                server.address = Holding::Held;
            }
        })
        .await
    }

    async fn quiesce(&self, within: Duration) -> Quiet {
        let length = self.world.throw(|dice| dice.millis(0, 50)).min(within);
        self.world.pass(&self.who, self.life, length).await;
        Quiet::default()
    }

    async fn drop_address(&self) -> Result<(), AddressError> {
        self.carry_out("drop", |server| {
            server.address = Holding::Dropped;
            server.redirects = None;
        })
        .await
    }

    async fn can_overlap(&self, _: &HostName) -> Result<(), AddressError> {
        self.carry_out("can-overlap", |_| ()).await
    }

    async fn arm(&self, _: &HostName) -> Result<(), AddressError> {
        self.carry_out("arm", |server| server.armed = true).await
    }

    async fn disarm(&self) -> Result<(), AddressError> {
        self.carry_out("disarm", |server| server.armed = false).await
    }

    async fn yield_to(&self, second: &HostName) -> Result<(), AddressError> {
        let second = second.clone();
        self.carry_out("yield", move |server| {
            server.address = Holding::Yielding;
            server.redirects = Some(second);
        })
        .await
    }

    async fn appear(&self) -> Result<(), AddressError> {
        self.carry_out("appear", |server| server.address = Holding::Admitting)
            .await
    }

    async fn settled(&self, within: Duration) -> Result<Vec<Remaining>, AddressError> {
        self.quiesce(within).await;
        Ok(Vec::new())
    }

    async fn drained(&self, within: Duration) -> Result<Vec<Remaining>, AddressError> {
        self.quiesce(within).await;
        Ok(Vec::new())
    }

    fn holding(&self) -> Holding {
        self.world.step(|state| state.server(&self.who, &self.service).address)
    }

    fn flows(&self) -> Vec<Flow> {
        Vec::new()
    }
}
