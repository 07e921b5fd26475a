//! The demo workload: a server that says who called it, and a client that counts what it gets. Demo and tests
//! run them as pods, from the same image as everything else.

mod call;
pub mod client;
pub mod server;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::{errors::Outcome, printer::Printer};

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Answer HTTP requests with who one is and who called
    Server(server::Args),
    /// Send HTTP requests and count the answers
    Client(client::Args),
}

/// What the server answers.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Answer {
    pub service: String,
    pub version: String,
    pub pod: String,
    /// The caller's SPIFFE id as the server's sidecar verified it.
    pub caller: Option<String>,
}

/// Calls of these roles are plain HTTP: sidecars encrypt them. So no certificates are needed, and an image from scratch
/// has none.
fn http() -> reqwest::ClientBuilder {
    reqwest::Client::builder().tls_certs_only([])
}

pub async fn run(command: Command, printer: &Printer) -> Result<Outcome> {
    match command {
        Command::Server(args) => server::run(args).await,
        Command::Client(args) => client::run(args, printer).await,
    }
}
