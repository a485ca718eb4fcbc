"""The built program, and a small run that every test here looks at."""

import functools
import json
import os
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LUTHIER = os.environ.get("LUTHIER", str(ROOT / "target" / "release" / "luthier"))

RECIPE = """
name = "interop"
task = "image-classification"
[data]
train = "scenes"
split = { valid = 0.25 }
[data.transform]
train = [
  { op = "RandomResizedCrop", size = 64, scale = [0.5, 1.0] },
  { op = "Normalize", mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] },
]
eval = [
  { op = "CenterCrop", size = 64 },
  { op = "Normalize", mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] },
]
[model]
arch = "resnet18"
weights = "none"
[optim]
type = "SGD"
lr = 0.02
momentum = 0.9
[train]
epochs = 1
batch_size = 8
precision = "fp32"
"""


def luthier(*words, cwd=None):
    """Runs a command and returns its standard output; its errors fail the test with what was said."""
    done = subprocess.run([LUTHIER, *map(str, words)], capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        raise AssertionError(f"luthier {' '.join(map(str, words))}: exit {done.returncode}\n{done.stderr}")
    return done.stdout


@functools.cache
def workspace():
    """A folder with 32 rendered pictures in `scenes/` and `recipe.toml` beside them."""
    keep = tempfile.TemporaryDirectory(prefix="luthier-interop-")
    workspace.keep = keep
    folder = Path(keep.name)
    luthier("data", "render", "scenes", "--out", folder / "scenes", "--count", 32, "--seed", 5, "--size", 80)
    (folder / "recipe.toml").write_text(RECIPE)
    return folder


@functools.cache
def run():
    """A run of the recipe."""
    folder = workspace()
    luthier("train", folder / "recipe.toml", "--out", folder / "run", "-q")
    return folder / "run"


def classes():
    return json.loads((run() / "plan.json").read_text())["data"]["classes"]


def pictures():
    return sorted((workspace() / "scenes").glob("*/*.png"))
