//! Encodings of a dump's text, as `SET client_encoding` and an archive's ENCODING entry name them.
//!
//! All that are read keep ASCII where it is, so that rows and fields are found in the bytes and only what is no ASCII
//! is decoded, cell by cell: places in the file stay what they are. Encodings of clients alone (SJIS, BIG5, GBK, …)
//! have backslashes inside of characters and are not read.

use std::borrow::Cow;

use encoding_rs::{
    EUC_JP, EUC_KR, Encoding, GBK, IBM866, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5,
    ISO_8859_6, ISO_8859_7, ISO_8859_8, ISO_8859_10, ISO_8859_13, ISO_8859_14, ISO_8859_15,
    ISO_8859_16, KOI8_R, KOI8_U, WINDOWS_874, WINDOWS_1250, WINDOWS_1251, WINDOWS_1252,
    WINDOWS_1253, WINDOWS_1254, WINDOWS_1255, WINDOWS_1256, WINDOWS_1257, WINDOWS_1258,
};

/// How a dump's text is encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextEncoding(Kind);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Utf8,
    /// The database keeps bytes, and nobody knows what they mean: mostly UTF-8.
    SqlAscii,
    Latin1,
    /// As WINDOWS_1254, but for the control characters, which Microsoft replaced.
    Latin5,
    /// As the web has KOI8_U, but for two signs: there they are letters of Belarus.
    Koi8U,
    /// As GBK, but for two signs.
    EucCn,
    Other(&'static Encoding),
}

impl TextEncoding {
    /// Finds an encoding by PostgreSQL's name for it; `None` if it is not read.
    pub(crate) fn named(name: &str) -> Option<TextEncoding> {
        let plain = |c: &char| c.is_ascii_alphanumeric();
        let name: String = name.chars().filter(plain).collect();
        Some(TextEncoding(match name.to_ascii_uppercase().as_str() {
            "UTF8" | "UNICODE" => Kind::Utf8,
            "SQLASCII" => Kind::SqlAscii,
            "LATIN1" | "ISO88591" => Kind::Latin1,
            "LATIN5" | "ISO88599" => Kind::Latin5,
            "LATIN2" | "ISO88592" => Kind::Other(ISO_8859_2),
            "LATIN3" | "ISO88593" => Kind::Other(ISO_8859_3),
            "LATIN4" | "ISO88594" => Kind::Other(ISO_8859_4),
            "LATIN6" | "ISO885910" => Kind::Other(ISO_8859_10),
            "LATIN7" | "ISO885913" => Kind::Other(ISO_8859_13),
            "LATIN8" | "ISO885914" => Kind::Other(ISO_8859_14),
            "LATIN9" | "ISO885915" => Kind::Other(ISO_8859_15),
            "LATIN10" | "ISO885916" => Kind::Other(ISO_8859_16),
            "ISO88595" => Kind::Other(ISO_8859_5),
            "ISO88596" => Kind::Other(ISO_8859_6),
            "ISO88597" => Kind::Other(ISO_8859_7),
            "ISO88598" => Kind::Other(ISO_8859_8),
            "KOI8R" | "KOI8" => Kind::Other(KOI8_R),
            "KOI8U" => Kind::Koi8U,
            "WIN866" | "ALT" => Kind::Other(IBM866),
            "WIN874" => Kind::Other(WINDOWS_874),
            "WIN1250" => Kind::Other(WINDOWS_1250),
            "WIN1251" | "WIN" => Kind::Other(WINDOWS_1251),
            "WIN1252" => Kind::Other(WINDOWS_1252),
            "WIN1253" => Kind::Other(WINDOWS_1253),
            "WIN1254" => Kind::Other(WINDOWS_1254),
            "WIN1255" => Kind::Other(WINDOWS_1255),
            "WIN1256" => Kind::Other(WINDOWS_1256),
            "WIN1257" => Kind::Other(WINDOWS_1257),
            "WIN1258" | "TCVN" | "TCVN5712" | "ABC" | "VSCII" => Kind::Other(WINDOWS_1258),
            "EUCJP" => Kind::Other(EUC_JP),
            "EUCKR" => Kind::Other(EUC_KR),
            "EUCCN" => Kind::EucCn,
            _ => return None,
        }))
    }

