//! Two TLS providers are compiled in, and nothing here names one: building any client must not stop the process.
//! Alone in its file, because what a process names once is named for all its tests.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use polymarket::channel::{Pace, UserEvent, user_channel};
use polymarket::trading::{Account, Credentials, OrderSigner, PrivateKey, WalletKind};

#[tokio::test]
async fn nothing_stops_over_two_providers() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80").unwrap();
    std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let account =
        Account::new(PrivateKey::from_hex_file(file.path()).unwrap(), WalletKind::Eoa, None).unwrap();
    let credentials = Credentials::new("00000000-0000-4000-8000-000000000001", "AAAA", "p").unwrap();
    // A server that takes the connection and speaks no TLS.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            drop(socket)
        }
    });
    let mut events = user_channel(&format!("wss://{address}"), credentials.clone(), Pace::default());
    let event = tokio::time::timeout(Duration::from_secs(20), events.recv()).await.unwrap();
    assert!(matches!(event, Some(UserEvent::Lost { .. })), "{event:?}");
    OrderSigner::new(account, &credentials).await.unwrap();
    assert!(polymarket::Clob::new("https://127.0.0.1:1").unwrap().version().await.is_err());
}
