//! Sixteen bytes of text looked at in one step: which of them are a certain byte, or of a certain class.
//!
//! The answer is a number with a bit for each byte, so how far a word goes is counted instead of walked: no
//! branch per byte, which on words of all lengths is a branch mispredicted per word.

use wide::u8x16;

/// How many bytes a lane holds.
pub(crate) const WIDTH: usize = 16;

/// A bit for each byte of a lane, the first byte's lowest.
pub(crate) type Marks = u32;

/// Sixteen bytes of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lane(u8x16);

/// True or false of each byte of a lane.
#[derive(Clone, Copy)]
pub(crate) struct Truths(u8x16);

impl Truths {
    #[inline(always)]
    pub(crate) fn or(self, other: Truths) -> Truths {
        Truths(self.0 | other.0)
    }

    #[inline(always)]
    pub(crate) fn and(self, other: Truths) -> Truths {
        Truths(self.0 & other.0)
    }

    #[inline(always)]
    pub(crate) fn marks(self) -> Marks {
        self.0.to_bitmask()
    }
}

/// Eight bytes at `at`, which are there.
#[inline(always)]
pub(crate) fn eight(text: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(text[at..at + 8].try_into().expect("eight bytes"))
}

/// Up to eight bytes, with zeros behind them.
#[inline(always)]
pub(crate) fn up_to_eight(text: &[u8]) -> u64 {
    let four = |at: usize| {
        u64::from(u32::from_le_bytes(
            text[at..at + 4].try_into().expect("four"),
        ))
    };
    match text.len() {
        8.. => eight(text, 0),
        // The two halves lie over each other.
        length @ 4..8 => four(0) | four(length - 4) << (8 * (length - 4)),
        0 => 0,
        length => {
            let one = |at: usize| u64::from(text[at]) << (8 * at);
            one(0) | one(length / 2) | one(length - 1)
        }
    }
}

impl Lane {
    #[inline(always)]
    fn of_words(low: u64, high: u64) -> Lane {
        let both = u128::from(high) << 64 | u128::from(low);
        Lane(u8x16::new(both.to_le_bytes()))
    }

    /// A byte of each of up to sixteen things, with zeros behind them. They are put together in registers: a lane
    /// read right after its bytes were written one by one is what processors wait for.
    #[inline(always)]
    pub(crate) fn collect<T>(things: &[T], byte: impl Fn(&T) -> u8) -> Lane {
        let word = |half: &[T]| {
            let bytes = half.iter().rev().map(|thing| u64::from(byte(thing)));
            bytes.fold(0, |word, byte| word << 8 | byte)
        };
        let (low, high) = things.split_at(things.len().min(WIDTH / 2));
        Lane::of_words(word(low), word(high))
    }

    /// Which bytes are those of another lane.
    #[inline(always)]
    pub(crate) fn same(self, other: Lane) -> Truths {
        Truths(self.0.simd_eq(other.0))
    }

    /// Which bytes are this one.
    #[inline(always)]
    pub(crate) fn is(self, byte: u8) -> Truths {
        Truths(self.0.simd_eq(u8x16::splat(byte)))
    }

    /// Which bytes are `low` to `high`, both included.
    #[inline(always)]
    pub(crate) fn within(self, low: u8, high: u8) -> Truths {
        let above = self.0 - u8x16::splat(low);
        Truths(above.min(u8x16::splat(high - low)).simd_eq(above))
    }

    /// The same text in lower case as far as letters go; what is no letter becomes none.
    #[inline(always)]
    pub(crate) fn lowered(self) -> Lane {
        Lane(self.0 | u8x16::splat(0x20))
    }

    /// The first bytes of a text, with zeros behind its end.
    #[inline(always)]
    pub(crate) fn of(text: &[u8]) -> Lane {
        match text.first_chunk() {
            Some(lane) => Lane(u8x16::new(*lane)),
            None => {
                let (low, high) = short(text);
                Lane::of_words(low, high)
            }
        }
    }
}

/// The two words of a lane of a text that ends in it. Most texts are longer: this is kept out of the many places
/// that look at them, whose code has to fit into a processor's cache.
#[inline(never)]
fn short(text: &[u8]) -> (u64, u64) {
    if text.len() < 8 {
        return (up_to_eight(text), 0);
    }
    let last = eight(text, text.len() - 8);
    // A shift by 64 is none: nothing is left then.
    let unused = 8 * (WIDTH - text.len()) as u32;
    (eight(text, 0), last.checked_shr(unused).unwrap_or(0))
}

