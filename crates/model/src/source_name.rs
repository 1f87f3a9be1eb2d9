//! The name of a source, which may have to be waited for.

use std::fmt;
use std::sync::{Arc, LazyLock};

/// What a source is called in references: the first 12 hex digits of its sha256.
///
/// A dump of some gigabytes is read and hashed at the same time; who needs its name waits until all of it
/// has been hashed.
#[derive(Clone)]
pub struct SourceName(Arc<LazyLock<String, Box<dyn FnOnce() -> String + Send>>>);

impl SourceName {
    /// Returns a name that is asked for when it is needed; clones ask once.
    pub fn asked_later(ask: impl FnOnce() -> String + Send + 'static) -> SourceName {
        SourceName(Arc::new(LazyLock::new(Box::new(ask))))
    }

    /// Returns the name; waits for it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for SourceName {
    fn from(name: T) -> SourceName {
        let name = SourceName::asked_later({
            let name = name.into();
            || name
        });
        LazyLock::force(&name.0);
        name
    }
}

/// No name: the source is not known.
impl Default for SourceName {
    fn default() -> SourceName {
        SourceName::from("")
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Does not wait.
impl fmt::Debug for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Clones are the same, whatever the name will be.
impl PartialEq for SourceName {
    fn eq(&self, other: &SourceName) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.as_str() == other.as_str()
    }
}

impl Eq for SourceName {}

impl PartialEq<str> for SourceName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn a_name_is_asked_for_once_and_only_when_needed() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let later = SourceName::asked_later(move || {
            count.fetch_add(1, Ordering::Relaxed);
            "0123456789ab".to_owned()
        });
        let clone = later.clone();
        assert_eq!(later, clone);
        assert!(!format!("{later:?}").contains("0123"));
        assert_eq!(asked.load(Ordering::Relaxed), 0);
        assert_eq!(clone.to_string(), "0123456789ab");
        assert_eq!(later, SourceName::from("0123456789ab"));
        assert_ne!(later, SourceName::default());
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
