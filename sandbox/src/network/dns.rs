//! The cluster's DNS server: answers for `cluster.local`, and asks the host's resolvers about everything else.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UdpSocket},
    sync::{Semaphore, watch},
    task::JoinSet,
    time::timeout,
};

use super::zone::Zone;

mod answer;
#[cfg(test)]
mod tests;

use answer::Reply;

/// Questions passed on, and connections kept, at the same time.
const AT_ONCE: usize = 256;
/// How long another resolver may take.
const FORWARD: Duration = Duration::from_millis(1500);
/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(10);
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// A server that has its address.
pub(super) struct Server {
    udp: Arc<UdpSocket>,
    tcp: TcpListener,
    own: IpAddr,
}

impl Server {
    pub(super) async fn bind(address: Ipv4Addr, port: u16) -> io::Result<Self> {
        let udp = UdpSocket::bind((address, port)).await?;
        let own = udp.local_addr()?;
        Ok(Self {
            tcp: TcpListener::bind(own).await?,
            udp: Arc::new(udp),
            own: own.ip(),
        })
    }

    /// Answers for ever.
    pub(super) async fn serve(&self, zone: watch::Receiver<Arc<Zone>>) -> io::Result<()> {
        // All tasks end with this future.
        let mut tasks = JoinSet::new();
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut buffer = vec![0; 4096];
        loop {
            tokio::select! {
                received = self.udp.recv_from(&mut buffer) => {
                    // Errors here are those of earlier answers that nobody wanted.
                    let Ok((length, from)) = received else { continue };
                    let question = buffer.get(..length).unwrap_or_default();
                    match answer::reply(&zone.borrow(), question, answer::Transport::Udp) {
                        Reply::Answer(answer) => {
                            let _ = self.udp.try_send_to(&answer, from);
                        }
                        Reply::Forward(failure) => {
                            let Ok(permit) = room.clone().try_acquire_owned() else {
                                let _ = self.udp.try_send_to(&failure, from);
                                continue;
                            };
                            let (udp, own, question) = (self.udp.clone(), self.own, question.to_vec());
                            tasks.spawn(async move {
                                let answer = forward(&question, own).await.unwrap_or(failure);
                                let _ = udp.send_to(&answer, from).await;
                                drop(permit);
                            });
                        }
                        Reply::Nothing => {}
                    }
                }
                accepted = self.tcp.accept() => {
                    let Ok((stream, _)) = accepted else {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        continue;
                    };
                    if let Ok(permit) = room.clone().try_acquire_owned() {
                        let (zone, own) = (zone.clone(), self.own);
                        tasks.spawn(async move {
                            let _ = converse(stream, &zone, own).await;
                            drop(permit);
                        });
                    }
                }
                Some(_) = tasks.join_next() => {}
            }
        }
    }
}

/// Questions and answers over one connection.
async fn converse(mut stream: TcpStream, zone: &watch::Receiver<Arc<Zone>>, own: IpAddr) -> io::Result<()> {
    loop {
        let length = timeout(IDLE, stream.read_u16()).await??;
        let mut question = vec![0; usize::from(length)];
        timeout(IDLE, stream.read_exact(&mut question)).await??;
        let reply = answer::reply(&zone.borrow(), &question, answer::Transport::Tcp);
        let answer = match reply {
            Reply::Answer(answer) => answer,
            Reply::Forward(failure) => forward(&question, own).await.unwrap_or(failure),
            Reply::Nothing => return Ok(()),
        };
        let Ok(length) = u16::try_from(answer.len()) else {
            return Ok(());
        };
        let mut message = length.to_be_bytes().to_vec();
        message.extend(answer);
        timeout(IDLE, stream.write_all(&message)).await??;
    }
}

/// Asks the host's resolvers, one after the other.
async fn forward(question: &[u8], own: IpAddr) -> Option<Vec<u8>> {
    let configuration = tokio::fs::read_to_string(RESOLV_CONF).await.ok()?;
    for resolver in resolvers(&configuration, own) {
        if let Ok(Ok(answer)) = timeout(FORWARD, ask(resolver, question)).await {
            return Some(answer);
        }
    }
    None
}

async fn ask(resolver: IpAddr, question: &[u8]) -> io::Result<Vec<u8>> {
    let any: SocketAddr = match resolver {
        IpAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        IpAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect((resolver, super::DNS_PORT)).await?;
    socket.send(question).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let length = socket.recv(&mut buffer).await?;
        let answer = buffer.get(..length).unwrap_or_default();
        // An answer to another question is none.
        if answer.get(..2) == question.get(..2) {
            return Ok(answer.to_vec());
        }
    }
}

/// The resolvers of a `resolv.conf`, but for ourselves.
fn resolvers(configuration: &str, own: IpAddr) -> Vec<IpAddr> {
    configuration
        .lines()
        .filter_map(|line| line.trim().strip_prefix("nameserver")?.trim().parse().ok())
        .filter(|address| *address != own)
        .take(3)
        .collect()
}
