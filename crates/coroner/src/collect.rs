//! `collect`: the commands that would have fetched everything. They are printed, never run.

use crate::{Evidence, Window};
use model::time::{MICROS_PER_SECOND, format_civil, format_utc_short};
use serde::Serialize;
use std::collections::BTreeSet;

/// What evidence is fetched with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Collector {
    /// Pods of Kubernetes.
    Kubectl,
    /// Containers of Docker.
    Docker,
    /// Units of systemd.
    Journald,
    /// Elasticsearch behind Kibana.
    Kibana,
    /// PostgreSQL.
    Pg,
}

/// A command for people to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CollectCommand {
    /// As a POSIX shell reads it.
    pub command: String,
    /// What it fetches, and why so.
    pub why: String,
}

/// What the commands are about, as far as a case knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectTargets {
    /// Namespaces and pods.
    pub pods: BTreeSet<(Option<String>, String)>,
    /// Containers of Docker, and services.
    pub containers: BTreeSet<String>,
    /// Units of systemd.
    pub units: BTreeSet<String>,
    /// Databases.
    pub databases: BTreeSet<String>,
}

impl Evidence {
    /// Returns what a case knows of where its evidence came from.
    pub fn collect_targets(&self) -> CollectTargets {
        let manifest = self.manifest();
        let mut targets = CollectTargets::default();
        for process in &manifest.processes {
            let of = |fact: &str| process.names.get(fact).into_iter().flatten().cloned();
            let namespace = of("namespace").next();
            let pods: Vec<String> = of("pod").collect();
            if pods.is_empty() {
                targets
                    .containers
                    .extend(of("container").chain(of("service")));
            }
            targets
                .pods
                .extend(pods.into_iter().map(|pod| (namespace.clone(), pod)));
            targets.units.extend(of("unit").chain(of("identifier")));
        }
        let named = manifest
            .snapshots
            .iter()
            .filter_map(|snapshot| snapshot.database.clone());
        targets.databases.extend(named);
        targets
    }
}

/// Quotes a word so that a POSIX shell takes it as it is.
///
/// ```
/// assert_eq!(coroner::shell_quoted("beacon-0"), "beacon-0");
/// assert_eq!(coroner::shell_quoted("a b; rm -rf 'x'"), r"'a b; rm -rf '\''x'\'''");
/// ```
pub fn shell_quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('-') {
        return word.to_owned();
    }
    // What a terminal would run must not reach it, even quoted.
    let safe: String = word.chars().filter(|c| !c.is_control()).collect();
    format!("'{}'", safe.replace('\'', r"'\''"))
}

/// A name for a file that holds what was fetched.
fn file(parts: &[&str], ending: &str) -> String {
    let name: Vec<String> = parts
        .iter()
        .map(|part| {
            let clean = part.chars().map(|c| {
                if c.is_ascii_alphanumeric() || "._-".contains(c) {
                    c
                } else {
                    '_'
                }
            });
            clean.collect()
        })
        .collect();
    let name = name.join("_");
    format!("{}{ending}", name.trim_start_matches(['.', '-']))
}

/// Returns the commands that fetch everything: no limit on lines, earlier containers too, times with their
/// zone. `window` narrows them only if it was given.
pub fn collect_commands(
    collector: Collector,
    targets: &CollectTargets,
    window: &Window,
) -> Vec<CollectCommand> {
    match collector {
        Collector::Kubectl => kubectl(targets, window),
        Collector::Docker => docker(targets, window),
        Collector::Journald => journald(targets, window),
        Collector::Kibana => kibana(window),
        Collector::Pg => pg(targets),
    }
}

fn command(command: String, why: &str) -> CollectCommand {
    CollectCommand {
        command,
        why: why.to_owned(),
    }
}

