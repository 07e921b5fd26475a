//! `Discovery.Follow`: one task for each proxy, between its stream and the newest snapshot.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mesh_api::{
    identity::Identity,
    wire::{self, discovery_server, proxy_message::Kind},
};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::{Current, session::Session};
use crate::{
    grpc::caller,
    metrics::{Metrics, count},
    model::Subscriber,
    telemetry::Proxies,
};

/// A proxy introduces itself within this time.
const INTRODUCTION: Duration = Duration::from_secs(10);
/// A proxy that acknowledges nothing for this long is cut off, and comes back if it lives.
const ACKNOWLEDGEMENT: Duration = Duration::from_mins(1);

/// Serves discovery to proxies.
#[derive(Clone)]
pub struct Server {
    pub current: Current,
    pub proxies: Arc<Proxies>,
    pub metrics: Arc<Metrics>,
    pub stopping: CancellationToken,
}

type Outgoing = mpsc::Sender<Result<wire::ControllerMessage, Status>>;

#[tonic::async_trait]
impl discovery_server::Discovery for Server {
    type FollowStream = ReceiverStream<Result<wire::ControllerMessage, Status>>;

    async fn follow(
        &self,
        request: Request<Streaming<wire::ProxyMessage>>,
    ) -> Result<Response<Self::FollowStream>, Status> {
        let identity = caller(&request)?;
        let (sender, receiver) = mpsc::channel(8);
        let (server, messages) = (self.clone(), request.into_inner());
        tokio::spawn(async move {
            server.metrics.streams.fetch_add(1, Ordering::Relaxed);
            if let Err(status) = server.serve(identity, messages, &sender).await {
                tracing::debug!(code = ?status.code(), "discovery stream ends: {}", status.message());
                let _ = sender.send(Err(status)).await;
            }
            server.metrics.streams.fetch_sub(1, Ordering::Relaxed);
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

impl Server {
    async fn serve(
        &self,
        identity: Identity,
        mut messages: Streaming<wire::ProxyMessage>,
        sender: &Outgoing,
    ) -> Result<(), Status> {
        let hello = tokio::time::timeout(INTRODUCTION, messages.message())
            .await
            .map_err(|_| Status::deadline_exceeded("the first message did not come"))??;
        let Some(Kind::Hello(hello)) = hello.and_then(|m| m.kind) else {
            return Err(Status::invalid_argument("the first message must be Hello"));
        };
        let mut current = self.current.clone();
        let subscriber = self.introduce(&identity, &hello, &mut current).await?;
        let mut session =
            Session::new(subscriber, &hello).map_err(|e| Status::invalid_argument(e.to_string()))?;
        let connection = self
            .proxies
            .connect(&identity, &hello, &session.subscriber.workload);
        let mut due = true;
        let mut overdue = Instant::now() + ACKNOWLEDGEMENT;
        loop {
            // What is due while too much is on its way waits for an acknowledgement, and is then one step.
            if due && session.may_send() {
                let snapshot = current.borrow_and_update().clone();
                if !session.waits_for_acknowledgement() {
                    overdue = Instant::now() + ACKNOWLEDGEMENT;
                }
                if let Some(message) = snapshot.and_then(|s| session.update(&s)) {
                    connection.sent(message.sequence, &session.subscriber.workload);
                    count(&self.metrics.messages_sent);
                    if sender.send(Ok(message)).await.is_err() {
                        return Ok(());
                    }
                }
                due = false;
            }
            tokio::select! {
                message = messages.message() => {
                    let Some(message) = message? else { return Ok(()) };
                    if matches!(message.kind, Some(Kind::Ack(_))) {
                        overdue = Instant::now() + ACKNOWLEDGEMENT;
                    }
                    due |= self.take(message, &mut session, &connection)?;
                }
                changed = current.changed() => {
                    if changed.is_err() { return Ok(()); }
                    due = true;
                }
                () = tokio::time::sleep_until(overdue), if session.waits_for_acknowledgement() => {
                    return Err(Status::deadline_exceeded("nothing was acknowledged for a minute"));
                }
                () = self.stopping.cancelled() => return Err(Status::unavailable("this controller stops")),
                () = sender.closed() => return Ok(()),
            }
        }
    }

    /// Checks that the proxy is who it says, and waits until the model can answer it.
    async fn introduce(
        &self,
        identity: &Identity,
        hello: &wire::Hello,
        current: &mut Current,
    ) -> Result<Subscriber, Status> {
        if hello.protocol == 0 || hello.protocol > wire::PROTOCOL {
            return Err(Status::failed_precondition(format!(
                "protocol {} is not spoken here; this controller speaks up to {}",
                hello.protocol,
                wire::PROTOCOL
            )));
        }
        if hello.namespace != identity.namespace {
            return Err(Status::permission_denied(format!(
                "the certificate is for namespace {}, not {}",
                identity.namespace, hello.namespace
            )));
        }
        let snapshot = tokio::select! {
            found = current.wait_for(Option::is_some) => {
                found.map_err(|_| Status::unavailable("this controller stops"))?.clone()
            }
            () = self.stopping.cancelled() => return Err(Status::unavailable("this controller stops")),
        };
        let known = snapshot.and_then(|s| s.pod(&hello.namespace, &hello.pod));
        if let Some((_, account)) = &known
            && *account != identity.service_account
        {
            return Err(Status::permission_denied(format!(
                "pod {}/{} runs as {account}, not {}",
                hello.namespace, hello.pod, identity.service_account
            )));
        }
        Ok(Subscriber {
            namespace: hello.namespace.clone(),
            pod: hello.pod.clone(),
            service_account: identity.service_account.clone(),
            workload: known.map(|(workload, _)| workload).unwrap_or_default(),
        })
    }

    /// Takes one message; says whether the proxy may now lack something.
    fn take(
        &self,
        message: wire::ProxyMessage,
        session: &mut Session,
        connection: &crate::telemetry::Connection,
    ) -> Result<bool, Status> {
        let nonsense = |e: super::session::SessionError| Status::invalid_argument(e.to_string());
        match message.kind {
            Some(Kind::Subscribe(s)) => session.subscribe(&s.target).map(|()| true).map_err(nonsense),
            Some(Kind::Unsubscribe(s)) => session.unsubscribe(&s.target).map(|()| true).map_err(nonsense),
            Some(Kind::Ack(ack)) => {
                let names = session.acknowledge(ack.sequence);
                for rejection in &ack.rejected {
                    count(&self.metrics.resources_rejected);
                    tracing::warn!(
                        pod = %format!("{}/{}", session.subscriber.namespace, session.subscriber.pod),
                        resource = rejection.name,
                        reason = rejection.reason,
                        "a proxy cannot use what it was sent"
                    );
                }
                connection.acknowledged(ack.sequence, &names, &ack.rejected);
                Ok(false)
            }
            Some(Kind::Hello(_)) => Err(Status::invalid_argument("Hello comes once")),
            // Of a later protocol.
            None => Ok(false),
        }
    }
}
