//! `meshctl policy test`: may this caller do this? The policies are translated by the controller's own model and decided by
//! the proxy's own code, so that the answer is what the sidecar would say.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context, Result, anyhow};
use http::Request;
use k8s_openapi::api::{
    core::v1::{Pod, Service},
    discovery::v1::EndpointSlice,
};
use kube::{ResourceExt, api::ListParams};
use mesh_api::{
    identity::Identity,
    istio::{AUTHORIZATION_POLICY, AuthorizationPolicy, PEER_AUTHENTICATION, PeerAuthentication},
    wire::{self, resource::Kind},
};
use mesh_controller::model::{Objects, Snapshot, Subscriber};
use mesh_proxy::{
    authorization::{Asked, Caller, Policies, Verdict},
    config::RequestView,
};
use serde_json::json;

use crate::{
    cluster::Cluster,
    errors::{Outcome, usage, with_hint},
    install::values::trust_domain,
    kinds,
    pods::is_injected,
    printer::{Printer, Tone},
    units,
};

/// Ask what authorization policies decide
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say whether a request would be allowed, and which policy decides; exit 1 when it is denied
    #[command(
        after_help = "Nothing is sent. The answer is of the same code that decides in the sidecars.

Examples:
  meshctl policy test --from shop/sa/client --to svc/web --method GET --path /admin -n shop
  meshctl policy test --from ns/shop/sa/client --to svc/web --header x-team=a -n shop
  meshctl policy test --to svc/web -n shop                a caller without an identity"
    )]
    Test(Args),
}

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Who calls: NAMESPACE/sa/ACCOUNT; nobody in particular when absent
    #[arg(long, value_name = "IDENTITY")]
    from: Option<String>,
    /// Whom: svc/NAME
    #[arg(long, value_name = "SERVICE", value_parser = units::service)]
    to: String,
    /// Port of the service [default: its first]
    #[arg(long)]
    port: Option<u16>,
    /// Method of the request
    #[arg(long, default_value = "GET")]
    method: String,
    /// Path that is asked for
    #[arg(long, default_value = "/")]
    path: String,
    /// Host that is asked for [default: the service]
    #[arg(long)]
    host: Option<String>,
    /// A header; may be repeated
    #[arg(long, value_parser = units::header, value_name = "NAME=VALUE")]
    header: Vec<(String, String)>,
    /// Address that the caller has
    #[arg(long, default_value = "10.0.0.1", value_name = "IP")]
    source_ip: std::net::IpAddr,
}

pub async fn run(command: &Command, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let Command::Test(args) = command;
    let domain = trust_domain(cluster).await?;
    let caller = args
        .from
        .as_deref()
        .map(|text| identity(text, &domain))
        .transpose()?;
    let pods = asked_pods(args, &domain, cluster, printer).await?;
    let mut decided = Vec::new();
    for (pod, address, inbound) in pods {
        let strict = is_strict(&inbound, address.port());
        let policies = Policies::try_from(inbound.authorization)
            .map_err(|e| anyhow!("the policies cannot be used: {e}"))?;
        let verdict = if strict && caller.is_none() {
            Verdict {
                allowed: false,
                policy: Some(format!("mutual TLS is required ({})", inbound.mtls_source).into()),
                audited: Vec::new(),
            }
        } else {
            decide(args, caller.as_ref(), address, &policies)?
        };
        decided.push((pod, verdict));
    }
    let allowed = decided.iter().all(|(_, v)| v.allowed);
    let outcome = if allowed { Outcome::Yes } else { Outcome::No };
    if printer.format.is_data() {
        let each: Vec<_> = decided
            .iter()
            .map(|(pod, v)| json!({"pod": pod, "allowed": v.allowed, "policy": v.policy.as_deref()}))
            .collect();
        printer.data(&json!({"allowed": allowed, "pods": each}))?;
        return Ok(outcome);
    }
    let who = caller.map_or("a caller without identity".to_owned(), |c| c.principal());
    let what = format!("{} {} of svc/{}", args.method.to_uppercase(), args.path, args.to);
    let mut told = Vec::new();
    for (pod, verdict) in &decided {
        let line = line(verdict, &who, &what);
        // Pods of one service are usually of one mind.
        if !told.contains(&line) {
            let tone = if verdict.allowed { Tone::Good } else { Tone::Bad };
            printer.line(printer.tone(tone, &line))?;
            told.push(line);
        } else if told.len() > 1 {
            printer.say(format!("  pod {pod} decides likewise"));
        }
    }
    Ok(outcome)
}

