//! Tables of an archive that are announced before they are asked: no answer depends on it.

use dumps::DumpSource;
use model::{Batch, Coming, Part, RowFilter, TableSource as _};

use crate::archives::tables_of;
use crate::common::naming;

/// What tables give, and the damage told, when they are announced in one order and read in another.
fn announced(bytes: &[u8], announced: &[&str], read: &[&str]) -> (Vec<Option<Batch>>, Vec<String>) {
    let source = DumpSource::from_bytes(bytes.to_vec(), naming()).unwrap();
    let coming: Vec<Coming<'_>> = announced.iter().copied().map(Coming::whole).collect();
    source.announce(&coming);
    let batches = read
        .iter()
        .map(|table| source.read(table, &["a", "b"], &RowFilter::All).ok())
        .collect();
    (batches, source.damage())
}

#[test]
fn announcing_tables_changes_no_answer() {
    for compression in 0..4 {
        let (whole, [first, second]) = tables_of(2_000, 16, compression, true);
        let mut flipped = whole.clone();
        flipped[(first + second) / 2] ^= 0x10;
        let cut = whole[..(second + whole.len()) / 2].to_vec();
        for bytes in [whole, flipped, cut] {
            for read in [&["t", "u"][..], &["u", "t"], &["t", "u", "t", "u"], &["u"]] {
                let plain = announced(&bytes, &[], read);
                assert!(plain.0.iter().any(|batch| batch.is_some()));
                for order in [
                    &["t", "u"][..],
                    &["u", "t"],
                    &["none", "u", "none", "t", "u"],
                    &["t", "t", "t"],
                ] {
                    assert!(
                        announced(&bytes, order, read) == plain,
                        "{compression} {order:?} {read:?}"
                    );
                }
            }
        }
    }
}

/// Tables announced by a column of numbers give what they give without, also where something is broken.
#[test]
fn announcing_by_numbers_changes_no_answer() {
    let asked = |bytes: &[u8], coming: &[Coming<'_>]| {
        let source = DumpSource::from_bytes(bytes.to_vec(), naming()).unwrap();
        source.announce(coming);
        let all = source.read("u", &["a", "b"], &RowFilter::All).ok();
        let some = |column: &str, numbers: &[i64]| {
            let filter = RowFilter::I64In(column.to_owned(), numbers.to_vec());
            source
                .read("t", &["b", "#line", "#byte", "a"], &filter)
                .ok()
        };
        let found = [
            some("a", &[-1, 3, 1_999, 700_000]),
            some("a", &[]),
            some("b", &[3]),
            some("none", &[3]),
            source.read("t", &["a"], &RowFilter::All).ok(),
        ];
        let [one, two] = [vec![5], vec![6, 1_000]].map(|n| RowFilter::I64In("a".to_owned(), n));
        let parts = [(&["a"][..], &one), (&["b"], &two)];
        let parts = parts.map(|(columns, filter)| Part { columns, filter });
        (
            all,
            found,
            source.read_parts("t", &parts).ok(),
            source.damage(),
        )
    };
    for compression in 0..4 {
        let (whole, [first, second]) = tables_of(2_000, 16, compression, true);
        let mut flipped = whole.clone();
        flipped[(first + second) / 2] ^= 0x10;
        let cut = whole[..(first + second) / 2].to_vec();
        for bytes in [whole, flipped, cut] {
            let plain = asked(&bytes, &[]);
            let u = Coming::whole("u");
            for by in ["a", "b", "none"] {
                let by = Coming::by("t", by);
                for coming in [
                    &[u, by][..],
                    &[by, u],
                    &[u, by, by, u],
                    &[u, Coming::whole("t"), by],
                ] {
                    assert!(asked(&bytes, coming) == plain, "{compression} {coming:?}");
                }
            }
        }
    }
}
