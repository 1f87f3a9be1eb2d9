//! Text as `pg_dump` 15 and `psql` 15 lay it out, written by ourselves.

use model::time::format_civil;
use std::fmt::Write as _;

/// A column: name and type with its constraints, as CREATE TABLE says it.
pub type ColumnSpec = (&'static str, &'static str);

/// A table with rows; `None` is NULL.
#[derive(Clone, Debug)]
pub struct Table {
    /// Name, in schema `public`.
    pub name: &'static str,
    /// Columns.
    pub columns: &'static [ColumnSpec],
    /// The primary key's columns.
    pub primary_key: &'static str,
    /// Rows.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Table {
    /// Starts a table.
    pub fn new(
        name: &'static str,
        columns: &'static [ColumnSpec],
        primary_key: &'static str,
    ) -> Table {
        Table {
            name,
            columns,
            primary_key,
            rows: Vec::new(),
        }
    }

    /// Adds a row of `column = value`; columns not named are NULL.
    ///
    /// # Panics
    /// If a name is no column.
    pub fn push(&mut self, values: &[(&str, String)]) {
        let mut row = vec![None; self.columns.len()];
        for (name, value) in values {
            let at = self
                .columns
                .iter()
                .position(|(column, _)| column == name)
                .unwrap_or_else(|| panic!("{} has no column {name}", self.name));
            row[at] = Some(value.clone());
        }
        self.rows.push(row);
    }

    /// Returns a row's value, `None` for NULL.
    pub fn get(&self, row: usize, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|(name, _)| *name == column)?;
        self.rows[row][at].as_deref()
    }
}

/// A foreign key: table, columns, target table, target columns, rule.
pub type ForeignKey = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// Formats microseconds as `timestamp` prints: zeros at the end of the fraction go.
pub fn timestamp(us: i64) -> String {
    let text = format_civil(us).replace('T', " ");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn quoted(name: &str) -> String {
    // pg_dump quotes words that PostgreSQL keeps for itself.
    if matches!(name, "timestamp") {
        format!("\"{name}\"")
    } else {
        name.to_owned()
    }
}

fn heading(out: &mut String, name: &str, kind: &str) {
    let schema = if kind == "TABLE DATA" {
        "Data for Name"
    } else {
        "Name"
    };
    let _ = write!(
        out,
        "--\n-- {schema}: {name}; Type: {kind}; Schema: public; Owner: postgres\n--\n\n"
    );
}

/// Writes a plain dump.
pub fn plain_dump(key: &str, tables: &[Table], foreign_keys: &[ForeignKey]) -> String {
    let mut tables: Vec<&Table> = tables.iter().collect();
    tables.sort_by_key(|table| table.name);
    let mut out = format!(
        "--\n-- PostgreSQL database dump\n--\n\n\\restrict {key}\n\n\
         -- Dumped from database version 15.4 (Debian 15.4-1.pgdg120+1)\n\
         -- Dumped by pg_dump version 15.14 (Debian 15.14-0+deb12u1)\n\n\
         SET statement_timeout = 0;\nSET lock_timeout = 0;\n\
         SET idle_in_transaction_session_timeout = 0;\nSET client_encoding = 'UTF8';\n\
         SET standard_conforming_strings = on;\n\
         SELECT pg_catalog.set_config('search_path', '', false);\n\
         SET check_function_bodies = false;\nSET xmloption = content;\n\
         SET client_min_messages = warning;\nSET row_security = off;\n\n\
         SET default_tablespace = '';\n\nSET default_table_access_method = heap;\n\n"
    );
    for table in &tables {
        heading(&mut out, table.name, "TABLE");
        let columns: Vec<String> = table
            .columns
            .iter()
            .map(|(name, kind)| format!("    {} {kind}", quoted(name)))
            .collect();
        let name = table.name;
        let _ = write!(
            out,
            "CREATE TABLE public.{name} (\n{}\n);\n\n\nALTER TABLE public.{name} OWNER TO postgres;\n\n",
            columns.join(",\n")
        );
    }
    for table in &tables {
        heading(&mut out, table.name, "TABLE DATA");
        let names: Vec<String> = table.columns.iter().map(|(name, _)| quoted(name)).collect();
        let _ = writeln!(
            out,
            "COPY public.{} ({}) FROM stdin;",
            table.name,
            names.join(", ")
        );
        for row in &table.rows {
            let cells: Vec<String> = row
                .iter()
                .map(|cell| cell.as_deref().map_or("\\N".to_owned(), copy_escape))
                .collect();
            out.push_str(&cells.join("\t"));
            out.push('\n');
        }
        out.push_str("\\.\n\n\n");
    }
    for table in &tables {
        let name = table.name;
        let key = if name == "l1_batches" {
            "blocks".to_owned()
        } else {
            name.to_owned()
        };
        heading(&mut out, &format!("{name} {key}_pkey"), "CONSTRAINT");
        let _ = write!(
            out,
            "ALTER TABLE ONLY public.{name}\n    ADD CONSTRAINT {key}_pkey PRIMARY KEY ({});\n\n\n",
            table.primary_key
        );
    }
    for (name, columns, target, keys, rule) in foreign_keys {
        let key = format!("{name}_{columns}_fkey");
        heading(&mut out, &format!("{name} {key}"), "FK CONSTRAINT");
        let _ = write!(
            out,
            "ALTER TABLE ONLY public.{name}\n    ADD CONSTRAINT {key} FOREIGN KEY ({columns}) REFERENCES public.{target}({keys}){rule};\n\n\n"
        );
    }
    let _ = write!(
        out,
        "--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict {key}\n\n"
    );
    out
}

/// Escapes a value for COPY's text format.
fn copy_escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out
}

