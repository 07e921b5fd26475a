//! The sidecars: every injected pod, as Kubernetes and as the control plane see it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use futures_util::{StreamExt, stream};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Api, ResourceExt, api::ListParams};
use mesh_api::{
    names,
    telemetry::{Proxy, ProxyList},
};
use serde_json::Value;

use super::Category;
use crate::{
    cluster::Cluster,
    errors::is_forbidden,
    pods::{self, is_injected},
    why,
};

/// Sidecars asked at the same time.
const AT_ONCE: usize = 8;

pub async fn look(cluster: &Cluster, ask: bool) -> Category {
    let mut category = Category::new("Data plane");
    if let Err(error) = judge_all(&mut category, cluster, ask).await {
        category.failed("sidecars", &error);
    }
    category
}

async fn judge_all(category: &mut Category, cluster: &Cluster, ask: bool) -> Result<()> {
    let everything = ListParams::default();
    let listed = cluster.all::<Namespace>().list(&everything).await;
    let (namespaces, place) = match listed.context("cannot list namespaces") {
        Ok(list) => (list.items, None),
        Err(error) if is_forbidden(&error) => {
            let own = cluster.all::<Namespace>().get_opt(&cluster.namespace).await;
            category.only(&cluster.namespace);
            (
                own.ok().flatten().into_iter().collect(),
                Some(cluster.namespace.as_str()),
            )
        }
        Err(error) => return Err(error),
    };
    let wanted: BTreeSet<String> = namespaces
        .iter()
        .filter(|n| n.labels().get(names::INJECT).is_some_and(|v| v == "enabled"))
        .map(ResourceExt::name_any)
        .collect();
    let api: Api<Pod> = place.map_or_else(|| cluster.all(), |namespace| cluster.pods(namespace));
    let mut pods = api.list(&everything).await.context("cannot list pods")?.items;
    pods.retain(|p| p.metadata.deletion_timestamp.is_none() && !pods::has_ended(p));
    let proxies: ProxyList = cluster.telemetry(place, "proxies").await?;
    judge(
        category,
        &pods,
        &wanted,
        &proxies.items,
        jiff::Timestamp::now().as_second(),
    );
    if ask {
        pods.retain(|p| is_injected(p) && why::is_ready(p));
        ask_all(category, cluster, &pods).await;
    }
    Ok(())
}

/// Every sidecar itself: whether it holds the certificate that its pod should have, and what it refuses.
async fn ask_all(category: &mut Category, cluster: &Cluster, pods: &[Pod]) {
    let asked = stream::iter(pods).map(async |pod| (pod, pods::config(cluster, pod).await));
    let answers: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    let mut well = 0;
    for (pod, config) in answers {
        let title = format!("{}/{}", pod.namespace().unwrap_or_default(), pod.name_any());
        let account = pod.spec.as_ref().and_then(|s| s.service_account_name.clone());
        let account = account.unwrap_or_else(|| "default".into());
        match config {
            Err(error) => category.failed(&title, &error),
            Ok(config) => match trouble(&config, &pod.namespace().unwrap_or_default(), &account) {
                Some(trouble) => category.error(
                    format!("the sidecar of {title} {trouble}"),
                    format!(
                        "`meshctl proxy logs pod/{} -n {}` tells more",
                        pod.name_any(),
                        pod.namespace().unwrap_or_default()
                    ),
                ),
                None => well += 1,
            },
        }
    }
    category.ok(format!(
        "{well} of {} sidecars say themselves that they are well",
        pods.len()
    ));
}

/// What a sidecar's own word shows to be wrong.
fn trouble(config: &Value, namespace: &str, account: &str) -> Option<String> {
    let identity = config["identity"].as_str().unwrap_or_default();
    if !identity.ends_with(&format!("/ns/{namespace}/sa/{account}")) {
        return Some(format!("is {identity}, and should be {account} of {namespace}"));
    }
    let refused = config["rejected"].as_object().filter(|r| !r.is_empty());
    if let Some(refused) = refused {
        let names: Vec<&str> = refused.keys().map(String::as_str).collect();
        return Some(format!("refuses {}", names.join(", ")));
    }
    (config["inbound"].is_null()).then(|| "has no configuration for calls to its pod".into())
}

fn judge(category: &mut Category, pods: &[Pod], wanted: &BTreeSet<String>, proxies: &[Proxy], now: i64) {
    let by_pod: BTreeMap<(&str, &str), &Proxy> = proxies
        .iter()
        .map(|p| ((p.namespace.as_str(), p.pod.as_str()), p))
        .collect();
    let (mut well, mut injected) = (0, 0);
    for pod in pods {
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let title = format!("{namespace}/{name}");
        let Some(version) = pod.annotations().get(names::INJECTED) else {
            let declines = pod.labels().get(names::INJECT).is_some_and(|v| v == "disabled");
            let asks = pod.labels().get(names::INJECT).is_some_and(|v| v == "enabled");
            // Traffic of the node itself is never redirected.
            let never = pod.spec.as_ref().is_some_and(|s| s.host_network == Some(true));
            if !never && ((wanted.contains(&namespace) && !declines) || asks) {
                category.warning(
                    format!("{title} should have a sidecar and has none"),
                    "it started before the mesh asked for one; `meshctl inject` restarts its workload",
                );
            }
            continue;
        };
        injected += 1;
        let before = category.findings.len();
        judge_pod(
            category,
            pod,
            &title,
            version,
            by_pod.get(&(namespace.as_str(), name.as_str())).copied(),
            now,
        );
        well += usize::from(category.findings.len() == before);
    }
    match injected {
        0 => category.ok("no pod has a sidecar yet"),
        1 if well == 1 => category.ok("the only sidecar is ready, current and connected"),
        n if well == n => category.ok(format!("all {n} sidecars are ready, current and connected")),
        // The others are told one by one.
        _ if well == 0 => {}
        n => category.ok(format!("{well} of {n} sidecars are ready, current and connected")),
    }
}

