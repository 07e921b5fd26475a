//! What the API server asks of the node.

use std::{net::Ipv4Addr, pin::Pin, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpSocket, TcpStream, unix::pipe},
    sync::oneshot,
};
use tokio_util::io::ReaderStream;

use super::{
    Chunk, Duplex, Exec, Handle, LogOptions, NodeError, Terminal, Wanted,
    exec::{self, Streams},
    pod::{PodRuntime, State},
};

impl Handle {
    /// Streams a container's log, following it when asked to.
    pub fn logs(
        &self,
        namespace: &str,
        pod: &str,
        options: LogOptions,
    ) -> Result<Pin<Box<dyn Stream<Item = Bytes> + Send>>, NodeError> {
        let runtime = self.pod(namespace, pod)?;
        let container = container(&runtime, options.container.as_deref())?;
        let record = runtime.record(&container);
        let record =
            record.ok_or_else(|| NodeError::NotFound(format!("container {container:?} is not known")))?;
        let log = match (options.previous, record.log) {
            (true, _) => record.previous_log.ok_or_else(|| {
                NodeError::BadRequest(format!(
                    "previous terminated container {container:?} in pod {pod:?} not found"
                ))
            })?,
            (false, Some(log)) => log,
            (false, None) => {
                let why = match &record.state {
                    State::Waiting { reason, .. } => reason.clone(),
                    _ => "it has no log".into(),
                };
                let message = if matches!(why.as_str(), "ContainerCreating" | "PodInitializing") {
                    format!("container {container:?} in pod {pod:?} is waiting to start: {why}")
                } else {
                    let trouble = "trying and failing to pull image";
                    match why.as_str() {
                        "ErrImagePull" | "ImagePullBackOff" => {
                            format!("container {container:?} in pod {pod:?} is waiting to start: {trouble}")
                        }
                        _ => format!("container {container:?} in pod {pod:?} is waiting to start: {why}"),
                    }
                };
                return Err(NodeError::BadRequest(message));
            }
        };
        Ok(Box::pin(log.read(&options)))
    }

    /// Connects to a port on the pod's own loopback, or, when nothing listens there, on its address.
    pub async fn port_forward(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
    ) -> Result<Box<dyn Duplex>, NodeError> {
        let runtime = self.pod(namespace, pod)?;
        let network = runtime.network().ok_or_else(|| {
            let phase = if runtime.facts().finished {
                "has ended"
            } else {
                "is not running yet"
            };
            NodeError::BadRequest(format!("unable to forward port because pod {phase}"))
        })?;
        let mut error = None;
        for address in [Ipv4Addr::LOCALHOST, network.address] {
            // A socket belongs to the namespace it is made in, wherever it is used afterwards.
            let socket = network.netns.run(TcpSocket::new_v4).await;
            let socket = socket.map_err(std::io::Error::other).and_then(|socket| socket);
            let connected: Result<TcpStream, _> = match socket {
                Ok(socket) => socket.connect((address, port).into()).await,
                Err(e) => Err(e),
            };
            match connected {
                Ok(stream) => return Ok(Box::new(stream)),
                Err(e) => error = Some(e),
            }
        }
        let why = error.map_or_else(String::new, |e| e.to_string());
        Err(NodeError::BadRequest(format!(
            "cannot connect to port {port} in pod {pod:?}: {why}"
        )))
    }

    /// Runs a command in a container.
    pub async fn exec(
        &self,
        namespace: &str,
        pod: &str,
        container_name: Option<&str>,
        command: Vec<String>,
        wanted: Wanted,
    ) -> Result<Exec, NodeError> {
        let runtime = self.pod(namespace, pod)?;
        let container = container(&runtime, container_name)?;
        if runtime.running(&container).is_none() {
            return Err(NodeError::BadRequest(format!(
                "container not found ({container:?})"
            )));
        }
        let failed = |e: std::io::Error| NodeError::BadRequest(format!("cannot run the command: {e}"));
        let inside = exec::start(&runtime, &container, command, wanted)
            .await
            .map_err(failed)?;
        let (done, exit) = oneshot::channel();
        let child = inside.child.exit;
        tokio::spawn(async move {
            let _ = done.send(child.await.map_or(255, |e| e.code));
        });
        let (stdin, stdout, stderr) = match inside.streams {
            Streams::Terminal(ours) => {
                let terminal = Terminal::new(ours).map_err(failed)?;
                let stdin = terminal.writer().map_err(failed)?;
                return Ok(Exec {
                    stdin: wanted.stdin.then(|| Box::pin(stdin) as Input),
                    output: Box::pin(chunks(terminal.reader().map_err(failed)?, false)),
                    exit,
                    terminal: Some(terminal),
                });
            }
            Streams::Pipes {
                stdin,
                stdout,
                stderr,
            } => (stdin, stdout, stderr),
        };
        let stdin = match stdin {
            Some(fd) => Some(Box::pin(pipe::Sender::from_owned_fd(fd).map_err(failed)?) as Input),
            None => None,
        };
        let stdout = chunks(pipe::Receiver::from_owned_fd(stdout).map_err(failed)?, false);
        let stderr = chunks(pipe::Receiver::from_owned_fd(stderr).map_err(failed)?, true);
        Ok(Exec {
            stdin,
            output: Box::pin(stream::select(stdout, stderr)),
            exit,
            terminal: None,
        })
    }

