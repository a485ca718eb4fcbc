//! # DAT303 script-box-format
//!
//! ## What it finds
//! Boxes in COCO's format, a corner and a size (xywh), given to what wants two corners (xyxy): torchvision's detectors
//! and its measures of overlap.
//!
//! ## Why it hurts
//! Both are four numbers, and nothing complains as long as width and height are larger than the corner. The detector
//! learns boxes that are not there, and its precision stays near 0.
//!
//! ## How it is measured
//! The script makes such a detector or calls such a measure; it reads `["bbox"]` of an annotation, or names its boxes
//! `XYWH`; and nothing in it converts: no `box_convert`, no name with `xyxy`, no size that is added to a corner.
//!
//! ## Example
//! ```python
//! model = torchvision.models.detection.fasterrcnn_resnet50_fpn(weights="DEFAULT")
//! target = {"boxes": torch.tensor([a["bbox"] for a in annotations]), "labels": labels}
//! ```
//!
//! ## Fix
//! `box_convert(boxes, "xywh", "xyxy")` of `torchvision.ops`, where the target is made.
//!
//! ## When it is wrong
//! When the annotations of this data set hold two corners under `bbox`, or another file converts them.
//!
//! ## Source
//! `torchvision.models.detection`: "boxes (FloatTensor[N, 4]): the ground-truth boxes in [x1, y1, x2, y2] format"; COCO's
//! data format: "bbox: [x, y, width, height]".

use crate::script::{Call, Place, Script};
use crate::{Category, Facts, Finding, Rule, Severity};

/// The rule.
pub static RULE: Rule =
    super::rule("DAT303", "script-box-format", Category::Data, include_str!("box_format.rs"), look);

/// Beginnings of what makes a detector of torchvision, in small letters.
const DETECTORS: [&str; 9] = [
    "fasterrcnn",
    "maskrcnn",
    "keypointrcnn",
    "retinanet",
    "fcos_",
    "ssd300",
    "ssdlite320",
    "generalized_box_iou",
    "complete_box_iou",
];

fn look(rule: &Rule, facts: &Facts) -> Vec<Finding> {
    super::over(facts, |script| {
        let Some(user) = script.calls.iter().find(|call| wants_corners(call)) else { return Vec::new() };
        let Some((place, text)) = sizes(script).filter(|_| !converts(script)) else { return Vec::new() };
        let finding = super::at(rule, script, place)
            .weigh(Severity::Warning, 0.85)
            .evidence(format!("`{text}` is a corner and a size, as COCO writes boxes"))
            .evidence(format!("`{}` of line {} wants two corners (x1, y1, x2, y2)", user.callee, user.at.line))
            .because(
                "nothing in the script makes corners of the sizes: boxes are read as others than they are",
                "the boxes that the model is given have x2 > x1 and y2 > y1, and fit their pictures when drawn",
            );
        vec![super::change(
            finding,
            "`torchvision.ops.box_convert(boxes, \"xywh\", \"xyxy\")` where the target is made",
        )]
    })
}

fn wants_corners(call: &Call) -> bool {
    let name = call.short().to_lowercase();
    DETECTORS.iter().any(|start| name.starts_with(start)) || name == "box_iou"
}

/// Texts of the script, with their places: what names are given, what calls are given, what functions give back.
fn texts(script: &Script) -> impl Iterator<Item = (Place, &str)> {
    let assigned = script.assigned.iter().map(|assigned| (assigned.at, assigned.value.as_str()));
    let given = script.calls.iter().flat_map(|call| call.args.iter().map(|arg| (call.at, arg.text.as_str())));
    let returned = script.returned.iter().map(|returned| (returned.at, returned.value.as_str()));
    assigned.chain(given).chain(returned)
}

/// Where boxes of a corner and a size come from, and the text that says so.
fn sizes(script: &Script) -> Option<(Place, &str)> {
    let read = ["[\"bbox\"]", "['bbox']", ".get(\"bbox\"", ".get('bbox'"];
    let named = |text: &str| {
        let text = text.trim_matches(['"', '\'']);
        text == "XYWH" || text.ends_with("BoundingBoxFormat.XYWH")
    };
    let all = texts(script).filter(|(_, text)| read.iter().any(|word| text.contains(word)) || named(text));
    all.min_by_key(|(place, text)| (*place, text.len()))
}

/// Something in the script may make two corners of a corner and a size.
fn converts(script: &Script) -> bool {
    let called = script.calls.iter().any(|call| {
        let name = call.callee.to_lowercase();
        // `box_convert`, `ConvertBoundingBoxFormat`, `xywh2xyxy`; the wrapper of torchvision's data sets converts too
        name.contains("convert") || name.contains("xyxy") || name.contains("wrap_dataset")
    });
    let added = script.assigned.iter().any(|assigned| assigned.added && assigned.name.contains("2"));
    called
        || added
        || texts(script).any(|(_, text)| text.to_lowercase().contains("xyxy") || adds_a_size(text))
}

/// `x + w`, `box[0] + box[2]`, `boxes[:, :2] + boxes[:, 2:]`.
fn adds_a_size(text: &str) -> bool {
    text.split('+').skip(1).any(|right| {
        let right = right.trim_start();
        let end = right.find(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == '.'));
        let (name, rest) = right.split_at(end.unwrap_or(right.len()));
        let name = name.to_lowercase();
        let last = name.rsplit(['_', '.']).next().unwrap_or_default();
        let index = rest.split(']').next().unwrap_or_default();
        ["w", "h", "bw", "bh", "width", "height"].contains(&last)
            || rest.starts_with('[') && (index.contains('2') || index.contains('3'))
            || rest.starts_with('[') && (index.contains("\"w") || index.contains("'w"))
    })
}
