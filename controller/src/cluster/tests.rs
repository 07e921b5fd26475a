//! Caches in step with what is watched, whatever comes.

use std::sync::atomic::{AtomicUsize, Ordering};

use kube::client::Body;
use serde_json::json;

use super::{read::Failure, *};
use crate::model::Key;

fn service(name: &str) -> Read<Service> {
    let mut service = Service::default();
    service.metadata.name = Some(name.into());
    service.metadata.namespace = Some("shop".into());
    typed(DeserializeGuard(Ok(service)), |_| {})
}

fn names(cache: &Cache<Service>) -> Vec<String> {
    let mut names: Vec<String> = cache.all().iter().map(|s| Key::of(&**s).to_string()).collect();
    names.sort();
    names
}

#[test]
fn of_pods_is_kept_what_the_model_reads() {
    let pod = json!({ "metadata": { "name": "web-1", "namespace": "shop", "labels": { "app": "web" },
            "annotations": { "meshctl.io/opaque-ports": "5432", "other.io/notes": "long" }, "resourceVersion": "7", "uid": "u",
            "creationTimestamp": "2026-01-01T00:00:00Z", "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "r" }] },
        "spec": { "serviceAccountName": "web", "nodeName": "n", "volumes": [{ "name": "v" }],
            "containers": [{ "name": "app", "env": [{ "name": "A", "value": "b" }], "ports": [{ "containerPort": 80 }] }] },
        "status": { "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{ "ip": "10.0.0.1" }],
            "containerStatuses": [] } });
    let mut lean: Pod = serde_json::from_value(pod).unwrap();
    lean_pod(&mut lean);
    assert_eq!(
        serde_json::to_value(lean).unwrap(),
        json!({ "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "web-1", "namespace": "shop", "labels": { "app": "web" },
                "annotations": { "meshctl.io/opaque-ports": "5432" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "r" }] },
            "spec": { "serviceAccountName": "web", "nodeName": "n", "containers": [{ "name": "app", "ports": [{ "containerPort": 80 }] }] },
            "status": { "phase": "Running", "podIP": "10.0.0.1", "podIPs": [{ "ip": "10.0.0.1" }] } })
    );
}

#[test]
fn a_list_replaces_what_was_there_at_once() {
    let (cache, troubles) = (Cache::default(), Troubles::default());
    let mut keeper = Keeper::new(&cache, "Service", &troubles, Service::eq);
    let mut give = |event| keeper.apply(event);
    assert!(!give(Event::Init) && !give(Event::InitApply(service("a"))));
    assert!(!cache.is_synced() && cache.all().is_empty());
    assert!(give(Event::InitDone) && cache.is_synced());
    assert!(give(Event::Apply(service("b"))));
    assert!(!give(Event::Apply(service("b"))), "nothing about it is new");
    assert_eq!(names(&cache), ["shop/a", "shop/b"]);
    give(Event::Init);
    give(Event::InitApply(service("b")));
    assert_eq!(
        names(&cache),
        ["shop/a", "shop/b"],
        "the old list stays until the new one is complete"
    );
    give(Event::InitDone);
    assert_eq!(names(&cache), ["shop/b"]);
    assert!(give(Event::Delete(service("b"))) && !give(Event::Delete(service("b"))));
}

#[test]
fn a_poisoned_object_harms_only_itself() {
    let (cache, troubles) = (Cache::default(), Troubles::default());
    let mut keeper = Keeper::new(&cache, "Service", &troubles, Service::eq);
    let mut give = |event| keeper.apply(event);
    give(Event::Init);
    give(Event::InitApply(service("good")));
    let poisoned = |name: &str| Read {
        key: Key::new("shop", name),
        object: Err(Box::new(Failure {
            error: "no such variant".into(),
            ..Failure::default()
        })),
        salvaged: None,
    };
    give(Event::InitApply(poisoned("bad")));
    give(Event::InitDone);
    assert_eq!(names(&cache), ["shop/good"]);
    give(Event::Apply(poisoned("good")));
    assert_eq!(names(&cache), ["shop/good"], "what was in force stays");
    let told = |troubles: &Troubles| -> Vec<String> {
        let all = troubles.of_kind("Service").into_iter();
        all.map(|(key, trouble)| format!("{key}: {}", trouble.message))
            .collect()
    };
    assert_eq!(
        told(&troubles),
        [
            "shop/bad: it cannot be read, and is not in force: no such variant",
            "shop/good: it cannot be read, and stays in force as it was: no such variant"
        ]
    );
    give(Event::Apply(service("good")));
    give(Event::Delete(service("bad")));
    assert!(told(&troubles).is_empty(), "what is mended is forgotten");
}

