"""What Luthier exports, torchvision and transformers load, and give the same probabilities."""

import json
import shutil
import unittest

import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from torchvision import transforms
from transformers import AutoImageProcessor, AutoModelForImageClassification

from common import classes, luthier, pictures, run, workspace

# a crop is the same to the byte in both; a resize may differ by one in 255, which is no fault of the weights
CHAIN = transforms.Compose([
    transforms.CenterCrop(64),
    transforms.ToTensor(),
    transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
])


def predicted():
    """Probabilities by Luthier, [pictures, classes]."""
    names = classes()
    rows = json.loads(luthier("predict", run(), *pictures(), "--json", "--top", len(names)))
    by_class = [{entry["class"]: entry["probability"] for entry in row["classes"]} for row in rows]
    return torch.tensor([[row[name] for name in names] for row in by_class])


def batch():
    return torch.stack([CHAIN(Image.open(path).convert("RGB")) for path in pictures()])


class Export(unittest.TestCase):
    def test_safetensors_load_in_torchvision(self):
        out = workspace() / "torchvision"
        luthier("export", run(), "--to", "safetensors", out)
        model = torchvision.models.resnet18(num_classes=len(classes())).eval()
        model.load_state_dict(load_file(out / "model.safetensors"))
        self.assertEqual(json.loads((out / "classes.json").read_text()), classes())
        with torch.no_grad():
            theirs = model(batch()).softmax(-1)
        self.assertLess((theirs - predicted()).abs().max().item(), 1e-4)

    def test_hf_folder_loads_in_transformers(self):
        out = workspace() / "hf"
        luthier("export", run(), "--to", "hf", out)
        model = AutoModelForImageClassification.from_pretrained(out).eval()
        self.assertEqual([model.config.id2label[i] for i in range(len(classes()))], classes())
        with torch.no_grad():
            theirs = model(batch()).logits.softmax(-1)
        self.assertLess((theirs - predicted()).abs().max().item(), 1e-4)
        AutoImageProcessor.from_pretrained(out)

    def test_weights_of_transformers_and_torchvision_load_here(self):
        """A pth by torch.save in both formats, and a folder by save_pretrained: same tensors, same probabilities."""
        out = workspace() / "hf-again"
        luthier("export", run(), "--to", "hf", out, "--force")
        model = AutoModelForImageClassification.from_pretrained(out)
        model.save_pretrained(workspace() / "from-transformers")
        vision = torchvision.models.resnet18(num_classes=len(classes()))
        luthier("export", run(), "--to", "safetensors", workspace() / "again", "--force")
        vision.load_state_dict(load_file(workspace() / "again" / "model.safetensors"))
        torch.save(vision.state_dict(), workspace() / "zip.pth")
        torch.save(vision.state_dict(), workspace() / "old.pth", _use_new_zipfile_serialization=False)
        reference = None
        for weights in ["from-transformers", "zip.pth", "old.pth", "again/model.safetensors"]:
            plan = json.loads(luthier("check", workspace() / "recipe.toml", "--json", "--set", f'model.weights="{weights}"'))
            load = plan["model"]["load"]
            self.assertEqual(load["missing"] + load["unexpected"] + load["wrong_shape"], [], weights)
            self.assertGreater(load["matched"], 100, weights)
            reference = reference or load["matched"]
            self.assertEqual(load["matched"], reference, weights)

    def tearDown(self):
        for name in ["torchvision", "hf", "hf-again", "again"]:
            shutil.rmtree(workspace() / name, ignore_errors=True)


if __name__ == "__main__":
    unittest.main()
