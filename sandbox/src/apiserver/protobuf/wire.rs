//! Protobuf's wire format: numbered items, each a number or bytes.

use super::{ProtobufError, Result};

/// One item's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// What is left to read.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// The next item and its number; `None` at the end.
    pub fn next(&mut self) -> Result<Option<(u32, Item<'a>)>> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| ProtobufError::Wire("illegal tag"))?;
        if number == 0 {
            return Err(ProtobufError::Wire("illegal tag 0"));
        }
        let item = match tag & 7 {
            0 => Item::Number(self.varint()?),
            1 => Item::Number(u64::from_le_bytes(self.fixed()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| TOO_SHORT)?;
                Item::Bytes(self.take(length)?)
            }
            5 => Item::Number(u32::from_le_bytes(self.fixed()?).into()),
            _ => return Err(ProtobufError::Wire("illegal wireType")),
        };
        Ok(Some((number, item)))
    }

    pub fn varint(&mut self) -> Result<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let [byte] = self.fixed::<1>()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(ProtobufError::Wire("integer overflow"))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(TOO_SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| TOO_SHORT)
    }
}

const TOO_SHORT: ProtobufError = ProtobufError::Wire("unexpected EOF");
