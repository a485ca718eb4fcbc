//! Where the pieces of a JPEG begin. Its data are codes of all lengths, each block's brightness told as a difference
//! from the block before, so that nothing in the middle can be decoded without having read what comes before it. An
//! index is made once by reading, and spares that afterwards.

use std::rc::Rc;

use libjpeg_turbo_rs::{
    Decoder,
    common::huffman_table::HuffmanTable,
    decode::marker::{JpegMetadata, MarkerReader},
};
use xxhash_rust::xxh3::xxh3_64;

use super::{
    bits::unstuffed,
    reach,
    skip::{Skips, codes},
};

/// Pieces are at least so wide, in pixels, and at most so many stand side by side: an index takes a few hundredths of
/// the file's size.
const LEAST_WIDTH: usize = 64;
const MOST_PIECES: usize = 8;

/// What is needed to decode some of a JPEG's blocks without the ones before them.
#[derive(Debug)]
pub struct McuIndex {
    /// The file is known by its bytes: it may be another one next time
    hash: u64,
    /// Width and height of the picture in pixels
    pub(super) size: (u32, u32),
    /// Width and height of a piece in pixels; a row's last may be narrower
    pub(super) piece: (u32, u32),
    /// Pieces side by side
    pub(super) columns: usize,
    /// Piece by piece, row by row, and the end of the last
    pub(super) places: Vec<Place>,
    /// For each component, how differences are coded, by their number of bits
    pub(super) codes: Vec<DcCodes>,
    /// How far a pixel's neighbours reach that decide it
    pub(super) reach: u32,
    /// Where the data begin in the file
    pub(super) data: usize,
}

/// Code and length for each number of bits; a length of 0 where there is no code.
pub(super) type DcCodes = [(u16, u8); DC_BITS];

/// A difference between 8-bit blocks has up to 11 bits. ITU-T T.81, table F.1.
const DC_BITS: usize = 12;

/// Where a piece begins.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// Bits of data before it
    pub bit: u32,
    /// Stuffed bytes before it
    pub stuffed: u32,
    /// What its first difference of each component counts from
    pub before: [i16; 3],
    /// Bits from its beginning to the second and third component
    pub component: [u16; 2],
}

impl McuIndex {
    /// Reads the whole picture. None when it is not one pass over rows of Huffman-coded blocks without restarts, or
    /// not sound.
    pub(super) fn new(bytes: &[u8], decoder: &Decoder<'_>) -> Option<McuIndex> {
        let metadata = MarkerReader::new(bytes).read_markers().ok()?;
        let frame = decoder.header();
        let plain = !metadata.is_arithmetic && metadata.restart_interval == 0;
        let sampling = |c: usize| {
            let component = frame.components.get(c);
            component.map_or((0, 0), |c| (c.horizontal_sampling.into(), c.vertical_sampling.into()))
        };
        let components = frame.components.len();
        let most = (0..components).fold((0, 0), |(h, v): (usize, usize), c| {
            let (horizontal, vertical) = sampling(c);
            (h.max(horizontal), v.max(vertical))
        });
        // a lone component is laid out otherwise unless it is sampled 1 × 1
        if !plain || !(components == 3 || components == 1 && most == (1, 1)) {
            return None;
        }
        let mut walk = Walk::new(bytes, &metadata, (0..components).map(sampling).map(|(h, v)| h * v))?;

        let (width, height) = (usize::from(frame.width), usize::from(frame.height));
        let (across, down) = (width.div_ceil(most.0 * 8), height.div_ceil(most.1 * 8));
        let step = (LEAST_WIDTH / (most.0 * 8)).max(across.div_ceil(MOST_PIECES));
        let columns = across.div_ceil(step);
        let mut places = Vec::with_capacity(down * columns + 1);
        for at in 0..across * down {
            let begins_piece = (at % across).is_multiple_of(step);
            let place = walk.mcu()?;
            if begins_piece {
                places.push(place);
            }
        }
        places.push(walk.here()?);
        Some(McuIndex {
            hash: xxh3_64(bytes),
            size: (width as u32, height as u32),
            piece: ((step * most.0 * 8) as u32, most.1 as u32 * 8),
            columns,
            places,
            codes: walk.components.iter().map(|c| dc_codes(c.dc)).collect(),
            reach: reach(frame),
            data: metadata.entropy_data_offset,
        })
    }

    /// Whether it was made from these bytes.
    pub(super) fn is_of(&self, bytes: &[u8]) -> bool {
        self.hash == xxh3_64(bytes)
    }

    /// The memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<McuIndex>()
            + self.places.len() * size_of::<Place>()
            + self.codes.len() * size_of::<DcCodes>()
    }
}

