"""What verdicts are worth, held against the known cause."""


def causes(verdict):
    """Findings that say: this is wrong. No symptoms, no asides. The doctor's own order."""
    return [f for f in verdict["findings"] if f["severity"] in ("error", "warning") and not f.get("symptom")]


def judge(verdicts, categories, train_seconds):
    """Holds the verdict on the finished run, which has what the recipe alone shows too, against the cause.

    Detected, rank of the right category, patch of the first finding, seconds until the first cause was told.
    """
    answered = [verdict for verdict in verdicts if verdict["status"] != "refused"]
    last = answered[-1] if answered else verdicts[-1]
    found = causes(last)
    order = list(dict.fromkeys(finding["category"] for finding in found))
    seconds = None
    if causes(verdicts[0]):
        seconds = verdicts[0]["seconds"]
    elif found:
        seconds = train_seconds + verdicts[-1]["seconds"]
    return {
        "status": last["status"],
        "detected": bool(found) and last["status"] in ("suspect", "sick"),
        "before": bool(causes(verdicts[0])),
        "order": order,
        "rank": next((n for n, category in enumerate(order) if category in categories), None),
        "patch": ((found[0].get("fix") or {}).get("patch") or None) if found else None,
        "codes": [finding["code"] for finding in found],
        # what makes a healthy run look ill: symptoms too
        "alarms": sorted({(f["code"], f["severity"]) for v in verdicts for f in v["findings"] if f["severity"] != "info"}),
        "seconds": seconds,
    }
