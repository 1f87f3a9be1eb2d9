//! Kinds of lines and their shares, from the files in `mixes/`: `share|level|component|message|key=value;…`.
//!
//! `<slot>`, `<epoch>`, `<ip>`, `<peer>`, `<f>` (`12.34`), `<n>` (a number of n digits) and `<xn>` (n hex digits)
//! are filled in anew for every line; `\|` is a bar. The text is ours, only the shapes are the programs'.

use testkit::Rng;

/// One line to be printed.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) level: &'static str,
    pub(crate) component: &'static str,
    pub(crate) message: String,
    pub(crate) fields: Vec<(&'static str, String)>,
}

struct Kind {
    level: &'static str,
    component: &'static str,
    message: String,
    fields: Vec<(&'static str, &'static str)>,
}

/// What one program says.
pub(crate) struct Mix {
    kinds: Vec<Kind>,
    /// The kind of each line, as often as its share.
    shares: Vec<usize>,
}

impl Mix {
    /// Reads a file of `mixes/`.
    ///
    /// # Panics
    /// If the file is not as described: it is part of this program.
    pub(crate) fn new(text: &'static str) -> Mix {
        let mut mix = Mix {
            kinds: Vec::new(),
            shares: Vec::new(),
        };
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (head, fields) = line.rsplit_once('|').expect("five columns");
            let mut columns = head.splitn(4, '|');
            let mut column = || columns.next().expect("five columns");
            let share: usize = column().parse().expect("a share");
            mix.shares
                .extend(std::iter::repeat_n(mix.kinds.len(), share));
            mix.kinds.push(Kind {
                level: column(),
                component: column(),
                message: column().replace("\\|", "|"),
                fields: fields
                    .split(';')
                    .filter_map(|field| field.split_once('='))
                    .collect(),
            });
        }
        mix
    }

    /// Makes the next line.
    pub(crate) fn next(&self, rng: &mut Rng, line: &mut Line) {
        let kind = &self.kinds[*rng.pick(&self.shares)];
        line.level = kind.level;
        line.component = kind.component;
        line.message.clear();
        fill(&kind.message, rng, &mut line.message);
        line.fields.clear();
        for (key, template) in &kind.fields {
            let mut value = String::new();
            fill(template, rng, &mut value);
            line.fields.push((key, value));
        }
    }
}

fn fill(template: &str, rng: &mut Rng, out: &mut String) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('<') {
        let (hole, after) = after.split_once('>').expect("holes are closed");
        out.push_str(before);
        match hole {
            "slot" => out.push_str(&rng.range(6_424_000, 6_425_000).to_string()),
            "epoch" => out.push_str(&rng.range(200_700, 200_800).to_string()),
            "ip" => out.push_str(&format!("192.0.2.{}", rng.range(1, 255))),
            "peer" => out.push_str(&format!("16Uiu2HAm{}", rng.hex(22))),
            "f" => out.push_str(&format!("{}.{:02}", rng.below(100), rng.below(100))),
            hex if hex.starts_with('x') => {
                let digits: usize = hex[1..].parse().expect("a number of digits");
                out.push_str(&rng.hex(digits.div_ceil(2))[..digits]);
            }
            digits => {
                let digits: u32 = digits.parse().expect("a known hole");
                let low = if digits == 1 {
                    1
                } else {
                    10i64.pow(digits - 1)
                };
                out.push_str(&rng.range(low, 10i64.pow(digits)).to_string());
            }
        }
        rest = after;
    }
    out.push_str(rest);
}
