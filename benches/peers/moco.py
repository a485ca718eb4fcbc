#!/usr/bin/env python3
"""A step of MoCo v2, loading included: Luthier beside PyTorch as it is usually written and at its best settings.

    benches/peers/moco.py [small] [large] [--rounds N]

`small` is ResNet-18 on rendered scenes of 64 pixels, `large` ResNet-50 on photos at 224. A, B and C take turns; a ratio above 1
means that Luthier is faster. Keep the output, dated, in benches/results/.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from run import ENV, HERE, LUTHIER, MALLOC, THREADS, output_of, photos

RECIPE = """
name = "bench"
task = "contrastive"
[data]
train = "{folder}"
workers = {threads}
on_error = "skip"
[data.transform]
train = [
  {{ op = "RandomResizedCrop", size = {size}, scale = [0.2, 1.0] }},
  {{ op = "ColorJitter", brightness = 0.4, contrast = 0.4, saturation = 0.4, hue = 0.1, p = 0.8 }},
  {{ op = "RandomGrayscale", p = 0.2 }},
  {{ op = "GaussianBlur", kernel_size = {kernel}, sigma = [0.1, 2.0], p = 0.5 }},
  {{ op = "RandomHorizontalFlip" }},
  {{ op = "Normalize", mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }},
]
eval = [ {{ op = "Resize", size = [{size}, {size}] }}, {{ op = "Normalize", mean = [0.485, 0.456, 0.406], std = [0.229, 0.224, 0.225] }} ]
[model]
arch = "{arch}"
weights = "none"
[contrastive]
dim = 128
queue = 128
momentum = 0.999
temperature = 0.2
mlp = true
[optim]
type = "SGD"
lr = 0.03
momentum = 0.9
weight_decay = 1e-4
[train]
epochs = {epochs}
batch_size = {batch}
drop_last = true
"""


def scenes(work):
    folder = work / "scenes"
    if not folder.exists():
        subprocess.run([LUTHIER, "data", "render", "scenes", "--out", folder, "--count", "1024", "--size", "64", "-q"], check=True)
    return folder, "1,024 rendered scenes"


CASES = {
    "small": {"arch": "resnet18", "size": 64, "kernel": 7, "batch": 64, "epochs": 1, "data": scenes},
    "large": {"arch": "resnet50", "size": 224, "kernel": 23, "batch": 16, "epochs": 1, "data": lambda _: photos()},
}


def luthier_steps(case, folder, work):
    recipe = work / "bench.toml"
    recipe.write_text(RECIPE.format(folder=folder, threads=THREADS, **{key: case[key] for key in ("arch", "size", "kernel", "batch", "epochs")}))
    run = Path(tempfile.mkdtemp(dir=work)) / "run"
    out = output_of([LUTHIER, "train", str(recipe), "--json", "--threads", str(THREADS), "--out", str(run)])
    events = [json.loads(line) for line in out.splitlines()]
    return [event["seconds"] for event in events if event.get("event") == "step_end"]


def torch_steps(variant, case, folder):
    env = {**ENV, "GLIBC_TUNABLES": MALLOC} if variant == "malloc" else ENV
    words = ["best" if variant == "malloc" else variant, folder, case["arch"], case["size"], case["kernel"], case["batch"], case["epochs"], THREADS]
    out = output_of([sys.executable, str(HERE / "moco_torch.py"), *map(str, words)], env)
    return [json.loads(line)["seconds"] for line in out.splitlines()]


def compare(name, rounds, work):
    case = CASES[name]
    folder, what = case["data"](work)
    print(f"\nMoCo v2, {case['arch']}, batch {case['batch']}, {case['size']} px, {what}, loading included, {THREADS} threads")
    times = {"luthier": [], "best": [], "malloc": [], "written": []}
    for _ in range(rounds):
        for who in times:
            steps = luthier_steps(case, folder, work) if who == "luthier" else torch_steps(who, case, folder)
            times[who] += steps[2:]  # the first two warm up
    mid = {who: statistics.median(steps) for who, steps in times.items()}
    for who, label in [("luthier", "Luthier"), ("best", "PyTorch, best settings"), ("malloc", "  and Luthier's heap"), ("written", "PyTorch, as written")]:
        print(f"  {label:22} {mid[who]:.3f} s/step   n={len(times[who])}")
    print(f"  ratio to best settings {mid['best'] / mid['luthier']:.2f}x   (bar 1.0)")
    print(f"  ratio, the same heap   {mid['malloc'] / mid['luthier']:.2f}x")
    print(f"  ratio to as written    {mid['written'] / mid['luthier']:.2f}x   (bar 1.8)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=list(CASES))
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    print(f"{datetime.date.today()}  {cpu}, {os.cpu_count()} cores, {platform.system()}")
    with tempfile.TemporaryDirectory(prefix="luthier-bench-") as work:
        for name in given.cases:
            compare(name, given.rounds, Path(work))


if __name__ == "__main__":
    main()