/// A class of bytes; 0 is never of it, so that a run of it ends with the text.
pub(crate) trait Class {
    /// Which bytes of a lane are of it.
    fn truths(lane: Lane) -> Truths;
}

/// Bytes that may stand in a key: letters, digits, `_`, `.`, `/`, `-`.
pub(crate) struct KeyByte;

impl Class for KeyByte {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        let letters = lane.lowered().within(b'a', b'z');
        // `-`, `.`, `/` and the digits are neighbours.
        letters.or(lane.within(b'-', b'9')).or(lane.is(b'_'))
    }
}

/// The same and blanks.
pub(crate) struct KeyByteOrBlank;

impl Class for KeyByteOrBlank {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        KeyByte::truths(lane).or(lane.is(b' '))
    }
}

/// Bytes that may stand in a container's name: letters, digits, `_`, `.`, `-`.
pub(crate) struct ContainerByte;

impl Class for ContainerByte {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        let letters = lane.lowered().within(b'a', b'z');
        let marks = lane.within(b'-', b'.').or(lane.is(b'_'));
        letters.or(lane.within(b'0', b'9')).or(marks)
    }
}

/// The same as of a key and `@`.
pub(crate) struct PairKey;

impl Class for PairKey {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        KeyByte::truths(lane).or(lane.is(b'@'))
    }
}

/// Bytes of an identifier in lower case: letters, digits, `_`.
pub(crate) struct LowerName;

impl Class for LowerName {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        let letters = lane.within(b'a', b'z');
        letters.or(lane.within(b'0', b'9')).or(lane.is(b'_'))
    }
}

/// Bytes of a Rust path in lower case: letters, digits, `_`, `:`.
pub(crate) struct LowerPath;

impl Class for LowerPath {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        // The colon follows the digits.
        let letters = lane.within(b'a', b'z');
        letters.or(lane.within(b'0', b':')).or(lane.is(b'_'))
    }
}

/// Capitals.
pub(crate) struct Capital;

impl Class for Capital {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        lane.within(b'A', b'Z')
    }
}

/// Digits.
pub(crate) struct Digit;

impl Class for Digit {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        lane.within(b'0', b'9')
    }
}

/// Digits, dots and dashes.
pub(crate) struct OfNumber;

impl Class for OfNumber {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        lane.within(b'-', b'.').or(lane.within(b'0', b'9'))
    }
}

/// Bytes of a name with dashes in lower case: letters, digits, `_`, `-`, `/`.
pub(crate) struct LowerSlug;

impl Class for LowerSlug {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        // The slash stands before the digits.
        let letters = lane.within(b'a', b'z').or(lane.within(b'/', b'9'));
        letters.or(lane.is(b'_')).or(lane.is(b'-'))
    }
}

/// Blanks and tabs.
pub(crate) struct Padding;

impl Class for Padding {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        lane.is(b' ').or(lane.is(b'\t'))
    }
}

/// Blanks.
pub(crate) struct Blank;

impl Class for Blank {
    #[inline(always)]
    fn truths(lane: Lane) -> Truths {
        lane.is(b' ')
    }
}

/// How many bytes of a class a text begins with.
#[inline(always)]
pub(crate) fn run<C: Class>(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let other = !C::truths(Lane::of(&text[at..])).marks();
        let same = other.trailing_zeros() as usize;
        if same < WIDTH {
            return at + same;
        }
        at += WIDTH;
    }
}

/// The same from `at` on, at most `most` of them: bounds the work where many runs may lie over each other.
#[inline(always)]
pub(crate) fn run_within<C: Class>(text: &[u8], at: usize, most: usize) -> usize {
    // What lies behind the limit is there to be read as well, most often.
    let first = (!C::truths(Lane::of(&text[at..])).marks()).trailing_zeros() as usize;
    if first < WIDTH || most <= WIDTH {
        return first.min(most);
    }
    WIDTH + run::<C>(&text[at + WIDTH..text.len().min(at + most)])
}

