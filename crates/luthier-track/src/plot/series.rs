//! Curves: many noisy points become few that look the same.

/// How a curve is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// Training
    Solid,
    /// Validation
    DashDot,
    Dashed,
    Dotted,
    /// Raw numbers behind their smoothed curve
    Faint,
}

/// One curve.
#[derive(Debug, Clone)]
pub struct Series {
    /// Name in the legend; a curve without one is not in it
    pub label: Option<String>,
    pub points: Vec<(f64, f64)>,
    pub color: &'static str,
    pub stroke: Stroke,
    /// Marks on the points, where they are few
    pub marks: bool,
}

/// Colours that the colour-blind tell apart (Okabe & Ito 2008), in the order in which curves take them; the first two
/// differ in grey too.
pub const COLORS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#6b6b6b"];

/// The mean of each point's neighbourhood, about a twentieth of the curve wide; numbers that are not finite count
/// as absent. `None` where there are too few points to smooth.
pub fn smooth(points: &[(f64, f64)]) -> Option<Vec<(f64, f64)>> {
    const FEWEST: usize = 30;
    if points.len() < FEWEST {
        return None;
    }
    let half = points.len() / 40 + 1;
    let mut sums = vec![(0.0, 0.0)];
    for &(_, y) in points {
        let (sum, count) = sums[sums.len() - 1];
        sums.push(if y.is_finite() { (sum + y, count + 1.0) } else { (sum, count) });
    }
    let mean = |(at, &(x, y)): (usize, &(f64, f64))| {
        // as many after as before, so that a steep beginning does not lag; at the end there are fewer after
        let before = half.min(at);
        let after = before.min(points.len() - 1 - at);
        let (from, to) = (sums[at - before], sums[at + after + 1]);
        let mean = (to.0 - from.0) / (to.1 - from.1);
        (x, if y.is_finite() { mean } else { f64::NAN })
    };
    Some(points.iter().enumerate().map(mean).collect())
}

/// At most about `most` points that draw the same curve: of each stretch its lowest and its highest point, in order.
pub fn thin(points: &[(f64, f64)], most: usize) -> Vec<(f64, f64)> {
    if points.len() <= most {
        return points.to_vec();
    }
    let stretch = points.len().div_ceil((most / 2).max(1));
    let mut kept = Vec::with_capacity(most + 2);
    for chunk in points.chunks(stretch) {
        let by_height = |a: &&(usize, &(f64, f64)), b: &&(usize, &(f64, f64))| a.1.1.total_cmp(&b.1.1);
        let finite: Vec<_> = chunk.iter().enumerate().filter(|(_, point)| point.1.is_finite()).collect();
        match (finite.iter().min_by(by_height), finite.iter().max_by(by_height)) {
            (Some(low), Some(high)) => {
                let (first, second) = if low.0 <= high.0 { (low, high) } else { (high, low) };
                kept.push(*first.1);
                if second.0 != first.0 {
                    kept.push(*second.1);
                }
            }
            // a gap stays a gap
            _ => kept.extend(chunk.first()),
        }
    }
    kept
}

/// Lowest and highest finite value, leaving out `tail` of the points on either side.
pub fn range(values: impl Iterator<Item = f64>, tail: f64) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let cut = (values.len() as f64 * tail) as usize;
    Some((*values.get(cut)?, *values.get(values.len() - 1 - cut)?))
}
