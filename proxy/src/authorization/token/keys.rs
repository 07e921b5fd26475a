//! JSON Web Key Sets: by which keys, and in which ways, a token may be signed.

use aws_lc_rs::signature::{
    self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::Value;

/// The keys of one issuer. One that is of no kind we know verifies nothing.
#[derive(Debug, Default)]
pub struct Keys(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    /// The only way in which it is used, where the set says so.
    algorithm: Option<String>,
    public: Public,
}

#[derive(Debug)]
enum Public {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl Keys {
    pub fn read(text: &str) -> Self {
        let set: Value = serde_json::from_str(text).unwrap_or_default();
        // Some write one key where a set should be.
        let single = set["kty"].is_string().then(|| vec![set.clone()]);
        let keys = single
            .or_else(|| set["keys"].as_array().cloned())
            .unwrap_or_default();
        Self(keys.iter().filter_map(Key::read).collect())
    }

    /// Whether one of them has signed this.
    pub fn verify(&self, header: &Value, signed: &[u8], signature: &[u8]) -> bool {
        let Some(algorithm) = header["alg"].as_str() else {
            return false;
        };
        if !header["crit"].is_null() {
            // It asks for something that must be understood.
            return false;
        }
        let wanted = header["kid"].as_str();
        let known = self
            .0
            .iter()
            .any(|key| key.id.is_some() && key.id.as_deref() == wanted);
        self.0
            .iter()
            .filter(|key| !known || key.id.as_deref() == wanted)
            .filter(|key| key.algorithm.as_deref().is_none_or(|own| own == algorithm))
            .any(|key| key.public.verify(algorithm, signed, signature))
    }
}

impl Key {
    fn read(key: &Value) -> Option<Self> {
        let bytes = |name: &str| {
            let text = key[name].as_str()?.trim_end_matches('=');
            URL_SAFE_NO_PAD.decode(text).ok()
        };
        if key["use"].as_str().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        let text = |name: &str| key[name].as_str();
        let point = |size: usize| {
            let (x, y) = (padded(bytes("x")?, size)?, padded(bytes("y")?, size)?);
            Some([&[4], x.as_slice(), y.as_slice()].concat())
        };
        let public = match (text("kty")?, text("crv")) {
            ("RSA", _) => Public::Rsa {
                n: without_zeros(bytes("n")?),
                e: without_zeros(bytes("e")?),
            },
            ("EC", Some("P-256")) => Public::P256(point(32)?),
            ("EC", Some("P-384")) => Public::P384(point(48)?),
            ("OKP", Some("Ed25519")) => Public::Ed25519(bytes("x")?),
            _ => return None,
        };
        Some(Self {
            id: text("kid").map(str::to_owned),
            algorithm: text("alg").map(str::to_owned),
            public,
        })
    }
}

/// Numbers may be written with zeros before them, which the arithmetic does not take.
fn without_zeros(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().skip_while(|byte| *byte == 0).collect()
}

fn padded(bytes: Vec<u8>, size: usize) -> Option<Vec<u8>> {
    let bytes = without_zeros(bytes);
    let missing = size.checked_sub(bytes.len())?;
    Some([vec![0; missing], bytes].concat())
}

impl Public {
    /// The way must be one of this kind of key: it is the key that says how it is used, not the token.
    fn verify(&self, algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Rsa { n, e } => {
                let Some(parameters) = rsa(algorithm) else {
                    return false;
                };
                let key = RsaPublicKeyComponents { n, e };
                key.verify(parameters, signed, signature).is_ok()
            }
            Self::P256(point) if algorithm == "ES256" => {
                by(&signature::ECDSA_P256_SHA256_FIXED, point, signed, signature)
            }
            Self::P384(point) if algorithm == "ES384" => {
                by(&signature::ECDSA_P384_SHA384_FIXED, point, signed, signature)
            }
            Self::Ed25519(key) if algorithm == "EdDSA" => by(&signature::ED25519, key, signed, signature),
            _ => false,
        }
    }
}

fn rsa(algorithm: &str) -> Option<&'static RsaParameters> {
    Some(match algorithm {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
        "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn by(way: &'static dyn VerificationAlgorithm, key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(way, key).verify(signed, signature).is_ok()
}