#[test]
fn a_policy_that_never_could_be_read_does_not_open_what_it_closed() {
    let (cache, troubles) = (Cache::default(), Troubles::default());
    let mut keeper = Keeper::new(&cache, "AuthorizationPolicy", &troubles, |_, _| false);
    let mut give = |event| keeper.apply(event);
    let policy = |rules: Value| {
        let object = json!({ "apiVersion": "security.istio.io/v1", "kind": "AuthorizationPolicy",
            "metadata": { "name": "p", "namespace": "shop" }, "spec": { "rules": rules } });
        untyped(
            serde_json::from_value(object).unwrap(),
            salvage::authorization_policy,
        )
    };
    give(Event::Init);
    give(Event::InitApply(policy("nonsense".into())));
    give(Event::InitDone);
    let found = cache.all();
    assert_eq!(
        (found.len(), found[0].spec.rules.len()),
        (1, 1),
        "ALLOW of what nobody asks for"
    );
    give(Event::Apply(policy(json!([{}, {}]))));
    give(Event::Apply(policy("nonsense".into())));
    assert_eq!(cache.all()[0].spec.rules.len(), 2, "what was in force stays");
}

#[test]
fn an_istio_object_is_read_whatever_its_version() {
    let object = json!({ "apiVersion": "networking.istio.io/v1alpha3", "kind": "VirtualService",
        "metadata": { "name": "web", "namespace": "shop" }, "spec": { "hosts": ["web"] } });
    let read: Read<VirtualService> = untyped(serde_json::from_value(object).unwrap(), |_| None);
    assert_eq!(read.key, Key::new("shop", "web"));
    assert_eq!(read.object.unwrap().spec.hosts, ["web"]);
}

/// An API server that knows no services at first, and then one.
fn late(asked: Arc<AtomicUsize>) -> Client {
    let answer = move |request: http::Request<Body>| {
        let asked = asked.clone();
        async move {
            let watches = request.uri().query().is_some_and(|q| q.contains("watch=true"));
            if watches {
                std::future::pending::<()>().await;
            }
            let (status, body) = match asked.fetch_add(1, Ordering::SeqCst) {
                0 => (
                    404,
                    json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 404,
                    "reason": "NotFound", "message": "the server could not find the requested resource" }),
                ),
                _ => (
                    200,
                    json!({ "kind": "ServiceList", "apiVersion": "v1", "metadata": { "resourceVersion": "1" },
                    "items": [{ "metadata": { "name": "web", "namespace": "shop" } }] }),
                ),
            };
            let answer = http::Response::builder()
                .status(status)
                .body(Body::from(body.to_string().into_bytes()));
            Ok::<_, std::convert::Infallible>(answer.unwrap())
        }
    };
    Client::new(tower::service_fn(answer), "default")
}

#[tokio::test]
async fn a_kind_that_is_not_known_now_is_asked_for_again() {
    let asked = Arc::new(AtomicUsize::new(0));
    let (cache, changes) = (Arc::new(Cache::<Service>::default()), Changes::default());
    let mut changed = changes.subscribe();
    let start = Start {
        client: late(asked.clone()),
        changes,
        others: None,
        troubles: Troubles::default(),
        config: Config::default(),
    };
    spawn_lean(start, cache.clone(), lean_service);
    changed.changed().await.unwrap();
    assert!(
        cache.is_synced() && cache.all().is_empty(),
        "not there counts as none"
    );
    changed.changed().await.unwrap();
    assert_eq!(names(&cache), ["shop/web"]);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

/// An API server that takes Events, and tells what they say.
fn listening(heard: tokio::sync::mpsc::UnboundedSender<Value>) -> Client {
    let answer = move |request: http::Request<Body>| {
        let heard = heard.clone();
        async move {
            let path = request.uri().path().to_owned();
            let body = request.into_body().collect_bytes().await.unwrap();
            let mut event: Value = serde_json::from_slice(&body).unwrap();
            event["path"] = path.into();
            heard.send(event).unwrap();
            let answer = http::Response::builder()
                .status(201)
                .body(Body::from(body.to_vec()));
            Ok::<_, std::convert::Infallible>(answer.unwrap())
        }
    };
    Client::new(tower::service_fn(answer), "default")
}

#[tokio::test]
async fn the_author_of_what_cannot_be_read_hears_of_it_once() {
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let troubles = Troubles::default();
    let (_leading, leads) = watch::channel(true);
    tokio::spawn(tell(
        listening(sender),
        crate::settings::Settings::from_env(),
        troubles.clone(),
        leads,
    ));
    let note = |name: &str| {
        let failure = Failure {
            api_version: "networking.istio.io/v1".into(),
            error: "invalid type: string \"ten\"".into(),
            ..Failure::default()
        };
        troubles.note(
            "VirtualService",
            Key::new("shop", name),
            failure,
            "is not in force",
        );
    };
    note("web");
    let event = heard.recv().await.unwrap();
    assert_eq!(event["path"], "/apis/events.k8s.io/v1/namespaces/shop/events");
    assert_eq!(
        (&event["reason"], &event["type"]),
        (&json!("Unreadable"), &json!("Warning"))
    );
    assert_eq!(event["regarding"]["name"], "web");
    assert_eq!(
        event["note"],
        "it cannot be read, and is not in force: invalid type: string \"ten\""
    );
    note("web");
    note("other");
    let event = heard.recv().await.unwrap();
    assert_eq!(event["regarding"]["name"], "other", "nothing twice");
}