fn line(verdict: &Verdict, who: &str, what: &str) -> String {
    let by = verdict.policy.as_deref();
    if verdict.allowed {
        let by = by.map_or("no policy says otherwise".to_owned(), |p| format!("by {p}"));
        format!("√ allowed: {who} may {what} ({by})")
    } else {
        format!("× denied: {who} may not {what} ({})", by.unwrap_or("by default"))
    }
}

/// `shop/sa/client`, `ns/shop/sa/client`, `cluster.local/ns/shop/sa/client` or the whole SPIFFE id.
fn identity(text: &str, domain: &str) -> Result<Identity> {
    let parts: Vec<&str> = text.split('/').collect();
    let full = match parts[..] {
        [namespace, "sa", account] | ["ns", namespace, "sa", account] => {
            format!("spiffe://{domain}/ns/{namespace}/sa/{account}")
        }
        [domain, "ns", namespace, "sa", account] => format!("spiffe://{domain}/ns/{namespace}/sa/{account}"),
        _ => text.to_owned(),
    };
    full.parse()
        .map_err(|_| usage(format!("`{text}` is nobody; write NAMESPACE/sa/ACCOUNT")))
}

fn is_strict(inbound: &wire::Inbound, port: u16) -> bool {
    let own = inbound
        .ports
        .iter()
        .find(|p| p.port == u32::from(port))
        .and_then(|p| p.mtls);
    own.unwrap_or(inbound.mtls) == i32::from(wire::MtlsMode::Strict)
}

fn decide(
    args: &Args,
    caller: Option<&Identity>,
    destination: SocketAddr,
    policies: &Policies,
) -> Result<Verdict> {
    let host = args.host.as_deref().unwrap_or(&args.to);
    let mut request = Request::builder()
        .method(args.method.to_uppercase().as_str())
        .uri(&args.path)
        .header(http::header::HOST, host);
    for (name, value) in &args.header {
        request = request.header(name, value);
    }
    let (parts, ()) = request
        .body(())
        .map_err(|e| usage(format!("that is no request: {e}")))?
        .into_parts();
    let caller = caller.map(Caller::from);
    Ok(policies.decide(&Asked {
        caller: caller.as_ref(),
        source: args.source_ip,
        destination,
        server_name: None,
        token: None,
        http: Some(RequestView::of(&parts)),
    }))
}

