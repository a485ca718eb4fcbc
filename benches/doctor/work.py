"""What the bench asks of the program: train a recipe, let the doctor look at it, keep what was measured."""

import hashlib
import json
import math
import os
import shutil
import statistics
import subprocess
import time

import recipe as recipes


class Work:
    """Where things are. Trainings are kept by recipe and engine, so that a second bench only asks the doctor again."""

    def __init__(self, binary, folder, reuse=False):
        self.binary, self.folder = binary, folder
        engine = binary.with_name("luthier-engine").stat()
        self.mark = "any" if reuse else f"{engine.st_size}-{engine.st_mtime_ns}"
        for name in ("data", "recipes", "runs"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.env = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NO_COLOR": "1"}

    def call(self, *args, limit=300):
        """Exit code, stdout, stderr, seconds."""
        start = time.perf_counter()
        try:
            done = subprocess.run([str(self.binary), *args, "--threads", "1"], capture_output=True, text=True, env=self.env, timeout=limit)
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired:
            code, out, err = -1, "", f"took more than {limit} s"
        return code, out, err, time.perf_counter() - start

    def write(self, name, made, seed):
        path = self.folder / "recipes" / f"{name}-{seed}.toml"
        path.write_text(recipes.text(made, self.folder / "data", seed))
        return path

    def train(self, path, metric, sets=(), look=True):
        """Trains it, or takes what an earlier training gave: the run, its figure, seconds, what it said if it failed.

        Without `look` no doctor will be shown the run, and its weights go."""
        asked = f"{self.mark}\n{path.read_text()}\n{sets}"
        run = self.folder / "runs" / f"{path.stem}-{hashlib.sha256(asked.encode()).hexdigest()[:10]}"
        told = run / "bench.json"
        if not told.exists() or not any(e.get("event") == "end" for e in lines(run / "metrics.jsonl")):
            shutil.rmtree(run, ignore_errors=True)
            args = [part for item in sets for part in ("--set", item)]
            code, _, err, seconds = self.call("train", str(path), "--out", str(run), "-q", *args)
            # only a doctor that looks at the run needs its weights
            for name in ("plots", "tensorboard", "report.html", *([] if look else ["checkpoints"])):
                gone = run / name
                shutil.rmtree(gone) if gone.is_dir() else gone.unlink(missing_ok=True)
            run.mkdir(exist_ok=True)
            told.write_text(json.dumps({"code": code, "error": err[-600:], "seconds": seconds}))
        kept = json.loads(told.read_text())
        over = [e["outcome"] for e in lines(run / "metrics.jsonl") if e.get("event") == "end"]
        return {**kept, "run": run, "outcome": over[-1] if over else None, "figure": figure(run, metric)}

    def doctor(self, subject):
        """The verdict, or what it said instead; with the seconds it took."""
        code, out, err, seconds = self.call("doctor", str(subject), "--json")
        try:
            verdict = json.loads(out)
            if "findings" not in verdict:
                raise ValueError
        except ValueError:
            verdict = {"status": "refused", "findings": [], "error": (err or out)[-600:]}
        return {**verdict, "seconds": seconds, "code": code}


def lines(path):
    if not path.exists():
        return []
    made = []
    for line in path.read_text().splitlines():
        try:
            made.append(json.loads(line))
        except ValueError:
            pass
    return made


def overhead(run):
    """What the monitors took of a run's updates, as a share of the rest; None where a run is too short to tell.

    The median update that was looked at and the one after it, in which the look is written down, less twice the median of
    the others, times the looks."""
    looked = {point["update"] for point in lines(run / "monitor.jsonl")}
    steps = {e["update"]: e["seconds"] - e["data_seconds"] for e in lines(run / "timing.jsonl") if e.get("event") == "step" and not e.get("stream")}
    steps.pop(1, None)  # the first update compiles kernels
    plain = [seconds for update, seconds in steps.items() if not looked & {update, update - 1}]
    looks = [steps[update] + steps[update + 1] for update in looked if update in steps and update + 1 in steps]
    if len(plain) < 20 or len(looks) < 3:
        return None
    usual = statistics.median(plain)
    return len(looks) * (statistics.median(looks) - 2 * usual) / (usual * len(steps))


def figure(run, metric):
    """The last figure of the validation split; None where there is none or it is not finite."""
    evals = [e for e in lines(run / "metrics.jsonl") if e.get("event") == "eval" and e.get("split") == "valid"]
    ends = [e for e in lines(run / "metrics.jsonl") if e.get("event") == "end"]
    if not evals or not ends or ends[-1]["outcome"] not in ("finished", "stopped"):
        return None
    last = evals[-1]
    if metric == "balanced":
        cells = last["confusion"]["cells"]
        recalls = []
        for k in range(last["confusion"]["classes"]):
            row = [(guess, count) for true, guess, count in cells if true == k]
            total = sum(count for _, count in row)
            if total:
                recalls.append(sum(count for guess, count in row if guess == k) / total)
        return sum(recalls) / len(recalls)
    got = last.get(metric)
    return got if isinstance(got, (int, float)) and math.isfinite(got) else None
