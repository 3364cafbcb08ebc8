//! The sockets of the simulated world: all on loopback.

use std::net::Ipv4Addr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::{DevnetError, Urls};
use crate::portal;

/// A socket for each service.
#[derive(Debug)]
pub(crate) struct Ports {
    pub(crate) clob: TcpListener,
    pub(crate) gamma: TcpListener,
    pub(crate) portal: TcpListener,
    /// The first one first.
    pub(crate) nodes: Vec<TcpListener>,
}

impl Ports {
    /// From `first` on, or any.
    pub(crate) async fn open(first: Option<u16>, nodes: usize) -> Result<Self, DevnetError> {
        let port = |offset: usize| match first {
            None => Ok(0),
            Some(port) => {
                let offset = u16::try_from(offset).ok();
                offset.and_then(|offset| port.checked_add(offset)).ok_or(DevnetError::Port { port })
            }
        };
        // All are looked at before the first is taken.
        let further = (1..nodes.max(1)).map(|node| port(node + 3)).collect::<Result<Vec<_>, _>>()?;
        let services = [port(0)?, port(1)?, port(2)?, port(3)?];
        let mut all = vec![listen(services[0]).await?];
        let [clob, gamma, portal] =
            [listen(services[1]).await?, listen(services[2]).await?, listen(services[3]).await?];
        for port in further {
            all.push(listen(port).await?);
        }
        Ok(Self { clob, gamma, portal, nodes: all })
    }

    pub(crate) fn urls(&self) -> Result<Urls, DevnetError> {
        let address = |listener: &TcpListener| {
            listener.local_addr().map_err(|source| DevnetError::Listen { port: 0, source })
        };
        let nodes = self.nodes.iter().map(address).collect::<Result<Vec<_>, _>>()?;
        let [clob, gamma, portal] = [address(&self.clob)?, address(&self.gamma)?, address(&self.portal)?];
        let rpc_http_all: Vec<String> = nodes.iter().map(|node| format!("http://{node}")).collect();
        let rpc_ws_all: Vec<String> = nodes.iter().map(|node| format!("ws://{node}")).collect();
        Ok(Urls {
            rpc_http: rpc_http_all.first().cloned().unwrap_or_default(),
            rpc_ws: rpc_ws_all.first().cloned().unwrap_or_default(),
            rpc_http_all,
            rpc_ws_all,
            clob: format!("http://{clob}"),
            clob_ws: format!("ws://{clob}/ws/market"),
            clob_user_ws: format!("ws://{clob}/ws/user"),
            geoblock: format!("http://{clob}/api/geoblock"),
            gamma: format!("http://{gamma}"),
            portal: format!("http://{portal}{}", portal::DATASET),
        })
    }
}

pub(crate) async fn listen(port: u16) -> Result<TcpListener, DevnetError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(|source| DevnetError::Listen { port, source })
}

/// Serves until it is stopped.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: CancellationToken,
) -> Result<(), DevnetError> {
    // Without this an answer in two segments waits 40 ms for the client's acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let done = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
    // A client that keeps its connection open must not keep the world alive.
    let patience = async {
        stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    tokio::select! {
        done = done => done.map_err(DevnetError::Serve),
        () = patience => Ok(()),
    }
}
