//! The controllers against the API server. The node is played: pods that are bound to it get an address and run, pods
//! that are deleted go.

use std::time::Duration;

use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    batch::v1::Job,
    core::v1::{ConfigMap, Namespace, Pod, Service, ServiceAccount},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::{Value, from_value, json};

use super::pods;
use crate::testing;

mod play;

use play::{Play, until};

fn template(annotations: &Value) -> Value {
    json!({
        "metadata": {"labels": {"app": "web"}, "annotations": annotations},
        "spec": {"containers": [{"name": "c", "image": "c:1", "ports": [{"name": "http", "containerPort": 8080}]}]},
    })
}

fn deployment(replicas: i32) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template(&json!({}))}})
}

fn service(spec: &Value) -> Value {
    let mut service = json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"},
        "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}});
    json_patch::merge(&mut service["spec"], spec);
    service
}

fn reason(deployment: &Deployment, type_: &str) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|c| c.type_ == type_)?.reason.clone()
}

async fn rolled_out(play: &Play, replicas: i32) -> Deployment {
    until("the deployment is rolled out", || async {
        let deployment = play.api::<Deployment>().get("web").await.unwrap();
        let status = deployment.status.clone()?;
        let all = |n: Option<i32>| n.unwrap_or_default() == replicas;
        let done = status.observed_generation == deployment.metadata.generation
            && [
                status.replicas,
                status.updated_replicas,
                status.available_replicas,
            ]
            .into_iter()
            .all(all)
            && reason(&deployment, "Progressing").as_deref() == Some("NewReplicaSetAvailable");
        done.then_some(deployment)
    })
    .await
}

#[tokio::test]
async fn a_deployment_leads_to_pods_and_an_endpoint_slice_and_rolls_on() {
    let play = Play::start().await;
    play.create::<Service>(service(&json!({}))).await;
    play.create::<Deployment>(deployment(2)).await;
    let first = rolled_out(&play, 2).await;
    assert_eq!(first.annotations()["deployment.kubernetes.io/revision"], "1");
    assert_eq!(
        reason(&first, "Available").as_deref(),
        Some("MinimumReplicasAvailable")
    );

    let sets = play.list::<ReplicaSet>().await;
    let [set] = &sets[..] else { panic!("{sets:?}") };
    let hash = &set.labels()["pod-template-hash"];
    assert_eq!(set.name_any(), format!("web-{hash}"));
    assert!(pods::is_owned_by(set, first.metadata.uid.as_deref()));
    assert_eq!(
        set.annotations()["deployment.kubernetes.io/desired-replicas"],
        "2"
    );
    assert_eq!(set.annotations()["deployment.kubernetes.io/max-replicas"], "3");
    let running = play.list::<Pod>().await;
    assert_eq!(running.len(), 2);
    for pod in &running {
        assert!(pods::is_owned_by(pod, set.metadata.uid.as_deref()));
        assert!(pod.name_any().starts_with(&format!("web-{hash}-")));
        assert_eq!(&pod.labels()["pod-template-hash"], hash);
        assert_eq!(pod.spec.as_ref().unwrap().node_name.as_deref(), Some("node1"));
    }
    let slice = until("both pods are endpoints", || async {
        play.slice("web").await.filter(|s| {
            let ready = |e: &&k8s_openapi::api::discovery::v1::Endpoint| {
                e.conditions.as_ref().unwrap().ready == Some(true)
            };
            s.endpoints.iter().filter(ready).count() == 2
        })
    })
    .await;
    assert!(slice.name_any().starts_with("web-"));
    assert_eq!(slice.ports.as_ref().unwrap()[0].port, Some(8080));

    play.patch::<Deployment>(
        "web",
        json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}),
    )
    .await;
    let second = rolled_out(&play, 2).await;
    assert_eq!(second.annotations()["deployment.kubernetes.io/revision"], "2");
    let events = until("events are written", || async {
        let events = play.events("web").await;
        (events.len() >= 5).then_some(events)
    })
    .await;
    let mut sets = play.list::<ReplicaSet>().await;
    sets.sort_by_key(|s| s.annotations()["deployment.kubernetes.io/revision"].clone());
    let [old, new] = [&sets[0], &sets[1]].map(ResourceExt::name_any);
    assert_eq!(
        events,
        [
            format!("ScalingReplicaSet Scaled up replica set {old} from 0 to 2"),
            format!("ScalingReplicaSet Scaled up replica set {new} from 0 to 1"),
            format!("ScalingReplicaSet Scaled down replica set {old} from 2 to 1"),
            format!("ScalingReplicaSet Scaled up replica set {new} from 1 to 2"),
            format!("ScalingReplicaSet Scaled down replica set {old} from 1 to 0"),
        ]
    );

    // Back to the first template: its replica set is used again, under a new revision.
    play.patch::<Deployment>(
        "web",
        json!({"spec": {"template": {"metadata": {"annotations": {"v": null}}}}}),
    )
    .await;
    let third = rolled_out(&play, 2).await;
    assert_eq!(third.annotations()["deployment.kubernetes.io/revision"], "3");
    assert_eq!(play.list::<ReplicaSet>().await.len(), 2);

    play.patch::<Deployment>("web", json!({"spec": {"replicas": 0}}))
        .await;
    until("nobody is left", || async {
        play.list::<Pod>().await.is_empty().then_some(())
    })
    .await;
    until("the slice is empty", || async {
        play.slice("web").await.filter(|s| s.endpoints.is_empty())
    })
    .await;
}

