//! A dialect: how one program writes its lines of JSON or logfmt. Definitions name them; see
//! [`DialectSpec`] for the words.

use super::keys::{Keys, NO_KEY};
use super::outline::{Outline, Trait};
use super::scan::{Kind, Member, Scan};
use crate::definition::Definition;
use crate::engine::{Shape, stamps};
use crate::scan::same_word;
use model::{Level, Stamp};

/// What the text around keys and values is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Syntax {
    #[default]
    Json,
    Logfmt,
}

/// One `[[json]]` or `[[logfmt]]` of a definition file. Keys of nested objects are written with dots, `fields.message`;
/// a key that has the dot in it is found by the same words.
#[derive(Clone, Debug, Default)]
pub(crate) struct DialectSpec {
    pub(crate) syntax: Syntax,
    /// Keys of the time; the first of them that holds one.
    pub(crate) stamp: Vec<String>,
    /// Keys of the level: text or number.
    pub(crate) level: Vec<String>,
    /// Keys of the message: text.
    pub(crate) message: Vec<String>,
    /// Keys of the component: text. It may always be missing.
    pub(crate) component: Vec<String>,
    /// Which of `stamp`, `level`, `message` may be missing.
    pub(crate) optional: Vec<String>,
    /// Further keys that must be there.
    pub(crate) keys: Vec<String>,
    /// Keys that must not be there.
    pub(crate) absent: Vec<String>,
    /// If there are any, the level must be one of these.
    pub(crate) level_words: Vec<String>,
    /// Printed level to severity, before what the definition and everybody says.
    pub(crate) levels: Vec<(String, Level)>,
    /// Objects whose members become fields of the record, after the others.
    pub(crate) lift: Vec<String>,
    /// Members that become fields under another name.
    pub(crate) rename: Vec<(String, String)>,
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Stamp,
    Level,
    Message,
    Component,
    /// One of `keys`, by its bit.
    Needed,
    Absent,
    Lift,
    /// The number of the new name.
    Rename,
}

/// What one key is for; sorted by `id`.
#[derive(Clone, Copy, Debug)]
struct Use {
    id: u16,
    /// The key of the object it is in, or [`NO_KEY`].
    parent: u16,
    role: Role,
    rank: u16,
}

/// A dialect, its words made numbers.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// The index of its format.
    pub(crate) format: u16,
    pub(crate) syntax: Syntax,
    /// Whether the format is asked last, see [`crate::catalogue::Tier`].
    pub(crate) generic: bool,
    uses: Vec<Use>,
    /// Where the uses of an id begin.
    first: Vec<u16>,
    /// Bits of keys that must be there, see [`bit`].
    must: u128,
    /// Of each of these some bit must be there.
    some: [u128; 3],
    stamp_needed: bool,
    level_needed: bool,
    message_needed: bool,
    needed: u64,
    level_words: Vec<Vec<u8>>,
    levels: Vec<(Vec<u8>, Level)>,
    names: Vec<Vec<u8>>,
    /// Beginnings of components that are the format's own; empty: all.
    targets: Vec<Vec<u8>>,
}

/// One bit for each number of a key in the outermost object, modulo 128: a quick no.
fn bit(id: u16) -> u128 {
    1 << (id & 127)
}

/// No member.
const NOWHERE: u32 = u32::MAX;

/// A member that may hold the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamped {
    at: u32,
    rank: u16,
}

/// Which members of a line would have which role, as positions in [`Scan::members`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Roles {
    level_at: u32,
    message_at: u32,
    component_at: u32,
    /// The stretch of those that may hold the time.
    stamps: (u32, u32),
    /// Whether some are opened, or become fields under another name.
    reshaped: bool,
}

/// Which members of a line of the dialect have which role.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    stamp_at: u32,
    level_at: u32,
    message_at: u32,
    component_at: u32,
    /// Whether some members are opened, or become fields under another name.
    pub(crate) reshaped: bool,
}

impl Found {
    /// Whether a member has a role, so that it is no field.
    #[inline]
    pub(crate) fn has(&self, member: usize) -> bool {
        let member = member as u32;
        self.stamp_at == member
            || self.level_at == member
            || self.message_at == member
            || self.component_at == member
    }

    fn text<'a>(at: u32, line: &'a [u8], scan: &'a Scan) -> Option<&'a [u8]> {
        let member = scan.members.get(at as usize)?;
        Some(scan.value(line, member))
    }

    pub(crate) fn level<'a>(&self, line: &'a [u8], scan: &'a Scan) -> Option<&'a [u8]> {
        Found::text(self.level_at, line, scan)
    }