/// Whether the step that leads the pod's traffic into its sidecar has done its work.
fn is_redirected(pod: &Pod) -> bool {
    let status = pod.status.as_ref();
    let steps = status
        .and_then(|s| s.init_container_statuses.as_deref())
        .unwrap_or_default();
    let step = steps.iter().find(|s| s.name == names::REDIRECT_CONTAINER);
    // A pod whose status does not tell is not accused.
    step.is_none_or(|s| {
        let ended = s.state.as_ref().and_then(|s| s.terminated.as_ref());
        ended.is_none_or(|e| e.exit_code == 0)
    })
}

fn judge_pod(
    category: &mut Category,
    pod: &Pod,
    title: &str,
    version: &str,
    proxy: Option<&Proxy>,
    now: i64,
) {
    let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
    let log = format!("`meshctl proxy logs pod/{name} -n {namespace}` tells more");
    if !why::is_ready(pod) {
        category.error(
            format!("{title} is not ready"),
            why::in_a_line(&why::pod_lines(pod)),
        );
    }
    if !is_redirected(pod) {
        category.error(
            format!("the traffic of {title} does not go through its sidecar"),
            format!(
                "the redirect step failed: `kubectl logs {name} -n {namespace} -c mesh-redirect` tells more"
            ),
        );
    }
    if version != names::VERSION {
        category.warning(
            format!("{title} has sidecar {version}, this is {}", names::VERSION),
            "`meshctl inject` rolls its workload",
        );
    }
    let Some(proxy) = proxy.filter(|p| p.connected) else {
        category.error(
            format!("the sidecar of {title} is not connected to the control plane"),
            format!("it keeps its last configuration; {log}"),
        );
        return;
    };
    if proxy.certificate_not_after <= now {
        category.error(format!("the certificate of {title} is not valid"), log);
    }
    if !proxy.rejected.is_empty() {
        category.error(
            format!(
                "the sidecar of {title} refuses configuration: {}",
                proxy.rejected.join(", ")
            ),
            "the last good one stays in force; correct the named objects",
        );
    } else if proxy.acknowledged_sequence < proxy.sent_sequence {
        category.warning(
            format!("the sidecar of {title} has not acknowledged its last configuration"),
            "this is normal for a moment",
        );
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Level;
    use super::*;

    fn pod(name: &str, injected: bool) -> Pod {
        let mut annotations = json!({});
        if injected {
            annotations[names::INJECTED] = json!(names::VERSION);
        }
        serde_json::from_value(json!({
            "metadata": {"name": name, "namespace": "shop", "annotations": annotations},
            "status": {"conditions": [{"type": "Ready", "status": "True"}]}
        }))
        .unwrap()
    }

    fn proxy(name: &str) -> Proxy {
        Proxy {
            namespace: "shop".into(),
            pod: name.into(),
            connected: true,
            certificate_not_after: 1000,
            ..Proxy::default()
        }
    }

    fn findings(pods: &[Pod], wanted: &[&str], proxies: &[Proxy]) -> Vec<(Level, String)> {
        let mut category = Category::new("Data plane");
        let wanted = wanted.iter().map(|w| (*w).to_owned()).collect();
        judge(&mut category, pods, &wanted, proxies, 500);
        category.findings.into_iter().map(|f| (f.level, f.text)).collect()
    }

    #[test]
    fn connected_and_ready_is_well() {
        let found = findings(&[pod("a", true)], &["shop"], &[proxy("a")]);
        assert_eq!(
            found,
            [(
                Level::Ok,
                "the only sidecar is ready, current and connected".into()
            )]
        );
    }

    #[test]
    fn only_pods_that_can_have_a_sidecar_are_missed() {
        let mut on_host = pod("agent", false);
        on_host.spec = Some(serde_json::from_value(json!({"hostNetwork": true, "containers": []})).unwrap());
        let found = findings(&[pod("a", false), on_host], &["shop"], &[]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(found[0].1, "shop/a should have a sidecar and has none");
        assert_eq!(found[1].1, "no pod has a sidecar yet");
    }

    #[test]
    fn a_sidecar_is_taken_at_its_word() {
        let mut config = json!({"identity": "spiffe://x/ns/shop/sa/web", "inbound": {}, "rejected": {}});
        assert_eq!(trouble(&config, "shop", "web"), None);
        assert!(trouble(&config, "shop", "db").unwrap().contains("should be db"));
        config["rejected"] = json!({"target/x": "bad"});
        assert_eq!(trouble(&config, "shop", "web").unwrap(), "refuses target/x");
    }

    #[test]
    fn each_trouble_is_named() {
        assert!(
            findings(&[pod("a", true)], &[], &[])[0]
                .1
                .contains("not connected")
        );
        let mut expired = proxy("a");
        expired.certificate_not_after = 400;
        assert!(
            findings(&[pod("a", true)], &[], &[expired])[0]
                .1
                .contains("certificate")
        );
        let mut refusing = proxy("a");
        refusing.rejected = vec!["target/x".into()];
        assert!(
            findings(&[pod("a", true)], &[], &[refusing])[0]
                .1
                .contains("target/x")
        );
        let bare = findings(&[pod("a", false)], &["shop"], &[]);
        assert_eq!(bare[0].0, Level::Warning);
        assert_eq!(
            findings(&[pod("a", false)], &[], &[]).len(),
            1,
            "nobody asked for one"
        );
    }
}