    /// Reads text; `None` if it is not of this encoding.
    pub(crate) fn decode<'t>(self, text: &'t [u8]) -> Option<Cow<'t, str>> {
        if let Ok(text) = std::str::from_utf8(text)
            && (text.is_ascii() || matches!(self.0, Kind::Utf8 | Kind::SqlAscii))
        {
            return Some(Cow::Borrowed(text));
        }
        match self.0 {
            Kind::Utf8 | Kind::SqlAscii => None,
            Kind::Latin1 => Some(encoding_rs::mem::decode_latin1(text)),
            Kind::Latin5 => Some(Cow::Owned(text.iter().map(|&byte| latin5(byte)).collect())),
            Kind::Koi8U => {
                let text = KOI8_U.decode_without_bom_handling(text).0;
                Some(Cow::Owned(text.replace('ў', "╝").replace('Ў', "╬")))
            }
            Kind::EucCn => {
                let text = GBK.decode_without_bom_handling_and_without_replacement(text)?;
                Some(Cow::Owned(text.replace('·', "・").replace('—', "―")))
            }
            Kind::Other(encoding) => {
                encoding.decode_without_bom_handling_and_without_replacement(text)
            }
        }
    }

    /// Reads text as far as that goes; what is not of this encoding becomes U+FFFD.
    pub(crate) fn decode_lossy<'t>(self, text: &'t [u8]) -> Cow<'t, str> {
        let lossy = || match self.0 {
            Kind::EucCn => GBK.decode_without_bom_handling(text).0,
            Kind::Other(encoding) => encoding.decode_without_bom_handling(text).0,
            _ => String::from_utf8_lossy(text),
        };
        self.decode(text).unwrap_or_else(lossy)
    }

    /// Why a text may not be of the encoding, for messages.
    pub(crate) fn blamed(self) -> String {
        match self.0 {
            Kind::Utf8 => "not UTF-8".to_owned(),
            Kind::SqlAscii => {
                "not UTF-8 (the database is SQL_ASCII, which says nothing of its texts)".to_owned()
            }
            Kind::Latin1 | Kind::Latin5 | Kind::Koi8U => "not of the dump's encoding".to_owned(),
            Kind::EucCn => "not EUC_CN, as the dump says".to_owned(),
            Kind::Other(encoding) => format!("not {}, as the dump says", encoding.name()),
        }
    }
}

fn latin5(byte: u8) -> char {
    match byte {
        0xd0 => 'Ğ',
        0xdd => 'İ',
        0xde => 'Ş',
        0xf0 => 'ğ',
        0xfd => 'ı',
        0xfe => 'ş',
        other => char::from(other),
    }
}

/// Cells whose text is not of the encoding: they are shown with U+FFFD.
#[derive(Clone, Debug, Default)]
pub(crate) struct Misread {
    /// By column: name, and how many.
    columns: Vec<(String, u64)>,
    /// Byte and line of the first one's row.
    pub(crate) first: Option<(u64, u64)>,
}

impl Misread {
    /// Takes a cell.
    pub(crate) fn see(&mut self, column: &str, at: (u64, u64)) {
        self.first.get_or_insert(at);
        match self.columns.iter_mut().find(|(name, _)| name == column) {
            Some((_, cells)) => *cells += 1,
            None => self.columns.push((column.to_owned(), 1)),
        }
    }

    /// Says how many, where, and what is shown instead.
    pub(crate) fn told(&self, encoding: TextEncoding) -> String {
        const SHOWN: usize = 8;
        let cells: u64 = self.columns.iter().map(|(_, cells)| cells).sum();
        let mut columns: Vec<String> = self
            .columns
            .iter()
            .take(SHOWN)
            .map(|(name, cells)| format!("{name}: {cells}"))
            .collect();
        if let Some(more) = self
            .columns
            .len()
            .checked_sub(SHOWN)
            .filter(|more| *more > 0)
        {
            columns.push(format!("and {more} more columns"));
        }
        let noun = if cells == 1 { "cell is" } else { "cells are" };
        let line = self.first.map_or(0, |(_, line)| line);
        format!(
            "{cells} {noun} {} ({}; the first in line {line}): bytes that cannot be read are shown as \u{fffd}",
            encoding.blamed(),
            columns.join(", ")
        )
    }
}