fn kubectl(targets: &CollectTargets, window: &Window) -> Vec<CollectCommand> {
    // kubectl has no end: what comes after the window does no harm.
    let since = window.from_us.map_or(String::new(), |from| {
        format!(" --since-time={}", format_utc_short(from))
    });
    let common = format!("--all-containers=true --timestamps=true --prefix=true --tail=-1{since}");
    let mut commands = vec![command(
        "kubectl get pods --all-namespaces --output=json > pods.json".to_owned(),
        "which pods there are, where they run, since when, how often they restarted",
    )];
    if targets.pods.is_empty() {
        let all = |more: &str, ending: &str| {
            format!(
                "kubectl get pods --all-namespaces --no-headers --output=custom-columns=:metadata.namespace,:metadata.name | \
                 while read -r namespace pod; do kubectl logs --namespace=\"$namespace\" \"$pod\" {common}{more} > \"${{namespace}}_${{pod}}{ending}\"; done"
            )
        };
        commands.push(command(
            all("", ".log"),
            "all lines of all containers, with kubectl's own stamps; --tail=-1, because a selector shows ten lines of a pod otherwise",
        ));
        commands.push(command(
            all(" --previous=true", ".previous.log"),
            "what the containers before the last restart said; those that never restarted say so on stderr",
        ));
    }
    for (namespace, pod) in &targets.pods {
        let space = namespace.as_ref().map_or(String::new(), |namespace| {
            format!(" --namespace={}", shell_quoted(namespace))
        });
        let stem = [namespace.as_deref().unwrap_or("default"), pod.as_str()];
        for (more, ending, why) in [
            (
                "",
                ".log",
                "all lines of all containers, with kubectl's own stamps",
            ),
            (
                " --previous=true",
                ".previous.log",
                "what the containers before the last restart said, if they restarted",
            ),
        ] {
            commands.push(command(
                format!(
                    "kubectl logs{space} {common}{more} -- {} > {}",
                    shell_quoted(pod),
                    file(&stem, ending)
                ),
                why,
            ));
        }
    }
    commands
}

fn docker(targets: &CollectTargets, window: &Window) -> Vec<CollectCommand> {
    let since = window.from_us.map_or(String::new(), |us| {
        format!(" --since={}", format_utc_short(us))
    });
    let until = window.to_us.map_or(String::new(), |us| {
        format!(" --until={}", format_utc_short(us))
    });
    let mut commands = vec![command(
        "docker ps --all --no-trunc --format '{{json .}}' > containers.jsonl".to_owned(),
        "which containers there are, those that stopped, too",
    )];
    if targets.containers.is_empty() {
        commands.push(command(
            format!(
                "docker ps --all --format '{{{{.Names}}}}' | while read -r name; do \
                 docker logs --timestamps --tail=all{since}{until} \"$name\" > \"$name.log\" 2>&1; done"
            ),
            "all lines of all containers, with Docker's own stamps (UTC)",
        ));
        commands.push(command(
            "docker ps --all --quiet | while read -r id; do path=$(docker inspect --format '{{.LogPath}}' \"$id\"); \
             sudo tar --create --gzip --file=\"$id.json-file.tar.gz\" --directory=\"$(dirname \"$path\")\" .; done"
                .to_owned(),
            "the files themselves, rotated ones too (`docker logs` may not read them all)",
        ));
    }
    for name in &targets.containers {
        let quoted = shell_quoted(name);
        commands.push(command(
            format!(
                "docker logs --timestamps --tail=all{since}{until} {quoted} > {} 2>&1",
                file(&[name], ".log")
            ),
            "all lines, with Docker's own stamps (UTC)",
        ));
        commands.push(command(
            format!(
                "sudo tar --create --gzip --file={} --directory=\"$(dirname \"$(docker inspect --format '{{{{.LogPath}}}}' {quoted})\")\" .",
                file(&[name], ".json-file.tar.gz")
            ),
            "the files themselves, rotated ones too",
        ));
    }
    commands
}