/// The pods behind the service, where they would be called, and what their sidecars are told.
async fn asked_pods(
    args: &Args,
    domain: &str,
    cluster: &Cluster,
    printer: &Printer,
) -> Result<Vec<(String, SocketAddr, wire::Inbound)>> {
    crate::fault::require_service(cluster, &args.to).await?;
    let everything = ListParams::default();
    let namespace = &cluster.namespace;
    let services = cluster
        .api::<Service>(namespace)
        .list(&everything)
        .await
        .context("cannot list services")?;
    let slices = cluster
        .api::<EndpointSlice>(namespace)
        .list(&everything)
        .await
        .context("cannot list endpoints")?;
    let pods = cluster
        .api::<Pod>(namespace)
        .list(&everything)
        .await
        .context("cannot list pods")?;
    let addresses = endpoints(args, &services.items, &slices.items)?;
    let bare = |pod: &&Pod| !is_injected(pod) && addresses.iter().any(|(name, _)| *name == pod.name_any());
    let bare: Vec<String> = pods
        .items
        .iter()
        .filter(bare)
        .map(ResourceExt::name_any)
        .collect();
    if !bare.is_empty() {
        printer.warn(format!(
            "without a sidecar nobody asks policies, and everybody may call: {}",
            units::listed(&bare)
        ));
    }
    let objects = Objects {
        trust_domain: domain.to_owned(),
        mesh_namespace: cluster.mesh_namespace.clone(),
        now_ms: jiff::Timestamp::now().as_millisecond(),
        services: services.items.into_iter().map(Arc::new).collect(),
        slices: slices.items.into_iter().map(Arc::new).collect(),
        pods: pods.items.into_iter().map(Arc::new).collect(),
        authorization_policies: kinds::list_with_mesh(cluster, &AUTHORIZATION_POLICY, printer)
            .await?
            .iter()
            .map(|o| AuthorizationPolicy::read(o).map(Arc::new))
            .collect::<Result<_, _>>()
            .context("an AuthorizationPolicy cannot be understood")?,
        peer_authentications: kinds::list_with_mesh(cluster, &PEER_AUTHENTICATION, printer)
            .await?
            .iter()
            .map(|o| PeerAuthentication::read(o).map(Arc::new))
            .collect::<Result<_, _>>()
            .context("a PeerAuthentication cannot be understood")?,
        ..Objects::default()
    };
    let snapshot = Snapshot::build(&objects);
    let mut found = Vec::new();
    for (pod, address) in addresses {
        let subscriber = Subscriber {
            namespace: namespace.clone(),
            pod: pod.clone(),
            ..Subscriber::default()
        };
        let inbound = snapshot.inbound(&subscriber);
        if let Some(Kind::Inbound(inbound)) = inbound.and_then(|r| r.kind.clone()) {
            found.push((pod, address, inbound));
        }
    }
    if found.is_empty() {
        return Err(with_hint(
            anyhow!("svc/{} has no pods, so nobody to decide", args.to),
            "policies select pods by their labels; start one",
        ));
    }
    Ok(found)
}

/// Pods with the address and port that a call to the service reaches.
fn endpoints(
    args: &Args,
    services: &[Service],
    slices: &[EndpointSlice],
) -> Result<Vec<(String, SocketAddr)>> {
    let service = services.iter().find(|s| s.name_any() == args.to);
    let ports = service
        .and_then(|s| s.spec.as_ref()?.ports.clone())
        .unwrap_or_default();
    let port = match args.port {
        Some(port) => ports.iter().find(|p| p.port == i32::from(port)),
        None => ports.first(),
    };
    let port = port.ok_or_else(|| {
        let there: Vec<String> = ports.iter().map(|p| p.port.to_string()).collect();
        usage(format!(
            "svc/{} has no such port; it has {}",
            args.to,
            there.join(", ")
        ))
    })?;
    let mut found = Vec::new();
    for slice in slices {
        let of = slice.labels().get("kubernetes.io/service-name");
        if of != Some(&args.to) {
            continue;
        }
        let number = slice
            .ports
            .iter()
            .flatten()
            .find(|p| p.name.as_deref().unwrap_or_default() == port.name.as_deref().unwrap_or_default())
            .and_then(|p| u16::try_from(p.port?).ok());
        let Some(number) = number else { continue };
        for endpoint in &slice.endpoints {
            let pod = endpoint.target_ref.as_ref().and_then(|t| t.name.clone());
            let ip = endpoint.addresses.first().and_then(|a| a.parse().ok());
            if let (Some(pod), Some(ip)) = (pod, ip) {
                found.push((pod, SocketAddr::new(ip, number)));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_written_in_many_ways() {
        for text in [
            "shop/sa/client",
            "ns/shop/sa/client",
            "a.b/ns/shop/sa/client",
            "spiffe://a.b/ns/shop/sa/client",
        ] {
            assert_eq!(
                identity(text, "a.b").unwrap().principal(),
                "a.b/ns/shop/sa/client",
                "{text}"
            );
        }
        assert_eq!(crate::errors::code(&identity("client", "a.b").unwrap_err()), 2);
    }

    #[test]
    fn verdicts_name_who_decided() {
        let verdict = |allowed, policy: Option<&str>| Verdict {
            allowed,
            policy: policy.map(Into::into),
            audited: Vec::new(),
        };
        assert_eq!(
            line(&verdict(true, None), "a", "GET / of svc/b"),
            "√ allowed: a may GET / of svc/b (no policy says otherwise)"
        );
        assert_eq!(
            line(&verdict(false, Some("no match in x")), "a", "GET / of svc/b"),
            "× denied: a may not GET / of svc/b (no match in x)"
        );
    }
}
