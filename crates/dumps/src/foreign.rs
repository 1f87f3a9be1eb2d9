//! What looks like a dump and is not read: its name, and what to do about it.

use crate::sniff::MARK;

/// How much of a text is looked at for another database's marks.
const LOOKED_AT: usize = 4 << 10;

/// Begins of lines that dumps of MySQL and MariaDB have.
const MYSQL: [&[u8]; 9] = [
    b"-- MySQL dump ",
    b"-- MariaDB dump ",
    b"-- phpMyAdmin SQL Dump",
    b"/*M!999999",
    b"/*!40101 SET ",
    b"/*!40103 SET ",
    b"CREATE TABLE `",
    b"INSERT INTO `",
    b"DROP TABLE IF EXISTS `",
];

/// Says what a text is that is refused as a whole, and what to do.
pub(crate) fn named(head: &[u8]) -> Option<&'static str> {
    if is_mysql(head) {
        return Some(
            "a dump of MySQL or MariaDB, which is not read: load it there, export each table with \
             mysql --batch -e 'SELECT * FROM …' > TABLE.tsv, and read those",
        );
    }
    if head
        .strip_prefix(MARK)
        .unwrap_or(head)
        .starts_with(b"PGDMP")
    {
        return Some(
            "an archive of pg_dump that a shell wrote as text (PowerShell's `>` does): most of its bytes are lost; \
             dump again with pg_dump -f FILE, or from cmd.exe",
        );
    }
    quoted(head)
}

/// Whether a text begins as dumps of MySQL and MariaDB do.
pub(crate) fn is_mysql(head: &[u8]) -> bool {
    let head = &head[..head.len().min(LOOKED_AT)];
    for line in head.split(|&b| b == b'\n') {
        if line.starts_with(b"-- PostgreSQL ") || line.starts_with(b"COPY ") {
            return false;
        }
        if MYSQL.iter().any(|mark| line.starts_with(mark)) {
            return true;
        }
    }
    false
}

/// Says so of a text of which most lines are quoted, as mails and issues do it, and are a dump without the marks.
fn quoted(head: &[u8]) -> Option<&'static str> {
    let (mut marked, mut lines) = (0, 0);
    let mut plain = Vec::new();
    for line in head.split_inclusive(|&b| b == b'\n') {
        lines += usize::from(!line.trim_ascii().is_empty());
        let Some(mut rest) = line.strip_prefix(b">") else {
            continue;
        };
        while let Some(inner) = rest.trim_ascii_start().strip_prefix(b">") {
            rest = inner;
        }
        marked += 1;
        plain.extend_from_slice(rest.strip_prefix(b" ").unwrap_or(rest));
    }
    let most = marked > 2 && marked * 2 > lines;
    // Without marks it can't be quoted again.
    (most && crate::sniff::sniff(&plain).is_some()).then_some(
        "a table or dump quoted with `> `, as mails and issues do: take the marks off first \
         (sed 's/^\\(> \\{0,1\\}\\)*//' FILE > PLAIN), or paste it from its source",
    )
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn dumps_of_others_are_named() {
        for text in [
            "-- MySQL dump 10.13  Distrib 8.0.34, for Linux (x86_64)\n--\n",
            "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\n",
            "DROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (\n  `a` int\n);\n",
        ] {
            assert!(named(text.as_bytes()).unwrap().contains("MySQL"), "{text}");
        }
        let paste = "On Monday she wrote:\n>  a | b \n> ---+---\n>  1 | 2\n> (1 row)\n";
        assert!(named(paste.as_bytes()).unwrap().contains("quoted"));
        for text in [
            "--\n-- PostgreSQL database dump\n--\n",
            "> hello\n> there\n> you\n> all\n",
            " a | b \n---+---\n 1 | 2\n(1 row)\n> 1\n",
        ] {
            assert_eq!(named(text.as_bytes()), None, "{text}");
        }
    }
}
