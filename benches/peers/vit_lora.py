"""ViT-B/16 with LoRA beside peft and transformers, in one run, as ratios.

    cargo build --release -p luthier -p luthier-engine
    cargo build --release -p luthier-model --example vit_time
    python benches/peers/vit_lora.py [--rounds 2] [--steps 7] [--batch 8]

Rank 20 on query and value, dropout 0.2, a trained head, batch 8, random weights, 224 px. Luthier's steps include reading and
augmenting the pictures, PyTorch's pictures lie in memory. Both take turns; the first two steps of each round warm up. What
LoRA adds to a forward pass of the frozen model is printed as well, by the built example `vit_time` (another one with
`VIT_TIME`). On two quiet cores all of it takes less than four minutes.

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
VIT_TIME = Path(os.environ.get("VIT_TIME", ROOT / "target" / "release" / "examples" / "vit_time"))
THREADS, WARM = 2, 2
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


def ours(precision, batch, work, turn):
    recipe = work / f"{precision}.toml"
    recipe.write_text(RECIPE.format(threads=THREADS, batch=batch, precision=precision))
    out = output_of([LUTHIER, "train", recipe, "--json", "--threads", THREADS, "--out", work / f"run-{precision}-{turn}"])
    events = [json.loads(line) for line in out.splitlines()]
    return [event["seconds"] for event in events if event.get("event") == "step_end"]


def theirs(variant, steps, batch):
    out = output_of([sys.executable, HERE / "vit_lora_torch.py", variant, steps, batch, THREADS])
    return [json.loads(line)["seconds"] for line in out.splitlines()]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=7)
    parser.add_argument("--batch", type=int, default=8)
    args = parser.parse_args()
    if args.steps <= WARM:
        sys.exit(f"error: {args.steps} steps are too few: the first {WARM} warm up")
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    print(f"{datetime.date.today()}  {cpu}, {os.cpu_count()} cores, {platform.system()}")
    print(f"\nViT-B/16, LoRA r=20 on query and value, batch {args.batch}, 224 px, {THREADS} threads")
    with tempfile.TemporaryDirectory(prefix="luthier-bench-") as work:
        work = Path(work)
        count = args.steps * args.batch
        output_of([LUTHIER, "data", "render", "scenes", "--out", work / "scenes", "--count", count, "--size", 256, "-q"])
        runs = {
            "Luthier, bf16": lambda turn: ours("bf16", args.batch, work, turn),
            "peft, bf16 and SDPA": lambda turn: theirs("bf16", args.steps, args.batch),
            "Luthier, fp32": lambda turn: ours("fp32", args.batch, work, turn),
            "peft, fp32 and SDPA": lambda turn: theirs("fp32", args.steps, args.batch),
            "peft, as written": lambda turn: theirs("written", args.steps, args.batch),
        }
        times = {name: [] for name in runs}
        for turn in range(args.rounds):
            for name, run in runs.items():
                steps = run(turn)
                if len(steps) != args.steps:
                    sys.exit(f"error: {name} made {len(steps)} steps of {args.steps}")
                times[name] += steps[WARM:]
        mid = {name: statistics.median(values) for name, values in times.items()}
        for name, seconds in mid.items():
            print(f"  {name:22} {seconds:.3f} s/step   n={len(times[name])}")
        # a processor without bf16 arithmetic is faster in fp32, and the better of two is the best setting
        mine = min(mid["Luthier, bf16"], mid["Luthier, fp32"])
        best = min(seconds for name, seconds in mid.items() if name.startswith("peft"))
        print(f"  ratio to best          {best / mine:.2f}x   (bar 1.1)")
        print(f"  ratio to as written    {mid['peft, as written'] / mine:.2f}x   (bar 1.6)")
        print(f"  all in bf16            {mid['peft, bf16 and SDPA'] / mid['Luthier, bf16']:.2f}x")
        print(f"  all in fp32            {mid['peft, fp32 and SDPA'] / mid['Luthier, fp32']:.2f}x")
    if VIT_TIME.is_file():
        print(output_of([VIT_TIME, 5, args.batch]), end="")
    else:
        print(f"\nWhat LoRA adds to a forward pass: skipped, there is no {VIT_TIME}")


main()
