//! What the sample promises, checked on its text with the plainest of means.

use testkit::medalla;

#[test]
fn two_nodes_never_say_their_zone() {
    let sample = medalla::sample();
    for file in &sample.files {
        if file.path.starts_with("input/prysm-1/") || file.path.starts_with("input/prysm-2/") {
            let text = String::from_utf8(file.text.clone()).unwrap();
            for zone in [" UTC", "EDT", "-0400"] {
                assert!(!text.contains(zone), "{} says {zone}", file.path);
            }
        }
    }
}

#[test]
fn the_published_offset_is_in_it_and_all_warnings_are_within_the_window() {
    let sample = medalla::sample();
    let truth: serde_json::Value =
        serde_json::from_slice(sample.text("expected/truth.json").unwrap()).unwrap();
    let mut skewed_nodes = 0;
    for node in truth["nodes"].as_array().unwrap() {
        let mut skewed = false;
        for file in node["files"].as_array().unwrap() {
            let path = file["file"].as_str().unwrap();
            let text = std::str::from_utf8(sample.text(path).unwrap()).unwrap();
            assert_eq!(
                text.lines().count() as u64,
                file["lines"].as_u64().unwrap(),
                "{path}"
            );
            let warnings = text.matches("Roughtime reports your clock").count() as u64;
            let mut told = 0;
            for process in file["processes"].as_array().unwrap() {
                let skew = &process["slot_clock_skew"];
                told += skew["reports"].as_u64().unwrap_or(0);
                if !skew.is_null() {
                    skewed |= file["role"] == "beacon";
                    assert!(skew["from"].as_str().unwrap() >= "2020-08-14T17:29:40");
                    assert!(skew["to"].as_str().unwrap() <= "2020-08-14T18:45:00");
                    let mean = skew["offset_s_mean"].as_f64().unwrap();
                    assert!((14_400.0..14_400.4).contains(&mean), "{mean}");
                }
            }
            assert_eq!(warnings, told, "{path}");
        }
        skewed_nodes += u32::from(skewed);
    }
    assert_eq!(skewed_nodes, 9, "all but prysm-8's beacon node");
    let first = sample.text("input/prysm-1/beacon.log").unwrap();
    let first = std::str::from_utf8(first).unwrap();
    assert!(first.contains("offset=4h0m0.028854657s"));
}

#[test]
fn a_right_clock_rejects_what_wrong_clocks_take() {
    let sample = medalla::sample();
    let slots = |path: &str, key: &str| -> Vec<i64> {
        let text = std::str::from_utf8(sample.text(path).unwrap()).unwrap();
        text.split_whitespace()
            .filter_map(|word| word.strip_prefix(key)?.parse().ok())
            .collect()
    };
    let right = slots("input/prysm-8/beacon.log.gz", "slot=");
    assert!(right.iter().all(|slot| *slot < 74_000), "true slots only");
    let rejected = slots("input/prysm-8/beacon.log.gz", "blockSlot=");
    assert!(rejected.len() > 100 && rejected.iter().all(|slot| *slot > 74_500));
    let wrong = slots("input/prysm-3/beacon.log.gz", "slot=");
    assert!(wrong.iter().any(|slot| *slot > 74_500) && wrong.iter().any(|slot| *slot < 74_000));
}
