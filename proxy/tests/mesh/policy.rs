//! What the called side refuses: by authorization, by rate limits.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use mesh_api::wire::{self, string_match::Kind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{App, Mesh, call, grpc_frame, h2_client, http1_client, read_head, until};

fn text(kind: Kind) -> wire::StringMatch {
    wire::StringMatch {
        kind: Some(kind),
        ignore_case: false,
    }
}

fn condition(attribute: wire::Attribute, value: &str) -> wire::Condition {
    wire::Condition {
        attribute: attribute.into(),
        values: vec![text(Kind::Exact(value.into()))],
        ..Default::default()
    }
}

fn policy(
    name: &str,
    action: wire::AuthorizationAction,
    conditions: Vec<wire::Condition>,
) -> wire::AuthorizationPolicy {
    wire::AuthorizationPolicy {
        name: name.into(),
        action: action.into(),
        rules: vec![wire::AuthorizationRule {
            conditions,
            ..Default::default()
        }],
    }
}

fn get(path: &str) -> Request<Bytes> {
    Request::get(path)
        .header("host", "web")
        .body(Bytes::new())
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_authorized_one_by_one_and_the_deciding_policy_is_named() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let client = condition(wire::Attribute::Principal, "cluster.local/ns/shop/sa/client");
    let admin = condition(wire::Attribute::Path, "/admin");
    mesh.configure(|state| {
        state.inbound.authorization = vec![
            policy(
                "authorizationpolicy/shop/no-admin",
                wire::AuthorizationAction::Deny,
                vec![admin],
            ),
            policy(
                "authorizationpolicy/shop/only-client",
                wire::AuthorizationAction::Allow,
                vec![client],
            ),
        ];
    })
    .await;
    assert_eq!(call(&mesh, get("/")).await.0, StatusCode::OK);
    for path in ["/admin", "//x/../%61dmin"] {
        let (status, headers, body) = call(&mesh, get(path)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        assert_eq!(headers["x-meshctl-error"], "denied");
        assert_eq!(body, "mesh: denied\n");
    }
    // The same connection carries what is allowed and what is not.
    let mut h2 = h2_client(mesh.outbound).await;
    for (path, grpc_status) in [("/admin", Some("7")), ("/pkg.Service/Method", None)] {
        let request = Request::post(format!("http://web{path}"))
            .header("content-type", "application/grpc")
            .body(grpc_frame("x"))
            .unwrap();
        let response = h2.send_request(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let status = response
            .headers()
            .get("grpc-status")
            .map(|s| s.to_str().unwrap().to_owned());
        assert_eq!(status.as_deref(), grpc_status, "{path}");
        response.into_body().collect().await.unwrap();
    }
    // A caller without a sidecar is nobody.
    let (status, ..) = http1_client(mesh.inbound, get("/")).await.unwrap();
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(app.requests(), 2, "what is denied does not reach the app");

    until("both sides count their denials", || {
        mesh.edge(|e| e.denied > 0 && e.route == "default")?;
        mesh.edge(|e| e.denied > 0 && !e.plaintext_reason.is_empty())
    })
    .await;
    for policy in ["no-admin", "no match in authorizationpolicy/shop/only-client"] {
        let line = |text: &str| {
            text.lines()
                .any(|l| l.starts_with("meshctl_policy_total{action=\"denied\"") && l.contains(policy))
        };
        let mut found = false;
        for _ in 0..200 {
            found = line(&mesh.metrics().await[1]);
            if found {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(found, "{policy}");
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_bytes_are_reset_when_they_are_not_allowed() {
    let app = App::start_tcp(b"220 welcome\r\n").await;
    let mesh = Mesh::start(&app).await;
    let other = condition(wire::Attribute::Namespace, "bank");
    mesh.configure(|state| {
        state.inbound.authorization = vec![policy(
            "authorizationpolicy/shop/bank",
            wire::AuthorizationAction::Allow,
            vec![other],
        )];
    })
    .await;
    for address in [mesh.outbound, mesh.inbound] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut heard = Vec::new();
        let _ = stream.write_all(b"EHLO me\r\n").await;
        let ended = stream.read_to_end(&mut heard).await;
        assert!(ended.is_err() || heard.is_empty(), "{heard:?}");
        assert!(heard.is_empty(), "{heard:?}");
    }
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limits_say_when_to_come_back() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let posts = wire::RequestMatch {
        method: "POST".into(),
        ..Default::default()
    };
    mesh.configure(|state| {
        state.inbound.rate_limits = vec![wire::RateLimit {
            source: "ratelimit/shop/web".into(),
            matches: vec![posts],
            requests: 2,
            interval_ms: 3_600_000,
            per_caller: true,
            ..Default::default()
        }];
    })
    .await;
    let post = || {
        let mut request = get("/");
        *request.method_mut() = Method::POST;
        request
    };
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let (status, headers, _) = call(&mesh, post()).await;
        if status == StatusCode::TOO_MANY_REQUESTS {
            let seconds: u64 = headers["retry-after"].to_str().unwrap().parse().unwrap();
            assert!((1..=1800).contains(&seconds), "{seconds}");
            assert_eq!(headers["x-meshctl-error"], "rate-limited");
        }
        statuses.push(status.as_u16());
    }
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(call(&mesh, get("/")).await.0, StatusCode::OK, "only what matches");
    let (status, ..) = http1_client(mesh.inbound, post()).await.unwrap();
    assert_eq!(status, StatusCode::OK, "another caller");
    let edge = until("the calling side counts", || mesh.edge(|e| e.rate_limited > 0)).await;
    assert_eq!(
        edge.failures, 0,
        "a caller that calls too often is no failure of the service"
    );
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_pass_strict_mutual_tls_and_authorization() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        state.mtls = wire::MtlsMode::Strict;
        state.inbound.authorization = vec![wire::AuthorizationPolicy {
            name: "authorizationpolicy/shop/nobody".into(),
            ..Default::default()
        }];
    })
    .await;
    assert_eq!(
        mesh.admin("/probe/app/readiness").await,
        (StatusCode::OK, "ok\n".into())
    );
    assert_eq!(app.requests(), 1);
    let (status, body) = mesh.admin("/probe/app/liveness").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        body.starts_with("probe app/liveness: no connection to "),
        "{body}"
    );
    assert_eq!(
        mesh.admin("/probe/app/startup").await.0,
        StatusCode::SERVICE_UNAVAILABLE
    );
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_port_shows_what_is_in_force_without_keys_and_switches_logs() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    mesh.configure(|state| {
        state.inbound.authorization = vec![wire::AuthorizationPolicy {
            name: "authorizationpolicy/shop/nobody".into(),
            ..Default::default()
        }];
    })
    .await;
    let config = mesh.admin("/config").await.1;
    let parsed: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!(
        parsed["inbound"]["authorization"][0],
        "authorizationpolicy/shop/nobody"
    );
    assert_eq!(parsed["behaviour"]["accessLog"], "OFF");
    for secret in ["PRIVATE KEY", "token-of"] {
        assert!(!config.contains(secret), "{secret}");
    }
    assert_eq!(mesh.switch("/access-log", "json").await.0, StatusCode::OK);
    let config: serde_json::Value = serde_json::from_str(&mesh.admin("/config").await.1).unwrap();
    assert_eq!(config["behaviour"]["accessLog"], "JSON");
    assert_eq!(
        mesh.switch("/access-log", "loud").await.0,
        StatusCode::BAD_REQUEST
    );
    assert_eq!(call(&mesh, get("/logged")).await.0, StatusCode::FORBIDDEN);
    assert!(
        mesh.metrics().await[1].contains("meshctl_access_log_dropped_total 0"),
        "its line was taken"
    );
    assert_eq!(mesh.switch("/log-level", "debug").await.0, StatusCode::OK);
    assert_eq!(mesh.admin("/live").await, (StatusCode::OK, "live\n".into()));
    mesh.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_upgrade_has_opened_is_asked_about_again_when_policies_change() {
    let app = App::start().await;
    let mesh = Mesh::start(&app).await;
    let mut stream = tokio::net::TcpStream::connect(mesh.outbound).await.unwrap();
    stream
        .write_all(
            b"GET /chat HTTP/1.1\r\nhost: web\r\nconnection: Upgrade\r\nupgrade: chatter\r\nx-key: k\r\n\r\n",
        )
        .await
        .unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101"));
    let allow = |path: &str| {
        policy(
            "authorizationpolicy/shop/chat",
            wire::AuthorizationAction::Allow,
            vec![
                condition(wire::Attribute::Principal, "cluster.local/ns/shop/sa/client"),
                condition(wire::Attribute::Path, path),
            ],
        )
    };
    mesh.configure(|state| state.inbound.authorization = vec![allow("/chat")])
        .await;
    assert_eq!(
        call(&mesh, get("/other")).await.0,
        StatusCode::FORBIDDEN,
        "it is in force"
    );
    // Longer than it takes to end what is not allowed.
    for _ in 0..30 {
        stream.write_all(b"still here").await.unwrap();
        let mut echoed = [0; 10];
        stream.read_exact(&mut echoed).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    mesh.configure(|state| state.inbound.authorization = vec![allow("/other")])
        .await;
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(std::time::Duration::from_secs(10), stream.read_to_end(&mut rest));
    assert!(ended.await.is_ok(), "it is not allowed any more");
    assert_eq!(call(&mesh, get("/other")).await.0, StatusCode::OK);
    mesh.stop().await;
}