fn journald(targets: &CollectTargets, window: &Window) -> Vec<CollectCommand> {
    let at = |us: i64| {
        let second = us.div_euclid(MICROS_PER_SECOND) * MICROS_PER_SECOND;
        shell_quoted(&format!(
            "{} UTC",
            format_civil(second)
                .replace('T', " ")
                .split('.')
                .next()
                .unwrap_or_default()
        ))
    };
    let mut range = String::new();
    if let Some(from) = window.from_us {
        range.push_str(&format!(" --since={}", at(from)));
    }
    if let Some(to) = window.to_us {
        range.push_str(&format!(" --until={}", at(to)));
    }
    let common = format!("--all --no-pager --output=json --utc{range}");
    let mut commands = vec![command(
        "journalctl --list-boots --utc --no-pager > boots.txt; journalctl --disk-usage >> boots.txt".to_owned(),
        "how far back the journal reaches",
    )];
    if targets.units.is_empty() {
        commands.push(command(
            format!("sudo journalctl {common} | gzip > journal.json.gz"),
            "all boots, all units; JSON keeps microseconds, the host, the unit and the process",
        ));
    }
    for unit in &targets.units {
        let quoted = shell_quoted(unit);
        let matching = if unit.ends_with(".service") {
            format!("--unit={quoted}")
        } else {
            format!("--identifier={quoted}")
        };
        commands.push(command(
            format!(
                "sudo journalctl {common} {matching} | gzip > {}",
                file(&[unit], ".journal.json.gz")
            ),
            "all boots; JSON keeps microseconds, the host, the unit and the process",
        ));
    }
    if !targets.units.is_empty() {
        let who = ["kernel", "systemd", "chronyd", "ntpd", "systemd-timesyncd"];
        let who: String = who
            .iter()
            .map(|who| format!(" --identifier={who}"))
            .collect();
        commands.push(command(
            format!("sudo journalctl {common}{who} | gzip > machine.journal.json.gz"),
            "what the machine did to them: programs killed for want of memory, units that ended, the clock set",
        ));
    }
    commands
}

fn kibana(window: &Window) -> Vec<CollectCommand> {
    let end =
        |key: &str, us: Option<i64>| us.map(|us| format!("\"{key}\":\"{}\"", format_utc_short(us)));
    let ends: Vec<String> = [end("gte", window.from_us), end("lt", window.to_us)]
        .into_iter()
        .flatten()
        .chain(["\"format\":\"strict_date_optional_time\"".to_owned()])
        .collect();
    let query = format!("{{\"range\":{{\"@timestamp\":{{{}}}}}}}", ends.join(","));
    vec![
        command(
            "ES=https://elasticsearch.example:9200 INDEX='logs-*'".to_owned(),
            "where it is; a CSV from Kibana ends at 10,000 rows or its size limit, and its times are in the browser's zone",
        ),
        command(
            format!(
                "curl --silent --show-error --fail \"$ES/$INDEX/_count\" --header 'Content-Type: application/json' --data '{{\"query\":{query}}}' > count.json"
            ),
            "how many rows there must be in the end",
        ),
        command(
            format!(
                "pit=$(curl --silent --show-error --fail --request POST \"$ES/$INDEX/_pit?keep_alive=10m\" | jq --raw-output .id); after=; : > rows.ndjson; \
                 while :; do page=$(curl --silent --show-error --fail \"$ES/_search\" --header 'Content-Type: application/json' \
                 --data \"{{\\\"size\\\":10000,\\\"pit\\\":{{\\\"id\\\":\\\"$pit\\\",\\\"keep_alive\\\":\\\"10m\\\"}},\\\"sort\\\":[{{\\\"@timestamp\\\":{{\\\"order\\\":\\\"asc\\\",\\\"format\\\":\\\"strict_date_optional_time_nanos\\\"}}}},{{\\\"_shard_doc\\\":\\\"asc\\\"}}],\\\"query\\\":{}${{after:+,\\\"search_after\\\":$after}}}}\") || break; \
                 printf '%s' \"$page\" | jq --compact-output '.hits.hits[]' >> rows.ndjson; after=$(printf '%s' \"$page\" | jq --compact-output '.hits.hits[-1].sort // empty'); [ -n \"$after\" ] || break; done",
                query.replace('"', "\\\"")
            ),
            "all rows in order, page by page, times in UTC",
        ),
        command(
            "wc -l rows.ndjson count.json".to_owned(),
            "the rows must be as many as were counted",
        ),
    ]
}

