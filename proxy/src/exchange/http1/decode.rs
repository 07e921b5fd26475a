//! Bodies of HTTP/1 messages, from bytes.

use bytes::{Buf, Bytes, BytesMut};
use http::HeaderMap;

use super::head::{self, Bad, Framing};

/// Longest line before a chunk, extensions included: these are read over, never passed on.
const CHUNK_LINE: usize = 256;
const MOST_TRAILERS: usize = 16 * 1024;

/// A piece of a body.
#[derive(Debug)]
pub enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    /// Nothing more comes.
    End,
    /// More bytes are needed.
    More,
}

/// Where in a body we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decoder {
    Length(u64),
    ChunkLine,
    /// So many bytes of the chunk are left.
    Chunk(u64),
    ChunkEnd,
    Trailers,
    UntilClose,
    Done,
}

impl Decoder {
    pub fn new(framing: Framing) -> Self {
        match framing {
            Framing::Empty => Self::Done,
            Framing::Length(n) => Self::Length(n),
            Framing::Chunked => Self::ChunkLine,
            Framing::UntilClose => Self::UntilClose,
        }
    }

    pub fn is_done(self) -> bool {
        self == Self::Done
    }

    /// How much is still to come at most, where that is known.
    pub fn left(self) -> Option<u64> {
        match self {
            Self::Length(n) => Some(n),
            Self::Done => Some(0),
            _ => None,
        }
    }

    /// The other end will send nothing more. Is that the end of the body, too?
    pub fn close(&mut self) -> bool {
        let whole = matches!(self, Self::UntilClose | Self::Done);
        *self = Self::Done;
        whole
    }

    /// Takes the next piece out of `bytes`.
    pub fn take(&mut self, bytes: &mut BytesMut) -> Result<Piece, Bad> {
        loop {
            match *self {
                Self::Done => return Ok(Piece::End),
                Self::UntilClose if bytes.is_empty() => return Ok(Piece::More),
                Self::UntilClose => return Ok(Piece::Data(bytes.split().freeze())),
                Self::Length(left) => {
                    let Some((data, left)) = up_to(bytes, left) else {
                        return Ok(Piece::More);
                    };
                    *self = if left == 0 { Self::Done } else { Self::Length(left) };
                    return Ok(Piece::Data(data));
                }
                Self::Chunk(left) => {
                    let Some((data, left)) = up_to(bytes, left) else {
                        return Ok(Piece::More);
                    };
                    *self = if left == 0 {
                        Self::ChunkEnd
                    } else {
                        Self::Chunk(left)
                    };
                    return Ok(Piece::Data(data));
                }
                Self::ChunkEnd => match **bytes {
                    [b'\r', b'\n', ..] => {
                        bytes.advance(2);
                        *self = Self::ChunkLine;
                    }
                    [] | [b'\r'] => return Ok(Piece::More),
                    _ => return Err(Bad::Syntax("end of a chunk")),
                },
                Self::ChunkLine => {
                    let Some(end) = bytes.iter().take(CHUNK_LINE).position(|b| *b == b'\n') else {
                        return if bytes.len() >= CHUNK_LINE {
                            Err(Bad::Syntax("chunk size"))
                        } else {
                            Ok(Piece::More)
                        };
                    };
                    let size = chunk_size(&bytes[..end])?;
                    bytes.advance(end + 1);
                    *self = if size == 0 {
                        Self::Trailers
                    } else {
                        Self::Chunk(size)
                    };
                }
                Self::Trailers => {
                    if bytes.starts_with(b"\r\n") {
                        bytes.advance(2);
                        *self = Self::Done;
                        return Ok(Piece::End);
                    }
                    let Some(end) = head::end(bytes, 0)? else {
                        return if bytes.len() >= MOST_TRAILERS {
                            Err(Bad::TooLarge)
                        } else {
                            Ok(Piece::More)
                        };
                    };
                    let trailers = head::trailers(&bytes.split_to(end).freeze())?;
                    *self = Self::Done;
                    return Ok(Piece::Trailers(trailers));
                }
            }
        }
    }
}

/// As much as is there of the `left` bytes that belong together; `None` when nothing is.
fn up_to(bytes: &mut BytesMut, left: u64) -> Option<(Bytes, u64)> {
    if bytes.is_empty() {
        return None;
    }
    let n = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    Some((bytes.split_to(n).freeze(), left - n as u64))
}

/// `1a;extension` + CR. Sizes have no sign, no space, and at most fifteen digits.
fn chunk_size(line: &[u8]) -> Result<u64, Bad> {
    let bad = Bad::Syntax("chunk size");
    let [line @ .., b'\r'] = line else {
        return Err(bad);
    };
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let (size, extension) = line.split_at(digits);
    if digits == 0 || digits > 15 || !matches!(extension, [] | [b';', ..]) {
        return Err(bad);
    }
    if !extension.iter().all(|b| head::is_value(*b)) {
        return Err(bad);
    }
    let text = std::str::from_utf8(size).map_err(|_| bad)?;
    u64::from_str_radix(text, 16).map_err(|_| bad)
}
