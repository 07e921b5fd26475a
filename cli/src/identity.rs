//! `meshctl identity`: who a workload is, with the certificate that it presents.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use kube::ResourceExt;
use serde::Serialize;
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, pem::Pem};

use crate::{cluster::Cluster, errors::Outcome, pods, printer::Printer, probe::Held, units, units::PodsOf};

/// Show who a workload is, with the certificate that it presents
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  meshctl identity deploy/web -n shop
  meshctl identity pod/web-5d4f -n shop -o json")]
pub struct Args {
    /// deploy/NAME, svc/NAME, pod/NAME
    #[arg(value_parser = units::pods_of, value_name = "TARGET")]
    target: PodsOf,
    /// Print the certificate chain itself, PEM
    #[arg(long)]
    pem: bool,
}

/// One pod's certificate, as its sidecar holds it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    namespace: String,
    pod: String,
    service_account: String,
    identity: String,
    serial: String,
    not_before: String,
    not_after: String,
    issuer: String,
    key: String,
    /// A trust anchor has signed the issuer, or the certificate itself.
    trusted: bool,
    #[serde(skip)]
    left: i64,
}

pub async fn run(args: &Args, cluster: &Cluster, printer: &Printer) -> Result<Outcome> {
    let mut all = Vec::new();
    for pod in pods::with_sidecar(cluster, &args.target).await? {
        let text = pods::inside(cluster, &pod, vec!["probe".into(), "identity".into()]).await?;
        let held: Held =
            serde_json::from_str(text.trim()).context("the sidecar's answer cannot be understood")?;
        if args.pem {
            printer.raw(held.chain.as_bytes())?;
            continue;
        }
        let account = pod.spec.as_ref().and_then(|s| s.service_account_name.clone());
        let mut shown = read(&held, jiff::Timestamp::now().as_second())?;
        shown.namespace = pod.namespace().unwrap_or_default();
        shown.pod = pod.name_any();
        shown.service_account = account.unwrap_or_else(|| "default".into());
        all.push(shown);
    }
    if args.pem {
        return Ok(Outcome::Yes);
    }
    let well = all.iter().all(|s| s.trusted && s.left > 0);
    if printer.format.is_data() {
        printer.data(&all)?;
    } else {
        for shown in &all {
            printer.line(lines(shown))?;
        }
    }
    Ok(if well { Outcome::Yes } else { Outcome::No })
}

fn read(held: &Held, now: i64) -> Result<Shown> {
    let chain = pems(&held.chain)?;
    let leaf = chain.first().context("the sidecar holds no certificate")?;
    let leaf = leaf
        .parse_x509()
        .map_err(|e| anyhow!("its certificate does not parse: {e}"))?;
    let time = |at: i64| jiff::Timestamp::from_second(at).map_or_else(|_| at.to_string(), |t| t.to_string());
    let validity = leaf.validity();
    Ok(Shown {
        namespace: String::new(),
        pod: String::new(),
        service_account: String::new(),
        identity: uri(&leaf).unwrap_or_default(),
        serial: leaf.raw_serial_as_string(),
        not_before: time(validity.not_before.timestamp()),
        not_after: time(validity.not_after.timestamp()),
        issuer: leaf.issuer().to_string(),
        key: key(&leaf),
        trusted: trusted(&chain, &pems(&held.anchors)?),
        left: validity.not_after.timestamp() - now,
    })
}

fn pems(text: &str) -> Result<Vec<Pem>> {
    Pem::iter_from_buffer(text.as_bytes())
        .collect::<Result<_, _>>()
        .context("not PEM")
}

fn uri(leaf: &X509Certificate<'_>) -> Option<String> {
    let names = leaf.subject_alternative_name().ok()??;
    names.value.general_names.iter().find_map(|name| match name {
        GeneralName::URI(uri) => Some((*uri).to_owned()),
        _ => None,
    })
}

fn key(leaf: &X509Certificate<'_>) -> String {
    use x509_parser::public_key::PublicKey;
    match leaf.public_key().parsed() {
        Ok(PublicKey::EC(point)) => format!("ECDSA, {} bits", point.key_size()),
        Ok(PublicKey::RSA(key)) => format!("RSA, {} bits", key.key_size()),
        _ => "of another kind".into(),
    }
}

/// Each certificate signed by the next, and the last one by an anchor.
fn trusted(chain: &[Pem], anchors: &[Pem]) -> bool {
    let certificates: Vec<_> = chain.iter().filter_map(|p| p.parse_x509().ok()).collect();
    let linked = certificates
        .windows(2)
        .all(|pair| pair[0].verify_signature(Some(pair[1].public_key())).is_ok());
    let anchored = certificates.last().is_some_and(|last| {
        anchors
            .iter()
            .filter_map(|a| a.parse_x509().ok())
            .any(|anchor| last.verify_signature(Some(anchor.public_key())).is_ok())
    });
    linked && anchored
}

fn lines(shown: &Shown) -> String {
    let left = match u64::try_from(shown.left) {
        Ok(left) => format!("for another {}", units::show(Duration::from_secs(left))),
        Err(_) => "× expired".into(),
    };
    let trusted = if shown.trusted {
        "√ by the mesh's anchors"
    } else {
        "× by no anchor of the mesh"
    };
    format!(
        "pod/{}\n  identity         {}\n  service account  {}/{}\n  valid            {} to {} ({left})\n  \
         serial           {}\n  key              {}\n  issuer           {}\n  signed           {trusted}",
        shown.pod,
        shown.identity,
        shown.namespace,
        shown.service_account,
        shown.not_before,
        shown.not_after,
        shown.serial,
        shown.key,
        shown.issuer
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::install::pki;

    #[test]
    fn a_chain_is_read_and_judged() {
        let (made, other) = (pki::make("a").unwrap(), pki::make("b").unwrap());
        let held = |anchors: &str| Held {
            chain: made.certificate.clone(),
            anchors: anchors.into(),
        };
        let shown = read(&held(&made.anchors), 0).unwrap();
        assert!(
            shown.trusted && shown.issuer.contains("mesh root of a"),
            "{shown:?}"
        );
        assert!(shown.key.starts_with("ECDSA"), "{}", shown.key);
        crate::reference::compare("identity", &[serde_json::json!([shown])], &[]);
        let text = lines(&shown);
        assert!(
            text.contains("√ by the mesh's anchors") && text.contains("for another"),
            "{text}"
        );
        assert!(!read(&held(&other.anchors), 0).unwrap().trusted);
        assert!(read(&held("x"), 0).is_ok_and(|s| !s.trusted));
        let nothing = Held {
            chain: String::new(),
            anchors: String::new(),
        };
        assert!(read(&nothing, 0).is_err());
    }
}
