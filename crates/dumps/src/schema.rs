//! What a dump's own SQL says about its tables.

use std::collections::HashMap;

use crate::encoding::TextEncoding;
use crate::sql::{Name, Statement};
use crate::value::Decoder;

/// A table's or type's name with its schema.
pub(crate) type FullName = (String, String);

/// A table as declared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    pub(crate) columns: Vec<(String, String)>,
    pub(crate) primary_key: Vec<String>,
    parents: Vec<FullName>,
    /// Tables that show the rows of this one as well, beside `parents`; they say nothing of its columns.
    attached: Vec<FullName>,
    generated: Vec<String>,
    /// Whether its rows lie in its partitions.
    pub(crate) partitioned: bool,
}

/// Most tables above one that are looked for: a hostile dump must not have each row read again a thousand times.
const ABOVE: usize = 16;

/// All declarations seen so far.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    tables: HashMap<FullName, Declared>,
    /// Names in the order of declaration.
    pub(crate) order: Vec<FullName>,
    domains: HashMap<FullName, String>,
    default_schema: String,
    /// `standard_conforming_strings = off`.
    pub(crate) backslashes: bool,
    /// How the dump is encoded.
    pub(crate) text: TextEncoding,
    /// An encoding that is not read, until that is said.
    pub(crate) unread_encoding: Option<String>,
}

impl Default for Schema {
    fn default() -> Self {
        Schema {
            tables: HashMap::new(),
            order: Vec::new(),
            domains: HashMap::new(),
            default_schema: "public".to_owned(),
            backslashes: false,
            text: TextEncoding::default(),
            unread_encoding: None,
        }
    }
}

impl Schema {
    /// Completes a name by the search path.
    pub(crate) fn full(&self, name: &Name) -> FullName {
        let schema = name.schema.as_ref().unwrap_or(&self.default_schema);
        (schema.clone(), name.name.clone())
    }

    /// Names without a schema are of this one from now on; an empty one changes nothing.
    pub(crate) fn prefer(&mut self, schema: &str) {
        if !schema.is_empty() {
            self.default_schema = schema.to_owned();
        }
    }

    pub(crate) fn declared(&self, name: &FullName) -> Option<&Declared> {
        self.tables.get(name)
    }

    /// Whether a table of an earlier dump is declared once more.
    pub(crate) fn declares_again(&self, earlier: &Schema) -> bool {
        let is_declared = |name: &FullName| {
            let known = earlier.tables.get(name);
            known.is_some_and(|table| !table.columns.is_empty())
        };
        self.order.iter().any(is_declared)
    }

    /// Takes in what another dump of the same database declares.
    pub(crate) fn go_on(&mut self, newer: Schema) {
        for (name, declared) in newer.tables {
            match self.tables.get_mut(&name) {
                // A dump of keys alone.
                Some(known) if declared.columns.is_empty() => {
                    known.primary_key = declared.primary_key;
                }
                _ => {
                    self.tables.insert(name, declared);
                }
            }
        }
        self.order.extend(newer.order);
        self.domains.extend(newer.domains);
        self.default_schema = newer.default_schema;
        self.backslashes = newer.backslashes;
        self.text = newer.text;
        self.unread_encoding = newer.unread_encoding.or(self.unread_encoding.take());
    }

    /// Takes in what a statement declares.
    pub(crate) fn learn(&mut self, statement: &Statement) {
        match statement {
            Statement::CreateTable {
                name,
                columns,
                primary_key,
                parents,
                generated,
                partitioned,
            } => {
                let full = self.full(name);
                let declared = Declared {
                    columns: columns.clone(),
                    primary_key: primary_key.clone(),
                    parents: parents.iter().map(|parent| self.full(parent)).collect(),
                    attached: Vec::new(),
                    generated: generated.clone(),
                    partitioned: *partitioned,
                };
                if self.tables.insert(full.clone(), declared).is_none() {
                    self.order.push(full);
                }
            }
            Statement::Attach { parent, child } => {
                let parent = self.full(parent);
                if let Some(declared) = self.tables.get_mut(&self.full(child))
                    && !declared.attached.contains(&parent)
                    && declared.attached.len() < ABOVE
                {
                    declared.attached.push(parent);
                }
            }
            Statement::CreateDomain { name, base } => {
                self.domains.insert(self.full(name), base.clone());
            }
            Statement::PrimaryKey { table, columns } => {
                let full = self.full(table);
                if !self.tables.contains_key(&full) {
                    self.tables.insert(full.clone(), Declared::default());
                }
                if let Some(declared) = self.tables.get_mut(&full) {
                    declared.primary_key = columns.clone();
                }
            }
            Statement::Set { name, value } => match (name.as_str(), value.first()) {
                ("search_path", Some(first)) if !first.is_empty() => {
                    self.default_schema = first.clone();
                }
                ("standard_conforming_strings", Some(first)) => {
                    self.backslashes = first == "off";
                }
                ("client_encoding", Some(first)) => match TextEncoding::named(first) {
                    Some(encoding) => self.text = encoding,
                    None => self.unread_encoding = Some(first.clone()),
                },
                _ => {}
            },
            _ => {}
        }
    }