#[tokio::test]
async fn recreate_waits_until_the_old_pods_are_gone() {
    let play = Play::start().await;
    let mut object = deployment(2);
    object["spec"]["strategy"] = json!({"type": "Recreate"});
    play.create::<Deployment>(object).await;
    rolled_out(&play, 2).await;
    // A finalizer keeps one of the old pods.
    let kept = play.list::<Pod>().await[0].name_any();
    play.patch::<Pod>(&kept, json!({"metadata": {"finalizers": ["example.com/hold"]}}))
        .await;
    play.patch::<Deployment>(
        "web",
        json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}),
    )
    .await;
    until("one old pod is left", || async {
        (play.list::<Pod>().await.len() == 1).then_some(())
    })
    .await;
    assert_eq!(play.list::<ReplicaSet>().await.len(), 1);
    play.patch::<Pod>(&kept, json!({"metadata": {"finalizers": null}}))
        .await;
    rolled_out(&play, 2).await;
}

#[tokio::test]
async fn a_pod_that_is_removed_or_taken_aside_is_replaced() {
    let play = Play::start().await;
    play.create::<Deployment>(deployment(2)).await;
    rolled_out(&play, 2).await;
    let [removed, aside] = [0, 1];
    let before: Vec<_> = play
        .list::<Pod>()
        .await
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    play.api::<Pod>()
        .delete(&before[removed], &DeleteParams::default())
        .await
        .unwrap();
    play.patch::<Pod>(&before[aside], json!({"metadata": {"labels": {"app": "debug"}}}))
        .await;
    until("two others serve", || async {
        let pods = play.list::<Pod>().await;
        let serving = pods
            .iter()
            .filter(|p| p.labels()["app"] == "web" && !before.contains(&p.name_any()));
        let freed = pods
            .iter()
            .any(|p| p.name_any() == before[aside] && p.owner_references().is_empty());
        (serving.count() == 2 && freed && pods.len() == 3).then_some(())
    })
    .await;
}

#[tokio::test]
async fn endpoints_follow_readiness_within_a_tenth_of_a_second() {
    let play = Play::start().await;
    play.create::<Service>(service(&json!({}))).await;
    play.create::<Deployment>(deployment(1)).await;
    rolled_out(&play, 1).await;
    let pod = play.list::<Pod>().await[0].name_any();
    let mut delays = Vec::new();
    for ready in [false, true, false, true, false] {
        let status = if ready { "True" } else { "False" };
        let condition = json!({"status": {"conditions": [{"type": "Ready", "status": status}]}});
        let before = testing::worked();
        let patch = Patch::Merge(condition);
        play.api::<Pod>()
            .patch_status(&pod, &PatchParams::default(), &patch)
            .await
            .unwrap();
        let follows = async || {
            let slice = play.slice("web").await.expect("a slice");
            let conditions = slice.endpoints.first().and_then(|e| e.conditions.as_ref());
            conditions.and_then(|c| c.ready) == Some(ready)
        };
        delays.push(testing::own_time(before, follows).await);
    }
    delays.sort();
    assert!(delays[2] < Duration::from_millis(100), "{delays:?}");
}

