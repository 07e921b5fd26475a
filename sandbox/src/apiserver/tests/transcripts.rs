//! Exchanges recorded from a real Kubernetes, replayed here: statuses, reasons, messages, causes, defaults, shapes,
//! events and tables must be the same, but for what is listed in `differences`.
//!
//! Exchanges of all files run in the order in which they were recorded, on one server, since later ones build on earlier
//! ones. What happened between two of them (a controller's work, writes while a watch was open) is in `steps`.
//!
//! ```text
//!  recorded request ─► recorded uids, revisions, tokens ⇒ ours ─► server ─► answer ─┐
//!  recorded answer ──► the same ──────────────────────────────────────────────────► compare ─► listed? ─► fail
//! ```

mod compare;
mod differences;
mod steps;

use std::collections::BTreeSet;

use super::*;
use compare::Known;
use differences::DELIBERATE;

/// In the order of recording.
const FILES: [&str; 11] = [
    "discovery",
    "basics-and-errors",
    "patches",
    "server-side-apply",
    "lists",
    "services",
    "watches",
    "custom-resources",
    "identity-and-permission",
    "deletion",
    "webhooks",
];

/// What the recorder was called, hence its field manager.
const AGENT: &str = "python-requests/2";

/// The user of the recording; what names the credential comes from its certificate.
fn recorder() -> User {
    let credential = "X509SHA256=c248c62dee7482a67e062ab568ad54ac75679916d01a156757e626c54ceb87dd";
    User {
        extra: [(
            "authentication.kubernetes.io/credential-id".to_string(),
            vec![credential.to_string()],
        )]
        .into(),
        ..admin()
    }
}

/// The server and what was learnt about it.
struct Replay {
    api: ApiServer,
    server: Arc<Server>,
    /// What recorded identifiers are here.
    known: Known,
    /// The port of the webhook, and what it saw.
    hook: u16,
    seen: Arc<std::sync::Mutex<Vec<Value>>>,
    /// Tokens given out: for the mesh's audience, for the API server, and nonsense.
    tokens: Vec<String>,
    controllers: Option<tokio::task::JoinHandle<()>>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchanges_go_as_they_went_with_kubernetes() {
    let mut replay = Replay::start().await;
    let mut found = BTreeSet::new();
    let mut unlisted = Vec::new();
    let mut count = 0;
    for file in FILES {
        let path = format!("{}/tests/transcripts/{file}.json", env!("CARGO_MANIFEST_DIR"));
        let recorded: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let mut exchanges: Vec<&Value> = recorded["exchanges"].as_array().unwrap().iter().collect();
        // So much must happen for it that what others look back to would be forgotten.
        exchanges.sort_by_key(|e| e["name"] == "too old");
        for exchange in exchanges {
            count += 1;
            let name = format!("{file}: {}", exchange["name"].as_str().unwrap());
            let differences = replay.play(file, exchange).await;
            for (path, what) in differences {
                match DELIBERATE.iter().position(|d| d.covers(&name, &path)) {
                    Some(row) => drop(found.insert(row)),
                    None => unlisted.push(format!("{name}\n    {path}: {what}")),
                }
            }
        }
    }
    for (row, listed) in DELIBERATE.iter().enumerate() {
        if !found.contains(&row) && !listed.by_chance {
            unlisted.push(format!("listed, but it does not differ any more: {listed:?}"));
        }
    }
    assert!(
        unlisted.is_empty(),
        "{} of {count} exchanges' details differ:\n{}",
        unlisted.len(),
        unlisted.join("\n")
    );
}

impl Replay {
    async fn start() -> Self {
        let api = ApiServer::new(Config::default()).unwrap();
        let server = api.server.clone();
        let seen = Arc::default();
        let hook = steps::webhook(&server, Arc::clone(&seen)).await;
        Self {
            api,
            server,
            known: Known::default(),
            hook,
            seen,
            tokens: Vec::new(),
            controllers: None,
        }
    }

    /// Plays one exchange; what differs, by path.
    async fn play(&mut self, file: &str, exchange: &Value) -> Vec<(String, String)> {
        let name = exchange["name"].as_str().unwrap();
        self.before(file, name).await;
        if let Some(claims) = exchange.get("claims") {
            let ours = self.claims(name);
            return self.known.compare("claims", claims, &ours);
        }
        let (request, response) = (&exchange["request"], &exchange["response"]);
        let mut differences = if let Some(events) = response.get("events") {
            let ours = self
                .events(file, name, request, events.as_array().unwrap().len())
                .await;
            self.known.compare("events", events, &ours)
        } else {
            let mut ours = self.exchange(file, name, request).await;
            steps::settle(name, &mut ours);
            self.known.compare("", response, &ours)
        };
        if let Some(saw) = exchange.get("webhook saw").filter(|s| !s.is_null()) {
            let ours = Value::Array(std::mem::take(&mut *self.seen.lock().unwrap()));
            differences.extend(self.known.compare("saw", saw, &ours));
        }
        differences
    }

    /// Sends a recorded request; the answer in the recorder's form.
    async fn exchange(&mut self, file: &str, name: &str, request: &Value) -> Value {
        let response = self.send(file, name, request).await;
        let code = response.status().as_u16();
        let mut headers = json!({});
        for (wanted, key) in [
            ("Content-Type", header::CONTENT_TYPE),
            ("Retry-After", header::RETRY_AFTER),
            ("Warning", header::WARNING),
        ] {
            if let Some(value) = response.headers().get(key) {
                headers[wanted] = value.to_str().unwrap().into();
            }
        }
        let (_, body) = finish(response).await;
        if let Some(token) = body["status"]["token"].as_str() {
            self.tokens.push(token.to_string());
        }
        json!({"status": code, "headers": headers, "body": body})
    }

    async fn send(&mut self, file: &str, name: &str, request: &Value) -> http::Response<Body> {
        let path = self
            .known
            .translate(request["path"].as_str().unwrap())
            .replace(' ', "%20");
        let method: Method = request["method"].as_str().unwrap().parse().unwrap();
        let mut builder = Request::builder()
            .method(method)
            .uri(path)
            .header(header::USER_AGENT, AGENT);
        for (key, value) in request["headers"].as_object().unwrap() {
            builder = builder.header(key, value.as_str().unwrap());
        }
        let user = match request["auth"].as_str() {
            Some("none") => None,
            Some("bearer") => {
                let token = self.bearer(name);
                builder = builder.header(header::AUTHORIZATION, format!("Bearer {token}"));
                None
            }
            _ => Some(recorder()),
        };
        let mut body = self.known.translated(&request["body"]);
        self.adapt(file, name, &mut body);
        let bytes = match body {
            Value::Null => String::new(),
            Value::String(text) => text,
            value => value.to_string(),
        };
        self.server
            .handle(builder.body(body::full(bytes)).unwrap(), user)
            .await
    }

    /// Opens a watch, lets happen what happened then, and reads as many events.
    async fn events(&mut self, file: &str, name: &str, request: &Value, count: usize) -> Value {
        let response = self.send(file, name, request).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        let mut watch = Watch(response.into_body());
        self.meanwhile(name).await;
        let mut events = Vec::new();
        while events.len() < count {
            // What it said so far shows better what is missing than that it stopped.
            let Ok((kind, object)) =
                tokio::time::timeout(std::time::Duration::from_secs(10), watch.next()).await
            else {
                break;
            };
            events.push(json!({"type": kind, "object": object}));
        }
        Value::Array(events)
    }
}
