//! The stream to the control plane: opened again for ever, resumed where it broke.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mesh_api::{
    names,
    wire::{self, ProxyMessage, discovery_client::DiscoveryClient, proxy_message::Kind},
};
use mesh_net::tls::Credentials;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, transport::Channel};

use super::{Directory, Wanted, message};
use crate::{
    backoff::Backoff,
    identity::{describe, unix_now},
    settings::Settings,
};

/// How often unused subscriptions are looked for.
const SWEEP: Duration = Duration::from_mins(1);

/// Follows the control plane for as long as it is polled.
pub async fn follow(
    settings: Arc<Settings>,
    directory: Arc<Directory>,
    mut wanted: mpsc::UnboundedReceiver<Wanted>,
    channel: Channel,
    credentials: Credentials,
) {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(15));
    loop {
        // Without a certificate the control plane would turn us away.
        while !credentials.is_set() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let ended = stream(&settings, &directory, &mut wanted, channel.clone(), &mut backoff).await;
        directory.connected.store(false, Ordering::Relaxed);
        match ended {
            Ok(()) => tracing::info!("the control plane ended the stream"),
            Err(status) => {
                tracing::warn!(
                    error = describe(&status),
                    "no stream to the control plane; what is known stays in force"
                );
            }
        }
        backoff.wait().await;
    }
}

async fn stream(
    settings: &Settings,
    directory: &Directory,
    wanted: &mut mpsc::UnboundedReceiver<Wanted>,
    channel: Channel,
    backoff: &mut Backoff,
) -> Result<(), Status> {
    let (sender, receiver) = mpsc::channel::<ProxyMessage>(64);
    let send = async |kind: Kind| {
        sender
            .send(message(kind))
            .await
            .map_err(|_| Status::unavailable("the stream is closed"))
    };
    // Whatever was wanted until now is part of the greeting.
    while wanted.try_recv().is_ok() {}
    let (known, targets) = directory.hello();
    send(Kind::Hello(wire::Hello {
        protocol: wire::PROTOCOL,
        namespace: settings.identity.namespace.clone(),
        pod: settings.pod.clone(),
        version: names::VERSION.into(),
        known,
        targets,
    }))
    .await?;
    let client = DiscoveryClient::new(channel);
    let mut client = client.max_decoding_message_size(64 << 20);
    let mut messages = client.follow(ReceiverStream::new(receiver)).await?.into_inner();
    directory.connected.store(true, Ordering::Relaxed);
    tracing::info!("connected to the control plane");
    let mut sweep = tokio::time::interval(SWEEP);
    loop {
        tokio::select! {
            received = messages.message() => {
                let Some(update) = received? else { return Ok(()) };
                backoff.reset();
                let rejected = directory.apply(update.resources, &update.removed);
                send(Kind::Ack(wire::Ack { sequence: update.sequence, rejected })).await?;
                directory.acknowledged.store(update.sequence, Ordering::Relaxed);
            }
            want = wanted.recv() => match want {
                Some(Wanted::Subscribe(target)) => send(Kind::Subscribe(wire::Subscribe { target })).await?,
                Some(Wanted::Unsubscribe(target)) => send(Kind::Unsubscribe(wire::Unsubscribe { target })).await?,
                None => return Ok(()),
            },
            _ = sweep.tick() => directory.give_up_unused(unix_now()),
        }
    }
}
