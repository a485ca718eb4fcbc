#!/usr/bin/env python3
"""The doctor's bench with ground truth: faults whose cause is known, healthy runs that look sick, two baselines.

    python benches/doctor/run.py [--binary PATH] [--only WORD…] [--seeds N] [--jobs 2] [--quick] [--healthy N] [--reuse] [--work DIR]

`--only` takes categories, parts of case names, `faults` or `healthy`. `--quick` is one seed and a quarter of the healthy crowd.
Every fault is trained first: one that reaches its target all the same is no fault and is counted on the healthy side. Then
the doctor looks at the recipe and at the finished run, and the patch of its first finding is applied and trained.
Needs numpy. The tables go to benches/results/, every measurement to DIR/doctor.json, what went wrong to DIR/misses.txt.
"""

import argparse
import datetime
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import baselines
import cases
import healthy
import judge
import report
from recipe import value
from work import Work, overhead

ROOT = Path(__file__).resolve().parents[2]
SEED = 11


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", type=Path, default=ROOT / "target" / "release" / "luthier")
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--healthy", type=int, default=110, help="recipes of the healthy crowd, one seed each")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--train-only", action="store_true", help="check that bases reach their targets and faults miss them")
    parser.add_argument("--reuse", action="store_true", help="take trainings that an earlier bench with --reuse made with another program")
    parser.add_argument("--work", type=Path, default=Path("/tmp/doctor-bench"))
    parser.add_argument("--results", type=Path, default=ROOT / "benches" / "results")
    given = parser.parse_args()
    if given.quick:
        given.seeds, given.healthy = 1, given.healthy // 4
    return given


def wanted(case, kind, only):
    return not only or any(word == kind or word in case["categories"][:1] or word.lower() in case["id"].lower() for word in only)


def reached(trained, case):
    return trained["figure"] is not None and trained["figure"] >= case["least"]


def one(work, case, kind, seed, train_only):
    """Everything about one case and seed."""
    made = case["recipe"] if kind == "healthy" else cases.faulty(case)
    path = work.write(case["id"], made, seed)
    trained = work.train(path, case["metric"])
    told = {key: case.get(key) for key in ("id", "categories", "metric", "least", "fix", "seen", "warned")}
    told |= {"kind": kind, "seed": seed, "figure": trained["figure"], "reached": reached(trained, case)}
    told |= {"run": str(trained["run"]), "train_seconds": trained["seconds"], "train_error": trained["error"] if trained["code"] else ""}
    told["overhead"] = overhead(trained["run"])
    if trained["outcome"] is None:
        # no run: a recipe that is refused, or a fault of the program, is no symptom of anything
        told["kind"] = "refused"
    told["baseline"] = baselines.fixed_thresholds(made, trained["run"], work.folder / "data")
    if train_only:
        return told
    verdicts = [work.doctor(path)]
    if (trained["run"] / "metrics.jsonl").exists():
        verdicts.append(work.doctor(trained["run"]))
    told["verdicts"] = verdicts
    told["judged"] = judge.judge(verdicts, case["categories"], trained["seconds"])
    if told["kind"] == "fault" and told["judged"]["patch"]:
        told["repaired"] = repaired(work, case, made, path, seed, told["judged"]["patch"])
    return told


def repaired(work, case, made, path, seed, patch):
    """Trains again with the patch of the first finding; where several faults are planted, as many times, asking in between."""
    merged, told = {}, {}
    for round in range(1, case["planted"] + 1):
        merged |= patch
        try:
            last = trained_with(work, case, made, path, seed, merged, look=round < case["planted"])
        except (KeyError, IndexError, AttributeError, TypeError) as error:
            return {"reached": False, "figure": None, "error": f"the patch can't be applied: {error!r}", "patch": merged}
        told = {"reached": reached(last, case), "figure": last["figure"], "error": last["error"] if last["code"] else "", "patch": dict(merged)}
        if told["reached"] or round == case["planted"] or last["outcome"] is None:
            break
        patch = judge.judge([work.doctor(last["run"])], case["categories"], 0)["patch"]
        if not patch:
            break
    return told


def trained_with(work, case, made, path, seed, patch, look):
    """Values go by `--set`; keys that a patch takes out are taken out of a copy of the recipe."""
    gone = {key: None for key, item in patch.items() if item is None}
    if gone:
        path = work.write(case["id"] + "-patched", cases.changed(made, gone), seed)
    sets = tuple(f"{key}={value(item)}" for key, item in sorted(patch.items()) if item is not None)
    return work.train(path, case["metric"], sets, look)


def keep(measured, given, version):
    """Writes down what there is so far."""
    measured = report.move_harmless(measured)
    (given.work / "doctor.json").write_text(json.dumps(measured, indent=1))
    if not given.train_only:
        (given.work / "misses.txt").write_text(report.misses(measured))
        (given.work / "doctor.txt").write_text(report.tables(measured, given, version))
    return measured


def main():
    given = arguments()
    if not given.binary.exists():
        sys.exit(f"there is no program at {given.binary}: `make build`, or name it with --binary")
    work = Work(given.binary.resolve(), given.work, given.reuse)
    version = work.call("--version")[1].strip()
    seeds = range(SEED, SEED + given.seeds)
    jobs = [(case, "fault", seed) for case in cases.FAULTS for seed in seeds]
    jobs += [(case, "healthy", seed) for case in healthy.bases() + healthy.traps() for seed in seeds]
    jobs += [(case, "healthy", SEED) for case in healthy.crowd(given.healthy)]
    jobs = [job for job in jobs if wanted(job[0], "faults" if job[1] == "fault" else "healthy", given.only)]
    measured = []
    with ThreadPoolExecutor(given.jobs) as pool:
        for told in pool.map(lambda job: one(work, *job, given.train_only), jobs):
            measured.append(told)
            print(report.line(told), file=sys.stderr, flush=True)
            if len(measured) % 20 == 0:
                keep(measured, given, version)
    keep(measured, given, version)
    if given.train_only:
        return
    text = (given.work / "doctor.txt").read_text()
    print(text)
    if not given.only:
        (given.results / f"{datetime.date.today()}-doctor.txt").write_text(text)


if __name__ == "__main__":
    main()
