use luthier_plan::Plan;
use luthier_recipe::Unit;

use super::{Page, chart::chart, words};
use crate::{
    text,
    voice::{BOLD, GREEN},
};

/// Lines of the sketch.
const HEIGHT: usize = 5;

/// The learning rate over the run: a sketch, and the numbers that sum it up.
pub fn schedule(page: &mut Page, plan: &Plan) {
    let schedule = &plan.recipe.schedule;
    let (name, mut arguments) = words::call(&schedule.curve, "type");
    let unit = match schedule.unit {
        Unit::Epoch => "per epoch",
        Unit::Step => "per step",
    };
    if name != "constant" {
        let gap = if arguments.is_empty() { "" } else { ", " };
        arguments.push_str(&format!("{gap}{unit}"));
    }
    page.section("Schedule", &format!("{name}  {}", page.dim(&arguments)));
    if schedule.warmup.steps > 0 {
        let steps = text::count(schedule.warmup.steps, "step", "steps");
        page.quiet(&format!("warm-up of {steps} from {} × lr", text::number(schedule.warmup.start)));
    }

    let base = plan.groups.first().map_or(plan.recipe.optim.lr, |group| group.lr);
    let rates: Vec<f64> = plan.lr_factors.iter().map(|factor| factor * base).collect();
    let (Some(first), Some(last)) = (rates.first(), rates.last()) else {
        page.line(&format!("lr {} until the validation loss says otherwise", text::number(base)));
        return;
    };
    let peak = rates.iter().copied().fold(f64::MIN, f64::max);
    sketch(page, plan, &rates, peak);

    let arrow = page.look.sign("→", "->");
    let bold = |value: f64| page.look.paint(BOLD, &text::number(value));
    let mut line = format!("lr {} {arrow} {}", bold(*first), bold(*last));
    if peak > first.max(*last) {
        line = format!("lr {} {arrow} {} {arrow} {}", bold(*first), bold(peak), bold(*last));
    }
    let sum: f64 = rates.iter().sum();
    let share = sum / (base * rates.len() as f64);
    line.push_str(&format!(
        "   budget {} {} over {} ({} of a constant {})",
        page.look.sign("Σ lr", "sum lr"),
        bold(sum),
        text::count(rates.len() as u64, "update", "updates"),
        text::percent(share),
        text::number(base)
    ));
    page.line(&line);
    if plan.groups.iter().any(|group| group.lr != base) {
        page.quiet("the other groups follow the same curve from their own lr");
    }
}

fn sketch(page: &mut Page, plan: &Plan, rates: &[f64], peak: f64) {
    let label = text::number(peak);
    let margin = label.len().max(1);
    let width = page.look.width.saturating_sub(margin + 6).min(64);
    let (axis, corner, floor) =
        (page.look.sign("┤", "|"), page.look.sign("└", "+"), page.look.sign("─", "-"));
    for (at, line) in chart(rates, width, HEIGHT, page.look.unicode).iter().enumerate() {
        let label = if at == 0 { label.as_str() } else { "" };
        let side = if at == 0 { axis } else { page.look.sign("│", "|") };
        let curve = page.look.paint(GREEN, line);
        page.line(&format!("{} {}{curve}", page.dim(&format!("{label:>margin$}")), page.dim(side)));
    }
    let epochs = plan.length.epochs.to_string();
    page.quiet(&format!("{:>margin$} {corner}{}", "0", floor.repeat(width)));
    let end = width.saturating_sub("epoch 0".len());
    page.quiet(&format!("{:>margin$}  epoch 0{epochs:>end$}", ""));
}
