//! Pods that run what this machine has: here Python's own servers and clients, which speak TLS, or have it spoken for
//! them, and call themselves.

use std::{process::Command, time::Duration};

use anyhow::{Context, Result, ensure};
use mesh_tests::{Cluster, eventually, manifests, success};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_mins(1);
const NAMESPACE: &str = "programs";

/// Says its name to whoever shakes hands.
const TLS_SERVER: &str = "
import os, socket, ssl
open('/tmp/pem', 'w').write(os.environ['PEM'])
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/tmp/pem')
listener = socket.create_server(('', 8443))
while True:
    stream, _ = listener.accept()
    try:
        with context.wrap_socket(stream, server_side=True) as secured:
            secured.sendall(os.environ['NAME'].encode())
    except OSError as error:
        print(error, flush=True)
";

/// Asks for one name after the other, and tells who answered.
const TLS_CLIENT: &str = "
import socket, ssl, time
context = ssl._create_unverified_context()
while True:
    for name in ('a.bank.example', 'b.bank.example', 'shop.example'):
        try:
            stream = socket.create_connection(('bank', 443), 5)
            with context.wrap_socket(stream, server_hostname=name) as secured:
                heard = secured.recv(100).decode()
        except OSError:
            heard = 'nobody'
        print(name, 'is', heard, flush=True)
    time.sleep(0.2)
";

/// Serves HTTP, and is its own client.
const SELF: &str = "
import http.server, threading, time, urllib.error, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *arguments):
        pass
server = http.server.HTTPServer(('', 8080), Handler)
threading.Thread(target=server.serve_forever).start()
while True:
    try:
        status = urllib.request.urlopen('http://alone/', timeout=5).status
    except urllib.error.HTTPError as error:
        status = error.code
    except OSError:
        status = 0
    print('status', status, flush=True)
    time.sleep(0.2)
";

/// Serves HTTP by TLS, and says which name it was asked for.
const SITE: &str = "
import http.server, os, ssl
open('/tmp/site', 'w').write(os.environ['PEM'])
asked = []
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        body = (asked[-1] + ' ' + self.headers['host']).encode()
        self.send_response(200)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('/tmp/site')
context.sni_callback = lambda socket, name, context: asked.append(name or 'nobody')
server = http.server.ThreadingHTTPServer(('', 8443), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";

/// Asks a host outside in plaintext, and tells what it got.
const VISITOR: &str = "
import time, urllib.error, urllib.request
request = urllib.request.Request('http://192.0.2.30/', headers={'host': 'site.example.com'})
while True:
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            said = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        said = error.code, error.headers['x-meshctl-error']
    except OSError:
        said = 'nobody', ''
    print(*said, flush=True)
    time.sleep(0.2)
";

fn python() -> Result<String> {
    let output = Command::new("python3")
        .args(["-c", "import sys; print(sys.executable)"])
        .output()?;
    Ok(success("python3", &output)?.trim().to_owned())
}

fn program(name: &str, labels: &Value, script: &str, environment: &[(&str, &str)]) -> Result<String> {
    let environment: Vec<_> = environment
        .iter()
        .map(|(name, value)| json!({"name": name, "value": value}))
        .collect();
    let container = json!({
        "name": "app", "image": "none", "command": [python()?, "-c", script], "env": environment
    });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        }
    });
    Ok(format!("---\n{deployment}\n"))
}

fn service(name: &str, selector: &Value, port: &Value) -> String {
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": selector, "ports": [port]}
    });
    format!("---\n{service}\n")
}

/// Waits until the log's latest lines are these, in any order.
fn says(cluster: &Cluster, app: &str, lines: &[&str]) -> Result<()> {
    eventually(LIMIT, || {
        let log = cluster.objects.log(NAMESPACE, app, "app")?;
        let latest: Vec<_> = log.lines().rev().take(lines.len()).collect();
        for line in lines {
            ensure!(latest.contains(line), "{line:?} is not the latest of {latest:?}");
        }
        Ok(())
    })
}

