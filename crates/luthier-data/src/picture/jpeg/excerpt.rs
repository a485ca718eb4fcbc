//! A box of a JPEG as a JPEG of its own: pieces are copied bit by bit, and only where two meet that were no neighbours
//! is a difference coded anew.

use super::{
    bits::{Cursor, Writer},
    index::{DcCodes, McuIndex, extend},
};
use crate::picture::CropBox;

/// The smallest JPEG of whole pieces that holds a box, and where it lies in the picture. None where a difference is
/// needed that the file has no code for.
pub(super) fn excerpt(bytes: &[u8], index: &McuIndex, wanted: CropBox) -> Option<(Vec<u8>, CropBox)> {
    let (width, height) = index.piece;
    let (right, bottom) = (wanted.left + wanted.width, wanted.top + wanted.height);
    let columns = (wanted.left / width) as usize..right.div_ceil(width) as usize;
    let rows = (wanted.top / height) as usize..bottom.div_ceil(height) as usize;
    let (left, top) = (columns.start as u32 * width, rows.start as u32 * height);
    let right = (columns.end as u32 * width).min(index.size.0);
    let bottom = (rows.end as u32 * height).min(index.size.1);
    let covered = CropBox { left, top, width: right - left, height: bottom - top };

    let mut writer = Writer::after(head(bytes.get(..index.data)?, &covered, bytes.len())?);
    let mut before = [0; 3];
    for row in rows {
        let place = index.places.get(row * index.columns + columns.start)?;
        // the next row's first piece where these are the row's last
        let end = index.places.get(row * index.columns + columns.end)?;
        let at = index.data + place.bit as usize / 8 + place.stuffed as usize;
        let mut cursor = Cursor::new(bytes, at, place.bit % 8);
        let [second, third] = place.component.map(u32::from);
        let ends = [second, third, end.bit - place.bit];
        let ends = if index.codes.len() == 1 { &ends[2..] } else { &ends[..] };
        let mut begins = 0;
        for (c, (codes, ends)) in index.codes.iter().zip(ends).enumerate() {
            let (difference, length) = read_difference(&mut cursor, codes)?;
            let difference = place.before[c].checked_add(difference)?.checked_sub(before[c])?;
            write_difference(difference, codes, &mut writer)?;
            cursor.copy(u64::from(ends - begins - length), &mut writer)?;
            begins = *ends;
        }
        before = end.before;
    }
    let mut jpeg = writer.finish();
    jpeg.extend([0xFF, 0xD9]);
    Some((jpeg, covered))
}

/// Everything in front of the data that decides pixels: no thumbnails, profiles or comments.
fn head(bytes: &[u8], part: &CropBox, room: usize) -> Option<Vec<u8>> {
    let mut head = Vec::with_capacity(room);
    head.extend([0xFF, 0xD8]);
    let mut at = 2;
    while at < bytes.len() {
        let (0xFF, marker) = (*bytes.get(at)?, *bytes.get(at + 1)?) else { return None };
        let length = u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]);
        let segment = bytes.get(at..at + 2 + usize::from(length))?;
        match marker {
            // lines, then samples per line. ITU-T T.81, B.2.2
            0xC0 | 0xC1 => {
                head.extend(segment.get(..5)?);
                head.extend((part.height as u16).to_be_bytes());
                head.extend((part.width as u16).to_be_bytes());
                head.extend(segment.get(9..)?);
            }
            // JFIF's and Adobe's say which colours they are
            0xE1..=0xED | 0xEF | 0xFE => {}
            _ => head.extend(segment),
        }
        at += segment.len();
    }
    Some(head)
}

/// A difference, and the bits it takes.
fn read_difference(cursor: &mut Cursor<'_>, codes: &DcCodes) -> Option<(i16, u32)> {
    let (mut read, mut length) = (0, 0);
    let bits = loop {
        read = read << 1 | cursor.read(1)?;
        length += 1;
        let found = codes.iter().position(|(code, l)| u32::from(*l) == length && u64::from(*code) == read);
        match found {
            Some(bits) => break bits as u32,
            None if length == 16 => return None,
            None => {}
        }
    };
    Some((extend(cursor.read(bits)?, bits), length + bits))
}

fn write_difference(difference: i16, codes: &DcCodes, to: &mut Writer) -> Option<()> {
    let bits = i16::BITS - difference.unsigned_abs().leading_zeros();
    let (code, length) = codes.get(bits as usize).filter(|(_, length)| *length > 0)?;
    to.put((*code).into(), (*length).into());
    // a negative number counts from the lowest one of as many bits. ITU-T T.81, F.1.2.1
    let value = if difference < 0 { i64::from(difference) + (1 << bits) - 1 } else { difference.into() };
    to.put(value as u64, bits);
    Some(())
}
