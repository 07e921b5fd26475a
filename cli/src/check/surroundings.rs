//! What else is in the cluster that could get in the mesh's way: other meshes, clocks, network plugins, Pod Security.

use anyhow::{Context, Result};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    core::v1::{ConfigMap, Namespace},
};
use kube::{ResourceExt, api::ListParams, client::Body};
use mesh_api::names;

use super::Category;
use crate::cluster::Cluster;

/// Certificates are back-dated by a minute; beyond that they are not valid yet to whoever lags behind.
const WORST_SKEW: i64 = 60;
const NOTABLE_SKEW: i64 = 5;

/// Injectors of other meshes, by what their names contain.
const OTHERS: [(&str, &str); 4] = [
    ("istio-sidecar-injector", "Istio"),
    ("linkerd-proxy-injector", "Linkerd"),
    ("kuma-admission", "Kuma"),
    ("consul-connect", "Consul"),
];

pub async fn look(cluster: &Cluster) -> Category {
    let mut category = Category::new("Surroundings");
    let results = [
        ("the API server's clock", clock(&mut category, cluster).await),
        ("other meshes", others(&mut category, cluster).await),
        ("the network plugin", plugin(&mut category, cluster).await),
        ("Pod Security", pod_security(&mut category, cluster).await),
    ];
    for (what, result) in results {
        if let Err(error) = result {
            category.failed(what, &error);
        }
    }
    openshift(&mut category, cluster).await;
    category
}

async fn clock(category: &mut Category, cluster: &Cluster) -> Result<()> {
    let request = http::Request::get("/version").body(Body::empty())?;
    let response = cluster
        .client
        .send(request)
        .await
        .context("cannot ask for the time")?;
    let told = response
        .headers()
        .get(http::header::DATE)
        .and_then(|d| d.to_str().ok())
        .and_then(|d| jiff::fmt::rfc2822::parse(d).ok());
    let Some(told) = told else { return Ok(()) };
    let skew = (told.timestamp().as_second() - jiff::Timestamp::now().as_second()).abs();
    judge_skew(category, skew);
    Ok(())
}

fn judge_skew(category: &mut Category, seconds: i64) {
    let hint = "set both clocks by NTP";
    let text = format!("this machine's clock and the cluster's differ by {seconds}s");
    if seconds > WORST_SKEW {
        category.error(text, hint);
    } else if seconds > NOTABLE_SKEW {
        category.warning(text, hint);
    } else {
        category.ok("this machine's clock and the cluster's agree");
    }
}

async fn others(category: &mut Category, cluster: &Cluster) -> Result<()> {
    let webhooks = cluster
        .all::<MutatingWebhookConfiguration>()
        .list_metadata(&ListParams::default())
        .await
        .context("cannot list webhooks")?;
    let found: Vec<&str> = webhooks
        .items
        .iter()
        .flat_map(|w| {
            let name = w.name_any();
            OTHERS
                .iter()
                .filter(move |(part, _)| name.contains(part))
                .map(|(_, mesh)| *mesh)
        })
        .collect();
    if found.is_empty() {
        category.ok("no other mesh injects sidecars");
    } else {
        category.warning(
            format!("{} injects sidecars too", found.join(", ")),
            "that is fine as long as no namespace asks for both; pods with another mesh's sidecar are skipped",
        );
    }
    Ok(())
}

/// Where the network plugin rewrites addresses inside sockets, sidecars never see which service was called.
async fn plugin(category: &mut Category, cluster: &Cluster) -> Result<()> {
    let cilium = cluster
        .api::<ConfigMap>("kube-system")
        .get_opt("cilium-config")
        .await
        .context("cannot read its configuration")?;
    let data = cilium.and_then(|c| c.data).unwrap_or_default();
    let is = |name: &str, value: &str| data.get(name).is_some_and(|v| v == value);
    let replaces = is("kube-proxy-replacement", "true") || is("kube-proxy-replacement", "strict");
    if replaces && !is("bpf-lb-sock-hostns-only", "true") {
        category.error(
            "Cilium hides services' addresses from sidecars",
            "set socketLB.hostNamespaceOnly=true in Cilium's values, and restart its agents",
        );
    } else {
        category.ok("the network plugin leaves services' addresses visible");
    }
    Ok(())
}

pub const POD_SECURITY_HINT: &str =
    "the redirect step needs NET_ADMIN: label the namespace pod-security.kubernetes.io/enforce=privileged";

/// The redirect step needs NET_ADMIN, which the stricter levels refuse.
async fn pod_security(category: &mut Category, cluster: &Cluster) -> Result<()> {
    let namespaces = cluster
        .all::<Namespace>()
        .list(&ListParams::default())
        .await
        .context("cannot list namespaces")?;
    let refusing: Vec<String> = namespaces
        .items
        .iter()
        .filter(|n| n.labels().get(names::INJECT).is_some_and(|v| v == "enabled"))
        .filter_map(|n| Some(format!("{} ({})", n.name_any(), refuses_sidecars(n)?)))
        .collect();
    if refusing.is_empty() {
        category.ok("no namespace that asks for sidecars would refuse them");
    } else {
        category.error(
            format!("Pod Security refuses sidecars in {}", refusing.join(", ")),
            POD_SECURITY_HINT,
        );
    }
    Ok(())
}

/// OpenShift decides by constraints of its own which users and capabilities pods may have.
async fn openshift(category: &mut Category, cluster: &Cluster) {
    let Ok(groups) = cluster.client.list_api_groups().await else {
        return;
    };
    if groups.groups.iter().any(|g| g.name == "security.openshift.io") {
        category.warning(
            "this is OpenShift, whose security context constraints refuse what the mesh asks for by default",
            format!(
                "`oc adm policy add-scc-to-group anyuid system:serviceaccounts:{}` for the controller (user id 14000), \
                 and `oc adm policy add-scc-to-group privileged system:serviceaccounts:NAMESPACE` where sidecars run \
                 (NET_ADMIN for their redirect step)",
                cluster.mesh_namespace
            ),
        );
    }
}

/// The level of Pod Security by which a namespace refuses the redirect step, if it does.
pub fn refuses_sidecars(namespace: &Namespace) -> Option<&str> {
    let level = namespace.labels().get("pod-security.kubernetes.io/enforce")?;
    (level != "privileged").then_some(level)
}

#[cfg(test)]
mod tests {
    use super::{super::Level, *};

    #[test]
    fn levels_of_pod_security_that_refuse_sidecars() {
        let namespace = |labels: serde_json::Value| -> Namespace {
            serde_json::from_value(serde_json::json!({"metadata": {"labels": labels}})).unwrap()
        };
        for (level, refuses) in [("privileged", false), ("baseline", true), ("restricted", true)] {
            let labels = serde_json::json!({"pod-security.kubernetes.io/enforce": level});
            assert_eq!(refuses_sidecars(&namespace(labels)), refuses.then_some(level));
        }
        assert_eq!(refuses_sidecars(&namespace(serde_json::json!({}))), None);
    }

    #[test]
    fn clocks_may_differ_a_little() {
        for (seconds, level) in [(0, Level::Ok), (30, Level::Warning), (61, Level::Error)] {
            let mut category = Category::new("Surroundings");
            judge_skew(&mut category, seconds);
            assert_eq!(category.findings[0].level, level, "{seconds}");
        }
    }
}
