//! The page that `luthier check` prints.

mod common;

use luthier::{show::plan_text, voice::Look};
use luthier_recipe::{Curve, Schedule, Unit};

#[test]
fn a_plan_is_a_page() {
    insta::assert_snapshot!(plan_text(&common::plan(), &Look::PLAIN, 0));
}

#[test]
fn a_narrow_window_without_unicode_gets_a_page_too() {
    let look = Look { unicode: false, width: 60, ..Look::PLAIN };
    let page = plan_text(&common::plan(), &look, 0);
    let odd: Vec<&str> = page.lines().filter(|line| !line.is_ascii()).collect();
    assert_eq!(odd, ["  11.2 M parameters, 11.2 M trained (99.9 %)"; 0], "signs that the window cannot show");
    insta::assert_snapshot!(page);
}

#[test]
fn verbose_gives_every_tensor_a_line() {
    let plan = common::plan();
    let page = plan_text(&plan, &Look::PLAIN, 1);
    for tensor in &plan.model.tensors {
        let lines = page.lines().filter(|line| line.split_whitespace().next() == Some(&tensor.name)).count();
        assert_eq!(lines, 1, "{}", tensor.name);
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let plan = common::plan();
    let colored = plan_text(&plan, &Look { color: true, ..Look::PLAIN }, 0);
    assert!(colored.contains('\u{1b}'));
    let stripped = console::strip_ansi_codes(&colored);
    // a coloured curve keeps its blanks at the end
    let trimmed: Vec<&str> = stripped.lines().map(str::trim_end).collect();
    assert_eq!(trimmed, plan_text(&plan, &Look::PLAIN, 0).lines().collect::<Vec<_>>());
}

#[test]
fn a_rate_that_waits_for_the_metric_has_no_sketch() {
    let mut plan = common::plan();
    let curve = Curve::ReduceLROnPlateau { factor: 0.1, patience: 10, threshold: 1e-4, min_lr: 0.0 };
    plan.recipe.schedule = Schedule { curve, unit: Unit::Epoch, ..Schedule::default() };
    plan.lr_factors.clear();
    let page = plan_text(&plan, &Look::PLAIN, 0);
    assert!(page.contains("lr 0.01 until the validation loss says otherwise"), "{page}");
}

#[test]
fn of_embeddings_no_figure_is_said_to_be_the_best() {
    let mut plan = common::plan();
    plan.recipe.contrastive = serde_json::from_str("{}").ok();
    let page = plan_text(&plan, &Look { width: 300, ..Look::PLAIN }, 0);
    let line = |key: &str| page.lines().find(|line| line.trim_start().starts_with(key)).unwrap_or_default();
    let evaluation = line("evaluation");
    assert!(evaluation.ends_with("alignment, uniformity, spread; none is called the best"), "{page}");
    assert!(evaluation.contains("nearest neighbours' accuracy") && !page.contains("best by"), "{page}");
    assert!(!line("checkpoints").contains("the best"), "{page}");
}

#[test]
fn what_is_contrasted_is_told_without_a_queue_where_there_is_none() {
    let page = |json: &str| {
        let mut plan = common::plan();
        plan.recipe.contrastive = serde_json::from_str(json).ok();
        assert!(plan.recipe.contrastive.is_some(), "{json}");
        plan_text(&plan, &Look { width: 300, ..Look::PLAIN }, 0)
    };
    let (queue, keys) = (page("{}"), luthier::text::count(16_384, "key", "keys"));
    assert!(queue.contains(&keys) && queue.contains("info_nce"), "{queue}");
    let sup_con = page(r#"{ "loss": ["sup_con"] }"#);
    for words in ["two views of", "no queue, no key encoder", "temperature   0.1", "sup_con"] {
        assert!(sup_con.contains(words), "{words}: {sup_con}");
    }
    let triplet = page(r#"{ "loss": ["triplet"], "m_per_class": 2, "triplet": { "mining": "semi-hard" } }"#);
    for words in
        ["of 2 samples each", "semi-hard: every two of a class", "euclidean on the unit sphere, margin 0.2"]
    {
        assert!(triplet.contains(words), "{words}: {triplet}");
    }
    assert!(!triplet.contains("temperature") && !triplet.contains(&keys), "{triplet}");
}

#[test]
fn many_classes_are_shortened() {
    let mut plan = common::plan();
    plan.data.classes = (0..1000).map(|class| format!("class-{class:03}")).collect();
    plan.data.splits[0].samples.relabel(|at, _| at as u32);
    let page = plan_text(&plan, &Look::PLAIN, 0);
    assert_eq!(page.lines().filter(|line| line.contains("class-")).count(), 8, "{page}");
}

#[test]
fn a_plan_of_nothing_does_not_panic() {
    let mut plan = common::plan();
    plan.data.classes.clear();
    plan.data.splits.clear();
    plan.model.tensors.clear();
    plan.groups.clear();
    plan.length.updates_per_epoch = 0;
    assert!(plan_text(&plan, &Look::PLAIN, 1).starts_with("hotdog"));
}
