"""LoRA: what Luthier exports, peft loads, and what peft saves, Luthier goes on from; the same probabilities both ways."""

import json
import unittest

import torch
from PIL import Image
from peft import LoraConfig, PeftModel, get_peft_model
from torchvision import transforms
from transformers import AutoModelForImageClassification, ViTConfig, ViTForImageClassification

from common import RECIPE, classes, luthier, pictures, workspace

CHAIN = transforms.Compose([
    transforms.CenterCrop(64),
    transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])


def base():
    """A small ViT by transformers, for pictures of another size than the recipe's."""
    folder = workspace() / "vit-base"
    if not folder.exists():
        torch.manual_seed(1)
        config = ViTConfig(
            hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, image_size=96, patch_size=16,
        )
        ViTForImageClassification(config).save_pretrained(folder)
    return folder


def recipe(name, lora):
    path = workspace() / f"{name}.toml"
    text = RECIPE.replace('arch = "resnet18"\nweights = "none"', f'arch = "vit"\nweights = "vit-base"\nlora = {lora}')
    path.write_text(text.replace("lr = 0.02", "lr = 0.1"))
    return path


def batch():
    return torch.stack([CHAIN(Image.open(path).convert("RGB")) for path in pictures()])


def predicted(run, names):
    rows = json.loads(luthier("predict", run, *pictures(), "--json", "--top", len(names)))
    by_class = [{entry["class"]: entry["probability"] for entry in row["classes"]} for row in rows]
    return torch.tensor([[row[name] for name in names] for row in by_class])


def theirs(model):
    with torch.no_grad():
        return model.eval()(pixel_values=batch(), interpolate_pos_encoding=True).logits.softmax(-1)


def wrapped(names):
    torch.manual_seed(2)
    return AutoModelForImageClassification.from_pretrained(base(), num_labels=len(names), ignore_mismatched_sizes=True)


class Peft(unittest.TestCase):
    CASES = [
        ("plain", '{ r = 3, alpha = 6.0, target_modules = ["query", "value"] }'),
        ("dora", '{ r = 2, alpha = 4.0, target_modules = "all-linear", use_dora = true, bias = "lora_only" }'),
        ("rslora", '{ r = 4, alpha = 4.0, target_modules = ["q_proj", "*.intermediate.*"], use_rslora = true, bias = "all" }'),
    ]

    def test_ours_loads_in_peft(self):
        base()
        for name, lora in self.CASES:
            with self.subTest(name):
                run, out = workspace() / f"run-{name}", workspace() / f"peft-{name}"
                luthier("train", recipe(name, lora), "--out", run, "-q")
                names = json.loads((run / "plan.json").read_text())["data"]["classes"]
                luthier("export", run, "--to", "peft", out)
                model = PeftModel.from_pretrained(wrapped(names), out)
                expected = predicted(run, names)
                self.assertLess((theirs(model) - expected).abs().max().item(), 1e-4)
                # it learned something: the adapter is not empty
                moved = [p.abs().max().item() for n, p in model.named_parameters() if "lora_B" in n]
                self.assertGreater(min(moved), 0.0)
                # and merged, transformers alone gives the same
                merged = workspace() / f"merged-{name}"
                luthier("export", run, "--to", "hf", "--merge", merged)
                alone = AutoModelForImageClassification.from_pretrained(merged)
                self.assertLess((theirs(alone) - expected).abs().max().item(), 1e-4)

    def test_theirs_loads_here(self):
        names = classes()
        options = [
            {"target_modules": ["q_proj", "v_proj"]},
            {"target_modules": "all-linear", "use_dora": True, "bias": "all"},
        ]
        for index, option in enumerate(options):
            with self.subTest(str(option)):
                config = LoraConfig(r=3, lora_alpha=6, modules_to_save=["classifier"], **option)
                model = get_peft_model(wrapped(names), config)
                with torch.no_grad():
                    for parameter in model.parameters():
                        if parameter.requires_grad:
                            parameter.add_(0.1 * torch.randn_like(parameter))
                model.save_pretrained(workspace() / f"theirs-{index}")
                path = recipe(f"theirs-{index}", f'{{ adapter = "theirs-{index}" }}')
                run = workspace() / f"run-theirs-{index}"
                # an update that moves nothing: what comes out is what went in
                luthier("train", path, "--out", run, "-q", "--set", "optim.lr=1e-12")
                plan = json.loads((run / "plan.json").read_text())
                self.assertEqual(plan["model"]["load"]["head"], [], "the adapter has the head")
                self.assertLess((predicted(run, names) - theirs(model)).abs().max().item(), 1e-4)


if __name__ == "__main__":
    unittest.main()
