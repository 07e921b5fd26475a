//! `pods/exec`: a command in a container, its streams on channels 0 to 3, and its exit code at the end. `pods/attach`: the
//! same with the container's own process.

use futures_util::StreamExt;
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::websocket::{self, Receiver, Sender};
use super::{container, failed};
use crate::apiserver::body::Body;
use crate::apiserver::rest::Call;
use crate::apiserver::status::{Failure, Result};
use crate::container::NOT_STARTED;
use crate::node::{Exec, Wanted};

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
/// In v5, names a channel that the client has closed.
const CLOSE: u8 = 255;

pub async fn serve(call: &Call, pod: &Value, mut request: Request<Body>) -> Result<Response<Body>> {
    let container = container(call, pod)?;
    let command: Vec<String> = call.query.all("command").into_iter().map(String::from).collect();
    let attach = call.path.subresource == "attach";
    if command.is_empty() && !attach {
        return Err(Failure::bad_request("you must specify at least 1 command"));
    }
    super::admit_connect(call, pod).await?;
    let (response, upgrade) = websocket::accept(&mut request, &["v5.channel.k8s.io", "v4.channel.k8s.io"])?;
    let (node, stdin) = (call.server.node(), call.query.flag("stdin"));
    let wanted = Wanted {
        stdin,
        terminal: call.query.flag("tty"),
    };
    let (namespace, name, container) = (&call.path.namespace, &call.path.name, Some(&*container));
    let exec = if attach {
        node.attach(namespace, name, container, stdin)
    } else {
        node.exec(namespace, name, container, command, wanted).await
    };
    let exec = exec.map_err(|error| failed(&error))?;
    tokio::spawn(async move {
        match upgrade.open().await {
            Ok((sender, receiver)) => run(exec, sender, receiver).await,
            Err(error) => tracing::debug!(%error, "exec: the client left before the upgrade"),
        }
    });
    Ok(response)
}

async fn run(mut exec: Exec, mut sender: Sender, mut receiver: Receiver) {
    let (mut stdin, terminal) = (exec.stdin.take(), exec.terminal.take());
    let has_terminal = terminal.is_some();
    let incoming = async {
        while let Some((channel, data)) = receiver.next().await {
            match channel {
                STDIN => {
                    if let Some(pipe) = &mut stdin
                        && pipe.write_all(&data).await.is_err()
                    {
                        stdin = None;
                    }
                }
                RESIZE => {
                    if let Some(terminal) = &terminal
                        && let Some((columns, rows)) = size(&data)
                    {
                        terminal.resize(columns, rows);
                    }
                }
                CLOSE if data.first() == Some(&STDIN) => stdin = None,
                _ => {}
            }
        }
    };
    let (mut output, exit) = (exec.output, exec.exit);
    let outgoing = async {
        let mut refused = None;
        while let Some(chunk) = output.next().await {
            // The launcher's own words, not the command's.
            if (chunk.is_error || has_terminal) && chunk.bytes.starts_with(NOT_STARTED.as_bytes()) {
                refused = Some(String::from_utf8_lossy(&chunk.bytes).trim_end().to_owned());
                continue;
            }
            let channel = if chunk.is_error { STDERR } else { STDOUT };
            if sender.send(channel, &chunk.bytes).await.is_err() {
                return;
            }
        }
        let status = match refused {
            Some(why) => not_started(&why),
            None => status(exit.await.ok()),
        };
        let _ = sender.send(STATUS, status.to_string().as_bytes()).await;
        sender.close().await;
    };
    // When the client leaves, its end of the pipes closes with this task.
    tokio::select! {
        () = outgoing => {}
        () = async { incoming.await; } => {}
    }
}

/// `{"Width":80,"Height":24}`
fn size(data: &[u8]) -> Option<(u16, u16)> {
    let size: Value = serde_json::from_slice(data).ok()?;
    let number = |name: &str| size[name].as_u64().and_then(|n| u16::try_from(n).ok());
    Some((number("Width")?, number("Height")?))
}

fn not_started(why: &str) -> Value {
    json!({
        "metadata": {},
        "status": "Failure",
        "message": format!("Internal error occurred: error executing command in container: {why}"),
        "reason": "InternalError",
        "details": {"causes": [{"message": format!("error executing command in container: {why}")}]},
        "code": 500,
    })
}

fn status(code: Option<i32>) -> Value {
    match code {
        Some(0) => json!({"metadata": {}, "status": "Success"}),
        Some(code) => json!({
            "metadata": {},
            "status": "Failure",
            "message": format!("command terminated with non-zero exit code: exit status {code}"),
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]},
        }),
        None => json!({
            "metadata": {},
            "status": "Failure",
            "message": "the command's exit code is not known",
            "reason": "InternalError",
            "code": 500,
        }),
    }
}
