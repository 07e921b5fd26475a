//! The mesh's certificates.

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Secret;
use mesh_api::names;
use x509_parser::{pem::Pem, prelude::X509Certificate};

use super::Category;
use crate::cluster::Cluster;

/// Renewing an issuer is done by people, who need time.
const ENOUGH_DAYS: i64 = 60;

pub async fn look(cluster: &Cluster) -> Category {
    let mut category = Category::new("Identity");
    let secrets = cluster.api::<Secret>(&cluster.mesh_namespace);
    let secret = match secrets.get_opt(names::ISSUER_SECRET).await {
        Ok(Some(secret)) => secret,
        Ok(None) => {
            category.error(
                format!("secret {} is missing", names::ISSUER_SECRET),
                "`meshctl install` makes one",
            );
            return category;
        }
        Err(error) => {
            category.failed("the issuer", &error.into());
            return category;
        }
    };
    let data = secret.data.unwrap_or_default();
    let part = |name: &str| data.get(name).map(|b| b.0.clone()).unwrap_or_default();
    if let Err(error) = judge(&mut category, &part("tls.crt"), &part("ca.crt")) {
        category.failed("the issuer", &error);
    }
    category
}

fn judge(category: &mut Category, issuer: &[u8], anchors: &[u8]) -> Result<()> {
    let issuer = pems(issuer).context("tls.crt")?;
    let anchors = pems(anchors).context("ca.crt")?;
    let issuer = issuer[0].parse_x509().context("tls.crt")?;
    validity(category, "the issuer", &issuer);

    let mut signed = false;
    for anchor in &anchors {
        let anchor = anchor.parse_x509().context("ca.crt")?;
        validity(category, "a trust anchor", &anchor);
        signed |= issuer.verify_signature(Some(anchor.public_key())).is_ok();
    }
    if signed {
        category.ok("the issuer is signed by a trust anchor");
    } else {
        category.error(
            "no trust anchor has signed the issuer",
            format!("put the anchor into ca.crt of secret {}", names::ISSUER_SECRET),
        );
    }
    if issuer.is_ca() {
        category.ok("the issuer may sign certificates");
    } else {
        category.error(
            "the issuer's certificate is not a CA's",
            "its basic constraints must say CA",
        );
    }
    Ok(())
}

fn pems(bytes: &[u8]) -> Result<Vec<Pem>> {
    let found: Vec<Pem> = Pem::iter_from_buffer(bytes).collect::<Result<_, _>>()?;
    if found.is_empty() {
        bail!("no certificate in it");
    }
    Ok(found)
}

fn validity(category: &mut Category, what: &str, certificate: &X509Certificate) {
    let now = jiff::Timestamp::now().as_second();
    let days = (certificate.validity().not_after.timestamp() - now) / 86_400;
    if certificate.validity().not_before.timestamp() > now {
        category.error(
            format!("{what} is not valid yet"),
            "compare the clocks of this machine and the cluster",
        );
    } else if certificate.validity().not_after.timestamp() <= now {
        category.error(
            format!("{what} is no longer valid"),
            "replace it, then restart the controller",
        );
    } else if days < ENOUGH_DAYS {
        category.warning(
            format!("{what} is valid for {days} more days only"),
            "replace it soon",
        );
    } else {
        category.ok(format!("{what} is valid for {days} days"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;
    use crate::install::pki;

    fn levels(issuer: &str, anchors: &str) -> Vec<Level> {
        let mut category = Category::new("Identity");
        judge(&mut category, issuer.as_bytes(), anchors.as_bytes()).unwrap();
        category.findings.iter().map(|f| f.level).collect()
    }

    #[test]
    fn a_fresh_identity_is_fine_and_a_foreign_anchor_is_not() {
        let (one, other) = (pki::make("a").unwrap(), pki::make("b").unwrap());
        assert_eq!(levels(&one.certificate, &one.anchors), [Level::Ok; 4]);
        let both = format!("{}{}", other.anchors, one.anchors);
        assert!(levels(&one.certificate, &both).iter().all(|l| *l == Level::Ok));
        assert!(levels(&one.certificate, &other.anchors).contains(&Level::Error));
    }

    #[test]
    fn garbage_is_an_error_not_a_panic() {
        let mut category = Category::new("Identity");
        for (issuer, anchors) in [("", ""), ("x", "y"), ("-----BEGIN CERTIFICATE-----\n", "")] {
            assert!(judge(&mut category, issuer.as_bytes(), anchors.as_bytes()).is_err());
        }
    }
}
