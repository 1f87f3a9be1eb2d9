//! A sample: the files of a made-up incident.

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use std::{
    fs,
    io::{Read, Write},
    path::Path,
};

/// A file of a sample.
#[derive(Clone, Debug)]
pub struct SampleFile {
    /// Path inside the sample's folder, for example `input/house_keeper.log`.
    pub path: String,
    /// Its text. A path that ends in `.gz` is stored packed.
    pub text: Vec<u8>,
}

/// A made-up incident.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The folder's name under `samples/`.
    pub name: &'static str,
    /// Its generated files, in order of their paths.
    pub files: Vec<SampleFile>,
}

impl Sample {
    /// Adds a file.
    pub fn add(&mut self, path: impl Into<String>, text: impl Into<Vec<u8>>) {
        self.files.push(SampleFile {
            path: path.into(),
            text: text.into(),
        });
        self.files.sort_by(|a, b| a.path.cmp(&b.path));
    }

    /// Adds a JSON file.
    pub fn add_json(&mut self, path: impl Into<String>, value: &serde_json::Value) {
        self.add(path, format!("{value:#}\n"));
    }

    /// Returns a file's text.
    pub fn text(&self, path: &str) -> Option<&[u8]> {
        let file = self.files.iter().find(|file| file.path == path)?;
        Some(&file.text)
    }

    /// Writes the files under `folder`. A packed file that holds the same text already is left
    /// alone, since another version of the packer may give other bytes.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        for file in &self.files {
            let path = folder.join(&file.path);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            if !file.path.ends_with(".gz") {
                fs::write(path, &file.text)?;
            } else if fs::read(&path).ok().and_then(|bytes| gunzip(&bytes))
                != Some(file.text.clone())
            {
                fs::write(path, gzip(&file.text))?;
            }
        }
        Ok(())
    }
}

/// Packs bytes as gzip, without a time stamp.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("a vector takes all");
    encoder.finish().expect("a vector takes all")
}

/// Unpacks gzip; `None` if it is damaged.
pub fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut text).ok()?;
    Some(text)
}
