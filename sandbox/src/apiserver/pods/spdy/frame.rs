//! SPDY/3.1's frames, as far as port-forwarding uses them.

use std::collections::HashMap;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What both sides of SPDY/3 assume to have been compressed before.
const DICTIONARY: &[u8] = include_bytes!("dictionary.bin");
/// More than any frame of a sane client.
const LIMIT: usize = 1 << 20;

/// Why a session ends.
#[derive(Debug, thiserror::Error)]
pub enum SpdyError {
    /// The connection broke, or the client left.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The client sent what SPDY does not allow.
    #[error("not SPDY/3.1: {0}")]
    Frame(&'static str),
}

pub enum Frame {
    /// A new stream; `reply` is the frame that accepts it.
    Open {
        stream: u32,
        headers: HashMap<String, String>,
        reply: Vec<u8>,
    },
    Data {
        stream: u32,
        last: bool,
        bytes: Vec<u8>,
    },
    Reset(u32),
    /// The frame that answers it.
    Ping(Vec<u8>),
    Away,
    Other,
}

/// A data frame.
pub fn data(stream: u32, bytes: &[u8], last: bool) -> Vec<u8> {
    let mut frame = Vec::with_capacity(bytes.len() + 8);
    frame.extend_from_slice(&stream.to_be_bytes());
    let head = (u32::from(last) << 24) | (bytes.len() as u32 & 0x00ff_ffff);
    frame.extend_from_slice(&head.to_be_bytes());
    frame.extend_from_slice(bytes);
    frame
}

fn control(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80, 3];
    frame.extend_from_slice(&kind.to_be_bytes());
    frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
    frame.extend_from_slice(body);
    frame
}

fn number(bytes: &[u8], at: usize) -> Result<u32, SpdyError> {
    let bytes = bytes.get(at..at + 4).ok_or(SpdyError::Frame("a short frame"))?;
    Ok(bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte)))
}

/// Reads frames; headers are compressed as one stream in each direction.
pub struct Reader<R> {
    from: R,
    inflate: Decompress,
    deflate: Compress,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub fn new(from: R) -> Self {
        Self {
            from,
            inflate: Decompress::new(true),
            deflate: Compress::new(Compression::fast(), true),
        }
    }

    pub async fn next(&mut self) -> Result<Frame, SpdyError> {
        let mut head = [0; 8];
        self.from.read_exact(&mut head).await?;
        let (first, second) = (number(&head, 0)?, number(&head, 4)?);
        let last = second >> 24 & 1 == 1;
        let length = (second & 0x00ff_ffff) as usize;
        if length > LIMIT {
            return Err(SpdyError::Frame("a frame that is too long"));
        }
        let mut bytes = vec![0; length];
        self.from.read_exact(&mut bytes).await?;
        if first >> 31 == 0 {
            return Ok(Frame::Data {
                stream: first,
                last,
                bytes,
            });
        }
        Ok(match first & 0xffff {
            1 => {
                let stream = number(&bytes, 0)?;
                let block = bytes.get(10..).ok_or(SpdyError::Frame("a short frame"))?;
                let headers = self.headers(block)?;
                let reply = [&stream.to_be_bytes()[..], &self.no_headers()?].concat();
                Frame::Open {
                    stream,
                    headers,
                    reply: control(2, &reply),
                }
            }
            3 => Frame::Reset(number(&bytes, 0)?),
            6 => Frame::Ping(control(6, &bytes)),
            7 => Frame::Away,
            8 => {
                // Not used, but the compression goes through it.
                self.headers(bytes.get(4..).unwrap_or_default())?;
                Frame::Other
            }
            _ => Frame::Other,
        })
    }

    fn headers(&mut self, block: &[u8]) -> Result<HashMap<String, String>, SpdyError> {
        let plain = self.inflate(block)?;
        let mut at = 4;
        let mut text = || -> Result<String, SpdyError> {
            let length = number(&plain, at)? as usize;
            let text = plain
                .get(at + 4..)
                .and_then(|rest| rest.get(..length))
                .ok_or(SpdyError::Frame("a short header"))?;
            at += 4 + length;
            Ok(String::from_utf8_lossy(text).into_owned())
        };
        (0..number(&plain, 0)?)
            .map(|_| Ok((text()?.to_lowercase(), text()?)))
            .collect()
    }

