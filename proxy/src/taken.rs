//! What the called side says first on a connection of bytes: whether its app has taken it.
//!
//! A sidecar outlives its app, and takes connections for one that listens no more. Told so, the calling side, which has
//! passed nothing on yet, tries another endpoint.

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::exchange::{Error, Side};

/// One byte on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Yes = 1,
    /// The app takes no connections: another endpoint may.
    Unreached = 2,
    /// A policy refuses it, as it would at every endpoint.
    Refused = 3,
}

/// Says so; where this is the last word, the connection ends with it.
pub async fn tell<IO: AsyncWrite + Unpin>(io: &mut IO, taken: Taken) -> std::io::Result<()> {
    io.write_u8(taken as u8).await?;
    io.flush().await?;
    if taken != Taken::Yes {
        io.shutdown().await?;
    }
    Ok(())
}

/// Hears it. Whatever the error, nothing was passed on.
pub async fn hear<IO: AsyncRead + Unpin>(io: &mut IO) -> Result<(), Error> {
    match io.read_u8().await {
        Ok(byte) if byte == Taken::Yes as u8 => Ok(()),
        Ok(byte) if byte == Taken::Unreached as u8 => {
            Err(Error::new(Side::Server, "connect-failed").unsent())
        }
        Ok(byte) if byte == Taken::Refused as u8 => Err(Error::new(Side::Server, REFUSED)),
        Ok(_) => Err(Error::new(Side::Mesh, "no-common-protocol").unsent()),
        Err(error) => Err(Error::new(Side::Mesh, "reset").unsent().because(error)),
    }
}

/// Why there is no use in trying another endpoint.
pub const REFUSED: &str = "refused-by-peer";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_told_is_heard() {
        for (taken, reason, unsent) in [
            (Taken::Yes, "", false),
            (Taken::Unreached, "connect-failed", true),
            (Taken::Refused, REFUSED, false),
        ] {
            let (mut near, mut far) = tokio::io::duplex(8);
            tell(&mut far, taken).await.unwrap();
            let heard = hear(&mut near).await;
            let heard = heard.err().map_or(("", false), |e| (e.reason, e.unsent));
            assert_eq!(heard, (reason, unsent), "{taken:?}");
        }
        let (mut near, far) = tokio::io::duplex(8);
        drop(far);
        assert!(hear(&mut near).await.unwrap_err().unsent, "its peer is gone");
    }
}
