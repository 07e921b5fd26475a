//! Requests with tokens, good and bad ones and none, and policies that ask for what tokens say.

use std::time::Duration;

use anyhow::{Result, ensure};
use mesh_tests::{
    Cluster, Counts, eventually,
    manifests::{self, App},
};

const LIMIT: Duration = Duration::from_mins(2);
const NAMESPACE: &str = "tokens";

/// Of a key that signed the tokens below, and is gone.
const KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "x": "zoNXcw7wopWpaqCV0ZW7TcmxEmAukyXDu7qU1WNZy0w", "y": "IWPGZYOPZq04De-rpXhbNJmFzEr4V5UeUD18kjQYIro"}]}"#;
/// `alice` of group `staff`, and `bob` of group `guests`, until 2100; `alice` once more, until 2020.
const ALICE: &str = "eyJhbGciOiAiRVMyNTYiLCAia2lkIjogIm9uZSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pc3N1ZXIuZXhhbXBsZSIsICJzdWIiOiAiYWxpY2UiLCAiZ3JvdXBzIjogWyJzdGFmZiJdLCAiZXhwIjogNDEwMjQ0NDgwMH0.ZJH0KX2itviu9K-GqBkVuI1ks7_UMstOAi1NTlA_nScbpKsPoSYtE3o_aRfiCw6Hglly7AY8AJ9jHLj0wH8PyQ";
const BOB: &str = "eyJhbGciOiAiRVMyNTYiLCAia2lkIjogIm9uZSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pc3N1ZXIuZXhhbXBsZSIsICJzdWIiOiAiYm9iIiwgImdyb3VwcyI6IFsiZ3Vlc3RzIl0sICJleHAiOiA0MTAyNDQ0ODAwfQ.BruZH2sUoMPqIpd1o9W6yQbgHlOhSOdC7EfEMnBTPu34qxSJsP49bOZ19JhcdYCAqhYCfrJ2tDeTbsHZo3aBPg";
const LATE: &str = "eyJhbGciOiAiRVMyNTYiLCAia2lkIjogIm9uZSJ9.eyJpc3MiOiAiaHR0cHM6Ly9pc3N1ZXIuZXhhbXBsZSIsICJzdWIiOiAiYWxpY2UiLCAiZ3JvdXBzIjogWyJzdGFmZiJdLCAiZXhwIjogMTU3NzgzNjgwMH0.4I_sjquJ76IimYr1pAGfs0czfrvJ-gl4gc85cyu_xGgaRsKhvCGz-sT5CWqvIITgrNbT0SFT69PBbVqYE9lTyg";

#[test]
fn tokens_are_known_by_whoever_signed_them() -> Result<()> {
    let cluster = Cluster::start("tokens")?;
    cluster.meshctl(&["install"])?;
    let image = cluster.image()?;
    let objects = &cluster.objects;
    objects.apply(&manifests::namespace(NAMESPACE, true))?;
    objects.apply(&manifests::service(NAMESPACE, "web", "web", "http"))?;
    let client = |name: &str| App::client(name, "http://web.tokens/", 20);
    let bearer = |name: &str, token: &str| {
        client(name)
            .with("--header")
            .word(&format!("authorization=Bearer {token}"))
    };
    let names = ["web", "alice", "bob", "late", "nobody"];
    for app in [
        App::server("web").version("v1"),
        bearer("alice", ALICE),
        bearer("bob", BOB),
        bearer("late", LATE),
        client("nobody"),
    ] {
        objects.apply(&app.deployment(NAMESPACE, &image))?;
    }
    for name in names {
        objects.rolled_out(NAMESPACE, name)?;
    }
    let all_get = |wanted: [&str; 4]| {
        for (caller, status) in names.into_iter().skip(1).zip(wanted) {
            eventually(LIMIT, || {
                let counts: Counts = objects.counted(NAMESPACE, caller, 40)?;
                ensure!(
                    counts.status(status) == counts.requests,
                    "{caller} wants {status}: {counts:?}"
                );
                Ok(())
            })?;
        }
        Ok::<_, anyhow::Error>(())
    };
    all_get(["200", "200", "200", "200"])?;
    objects.apply(&format!(
        "
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {{name: jwt, namespace: tokens}}
spec:
  selector: {{matchLabels: {{app: web}}}}
  jwtRules: [{{issuer: 'https://issuer.example', jwks: '{KEYS}'}}]
"
    ))?;
    // Who has no token is nobody, which is no reason to refuse; a bad one is.
    all_get(["200", "200", "401", "200"])?;
    objects.apply(
        "
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: staff, namespace: tokens}
spec:
  selector: {matchLabels: {app: web}}
  rules:
  - from: [{source: {requestPrincipals: ['https://issuer.example/*']}}]
    when: [{key: 'request.auth.claims[groups]', values: [staff]}]
",
    )?;
    all_get(["200", "403", "401", "403"])
}
