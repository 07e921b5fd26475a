//! Replays the seeds of fuzzing, and whatever it has found.

use std::{fs, path::Path};

fn seeds(of: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(of);
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        println!("{}", path.display());
        let bytes = fs::read(path).unwrap();
        check(&bytes);
        // Cut short, each must do as well.
        check(&bytes[..bytes.len() / 2]);
        count += 1;
    }
    assert!(count > 0, "{of} has no seeds");
}

#[test]
fn http1() {
    seeds("http1", super::http1);
}

#[test]
fn frames() {
    seeds("frames", super::frames);
}

#[test]
fn first_bytes() {
    seeds("first_bytes", |bytes| drop(crate::sniff::decide(bytes)));
}