    pub(crate) fn message<'a>(&self, line: &'a [u8], scan: &'a Scan) -> Option<&'a [u8]> {
        Found::text(self.message_at, line, scan)
    }

    pub(crate) fn component<'a>(&self, line: &'a [u8], scan: &'a Scan) -> Option<&'a [u8]> {
        Found::text(self.component_at, line, scan)
    }
}

impl Dialect {
    pub(crate) fn new(
        spec: &DialectSpec,
        format: u16,
        definition: &Definition,
        keys: &mut Keys,
    ) -> Dialect {
        let mut uses = Vec::new();
        let mut must = 0;
        let mut some = [u128::MAX; 3];
        let mut add = |keys: &mut Keys, word: &str, role: Role, rank: usize| {
            let mut put = |id: u16, parent: u16| {
                uses.push(Use {
                    id,
                    parent,
                    role,
                    rank: rank as u16,
                });
            };
            put(keys.add(word.as_bytes()), NO_KEY);
            if let Some((parent, child)) = word.split_once('.') {
                put(keys.add(child.as_bytes()), keys.add(parent.as_bytes()));
            }
        };
        for (role, words) in [
            (Role::Stamp, &spec.stamp),
            (Role::Level, &spec.level),
            (Role::Message, &spec.message),
            (Role::Component, &spec.component),
            (Role::Needed, &spec.keys),
            (Role::Absent, &spec.absent),
            (Role::Lift, &spec.lift),
        ] {
            for (rank, word) in words.iter().enumerate() {
                add(keys, word, role, rank);
            }
        }
        for (rank, (word, _)) in spec.rename.iter().enumerate() {
            add(keys, word, Role::Rename, rank);
        }
        let needs = |name: &str, words: &[String]| {
            !words.is_empty() && !spec.optional.iter().any(|optional| optional == name)
        };
        let stamp_needed = needs("stamp", &spec.stamp);
        let level_needed = needs("level", &spec.level);
        let message_needed = needs("message", &spec.message);
        for (some, (needed, words)) in some.iter_mut().zip([
            (stamp_needed, &spec.stamp),
            (level_needed, &spec.level),
            (message_needed, &spec.message),
        ]) {
            if needed && !words.iter().any(|word| word.contains('.')) {
                *some = words
                    .iter()
                    .fold(0, |bits, word| bits | bit(keys.id(word.as_bytes())));
            }
        }
        for word in spec.keys.iter().filter(|word| !word.contains('.')) {
            must |= bit(keys.id(word.as_bytes()));
        }
        uses.sort_by_key(|one: &Use| one.id);
        let bytes = |words: &[String]| words.iter().map(|word| word.clone().into_bytes()).collect();
        Dialect {
            format,
            syntax: spec.syntax,
            generic: definition.generic,
            uses,
            first: Vec::new(),
            must,
            some,
            stamp_needed,
            level_needed,
            message_needed,
            needed: (1u64 << spec.keys.len().min(63)) - 1,
            level_words: bytes(&spec.level_words),
            levels: spec
                .levels
                .iter()
                .map(|(word, level)| (word.clone().into_bytes(), *level))
                .collect(),
            names: spec
                .rename
                .iter()
                .map(|(_, name)| name.clone().into_bytes())
                .collect(),
            targets: bytes(&definition.targets),
        }
    }

    /// Makes the index of uses, once all words have their numbers.
    pub(crate) fn index(&mut self, keys: &Keys) {
        let uses = &self.uses;
        self.first = (0..=keys.count())
            .map(|id| uses.partition_point(|one| usize::from(one.id) < id) as u16)
            .collect();
    }

    /// The shape of its lines; `number` is its own.
    #[inline]
    pub(crate) fn shape(&self, number: u16) -> Shape {
        match self.syntax {
            Syntax::Json => Shape::Json(number),
            Syntax::Logfmt => Shape::Logfmt(number),
        }
    }

    /// What a key in an object with the key `parent` is for.
    #[inline]
    fn uses(&self, id: u16, parent: u16) -> impl Iterator<Item = &Use> {
        let id = usize::from(id);
        let uses = &self.uses[usize::from(self.first[id])..usize::from(self.first[id + 1])];
        uses.iter().filter(move |one| one.parent == parent)
    }

    /// Says which members have which role in lines with this outline, and appends those that may hold the time;
    /// `None` if no such line is of this dialect.
    pub(crate) fn roles(&self, outline: &Outline, stamps: &mut Vec<Stamped>) -> Option<Roles> {
        let outermost = outline.traits().filter(|one| one.parent == NO_KEY);
        let seen = outermost.fold(0, |seen, one| seen | bit(one.id));
        if seen & self.must != self.must || self.some.iter().any(|some| seen & some == 0) {
            return None;
        }
        let from = stamps.len();
        let roles = self.look_through(outline.traits(), stamps);
        if roles.is_none() {
            stamps.truncate(from);
        }
        roles
    }

