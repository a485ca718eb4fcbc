use luthier_plan::{Plan, PrefixPlan, Role, StagePlan};

use super::Page;
use crate::text::{self, Align};

/// Columns of the time line.
const LINE: usize = 24;

/// The stages on a time line, and what runs once per sample.
pub fn stages(page: &mut Page, plan: &Plan) {
    if plan.recipe.stages.is_empty() {
        for prefix in plan.stages.iter().filter_map(|stage| stage.prefix.as_ref()) {
            page.section("Frozen parts", "run once per sample");
            let sentence = kept(plan, prefix);
            page.wrapped("", &sentence);
        }
        return;
    }
    page.section("Stages", &text::count(plan.stages.len() as u64, "stage", "stages"));
    let mut rows =
        vec![["", "epochs", "", "trained", "lr", "run once"].map(|title| page.dim(title)).to_vec()];
    for stage in &plan.stages {
        let last = stage.first_epoch + stage.epochs;
        let epochs =
            if stage.epochs == 1 { last.to_string() } else { format!("{}-{last}", stage.first_epoch + 1) };
        let once = stage.prefix.as_ref().map_or(String::new(), |prefix| span(plan, prefix));
        rows.push(vec![
            stage.name.clone(),
            epochs,
            time_line(page, plan, stage),
            text::short(trained(plan, stage)),
            format!("{} {}", page.look.sign("×", "x"), text::number(stage.lr_scale)),
            page.dim(&once),
        ]);
    }
    let align = [Align::Left, Align::Right, Align::Left, Align::Right, Align::Right, Align::Left];
    page.table(&rows, &align);
    page.quiet("each stage begins with a fresh optimizer");
}

fn time_line(page: &Page, plan: &Plan, stage: &StagePlan) -> String {
    let cell = |epoch: u64| (epoch as f64 / plan.length.epochs.max(1) as f64 * LINE as f64).round() as usize;
    let (from, to) = (cell(stage.first_epoch), cell(stage.first_epoch + stage.epochs).max(1));
    let (on, off) = (page.look.sign("━", "="), page.look.sign("·", "."));
    let from = from.min(to - 1);
    format!(
        "{}{}{}",
        page.dim(&off.repeat(from)),
        on.repeat(to - from),
        page.dim(&off.repeat(LINE.saturating_sub(to)))
    )
}

/// Scalars that a stage's optimizer moves.
fn trained(plan: &Plan, stage: &StagePlan) -> u64 {
    let tensors = plan.model.tensors.iter().enumerate();
    let moved = tensors.filter(|(index, tensor)| {
        tensor.trainable && tensor.role != Role::Buffer && !stage.resting.contains(index)
    });
    moved.map(|(_, tensor)| tensor.shape.iter().product::<i64>().unsigned_abs()).sum()
}

fn span(plan: &Plan, prefix: &PrefixPlan) -> String {
    let name = |index: usize| plan.model.parts.get(index).map_or("", String::as_str);
    match prefix.parts {
        1 => format!("`{}`", name(0)),
        parts => format!("`{}` to `{}`", name(0), name(parts - 1)),
    }
}

fn kept(plan: &Plan, prefix: &PrefixPlan) -> String {
    format!(
        "{} ({} of the parameters) give the same for a sample every time: they run once over {}, and what they give is \
         kept {} ({}). That saves {} runs of them",
        span(plan, prefix),
        text::percent(prefix.share),
        text::count(prefix.samples, "sample", "samples"),
        if prefix.on_disk { "in a file in the user's cache folder" } else { "in memory" },
        text::bytes(prefix.bytes),
        text::grouped(prefix.runs_saved),
    )
}