/// How many bytes of a class stand before `end`, at most `most`.
#[inline(always)]
pub(crate) fn run_before<C: Class>(text: &[u8], end: usize, most: usize) -> usize {
    // Near the beginning of the text the lane goes on behind the end: what stands there is shifted out.
    let start = end.saturating_sub(WIDTH);
    if let Some(lane) = text.get(start..start + WIDTH) {
        let behind = Marks::BITS - (end - start) as u32;
        let marks = C::truths(Lane::of(lane)).marks();
        let other = !marks.checked_shl(behind).unwrap_or(0);
        let last = other.leading_zeros() as usize;
        if last < WIDTH {
            return last.min(most);
        }
    }
    run_at_end::<C>(&text[end.saturating_sub(most)..end])
}

/// How many bytes of a class a text ends with.
#[inline(always)]
pub(crate) fn run_at_end<C: Class>(text: &[u8]) -> usize {
    let mut end = text.len();
    while let Some(start) = end.checked_sub(WIDTH) {
        let other = !(C::truths(Lane::of(&text[start..end])).marks() << WIDTH);
        let same = other.leading_zeros() as usize;
        if same < WIDTH {
            return text.len() - end + same;
        }
        end = start;
    }
    // Fewer bytes than a lane has: below them come zeros, which end the run.
    let marks = C::truths(Lane::of(&text[..end])).marks();
    let other = !marks.checked_shl(Marks::BITS - end as u32).unwrap_or(0);
    text.len() - end + other.leading_zeros() as usize
}

/// The first of the bytes that `wanted` is true of.
#[inline(always)]
pub(crate) fn position(text: &[u8], wanted: impl Fn(Lane) -> Truths) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let found = wanted(Lane::of(&text[at..])).marks();
        if found != 0 {
            // What is found in the zeros behind the end is not there.
            let found = at + found.trailing_zeros() as usize;
            return (found < text.len()).then_some(found);
        }
        at += WIDTH;
    }
    None
}

/// Marks of up to 64 bytes from `at` on, as many kinds of them as `of` tells of each lane; of what is behind the end
/// there are none.
#[inline(always)]
pub(crate) fn marks_of_64<const N: usize>(
    text: &[u8],
    at: usize,
    of: impl Fn(Lane) -> [Truths; N],
) -> [u64; N] {
    // Of a long text's last stretch what is before it is looked at as well, so that all lanes are whole.
    let from = at.min(text.len().saturating_sub(64));
    let Some(lanes) = text.get(from..).and_then(<[u8]>::first_chunk::<64>) else {
        return marks_of_few(text, at, of);
    };
    let [a, b, c, d] = [0, 1, 2, 3].map(|lane| of(Lane::of(&lanes[lane * WIDTH..])));
    let passed = (at - from) as u32;
    std::array::from_fn(|kind| {
        let low = a[kind].marks() | b[kind].marks() << WIDTH;
        let high = c[kind].marks() | d[kind].marks() << WIDTH;
        let marks = u64::from(high) << 32 | u64::from(low);
        marks.checked_shr(passed).unwrap_or(0)
    })
}

/// The same of a text of fewer. It is kept out of the way of the others.
#[inline(never)]
fn marks_of_few<const N: usize>(
    text: &[u8],
    at: usize,
    of: impl Fn(Lane) -> [Truths; N],
) -> [u64; N] {
    let mut marks = [0; N];
    for place in (at..text.len()).step_by(WIDTH) {
        for (marks, truths) in marks.iter_mut().zip(of(Lane::of(&text[place..]))) {
            *marks |= u64::from(truths.marks()) << (place - at);
        }
    }
    // Zeros behind the end may be of a kind.
    let there = !u64::MAX
        .checked_shl(text.len().saturating_sub(at) as u32)
        .unwrap_or(0);
    marks.map(|marks| marks & there)
}

/// Whether `wanted` is true of any byte of a text of some length.
#[inline(always)]
pub(crate) fn is_any(text: &[u8], wanted: impl Fn(Lane) -> Truths) -> bool {
    let (stretches, rest) = text.as_chunks::<64>();
    stretches.iter().any(|lanes| {
        let lane = |at: usize| wanted(Lane::of(&lanes[at * WIDTH..]));
        lane(0).or(lane(1)).or(lane(2).or(lane(3))).marks() != 0
    }) || position(rest, wanted).is_some()
}

