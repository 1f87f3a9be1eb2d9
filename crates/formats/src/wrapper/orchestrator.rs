//! What shows the logs of many containers at once: kubectl, stern, the two kubetails, docker compose,
//! Kurtosis.

use super::{Found, Way};
use crate::lanes::{ContainerByte, run_within};
use crate::scan::{full_stamp, year_less_stamp};
use memchr::{memchr, memmem};
use model::StampZone;

/// Whether a byte may stand in a Kubernetes name; pods may have dots as well.
fn is_name_byte(c: u8) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-'
}

/// The end of the Kubernetes name at `at`, which is `at` if there is none.
fn kubernetes_name(text: &[u8], at: usize, dots: bool) -> usize {
    let length = text[at.min(text.len())..]
        .iter()
        .take(253)
        .take_while(|c| is_name_byte(**c) || (dots && **c == b'.'))
        .count();
    at + length
}

/// `[pod/<pod>/<container>] …`: `kubectl logs --prefix`.
pub(super) fn kubectl_prefix(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    if !text.starts_with(b"[pod/") {
        return false;
    }
    let pod = kubernetes_name(text, 5, true);
    if pod == 5 || text.get(pod) != Some(&b'/') {
        return false;
    }
    let container = kubernetes_name(text, pod + 1, true);
    if container == pod + 1
        || text.get(container) != Some(&b']')
        || !matches!(text.get(container + 1), None | Some(b' '))
    {
        return false;
    }
    found.fact("pod", 5, pod);
    found.fact("container", pod + 1, container);
    found.rest("kubectl-prefix", None, text, container + 2)
}

/// `[cl-1-prysm-geth] …`, older `[4f7208aa] …`: Kurtosis. The name has a dash and begins with a letter,
/// so that stamps and lists are no names; a short id is eight hex digits.
pub(super) fn kurtosis(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    service(text, 0, found)
}

/// The same, as pastes indent it.
pub(super) fn indented_kurtosis(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let blanks = text.iter().take(8).take_while(|c| **c == b' ').count();
    text.get(blanks) == Some(&b'[') && service(text, blanks, found)
}

fn service(text: &[u8], at: usize, found: &mut Found) -> bool {
    let end = kubernetes_name(text, at + 1, false);
    let name = &text[at + 1..end];
    let named = name.first().is_some_and(u8::is_ascii_lowercase) && name.contains(&b'-');
    let id = name.len() == 8 && name.iter().all(u8::is_ascii_hexdigit);
    if text.get(end) != Some(&b']')
        || !matches!(text.get(end + 1), None | Some(b' '))
        || name.len() > 64
        || !(named || id)
    {
        return false;
    }
    found.fact("service", at + 1, end);
    found.rest("kurtosis", None, text, end + 2)
}

/// `[<pod> <container>] …`: the kubetail script. (A pod alone looks like a service of Kurtosis.)
pub(super) fn kubetail(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let pod = kubernetes_name(text, 1, true);
    if pod == 1 || !text[1].is_ascii_lowercase() || text.get(pod) != Some(&b' ') {
        return false;
    }
    let container = kubernetes_name(text, pod + 1, false);
    if container == pod + 1
        || text.get(container) != Some(&b']')
        || !matches!(text.get(container + 1), None | Some(b' '))
    {
        return false;
    }
    found.fact("pod", 1, pod);
    found.fact("container", pod + 1, container);
    found.rest("kubetail", None, text, container + 2)
}

/// `<stamp, padded> ● [<columns> <pod> <container>] …`: the kubetail command. Columns are padded with
/// blanks; the last two are always pod and container.
pub(super) fn kubetail_columns(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    // The first byte of the mark, behind stamp and padding: a cheap no for nearly all lines.
    if memchr("●".as_bytes()[0], &text[..text.len().min(80)]).is_none() {
        return false;
    }
    let Some((stamp, end)) = full_stamp(text, 0).filter(|(stamp, _)| stamp.zone != StampZone::None)
    else {
        return false;
    };
    let blanks = text[end..]
        .iter()
        .take(32)
        .take_while(|c| **c == b' ')
        .count();
    let mark = end + blanks;
    if blanks == 0 || !text[mark..].starts_with("● ".as_bytes()) {
        return false;
    }
    let open = mark + "● ".len();
    let limit = text.len().min(open + 1024);
    let names;
    let close;
    if text.get(open) == Some(&b'[') {
        let Some(length) = memchr(b']', &text[open..limit]) else {
            return false;
        };
        names = (open + 1, open + length);
        close = open + length + 1;
    } else {
        return found.rest("kubetail", Some(stamp), text, open);
    }
    // Words from the end: container, pod.
    let mut to = names.1;
    for fact in ["container", "pod"] {
        while to > names.0 && text[to - 1] == b' ' {
            to -= 1;
        }
        let mut from = to;
        while from > names.0 && text[from - 1] != b' ' {
            from -= 1;
        }
        found.fact(fact, from, to);
        to = from;
    }
    let gap = text[close..]
        .iter()
        .take(64)
        .take_while(|c| **c == b' ')
        .count();
    found.rest("kubetail", Some(stamp), text, close + gap.min(1))
}

