//! What a pod's workload is called in metrics and policy: `deploy/web`, `sts/db`, `job/import`, `pod/x`.

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

/// The label a Deployment's ReplicaSets put on their pods.
const TEMPLATE_HASH: &str = "pod-template-hash";

pub fn workload_name(pod: &Pod) -> String {
    let owner = pod
        .owner_references()
        .iter()
        .find(|o| o.controller == Some(true))
        .or_else(|| pod.owner_references().first());
    let Some(owner) = owner else {
        return format!("pod/{}", pod.name_any());
    };
    match owner.kind.as_str() {
        "ReplicaSet" => {
            let deployment = pod
                .labels()
                .get(TEMPLATE_HASH)
                .and_then(|hash| owner.name.strip_suffix(hash.as_str()))
                .and_then(|name| name.strip_suffix('-'));
            match deployment {
                Some(name) => format!("deploy/{name}"),
                None => format!("rs/{}", owner.name),
            }
        }
        "StatefulSet" => format!("sts/{}", owner.name),
        "DaemonSet" => format!("ds/{}", owner.name),
        "Job" => format!("job/{}", owner.name),
        // Static pods are owned by their Node.
        "Node" => format!("pod/{}", pod.name_any()),
        kind => format!("{}/{}", kind.to_lowercase(), owner.name),
    }
}
