//! Frames: eight bytes that say kind, length and stream, then a payload.
//!
//! ```text
//!   0        1                    4                    8
//!   ┌────────┬────────────────────┬────────────────────┬─────────────
//!   │ kind   │ length             │ stream             │ payload …
//!   └────────┴────────────────────┴────────────────────┴─────────────
//! ```
//!
//! The kind's highest bit says that its sender has nothing more to say on the stream. Stream 0 is the connection
//! itself; the calling side counts its streams up from 1 and never uses a number twice.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::exchange::AppReset;

pub const HEADER: usize = 8;
/// Largest payload taken: a head of the largest size HTTP/1 may have, and what we add to it.
pub const MOST: usize = 80 * 1024;
/// Largest piece of a body in one frame, so that others get their turn.
pub const PIECE: usize = 16 * 1024;
/// What may be sent on a stream before its reader has asked for more.
pub const WINDOW: u32 = 32 * 1024;
/// What a reader that keeps up may ask for at once.
pub const WIDEST: u32 = 256 * 1024;
/// What all readers of a connection together may ask for beyond [`WINDOW`] each.
pub const SPARE: u32 = 4 * 1024 * 1024;

/// Payloads of this size are copied out of what was read, whose memory can be used again at once; those that wait become
/// one up to this size.
pub const SMALL: usize = 4 * 1024;

const END: u8 = 0x80;

/// Why a peer is not listened to any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the peer broke the protocol: {0}")]
pub struct Violation(pub &'static str);

/// Why a stream ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Nobody waits for it any more.
    Cancelled,
    /// It was never looked at, and may be tried again elsewhere.
    Refused,
    /// What it was to carry broke off.
    Broken,
    /// It was looked at, but the app behind the peer does not take it.
    Unreached,
    /// The app behind the peer has broken it off, with this word.
    App(AppReset),
    /// The connection is gone.
    Lost,
}

/// From here on codes are the app's own, as HTTP/2 counts them; and the last that there is.
const APP: u8 = 0x10;
const LAST_OF_APP: u8 = APP + 0xd;

impl Reason {
    fn code(self) -> u8 {
        match self {
            Self::Cancelled => 1,
            Self::Refused => 2,
            Self::Broken | Self::Lost => 3,
            Self::Unreached => 4,
            Self::App(AppReset(reason)) => {
                let code = u8::try_from(u32::from(reason)).ok();
                let code = code.and_then(|code| APP.checked_add(code));
                code.filter(|code| *code <= LAST_OF_APP)
                    .unwrap_or(Self::Broken.code())
            }
        }
    }

    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Cancelled,
            2 => Self::Refused,
            4 => Self::Unreached,
            APP..=LAST_OF_APP => Self::App(AppReset(u32::from(code - APP).into())),
            // Also what a later version may say.
            _ => Self::Broken,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    Head {
        stream: u32,
        head: Bytes,
        end: bool,
    },
    Interim {
        stream: u32,
        head: Bytes,
    },
    Data {
        stream: u32,
        data: Bytes,
        end: bool,
    },
    Trailers {
        stream: u32,
        fields: Bytes,
    },
    Reset {
        stream: u32,
        reason: Reason,
    },
    /// So many more bytes may be sent on the stream.
    Window {
        stream: u32,
        more: u32,
    },
    /// No stream above this one will be served.
    GoAway {
        last: u32,
    },
    Ping,
    Pong,
}

const HEAD: u8 = 1;
const INTERIM: u8 = 2;
const DATA: u8 = 3;
const TRAILERS: u8 = 4;
const RESET: u8 = 5;
const WINDOW_KIND: u8 = 6;
const GO_AWAY: u8 = 7;
const PING: u8 = 8;
const PONG: u8 = 9;

