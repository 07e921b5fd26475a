//! How an app learns who calls it: by headers that nobody else may write.

use aws_lc_rs::digest;
use http::{HeaderMap, HeaderName, HeaderValue};
use mesh_api::{identity::Identity, names};

/// What they say of one caller: worked out once for all that it asks on a connection.
#[derive(Debug, Clone)]
pub struct Named {
    identity: HeaderValue,
    /// The same as Envoy tells it, and so what apps understand that come from other meshes.
    certificate: HeaderValue,
}

impl Named {
    /// `certificate`: what the caller has proven itself with, where it had to.
    pub fn new(caller: &Identity, own: &Identity, certificate: Option<&[u8]>) -> Option<Self> {
        let hash = certificate.map(hash).unwrap_or_default();
        let text = format!("By={own};{hash}Subject=\"\";URI={caller}");
        Some(Self {
            identity: HeaderValue::from_str(&caller.to_string()).ok()?,
            certificate: HeaderValue::from_str(&text).ok()?,
        })
    }

    pub fn identity(&self) -> &str {
        self.identity.to_str().unwrap_or_default()
    }
}

fn hash(certificate: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::from("Hash=");
    for byte in digest::digest(&digest::SHA256, certificate).as_ref() {
        let _ = write!(text, "{byte:02x}");
    }
    text + ";"
}

/// Says who calls, and takes out what says so falsely: also with underscores, which many apps take for hyphens.
pub fn name_caller(headers: &mut HeaderMap, named: Option<&Named>) {
    take_out_disguised(headers);
    let values = named.map(|named| [&named.identity, &named.certificate]);
    let [identity, certificate] = values.map_or([None; 2], |values| values.map(Some));
    put(headers, names::CLIENT_IDENTITY_HEADER, identity);
    put(headers, names::CLIENT_CERTIFICATE_HEADER, certificate);
}

/// Says nothing of a caller in the mesh's own way. What others may say in theirs is left, for whoever is outside.
pub fn name_nobody(headers: &mut HeaderMap) {
    take_out_disguised(headers);
    put(headers, names::CLIENT_IDENTITY_HEADER, None);
}

fn put(headers: &mut HeaderMap, name: &'static str, value: Option<&HeaderValue>) {
    match value {
        Some(value) => headers.insert(name, value.clone()),
        None => headers.remove(name),
    };
}

fn take_out_disguised(headers: &mut HeaderMap) {
    while let Some(name) = headers.keys().find(|name| is_disguised(name)).cloned() {
        headers.remove(name);
    }
}

fn is_disguised(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    let is = |own: &str| {
        let same = |(a, b): (&u8, &u8)| a == b || (*a == b'_' && *b == b'-');
        name.len() == own.len() && name.contains(&b'_') && name.iter().zip(own.as_bytes()).all(same)
    };
    is(names::CLIENT_IDENTITY_HEADER) || is(names::CLIENT_CERTIFICATE_HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoofed() -> HeaderMap {
        let mut spoofed = HeaderMap::new();
        for name in [
            "x-meshctl-client-identity",
            "x_meshctl_client_identity",
            "x-meshctl_client-identity",
            "x-meshctl-client-identitx",
            "x-forwarded-client-cert",
            "x_forwarded_client_cert",
            "x-user",
        ] {
            spoofed.append(name, HeaderValue::from_static("bank"));
            spoofed.append(name, HeaderValue::from_static("king"));
        }
        spoofed
    }

    #[test]
    fn nobody_says_who_they_are_but_we() {
        let identity = |account: &str| format!("spiffe://cluster.local/ns/shop/sa/{account}");
        let parsed = |account: &str| identity(account).parse::<Identity>().unwrap();
        let named = Named::new(&parsed("client"), &parsed("web"), Some(b"certificate")).unwrap();
        let mut headers = spoofed();
        name_caller(&mut headers, Some(&named));
        let all = |name: &str| headers.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all("x-meshctl-client-identity"), [identity("client").as_str()]);
        let certificate = format!(
            "By={};Hash=03d66dd08835c1ca3f128cceacd1f31ac94163096b20f445ae84285bc0832d72;Subject=\"\";URI={}",
            identity("web"),
            identity("client")
        );
        assert_eq!(all("x-forwarded-client-cert"), [certificate.as_str()]);
        assert_eq!(headers.len(), 6, "{headers:?}");

        let mut headers = spoofed();
        name_caller(&mut headers, None);
        assert_eq!(headers.len(), 4, "{headers:?}");
    }

    #[test]
    fn to_the_outside_only_the_meshs_own_word_is_taken_back() {
        let mut headers = spoofed();
        name_nobody(&mut headers);
        assert!(!headers.contains_key("x-meshctl-client-identity"));
        assert_eq!(headers["x-forwarded-client-cert"], "bank");
    }
}