    fn look_through(
        &self,
        traits: impl Iterator<Item = Trait>,
        stamps: &mut Vec<Stamped>,
    ) -> Option<Roles> {
        let from = stamps.len() as u32;
        let mut roles = Roles {
            level_at: NOWHERE,
            message_at: NOWHERE,
            component_at: NOWHERE,
            stamps: (from, from),
            reshaped: false,
        };
        let mut ranks = [u16::MAX; 3];
        let mut needed = 0u64;
        for Trait {
            at,
            kind,
            parent,
            id,
        } in traits
        {
            let is_text = kind == Kind::Text;
            let is_plain = is_text || kind == Kind::Number;
            for one in self.uses(id, parent) {
                let rank = one.rank;
                let better = |role: usize| rank < ranks[role];
                match one.role {
                    Role::Stamp if is_plain => stamps.push(Stamped { at, rank }),
                    Role::Level if better(0) && is_plain => {
                        ranks[0] = rank;
                        roles.level_at = at;
                    }
                    Role::Message if better(1) && is_text => {
                        ranks[1] = rank;
                        roles.message_at = at;
                    }
                    Role::Component if better(2) && is_text => {
                        ranks[2] = rank;
                        roles.component_at = at;
                    }
                    Role::Needed => needed |= 1 << rank,
                    Role::Lift | Role::Rename => roles.reshaped = true,
                    Role::Absent => return None,
                    _ => {}
                }
            }
        }
        roles.stamps.1 = stamps.len() as u32;
        let is_whole = (roles.stamps.0 < roles.stamps.1 || !self.stamp_needed)
            && (roles.level_at != NOWHERE || !self.level_needed)
            && (roles.message_at != NOWHERE || !self.message_needed)
            && needed == self.needed;
        is_whole.then_some(roles)
    }

    /// Says whether a line whose members have these roles is of this dialect, by their values; `stamps` are those
    /// that its roles are of. The line's time is put into `stamp`.
    #[inline(always)]
    pub(crate) fn fits(
        &self,
        roles: &Roles,
        stamps: &[Stamped],
        line: &[u8],
        scan: &Scan,
        stamp: &mut Option<Stamp>,
    ) -> Option<Found> {
        let mut found = Found {
            stamp_at: NOWHERE,
            level_at: roles.level_at,
            message_at: roles.message_at,
            component_at: roles.component_at,
            reshaped: roles.reshaped,
        };
        if !self.level_words.is_empty() {
            let level = found.level(line, scan)?;
            if !self.level_words.iter().any(|word| same_word(word, level)) {
                return None;
            }
        }
        if !self.targets.is_empty()
            && let Some(component) = found.component(line, scan)
            && !crate::engine::is_own_target(&self.targets, component)
        {
            return None;
        }
        // Last, since it takes longest: of the best key that holds a time.
        let mut best = u16::MAX;
        for one in &stamps[roles.stamps.0 as usize..roles.stamps.1 as usize] {
            if one.rank < best
                && let Some(text) = Found::text(one.at, line, scan)
                && stamps::read_whole(text, stamp)
            {
                best = one.rank;
                found.stamp_at = one.at;
                // No key is better than the first one.
                if best == 0 {
                    break;
                }
            }
        }
        (stamp.is_some() || !self.stamp_needed).then_some(found)
    }

    /// The severity of a printed level, where the dialect has its own.
    #[inline]
    pub(crate) fn level(&self, raw: &[u8]) -> Option<Level> {
        let known = self.levels.iter().find(|(word, _)| word == raw);
        known.map(|(_, level)| *level)
    }

    /// Whether a member's own members become fields of the record.
    #[inline(always)]
    pub(crate) fn lifts(&self, scan: &Scan, member: &Member) -> bool {
        member.kind == Kind::Object && self.use_as(Role::Lift, scan, member).is_some()
    }

    /// What a member is for, if it has this role.
    #[inline(never)]
    fn use_as(&self, role: Role, scan: &Scan, member: &Member) -> Option<&Use> {
        let mut uses = self.uses(member.id, scan.parent_id(member));
        uses.find(|one| member.id != NO_KEY && one.role == role)
    }

    /// The name a member has as a field, where it isn't its key.
    #[inline(always)]
    pub(crate) fn name(&self, scan: &Scan, member: &Member) -> Option<&[u8]> {
        if self.names.is_empty() {
            return None;
        }
        let named = self.use_as(Role::Rename, scan, member)?;
        Some(self.names[usize::from(named.rank)].as_slice())
    }
}
