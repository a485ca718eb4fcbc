//! Networks as sequences of parts.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use common::pictures;
use luthier_model::{ARCHS, Flow, Input, Model, ModelError, Spec, Tokens};
use luthier_recipe::Arch;
use tch::{Device, Tensor};

fn names(model: &Model) -> Vec<&str> {
    model.parts().iter().map(|part| part.name.as_str()).collect()
}

#[test]
fn every_tensor_belongs_to_one_part() {
    for arch in ARCHS {
        let model = common::model(arch);
        for entry in model.store.entries() {
            let owners = model.parts().iter().filter(|part| part.owns(&entry.name)).count();
            assert_eq!(owners, 1, "{arch:?}: {}", entry.name);
        }
        // in order: what comes later in the state runs later
        let parts: Vec<_> =
            model.store.entries().iter().map(|entry| model.part_of(&entry.name).unwrap()).collect();
        assert!(parts.is_sorted(), "{arch:?}: {parts:?}");
        assert_eq!(model.part_of(&format!("{}.weight", model.head)), Some(model.parts().len() - 1));
        assert_eq!(model.part_of("nonsense.weight"), None);
        for part in 0..model.parts().len() {
            assert!(parts.contains(&part), "{arch:?}: `{}` has no parameters", model.parts()[part].name);
        }
    }
}

#[test]
fn parts_have_the_names_of_their_layers() {
    let model = common::model(Arch::Resnet18);
    assert_eq!(
        names(&model),
        [
            "stem", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1", "layer4.0",
            "layer4.1", "fc"
        ]
    );
    let model = common::model(Arch::Gpt2);
    assert_eq!(names(&model), ["embeddings", "h.0", "h.1", "h.2", "head"]);
    let model = common::model(Arch::Bert);
    let expected = ["embeddings", "encoder.layer.0", "encoder.layer.1", "encoder.layer.2", "head"];
    assert_eq!(names(&model), expected);
    // a name that only begins like a layer is not below it
    assert_eq!(model.part_of("encoder.layer.1"), Some(2));
    assert_eq!(model.part_of("encoder.layer.11.output.dense.bias"), None);
}

#[test]
fn what_is_noisy_says_so() {
    let noisy = |model: &Model| -> Vec<String> {
        model.parts().iter().filter(|part| part.noisy).map(|part| part.name.clone()).collect()
    };
    assert!(noisy(&Model::new(Arch::Resnet50, 3, None, 1, Device::Cpu).unwrap()).is_empty());
    assert!(noisy(&common::model(Arch::EfficientnetLite0)).is_empty());
    // the residual blocks, without the first one of a stage, and the dropout before the head
    let expected = [2, 4, 6, 7, 9, 10, 12, 13, 14]
        .map(|index| format!("_blocks.{index}"))
        .into_iter()
        .chain(["_fc".into()]);
    let model = Model::new(Arch::EfficientnetLite0, 3, None, 1, Device::Cpu).unwrap();
    assert_eq!(noisy(&model), expected.collect::<Vec<_>>());
    // GPT-2 has no dropout before its head
    for (arch, last) in [(Arch::Gpt2, "h.2"), (Arch::Bert, "head")] {
        assert!(noisy(&common::model(arch)).is_empty());
        let spec = Spec { dropout: None, ..common::spec(arch, 3) };
        let noisy = noisy(&Model::build(&spec, 1, Device::Cpu).unwrap());
        assert_eq!((noisy[0].as_str(), noisy.last().unwrap().as_str()), ("embeddings", last));
    }
}

#[test]
fn part_by_part_is_all_at_once() {
    let _guard = tch::no_grad_guard();
    for arch in ARCHS {
        for train in [false, true] {
            // two of them: training moves running statistics
            let [whole, parted] = [0, 1].map(|_| common::model(arch));
            let input = || common::input(arch);
            let expected = whole.forward(&input(), train).unwrap();
            let mut flow = parted.begin(&input()).unwrap();
            let mut kept: Vec<(Tensor, Tensor)> = Vec::new();
            for part in 0..parted.parts().len() {
                let before = flow.hidden.shallow_clone();
                kept.push((before.copy(), before));
                flow = parted.run(part..part + 1, flow, train).unwrap();
            }
            assert_eq!(flow.hidden, expected, "{arch:?}");
            for (part, (copy, before)) in kept.iter().enumerate() {
                assert_eq!(copy, before, "{arch:?}: part {part} changed what it was given");
            }
            for (a, b) in whole.state().iter().zip(parted.state()) {
                assert_eq!(*a, b, "{arch:?}");
            }
        }
    }
}

#[test]
fn a_prefix_can_be_kept() {
    let _guard = tch::no_grad_guard();
    let model = common::model(Arch::Resnet18);
    let expected = common::logits(&model, &pictures(64, 2), false).unwrap();
    let head = model.part_of("fc.weight").unwrap();
    let flow = model.begin(&Input::Pictures(pictures(64, 2))).unwrap();
    let kept = model.run(0..head, flow, false).unwrap().hidden;
    assert_eq!(kept.size(), [2, 512], "what the head reads, not the pixels it is the mean of");
    let rest = model.run(head..head + 1, Flow::plain(kept), false).unwrap();
    assert_eq!(rest.hidden, expected);
}

#[test]
fn what_is_not_there_is_not_run() {
    let model = common::model(Arch::Resnet18);
    let flow = || model.begin(&Input::Pictures(pictures(32, 1))).unwrap();
    #[expect(clippy::reversed_empty_ranges, reason = "that is what is asked for")]
    for range in [8..11, 11..12, 3..2] {
        let error = model.run(range.clone(), flow(), false).unwrap_err();
        assert!(matches!(error, ModelError::Parts { .. }), "{error}");
        assert!(error.to_string().contains("has 10 parts"), "{error}");
    }
    assert_eq!(model.run(3..3, flow(), false).unwrap().hidden, pictures(32, 1));
    let error = common::model(Arch::Bert).forward(&common::input(Arch::Resnet18), false).unwrap_err();
    assert_eq!(error.to_string(), "the architecture computes on text, and was given pictures");
    let tokens = Input::Tokens(Tokens::pack(&[vec![1_u32, 2]]).unwrap());
    let error = model.forward(&tokens, false).unwrap_err();
    assert_eq!(error.to_string(), "the architecture computes on pictures, and was given text");
}
