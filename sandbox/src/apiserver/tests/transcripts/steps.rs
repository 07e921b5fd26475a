//! What happened between the recorded exchanges.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::super::webhooks::{allow, serve};
use super::*;

const MAPS: &str = "/api/v1/namespaces/rec/configmaps";
/// Where the recorded webhook listened, and a port where nothing did.
const HOOK: &str = "10.244.0.1:9443";
const NOBODY: &str = "10.244.0.1:9444";

/// Starts the webhook of the recording: it answers by the object's name.
pub async fn webhook(server: &Arc<Server>, seen: Arc<std::sync::Mutex<Vec<Value>>>) -> u16 {
    serve(&server.pki, None, move |review, _, uri| {
        seen.lock().unwrap().push(json!({"path": uri, "review": review}));
        let response = |more: Value| {
            let mut response = json!({"uid": review["request"]["uid"], "allowed": true});
            json_patch::merge(&mut response, &more);
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})
        };
        let patch =
            |patch: Value| json!({"patchType": "JSONPatch", "patch": STANDARD.encode(patch.to_string())});
        match review["request"]["name"].as_str().unwrap_or_default() {
            "h-patch" | "h-dry" => {
                let mut more = patch(json!([{"op": "add", "path": "/data/injected", "value": "yes"}]));
                more["warnings"] = json!(["take care"]);
                response(more)
            }
            "h-badpatch" => response(patch(json!([{"op": "remove", "path": "/nope"}]))),
            "h-deny" | "h-v" => response(json!({"allowed": false, "status": {"message": "no thanks"}})),
            "h-garbage" => json!({"hello": "there"}),
            "h-slow" => {
                std::thread::sleep(std::time::Duration::from_secs(3));
                allow(&review, None)
            }
            _ => allow(&review, None),
        }
    })
    .await
}

/// Takes away what came sooner than when Kubernetes was asked: there it might or might not be seen.
pub fn settle(name: &str, answer: &mut Value) {
    if name != "terminating namespace says what remains" {
        return;
    }
    if let Some(status) = answer["body"]["status"].as_object_mut() {
        status.remove("conditions");
    }
    if let Some(entries) = answer["body"]["metadata"]["managedFields"].as_array_mut() {
        entries.retain(|entry| entry.get("subresource").is_none());
    }
}

