//! Who is who, and who may what.

use super::*;

async fn token(cluster: &Cluster, audiences: Value, bound: Value) -> (StatusCode, Value) {
    let request = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"audiences": audiences, "expirationSeconds": 600, "boundObjectRef": bound},
    });
    cluster
        .send(
            Method::POST,
            "/api/v1/namespaces/t/serviceaccounts/default/token",
            JSON,
            request,
        )
        .await
}

async fn review(cluster: &Cluster, token: &str, audiences: Value) -> Value {
    let review = json!({"spec": {"token": token, "audiences": audiences}});
    cluster
        .ok(
            Method::POST,
            "/apis/authentication.k8s.io/v1/tokenreviews",
            review,
        )
        .await["status"]
        .clone()
}

async fn as_token(cluster: &Cluster, method: Method, path: &str, token: &str) -> (StatusCode, Value) {
    finish(
        cluster
            .raw(method, path, JSON, JSON, body::empty(), None, Some(token))
            .await,
    )
    .await
}

#[tokio::test]
async fn tokens_are_for_their_audience_only() {
    let cluster = Cluster::start().await;
    let (code, request) = token(&cluster, json!(["mesh"]), Value::Null).await;
    assert_eq!(code, StatusCode::CREATED, "{request}");
    let mesh = request["status"]["token"].as_str().unwrap();
    let status = review(&cluster, mesh, json!(["mesh"])).await;
    assert_eq!(status["authenticated"], true);
    assert_eq!(status["user"]["username"], "system:serviceaccount:t:default");
    assert_eq!(
        status["user"]["groups"],
        json!([
            "system:serviceaccounts",
            "system:serviceaccounts:t",
            "system:authenticated"
        ])
    );
    let status = review(&cluster, mesh, json!(["other"])).await;
    assert_eq!(
        status["error"],
        "[invalid bearer token, token audiences [\"mesh\"] is invalid for the target audiences [\"other\"]]"
    );
    assert_eq!(
        as_token(&cluster, Method::GET, MAPS, mesh).await.0,
        StatusCode::UNAUTHORIZED
    );
    let forged = format!("{}x", &mesh[..mesh.len() - 1]);
    assert_eq!(
        review(&cluster, &forged, json!(["mesh"])).await["error"],
        "invalid bearer token"
    );
}

#[tokio::test]
async fn a_bound_token_dies_with_its_pod() {
    let cluster = Cluster::start().await;
    let pods = "/api/v1/namespaces/t/pods";
    let pod = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "x"}]}});
    let pod = cluster.ok(Method::POST, pods, pod).await;
    let bound = json!({"kind": "Pod", "apiVersion": "v1", "name": "p", "uid": pod["metadata"]["uid"]});
    let (_, request) = token(&cluster, json!(["mesh"]), bound).await;
    let token = request["status"]["token"].as_str().unwrap();
    let status = review(&cluster, token, json!(["mesh"])).await;
    assert_eq!(
        status["user"]["extra"]["authentication.kubernetes.io/pod-name"],
        json!(["p"])
    );
    cluster
        .ok(Method::DELETE, &format!("{pods}/p"), Value::Null)
        .await;
    let status = review(&cluster, token, json!(["mesh"])).await;
    assert!(status.get("authenticated").is_none(), "{status}");
}

#[tokio::test]
async fn strangers_are_refused() {
    let cluster = Cluster::start().await;
    let anonymous = cluster
        .raw(Method::GET, MAPS, JSON, JSON, body::empty(), None, None)
        .await;
    assert_eq!(finish(anonymous).await.0, StatusCode::FORBIDDEN);
    let health = cluster
        .raw(Method::GET, "/readyz", JSON, JSON, body::empty(), None, None)
        .await;
    assert_eq!(finish(health).await, (StatusCode::OK, json!("ok")));
    assert_eq!(
        as_token(&cluster, Method::GET, MAPS, "nonsense").await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn roles_grant_and_their_absence_denies() {
    let cluster = Cluster::start().await;
    let (_, request) = token(&cluster, json!([]), Value::Null).await;
    let token = request["status"]["token"].as_str().unwrap();
    let (code, status) = as_token(&cluster, Method::GET, MAPS, token).await;
    assert_eq!(code, StatusCode::FORBIDDEN);
    assert_eq!(
        status["message"],
        "configmaps is forbidden: User \"system:serviceaccount:t:default\" cannot list resource \"configmaps\" in API \
         group \"\" in the namespace \"t\""
    );
    let rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/t";
    let role = json!({"metadata": {"name": "r"}, "rules": [
        {"apiGroups": [""], "resources": ["configmaps", "pods/log"], "verbs": ["get", "list"]},
        {"apiGroups": ["apps"], "resources": ["*"], "resourceNames": ["web"], "verbs": ["get"]},
    ]});
    cluster.ok(Method::POST, &format!("{rbac}/roles"), role).await;
    let binding = json!({
        "metadata": {"name": "r"},
        "roleRef": {"kind": "Role", "name": "r"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "t"}],
    });
    cluster
        .ok(Method::POST, &format!("{rbac}/rolebindings"), binding)
        .await;
    assert_eq!(
        as_token(&cluster, Method::GET, MAPS, token).await.0,
        StatusCode::OK
    );
    assert_eq!(
        as_token(&cluster, Method::DELETE, &format!("{MAPS}/x"), token)
            .await
            .0,
        StatusCode::FORBIDDEN
    );
    let elsewhere = "/api/v1/namespaces/default/configmaps";
    assert_eq!(
        as_token(&cluster, Method::GET, elsewhere, token).await.0,
        StatusCode::FORBIDDEN
    );
    let may = async |attributes: Value| {
        let review =
            json!({"spec": {"user": "system:serviceaccount:t:default", "resourceAttributes": attributes}});
        let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
        cluster.ok(Method::POST, path, review).await["status"].clone()
    };
    let log = may(json!({"namespace": "t", "verb": "get", "resource": "pods", "subresource": "log"})).await;
    assert_eq!(
        log,
        json!({"allowed": true,
               "reason": "RBAC: allowed by RoleBinding \"r/t\" of Role \"r\" to ServiceAccount \"default/t\""})
    );
    let web =
        json!({"namespace": "t", "verb": "get", "group": "apps", "resource": "deployments", "name": "web"});
    assert_eq!(may(web).await["allowed"], true);
    let other =
        json!({"namespace": "t", "verb": "get", "group": "apps", "resource": "deployments", "name": "x"});
    assert_eq!(may(other).await["allowed"], false);
    let (_, status) = cluster
        .patch(
            &format!("{rbac}/rolebindings/r"),
            MERGE,
            json!({"roleRef": {"name": "z"}}),
        )
        .await;
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .ends_with("cannot change roleRef"),
        "{status}"
    );
}
