//! How many connections there are at once, and from where; and that each gives its place back.

mod patient;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum_server::accept::Accept;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::patient::Patient;
use crate::app::Settings;
use crate::gate;

/// How many connections are open at once: each takes some ten KiB.
const CONNECTIONS: usize = 2048;
/// How many of them one address may have: nobody keeps all others out alone. A proxy speaks for many.
const OF_ONE: usize = 256;
/// How many connections each network has.
type ByAddress = Arc<Mutex<HashMap<IpAddr, usize>>>;

/// Lets only so many connections in at once.
#[derive(Clone)]
pub struct Bounded {
    all: Arc<Semaphore>,
    by_address: ByAddress,
    settings: Arc<Settings>,
}

impl Bounded {
    /// Begins with none. Proxies that are believed may have them all.
    pub fn new(settings: Arc<Settings>) -> Self {
        Self { all: Arc::new(Semaphore::new(CONNECTIONS)), by_address: Arc::default(), settings }
    }

    /// Returns a place for a connection from an address, if there is one.
    fn place(&self, address: IpAddr) -> Option<Place> {
        let permit = self.all.clone().try_acquire_owned().ok()?;
        let address = address.to_canonical();
        if self.settings.proxies.contains(&address) {
            return Some(Place { _permit: permit, address: None });
        }
        let network = gate::network(address);
        let mut by_address = self.by_address.lock().unwrap_or_else(PoisonError::into_inner);
        let count = by_address.entry(network).or_default();
        if *count >= OF_ONE {
            return None;
        }
        *count += 1;
        Some(Place { _permit: permit, address: Some((self.by_address.clone(), network)) })
    }
}

/// A connection's place among all, and among those of its address.
struct Place {
    _permit: OwnedSemaphorePermit,
    address: Option<(ByAddress, IpAddr)>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((by_address, network)) = self.address.take() else { return };
        if let Entry::Occupied(mut entry) =
            by_address.lock().unwrap_or_else(PoisonError::into_inner).entry(network)
        {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Bounded {
    type Stream = Patient<TcpStream>;
    type Service = Held<S>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Patient<TcpStream>, Held<S>)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let place = stream.peer_addr().map(|peer| self.place(peer.ip()));
        Box::pin(async move {
            let place = place?.ok_or_else(|| io::Error::other("too many connections"))?;
            stream.set_nodelay(true)?;
            Ok((Patient::new(stream), Held { service, _place: Arc::new(place) }))
        })
    }
}

/// A connection's service, and its place.
#[derive(Clone)]
pub struct Held<S> {
    service: S,
    _place: Arc<Place>,
}

impl<R, S: tower::Service<R>> tower::Service<R> for Held<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.service.call(request)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn nobody_keeps_all_others_out_alone() {
        let proxy = IpAddr::from([10, 0, 0, 1]);
        let settings = Settings { proxies: vec![proxy], ..gate::tests::settings() };
        let bounded = Bounded::new(Arc::new(settings));
        let one: IpAddr = "2001:db8::1".parse().unwrap();
        let mut places: Vec<_> = (0..OF_ONE).map(|_| bounded.place(one).unwrap()).collect();
        assert!(bounded.place("2001:db8::2".parse().unwrap()).is_none(), "of the same network");
        assert!(bounded.place("2001:db8:0:1::1".parse().unwrap()).is_some());
        places.pop();
        let again = bounded.place(one);
        assert!(again.is_some() && bounded.place(one).is_none());

        let many: Vec<_> = (0..CONNECTIONS - OF_ONE).map_while(|_| bounded.place(proxy)).collect();
        assert_eq!(many.len(), CONNECTIONS - OF_ONE);
        assert!(bounded.place(IpAddr::from([10, 0, 0, 2])).is_none(), "that is all");
        drop((places, again, many));
        assert!(bounded.by_address.lock().unwrap().is_empty());
    }
}
