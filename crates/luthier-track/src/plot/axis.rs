//! Axes: which numbers get a tick, where, and how they are written.

/// How numbers become positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Linear,
    /// Powers of ten, for numbers above zero
    Log,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    Plain,
    /// 0.25 is `25 %`
    Percent,
}

/// One axis.
#[derive(Debug, Clone)]
pub struct Axis {
    pub from: f64,
    pub to: f64,
    pub scale: Scale,
    /// Positions and labels of the ticks, rising
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From `from` to `to` exactly, with about `count` ticks at round numbers.
    pub fn exact(from: f64, to: f64, count: usize, numbers: Numbers) -> Axis {
        let (from, to) =
            if from.is_finite() && to.is_finite() && to > from { (from, to) } else { (0.0, 1.0) };
        let step = round_step((to - from) / count.max(1) as f64);
        Axis { from, to, scale: Scale::Linear, ticks: ticks(from, to, step, numbers) }
    }

    /// A little more than `from` to `to`: both ends are round numbers.
    pub fn round(from: f64, to: f64, count: usize, numbers: Numbers) -> Axis {
        let (from, to) = match (from.is_finite() && to.is_finite(), to > from) {
            (false, _) => (0.0, 1.0),
            (true, true) => (from, to),
            // one value only: it gets the middle
            (true, false) => (from - 0.5 * from.abs().max(0.1), from + 0.5 * from.abs().max(0.1)),
        };
        let step = round_step((to - from) / count.max(1) as f64);
        let (low, high) = ((from / step + 1e-9).floor() * step, (to / step - 1e-9).ceil() * step);
        Axis { from: low, to: high, scale: Scale::Linear, ticks: ticks(low, high, step, numbers) }
    }

    /// Whole powers of ten that hold `from` to `to`, both above zero.
    pub fn log(from: f64, to: f64) -> Axis {
        let (low, high) = (from.log10().floor() as i32, to.log10().ceil() as i32);
        let high = high.max(low + 1);
        let every = ((high - low) / 6 + 1) as usize;
        let ticks =
            (low..=high).step_by(every).map(|power| (10f64.powi(power), power_label(power))).collect();
        Axis { from: 10f64.powi(low), to: 10f64.powi(high), scale: Scale::Log, ticks }
    }

    /// Share of the axis below a value: 0 at its beginning, 1 at its end.
    pub fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.from) / (self.to - self.from),
            Scale::Log => (value.max(1e-300) / self.from).log10() / (self.to / self.from).log10(),
        }
    }
}

/// 1, 2 or 5 times a power of ten, not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least * 0.999)
        .unwrap_or(power)
}

fn ticks(from: f64, to: f64, step: f64, numbers: Numbers) -> Vec<(f64, String)> {
    let slack = 1e-6 * step;
    let first = ((from - slack) / step).ceil();
    (0..=100)
        .map(|n| (first + f64::from(n)) * step)
        .take_while(|tick| *tick <= to + slack)
        .map(|tick| (tick, label(tick, step, numbers)))
        .collect()
}

fn label(value: f64, step: f64, numbers: Numbers) -> String {
    let value = if value.abs() < step * 1e-6 { 0.0 } else { value };
    match numbers {
        Numbers::Percent => {
            format!("{:.*} %", decimals(step * 100.0), value * 100.0)
        }
        Numbers::Plain if value != 0.0 && step < 1e-4 => scientific(value, step),
        Numbers::Plain => grouped(value, decimals(step)),
    }
}

/// Digits after the point that tell two neighbours apart.
fn decimals(step: f64) -> usize {
    (-(step * 1.001).log10().floor()).clamp(0.0, 12.0) as usize
}

/// 3·10⁻⁵ as `3e-5`.
fn scientific(value: f64, step: f64) -> String {
    let digits = (value.abs().log10().floor() - (step * 1.001).log10().floor()).clamp(0.0, 6.0) as usize;
    format!("{value:.digits$e}").replace('-', "\u{2212}")
}

fn power_label(power: i32) -> String {
    match power {
        0..=4 => grouped(10f64.powi(power), 0),
        -3..0 => format!("{:.*}", power.unsigned_abs() as usize, 10f64.powi(power)),
        _ => format!("1e{power}").replace('-', "\u{2212}"),
    }
}

/// Thousands apart, and a real minus sign: −12,000.5.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut out = String::new();
    if value < 0.0 {
        out.push('\u{2212}');
    }
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}