#[tokio::test]
async fn every_namespace_has_its_account_and_the_cluster_ca() {
    let play = Play::without_node();
    let namespaces: Api<Namespace> = Api::all(play.client.clone());
    let shop = from_value(json!({"metadata": {"name": "shop"}})).unwrap();
    namespaces.create(&PostParams::default(), &shop).await.unwrap();
    let accounts: Api<ServiceAccount> = Api::namespaced(play.client.clone(), "shop");
    let maps: Api<ConfigMap> = Api::namespaced(play.client.clone(), "shop");
    let there = || async {
        accounts.get_opt("default").await.unwrap()?;
        let map = maps.get_opt("kube-root-ca.crt").await.unwrap()?;
        map.data?
            .get("ca.crt")
            .filter(|ca| ca.contains("BEGIN CERTIFICATE"))
            .cloned()
    };
    let ca = until("the namespace is furnished", there).await;
    accounts
        .delete("default", &DeleteParams::default())
        .await
        .unwrap();
    let patch = Patch::Merge(json!({"data": {"ca.crt": "other"}}));
    maps.patch("kube-root-ca.crt", &PatchParams::default(), &patch)
        .await
        .unwrap();
    assert_eq!(until("what was removed or changed is restored", there).await, ca);
}

#[tokio::test]
async fn a_pod_waits_for_a_node_and_says_so() {
    let play = Play::without_node();
    play.create::<Deployment>(deployment(1)).await;
    let pod = until("the pod waits", || async {
        let pod = play.list::<Pod>().await.pop()?;
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let scheduled = conditions.iter().find(|c| c.type_ == "PodScheduled")?;
        (scheduled.reason.as_deref() == Some("Unschedulable")).then_some(pod)
    })
    .await;
    play.add_node().await;
    rolled_out(&play, 1).await;
    let events = until("the binding is told", || async {
        let events = play.events(&pod.name_any()).await;
        (events.len() >= 2).then_some(events)
    })
    .await;
    assert!(events[0].starts_with("FailedScheduling "), "{events:?}");
    let assigned = format!(
        "Scheduled Successfully assigned default/{} to node1",
        pod.name_any()
    );
    assert!(events.contains(&assigned), "{events:?}");
}

#[tokio::test]
async fn a_stateful_set_has_ordered_pods_with_names() {
    let play = Play::start().await;
    play.create::<Service>(service(&json!({"clusterIP": "None"})))
        .await;
    let set = json!({"metadata": {"name": "web"}, "spec": {"replicas": 3, "serviceName": "web",
        "selector": {"matchLabels": {"app": "web"}}, "template": template(&json!({}))}});
    play.create::<StatefulSet>(set).await;
    let ready = |replicas| {
        let play = &play;
        move || async move {
            let set = play.api::<StatefulSet>().get("web").await.unwrap();
            let status = set.status?;
            let all = status.available_replicas == Some(replicas) && status.replicas == replicas;
            (all && status.current_revision == status.update_revision).then_some(status.update_revision)
        }
    };
    let first = until("all three are ready", ready(3)).await;
    let mut by_age = play.list::<Pod>().await;
    by_age.sort_by_key(|p| p.status.as_ref().unwrap().pod_ip.clone());
    let names: Vec<_> = by_age.iter().map(ResourceExt::name_any).collect();
    assert_eq!(
        names,
        ["web-0", "web-1", "web-2"],
        "the played node gives out addresses in order"
    );
    let slice = until("the slice names them", || async {
        play.slice("web").await.filter(|s| s.endpoints.len() == 3)
    })
    .await;
    assert!(
        slice
            .endpoints
            .iter()
            .all(|e| e.hostname == e.target_ref.as_ref().unwrap().name)
    );

    let update = json!({"spec": {"replicas": 2, "template": {"metadata": {"annotations": {"v": "2"}}}}});
    play.patch::<StatefulSet>("web", update).await;
    until("two new ones are ready", || async {
        let revision = ready(2)().await?;
        (revision != first).then_some(())
    })
    .await;
    let names: Vec<_> = play
        .list::<Pod>()
        .await
        .iter()
        .map(ResourceExt::name_any)
        .collect();
    assert_eq!(names, ["web-0", "web-1"]);
}

