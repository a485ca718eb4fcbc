use std::time::Instant;

use luthier::{
    args::{DataRenderArgs, DataScanArgs, DataSet},
    progress::Counter,
    show, text,
    voice::{Blame, Failure, Voice, print, print_json},
};
use luthier_data::{
    Limits, scan,
    scenes::{self, SceneOptions},
};
use serde_json::{Map, json};

/// `luthier data render`
pub fn render(args: &DataRenderArgs, threads: Option<u16>, voice: &Voice) -> Result<(), Failure> {
    let DataSet::Scenes = args.set;
    let options = SceneOptions {
        count: args.count,
        seed: args.seed,
        size: args.size,
        threads: threads.map_or(0, usize::from),
        valid: args.valid.unwrap_or(0.0),
        by: args.by,
        fixed: args.fix.clone(),
        force: args.force,
    };
    let begun = Instant::now();
    let counter = Counter::new("drawing", args.count as u64, voice);
    let summary = scenes::render(&args.out, &options, &|done, _| counter.tell(done as u64));
    counter.end();
    let summary = summary.or_call()?;

    if voice.json {
        let classes: Map<_, _> =
            summary.classes.iter().map(|(class, count)| (class.clone(), json!(count))).collect();
        return print_json(&json!({
            "out": args.out,
            "pictures": summary.pictures,
            "valid": summary.valid,
            "by": args.by.name(),
            "classes": classes,
            "bytes": summary.bytes,
            "seconds": begun.elapsed().as_secs_f64(),
        }));
    }
    let pictures = text::count(summary.pictures as u64, "picture", "pictures");
    let apart = if summary.valid > 0 {
        format!(", {} of them in `valid/`", text::grouped(summary.valid as u64))
    } else {
        String::new()
    };
    let kinds = match args.by.name() {
        "shape" => format!("{} shapes", summary.classes.len()),
        name => format!("{} classes by {name}", summary.classes.len()),
    };
    voice.status(
        "drew",
        &format!(
            "{pictures} of {}{apart}, into `{}` ({}, {})",
            kinds,
            args.out.display(),
            text::bytes(summary.bytes),
            text::duration(begun.elapsed().as_secs_f64()),
        ),
    );
    Ok(())
}

/// `luthier data scan`
pub fn scan(args: &DataScanArgs, voice: &Voice) -> Result<(), Failure> {
    let limits = Limits::default();
    let report = scan::scan(&args.path, limits).or_call()?;
    if let Some(out) = &args.contact_sheet {
        scan::contact_sheet(&report, out, limits).or_subject()?;
    }
    if voice.json {
        print_json(&report)?;
    } else {
        print(&show::scan_text(&report, &voice.stdout_look(), voice.verbose))?;
    }
    if let Some(out) = &args.contact_sheet {
        voice.status("drew", &format!("`{}`", out.display()));
    }
    Ok(())
}
