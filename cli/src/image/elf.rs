//! What an executable needs in order to run: an image from scratch has no loader and no libraries.

/// Interpreter segments name the dynamic loader.
const PT_INTERP: u32 = 3;

/// The architecture of a static executable, as images call it; or why it is not one.
pub fn static_architecture(bytes: &[u8]) -> Result<&'static str, String> {
    let short = || "it is cut off".to_owned();
    if !bytes.starts_with(b"\x7fELF") {
        return Err("it is no Linux executable".into());
    }
    if bytes.get(4..6) != Some(&[2, 1]) {
        return Err("it is not for a 64-bit little-endian machine".into());
    }
    let number = |at: usize, length: usize| -> Option<u64> {
        let part = bytes.get(at..at.checked_add(length)?)?;
        Some(part.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)))
    };
    let architecture = match number(0x12, 2).ok_or_else(short)? {
        62 => "amd64",
        183 => "arm64",
        other => return Err(format!("machine {other} is not one that images are made for")),
    };
    let offset = number(0x20, 8).ok_or_else(short)? as usize;
    let size = number(0x36, 2).ok_or_else(short)? as usize;
    let count = number(0x38, 2).ok_or_else(short)? as usize;
    for i in 0..count {
        let at = offset.checked_add(i * size).ok_or_else(short)?;
        if number(at, 4).ok_or_else(short)? == u64::from(PT_INTERP) {
            return Err("it is linked dynamically".into());
        }
    }
    Ok(architecture)
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A header with one program header of this kind.
    pub fn executable(kind: u32) -> Vec<u8> {
        let mut bytes = vec![0; 0x40 + 0x38];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[0x12] = 62;
        bytes[0x20] = 0x40;
        bytes[0x36] = 0x38;
        bytes[0x38] = 1;
        bytes[0x40..0x44].copy_from_slice(&kind.to_le_bytes());
        bytes
    }

    #[test]
    fn only_static_executables_are_taken() {
        assert_eq!(static_architecture(&executable(1)), Ok("amd64"));
        assert!(
            static_architecture(&executable(PT_INTERP))
                .unwrap_err()
                .contains("dynamically")
        );
        assert!(
            static_architecture(b"#!/bin/sh")
                .unwrap_err()
                .contains("no Linux executable")
        );
        let whole = executable(1);
        for end in 0..whole.len() {
            assert!(
                end >= 0x44 || static_architecture(&whole[..end]).is_err(),
                "{end}"
            );
        }
    }
}