/// Takes the next whole frame out of `bytes`; `None` when there is none yet.
pub fn take(bytes: &mut BytesMut) -> Result<Option<Frame>, Violation> {
    let [kind, a, b, c, s0, s1, s2, s3, ..] = **bytes else {
        return Ok(None);
    };
    let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
    if length > MOST {
        return Err(Violation("a frame is too large"));
    }
    if bytes.len() < HEADER + length {
        return Ok(None);
    }
    bytes.advance(HEADER);
    let mut payload = if length <= SMALL {
        let copy = Bytes::copy_from_slice(&bytes[..length]);
        bytes.advance(length);
        copy
    } else {
        bytes.split_to(length).freeze()
    };
    let stream = u32::from_be_bytes([s0, s1, s2, s3]);
    let end = kind & END != 0;
    let kind = kind & !END;
    if end && !matches!(kind, HEAD | DATA | TRAILERS) {
        return Err(Violation("an end where none can be"));
    }
    if (stream == 0) != matches!(kind, GO_AWAY | PING | PONG) {
        return Err(Violation("a frame on the wrong stream"));
    }
    let exact = |n: usize| {
        if length == n {
            Ok(())
        } else {
            Err(Violation("a frame of the wrong size"))
        }
    };
    let frame = match kind {
        HEAD => Frame::Head {
            stream,
            head: payload,
            end,
        },
        INTERIM => Frame::Interim {
            stream,
            head: payload,
        },
        DATA => Frame::Data {
            stream,
            data: payload,
            end,
        },
        TRAILERS if end => Frame::Trailers {
            stream,
            fields: payload,
        },
        RESET => {
            exact(1)?;
            let reason = Reason::from_code(payload.get_u8());
            Frame::Reset { stream, reason }
        }
        WINDOW_KIND => {
            exact(4)?;
            let more = payload.get_u32();
            Frame::Window { stream, more }
        }
        GO_AWAY => {
            exact(4)?;
            let last = payload.get_u32();
            Frame::GoAway { last }
        }
        PING | PONG => {
            exact(0)?;
            if kind == PING { Frame::Ping } else { Frame::Pong }
        }
        _ => return Err(Violation("an unknown frame")),
    };
    Ok(Some(frame))
}

fn header(out: &mut BytesMut, kind: u8, length: usize, stream: u32) {
    out.put_u32(u32::from(kind) << 24 | (length as u32 & 0x00ff_ffff));
    out.put_u32(stream);
}

/// Writes a frame whose payload `write` appends; its length is filled in afterwards.
fn with(out: &mut BytesMut, kind: u8, stream: u32, write: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    header(out, kind, 0, stream);
    write(out);
    let length = (out.len() - at - HEADER) as u32;
    out[at..at + 4].copy_from_slice(&(u32::from(kind) << 24 | length).to_be_bytes());
}

pub fn put_head(out: &mut BytesMut, stream: u32, end: bool, write: impl FnOnce(&mut BytesMut)) {
    with(out, if end { HEAD | END } else { HEAD }, stream, write);
}

pub fn put_interim(out: &mut BytesMut, stream: u32, write: impl FnOnce(&mut BytesMut)) {
    with(out, INTERIM, stream, write);
}

pub fn put_trailers(out: &mut BytesMut, stream: u32, write: impl FnOnce(&mut BytesMut)) {
    with(out, TRAILERS | END, stream, write);
}

pub fn put_data(out: &mut BytesMut, stream: u32, data: &[u8], end: bool) {
    out.reserve(HEADER + data.len());
    header(out, if end { DATA | END } else { DATA }, data.len(), stream);
    out.put_slice(data);
}

pub fn put_reset(out: &mut BytesMut, stream: u32, reason: Reason) {
    header(out, RESET, 1, stream);
    out.put_u8(reason.code());
}

pub fn put_window(out: &mut BytesMut, stream: u32, more: u32) {
    header(out, WINDOW_KIND, 4, stream);
    out.put_u32(more);
}

pub fn put_go_away(out: &mut BytesMut, last: u32) {
    header(out, GO_AWAY, 4, 0);
    out.put_u32(last);
}

pub fn put_ping(out: &mut BytesMut, answer: bool) {
    header(out, if answer { PONG } else { PING }, 0, 0);
}
