//! What is encoded here is read back by the `parquet` crate, whose writer this replaces.

use super::{ColumnPlan, Piece, RowGroup, delta, hybrid};
use arrow::array::{
    Array, ArrayRef, BinaryArray, BooleanArray, DictionaryArray, Float64Array, Int64Array,
    RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{Int32Type, Schema};
use model::ColumnType;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::statistics::Statistics;
use parquet::file::writer::SerializedFileWriter;
use std::slice;
use std::sync::Arc;

/// xorshift: the same numbers in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: u64) -> u64 {
        self.roll() % n
    }
}

fn plan(column_type: ColumnType) -> ColumnPlan {
    ColumnPlan {
        column_type,
        constant: None,
        compressed: true,
        page_bounds: true,
        bounds: true,
    }
}

/// Writes pages of the given pieces (batch, start, rows), every `pages_per_group` a row group.
fn write(
    batches: &[RecordBatch],
    plans: Vec<ColumnPlan>,
    pages: &[Vec<(usize, usize, usize)>],
    pages_per_group: usize,
) -> bytes::Bytes {
    let schema = ArrowSchemaConverter::new()
        .convert(&batches[0].schema())
        .unwrap();
    let mut file =
        SerializedFileWriter::new(Vec::new(), schema.root_schema_ptr(), Arc::default()).unwrap();
    let mut group = RowGroup::new(plans);
    for (index, page) in pages.iter().enumerate() {
        let pieces: Vec<Piece<'_>> = page
            .iter()
            .map(|(batch, start, rows)| Piece {
                batch: &batches[*batch],
                start: *start,
                rows: *rows,
            })
            .collect();
        group.page(&pieces, &file).unwrap();
        if (index + 1) % pages_per_group == 0 {
            group.end(&mut file).unwrap();
        }
    }
    group.end(&mut file).unwrap();
    file.into_inner().unwrap().into()
}

fn read(
    bytes: bytes::Bytes,
) -> (
    Vec<RecordBatch>,
    ParquetRecordBatchReaderBuilder<bytes::Bytes>,
) {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let open = || {
        ParquetRecordBatchReaderBuilder::try_new_with_options(bytes.clone(), options.clone())
            .unwrap()
    };
    let reader = open().with_batch_size(1 << 20).build().unwrap();
    (reader.map(Result::unwrap).collect(), open())
}

/// Cuts rows 0..`rows` of batches into pages of pieces at random places.
fn random_pages(dice: &mut Dice, rows: &[usize]) -> Vec<Vec<(usize, usize, usize)>> {
    let mut pages = vec![Vec::new()];
    for (batch, &rows) in rows.iter().enumerate() {
        let mut start = 0;
        while start < rows {
            let take = (1 + dice.below(700) as usize).min(rows - start);
            pages.last_mut().unwrap().push((batch, start, take));
            start += take;
            if dice.below(3) == 0 {
                pages.push(Vec::new());
            }
        }
    }
    pages.retain(|page| !page.is_empty());
    pages
}

fn maybe<T>(dice: &mut Dice, nulls: u64, value: impl FnOnce(&mut Dice) -> T) -> Option<T> {
    // One column has no nulls, one nothing else, one some.
    let null = dice.below(10) < nulls;
    let value = value(dice);
    (!null).then_some(value)
}

