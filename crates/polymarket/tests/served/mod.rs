//! Servers on loopback that say what they are told to.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use axum::Router;
use axum::http::StatusCode;

/// The address of a server that answers as `router` says.
pub(crate) async fn serve(router: Router) -> String {
    // Even plain http needs a provider: the client builds its TLS in advance.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

/// A server that gives one answer to everything.
pub(crate) async fn always(status: u16, body: &'static str) -> String {
    let status = StatusCode::from_u16(status).unwrap();
    serve(Router::new().fallback(move || async move { (status, body) })).await
}