/// Which of 64 bytes are this one.
#[inline(always)]
pub(crate) fn among_64(byte: u8, text: &[u8; 4 * WIDTH]) -> u64 {
    let lane = |at: usize| Lane::of(&text[at * WIDTH..]).is(byte);
    let [a, b, c, d] = [lane(0), lane(1), lane(2), lane(3)];
    // Nothing is found most often, which one look at all four tells.
    if a.or(b).or(c.or(d)).marks() == 0 {
        return 0;
    }
    let marks = |truths: Truths, at: usize| u64::from(truths.marks()) << (at * WIDTH);
    marks(a, 0) | marks(b, 1) | marks(c, 2) | marks(d, 3)
}

/// A byte of every lane of a word.
const LOW: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = LOW << 7;

/// The digits among up to eight bytes, as numbers, and for each byte that is none its high bit; the lowest mark
/// is exact.
#[inline(always)]
fn digits_of(word: u64) -> (u64, u64) {
    let digits = word ^ (LOW * b'0' as u64);
    (digits, (digits.wrapping_add(LOW * 0x76) | digits) & HIGH)
}

/// The number that eight digits make, the first byte's the highest.
#[inline(always)]
fn number_of(digits: u64) -> u64 {
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits * 10 + (digits >> 8);
    let first = (pairs & PAIRS).wrapping_mul(0x000f_4240_0000_0064);
    let second = ((pairs >> 16) & PAIRS).wrapping_mul(0x0000_2710_0000_0001);
    first.wrapping_add(second) >> 32
}

/// Reads up to eight digits at the beginning of a text: their number, and how many there are.
#[inline(always)]
pub(crate) fn leading_digits(text: &[u8]) -> (u64, usize) {
    let (digits, others) = digits_of(up_to_eight(text));
    let count = others.trailing_zeros() / 8;
    // Shifted up, so that zeros stand before them.
    let placed = digits.checked_shl(64 - 8 * count).unwrap_or(0);
    (number_of(placed), count as usize)
}

/// Reads one to eight digits that are all of a text.
#[inline(always)]
pub(crate) fn short_number(text: &[u8]) -> Option<u64> {
    if !(1..=8).contains(&text.len()) {
        return None;
    }
    // Shifted up, so that zeros stand before them.
    let unused = 8 * (8 - text.len()) as u32;
    let digits = (up_to_eight(text) ^ (LOW * b'0' as u64)) << unused;
    let others = (digits.wrapping_add(LOW * 0x76) | digits) & HIGH;
    (others == 0).then(|| number_of(digits))
}

