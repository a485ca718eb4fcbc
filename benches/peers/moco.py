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

from run import ENV, HERE, LUTHIER, MALLOC, THREADS, photos

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
epochs = 9
batch_size = {batch}
drop_last = true
"""


def scenes(work):
    folder = work / "scenes"
    if not folder.exists():
        subprocess.run([LUTHIER, "data", "render", "scenes", "--out", folder, "--count", "1024", "--size", "64", "-q"], check=True)
    return folder, "1,024 rendered scenes"


CASES = {
    "small": {"arch": "resnet18", "size": 64, "kernel": 7, "batch": 64, "steps": 12, "data": scenes},
    "large": {"arch": "resnet50", "size": 224, "kernel": 23, "batch": 16, "steps": 8, "data": lambda _: photos()},
}


LABELS = {
    "luthier": "Luthier",
    "fp32": "PyTorch, tuned, fp32",
    "bf16": "PyTorch, tuned, bf16",
    "heap": "  fp32, Luthier's heap",
    "written": "PyTorch, as written",
}


def luthier_steps(case, folder, work):
    recipe = work / "bench.toml"
    recipe.write_text(RECIPE.format(folder=folder, threads=THREADS, **{key: case[key] for key in ("arch", "size", "kernel", "batch")}))
    run = Path(tempfile.mkdtemp(dir=work)) / "run"
    words = [LUTHIER, "train", str(recipe), "--json", "--threads", str(THREADS), "--out", str(run)]
    return first_seconds(words, ENV, case["steps"])


def first_seconds(words, env, count):
    """Seconds of the first steps that a process tells; it is then ended."""
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    found = []
    for line in process.stdout:
        told = json.loads(line)
        if told.get("event", "step_end") == "step_end":
            found.append(told["seconds"])
        if len(found) == count:
            break
    process.kill()
    if len(found) < count:
        sys.exit(f"error: {' '.join(words)}\n{process.stderr.read()}")
    process.wait()
    return found


def torch_steps(variant, case, folder):
    env = {**ENV, "GLIBC_TUNABLES": MALLOC} if variant == "heap" else ENV
    words = ["fp32" if variant == "heap" else variant, folder, case["arch"], case["size"], case["kernel"], case["batch"], THREADS]
    return first_seconds([sys.executable, str(HERE / "moco_torch.py"), *map(str, words)], env, case["steps"])


def compare(name, rounds, work):
    case = CASES[name]
    folder, what = case["data"](work)
    print(f"\nMoCo v2, {case['arch']}, batch {case['batch']}, {case['size']} px, {what}, loading included, {THREADS} threads")
    times = {"luthier": [], "fp32": [], "bf16": [], "heap": [], "written": []}
    for _ in range(rounds):
        for who in times:
            steps = luthier_steps(case, folder, work) if who == "luthier" else torch_steps(who, case, folder)
            times[who] += steps[2:]  # the first two warm up
    mid = {who: statistics.median(steps) for who, steps in times.items()}
    for who, label in LABELS.items():
        print(f"  {label:22} {mid[who]:.3f} s/step   n={len(times[who])}")
    print(f"  ratio to best settings {min(mid['fp32'], mid['bf16'], mid['written']) / mid['luthier']:.2f}x   (bar 1.0)")
    print(f"  ratio, the same heap   {mid['heap'] / mid['luthier']:.2f}x")
    print(f"  ratio to as written    {mid['written'] / mid['luthier']:.2f}x   (bar 1.8)", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], default=[])
    parser.add_argument("--rounds", type=int, default=2)
    given = parser.parse_args()
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    print(f"{datetime.date.today()}  {cpu}, {os.cpu_count()} cores, {platform.system()}")
    with tempfile.TemporaryDirectory(prefix="luthier-bench-") as work:
        for name in given.cases or CASES:
            compare(name, given.rounds, Path(work))


if __name__ == "__main__":
    main()
