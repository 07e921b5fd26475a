//! Authentication: client certificates, bearer tokens, and impersonation by those who may.

use std::fmt::Write;

use http::{HeaderMap, header};
use serde_json::Value;
use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::rbac::{self, Attributes};
use super::request::User;
use super::server::Server;
use super::status::{Failure, Result};
use super::tokens::ISSUER;

pub const AUTHENTICATED: &str = "system:authenticated";

/// Somebody who shows nothing: a user like others, to whom nothing is allowed.
fn anonymous() -> User {
    User {
        name: "system:anonymous".into(),
        groups: vec!["system:unauthenticated".into()],
        ..User::default()
    }
}

/// Who a verified client certificate names: the common name is the user, organisations are the groups.
pub fn of_certificate(der: &[u8]) -> Option<User> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let subject = certificate.subject();
    let name = subject.iter_common_name().next()?.as_str().ok()?.to_string();
    let mut groups: Vec<String> = subject
        .iter_organization()
        .filter_map(|o| o.as_str().ok())
        .map(String::from)
        .collect();
    groups.push(AUTHENTICATED.into());
    let digest = Sha256::digest(der).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let extra = [(
        "authentication.kubernetes.io/credential-id".to_string(),
        vec![format!("X509SHA256={digest}")],
    )];
    Some(User {
        name,
        groups,
        extra: extra.into(),
        ..User::default()
    })
}

/// Who asks: a bearer token if there is one, else who the connection is. Nobody is refused.
pub fn identify(server: &Server, headers: &HeaderMap, connection: Option<User>) -> Result<User> {
    let authorization = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok());
    let token = authorization
        .and_then(|a| a.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim());
    match (connection, token) {
        (Some(user), _) => Ok(user),
        (None, Some(token)) => server
            .tokens
            .verify(&server.store, token, &[ISSUER.to_string()])
            .map(|verified| verified.user)
            .map_err(|_| Failure::unauthorized()),
        (None, None) => Ok(anonymous()),
    }
}

/// Takes on another identity when the headers ask for it and the asker may.
pub fn impersonate(server: &Server, headers: &HeaderMap, user: User) -> Result<User> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let groups: Vec<String> = headers
        .get_all("impersonate-group")
        .iter()
        .filter_map(|v| v.to_str().ok())
        .map(String::from)
        .collect();
    let Some(name) = text("impersonate-user") else {
        return if groups.is_empty() {
            Ok(user)
        } else {
            Err(Failure::bad_request(
                "requested groups without impersonating a user",
            ))
        };
    };
    let may = |resource: &str, name: &str| {
        let (namespace, resource, name) = match name.strip_prefix("system:serviceaccount:") {
            Some(rest) if resource == "users" => {
                let (namespace, name) = rest.split_once(':').unwrap_or((rest, ""));
                (namespace, "serviceaccounts", name)
            }
            _ => ("", resource, name),
        };
        let attributes = Attributes {
            verb: "impersonate",
            group: "",
            resource,
            subresource: "",
            namespace,
            name,
            path: "",
        };
        rbac::allowed(server, &user, &attributes)
            .map(drop)
            .ok_or_else(|| rbac::denial(&user, &attributes))
    };
    may("users", name)?;
    for group in &groups {
        may("groups", group)?;
    }
    let mut groups = groups;
    if let Some((namespace, _)) = name
        .strip_prefix("system:serviceaccount:")
        .and_then(|rest| rest.split_once(':'))
        && groups.is_empty()
    {
        groups = vec![
            "system:serviceaccounts".into(),
            format!("system:serviceaccounts:{namespace}"),
        ];
    }
    if !groups.iter().any(|g| g == AUTHENTICATED) {
        groups.push(AUTHENTICATED.into());
    }
    Ok(User {
        name: name.into(),
        groups,
        ..User::default()
    })
}

/// The user as `userInfo`.
pub fn user_info(user: &User) -> Value {
    let mut info = serde_json::json!({"username": user.name, "groups": user.groups});
    if !user.uid.is_empty() {
        info["uid"] = user.uid.clone().into();
    }
    if !user.extra.is_empty() {
        info["extra"] = serde_json::json!(user.extra);
    }
    info
}