/// A result for psql to show: column names, whether they are aligned right, rows.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Name and whether its type is a number.
    pub columns: Vec<(String, bool)>,
    /// Values as text; NULL shows as nothing.
    pub rows: Vec<Vec<String>>,
}

impl Shown {
    /// Takes columns of a table's rows; numbers are told by their type.
    pub fn of(table: &Table, columns: &[&str], rows: &[usize]) -> Shown {
        Shown {
            columns: columns
                .iter()
                .map(|name| {
                    let kind = table.columns.iter().find(|(column, _)| column == name);
                    let kind = kind.map_or("", |(_, kind)| kind);
                    let number = ["bigint", "integer", "numeric", "smallint"]
                        .iter()
                        .any(|word| kind.starts_with(word));
                    ((*name).to_owned(), number)
                })
                .collect(),
            rows: rows
                .iter()
                .map(|row| {
                    columns
                        .iter()
                        .map(|name| table.get(*row, name).unwrap_or("").to_owned())
                        .collect()
                })
                .collect(),
        }
    }

    fn widths(&self) -> Vec<usize> {
        (0..self.columns.len())
            .map(|at| {
                let cells = self.rows.iter().map(|row| row[at].chars().count());
                cells.fold(self.columns[at].0.len(), usize::max)
            })
            .collect()
    }

    /// psql's aligned layout, with the line that counts the rows.
    pub fn aligned(&self) -> String {
        let mut out = String::new();
        for line in self.lines() {
            out.push_str(&line);
            out.push('\n');
        }
        let count = self.rows.len();
        let _ = writeln!(out, "({count} row{})", if count == 1 { "" } else { "s" });
        out
    }

    fn lines(&self) -> Vec<String> {
        let widths = self.widths();
        let last = widths.len() - 1;
        let header: Vec<String> = self
            .columns
            .iter()
            .zip(&widths)
            .map(|((name, _), width)| {
                let free = width - name.len();
                format!(
                    " {}{name}{} ",
                    " ".repeat(free / 2),
                    " ".repeat(free - free / 2)
                )
            })
            .collect();
        let rule: Vec<String> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        let mut lines = vec![header.join("|"), rule.join("+")];
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .enumerate()
                .map(|(at, cell)| {
                    let free = " ".repeat(widths[at] - cell.chars().count());
                    // psql leaves off the blanks at the end of a row.
                    match (self.columns[at].1, at == last) {
                        (true, true) => format!(" {free}{cell}"),
                        (true, false) => format!(" {free}{cell} "),
                        (false, true) => format!(" {cell}"),
                        (false, false) => format!(" {cell}{free} "),
                    }
                })
                .collect();
            lines.push(cells.join("|"));
        }
        lines
    }

    /// The aligned layout after a web page glued its lines together and ran its blanks into one.
    pub fn glued(&self) -> String {
        let words = self.lines().join(" ");
        words.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_print_as_postgres_prints_them() {
        for (us, text) in [
            (1_695_009_019_059_576, "2023-09-18 03:50:19.059576"),
            (1_695_009_019_059_500, "2023-09-18 03:50:19.0595"),
            (1_695_009_020_000_000, "2023-09-18 03:50:20"),
            (1_695_009_000_000_000, "2023-09-18 03:50:00"),
        ] {
            assert_eq!(timestamp(us), text);
        }
    }
}
