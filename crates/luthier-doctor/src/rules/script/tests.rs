//! Each rule: a script that has the fault, and one that looks like it and has not.

#![allow(clippy::unwrap_used, reason = "a test that fails should fail")]

use crate::script::read;
use crate::{Facts, Finding, Severity, judge};

use super::SCRIPT;

/// A training script in which nothing is wrong.
const HEALTHY: &str = include_str!("../../../tests/fixtures/scripts/healthy.py");
/// Two data streams, two optimizers, schedules stepped once a batch.
const REPLAY: &str = include_str!("../../../tests/fixtures/scripts/replay.py");

fn findings(text: &str) -> Vec<Finding> {
    let script = read("train.py", text).unwrap();
    judge("script", &Facts { script: Some(&script), ..Facts::default() }).findings
}

fn said(code: &str, text: &str) -> Vec<(Severity, usize)> {
    let all = findings(text).into_iter().filter(|finding| finding.code == code);
    all.map(|finding| (finding.severity, finding.line.unwrap())).collect()
}

/// The healthy script with some text for another.
fn changed(pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(HEALTHY.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

/// A line after which others can stand.
const HEAD: &str = "    model.fc = nn.Linear(512, 10)\n";
/// A detector of torchvision, and COCO's boxes as they are.
const COCO: &str = "    model.fc = nn.Linear(512, 10)\n    detector = models.detection.fasterrcnn_resnet50_fpn()\n    \
                    boxes = [note[\"bbox\"] for note in notes]\n    targets = [{\"boxes\": torch.tensor(boxes)}]\n";

/// The model among other processes, its samples dealt out, and every epoch in an order of its own.
const WRAPPED: &str = "    model.fc = nn.Linear(512, 10)\n    model = DistributedDataParallel(model)\n";
const DEALT: (&str, &str) =
    ("batch_size=64, shuffle=True", "batch_size=64, sampler=DistributedSampler(train_set)");
const TOLD: (&str, &str) =
    ("        model.train()\n", "        model.train()\n        train_loader.sampler.set_epoch(epoch)\n");

const PADDED: (&str, &str) = (
    "datasets.ImageFolder(\"valid\"), batch_size=64",
    "valid_set, batch_size=64, sampler=DistributedSampler(valid_set, shuffle=False)",
);

/// A rule, how grave its finding is, and edits that bring the fault in.
type Case<'a> = (&'a str, Severity, &'a [(&'a str, &'a str)]);

#[test]
fn a_healthy_script_has_nothing() {
    assert_eq!(findings(HEALTHY), []);
}

#[test]
fn every_rule_finds_its_fault_and_says_where_and_what_to_do() {
    let step = "            optimizer.step()\n";
    let cases: &[Case<'_>] = &[
        (
            "SCH301",
            Severity::Error,
            &[(step, "            optimizer.step()\n            scheduler.step()\n")],
        ),
        (
            "SCH302",
            Severity::Error,
            &[(
                "StepLR(optimizer, step_size=10, gamma=0.5)",
                "OneCycleLR(optimizer, 0.1, total_steps=30 * len(train_loader))",
            )],
        ),
        (
            "SCH303",
            Severity::Warning,
            &[
                ("        model.train()\n", "        model.train()\n        scheduler.step()\n"),
                ("        scheduler.step()\n        check", "        check"),
            ],
        ),
        ("OPT301", Severity::Error, &[("default=1e-4", "default=0.01")]),
        (
            "OPT302",
            Severity::Warning,
            &[(
                "    scheduler = ",
                "    second = torch.optim.SGD(model.fc.parameters(), lr=0.001)\n    scheduler = ",
            )],
        ),
        ("LOO301", Severity::Error, &[("            optimizer.zero_grad()\n", "")]),
        (
            "LOO302",
            Severity::Error,
            &[(step, "            optimizer.zero_grad()\n            optimizer.step()\n")],
        ),
        (
            "LOO303",
            Severity::Warning,
            &[
                (
                    step,
                    "            optimizer.step()\n            nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n",
                ),
                ("            nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n", ""),
            ],
        ),
        ("LOO304", Severity::Warning, &[("        model.train()\n", "")]),
        ("LOO305", Severity::Warning, &[("total += loss.item()", "total += loss")]),
        ("LOO306", Severity::Info, &[("    torch.manual_seed(0)\n", "")]),
        (
            "OUT301",
            Severity::Error,
            &[(
                "outputs = model(x)\n            loss",
                "outputs = F.softmax(model(x), dim=1)\n            loss",
            )],
        ),
        ("EVA301", Severity::Warning, &[("    model.eval()\n", "")]),
        (
            "DAT301",
            Severity::Warning,
            &[("for x, y in loader", "for (x, y), (a, b) in zip(loader, other_loader)")],
        ),
        (
            "FIN301",
            Severity::Error,
            &[(
                "models.resnet18(weights=\"DEFAULT\")",
                "get_peft_model(AutoModelForImageClassification.from_pretrained(\"vit\"), LoraConfig(r=8))",
            )],
        ),
        ("DAT302", Severity::Warning, &[("batch_size=64, shuffle=True", "batch_size=64")]),
        ("DAT303", Severity::Warning, &[(HEAD, COCO)]),
        (
            "DIS301",
            Severity::Warning,
            &[("batch_size=64, shuffle=True", "batch_size=64, sampler=DistributedSampler(train_set)")],
        ),
        ("DIS302", Severity::Error, &[(HEAD, WRAPPED)]),
        (
            "DIS303",
            Severity::Error,
            &[(HEAD, WRAPPED), DEALT, TOLD, ("outputs = model(x)", "outputs = model.module(x)")],
        ),
        ("DIS304", Severity::Info, &[(HEAD, WRAPPED), DEALT, TOLD, PADDED]),
    ];
    for (code, severity, pairs) in cases {
        let text = changed(pairs);
        let found: Vec<Finding> = findings(&text);
        let codes: Vec<&str> = found.iter().map(|finding| finding.code.as_str()).collect();
        assert_eq!(codes, [*code], "{found:#?}");
        assert_eq!(found[0].severity, *severity, "{code}");
        let place: Vec<&str> = found[0].place.split(':').collect();
        assert!(place[0] == "train.py" && place[1].parse::<usize>().is_ok(), "{}", found[0].place);
        assert!(found[0].fix.is_some() && !found[0].explanation.is_empty() && !found[0].refute.is_empty());
    }
    let covered: Vec<&str> = cases.iter().map(|(code, ..)| *code).collect();
    for rule in SCRIPT {
        assert!(covered.contains(&rule.code), "{} has no case", rule.code);
    }
}

#[test]
fn what_looks_like_a_fault_and_is_none_is_left_alone() {
    let step = "            optimizer.step()\n";
    let twice = "            optimizer.step()\n            scheduler.step()\n";
    let cases: &[&[(&str, &str)]] = &[
        // schedules that count batches
        &[
            (step, twice),
            ("        scheduler.step()\n        check", "        check"),
            (
                "StepLR(optimizer, step_size=10, gamma=0.5)",
                "OneCycleLR(optimizer, 0.1, total_steps=30 * len(train_loader))",
            ),
        ],
        &[
            (step, twice),
            ("        scheduler.step()\n        check", "        check"),
            (
                "StepLR(optimizer, step_size=10, gamma=0.5)",
                "CosineAnnealingLR(optimizer, T_max=30 * len(train_loader))",
            ),
        ],
        &[
            (step, twice),
            ("        scheduler.step()\n        check", "        check"),
            ("step_size=10", "step_size=30000"),
        ],
        // a head of its own, and everything else at rest
        &[("default=1e-4", "default=0.01"), ("model.parameters(), lr", "model.fc.parameters(), lr")],
        &[
            ("default=1e-4", "default=0.01"),
            (
                "    optimizer = ",
                "    for p in model.parameters():\n        p.requires_grad = False\n    optimizer = ",
            ),
        ],
        &[("weights=\"DEFAULT\"", "weights=None"), ("default=1e-4", "default=0.01")],
        // one of two optimizers
        &[(
            "    scheduler = ",
            "    if args.sgd:\n        optimizer = torch.optim.SGD(model.parameters(), lr=0.001)\n    scheduler = ",
        )],
        // two models, as in adversarial training
        &[(
            "    scheduler = ",
            "    other = torch.optim.SGD(critic.parameters(), lr=0.001)\n    scheduler = ",
        )],
        // accumulation
        &[
            (
                step,
                "            if i % 4 == 3:\n                optimizer.step()\n                optimizer.zero_grad()\n",
            ),
            ("            optimizer.zero_grad()\n            outputs", "            outputs"),
        ],
        // probabilities that are only shown, and a log
        &[("total += loss.item()", "total += loss.item()\n            shown = F.softmax(outputs, dim=1)")],
        &[(
            "outputs = model(x)\n            loss",
            "outputs = F.log_softmax(model(x), dim=1)\n            loss",
        )],
        // words in comments and strings
        &[(
            "    torch.manual_seed(0)\n",
            "    torch.manual_seed(0)\n    # optimizer.step() in a loop\n    print('zip(a_loader, b_loader)')\n",
        )],
        // processes that share the samples, and an evaluation that goes round the wrapper
        &[(HEAD, WRAPPED), DEALT, TOLD, ("right += (model(x)", "right += (model.module(x)")],
        // what was added is taken out again, or nothing is added
        &[
            (HEAD, WRAPPED),
            DEALT,
            TOLD,
            PADDED,
            ("right += (model(x)", "right += gather_for_metrics(model(x)"),
        ],
        &[(HEAD, WRAPPED), DEALT, TOLD, PADDED, ("shuffle=False)", "shuffle=False, drop_last=True)")],
        // a process's own share
        &[(HEAD, WRAPPED), ("ImageFolder(\"train\")", "Shards(\"train\", rank=rank)")],
        // gradients exchanged by hand
        &[
            (HEAD, WRAPPED),
            DEALT,
            TOLD,
            ("outputs = model(x)", "outputs = model.module(x)"),
            (
                step,
                "            dist.all_reduce(model.module.fc.weight.grad)\n            optimizer.step()\n",
            ),
        ],
        // a mode given as an argument
        &[("    model.eval()\n", "    model.train(False)\n")],
    ];
    for pairs in cases {
        let found: Vec<String> = findings(&changed(pairs))
            .into_iter()
            .map(|finding| format!("{} {} {:?}", finding.code, finding.place, finding.evidence))
            .collect();
        assert!(found.is_empty(), "{pairs:?}: {found:#?}");
    }
}

#[test]
fn boxes_that_are_converted_anywhere_or_go_nowhere_are_left_alone() {
    let said = |from: &str, to: &str| {
        assert!(COCO.contains(from), "{from}");
        said("DAT303", &changed(&[(HEAD, &COCO.replacen(from, to, 1))]))
    };
    assert_eq!(said("", ""), [(Severity::Warning, 33)]);
    // torchvision's own boxes say what they are, and a detector takes them as they come
    let named = "boxes = BoundingBoxes(drawn, format=\"XYWH\", canvas_size=size)";
    assert_eq!(said("boxes = [note[\"bbox\"] for note in notes]", named), [(Severity::Warning, 33)]);
    let fine = [
        ("torch.tensor(boxes)", "box_convert(torch.tensor(boxes), \"xywh\", \"xyxy\")"),
        ("torch.tensor(boxes)", "xywh2xyxy(torch.tensor(boxes))"),
        ("torch.tensor(boxes)", "torch.tensor([[x, y, x + w, y + h] for x, y, w, h in boxes])"),
        ("torch.tensor(boxes)", "torch.tensor([[b[0], b[1], b[0] + b[2], b[1] + b[3]] for b in boxes])"),
        ("    targets", "    boxes = torch.tensor(boxes)\n    boxes[:, 2:] += boxes[:, :2]\n    targets"),
        // another detector, and no detector at all
        ("models.detection.fasterrcnn_resnet50_fpn()", "YOLO(\"yolo11n.pt\")"),
        ("note[\"bbox\"]", "note[\"corners\"]"),
    ];
    for (from, to) in fine {
        assert_eq!(said(from, to), [], "{to}");
    }
}

#[test]
fn replay_with_two_optimizers_names_its_three_faults() {
    let found = findings(REPLAY);
    let grave: Vec<(&str, usize)> = found
        .iter()
        .filter(|finding| finding.severity > Severity::Info)
        .map(|finding| (finding.code.as_str(), finding.line.unwrap()))
        .collect();
    assert_eq!(
        grave,
        [("SCH301", 44), ("SCH301", 45), ("OPT301", 22), ("OPT302", 25), ("DAT301", 49)],
        "{found:#?}"
    );
    assert!(found[0].evidence[1].contains("worth 6 at the first rate"), "{:?}", found[0].evidence);
}

#[test]
fn softmax_is_found_through_names_and_classes() {
    let through = changed(&[(
        "outputs = model(x)\n            loss",
        "scores = model(x)\n            outputs = scores.softmax(dim=1)\n            loss",
    )]);
    assert_eq!(said("OUT301", &through).len(), 1);
    let class = "import torch.nn as nn\nclass Net(nn.Module):\n    def forward(self, x):\n        x = self.fc(x)\n        return F.softmax(x, dim=1)\n\
net = Net()\nloss_fn = nn.CrossEntropyLoss()\nfor x, y in loader:\n    loss = loss_fn(net(x), y)\n";
    assert_eq!(said("OUT301", class), [(Severity::Error, 9)]);
    let stack = "net = nn.Sequential(nn.Linear(4, 2), nn.Softmax(dim=1))\nloss_fn = nn.CrossEntropyLoss()\n\
for x, y in loader:\n    out = net(x)\n    loss = loss_fn(out, y)\n";
    assert_eq!(said("OUT301", stack), [(Severity::Error, 5)]);
    let attention = class.replace("return F.softmax(x, dim=1)", "return F.softmax(x, dim=1) @ v");
    assert_eq!(said("OUT301", &attention), []);
}

#[test]
fn what_is_no_python_is_read_around() {
    let broken = HEALTHY.replacen("    torch.manual_seed(0)\n", "    torch.manual_seed(0)\n    x = = 3\n", 1);
    let script = read("train.py", &broken).unwrap();
    assert!(!script.broken.is_empty());
    assert_eq!(findings(&broken), []);
    for text in ["", "((((", "\u{0}\u{0}", "for", &"(".repeat(5000), &"if x:\n".repeat(300)] {
        let script = read("train.py", text).unwrap();
        assert!(script.calls.is_empty());
    }
    assert!(read("train.py", &"#".repeat(5 << 20)).is_err());
}
