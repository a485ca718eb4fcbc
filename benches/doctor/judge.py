"""What verdicts are worth, held against the known cause."""

PHASES = {"static": 0, "probe": 1, "online": 2, "posthoc": 3}
SEVERE = {"error": 2, "warning": 1, "info": 0}


def causes(verdict):
    """Findings that say: this is wrong. No symptoms, no asides."""
    return [f for f in verdict["findings"] if f["severity"] in ("error", "warning") and not f.get("symptom")]


def merged(verdicts):
    """Causes of all verdicts in the order a user would take them: the worse first, then the surer, then the earlier."""
    found = [finding for verdict in verdicts for finding in causes(verdict)]
    found.sort(key=lambda f: (-SEVERE[f["severity"]], -f["confidence"], PHASES.get(f["phase"], 9)))
    seen, kept = set(), []
    for finding in found:
        if finding["code"] not in seen:
            seen.add(finding["code"])
            kept.append(finding)
    return kept


def judge(verdicts, categories, train_seconds):
    """Detected, rank of the right category, patch of the first finding that has one, seconds until something was said."""
    found = merged(verdicts)
    sick = [v for v in verdicts if v["status"] in ("suspect", "sick")]
    order = []
    for finding in found:
        if finding["category"] not in order:
            order.append(finding["category"])
    top = found[0] if found else None
    patch = top["fix"]["patch"] if top and top.get("fix") and top["fix"].get("patch") else None
    seconds, phase = None, None
    if found:
        before = [v for v in verdicts[:1] if causes(v)]
        seconds = before[0]["seconds"] if before else train_seconds + verdicts[-1]["seconds"]
        phase = min((f["phase"] for f in found), key=lambda p: PHASES.get(p, 9))
    return {
        "status": max((v["status"] for v in verdicts), key=["healthy", "refused", "suspect", "sick"].index),
        "refused": verdicts[0]["status"] == "refused",
        "detected": bool(found and sick),
        "order": order,
        "rank": next((n for n, category in enumerate(order) if category in categories), None),
        "patch": patch,
        "codes": [f["code"] for f in found],
        # what makes a healthy run look ill: symptoms too
        "alarms": sorted({(f["code"], f["severity"]) for v in verdicts for f in v["findings"] if f["severity"] != "info"}),
        "seconds": seconds,
        "phase": phase,
    }
