//! What Keccak-f\[1600\] is made of; FIPS 202, section 3.2, names the steps.

use super::lanes::WORDS;

/// A function's value for each column. Written out, so that every place and shift is a constant.
macro_rules! five {
    ($of:ident($($from:expr),*)) => {
        [$of::<0>($($from),*), $of::<1>($($from),*), $of::<2>($($from),*), $of::<3>($($from),*), $of::<4>($($from),*)]
    };
}

/// A function's value for each word.
macro_rules! all_words {
    ($of:ident($($from:expr),*)) => {
        all_words!($of($($from),*) 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24)
    };
    ($of:ident $from:tt $($word:literal)*) => {
        [$(all_words!(@one $of $word $from)),*]
    };
    (@one $of:ident $word:literal $from:tt) => {
        $of::<$word> $from
    };
}

pub(super) use {all_words, five};

/// π: from where a word comes to a place.
pub(super) const fn source(to: usize) -> usize {
    let (x, y) = (to % 5, to / 5);
    (x + 3 * y) % 5 + 5 * x
}

/// Of word `x + 5 y`: FIPS 202, table 2.
pub(super) const ROTATIONS: [i64; WORDS] = [
    0, 1, 62, 28, 27, //
    36, 44, 6, 55, 20, //
    3, 10, 43, 25, 39, //
    41, 45, 15, 21, 8, //
    18, 2, 61, 56, 14,
];

/// FIPS 202, algorithm 5: the output of its shift register, from the first round on.
pub(super) const ROUND_CONSTANTS: [i64; 24] = round_constants();

const fn round_constants() -> [i64; 24] {
    let mut constants = [0; 24];
    let mut register: u8 = 1;
    let mut round = 0;
    while round < 24 {
        let mut bit = 0;
        while bit < 7 {
            if register & 1 == 1 {
                constants[round] |= 1_i64 << ((1 << bit) - 1);
            }
            let carries = register >> 7 == 1;
            register <<= 1;
            if carries {
                register ^= 0x71;
            }
            bit += 1;
        }
        round += 1;
    }
    constants
}