/// Reads what looks like `pattern`, in which `0` stands for any digit: the number of every two bytes that begin at
/// a byte, 0 to 99 where both are digits; `None` if it looks otherwise.
#[inline(always)]
pub(crate) fn pairs_like(pattern: &[u8; 8], text: &[u8; 8]) -> Option<[u8; 8]> {
    // Digits may differ from `0` up to 9, other bytes not at all.
    let room = pattern.map(|c| if c == b'0' { 0x76 } else { 0x7f });
    let digits = u64::from_le_bytes(*text) ^ u64::from_le_bytes(*pattern);
    let others = digits.wrapping_add(u64::from_le_bytes(room)) | digits;
    (others & HIGH == 0).then(|| (digits * 10 + (digits >> 8)).to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn walked(text: &[u8], of: impl Fn(u8) -> bool) -> usize {
        text.iter().take_while(|c| of(**c)).count()
    }

    fn walked_back(text: &[u8], of: impl Fn(u8) -> bool) -> usize {
        text.iter().rev().take_while(|c| of(**c)).count()
    }

    #[test]
    fn every_byte_is_of_its_classes() {
        #[track_caller]
        fn check<C: Class>(of: impl Fn(u8) -> bool) {
            for c in 0..=255u8 {
                let text = [c; 20];
                for length in [1, 3, 7, 9, 15, 16, 17, 20] {
                    let expected = if of(c) { length } else { 0 };
                    assert_eq!(run::<C>(&text[..length]), expected, "{c} {length}");
                    assert_eq!(run_at_end::<C>(&text[..length]), expected, "{c} {length}");
                }
            }
        }
        check::<KeyByte>(crate::scan::is_key_byte);
        let lower = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
        check::<KeyByteOrBlank>(|c| crate::scan::is_key_byte(c) || c == b' ');
        check::<ContainerByte>(|c| crate::scan::is_key_byte(c) && c != b'/');
        check::<PairKey>(|c| crate::scan::is_key_byte(c) || c == b'@');
        check::<LowerName>(|c| lower(c) || c == b'_');
        check::<LowerPath>(|c| lower(c) || c == b'_' || c == b':');
        check::<LowerSlug>(|c| lower(c) || b"_-/".contains(&c));
        check::<Capital>(|c| c.is_ascii_uppercase());
        check::<OfNumber>(|c| c.is_ascii_digit() || b".-".contains(&c));
        check::<Digit>(|c| c.is_ascii_digit());
        check::<Padding>(|c| c == b' ' || c == b'\t');
        check::<Blank>(|c| c == b' ');
    }

    #[test]
    fn numbers_and_patterns() {
        for (text, number) in [
            ("", (0, 0)),
            ("x", (0, 0)),
            ("7", (7, 1)),
            ("12:", (12, 2)),
            ("123", (123, 3)),
            ("12345678", (12_345_678, 8)),
            ("123456789", (12_345_678, 8)),
            ("00040/00", (40, 5)),
            ("9\u{ba}", (9, 1)),
        ] {
            assert_eq!(leading_digits(text.as_bytes()), number, "{text}");
        }
        for (text, number) in [
            ("", None),
            ("7", Some(7)),
            ("007", Some(7)),
            ("12345678", Some(12_345_678)),
            ("123456789", None),
            ("12:", None),
            ("/2", None),
            ("1\u{ba}", None),
        ] {
            assert_eq!(short_number(text.as_bytes()), number, "{text}");
        }
        let clock = |text: &[u8; 8]| {
            let pairs = pairs_like(b"00:00:00", text)?;
            Some((pairs[0], pairs[3], pairs[6]))
        };
        assert_eq!(clock(b"17:31:02"), Some((17, 31, 2)));
        for at in 0..8 {
            for c in 0..=255u8 {
                let mut text = *b"09:99:90";
                let fine = if text[at] == b':' {
                    c == b':'
                } else {
                    c.is_ascii_digit()
                };
                text[at] = c;
                assert_eq!(clock(&text).is_some(), fine, "{at} {c}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// What is found a lane at a time is what is found byte by byte.
        #[test]
        fn lanes_see_what_is_there(
            text in prop::collection::vec(prop::sample::select(vec![b'a', b'_', b'7', b' ', b'Z', 0, 0xe1, b'=']), 0..140),
        ) {
            let key = crate::scan::is_key_byte;
            prop_assert_eq!(run::<KeyByte>(&text), walked(&text, key));
            prop_assert_eq!(run_at_end::<KeyByte>(&text), walked_back(&text, key));
            for (at, most) in [(0, 64), (3, 5), (9, 40)] {
                let at = at.min(text.len());
                prop_assert_eq!(run_within::<KeyByte>(&text, at, most), walked(&text[at..], key).min(most));
                prop_assert_eq!(run_before::<KeyByte>(&text, at, most), walked_back(&text[..at], key).min(most));
                let end = text.len();
                prop_assert_eq!(run_before::<KeyByte>(&text, end, most), walked_back(&text, key).min(most));
            }
            for wanted in [b'=', b' ', 0] {
                let expected = text.iter().position(|c| *c == wanted);
                prop_assert_eq!(position(&text, |lane| lane.is(wanted)), expected);
                prop_assert_eq!(is_any(&text, |lane| lane.is(wanted)), expected.is_some());
            }
            for at in [0, 3, 40, 64, 65] {
                let rest = text.get(at..).unwrap_or_default();
                let place = |of: fn(u8) -> bool| {
                    let places = rest.iter().enumerate().take(64).filter(|(_, c)| of(**c));
                    places.fold(0u64, |marks, (place, _)| marks | 1 << place)
                };
                let marks = marks_of_64(&text, at, |lane| [lane.is(b'='), KeyByte::truths(lane)]);
                prop_assert_eq!(marks, [place(|c| c == b'='), place(key)]);
            }
            let mut padded = [0; 8];
            let length = text.len().min(8);
            padded[..length].copy_from_slice(&text[..length]);
            prop_assert_eq!(up_to_eight(&text), u64::from_le_bytes(padded));
        }
    }
}
