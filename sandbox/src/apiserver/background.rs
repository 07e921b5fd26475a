//! The server's own tasks: garbage collection, termination, its own Service, and the health of aggregated APIs.
//!
//! They hold the server weakly, so that they end with it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::server::Server;
use super::{aggregate, bootstrap, gc, terminate};

/// Lets changes gather, so that a burst of them is one round of work.
const SETTLE: Duration = Duration::from_millis(10);
/// Whether the server still lives is looked at this often when nothing changes.
const IDLE: Duration = Duration::from_mins(1);

pub fn spawn(server: &Arc<Server>) {
    let server = Arc::downgrade(server);
    tokio::spawn(tidy(server.clone()));
    tokio::spawn(watch_backends(server));
}

async fn tidy(server: Weak<Server>) {
    let Some(mut news) = server.upgrade().map(|s| s.store.subscribe_all()) else {
        return;
    };
    loop {
        news.borrow_and_update();
        {
            let Some(server) = server.upgrade() else { return };
            gc::collect(&server).await;
            terminate::step(&server).await;
            bootstrap::own_service(&server);
        }
        if let Ok(Err(_)) = tokio::time::timeout(IDLE, news.changed()).await {
            return;
        }
        tokio::time::sleep(SETTLE).await;
    }
}

async fn watch_backends(server: Weak<Server>) {
    loop {
        let Some(server) = server.upgrade() else { return };
        aggregate::watch_health(&server).await;
    }
}
