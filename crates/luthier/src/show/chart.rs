//! A curve in a few lines of text.

/// Bits of a braille cell's dots, from the bottom up: the left column, then the right.
const DOTS: [[u8; 4]; 2] = [[0x40, 0x04, 0x02, 0x01], [0x80, 0x20, 0x10, 0x08]];

/// A curve from 0 to its highest value, `height` lines of `width` cells, the top line first. In braille each cell is two
/// points wide and four high and the line is drawn without gaps; in ASCII each cell is one point.
pub fn chart(values: &[f64], width: usize, height: usize, unicode: bool) -> Vec<String> {
    let (across, up) = if unicode { (2, 4) } else { (1, 1) };
    let levels = levels(values, width * across, height * up);
    let mut cells = vec![vec![0u8; width]; height];
    let mut before: Option<usize> = None;
    for (x, level) in levels.into_iter().enumerate() {
        // a jump is a vertical stroke, so that the eye can follow
        let from = before
            .filter(|_| unicode)
            .map_or(level, |before| if before < level { before + 1 } else { level });
        let to = before
            .filter(|_| unicode)
            .map_or(level, |before| if before > level { before - 1 } else { level });
        for y in from..=to {
            let dot = DOTS.get(x % across).and_then(|column| column.get(y % up)).copied().unwrap_or(0);
            if let Some(cell) = cells.get_mut(y / up).and_then(|line| line.get_mut(x / across)) {
                *cell |= if unicode { dot } else { 1 };
            }
        }
        before = Some(level);
    }
    cells.iter().rev().map(|line| line.iter().map(|bits| sign(*bits, unicode)).collect()).collect()
}

fn sign(bits: u8, unicode: bool) -> char {
    match (bits, unicode) {
        (0, _) => ' ',
        (bits, true) => char::from_u32(0x2800 + u32::from(bits)).unwrap_or(' '),
        (_, false) => '*',
    }
}

/// Height of the curve at each of `points` points, from 0 to `heights` - 1: the mean of the values that fall on it.
fn levels(values: &[f64], points: usize, heights: usize) -> Vec<usize> {
    let top = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
    (0..points)
        .map(|point| {
            let from = point * values.len() / points;
            let to = ((point + 1) * values.len() / points).max(from + 1);
            let here = values.get(from..to.min(values.len())).unwrap_or_default();
            let mean = here.iter().sum::<f64>() / here.len().max(1) as f64;
            let share = if top > 0.0 { (mean / top).clamp(0.0, 1.0) } else { 0.0 };
            (share * (heights - 1) as f64).round() as usize
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_goes_from_the_lower_left_to_the_upper_right() {
        let rise: Vec<f64> = (0..8).map(f64::from).collect();
        assert_eq!(chart(&rise, 4, 4, false), ["   *", "  * ", " *  ", "*   "]);
        let braille = chart(&rise, 4, 2, true);
        assert_eq!(braille, ["⠀⠀⡠⠊", "⡠⠊⠀⠀"].map(|line| line.replace('⠀', " ")));
    }

    #[test]
    fn any_curve_has_a_picture() {
        let rows: &[(&[f64], &str)] = &[
            (&[], "no update at all"),
            (&[0.1], "one update"),
            (&[0.0, 0.0], "a rate of zero"),
            (&[f64::NAN, 1.0], "not a number"),
            (&[f64::INFINITY, 1.0], "no bound"),
        ];
        for (values, why) in rows {
            for unicode in [true, false] {
                let lines = chart(values, 10, 3, unicode);
                assert_eq!(lines.len(), 3, "{why}");
                assert!(lines.iter().all(|line| line.chars().count() == 10), "{why}");
            }
        }
    }
}
