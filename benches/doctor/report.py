"""Measurements as tables."""

import datetime
import platform
import statistics


def line(told):
    """One measurement as a line, for the one who waits."""
    judged = told.get("judged")
    figure = "none" if told["figure"] is None else f"{told['figure']:.3f}"
    said = "" if judged is None else f"{judged['status']:8} {' '.join(judged['codes'])}"
    if told.get("repaired"):
        after = told["repaired"]["figure"]
        said += f"  fix {'none' if after is None else f'{after:.3f}'}"
    mark = "reached" if told["reached"] else "missed "
    return f"{told['kind']:8} {told['id']:36} {told['seed']:3} {mark} {figure:>8} of {told['least']:<5} {told['train_seconds']:5.1f} s  {said}"


def move_harmless(measured):
    """A fault that reaches its target with any seed is none; a healthy run that does not reach it is dropped."""
    measured = [dict(told) for told in measured]
    harmless = {told["id"] for told in measured if told["kind"] == "fault" and told["seen"] == "target" and told["reached"]}
    for told in measured:
        if told["kind"] == "fault" and told["id"] in harmless:
            # a masked fault: a warning is fair, an error is not; runs that it does hurt count on no side
            told["kind"], told["warned"], told["moved"] = "healthy" if told["reached"] else "mixed", True, True
        elif told["kind"] == "healthy" and not told["reached"]:
            told["kind"] = "dropped"
    return measured


def alarm(told):
    """What was said of a healthy run that should not have been."""
    bad = [code for code, severity in told["judged"]["alarms"] if severity == "error" or not told["warned"]]
    return bad


def share(part, whole):
    return f"{part:3}/{whole:<3} {100 * part / whole:4.0f} %" if whole else "      -     "


def figures(rows):
    return ["none" if told["figure"] is None else f"{told['figure']:.3f}" for told in rows]


def spread(shares):
    if not shares:
        return "      -     "
    tenths = statistics.quantiles(shares, n=10) if len(shares) > 1 else shares * 9
    return f"{100 * statistics.median(shares):.1f} %, nine tenths of {len(shares)} runs below {100 * tenths[-1]:.1f} %"


def tables(measured, given, version):
    faults = [told for told in measured if told["kind"] == "fault"]
    well = [told for told in measured if told["kind"] == "healthy"]
    families = sorted({told["categories"][0] for told in faults})
    out = [
        f"# The doctor against known causes, {datetime.date.today()}, {len(faults)} faulty runs of {len({t['id'] for t in faults})} faults, {len(well)} healthy runs",
        f"# {platform.processor() or platform.machine()}, {version}, one thread a run, {given.jobs} at a time, {given.seeds} seeds, python benches/doctor/run.py",
        "# detected: a cause, not a symptom, as warning or error. right: its category is the first told; top two: among the first two.",
        "# restored: the patch of the first finding, applied and trained, reaches the target; of faults that a recipe can cure.",
        "# seconds: median until the first cause was told, training counted where the recipe alone did not show it.",
        "",
        f"{'family':15} {'runs':>4}  {'detected':14} {'right':14} {'top two':14} {'restored':14} {'before training':15} seconds",
    ]
    for family in [*families, "all"]:
        rows = [told for told in faults if family in ("all", told["categories"][0])]
        out.append(family_line(family, rows))
    strict = [told for told in well if not told["warned"]]
    masked = [told for told in well if told["warned"]]
    moved = {told["id"]: [] for told in well if told.get("moved")}
    for told in measured:
        if told["id"] in moved:
            moved[told["id"]].append(told)
    moved = [f"{name} ({' '.join(figures(told))} of {told[0]['least']})" for name, told in sorted(moved.items())]
    out += [
        "",
        f"false alarms on healthy runs            {share(sum(bool(alarm(t)) for t in strict), len(strict))}",
        f"errors on faults that easy data mask    {share(sum(bool(alarm(t)) for t in masked), len(masked))}",
        f"recipes that gave no run                {sum(told['kind'] == 'refused' for told in measured)}: {', '.join(sorted({t['id'] for t in measured if t['kind'] == 'refused'})) or 'none'}",
        f"healthy recipes dropped, target missed  {sum(told['kind'] == 'dropped' for told in measured)}",
        f"faults that did no harm, moved          {len(moved)}: {', '.join(moved) or 'none'}",
        "",
        f"monitors, share of the updates' time    {spread([t['overhead'] for t in measured if t.get('overhead') is not None])}",
        "",
        f"{'doctor':22} {'detected':14} {'right':14} {'top two':14} false alarms",
    ]
    best = max(families, key=lambda f: sum(t["categories"][0] == f for t in faults), default="-")
    says = {
        "luthier": lambda t: (t["judged"]["detected"], t["judged"]["order"]) if t["kind"] == "fault" else (bool(alarm(t)), []),
        "fixed thresholds": lambda t: (t["baseline"]["sick"], t["baseline"]["order"]),
        f"always sick ({best})": lambda t: (True, [best]),
    }
    for name, say in says.items():
        told = [(case, *say(case)) for case in faults]
        right = sum(bool(order) and order[0] in case["categories"] for case, _, order in told)
        top = sum(any(c in case["categories"] for c in order[:2]) for case, _, order in told)
        false = sum(say(case)[0] for case in strict)
        out.append(f"{name:22} {share(sum(sick for _, sick, _ in told), len(told))} {share(right, len(told))} {share(top, len(told))} {share(false, len(strict))}")
    return "\n".join(out) + "\n"


