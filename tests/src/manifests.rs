//! The manifests that tests have in common: the demo's server and client, and what stands around them.

use serde_json::{Value, json};

/// A namespace; one that asks for sidecars, or one that does not.
pub fn namespace(name: &str, inject: bool) -> String {
    let labels = if inject {
        json!({"meshctl.io/inject": "enabled"})
    } else {
        json!({})
    };
    document(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}))
}

pub fn account(namespace: &str, name: &str) -> String {
    let metadata = json!({"name": name, "namespace": namespace});
    document(&json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}))
}

/// A Service on port 80 before the pods whose label `app` says so; `port` is the name of its port, which tells what is
/// spoken.
pub fn service(namespace: &str, name: &str, app: &str, port: &str) -> String {
    document(&json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"app": app},
            "ports": [{"name": port, "port": 80, "targetPort": PORT}]
        }
    }))
}

/// Where servers listen.
const PORT: u16 = 8080;

/// A deployment of one of the demo's programs.
#[derive(Clone, Debug)]
#[must_use]
pub struct App {
    name: String,
    labels: Vec<(String, String)>,
    annotations: Value,
    account: Option<String>,
    replicas: u32,
    words: Vec<String>,
    /// Readiness, and what else kubelet asks.
    probes: Value,
}

impl App {
    fn new(name: &str, words: &[&str]) -> Self {
        Self {
            name: name.into(),
            labels: vec![("app".into(), name.into())],
            annotations: json!({}),
            account: None,
            replicas: 1,
            words: words.iter().map(|w| (*w).to_owned()).collect(),
            probes: json!({}),
        }
    }

    /// A server that says who it is and who has called.
    pub fn server(name: &str) -> Self {
        let mut server = Self::new(name, &["app", "server", "--port", "8080", "--name", name]);
        server.probes = json!({"readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1}});
        server
    }

    /// A caller that counts what it gets, so many times a second.
    pub fn client(name: &str, url: &str, rate: u32) -> Self {
        Self::new(
            name,
            &[
                "app",
                "client",
                "--url",
                url,
                "--rate",
                &rate.to_string(),
                "-o",
                "json",
            ],
        )
    }

    /// More words for the program, with blanks between them.
    pub fn with(mut self, words: &str) -> Self {
        self.words.extend(words.split_whitespace().map(str::to_owned));
        self
    }

    /// One more word, whatever is in it.
    pub fn word(mut self, word: &str) -> Self {
        self.words.push(word.into());
        self
    }

    /// A label of its pods, by which they are selected, too.
    pub fn label(mut self, key: &str, value: &str) -> Self {
        self.labels.retain(|(k, _)| k != key);
        self.labels.push((key.into(), value.into()));
        self
    }

    /// A version, as it says of itself and as its pods are labelled.
    pub fn version(self, version: &str) -> Self {
        self.label("version", version).with("--version").word(version)
    }

    pub fn account(mut self, name: &str) -> Self {
        self.account = Some(name.into());
        self
    }

    /// What its pods say of sidecars themselves.
    pub fn inject(mut self, wanted: bool) -> Self {
        let word = if wanted { "enabled" } else { "disabled" };
        self.annotations["meshctl.io/inject"] = word.into();
        self
    }

    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Other probes than the usual one.
    pub fn probes(mut self, probes: Value) -> Self {
        self.probes = probes;
        self
    }

    /// As a deployment that runs on.
    pub fn deployment(&self, namespace: &str, image: &str) -> String {
        document(&json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": self.name, "namespace": namespace},
            "spec": {
                "replicas": self.replicas,
                "selector": {"matchLabels": self.labels()},
                "template": self.template(image)
            }
        }))
    }

    /// As a job that ends when the program does.
    pub fn job(&self, namespace: &str, image: &str) -> String {
        let mut template = self.template(image);
        template["spec"]["restartPolicy"] = "Never".into();
        document(&json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": {"name": self.name, "namespace": namespace},
            "spec": {"backoffLimit": 0, "template": template}
        }))
    }

    fn labels(&self) -> Value {
        let pairs = self.labels.iter();
        pairs.map(|(k, v)| (k.clone(), Value::from(v.clone()))).collect()
    }

    fn template(&self, image: &str) -> Value {
        let mut container = json!({"name": "app", "image": image, "args": self.words});
        // Whoever is probed listens.
        if self.probes.as_object().is_some_and(|p| !p.is_empty()) {
            container["ports"] = json!([{"name": "web", "containerPort": PORT}]);
        }
        for (name, probe) in self.probes.as_object().into_iter().flatten() {
            container[name] = probe.clone();
        }
        json!({
            "metadata": {"labels": self.labels(), "annotations": self.annotations},
            "spec": {"serviceAccountName": self.account.as_deref().unwrap_or("default"), "containers": [container]}
        })
    }
}

/// What is JSON is YAML, too; documents can be put one behind the other.
fn document(object: &Value) -> String {
    format!("---\n{object}\n")
}