#[test]
fn tls_goes_where_it_should_and_a_pod_obeys_its_own_policies() -> Result<()> {
    let cluster = Cluster::sandbox("programs")?;
    cluster.meshctl(&["install"])?;
    let objects = &cluster.objects;
    objects.apply(&manifests::namespace(NAMESPACE, true))?;
    objects.apply(STRICT)?;

    let made = rcgen::generate_simple_self_signed(["bank".to_owned()])?;
    let pem = made.signing_key.serialize_pem() + &made.cert.pem();
    let https = json!({"name": "https", "port": 443, "targetPort": 8443});
    for name in ["bank-a", "bank-b"] {
        let labels = json!({"app": name, "role": "bank"});
        objects.apply(&program(
            name,
            &labels,
            TLS_SERVER,
            &[("NAME", name), ("PEM", &pem)],
        )?)?;
        objects.apply(&service(name, &labels, &https))?;
    }
    objects.apply(&service("bank", &json!({"role": "bank"}), &https))?;
    objects.apply(&program("client", &json!({"app": "client"}), TLS_CLIENT, &[])?)?;
    objects.apply(BY_NAME)?;
    for name in ["bank-a", "bank-b", "client"] {
        objects.rolled_out(NAMESPACE, name)?;
    }
    says(
        &cluster,
        "app=client",
        &[
            "a.bank.example is bank-a",
            "b.bank.example is bank-b",
            "shop.example is nobody",
        ],
    )?;
    eventually(LIMIT, || {
        let edges = cluster.meshctl(&["edges", "-n", NAMESPACE, "-o", "json"])?;
        let edges: Value = serde_json::from_str(&edges)?;
        let mut secured = edges["items"].as_array().context("no edges")?.iter();
        let bank = |e: &Value| e["destination"]["workload"] == "deploy/bank-a";
        ensure!(
            secured.any(|e| bank(e) && e["tls"]["version"] == "TLS 1.3"),
            "{edges:#}"
        );
        Ok(())
    })?;

    let alone = json!({"app": "alone"});
    let http = json!({"name": "http", "port": 80, "targetPort": 8080});
    objects.apply(&service("alone", &alone, &http))?;
    objects.apply(&program("alone", &alone, SELF, &[])?)?;
    objects.rolled_out(NAMESPACE, "alone")?;
    says(&cluster, "app=alone", &["status 200"])?;
    objects.apply(NOBODY)?;
    says(&cluster, "app=alone", &["status 403"])?;
    outside(&cluster)
}

/// What an app says in plaintext to a host outside leaves by TLS where a rule says so, to whoever proves to be the host.
fn outside(cluster: &Cluster) -> Result<()> {
    let objects = &cluster.objects;
    let made = rcgen::generate_simple_self_signed(["site.example.com".to_owned()])?;
    let pem = made.signing_key.serialize_pem() + &made.cert.pem();
    let site = json!({"app": "site", "meshctl.io/inject": "disabled"});
    objects.apply(&program("site", &site, SITE, &[("PEM", &pem)])?)?;
    objects.apply(&program("visitor", &json!({"app": "visitor"}), VISITOR, &[])?)?;
    for name in ["site", "visitor"] {
        objects.rolled_out(NAMESPACE, name)?;
    }
    objects.apply(SITE_ENTRY)?;
    objects.apply(&SITE_RULE.replace("MORE", ""))?;
    says(cluster, "app=visitor", &["503 unknown-issuer"])?;
    objects.apply(&SITE_RULE.replace("MORE", ", insecureSkipVerify: true"))?;
    says(cluster, "app=visitor", &["200 site.example.com site.example.com"])?;
    eventually(LIMIT, || {
        let edges = cluster.meshctl(&["edges", "-n", NAMESPACE])?;
        let told = |line: &str| line.contains("site.example.com") && line.contains("certificate not checked");
        ensure!(edges.lines().any(told), "{edges}");
        Ok(())
    })
}

const SITE_ENTRY: &str = "
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: site, namespace: programs}
spec:
  hosts: [site.example.com]
  ports: [{number: 80, name: http-port, protocol: HTTP, targetPort: 8443}, {number: 443, name: https-port, protocol: HTTPS}]
  resolution: STATIC
  workloadSelector: {labels: {app: site}}
";

const SITE_RULE: &str = "
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: site, namespace: programs}
spec: {host: site.example.com, trafficPolicy: {portLevelSettings: [{port: {number: 80}, tls: {mode: SIMPLEMORE}}]}}
";

const STRICT: &str = "
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: programs}
spec: {mtls: {mode: STRICT}}
";

const BY_NAME: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bank, namespace: programs}
spec:
  hosts: [bank]
  tls:
  - match: [{port: 443, sniHosts: [a.bank.example]}]
    route: [{destination: {host: bank-a, port: {number: 443}}}]
  - match: [{port: 443, sniHosts: ['b.bank.example']}]
    route: [{destination: {host: bank-b.programs.svc.cluster.local}}]
";

const NOBODY: &str = "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: others-only, namespace: programs}
spec:
  selector: {matchLabels: {app: alone}}
  rules:
  - from: [{source: {principals: [cluster.local/ns/programs/sa/other]}}]
";
