//! Tables for eyes: as wide as the terminal, and records one below the other where columns are too
//! many for it.

use crate::escape::{clip, width, wrap};
use crate::format::Paint;
use crate::{Style, terminal};
use model::{Answer, Cell};

/// A column is never squeezed below this many characters unless its content is narrower.
const NARROW: usize = 14;

/// Returns the text of a cell as it may be printed, on one line.
pub(crate) fn show_cell(cell: &Cell, style: &Style) -> String {
    terminal(&crate::csv::cell_text(cell, Some(&style.zone)))
}

/// Renders an answer at most `style.width` columns wide; every line ends with a line feed.
pub(crate) fn render(answer: &Answer, style: &Style) -> String {
    let columns = answer.columns.len();
    if columns == 0 {
        return String::new();
    }
    let cells: Vec<Vec<String>> = answer
        .rows
        .iter()
        .map(|row| row.iter().map(|cell| show_cell(cell, style)).collect())
        .collect();
    let names: Vec<String> = answer.columns.iter().map(|c| terminal(&c.name)).collect();
    let widest = |column: usize| {
        cells
            .iter()
            .filter_map(|row| row.get(column))
            .map(|text| width(text))
            .chain([width(&names[column])])
            .max()
            .unwrap_or(0)
    };
    let natural: Vec<usize> = (0..columns).map(widest).collect();
    let separators = (columns - 1) * GUTTER;
    let least: usize = natural.iter().map(|w| (*w).min(NARROW)).sum::<usize>() + separators;
    if least > style.width {
        return expanded(&names, &cells, style);
    }
    let widths = share(&natural, style.width - separators);
    let right: Vec<bool> = answer
        .columns
        .iter()
        .map(|column| matches!(column.type_name.as_str(), "i64" | "f64"))
        .collect();
    grid(&names, &cells, &widths, &right, style)
}

/// Columns between two columns.
const GUTTER: usize = 2;

/// Shares a width among columns: who needs less than an even share gets what it needs, the others
/// share the rest evenly.
fn share(natural: &[usize], room: usize) -> Vec<usize> {
    let mut widths = vec![0; natural.len()];
    let mut open: Vec<usize> = (0..natural.len()).collect();
    let mut left = room;
    while !open.is_empty() {
        let even = left / open.len();
        let (fits, rest): (Vec<usize>, Vec<usize>) =
            open.iter().partition(|column| natural[**column] <= even);
        if fits.is_empty() {
            for (at, column) in rest.iter().enumerate() {
                // What does not divide goes to the first ones.
                widths[*column] = even + usize::from(at < left % rest.len());
            }
            break;
        }
        for column in fits {
            widths[column] = natural[column];
            left -= natural[column];
        }
        open = rest;
    }
    widths
}

/// Draws rows in columns of these widths. Cells are wrapped here, at blanks where there are some; the
/// drawing library would break words.
fn grid(
    names: &[String],
    cells: &[Vec<String>],
    widths: &[usize],
    right: &[bool],
    style: &Style,
) -> String {
    let wrapped = |row: &[String]| -> Vec<String> {
        row.iter()
            .zip(widths)
            .map(|(cell, width)| wrap(cell, *width, 0).join("\n"))
            .collect()
    };
    let header = wrapped(names);
    let header_lines = header
        .iter()
        .map(|name| name.lines().count())
        .max()
        .unwrap_or(1);
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_content_arrangement(comfy_table::ContentArrangement::Disabled)
        .add_row(header)
        .add_rows(cells.iter().map(|row| wrapped(row)));
    let last = widths.len() - 1;
    for (index, right) in right.iter().enumerate() {
        if let Some(column) = table.column_mut(index) {
            column.set_padding((0, if index == last { 0 } else { GUTTER as u16 }));
            if *right {
                column.set_cell_alignment(comfy_table::CellAlignment::Right);
            }
        }
    }
    let mut out = String::new();
    for (index, line) in table.lines().enumerate() {
        let line = line.trim_end();
        if index < header_lines {
            out.push_str(&style.paint(Paint::Bold, line));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

/// `name  value` lines, rows parted by a blank line.
fn expanded(names: &[String], cells: &[Vec<String>], style: &Style) -> String {
    let label = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let mut out = String::new();
    for (index, row) in cells.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let pairs: Vec<(&str, &str)> = names
            .iter()
            .zip(row)
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        out.push_str(&aligned(&pairs, label, style));
    }
    out
}

/// `name  value` lines; long values are wrapped under themselves.
pub(crate) fn fields(pairs: &[(&str, &str)], style: &Style) -> String {
    let label = pairs.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    aligned(pairs, label, style)
}

fn aligned(pairs: &[(&str, &str)], label: usize, style: &Style) -> String {
    let label = label.min(style.width / 2);
    let mut out = String::new();
    for (name, value) in pairs {
        let name = clip(name, label);
        let pad = " ".repeat(label - width(&name) + 2);
        let room = style.width.saturating_sub(label + 2).max(10);
        for (index, line) in wrap(value, room, 0).iter().enumerate() {
            if index == 0 {
                out.push_str(&style.paint(Paint::Dim, &name));
                out.push_str(&pad);
            } else {
                out.push_str(&" ".repeat(label + 2));
            }
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer() -> Answer {
        let mut answer = Answer::new(&[
            ("node", "text"),
            ("offset_s", "f64"),
            ("at", "timestamp_utc"),
        ]);
        answer.rows.push(vec![
            Cell::Text("prysm-3\u{1b}[31m".into()),
            Cell::F64(14_400.03),
            Cell::Utc(1_597_426_262_000_000),
        ]);
        answer
            .rows
            .push(vec![Cell::Text("x".into()), Cell::Null, Cell::Null]);
        answer
    }

    #[test]
    fn fits_and_escapes() {
        let text = render(&answer(), &Style::default());
        assert_eq!(
            text,
            "node             offset_s  at\nprysm-3\\x1b[31m  14400.03  2020-08-14 17:31:02Z\nx\n"
        );
    }

    #[test]
    fn narrow_terminals_get_records_one_below_the_other() {
        let style = Style {
            width: 30,
            ..Style::default()
        };
        assert_eq!(
            render(&answer(), &style),
            "node      prysm-3\\x1b[31m\noffset_s  14400.03\nat        2020-08-14 17:31:02Z\n\nnode      x\n"
        );
    }

    #[test]
    fn nothing_is_wider_than_the_terminal() {
        let mut wide = Answer::new(&[("message", "text"), ("n", "i64"), ("hash", "text")]);
        wide.rows.push(vec![
            Cell::Text("word ".repeat(60)),
            Cell::I64(123_456_789),
            Cell::Text(format!("0x{}", "ab".repeat(32))),
        ]);
        for columns in [40, 60, 80, 120] {
            let style = Style {
                width: columns,
                ..Style::default()
            };
            for line in render(&wide, &style).lines() {
                assert!(width(line) <= columns, "{columns}: {line}");
            }
            assert!(render(&wide, &style).contains("123456789"));
        }
    }
}
