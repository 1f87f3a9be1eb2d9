//! Which column each value of a row belongs to: members of JSON come in any order, are left out, and may
//! come twice.

use std::collections::HashMap;

/// Which column a row's value belongs to.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    pub(crate) names: Vec<String>,
    pub(crate) index: HashMap<String, usize>,
    /// The row in which each column was last filled.
    filled: Vec<u64>,
    row: u64,
    /// Rows have their values mostly in one order.
    next: usize,
}

impl Layout {
    pub(crate) fn of(names: impl Iterator<Item = String>) -> Layout {
        let mut layout = Layout::default();
        for name in names {
            layout.add(&name);
        }
        layout
    }

    pub(crate) fn begin(&mut self) {
        self.row += 1;
        self.next = 0;
    }

    pub(crate) fn add(&mut self, name: &str) -> usize {
        let at = self.names.len();
        self.names.push(name.to_owned());
        self.index.insert(name.to_owned(), at);
        self.filled.push(0);
        at
    }

    fn find(&self, name: &str) -> Option<usize> {
        match self.names.get(self.next) {
            Some(expected) if expected == name => Some(self.next),
            _ => self.index.get(name).copied(),
        }
    }

    /// Returns the column of a name that this row has not used yet: a name that comes twice in one
    /// row is `name#2` the second time. `None` if there is no such column and none may be added.
    pub(crate) fn column(&mut self, name: &str, most: usize) -> Option<usize> {
        let mut at = self.find(name);
        let mut count = 1;
        while at.is_some_and(|at| self.filled[at] == self.row) {
            count += 1;
            at = self.find(&format!("{name}#{count}"));
        }
        let at = match at {
            Some(at) => at,
            None if self.names.len() >= most => return None,
            None if count == 1 => self.add(name),
            None => self.add(&format!("{name}#{count}")),
        };
        self.filled[at] = self.row;
        self.next = at + 1;
        Some(at)
    }
}