fn batch(dice: &mut Dice, rows: usize, nulls: u64) -> RecordBatch {
    let width = dice.below(63) + 1;
    let words: Vec<String> = (0..1 + dice.below(40))
        .map(|n| format!("word-{n}"))
        .collect();
    let texts = |dice: &mut Dice| -> Vec<Option<String>> {
        (0..rows)
            .map(|_| {
                maybe(dice, nulls, |dice| {
                    "é".repeat(dice.below(20) as usize) + &dice.below(1000).to_string()
                })
            })
            .collect()
    };
    let text = texts(dice);
    let numbers = |dice: &mut Dice| -> Vec<Option<i64>> {
        (0..rows)
            .map(|_| maybe(dice, nulls, |dice| (dice.roll() >> (64 - width)) as i64))
            .collect()
    };
    // Runs and mixtures of words.
    let mut last = 0;
    let coded: DictionaryArray<Int32Type> = (0..rows)
        .map(|_| {
            if dice.below(9) == 0 {
                last = dice.below(words.len() as u64) as usize;
            }
            maybe(dice, nulls, |_| words[last].as_str())
        })
        .collect();
    let arrays: Vec<(&str, ArrayRef)> = vec![
        ("number", Arc::new(Int64Array::from(numbers(dice)))),
        (
            "time",
            Arc::new(TimestampMicrosecondArray::from(numbers(dice)).with_timezone("UTC")),
        ),
        ("text", Arc::new(StringArray::from(text.clone()))),
        (
            "bytes",
            Arc::new(BinaryArray::from_iter(
                text.iter().map(|text| text.as_ref().map(String::as_bytes)),
            )),
        ),
        ("word", Arc::new(coded)),
        (
            "float",
            Arc::new(Float64Array::from_iter((0..rows).map(|_| {
                maybe(dice, nulls, |dice| dice.below(1000) as f64 / 7.0)
            }))),
        ),
        (
            "truth",
            Arc::new(BooleanArray::from_iter(
                (0..rows).map(|_| maybe(dice, nulls, |dice| dice.below(2) == 0)),
            )),
        ),
    ];
    let fields: Vec<arrow::datatypes::Field> = arrays
        .iter()
        .map(|(name, array)| arrow::datatypes::Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = arrays.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

const TYPES: [ColumnType; 7] = [
    ColumnType::I64,
    ColumnType::TimestampUtc,
    ColumnType::Text,
    ColumnType::Bytes,
    ColumnType::Dict,
    ColumnType::F64,
    ColumnType::Bool,
];

#[test]
fn every_type_is_read_back() {
    for seed in 1..40 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
        let nulls = [0, 3, 10][seed as usize % 3];
        let batches: Vec<RecordBatch> = (0..1 + dice.below(4))
            .map(|_| {
                let rows = 1 + dice.below(3000) as usize;
                batch(&mut dice, rows, nulls)
            })
            .collect();
        let rows: Vec<usize> = batches.iter().map(RecordBatch::num_rows).collect();
        let pages = random_pages(&mut dice, &rows);
        let written = write(
            &batches,
            TYPES.map(plan).to_vec(),
            &pages,
            1 + seed as usize % 5,
        );
        let (seen, _) = read(written);
        let seen = arrow::compute::concat_batches(&seen[0].schema(), &seen).unwrap();
        let expected = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
        assert_eq!(seen.num_rows(), expected.num_rows());
        for (seen, expected) in seen.columns().iter().zip(expected.columns()) {
            let expected = arrow::compute::cast(expected, seen.data_type()).unwrap();
            assert_eq!(seen.as_ref(), expected.as_ref(), "seed {seed}");
        }
    }
}

#[test]
fn bounds_are_those_of_the_rows() {
    let numbers = Int64Array::from(vec![Some(5), None, Some(-3), Some(9), None, None]);
    let words: DictionaryArray<Int32Type> = [Some("b"), Some("a"), None, Some("c"), None, None]
        .into_iter()
        .collect();
    let schema = Schema::new(vec![
        arrow::datatypes::Field::new("number", numbers.data_type().clone(), true),
        arrow::datatypes::Field::new("word", words.data_type().clone(), true),
    ]);
    let batch =
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(numbers), Arc::new(words)]).unwrap();
    let pages = [vec![(0, 0, 2)], vec![(0, 2, 2)], vec![(0, 4, 2)]];
    let plans = vec![plan(ColumnType::I64), plan(ColumnType::Dict)];
    let (_, reader) = read(write(&[batch], plans, &pages, 9));
    let metadata = reader.metadata();
    let group = metadata.row_group(0);
    let Some(Statistics::Int64(number)) = group.column(0).statistics() else {
        panic!("no statistics");
    };
    assert_eq!((number.min_opt(), number.max_opt()), (Some(&-3), Some(&9)));
    assert_eq!(number.null_count_opt(), Some(3));
    let word = group.column(1).statistics().unwrap();
    assert_eq!(
        (word.min_bytes_opt(), word.max_bytes_opt()),
        (Some(&b"a"[..]), Some(&b"c"[..]))
    );
    let index = &metadata.column_index().unwrap()[0];
    let nulls: Vec<bool> = (0..3).map(|column| index[1].is_null_page(column)).collect();
    assert_eq!(nulls, [false, false, true]);
    assert_eq!(
        metadata.offset_index().unwrap()[0][0]
            .page_locations()
            .len(),
        3
    );
}

/// Too many words: the pages that follow are plain, and all is read back.
#[test]
fn a_dictionary_that_saves_nothing_is_left() {
    let words: Vec<String> = (0..30_000).map(|n| format!("{n:x}")).collect();
    let column: DictionaryArray<Int32Type> = words.iter().map(|word| Some(word.as_str())).collect();
    let schema = Schema::new(vec![arrow::datatypes::Field::new(
        "word",
        column.data_type().clone(),
        true,
    )]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(column)]).unwrap();
    let pages: Vec<_> = (0..6).map(|page| vec![(0, page * 5000, 5000)]).collect();
    let (seen, reader) = read(write(&[batch], vec![plan(ColumnType::Dict)], &pages, 9));
    let seen = arrow::compute::concat_batches(&seen[0].schema(), &seen).unwrap();
    let column = arrow::compute::cast(seen.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
    let expected = StringArray::from(words);
    assert_eq!(column.as_ref(), &expected as &dyn Array);
    assert!(
        reader
            .metadata()
            .row_group(0)
            .column(0)
            .statistics()
            .is_none()
    );
}

