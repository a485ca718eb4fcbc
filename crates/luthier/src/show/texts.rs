use luthier_plan::{Plan, TextPlan};

use super::Page;
use crate::text::{self, Align};

/// Tokenizer, lengths and what the head reads.
pub fn texts(page: &mut Page, plan: &Plan, texts: &TextPlan) {
    page.section(
        "Texts",
        &format!("tokenizer `{}`, {} tokens", texts.tokenizer, text::grouped(texts.vocabulary)),
    );
    let mut rows = vec![["split", "tokens", "mean", "longest", "cut"].map(|title| page.dim(title)).to_vec()];
    for (split, tokens) in plan.data.splits.iter().zip(&texts.splits) {
        let mean = tokens.tokens as f64 / split.samples.len().max(1) as f64;
        rows.push(vec![
            split.name.clone(),
            text::grouped(tokens.tokens),
            text::number(mean),
            text::grouped(tokens.longest),
            text::grouped(tokens.cut),
        ]);
    }
    page.table(&rows, &[Align::Left, Align::Right, Align::Right, Align::Right, Align::Right]);
    page.line(&format!(
        "at most {} of a text; the head reads {}",
        text::count(texts.max_length, "token", "tokens"),
        match texts.pool.as_str() {
            "last-token" => "the last token",
            "cls" => "the first token",
            _ => "the mean over all tokens",
        }
    ));
    let pad = match &texts.pad_token {
        Some((token, id)) => format!("other tools pad with `{token}` ({id}), on the {}", texts.padding_side),
        None => "the tokenizer names no token to pad with".to_owned(),
    };
    page.quiet(&format!("sequences are packed, not padded to the longest; {pad}"));
}
