//! The named queries: those embedded at build time, overlaid by a user's folder.

use crate::error::{QueryError, nearest};
use crate::header::Query;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));

/// Named queries by name, in name order.
#[derive(Clone, Debug, Default)]
pub struct Queries {
    by_name: BTreeMap<String, Query>,
}

impl Queries {
    /// Returns the embedded queries.
    ///
    /// # Errors
    /// [`QueryError::Header`] for a broken file; a test keeps that from happening.
    pub fn builtin() -> Result<Queries, QueryError> {
        let mut queries = Queries::default();
        for (name, text) in EMBEDDED {
            queries.add(Query::parse(name, &format!("queries/{name}.sql"), text)?);
        }
        Ok(queries)
    }

    /// Adds the `.sql` files below a folder; one with a known name takes its place.
    ///
    /// # Errors
    /// [`QueryError::Header`] or [`QueryError::Read`].
    pub fn overlay(&mut self, folder: &Path) -> Result<(), QueryError> {
        let mut files = Vec::new();
        collect(folder, &mut files)?;
        files.sort();
        for path in files {
            let text = fs::read_to_string(&path).map_err(|source| QueryError::Read {
                path: path.clone(),
                source,
            })?;
            let relative = path
                .strip_prefix(folder)
                .unwrap_or(&path)
                .with_extension("");
            let parts: Vec<_> = relative
                .components()
                .map(|part| part.as_os_str().to_string_lossy())
                .collect();
            self.add(Query::parse(
                &parts.join("/"),
                &path.display().to_string(),
                &text,
            )?);
        }
        Ok(())
    }

    /// Adds a query; one with a known name takes its place.
    pub fn add(&mut self, query: Query) {
        self.by_name.insert(query.name.clone(), query);
    }

    /// Returns a query by its name, or by its last part if only one query has it.
    ///
    /// # Errors
    /// [`QueryError::NoQuery`] with the nearest names.
    pub fn get(&self, name: &str) -> Result<&Query, QueryError> {
        if let Some(query) = self.by_name.get(name) {
            return Ok(query);
        }
        let mut same_end = self
            .iter()
            .filter(|query| query.name.rsplit('/').next() == Some(name));
        if let (Some(query), None) = (same_end.next(), same_end.next()) {
            return Ok(query);
        }
        Err(QueryError::NoQuery {
            name: name.to_owned(),
            nearest: nearest(name, self.by_name.keys().map(String::as_str), 3),
        })
    }

    /// Returns all queries in name order.
    pub fn iter(&self) -> impl Iterator<Item = &Query> {
        self.by_name.values()
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), QueryError> {
    let read = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect()
    };
    let entries = read().map_err(|source| QueryError::Read {
        path: folder.to_owned(),
        source,
    })?;
    for path in entries {
        if path.is_dir() && !path.is_symlink() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            files.push(path);
        }
    }
    Ok(())
}
