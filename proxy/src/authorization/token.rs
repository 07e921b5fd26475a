//! Tokens in requests: JSON Web Tokens, signed by somebody whom the configuration names. What a valid one says of its
//! bearer are attributes that policies can ask for; a request with one that is not valid is refused, and a request without
//! any goes on, as somebody of whom nothing is known.

mod keys;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use mesh_api::wire;
use serde_json::Value;

use crate::config::{ConfigError, RequestView, header_name};
use keys::Keys;

/// Clocks may differ by so much.
const LEEWAY: Duration = Duration::from_mins(1);
/// Larger ones are nobody's; reading them would only cost time.
const LARGEST: usize = 64 * 1024;

/// Everybody whose tokens are known here.
#[derive(Debug, Default)]
pub struct Issuers {
    all: Vec<Issuer>,
    /// Headers in which the app learns of tokens: nobody else may write them.
    told_in: Vec<HeaderName>,
}

#[derive(Debug)]
struct Issuer {
    source: std::sync::Arc<str>,
    name: String,
    audiences: Vec<String>,
    keys: Keys,
    headers: Vec<(HeaderName, String)>,
    parameters: Vec<String>,
    cookies: Vec<String>,
    forward: bool,
    payload: Option<HeaderName>,
    claims: Vec<ClaimHeader>,
}

/// A claim that the app learns of in a header.
#[derive(Debug)]
struct ClaimHeader {
    name: HeaderName,
    /// Its name as it is written,
    claim: String,
    /// and from the outermost in.
    path: Vec<String>,
}

/// What a valid token says.
#[derive(Debug, Clone, PartialEq)]
pub struct Claims(Value);

/// A valid token, and what becomes of the request's headers because of it.
#[derive(Debug, Default)]
pub struct Found {
    pub claims: Option<Claims>,
    remove: Vec<HeaderName>,
    set: Vec<(HeaderName, HeaderValue)>,
}

/// Why a token is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Malformed,
    UnknownIssuer,
    BadSignature,
    Expired,
    NotYetValid,
    /// It is meant for somebody else.
    Audience,
}

impl Refused {
    pub fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "token-malformed",
            Self::UnknownIssuer => "token-issuer-unknown",
            Self::BadSignature => "token-signature-invalid",
            Self::Expired => "token-expired",
            Self::NotYetValid => "token-not-yet-valid",
            Self::Audience => "token-audience",
        }
    }
}

/// Where a token stands in a request.
struct Candidate<'a> {
    token: &'a str,
    /// The header, if it is one of its own.
    header: Option<&'a HeaderName>,
    issuer: &'a Issuer,
}

/// A token taken apart, its signature not looked at yet.
struct Parts<'a> {
    header: Value,
    claims: Value,
    signed: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl Issuers {
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What becomes of a request's headers where its token is none.
    pub fn nobody(&self) -> Found {
        Found {
            remove: self.told_in.clone(),
            ..Found::default()
        }
    }

    /// The valid token of a request. `Err`: it has tokens, and none is valid; with whoever says so.
    pub fn of_request(
        &self,
        request: &RequestView<'_>,
        now: SystemTime,
    ) -> Result<Found, (Refused, std::sync::Arc<str>)> {
        let mut found = self.nobody();
        let mut worst = None;
        for issuer in &self.all {
            for candidate in issuer.candidates(request) {
                match candidate.verify(now) {
                    Ok(parts) => {
                        candidate.tell(&parts, &mut found);
                        found.claims = Some(Claims(parts.claims));
                        return Ok(found);
                    }
                    // What is wrong with a token of an issuer's own says more than that it is not another's.
                    Err(Refused::UnknownIssuer) if worst.is_some() => {}
                    Err(refused) => worst = Some((refused, issuer.source.clone())),
                }
            }
        }
        worst.map_or(Ok(found), Err)
    }
}

