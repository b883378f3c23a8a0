//! Addresses and interfaces, as the kernel has them (rtnetlink).
//!
//! It must not know which addresses ought to be there.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;

use futures_util::{FutureExt, Stream, StreamExt, TryStreamExt};
use rtnetlink::packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage};
use rtnetlink::packet_route::link::LinkFlags;
use rtnetlink::{Error, Handle, MulticastGroup};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::VipAddress;

/// A connection to the kernel's routing tables.
pub(super) struct Kernel {
    handle: Handle,
    /// The kernel refuses a second list (EBUSY) while it gives one on the same connection.
    listing: Mutex<()>,
    connection: JoinHandle<()>,
}

/// An interface that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Interface {
    pub(super) index: u32,
    /// An operator switched it on.
    pub(super) up: bool,
    /// It has a link.
    pub(super) running: bool,
}

/// Says when something about addresses or interfaces changes, not what.
pub(super) struct Changes {
    messages: Pin<Box<dyn Stream<Item = ()> + Send>>,
    connection: JoinHandle<()>,
}

impl Changes {
    pub(super) fn subscribe() -> io::Result<Self> {
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
        ];
        let (connection, _, messages) = rtnetlink::new_multicast_connection(&groups)?;
        Ok(Changes {
            messages: Box::pin(messages.map(drop)),
            connection: tokio::spawn(connection),
        })
    }

    /// The next change.
    pub(super) async fn next(&mut self) {
        if self.messages.next().await.is_none() {
            // The connection ended; whoever waits has a clock as well.
            std::future::pending::<()>().await;
        }
        // One look serves all changes that have come so far.
        while let Some(Some(())) = self.messages.next().now_or_never() {}
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Kernel {
    pub(super) fn connect() -> io::Result<Self> {
        let (connection, handle, _) = rtnetlink::new_connection()?;
        Ok(Kernel {
            handle,
            listing: Mutex::default(),
            connection: tokio::spawn(connection),
        })
    }

    /// The interface of that name, if there is one.
    pub(super) async fn interface(&self, name: &str) -> Result<Option<Interface>, Error> {
        let mut found = self.handle.link().get().match_name(name).execute();
        match found.try_next().await {
            Ok(message) => Ok(message.map(|message| Interface {
                index: message.header.index,
                up: message.header.flags.contains(LinkFlags::Up),
                running: message.header.flags.contains(LinkFlags::Running),
            })),
            Err(error) if code(&error) == Some(ENODEV) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All addresses of an interface, in use or not.
    pub(super) async fn addresses(&self, index: u32) -> Result<Vec<VipAddress>, Error> {
        let messages = self.messages(index).await?;
        Ok(messages.iter().filter_map(of_message).collect())
    }

    /// Adds an address; no error if it is there.
    pub(super) async fn add(&self, index: u32, address: VipAddress) -> Result<(), Error> {
        let mut request = self.handle.address().add(index, address.ip, address.prefix).replace();
        if address.ip.is_ipv6() {
            // Duplicate detection would keep the address unusable for a second or more. The keeper looks for duplicates.
            let message = request.message_mut();
            message.header.flags |= AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        request.execute().await
    }

    /// Removes an address, whatever its prefix; says whether it was there.
    pub(super) async fn remove(&self, index: u32, ip: IpAddr) -> Result<bool, Error> {
        let mut removed = false;
        for message in self.messages(index).await? {
            if of_message(&message).is_none_or(|found| found.ip != ip) {
                continue;
            }
            match self.handle.address().del(message).execute().await {
                Ok(()) => removed = true,
                // Somebody was faster.
                Err(error) if code(&error) == Some(EADDRNOTAVAIL) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(removed)
    }

    async fn messages(&self, index: u32) -> Result<Vec<AddressMessage>, Error> {
        let _alone = self.listing.lock().await;
        self.handle
            .address()
            .get()
            .set_link_index_filter(index)
            .execute()
            .try_collect()
            .await
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn of_message(message: &AddressMessage) -> Option<VipAddress> {
    // On a point-to-point link `Address` is the other end; `Local` is ours wherever it is given.
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    });
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(ip) => Some(*ip),
        _ => None,
    });
    Some(VipAddress {
        ip: local.or(address)?,
        prefix: message.header.prefix_len,
    })
}

fn code(error: &Error) -> Option<i32> {
    match error {
        Error::NetlinkError(message) => message.code.map(|code| code.get().abs()),
        _ => None,
    }
}

const ENODEV: i32 = 19;
const EADDRNOTAVAIL: i32 = 99;
