//! The exit codes (contract §1), and how several merge into one. Nothing else decides them.

use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// 0: done; found; claim supported.
    Done,
    /// 1: done; nothing found; claim refuted.
    Nothing,
    /// 4: the evidence cannot tell.
    Undetermined,
    /// 3: done, but part of the evidence could not be read.
    Partial,
    /// 5: verification failed.
    VerifyFailed,
    /// 2: the request was wrong, or nothing could be read.
    Wrong,
    /// 70: our fault.
    Bug,
}

impl Exit {
    /// Lowest claim first: 70 over 2 over 5 over 3 over 4 over 1 over 0.
    const ORDER: [Exit; 7] = [
        Exit::Done,
        Exit::Nothing,
        Exit::Undetermined,
        Exit::Partial,
        Exit::VerifyFailed,
        Exit::Wrong,
        Exit::Bug,
    ];

    /// Returns the number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Nothing => 1,
            Exit::Wrong => 2,
            Exit::Partial => 3,
            Exit::Undetermined => 4,
            Exit::VerifyFailed => 5,
            Exit::Bug => 70,
        }
    }

    /// Returns the one of two that prevails.
    pub(crate) fn merge(self, other: Exit) -> Exit {
        let rank = |exit: Exit| Exit::ORDER.iter().position(|known| *known == exit);
        if rank(self) >= rank(other) {
            self
        } else {
            other
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seventy_over_two_over_five_over_three_over_four_over_one_over_zero() {
        let order = [70, 2, 5, 3, 4, 1, 0];
        for a in Exit::ORDER {
            for b in Exit::ORDER {
                let merged = a.merge(b).code();
                let expected = order
                    .iter()
                    .find(|code| **code == a.code() || **code == b.code());
                assert_eq!(Some(&merged), expected);
            }
        }
    }
}