/// `<pod> <container> …`, with `-A` `<namespace> <pod> <container> …`; with `-t` a stamp behind them.
pub(super) fn stern(text: &[u8], way: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let mut words = [(0usize, 0usize); 3];
    let mut at = 0;
    let mut count = 0;
    while count < 3 {
        // A dot stands in names of pods only.
        let end = kubernetes_name(text, at, count < 2);
        if end == at || !text[at].is_ascii_lowercase() || text.get(end) != Some(&b' ') {
            break;
        }
        // The line itself may begin with such a word: a month, a name that compose pads, a panic.
        if count == 2
            && (text[end..].starts_with(b" '")
                || year_less_stamp(&text[at..]).is_some()
                || text[end..]
                    .iter()
                    .take(128)
                    .find(|c| **c != b' ')
                    .is_some_and(|c| *c == b'|'))
        {
            break;
        }
        words[count] = (at, end);
        count += 1;
        at = end + 1;
    }
    if count < 2 {
        return false;
    }
    // Pods are named after what runs them, with a dash.
    let dashed = |word: (usize, usize)| text[word.0..word.1].contains(&b'-');
    let wanted = if (way.follows && !way.namespaced) || !dashed(words[1]) {
        2
    } else {
        count
    };
    let (pod, container) = (words[wanted - 2], words[wanted - 1]);
    if !dashed(pod) || text[container.0..container.1].contains(&b'.') {
        return false;
    }
    if wanted == 3 {
        found.fact("namespace", words[0].0, words[0].1);
    }
    found.fact("pod", pod.0, pod.1);
    found.fact("container", container.0, container.1);
    found.weak = true;
    let mut at = container.1 + 1;
    let mut stamp = None;
    if let Some((read, end)) = full_stamp(text, at)
        && read.fraction_digits == 9
        && read.zone != StampZone::None
        && !text[end..].starts_with(" ●".as_bytes())
    {
        stamp = Some(read);
        at = end + 1;
    }
    found.rest("stern", stamp, text, at)
}

/// The end of the container name at `at`.
#[inline]
pub(super) fn name_end(text: &[u8], at: usize) -> usize {
    at + run_within::<ContainerByte>(text, at, 128)
}

/// `prysm_1  | …`: docker compose. Pastes lose the beginning of the first name.
pub(super) fn compose(text: &[u8], _: Way, found: &mut Found, _: &mut Vec<u8>) -> bool {
    let name = name_end(text, 0);
    if name == 0 || text.get(name) != Some(&b' ') {
        return false;
    }
    let blanks = text[name..]
        .iter()
        .take(128)
        .take_while(|c| **c == b' ')
        .count();
    let bar = name + blanks;
    if text.get(bar) != Some(&b'|') || !matches!(text.get(bar + 1), None | Some(b' ')) {
        return false;
    }
    // A year alone before a bar is a table's or a log4j line's.
    if text[..name].iter().all(u8::is_ascii_digit) {
        return false;
    }
    found.fact("service", 0, name);
    found.rest("docker-compose", None, text, bar + 2)
}

/// Finds the parts of a Kubernetes file name, `<pod>_<namespace>_<container>-<64 hex digits>.log`, in a
/// path or tag: the ranges of pod, namespace and container.
pub(super) fn file_name_parts(path: &[u8]) -> Option<[(usize, usize); 3]> {
    let stem = path.strip_suffix(b".log")?;
    let id = stem.len().checked_sub(64)?;
    if !stem[id..].iter().all(u8::is_ascii_hexdigit) || stem[..id].last() != Some(&b'-') {
        return None;
    }
    let end = id - 1;
    let containers = memmem::rfind(&stem[..end], b"containers")? + "containers".len() + 1;
    let rest = stem.get(containers..end)?;
    let pod = memchr(b'_', rest)?;
    let namespace = pod + 1 + memchr(b'_', &rest[pod + 1..])?;
    (pod > 0 && namespace + 1 < rest.len()).then_some([
        (containers, containers + pod),
        (containers + pod + 1, containers + namespace),
        (containers + namespace + 1, end),
    ])
}