    fn inflate(&mut self, mut input: &[u8]) -> Result<Vec<u8>, SpdyError> {
        let broken = SpdyError::Frame("headers that are not compressed");
        let mut plain = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let (read, made) = (self.inflate.total_in(), self.inflate.total_out());
            let result = self.inflate.decompress(input, &mut buffer, FlushDecompress::Sync);
            let read = (self.inflate.total_in() - read) as usize;
            let made = (self.inflate.total_out() - made) as usize;
            input = input.get(read..).unwrap_or_default();
            plain.extend_from_slice(&buffer[..made]);
            match result {
                Err(error) if error.needs_dictionary().is_some() => {
                    if self.inflate.set_dictionary(DICTIONARY).is_err() {
                        return Err(broken);
                    }
                }
                Err(_) => return Err(broken),
                Ok(_) if plain.len() > LIMIT => return Err(SpdyError::Frame("headers that are too long")),
                Ok(_) if input.is_empty() && made < buffer.len() => return Ok(plain),
                Ok(_) if read == 0 && made == 0 => return Err(broken),
                Ok(_) => {}
            }
        }
    }

    /// A block of no headers.
    fn no_headers(&mut self) -> Result<Vec<u8>, SpdyError> {
        let mut block = Vec::with_capacity(64);
        self.deflate
            .compress_vec(&[0; 4], &mut block, FlushCompress::Sync)
            .map_err(|_| SpdyError::Frame("headers cannot be compressed"))?;
        Ok(block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A stream's opening as a client writes it, with the dictionary.
    fn open(deflate: &mut Compress, stream: u32, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut plain = (headers.len() as u32).to_be_bytes().to_vec();
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            plain.extend_from_slice(&(text.len() as u32).to_be_bytes());
            plain.extend_from_slice(text.as_bytes());
        }
        let mut block = Vec::with_capacity(1024);
        deflate
            .compress_vec(&plain, &mut block, FlushCompress::Sync)
            .unwrap();
        let body = [&stream.to_be_bytes()[..], &[0; 6], &block].concat();
        control(1, &body)
    }

    #[tokio::test]
    async fn streams_open_with_headers_and_carry_data() {
        let mut deflate = Compress::new(Compression::best(), true);
        deflate.set_dictionary(DICTIONARY).unwrap();
        let wire = [
            open(&mut deflate, 1, &[("Streamtype", "error"), ("port", "80")]),
            open(&mut deflate, 3, &[("streamType", "data"), ("port", "80")]),
            data(3, b"hello", true),
            control(6, &[0, 0, 0, 1]),
        ]
        .concat();
        let mut reader = Reader::new(wire.as_slice());
        for (wanted, kind) in [(1, "error"), (3, "data")] {
            let Frame::Open {
                stream,
                headers,
                reply,
            } = reader.next().await.unwrap()
            else {
                panic!("no stream");
            };
            assert_eq!((stream, headers["streamtype"].as_str()), (wanted, kind));
            assert_eq!(headers["port"], "80");
            assert_eq!(reply[..4], [0x80, 3, 0, 2]);
        }
        let Frame::Data { stream, last, bytes } = reader.next().await.unwrap() else {
            panic!("no data");
        };
        assert_eq!((stream, last, bytes.as_slice()), (3, true, b"hello".as_slice()));
        assert!(matches!(reader.next().await.unwrap(), Frame::Ping(_)));
        assert!(reader.next().await.is_err());
    }

    #[tokio::test]
    async fn nonsense_ends_the_session() {
        for wire in [
            control(1, &[0; 3]),
            control(1, &[7; 40]),
            vec![0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff],
        ] {
            assert!(Reader::new(wire.as_slice()).next().await.is_err());
        }
    }
}
