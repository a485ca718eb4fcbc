//! Bits of entropy-coded data, read and written. ITU-T T.81, B.1.1.5: a byte `FF` is followed by a stuffed `00`, which
//! is no data.

/// A place in entropy-coded data.
pub(super) struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
    bit: u32,
}

impl<'a> Cursor<'a> {
    /// `at` is a byte of data, not a stuffed one; `bit` bits of it are read already.
    pub(super) fn new(data: &'a [u8], at: usize, bit: u32) -> Cursor<'a> {
        Cursor { data, at, bit }
    }

    /// The next bits, at most 32.
    pub(super) fn read(&mut self, count: u32) -> Option<u64> {
        let (mut value, mut left) = (0, count);
        while left > 0 {
            let take = left.min(8 - self.bit);
            let byte = u64::from(*self.data.get(self.at)?);
            value = value << take | (byte >> (8 - self.bit - take)) & ((1 << take) - 1);
            left -= take;
            self.bit += take;
            if self.bit == 8 {
                self.bit = 0;
                self.at += if byte == 0xFF { 2 } else { 1 };
            }
        }
        Some(value)
    }

    /// Moves bits from here to a writer.
    pub(super) fn copy(&mut self, mut count: u64, to: &mut Writer) -> Option<()> {
        let first = count.min(u64::from((8 - self.bit) % 8));
        to.put(self.read(first as u32)?, first as u32);
        count -= first;
        while let Some(eight) = self.data.get(self.at..self.at + 8).filter(|_| count >= 64) {
            let word = u64::from_be_bytes(eight.try_into().ok()?);
            if has_ff(word) {
                for _ in 0..2 {
                    to.put(self.read(32)?, 32);
                }
            } else {
                to.put_word(word);
                self.at += 8;
            }
            count -= 64;
        }
        while count > 0 {
            let some = count.min(32);
            to.put(self.read(some as u32)?, some as u32);
            count -= some;
        }
        Some(())
    }
}

/// Entropy-coded data in the making.
pub(super) struct Writer {
    bytes: Vec<u8>,
    // the bits that are not in `bytes` yet, from the top, and how many
    held: u64,
    count: u32,
}

impl Writer {
    pub(super) fn after(bytes: Vec<u8>) -> Writer {
        Writer { bytes, held: 0, count: 0 }
    }

    /// The lowest bits of a value that has no others, at most 32.
    pub(super) fn put(&mut self, value: u64, count: u32) {
        if count == 0 {
            return;
        }
        let top = value << (64 - count);
        self.held |= top >> self.count;
        self.count += count;
        if self.count >= 64 {
            self.emit(self.held);
            self.count -= 64;
            self.held = top.checked_shl(count - self.count).unwrap_or(0);
        }
    }

    fn put_word(&mut self, word: u64) {
        self.emit(self.held | word >> self.count);
        self.held = word.checked_shl(64 - self.count).unwrap_or(0);
    }

    fn emit(&mut self, word: u64) {
        let bytes = word.to_be_bytes();
        if has_ff(word) {
            bytes.iter().for_each(|byte| self.push(*byte));
        } else {
            self.bytes.extend_from_slice(&bytes);
        }
    }

    fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
        if byte == 0xFF {
            self.bytes.push(0);
        }
    }

    /// The data, its last byte filled up with ones as ITU-T T.81, F.1.2.3 asks.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.put((1 << (8 - self.count % 8)) - 1, (8 - self.count % 8) % 8);
        let whole = self.count as usize / 8;
        self.held.to_be_bytes().iter().take(whole).for_each(|byte| self.push(*byte));
        self.bytes
    }
}

/// Whether one of eight bytes is `FF`: the one whose complement is zero borrows from above.
fn has_ff(word: u64) -> bool {
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    (!word).wrapping_sub(LOW) & word & HIGH != 0
}

/// Entropy-coded data without its stuffed bytes, up to a marker, and where bytes were left out: the places, in what is
/// left, of the `FF` before each.
pub(super) fn unstuffed(data: &[u8]) -> (Vec<u8>, Vec<usize>) {
    let (mut plain, mut stuffed) = (Vec::with_capacity(data.len()), Vec::new());
    let mut rest = data;
    while let Some(at) = rest.iter().position(|byte| *byte == 0xFF) {
        let (before, from) = rest.split_at(at);
        plain.extend_from_slice(before);
        if from.get(1) != Some(&0) {
            return (plain, stuffed);
        }
        stuffed.push(plain.len());
        plain.push(0xFF);
        rest = &from[2..];
    }
    plain.extend_from_slice(rest);
    (plain, stuffed)
}
