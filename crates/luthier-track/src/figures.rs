//! Numbers as a reader wants them.

use crate::plot::grouped;

/// `95.8 %`, on one line
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}\u{a0}%", share * 100.0) } else { share.to_string() }
}

/// Four digits that count: `0.1234`, `12.34`, `1,234`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && magnitude < 1e-3 {
        return format!("{value:.2e}");
    }
    let whole_digits = if magnitude < 1.0 { 0 } else { magnitude.log10() as usize + 1 };
    grouped(value, 4_usize.saturating_sub(whole_digits))
}

/// Epochs with the fraction that is there: `5`, `2.25`
pub fn epochs(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `12,345`
pub fn count(value: u64) -> String {
    grouped(value as f64, 0)
}

/// `1 h 02 min`, `3 min 05 s`, `12.3 s`
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}
