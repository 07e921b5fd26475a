//! A `kube` client that calls the server directly, as a member of `system:masters`.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderValue, Request, header};
use http_body_util::BodyExt;

use super::auth::AUTHENTICATED;
use super::body::BoxError;
use super::rbac::MASTERS;
use super::request::User;
use super::server::Server;

pub fn client(server: &Arc<Server>) -> kube::Client {
    let server = server.clone();
    let user = User {
        name: "system:sandbox".into(),
        groups: vec![MASTERS.into(), AUTHENTICATED.into()],
        ..User::default()
    };
    let service = tower::service_fn(move |request: Request<kube::client::Body>| {
        let (server, user) = (server.clone(), user.clone());
        async move {
            let mut request = request.map(|body| body.map_err(|e| Box::new(e) as BoxError).boxed_unsync());
            request
                .headers_mut()
                .entry(header::USER_AGENT)
                .or_insert(HeaderValue::from_static("kube-controller-manager"));
            Ok::<_, Infallible>(server.handle(request, Some(user)).await)
        }
    });
    kube::Client::new(service, "default")
}
