//! What a dump's own SQL says about its tables.

use std::collections::HashMap;

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
    generated: Vec<String>,
}

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
    pub(crate) encoding: Option<String>,
}

impl Default for Schema {
    fn default() -> Self {
        Schema {
            tables: HashMap::new(),
            order: Vec::new(),
            domains: HashMap::new(),
            default_schema: "public".to_owned(),
            backslashes: false,
            encoding: None,
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
        self.encoding = newer.encoding.or(self.encoding.take());
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
            } => {
                let full = self.full(name);
                let declared = Declared {
                    columns: columns.clone(),
                    primary_key: primary_key.clone(),
                    parents: parents.iter().map(|parent| self.full(parent)).collect(),
                    generated: generated.clone(),
                };
                if self.tables.insert(full.clone(), declared).is_none() {
                    self.order.push(full);
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
                ("client_encoding", Some(first)) => self.encoding = Some(first.clone()),
                _ => {}
            },
            _ => {}
        }
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
