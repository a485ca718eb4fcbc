//! Steps over a block's coefficients, two codes at a time where they are short.

use libjpeg_turbo_rs::common::huffman_table::HuffmanTable;

/// Bits that are looked up at once.
const WINDOW: u32 = 11;

/// How far a block's end code takes the count of coefficients: beyond any other.
const END: u16 = 128;

/// What to skip for each of the next bits.
pub(super) struct Skips<'a> {
    entries: Vec<Skip>,
    table: &'a HuffmanTable,
}

/// One or two codes with the bits that belong to them.
#[derive(Clone, Copy, Default)]
struct Skip {
    /// Bits and coefficients of the first; no bits where the code is longer than the window
    first: (u8, u8),
    /// Bits and coefficients of both
    both: (u8, u8),
}

impl<'a> Skips<'a> {
    pub(super) fn new(table: &'a HuffmanTable) -> Skips<'a> {
        let mut entries = vec![Skip::default(); 1 << WINDOW];
        for (code, symbol, length) in codes(table).filter(|(_, _, length)| u32::from(*length) <= WINDOW) {
            let first = usize::from(code >> (16 - WINDOW));
            let count = 1usize << (WINDOW - u32::from(length));
            if let Some((bits, coefficients)) = meaning(symbol, length) {
                let step = (bits, coefficients as u8);
                entries[first..first + count].fill(Skip { first: step, both: step });
            }
        }
        for at in 0..entries.len() {
            let (bits, coefficients) = entries[at].first;
            if bits == 0 || u32::from(bits) >= WINDOW || u16::from(coefficients) >= END {
                continue;
            }
            let (next_bits, next) = entries[at << bits & ((1 << WINDOW) - 1)].first;
            // only what the window shows is known
            if next_bits > 0 && u32::from(bits + next_bits) <= WINDOW {
                entries[at].both = (bits + next_bits, coefficients + next);
            }
        }
        Skips { entries, table }
    }

    /// Where the block's coefficients end that begin at a bit. `data` has eight bytes more than it needs.
    #[inline]
    pub(super) fn block(&self, data: &[u8], mut bit: usize) -> Option<usize> {
        let mut at = 1;
        while at < 64 {
            let eight = data.get(bit / 8..)?.first_chunk::<8>()?;
            let mut ahead = u64::from_be_bytes(*eight) << (bit % 8);
            // 57 bits are there at least, and a code is looked up by 16
            let mut left = 57 - 16;
            while at < 64 && left >= 0 {
                let skip = self.entries[(ahead >> (64 - WINDOW)) as usize];
                let (mut bits, mut coefficients) = skip.both;
                if at + usize::from(skip.first.1) >= 64 {
                    (bits, coefficients) = skip.first;
                }
                if bits == 0 {
                    let (symbol, length) = self.table.lookup((ahead >> 48) as u16).ok()?;
                    let (long, many) = meaning(symbol, length)?;
                    (bits, coefficients) = (long, many as u8);
                }
                at += usize::from(coefficients);
                bit += usize::from(bits);
                ahead <<= bits;
                left -= i32::from(bits);
            }
        }
        (at == 64 || at > usize::from(END)).then_some(bit)
    }
}

/// The bits of a code and its number, and how many coefficients they are. ITU-T T.81, F.2.2.2.
fn meaning(symbol: u8, length: u8) -> Option<(u8, u16)> {
    let (zeros, bits) = (symbol >> 4, symbol & 15);
    match (zeros, bits) {
        (15, 0) => Some((length, 16)),
        (0, 0) => Some((length, END)),
        (_, 0) => None,
        _ => Some((length + bits, u16::from(zeros) + 1)),
    }
}

/// Every code of a table, from the top of 16 bits, with its symbol and length: what can follow the ones before is
/// looked up.
pub(super) fn codes(table: &HuffmanTable) -> impl Iterator<Item = (u16, u8, u8)> {
    let mut next = 0u32;
    std::iter::from_fn(move || {
        let code = u16::try_from(next).ok()?;
        let (symbol, length) = table.lookup(code).ok()?;
        next += 1 << (16 - u32::from(length));
        Some((code, symbol, length))
    })
}