impl Replay {
    async fn must(&self, method: Method, path: &str, media: &str, agent: &str, body: Value) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, media)
            .header(header::USER_AGENT, agent)
            .body(if body.is_null() {
                body::empty()
            } else {
                body::full(body.to_string())
            })
            .unwrap();
        let (code, value) = finish(self.server.handle(request, Some(admin())).await).await;
        assert!(code.is_success(), "{path}: {value}");
        value
    }

    async fn map(&self, body: Value) {
        self.must(Method::POST, MAPS, JSON, AGENT, body).await;
    }

    async fn gone(&self, path: &str) {
        for _ in 0..500 {
            let request = Request::get(path).body(body::empty()).unwrap();
            if self.server.handle(request, Some(admin())).await.status() == StatusCode::NOT_FOUND {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{path} is still there");
    }

    async fn there(&self, path: &str) {
        for _ in 0..500 {
            let request = Request::get(path).body(body::empty()).unwrap();
            if self.server.handle(request, Some(admin())).await.status() == StatusCode::OK {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("{path} never came");
    }

    /// Before an exchange.
    pub async fn before(&mut self, file: &str, name: &str) {
        match (file, name) {
            ("basics-and-errors", "create namespace") => {
                let controllers = crate::controllers::run(self.api.client(), self.api.ca_pem());
                self.controllers = Some(tokio::spawn(controllers));
            }
            ("basics-and-errors", "default service account and root CA config map appear") => {
                self.there("/api/v1/namespaces/rec/serviceaccounts/default").await;
                self.there(&format!("{MAPS}/kube-root-ca.crt")).await;
                // The other exchanges would see them work at their own pace.
                if let Some(controllers) = self.controllers.take() {
                    controllers.abort();
                    let _ = controllers.await;
                }
                // A controller of the recorded cluster's own.
                let extra = json!({
                    "metadata": {
                        "name": "openshift-service-ca.crt",
                        "annotations": {"service.beta.openshift.io/inject-cabundle": "true"},
                    },
                    "data": {"service-ca.crt": ""},
                });
                self.must(Method::POST, MAPS, JSON, "kube-controller-manager/1", extra)
                    .await;
            }
            ("patches", "status subresource ignores spec") => self.controller_sees_the_deployment().await,
            ("lists", "list labelSelector=even%3Dtrue") => {
                for n in 0..5 {
                    let labels = json!({"n": n.to_string(), "even": (n % 2 == 0).to_string()});
                    self.map(json!({"metadata": {"name": format!("l{n}"), "labels": labels}}))
                        .await;
                }
            }
            ("watches", "watch from a resourceVersion") => {
                let revision = self.server.store.revision().to_string();
                self.known.learn("2399", &revision);
            }
            ("watches", "too old") => {
                let path = format!("{MAPS}/busy");
                self.map(json!({"metadata": {"name": "busy"}})).await;
                for i in 0..4200 {
                    self.must(
                        Method::PATCH,
                        &path,
                        MERGE,
                        AGENT,
                        json!({"data": {"i": i.to_string()}}),
                    )
                    .await;
                }
                self.must(Method::DELETE, &path, JSON, AGENT, Value::Null).await;
            }
            ("custom-resources", "established") => self.there("/apis/ex.io/v1/namespaces/rec/gadgets").await,
            ("identity-and-permission", "claims of a default token") => {
                let path = "/api/v1/namespaces/rec/serviceaccounts/bob/token";
                let request = self
                    .must(Method::POST, path, JSON, AGENT, json!({"spec": {}}))
                    .await;
                self.tokens
                    .push(request["status"]["token"].as_str().unwrap().into());
            }
            ("deletion", "owned is collected") => self.gone(&format!("{MAPS}/owned")).await,
            ("deletion", "delete namespace") => {
                self.must(
                    Method::POST,
                    "/api/v1/namespaces",
                    JSON,
                    AGENT,
                    json!({"metadata": {"name": "rec2"}}),
                )
                .await;
                let held = json!({"metadata": {"name": "held", "finalizers": ["ex.io/hold"]}});
                self.must(
                    Method::POST,
                    "/api/v1/namespaces/rec2/configmaps",
                    JSON,
                    AGENT,
                    held,
                )
                .await;
            }
            ("deletion", "namespace gone") => {
                let free = json!({"metadata": {"finalizers": null}});
                self.must(
                    Method::PATCH,
                    "/api/v1/namespaces/rec2/configmaps/held",
                    MERGE,
                    AGENT,
                    free,
                )
                .await;
                self.gone("/api/v1/namespaces/rec2").await;
            }
            ("webhooks", "create a mutating webhook: defaults") => {
                self.known.learn(HOOK, &format!("127.0.0.1:{}", self.hook));
            }
            ("webhooks", "unreachable, Fail") => self.configure(json!({"failurePolicy": "Fail"})).await,
            ("webhooks", "unreachable, Ignore") => self.configure(json!({"failurePolicy": "Ignore"})).await,
            ("webhooks", "validating webhook: deny") => self.validate_instead().await,
            _ => {}
        }
    }

    /// What the recorded request cannot hold: bodies that were cut, and the webhook's place.
    pub fn adapt(&self, file: &str, name: &str, body: &mut Value) {
        match (file, name) {
            ("basics-and-errors", "too large") => {
                *body = json!({"metadata": {"name": "big"}, "data": {"x": "y".repeat(1_200_000)}});
            }
            // The recorder noted the body of the next request.
            ("basics-and-errors", "put") => body["data"]["k"] = "2".into(),
            ("webhooks", "create a mutating webhook: defaults") => {
                let config = &mut body["webhooks"][0]["clientConfig"];
                config["caBundle"] = STANDARD.encode(&self.server.pki.ca).into();
            }
            ("identity-and-permission", name) if name.starts_with("review: ") => {
                let token = match name {
                    "review: default token" => self.tokens[1].as_str(),
                    "review: nonsense" => "nonsense",
                    _ => self.tokens[0].as_str(),
                };
                body["spec"]["token"] = token.into();
            }
            _ => {}
        }
    }

    pub fn bearer(&self, name: &str) -> &str {
        match name {
            "bad token" => "nonsense",
            "audience token is not for the API server" => &self.tokens[0],
            _ => &self.tokens[1],
        }
    }

    /// While a watch is open.
    pub async fn meanwhile(&mut self, name: &str) {
        if name == "definition deleted while watched" {
            let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.ex.io";
            self.must(Method::DELETE, path, JSON, AGENT, Value::Null).await;
            return;
        }
        let one = format!("{MAPS}/w");
        let patch = async |body: Value| drop(self.must(Method::PATCH, &one, MERGE, AGENT, body).await);
        self.map(json!({"metadata": {"name": "w", "labels": {"w": "1"}}}))
            .await;
        patch(json!({"data": {"a": "1"}})).await;
        patch(json!({"metadata": {"labels": null}})).await;
        patch(json!({"metadata": {"labels": {"w": "1"}}})).await;
        self.must(Method::DELETE, &one, JSON, AGENT, Value::Null).await;
    }

    /// The claims of the tokens that were given out; the second one is asked for here.
    pub fn claims(&mut self, name: &str) -> Value {
        let token = if name.ends_with("mesh") {
            &self.tokens[0]
        } else {
            &self.tokens[1]
        };
        let payload = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
    }

    async fn controller_sees_the_deployment(&self) {
        let path = "/apis/apps/v1/namespaces/rec/deployments/web/status";
        let condition = |kind: &str, reason: &str, message: &str| {
            json!({
                "type": kind, "status": "True", "reason": reason, "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z", "lastUpdateTime": "2026-01-01T00:00:00Z",
            })
        };
        let status = json!({
            "metadata": {"annotations": {"deployment.kubernetes.io/revision": "5"}},
            "status": {"terminatingReplicas": 0, "conditions": [
                condition("Available", "MinimumReplicasAvailable", "Deployment has minimum availability."),
                condition(
                    "Progressing",
                    "NewReplicaSetAvailable",
                    "ReplicaSet \"web-6796b7d9d8\" has successfully progressed.",
                ),
            ]},
        });
        self.must(Method::PATCH, path, MERGE, "kube-controller-manager/1", status)
            .await;
    }

    async fn configure(&mut self, more: Value) {
        let path = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/h";
        let mut current = self.must(Method::GET, path, JSON, AGENT, Value::Null).await;
        json_patch::merge(&mut current["webhooks"][0], &more);
        current["webhooks"][0]["clientConfig"]["url"] = "https://127.0.0.1:9/hook".into();
        self.known.learn(NOBODY, "127.0.0.1:9");
        self.must(Method::PUT, path, JSON, AGENT, current).await;
    }

    async fn validate_instead(&mut self) {
        let root = "/apis/admissionregistration.k8s.io/v1";
        let path = format!("{root}/mutatingwebhookconfigurations/h");
        let current = self.must(Method::GET, &path, JSON, AGENT, Value::Null).await;
        self.must(Method::DELETE, &path, JSON, AGENT, Value::Null).await;
        let mut webhook = current["webhooks"][0].clone();
        webhook["clientConfig"]["url"] = format!("https://127.0.0.1:{}/hook", self.hook).into();
        if let Some(map) = webhook.as_object_mut() {
            map.remove("reinvocationPolicy");
        }
        let config = json!({"metadata": {"name": "h"}, "webhooks": [webhook]});
        self.must(
            Method::POST,
            &format!("{root}/validatingwebhookconfigurations"),
            JSON,
            AGENT,
            config,
        )
        .await;
    }
}
