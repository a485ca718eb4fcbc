//! What the world's weights of an architecture expect.

use luthier_recipe::Arch;

/// Every architecture that has published weights.
pub const ARCHS: [Arch; 7] = [
    Arch::Resnet18,
    Arch::Resnet34,
    Arch::Resnet50,
    Arch::EfficientnetLite0,
    Arch::Gpt2,
    Arch::Bert,
    Arch::Vit,
];

/// The architecture's name, as recipes write it.
pub fn arch_name(arch: Arch) -> &'static str {
    match arch {
        Arch::Resnet18 => "resnet18",
        Arch::Resnet34 => "resnet34",
        Arch::Resnet50 => "resnet50",
        Arch::EfficientnetLite0 => "efficientnet-lite0",
        Arch::Gpt2 => "gpt2",
        Arch::Bert => "bert",
        Arch::Vit => "vit",
        Arch::Sequential => "sequential",
    }
}

/// What pictures the published weights of an architecture were trained on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Facts {
    /// Height and width in pixels
    pub input_size: u32,
    /// Mean that is subtracted, of red, green and blue in 0..1
    pub mean: [f64; 3],
    /// What the difference is divided by
    pub std: [f64; 3],
}

/// What pictures the published ImageNet weights of `arch` were trained on; `None` for architectures of texts, and where there are no such weights.
pub fn facts(arch: Arch) -> Option<Facts> {
    let (mean, std) = match arch {
        Arch::Resnet18 | Arch::Resnet34 | Arch::Resnet50 => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        // (x - 127) / 128 over 0..255. The package's manual shows ImageNet's mean and deviation, which it took over
        // from another network: with those, a third of the ants and bees are told wrongly, with these, a sixth.
        Arch::EfficientnetLite0 => ([127.0 / 255.0; 3], [128.0 / 255.0; 3]),
        // Google's; those of DeiT want ImageNet's
        Arch::Vit => ([0.5; 3], [0.5; 3]),
        Arch::Gpt2 | Arch::Bert | Arch::Sequential => return None,
    };
    Some(Facts { input_size: 224, mean, std })
}