    /// Connects to a running container's own input and outputs.
    pub fn attach(
        &self,
        namespace: &str,
        pod: &str,
        container_name: Option<&str>,
        stdin: bool,
    ) -> Result<Exec, NodeError> {
        let runtime = self.pod(namespace, pod)?;
        let container = container(&runtime, container_name)?;
        let running = runtime.record(&container).filter(|r| r.process.is_some());
        let output = running.as_ref().and_then(|r| r.log.as_ref()?.attach());
        let (Some(record), Some(output)) = (running, output) else {
            let why = format!("container {container} not found in pod {pod}_{namespace}");
            return Err(NodeError::BadRequest(why));
        };
        let failed = |e: std::io::Error| NodeError::BadRequest(format!("cannot attach to its input: {e}"));
        let terminal = record.terminal.map(|t| t.again()).transpose().map_err(failed)?;
        let writer = match (&terminal, record.stdin) {
            (Some(terminal), _) if stdin => Some(Box::pin(terminal.writer().map_err(failed)?) as Input),
            (None, Some(input)) if stdin => Some(Box::pin(input.attach().map_err(failed)?) as Input),
            _ => None,
        };
        // The container's own exit code is in its status.
        let (done, exit) = oneshot::channel();
        let _ = done.send(0);
        Ok(Exec {
            stdin: writer,
            output: Box::pin(output),
            exit,
            terminal,
        })
    }

    fn pod(&self, namespace: &str, name: &str) -> Result<Arc<PodRuntime>, NodeError> {
        let found = self.pods.get(namespace, name);
        found.ok_or_else(|| NodeError::NotFound(format!("pod {name:?} does not run on this node")))
    }
}

/// Where what a client sends goes.
type Input = Pin<Box<dyn AsyncWrite + Send>>;

fn chunks(from: impl AsyncRead, is_error: bool) -> impl Stream<Item = Chunk> {
    ReaderStream::new(from)
        .take_while(|chunk| std::future::ready(chunk.is_ok()))
        .filter_map(move |chunk| std::future::ready(chunk.ok().map(|bytes| Chunk { bytes, is_error })))
}

/// The container meant: the one named, the one the pod's annotation names, or the only one.
fn container(pod: &PodRuntime, wanted: Option<&str>) -> Result<String, NodeError> {
    let object = pod.object();
    let spec = object.spec.clone().unwrap_or_default();
    let inits: Vec<String> = spec
        .init_containers
        .into_iter()
        .flatten()
        .map(|c| c.name)
        .collect();
    let mains: Vec<String> = spec.containers.into_iter().map(|c| c.name).collect();
    let added = spec.ephemeral_containers.into_iter().flatten().map(|c| c.name);
    let others: Vec<String> = inits.iter().cloned().chain(added).collect();
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let annotations = object.metadata.annotations.as_ref();
    let default = annotations.and_then(|a| a.get("kubectl.kubernetes.io/default-container"));
    match (
        wanted.filter(|w| !w.is_empty()).or(default.map(String::as_str)),
        mains.as_slice(),
    ) {
        (Some(wanted), _) if others.iter().chain(&mains).any(|c| c == wanted) => Ok(wanted.into()),
        (Some(wanted), _) => Err(NodeError::BadRequest(format!(
            "container {wanted} is not valid for pod {name}"
        ))),
        (None, [only]) => Ok(only.clone()),
        (None, several) => {
            let mut message = format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                several.join(" ")
            );
            if !inits.is_empty() {
                message += &format!(" or one of the init containers: [{}]", inits.join(" "));
            }
            Err(NodeError::BadRequest(message))
        }
    }
}
