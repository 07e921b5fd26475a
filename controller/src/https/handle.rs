//! What each path answers.

use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use jiff::Timestamp;
use k8s_openapi::api::{
    authorization::v1::{ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec},
    core::v1::Namespace,
};
use kube::{Api, Client, api::PostParams};
use mesh_api::names::TELEMETRY_GROUP;
use serde_json::{Value, json};

use crate::{
    cluster::Cluster,
    inject::{self, Place},
    metrics::{Metrics, count},
    model::Key,
    telemetry::{
        Reader,
        api::{self, NoAnswer},
    },
    validate,
};

/// Larger than any object the API server stores.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// Answers requests of the API server.
pub struct Handler {
    pub access: Access,
    pub cluster: Cluster,
    pub injection: inject::Settings,
    pub reader: Arc<Reader>,
    pub metrics: Arc<Metrics>,
}

/// Who decides what users may read.
pub enum Access {
    Kubernetes(Client),
    #[cfg(test)]
    Fake(Box<dyn Fn(&SubjectAccessReviewSpec) -> bool + Send + Sync>),
}

type Answer = Response<Full<Bytes>>;

impl Handler {
    /// `trusted`: the caller is the front proxy, whose headers say who asks.
    pub async fn answer(&self, request: Request<Incoming>, trusted: bool) -> Answer {
        let (head, body) = request.into_parts();
        let (path, query) = (head.uri.path().to_owned(), head.uri.query().map(str::to_owned));
        match (head.method, path.as_str()) {
            (Method::POST, "/inject" | "/validate") => match Limited::new(body, LARGEST_BODY).collect().await
            {
                Ok(body) => self.review(&path, &body.to_bytes()).await,
                Err(error) => failure(
                    StatusCode::BAD_REQUEST,
                    &format!("cannot read the request: {error}"),
                ),
            },
            (Method::GET, _) => self.read(&path, query.as_deref(), &head.headers, trusted).await,
            _ => failure(StatusCode::METHOD_NOT_ALLOWED, "only reading is possible here"),
        }
    }

    async fn review(&self, path: &str, body: &[u8]) -> Answer {
        let Ok(review) = serde_json::from_slice::<Value>(body) else {
            return failure(StatusCode::BAD_REQUEST, "not an AdmissionReview");
        };
        if path == "/validate" {
            return answer(StatusCode::OK, &validate::review(&review, Timestamp::now()));
        }
        let namespace = review["request"]["namespace"].as_str().unwrap_or_default();
        let response = match self.place(namespace).await {
            Ok(place) => {
                let (response, injected) = inject::webhook::review(&review, &place, &self.injection);
                if injected {
                    count(&self.metrics.injections);
                }
                response
            }
            Err(error) => {
                tracing::warn!(%error, namespace, "not injected: the namespace is not known");
                let uid = review["request"]["uid"].as_str().unwrap_or_default();
                let warning = format!("not injected: cannot read namespace {namespace}: {error}");
                inject::webhook::allowed(uid, None, &[warning])
            }
        };
        answer(StatusCode::OK, &response)
    }

    async fn place(&self, namespace: &str) -> Result<Place, kube::Error> {
        let labels = match self.cluster.namespaces.get(&Key::new("", namespace)) {
            Some(known) => known.metadata.labels.clone(),
            // Just made: the watch has not brought it yet.
            None => match &self.access {
                Access::Kubernetes(client) => {
                    let api: Api<Namespace> = Api::all(client.clone());
                    api.get(namespace).await?.metadata.labels
                }
                #[cfg(test)]
                Access::Fake(_) => None,
            },
        };
        Ok(Place {
            namespace: namespace.to_owned(),
            labels: labels.unwrap_or_default(),
        })
    }

    async fn read(&self, path: &str, query: Option<&str>, headers: &HeaderMap, trusted: bool) -> Answer {
        let asked = match api::parse(path, query) {
            Ok(asked) => asked,
            Err(NoAnswer::NotFound) => {
                return failure(StatusCode::NOT_FOUND, "there is nothing at this path");
            }
            Err(NoAnswer::BadRequest(message)) => return failure(StatusCode::BAD_REQUEST, &message),
        };
        if let Some((resource, namespace)) = asked.resource() {
            if !trusted {
                return failure(StatusCode::UNAUTHORIZED, "ask through the Kubernetes API server");
            }
            let review = access_review(headers, resource, namespace);
            let user = review.user.clone().unwrap_or_default();
            if user.is_empty() {
                return failure(StatusCode::UNAUTHORIZED, "the request names no user");
            }
            match self.access.allows(review).await {
                Ok(true) => {}
                Ok(false) => {
                    let place =
                        namespace.map_or_else(|| "all namespaces".into(), |ns| format!("namespace {ns}"));
                    let message =
                        format!("user {user:?} cannot list {resource}.{TELEMETRY_GROUP} in {place}");
                    return failure(StatusCode::FORBIDDEN, &message);
                }
                Err(error) => {
                    tracing::warn!(%error, "the API server does not review access");
                    return failure(StatusCode::SERVICE_UNAVAILABLE, "access cannot be reviewed now");
                }
            }
        }
        answer(StatusCode::OK, &api::answer(&asked, &self.reader).await)
    }
}

impl Access {
    async fn allows(&self, spec: SubjectAccessReviewSpec) -> Result<bool, kube::Error> {
        match self {
            Self::Kubernetes(client) => {
                let api: Api<SubjectAccessReview> = Api::all(client.clone());
                let review = SubjectAccessReview {
                    spec,
                    ..SubjectAccessReview::default()
                };
                let answer = api.create(&PostParams::default(), &review).await?;
                Ok(answer.status.is_some_and(|s| s.allowed))
            }
            #[cfg(test)]
            Self::Fake(decide) => Ok(decide(&spec)),
        }
    }
}

fn access_review(headers: &HeaderMap, resource: &str, namespace: Option<&str>) -> SubjectAccessReviewSpec {
    let values = |name: &str| -> Vec<String> {
        let all = headers.get_all(name).iter();
        all.filter_map(|v| v.to_str().ok()).map(str::to_owned).collect()
    };
    SubjectAccessReviewSpec {
        user: values("x-remote-user").into_iter().next(),
        groups: Some(values("x-remote-group")),
        resource_attributes: Some(ResourceAttributes {
            group: Some(TELEMETRY_GROUP.into()),
            resource: Some(resource.into()),
            namespace: namespace.map(str::to_owned),
            verb: Some("list".into()),
            ..ResourceAttributes::default()
        }),
        ..SubjectAccessReviewSpec::default()
    }
}

fn answer(status: StatusCode, value: &Value) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(value.to_string())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}

/// An error in the form Kubernetes' clients show.
fn failure(status: StatusCode, message: &str) -> Answer {
    let reason = match status {
        StatusCode::UNAUTHORIZED => "Unauthorized",
        StatusCode::FORBIDDEN => "Forbidden",
        StatusCode::NOT_FOUND => "NotFound",
        StatusCode::BAD_REQUEST => "BadRequest",
        StatusCode::METHOD_NOT_ALLOWED => "MethodNotAllowed",
        _ => "ServiceUnavailable",
    };
    let body = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": status.as_u16(),
    });
    answer(status, &body)
}
