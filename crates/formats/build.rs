//! Embeds `formats/*.toml`: the file's stem is the format's name.
//!
//! Paths are put together when the crate is compiled: several checkouts may share a target folder.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets the manifest folder");
    let folder = Path::new(&root).join("formats");
    println!("cargo::rerun-if-changed=formats");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .expect("crates/formats/formats can be read")
        .map(|entry| entry.expect("folder entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    let mut code = String::from("&[\n");
    for path in files {
        let stem = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("UTF-8 file name");
        writeln!(
            code,
            "    ({stem:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/formats/{stem}.toml\"))),"
        )
        .expect("writing to a string");
    }
    code.push_str("]\n");
    let out = env::var("OUT_DIR").expect("cargo sets the output folder");
    fs::write(Path::new(&out).join("embedded.rs"), code).expect("the output folder is writable");
}
