//! Text for people: numbers that read well, and columns that line up.

use console::measure_text_width;

/// `11 176 512`: thin groups of three, as long numbers are written in tables.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `11.2 M`: a count to remember.
pub fn short(number: u64) -> String {
    let value = number as f64;
    match number {
        0..10_000 => grouped(number),
        10_000..1_000_000 => format!("{:.0} k", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", value / 1e6),
        _ => format!("{:.1} G", value / 1e9),
    }
}

/// A number with as few digits as say it: `0.01`, `3e-4`, `2.5e-5`. Four significant digits at most.
pub fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    if (1e-3..1e5).contains(&value.abs()) {
        let digits = (3 - value.abs().log10().floor() as i32).clamp(0, 6) as usize;
        let text = format!("{value:.digits$}");
        let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        return text.to_owned();
    }
    let text = format!("{value:.3e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) => {
            let mantissa = if mantissa.contains('.') {
                mantissa.trim_end_matches('0').trim_end_matches('.')
            } else {
                mantissa
            };
            format!("{mantissa}e{exponent}")
        }
        None => text,
    }
}

/// `93.2 %`
pub fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1} %", share * 100.0) } else { "n/a".to_owned() }
}

/// `0.8 s`, `42 s`, `3 m 05 s`, `2 h 10 m`
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "?".to_owned();
    }
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} m {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} m", whole / 3600, whole % 3600 / 60),
    }
}

/// `3.4 MB`
pub fn bytes(bytes: u64) -> String {
    let value = bytes as f64;
    match bytes {
        0..10_000 => format!("{bytes} B"),
        10_000..1_000_000 => format!("{:.0} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        _ => format!("{:.1} GB", value / 1e9),
    }
}

/// `1 file`, `2 files`
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words
    Left,
    /// Numbers
    Right,
}

/// Rows as lines: columns line up, two spaces apart, each line after `indent`. Cells may hold colours. No row is
/// longer than `align`; a shorter one ends early.
pub fn table(rows: &[Vec<String>], align: &[Align], indent: &str) -> String {
    let widths: Vec<usize> = (0..align.len())
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| measure_text_width(cell))
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(indent);
        for ((cell, width), align) in row.iter().zip(&widths).zip(align) {
            let space = " ".repeat(width.saturating_sub(measure_text_width(cell)));
            match align {
                Align::Left => line.extend([cell, space.as_str(), "  "]),
                Align::Right => line.extend([space.as_str(), cell, "  "]),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The text, cut to `width` columns with `…` at the cut.
pub fn shorten(text: &str, width: usize) -> String {
    console::truncate_str(text, width, "…").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let rows: &[(f64, &str, &str)] = &[
            (0.01, "0.01", "a common rate"),
            (3e-4, "3e-4", "small numbers have an exponent"),
            (0.001, "0.001", "the border is written out"),
            (2.5e-5, "2.5e-5", "digits that matter stay"),
            (1.0 / 3.0, "0.3333", "four significant digits"),
            (0.0, "0", "nothing"),
            (100.0, "100", "zeros before the point are kept"),
            (12345.678, "12346", "no digits that nobody reads"),
            (f64::NAN, "NaN", "what is not a number says so"),
        ];
        for (value, text, why) in rows {
            assert_eq!(&number(*value), text, "{why}");
        }
    }

    #[test]
    fn durations_read_well() {
        for (seconds, text) in
            [(0.84, "0.8 s"), (42.2, "42 s"), (185.0, "3 m 05 s"), (7800.0, "2 h 10 m"), (f64::INFINITY, "?")]
        {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn counts_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(11_176_512), "11 176 512");
        assert_eq!(short(11_176_512), "11.2 M");
        assert_eq!(short(9_408), "9 408");
        assert_eq!(count(1, "file", "files"), "1 file");
    }

    #[test]
    fn columns_line_up_whatever_they_hold() {
        let rows = vec![
            vec!["Ameise".to_owned(), "7".to_owned()],
            vec!["蟻".to_owned(), "1 000".to_owned()],
            vec!["\u{1b}[1mbee\u{1b}[0m".to_owned(), "12".to_owned()],
        ];
        let text = table(&rows, &[Align::Left, Align::Right], "");
        let widths: Vec<usize> = text.lines().map(measure_text_width).collect();
        assert_eq!(widths, [13, 13, 13], "{text}");
    }
}