/// Goes through entropy-coded data without keeping what it says.
struct Walk<'a> {
    data: Vec<u8>,
    end: usize,
    bit: usize,
    /// The bytes after which one was left out, and how many of them are behind
    stuffed: Vec<usize>,
    passed: usize,
    components: Vec<Component<'a>>,
}

struct Component<'a> {
    dc: &'a HuffmanTable,
    ac: Rc<Skips<'a>>,
    blocks: usize,
    before: i16,
}

impl<'a> Walk<'a> {
    fn new(
        bytes: &[u8],
        metadata: &'a JpegMetadata,
        blocks: impl Iterator<Item = usize>,
    ) -> Option<Walk<'a>> {
        let (frame, scan) = (&metadata.frame, &metadata.scan);
        let in_order =
            frame.components.iter().map(|c| c.id).eq(scan.components.iter().map(|c| c.component_id));
        let table = |tables: &'a [Option<_>; 4], at: u8| tables.get(usize::from(at))?.as_ref();
        // made once for components that share a table: what is looked up all the time should stay in the nearest cache
        let mut skips: [Option<Rc<Skips<'_>>>; 4] = Default::default();
        let components = scan.components.iter().zip(blocks).map(|(component, blocks)| {
            let dc = table(&metadata.dc_huffman_tables, component.dc_table_index)?;
            let ac = table(&metadata.ac_huffman_tables, component.ac_table_index)?;
            let skips = skips.get_mut(usize::from(component.ac_table_index))?;
            let ac = Rc::clone(skips.get_or_insert_with(|| Rc::new(Skips::new(ac))));
            Some(Component { dc, ac, blocks, before: 0 })
        });
        let components = components.collect::<Option<Vec<_>>>().filter(|_| in_order)?;
        let (mut data, stuffed) = unstuffed(bytes.get(metadata.entropy_data_offset..)?);
        let end = data.len() * 8;
        // bits are looked at eight bytes at a time
        data.extend([0; 8]);
        (end <= u32::MAX as usize).then_some(Walk { data, end, bit: 0, stuffed, passed: 0, components })
    }

    /// At least 57 bits from here, from the top.
    fn ahead(&self) -> Option<u64> {
        let eight = self.data.get(self.bit / 8..)?.first_chunk::<8>()?;
        Some(u64::from_be_bytes(*eight) << (self.bit % 8))
    }

    /// Steps over one unit of blocks and says where it began.
    fn mcu(&mut self) -> Option<Place> {
        let mut place = self.here()?;
        for c in 0..self.components.len() {
            if c > 0 {
                place.component[c - 1] = u16::try_from(self.bit - place.bit as usize).ok()?;
            }
            for _ in 0..self.components[c].blocks {
                let difference = self.block(c)?;
                let component = &mut self.components[c];
                component.before = component.before.checked_add(difference)?;
            }
        }
        Some(place)
    }

    /// Where it stands.
    fn here(&mut self) -> Option<Place> {
        while self.stuffed.get(self.passed).is_some_and(|after| *after < self.bit / 8) {
            self.passed += 1;
        }
        let mut before = [0; 3];
        before.iter_mut().zip(&self.components).for_each(|(to, component)| *to = component.before);
        let (bit, stuffed) = (self.bit as u32, self.passed as u32);
        (self.bit <= self.end).then_some(Place { bit, stuffed, before, component: [0; 2] })
    }

    /// Steps over one block and gives the difference it begins with. ITU-T T.81, F.2.2.
    fn block(&mut self, c: usize) -> Option<i16> {
        let Component { dc, ac, .. } = self.components.get(c)?;
        let ahead = self.ahead()?;
        let (bits, length) = dc.lookup((ahead >> 48) as u16).ok()?;
        if usize::from(bits) >= DC_BITS {
            return None;
        }
        self.bit += usize::from(bits + length);
        let difference =
            extend((ahead << length).checked_shr(64 - u32::from(bits)).unwrap_or(0), bits.into());
        self.bit = ac.block(&self.data, self.bit)?;
        Some(difference)
    }
}

/// The number that its lowest bits stand for. ITU-T T.81, figure F.12.
pub(super) fn extend(value: u64, bits: u32) -> i16 {
    let value = value as i32;
    let negative = bits > 0 && value < 1 << (bits - 1);
    (if negative { value - (1 << bits) + 1 } else { value }) as i16
}

fn dc_codes(table: &HuffmanTable) -> DcCodes {
    let mut found = DcCodes::default();
    for (code, bits, length) in codes(table) {
        if let Some(entry) = found.get_mut(usize::from(bits)) {
            *entry = (code >> (16 - u16::from(length)), length);
        }
    }
    found
}
