//! OpenTelemetry's log records, as the collector's file exporter writes them: batches with attributes of the
//! resource, then many records. Times of 0 are unknown: then it is when the collector saw the record.

use crate::wrapper::Found;
use crate::wrapper::object::{self, Kind, Value};
use crate::wrapper::shipper::{Told, payload, stamp_of};

/// Reads the record at `at` behind the context of its resource.
pub(super) fn record(text: &[u8], at: usize, found: &mut Found, out: &mut Vec<u8>) -> bool {
    let mut told = Told::default();
    let mut body: Option<Value> = None;
    let (mut time, mut observed) = (None, None);
    if at > 0 {
        object::walk(text, 0, &mut |path, value| {
            if path == b"resource.attributes" {
                attributes(text, value, &mut told);
            }
        });
    }
    let end = object::walk(text, at, &mut |path, value| match path {
        b"attributes" => attributes(text, value, &mut told),
        b"body.stringValue" => body = Some(value),
        b"body" if body.is_none() => body = Some(value),
        b"timeUnixNano" => time = stamp_of(text, value).filter(|_| value.of(text) != b"0"),
        b"observedTimeUnixNano" => observed = stamp_of(text, value),
        _ => {}
    });
    let (Some(_), Some(body)) = (end, body) else {
        return false;
    };
    told.take_facts(text, found, out);
    found.kind = "otel";
    found.stamp = time.or(observed);
    payload(text, body, found, out)
}

/// `[{"key":"k8s.pod.name","value":{"stringValue":"x"}},…]`
fn attributes(text: &[u8], list: Value, told: &mut Told) {
    let mut at = object::blanks(text, list.from + 1);
    while at < list.to && text[at] == b'{' {
        let mut name = None;
        let mut content = None;
        let end = object::walk(text, at, &mut |path, value| match path {
            b"key" => name = Some(value),
            b"value.stringValue" => content = Some(value),
            _ => {}
        });
        let Some(end) = end else { return };
        if let (Some(name), Some(content)) = (name, content)
            && content.kind == Kind::Text
        {
            told.fact(name.of(text), content);
        }
        at = object::blanks(text, end);
        if text.get(at) == Some(&b',') {
            at = object::blanks(text, at + 1);
        }
    }
}
