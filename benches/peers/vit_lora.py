"""ViT-B/16 with LoRA beside peft and transformers, in one run, as ratios.

    python benches/peers/vit_lora.py [--rounds 2] [--steps 12]

Rank 20 on query and value, dropout 0.2, a trained head, batch 8, random weights, 224 px. Luthier's steps include reading and
augmenting the pictures, PyTorch's pictures lie in memory. Both take turns; the first two steps of each round warm up. With
`VIT_TIME` set to the built example `vit_time`, what LoRA adds to a forward pass of the frozen model is printed, too.

A ratio above 1 means that Luthier is faster. Keep the output, dated, in benches/results/.
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

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LUTHIER = os.environ.get("LUTHIER", str(ROOT / "target" / "release" / "luthier"))
THREADS, BATCH = 2, 8
ENV = {**os.environ, "OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS)}

RECIPE = """
name = "bench"
task = "image-classification"
[data]
train = "scenes"
workers = {threads}
[data.transform]
train = [
  {{ op = "RandomResizedCrop", size = 224 }},
  {{ op = "RandomHorizontalFlip" }},
  {{ op = "Normalize", mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }},
]
eval = [ {{ op = "Resize", size = [224, 224] }} ]
[model]
arch = "vit"
weights = "none"
lora = {{ r = 20, alpha = 20.0, dropout = 0.2, target_modules = ["query", "value"] }}
[optim]
type = "Adam"
lr = 1e-4
[train]
epochs = 1
batch_size = {batch}
precision = "{precision}"
"""


def output_of(command, cwd=None):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=ENV, cwd=cwd)
    if done.returncode:
        sys.exit(f"error: {' '.join(map(str, command))}\n{done.stderr}")
    return done.stdout


def ours(precision, work, turn):
    recipe = work / f"{precision}.toml"
    recipe.write_text(RECIPE.format(threads=THREADS, batch=BATCH, precision=precision))
    out = output_of([LUTHIER, "train", recipe, "--json", "--threads", THREADS, "--out", work / f"run-{precision}-{turn}"])
    events = [json.loads(line) for line in out.splitlines()]
    return [event["seconds"] for event in events if event.get("event") == "step_end"]


def theirs(variant, steps):
    out = output_of([sys.executable, HERE / "vit_lora_torch.py", variant, steps, BATCH, THREADS])
    return [json.loads(line)["seconds"] for line in out.splitlines()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=12)
    args = parser.parse_args()
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    print(f"{datetime.date.today()}  {cpu}, {os.cpu_count()} cores, {platform.system()}")
    print(f"\nViT-B/16, LoRA r=20 on query and value, batch {BATCH}, 224 px, {THREADS} threads")
    with tempfile.TemporaryDirectory(prefix="luthier-bench-") as work:
        work = Path(work)
        count = args.steps * BATCH
        output_of([LUTHIER, "data", "render", "scenes", "--out", work / "scenes", "--count", count, "--size", 256, "-q"])
        runs = {
            "Luthier, bf16": lambda turn: ours("bf16", work, turn),
            "Luthier, fp32": lambda turn: ours("fp32", work, turn),
            "peft, bf16 and SDPA": lambda turn: theirs("best", args.steps),
            "peft, as written": lambda turn: theirs("written", args.steps),
        }
        times = {name: [] for name in runs}
        for turn in range(args.rounds):
            for name, run in runs.items():
                times[name] += run(turn)[2:]
        mid = {name: statistics.median(values) for name, values in times.items()}
        for name, seconds in mid.items():
            print(f"  {name:22} {seconds:.3f} s/step   n={len(times[name])}")
        best, bf16, fp32 = mid["peft, bf16 and SDPA"], mid["Luthier, bf16"], mid["Luthier, fp32"]
        print(f"  ratio to best          {best / bf16:.2f}x   (bar 1.1)")
        print(f"  ratio to as written    {mid['peft, as written'] / bf16:.2f}x   (bar 1.6)")
        print(f"  both in fp32           {mid['peft, as written'] / fp32:.2f}x")
    if os.environ.get("VIT_TIME"):
        print(output_of([os.environ["VIT_TIME"]]), end="")


main()