fn pg(targets: &CollectTargets) -> Vec<CollectCommand> {
    let mut commands = Vec::new();
    let databases: Vec<String> = if targets.databases.is_empty() {
        vec!["DATABASE".to_owned()]
    } else {
        targets.databases.iter().cloned().collect()
    };
    for database in &databases {
        let quoted = shell_quoted(&format!(
            "dbname='{}'",
            database.replace('\\', r"\\").replace('\'', r"\'")
        ));
        commands.push(command(
            format!(
                "PGTZ=UTC psql --no-psqlrc --dbname={quoted} --command=\"SELECT now(), current_setting('TimeZone'), version()\" > {}",
                file(&[database], ".asof.txt")
            ),
            "when the dump was taken, and the server's zone: columns without a zone need it",
        ));
        commands.push(command(
            format!(
                "PGTZ=UTC pg_dump --format=custom --serializable-deferrable --no-owner --no-privileges --file={} --dbname={quoted}",
                file(&[database], ".dump")
            ),
            "all tables as of one moment, keys and types with them",
        ));
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> CollectTargets {
        let hostile = "x'; rm -rf / #";
        CollectTargets {
            pods: BTreeSet::from([
                (Some("eth".to_owned()), "beacon-0".to_owned()),
                (None, hostile.to_owned()),
            ]),
            containers: BTreeSet::from([hostile.to_owned()]),
            units: BTreeSet::from([hostile.to_owned(), "beacon.service".to_owned()]),
            databases: BTreeSet::from([hostile.to_owned()]),
        }
    }

    const ALL: [Collector; 5] = [
        Collector::Kubectl,
        Collector::Docker,
        Collector::Journald,
        Collector::Kibana,
        Collector::Pg,
    ];

    /// A shell reads every command without complaint, and reads a hostile name as one word.
    #[test]
    fn a_shell_reads_them_as_meant() {
        let window = Window {
            from_us: Some(1_597_420_800_000_000),
            to_us: Some(1_597_424_400_000_000),
        };
        for collector in ALL {
            for targets in [targets(), CollectTargets::default()] {
                for CollectCommand { command, .. } in collect_commands(collector, &targets, &window)
                {
                    let checked = std::process::Command::new("sh")
                        .args(["-n", "-c", &command])
                        .output()
                        .expect("a shell");
                    assert!(checked.status.success(), "{command}\n{checked:?}");
                    let words = command
                        .replace(r"x'\''; rm -rf / #", "")
                        .replace(r"x\'\''; rm -rf / #", "");
                    assert!(!words.contains("rm -rf"), "{command}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_cut_and_zones_are_written() {
        let window = Window {
            from_us: Some(1_597_420_800_000_000),
            ..Window::default()
        };
        let said = |collector| {
            let commands = collect_commands(collector, &targets(), &window);
            commands
                .iter()
                .map(|c| c.command.as_str())
                .collect::<Vec<_>>()
                .join("\n")
        };
        let kubectl = said(Collector::Kubectl);
        assert!(
            kubectl.contains("--tail=-1 --since-time=2020-08-14T16:00:00Z"),
            "{kubectl}"
        );
        assert!(
            kubectl.contains("--previous=true -- beacon-0 > eth_beacon-0.previous.log"),
            "{kubectl}"
        );
        let journald = said(Collector::Journald);
        assert!(
            journald.contains("--utc --since='2020-08-14 16:00:00 UTC'"),
            "{journald}"
        );
        // The clients' own lines do not tell who killed them.
        assert!(
            journald.contains("--identifier=kernel --identifier=systemd --identifier=chronyd"),
            "{journald}"
        );
        assert!(said(Collector::Docker).contains("--tail=all --since=2020-08-14T16:00:00Z"));
        assert!(said(Collector::Kibana).contains("\"gte\":\"2020-08-14T16:00:00Z\""));
        assert!(said(Collector::Pg).contains("PGTZ=UTC pg_dump --format=custom"));
    }
}