impl Issuer {
    fn candidates<'a>(&'a self, request: &RequestView<'a>) -> Vec<Candidate<'a>> {
        let of = |token: &'a str, header: Option<&'a HeaderName>| Candidate {
            token,
            header,
            issuer: self,
        };
        let mut all = Vec::new();
        for (name, prefix) in &self.headers {
            for value in request.headers.get_all(name) {
                let value = value.to_str().ok();
                let token = value.and_then(|text| without_prefix(text, prefix));
                all.extend(token.map(|token| of(token, Some(name))));
            }
        }
        let query = request.uri.query().unwrap_or_default();
        for pair in query.split('&').filter(|_| !self.parameters.is_empty()) {
            if let Some((name, token)) = pair.split_once('=')
                && self.parameters.iter().any(|p| p == name)
            {
                all.push(of(token, None));
            }
        }
        for value in request.headers.get_all(header::COOKIE) {
            let pairs = value.to_str().unwrap_or_default().split(';');
            for (name, token) in pairs.filter_map(|pair| pair.trim().split_once('=')) {
                if self.cookies.iter().any(|c| c == name) {
                    all.push(of(token.trim_matches('"'), None));
                }
            }
        }
        all.retain(|candidate| !candidate.token.is_empty());
        all
    }
}

/// The scheme of `authorization` is written in any case.
fn without_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (first, rest) = text.split_at_checked(prefix.len())?;
    first.eq_ignore_ascii_case(prefix).then(|| rest.trim())
}

impl Candidate<'_> {
    fn verify(&self, now: SystemTime) -> Result<Parts<'_>, Refused> {
        let parts = Parts::of(self.token).ok_or(Refused::Malformed)?;
        let issuer = self.issuer;
        if parts.claims["iss"].as_str() != Some(issuer.name.as_str()) {
            return Err(Refused::UnknownIssuer);
        }
        let is_signed = issuer
            .keys
            .verify(&parts.header, parts.signed.as_bytes(), &parts.signature);
        if !is_signed {
            return Err(Refused::BadSignature);
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let leeway = LEEWAY.as_secs_f64();
        let time = |name: &str| match &parts.claims[name] {
            Value::Null => Ok(None),
            value => value.as_f64().map(Some).ok_or(Refused::Malformed),
        };
        if time("exp")?.is_some_and(|end| now > end + leeway) {
            return Err(Refused::Expired);
        }
        if time("nbf")?.is_some_and(|begin| now + leeway < begin) {
            return Err(Refused::NotYetValid);
        }
        let meant_for = Claims::strings(&parts.claims["aud"]);
        let wanted = &issuer.audiences;
        // A slash at the end is no difference, to those who make tokens.
        let same = |a: &str, b: &str| a.trim_end_matches('/') == b.trim_end_matches('/');
        if !wanted.is_empty() && !meant_for.iter().any(|a| wanted.iter().any(|w| same(a, w))) {
            return Err(Refused::Audience);
        }
        Ok(parts)
    }

    /// What the app is to know of it.
    fn tell(&self, parts: &Parts<'_>, found: &mut Found) {
        let issuer = self.issuer;
        if !issuer.forward {
            found.remove.extend(self.header.cloned());
        }
        let payload = issuer.payload.iter();
        let payload =
            payload.filter_map(|name| Some((name.clone(), HeaderValue::from_str(parts.payload).ok()?)));
        let claims = issuer.claims.iter();
        let claims = claims.filter_map(|told| Some((told.name.clone(), told.value(&parts.claims)?)));
        found.set.extend(payload.chain(claims));
    }
}

impl ClaimHeader {
    fn value(&self, claims: &Value) -> Option<HeaderValue> {
        let value = claims.get(&self.claim).or_else(|| lookup(claims, &self.path))?;
        let text = match value {
            Value::Null => return None,
            Value::String(text) => text.clone(),
            Value::Number(_) | Value::Bool(_) => value.to_string(),
            // As other proxies write what has a form of its own.
            Value::Array(_) | Value::Object(_) => STANDARD.encode(value.to_string()),
        };
        HeaderValue::from_bytes(text.as_bytes()).ok()
    }
}

