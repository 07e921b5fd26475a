//! Gives back, once, the pages of the executable that only the start has used.
//!
//! Reading settings, making keys, parsing certificates and the first handshakes run through code that lies all over the
//! executable, and the kernel maps sixteen pages around each one that is touched: a sidecar that has nothing to do would
//! keep some 14 MB mapped, of which it uses a third. Unmapped pages stay in the page cache, from which
//! those that are needed come back without any read.

use std::{ffi::c_void, fs, io, ptr::NonNull, time::Duration};

use nix::sys::mman::{MmapAdvise, madvise};

/// Waits until the start is over, then unmaps what it has left.
pub async fn give_back_start(ready: impl Fn() -> bool) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    while !ready() {
        second.tick().await;
    }
    // The first report and the first probes belong to the start, too.
    for _ in 0..2 {
        second.tick().await;
    }
    match unmap() {
        Ok(bytes) => tracing::debug!(bytes, "the start's code is unmapped until it is needed"),
        Err(error) => tracing::debug!(%error, "the start's code stays mapped"),
    }
}

/// How many bytes of address space were let go.
fn unmap() -> io::Result<usize> {
    let executable = fs::read_link("/proc/self/exe")?;
    let executable = executable.to_string_lossy();
    let mut given_back = 0;
    for (start, length) in clean(&fs::read_to_string("/proc/self/maps")?, &executable) {
        // SAFETY: a clean private mapping of the executable's own file, which cannot be written to while it runs: every page
        // comes back as it was.
        #[expect(unsafe_code, reason = "no safe interface knows that this mapping is clean")]
        unsafe {
            madvise(start, length, MmapAdvise::MADV_DONTNEED)?;
        }
        given_back += length;
    }
    Ok(given_back)
}

/// The mappings of `executable` that nothing writes to: its code, and what lies before it (constants, tables for the
/// loader). Those behind hold data, of which the part that is only read now was written to by the loader.
fn clean<'a>(maps: &'a str, executable: &'a str) -> impl Iterator<Item = (NonNull<c_void>, usize)> + 'a {
    maps.lines().filter_map(move |line| {
        let (range, rest) = line.split_once(' ')?;
        let code = rest.starts_with("r-xp ");
        let constants = rest.starts_with("r--p 00000000 ");
        if !(code || constants) || !rest.strip_suffix(executable)?.ends_with(' ') {
            return None;
        }
        let (start, end) = range.split_once('-')?;
        let [start, end] = [start, end].map(|address| usize::from_str_radix(address, 16).ok());
        let start = start?;
        Some((NonNull::new(start as *mut c_void)?, end?.checked_sub(start)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_code_and_constants_and_nothing_else() {
        let maps = "\
55d0c0000000-55d0c053e000 r--p 00000000 fe:00 1  /opt/mesh ctl
55d0c053e000-55d0c1690000 r-xp 0053e000 fe:00 1  /opt/mesh ctl
55d0c1690000-55d0c1732000 r--p 01690000 fe:00 1  /opt/mesh ctl
55d0c1732000-55d0c1733000 rw-p 01732000 fe:00 1  /opt/mesh ctl
7f0000000000-7f0000001000 r-xp 00000000 fe:00 2  /lib/libc.so.6
7ffd1c5e2000-7ffd1c5e4000 r-xp 00000000 00:00 0  [vdso]
";
        let found: Vec<_> = clean(maps, "/opt/mesh ctl")
            .map(|(start, length)| (start.as_ptr() as usize, length))
            .collect();
        assert_eq!(
            found,
            [(0x55d0_c000_0000, 0x53_e000), (0x55d0_c053_e000, 0x115_2000)]
        );
    }

    #[test]
    fn what_was_given_back_is_there_again_when_it_is_needed() {
        assert!(unmap().unwrap() > 1 << 20);
        assert_eq!(format!("{:?}", [1.5, f64::NAN]), "[1.5, NaN]");
    }
}