    /// Returns the tables that show this one's rows as well when they are asked: those it is a partition of or inherits
    /// from, as far as they are declared, nearest first.
    pub(crate) fn above(&self, table: &FullName) -> Vec<&FullName> {
        let mut found: Vec<&FullName> = Vec::new();
        let mut at = 0;
        let mut next = self.tables.get(table);
        while let Some(declared) = next {
            for parent in declared.parents.iter().chain(&declared.attached) {
                let known = parent == table || found.contains(&parent);
                if !known && found.len() < ABOVE && self.tables.contains_key(parent) {
                    found.push(parent);
                }
            }
            next = found.get(at).and_then(|parent| self.tables.get(*parent));
            at += 1;
        }
        found
    }

    /// Returns a column's type as declared, here or in a table it is inherited from.
    pub(crate) fn sql_type(&self, table: &FullName, column: &str) -> Option<&str> {
        let mut queue = vec![table];
        // A dump that declares tables as their own ancestors must not hold us.
        for _ in 0..64 {
            let Some(declared) = self.tables.get(queue.pop()?) else {
                continue;
            };
            if let Some((_, sql_type)) = declared.columns.iter().find(|(name, _)| name == column) {
                return Some(sql_type);
            }
            queue.extend(&declared.parents);
        }
        None
    }

    /// Returns the columns of a row that names none: inherited ones first, each with whether its
    /// value is generated. `None` if the table is not declared.
    pub(crate) fn row_columns(&self, table: &FullName) -> Option<Vec<(String, bool)>> {
        let mut columns: Vec<(String, bool)> = Vec::new();
        // Of a table that is not declared there may be a key nevertheless.
        let key_only =
            |table: &&Declared| table.columns.is_empty() && !table.primary_key.is_empty();
        let mut lineage = vec![self.tables.get(table).filter(|table| !key_only(table))?];
        // Parents of parents come first; a dump may declare tables as their own ancestors.
        let mut at = 0;
        while at < lineage.len() && lineage.len() < 64 {
            let parents = lineage[at].parents.iter().rev();
            lineage.extend(parents.filter_map(|parent| self.tables.get(parent)));
            at += 1;
        }
        for declared in lineage.into_iter().rev() {
            for (name, _) in &declared.columns {
                if !columns.iter().any(|(known, _)| known == name) {
                    columns.push((name.clone(), declared.generated.contains(name)));
                }
            }
        }
        Some(columns)
    }

    /// The columns of a row that names none, without those that are generated: a dump does not hold these.
    pub(crate) fn stored_columns(&self, table: &FullName) -> Option<Vec<String>> {
        let columns = self.row_columns(table)?.into_iter();
        let stored = columns.filter(|(_, generated)| !generated);
        Some(stored.map(|(name, _)| name).collect())
    }

    /// Returns how values of a type are read; domains are followed to their base.
    pub(crate) fn decoder(&self, sql_type: &str) -> Decoder {
        let mut sql_type = sql_type;
        for _ in 0..16 {
            let name = match sql_type.split_once('.') {
                Some((schema, name)) => (schema.to_owned(), name.to_owned()),
                None => (self.default_schema.clone(), sql_type.to_owned()),
            };
            match self.domains.get(&name) {
                Some(base) => sql_type = base,
                None => break,
            }
        }
        Decoder::of_sql_type(sql_type)
    }
}