#[test]
fn a_constant_needs_no_column() {
    let numbers = Int64Array::from(vec![1, 2, 3]);
    let words = StringArray::from(vec!["x"; 3]);
    let both = |arrays: Vec<(&str, ArrayRef)>| {
        RecordBatch::try_from_iter_with_nullable(
            arrays.into_iter().map(|(name, array)| (name, array, true)),
        )
        .unwrap()
    };
    let full = both(vec![
        ("source", Arc::new(words)),
        ("number", Arc::new(numbers.clone())),
    ]);
    let rows = both(vec![("number", Arc::new(numbers))]);
    let schema = ArrowSchemaConverter::new().convert(&full.schema()).unwrap();
    let mut file =
        SerializedFileWriter::new(Vec::new(), schema.root_schema_ptr(), Arc::default()).unwrap();
    let mut source = plan(ColumnType::Dict);
    source.constant = Some("x".to_owned());
    let mut group = RowGroup::new(vec![source, plan(ColumnType::I64)]);
    let piece = Piece {
        batch: &rows,
        start: 0,
        rows: 3,
    };
    group.page(&[piece], &file).unwrap();
    group.end(&mut file).unwrap();
    let (seen, _) = read(file.into_inner().unwrap().into());
    assert_eq!(seen[0], full);
}

/// The layouts that the Parquet project's page on encodings gives as examples.
#[test]
fn worked_examples() {
    let mut out = Vec::new();
    hybrid::encode(&[0, 1, 2, 3, 4, 5, 6, 7], 3, &mut out);
    assert_eq!(out, [0b11, 0b1000_1000, 0b1100_0110, 0b1111_1010]);
    out.clear();
    hybrid::encode(&[4; 100], 3, &mut out);
    assert_eq!(out, [200, 1, 4]);
    out.clear();
    // 1 to 5: header (128, 4 miniblocks, 5 values, first 1), then the smallest difference 1 and no bits.
    delta::encode(&[1, 2, 3, 4, 5], &mut out);
    assert_eq!(out, [128, 1, 4, 5, 2, 2, 0, 0, 0, 0]);
    out.clear();
    // One number again and again: no differences, in a first block of 128 and a second one.
    delta::encode(&[5; 130], &mut out);
    assert_eq!(out[..5], [128, 1, 4, 130, 1]);
    assert_eq!(out[5..], [[10, 0, 0, 0, 0, 0].as_slice(), &[0; 5]].concat());
    out.clear();
    // 7 5 3 1 2 3 4 5: differences -2 -2 -2 1 1 1 1, so -2 and then 0 0 0 3 3 3 3 in two bits.
    delta::encode(&[7, 5, 3, 1, 2, 3, 4, 5], &mut out);
    assert_eq!(out[..10], [128, 1, 4, 8, 14, 3, 2, 0, 0, 0]);
    assert_eq!(out[10..], [0b1100_0000, 0b0011_1111, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn what_does_not_shrink_is_not_compressed() {
    use parquet::basic::Compression;
    let mut dice = Dice(7);
    let rows = 4000;
    let random: Int64Array = (0..rows).map(|_| dice.roll() as i64).collect();
    let counted: Int64Array = (0..rows).collect();
    // The same numbers in the same memory, whose page is written once.
    let twin = TimestampMicrosecondArray::new(random.values().clone(), None);
    let words: Vec<String> = (0..100)
        .map(|word| format!("word {word} ").repeat(90))
        .collect();
    let picks = (0..rows).map(|_| dice.below(100) as usize);
    let picks: DictionaryArray<Int32Type> = picks.map(|word| words[word].as_str()).collect();
    let columns: [(&str, ArrayRef, bool); 4] = [
        ("random", Arc::new(random), true),
        ("twin", Arc::new(twin), true),
        ("counted", Arc::new(counted), true),
        ("words", Arc::new(picks), true),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let types = [
        ColumnType::I64,
        ColumnType::TimestampCivil,
        ColumnType::I64,
        ColumnType::Dict,
    ];
    let pages = [vec![(0, 0, 2000)], vec![(0, 2000, 2000)]];
    let written = write(slice::from_ref(&batch), types.map(plan).to_vec(), &pages, 2);
    let (seen, builder) = read(written);
    let group = builder.metadata().row_group(0).clone();
    let is_plain = |column: usize| group.column(column).compression() == Compression::UNCOMPRESSED;
    assert_eq!(std::array::from_fn(is_plain), [true, true, false, false]);
    let seen = arrow::compute::concat_batches(&seen[0].schema(), &seen).unwrap();
    for (seen, expected) in seen.columns().iter().zip(batch.columns()) {
        let expected = arrow::compute::cast(expected, seen.data_type()).unwrap();
        assert_eq!(seen.as_ref(), expected.as_ref());
    }
}