#[tokio::test]
async fn a_daemon_set_has_a_pod_on_the_node() {
    let play = Play::start().await;
    let set = json!({"metadata": {"name": "web"}, "spec": {
        "selector": {"matchLabels": {"app": "web"}}, "template": template(&json!({}))}});
    play.create::<DaemonSet>(set).await;
    let updated = || async {
        let set = play.api::<DaemonSet>().get("web").await.unwrap();
        let status = set.status?;
        let done = status.observed_generation == set.metadata.generation
            && status.number_available == Some(1)
            && status.updated_number_scheduled == Some(1);
        done.then_some(())
    };
    until("the pod is available", updated).await;
    let before = play.list::<Pod>().await.remove(0).name_any();
    play.patch::<DaemonSet>(
        "web",
        json!({"spec": {"template": {"metadata": {"annotations": {"v": "2"}}}}}),
    )
    .await;
    until("it is updated", || async {
        updated().await?;
        let pods = play.list::<Pod>().await;
        (pods.len() == 1 && pods[0].name_any() != before).then_some(())
    })
    .await;
}

fn job(name: &str, play: &str, more: &Value) -> Value {
    let mut job = json!({"metadata": {"name": name}, "spec": {"template": template(&json!({"play": play}))}});
    job["spec"]["template"]["spec"]["restartPolicy"] = json!("Never");
    json_patch::merge(&mut job["spec"], more);
    job
}

async fn ended(play: &Play, name: &str) -> (Job, Vec<String>) {
    until("the job has ended", || async {
        let job = play.api::<Job>().get(name).await.unwrap();
        let conditions = job.status.as_ref()?.conditions.as_ref()?;
        let text = |c: &k8s_openapi::api::batch::v1::JobCondition| {
            format!(
                "{}={} {}",
                c.type_,
                c.status,
                c.reason.as_deref().unwrap_or_default()
            )
        };
        let ended = conditions
            .iter()
            .any(|c| matches!(c.type_.as_str(), "Complete" | "Failed"));
        let texts = conditions.iter().map(text).collect();
        ended.then(|| (job.clone(), texts))
    })
    .await
}

#[tokio::test]
async fn jobs_complete_and_fail() {
    let play = Play::start().await;
    play.create::<Job>(job(
        "good",
        "Succeeded",
        &json!({"completions": 3, "parallelism": 2}),
    ))
    .await;
    let (good, conditions) = ended(&play, "good").await;
    assert_eq!(
        conditions,
        [
            "SuccessCriteriaMet=True CompletionsReached",
            "Complete=True CompletionsReached"
        ]
    );
    let status = good.status.unwrap();
    assert_eq!((status.succeeded, status.active), (Some(3), None));
    assert!(status.start_time.is_some() && status.completion_time.is_some());
    let events = until("its end is told", || async {
        let events = play.events("good").await;
        (events.len() == 4).then_some(events)
    })
    .await;
    assert_eq!(events[3], "Completed Job completed");

    play.create::<Job>(job("bad", "Failed", &json!({"backoffLimit": 0})))
        .await;
    let (bad, conditions) = ended(&play, "bad").await;
    assert_eq!(
        conditions,
        [
            "FailureTarget=True BackoffLimitExceeded",
            "Failed=True BackoffLimitExceeded"
        ]
    );
    assert_eq!(bad.status.unwrap().failed, Some(1));

    play.create::<Job>(job("brief", "Succeeded", &json!({"ttlSecondsAfterFinished": 0})))
        .await;
    until("a job with no time to live is gone", || async {
        play.api::<Job>()
            .get_opt("brief")
            .await
            .unwrap()
            .is_none()
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_suspended_job_starts_when_it_is_resumed() {
    let play = Play::start().await;
    play.create::<Job>(job("later", "Succeeded", &json!({"suspend": true})))
        .await;
    until("it is suspended", || async {
        let job = play.api::<Job>().get("later").await.unwrap();
        let conditions = job.status?.conditions?;
        conditions
            .iter()
            .any(|c| c.type_ == "Suspended" && c.status == "True")
            .then_some(())
    })
    .await;
    assert!(play.list::<Pod>().await.is_empty());
    play.patch::<Job>("later", json!({"spec": {"suspend": false}}))
        .await;
    let (_, conditions) = ended(&play, "later").await;
    assert_eq!(conditions[0], "Suspended=False JobResumed");
}