impl<'a> Parts<'a> {
    fn of(token: &'a str) -> Option<Self> {
        if token.len() > LARGEST {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
        let object = |text: &str| {
            let value: Value = serde_json::from_slice(&decode(text)?).ok()?;
            value.is_object().then_some(value)
        };
        Some(Self {
            header: object(header)?,
            claims: object(payload)?,
            signed,
            payload,
            signature: decode(signature)?,
        })
    }
}

impl Found {
    /// Takes out what the app shall not see, and says what it shall know.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in &self.remove {
            headers.remove(name);
        }
        for (name, value) in &self.set {
            headers.insert(name, value.clone());
        }
    }
}

impl Claims {
    /// `issuer/subject`
    pub fn principal(&self) -> Option<String> {
        let part = |name: &str| self.0[name].as_str().filter(|text| !text.is_empty());
        Some(format!("{}/{}", part("iss")?, part("sub")?))
    }

    pub fn audiences(&self) -> Vec<String> {
        Self::strings(&self.0["aud"])
    }

    pub fn presenter(&self) -> Option<&str> {
        self.0["azp"].as_str()
    }

    /// All values of a claim, named from the outermost in. Scopes are one text with blanks between them.
    pub fn claim(&self, path: &[String]) -> Vec<String> {
        let found = lookup(&self.0, path).map(Self::strings).unwrap_or_default();
        match (path, found.as_slice()) {
            ([name], [text]) if matches!(name.as_str(), "scope" | "permission") => {
                text.split_whitespace().map(str::to_owned).collect()
            }
            _ => found,
        }
    }

    fn strings(value: &Value) -> Vec<String> {
        match value {
            Value::String(text) => vec![text.clone()],
            Value::Array(items) => items
                .iter()
                .filter_map(|v| Some(v.as_str()?.to_owned()))
                .collect(),
            Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
            _ => Vec::new(),
        }
    }
}

fn lookup<'a>(claims: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(claims, |value, name| value.get(name))
}

impl TryFrom<Vec<wire::TokenIssuer>> for Issuers {
    type Error = ConfigError;

    fn try_from(wire: Vec<wire::TokenIssuer>) -> Result<Self, ConfigError> {
        let all: Vec<Issuer> = wire.into_iter().map(Issuer::try_from).collect::<Result<_, _>>()?;
        let told_in = all.iter().flat_map(|issuer| {
            let claims = issuer.claims.iter().map(|told| &told.name);
            issuer.payload.iter().chain(claims).cloned()
        });
        Ok(Self {
            told_in: told_in.collect(),
            all,
        })
    }
}

impl TryFrom<wire::TokenIssuer> for Issuer {
    type Error = ConfigError;

    fn try_from(i: wire::TokenIssuer) -> Result<Self, ConfigError> {
        let usual = i.headers.is_empty() && i.parameters.is_empty() && i.cookies.is_empty();
        let mut headers = i
            .headers
            .into_iter()
            .map(|h| Ok((header_name(&h.name)?, h.prefix)))
            .collect::<Result<Vec<_>, ConfigError>>()?;
        let mut parameters = i.parameters;
        if usual {
            headers.push((header::AUTHORIZATION, "Bearer ".into()));
            parameters.push("access_token".into());
        }
        let payload = Some(i.payload_header.as_str()).filter(|name| !name.is_empty());
        Ok(Self {
            source: i.source.into(),
            name: i.issuer,
            audiences: i.audiences,
            keys: Keys::read(&i.keys),
            headers,
            parameters,
            cookies: i.cookies,
            forward: i.forward,
            payload: payload.map(header_name).transpose()?,
            claims: i
                .claim_headers
                .into_iter()
                .map(ClaimHeader::try_from)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl TryFrom<wire::ClaimHeader> for ClaimHeader {
    type Error = ConfigError;

    fn try_from(told: wire::ClaimHeader) -> Result<Self, ConfigError> {
        Ok(Self {
            name: header_name(&told.header)?,
            path: told.claim.split('.').map(str::to_owned).collect(),
            claim: told.claim,
        })
    }
}

#[cfg(test)]
mod tests;
