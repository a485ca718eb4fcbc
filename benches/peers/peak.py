"""Runs a command and writes the peak memory of its process tree, in MiB, to a file: proportional set size, sampled.

    python peak.py FILE COMMAND…
"""

import subprocess
import sys
import threading
from pathlib import Path


def tree(pid):
    found, waiting = [], [pid]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                waiting += map(int, tasks.read_text().split())
            except OSError:
                pass
    return found


def pss(pid):
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


process = subprocess.Popen(sys.argv[2:])
peak, over = 0, threading.Event()


def watch():
    global peak
    while not over.wait(0.25):
        peak = max(peak, sum(map(pss, tree(process.pid))))


watcher = threading.Thread(target=watch)
watcher.start()
code = process.wait()
over.set()
watcher.join()
Path(sys.argv[1]).write_text(str(peak / 1024))
sys.exit(code)
