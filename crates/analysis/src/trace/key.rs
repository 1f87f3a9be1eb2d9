//! What people paste as a key.

use super::TraceError;
pub(super) use crate::rows::hex;
use std::str::FromStr;

/// What to trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// 32 bytes: an L2 or L1 transaction hash, or a block's or batch's.
    Hash([u8; 32]),
    /// The leading hex digits of a hash, lower case, without `0x`.
    Prefix(String),
    /// 20 bytes.
    Address([u8; 20]),
    /// `batch:7670`.
    Batch(i64),
    /// `miniblock:15841`, also `block:` and `l2_block:`.
    Miniblock(i64),
    /// `eth_tx:41073`: the server's own number of an L1 transaction.
    EthTx(i64),
}

/// Fewer digits would match by chance.
const MIN_PREFIX: usize = 6;

impl FromStr for Key {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Key, TraceError> {
        let wrong = || TraceError::Key(text.to_owned());
        let text = text.trim();
        if let Some((name, number)) = text.split_once([':', ' ', '=']) {
            let number = number
                .trim()
                .trim_start_matches('#')
                .parse()
                .map_err(|_| wrong())?;
            return match name.trim().to_ascii_lowercase().as_str() {
                "batch" | "l1_batch" => Ok(Key::Batch(number)),
                "miniblock" | "block" | "l2_block" => Ok(Key::Miniblock(number)),
                "eth_tx" | "eth_txs" => Ok(Key::EthTx(number)),
                _ => Err(wrong()),
            };
        }
        let marked = ["0x", "0X", "\\x"]
            .iter()
            .find_map(|mark| text.strip_prefix(mark));
        let digits = marked.unwrap_or(text).to_ascii_lowercase();
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        match digits.len() {
            64 => Ok(Key::Hash(unhex(&digits).ok_or_else(wrong)?)),
            _ if marked.is_none() && digits.bytes().all(|b| b.is_ascii_digit()) => {
                Err(TraceError::BareNumber(text.to_owned()))
            }
            40 => Ok(Key::Address(unhex(&digits).ok_or_else(wrong)?)),
            MIN_PREFIX..=63 => Ok(Key::Prefix(digits)),
            _ => Err(wrong()),
        }
    }
}

/// Returns the bytes of exactly `2 * N` hex digits.
pub(super) fn unhex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let digits = digits.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = (pair[0] as char).to_digit(16)?;
        let low = (pair[1] as char).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_as_people_paste_them() {
        let hash = "0bbbcf153f17ec0e1f12d698bbc64f9d242bc1cd1312dd5f34febf0e6cb6601a";
        let expected = Key::Hash(unhex(hash).unwrap());
        for text in [
            format!("0x{hash}"),
            hash.to_owned(),
            format!("\\x{hash}"),
            format!(" 0x{}\n", hash.to_uppercase()),
        ] {
            assert_eq!(text.parse::<Key>().unwrap(), expected, "{text}");
        }
        for (text, key) in [
            ("batch:7670", Key::Batch(7670)),
            ("batch 7670", Key::Batch(7670)),
            ("Batch #7670", Key::Batch(7670)),
            ("miniblock:15841", Key::Miniblock(15841)),
            ("block:15841", Key::Miniblock(15841)),
            ("eth_tx:41073", Key::EthTx(41073)),
            ("0x0bbbcf", Key::Prefix("0bbbcf".into())),
            ("0bbbcf1", Key::Prefix("0bbbcf1".into())),
            ("0x123456", Key::Prefix("123456".into())),
        ] {
            assert_eq!(text.parse::<Key>().unwrap(), key, "{text}");
        }
        assert!(matches!(
            "7670".parse::<Key>(),
            Err(TraceError::BareNumber(_))
        ));
        for text in ["", "0x", "0x0bbbc", "hello", "batch:", "tx:7", "0xzz0bbbcf"] {
            assert!(
                matches!(text.parse::<Key>(), Err(TraceError::Key(_))),
                "{text}"
            );
        }
        let long = format!("0x{hash}00");
        assert!(matches!(long.parse::<Key>(), Err(TraceError::Key(_))));
    }
}
