//! Reads what a TLS ClientHello offers, without being a TLS server: whose connection is it, ours or the app's?

use mesh_api::names;

/// What matters of a ClientHello.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClientHello {
    pub alpn: Vec<Vec<u8>>,
    pub sni: Option<String>,
}

impl ClientHello {
    /// Sent by a proxy of this mesh?
    pub fn is_mesh(&self) -> bool {
        let ours = [
            names::ALPN_MESH,
            names::ALPN_HTTP,
            names::ALPN_TCP_TOLD,
            names::ALPN_TCP,
        ];
        self.alpn.iter().any(|name| ours.contains(&name.as_slice()))
    }
}

/// `None`: more bytes are needed. `Some(None)`: this is not TLS.
pub fn parse(bytes: &[u8], most: usize) -> Option<Option<ClientHello>> {
    // A handshake message may be spread over several records.
    let mut message = Vec::new();
    let mut rest = bytes;
    loop {
        match message[..] {
            [1, a, b, c, ..] => {
                let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                if length + 4 > most {
                    return Some(None);
                }
                if let Some(body) = message.get(4..4 + length) {
                    // What does not parse is left to whoever the connection is for.
                    return Some(Some(body_of(body).unwrap_or_default()));
                }
            }
            [] | [1] | [1, _] | [1, _, _] => {}
            _ => return Some(None),
        }
        match rest {
            [0x16, 3, minor, high, low, tail @ ..] if *minor <= 4 => {
                let length = usize::from(*high) << 8 | usize::from(*low);
                if length == 0 || length > 16_384 {
                    return Some(None);
                }
                let have = length.min(tail.len());
                message.extend_from_slice(&tail[..have]);
                rest = &tail[have..];
            }
            [] => return None,
            [0x16] | [0x16, 3] | [0x16, 3, ..] if rest.len() < 5 => return None,
            _ => return Some(None),
        }
    }
}

/// The fields of a ClientHello's body; `None` when they do not add up.
fn body_of(body: &[u8]) -> Option<ClientHello> {
    let mut body = Reader(body);
    body.take(2 + 32)?;
    body.vector(1)?;
    body.vector(2)?;
    body.vector(1)?;
    let mut extensions = Reader(body.vector(2)?);
    let mut hello = ClientHello::default();
    while !extensions.0.is_empty() {
        let kind = extensions.number(2)?;
        let mut content = Reader(extensions.vector(2)?);
        match kind {
            0 => {
                let mut names = Reader(content.vector(2)?);
                if names.number(1)? == 0 {
                    hello.sni = String::from_utf8(names.vector(2)?.to_vec()).ok();
                }
            }
            16 => {
                let mut list = Reader(content.vector(2)?);
                while !list.0.is_empty() {
                    hello.alpn.push(list.vector(1)?.to_vec());
                }
            }
            _ => {}
        }
    }
    Some(hello)
}

/// Takes fields off the front of a slice; never reads past its end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, width: usize) -> Option<usize> {
        Some(self.take(width)?.iter().fold(0, |n, b| n << 8 | usize::from(*b)))
    }

    /// A field that begins with its own length.
    fn vector(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = self.number(width)?;
        self.take(length)
    }
}