def family_line(family, rows):
    judged = [told["judged"] for told in rows]
    curable = [told for told in rows if told["fix"]]
    seconds = [j["seconds"] for j in judged if j["seconds"] is not None]
    parts = [
        share(sum(j["detected"] for j in judged), len(rows)),
        share(sum(j["rank"] == 0 for j in judged), len(rows)),
        share(sum(j["rank"] in (0, 1) for j in judged), len(rows)),
        share(sum(bool(t.get("repaired") and t["repaired"]["reached"]) for t in curable), len(curable)),
        share(sum(j["before"] for j in judged), len(rows)) + " ",
    ]
    return f"{family:15} {len(rows):4}  " + " ".join(f"{part:14}" for part in parts) + (f" {statistics.median(seconds):.1f}" if seconds else " -")


def misses(measured):
    """What the writers of rules need: faults not seen, wrong categories, cures that fail, false alarms, each with the codes."""
    faults = [told for told in measured if told["kind"] == "fault"]
    sections = {
        "NOT DETECTED": [(t, f"figure {t['figure']}; symptoms {t['judged']['alarms']}") for t in faults if not t["judged"]["detected"]],
        "RIGHT CATEGORY NOT AMONG THE TOP TWO": [(t, f"true {t['categories']}, told {t['judged']['order']} by {t['judged']['codes']}") for t in faults if t["judged"]["detected"] and t["judged"]["rank"] not in (0, 1)],
        "RIGHT CATEGORY ONLY SECOND": [(t, f"true {t['categories']}, told {t['judged']['order']} by {t['judged']['codes']}") for t in faults if t["judged"]["rank"] == 1],
        "FIX DOES NOT RESTORE": [(t, f"{t['judged']['codes'][0]} {t['judged']['patch']} -> {(t.get('repaired') or {}).get('figure')} of {t['least']} {(t.get('repaired') or {}).get('error', 'no patch')[:200]!r}") for t in faults if t["fix"] and t["judged"]["detected"] and not (t.get("repaired") or {}).get("reached")],
        "FALSE ALARMS (healthy)": [(t, f"figure {t['figure']:.3f}: {t['judged']['alarms']}") for t in measured if t["kind"] == "healthy" and alarm(t)],
        "DOCTOR REFUSED, OR DID NOT ANSWER": [(t, str([v.get("error", "")[:300] for v in t["verdicts"] if v["status"] == "refused"])) for t in measured if any(v["status"] == "refused" for v in t["verdicts"])],
        "NO RUN: refused by the program, or its own fault (not counted)": [(t, t["train_error"][:300].replace("\n", " ")) for t in measured if t["kind"] == "refused"],
        "NO HARM WITH SOME SEEDS (not counted)": [(t, f"figure {t['figure']} of {t['least']}") for t in measured if t["kind"] == "mixed"],
        "DROPPED (healthy recipe that misses its target)": [(t, f"figure {t['figure']} of {t['least']} {t['train_error'][:200]!r}") for t in measured if t["kind"] == "dropped"],
    }
    out = []
    for title, rows in sections.items():
        out += [f"== {title}: {len(rows)}"] + [f"{told['id']} seed {told['seed']}: {said}" for told, said in rows] + [""]
    return "\n".join(out)
