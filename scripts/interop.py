#!/usr/bin/env python3
"""Makes the Python environment that `make interop`, `make fixtures` and `make bench` compare with, in the cache folder.

4.8 GB, once per user. Luthier itself needs none of it.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("interop-requirements.txt")


def main():
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    home = Path(base) / "luthier" / "interop"
    ready = home / "ready"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    if not (ready.exists() and ready.read_text() == wanted):
        print(f"setting up PyTorch and its friends in {home}: 4.8 GB, once", file=sys.stderr, flush=True)
        if not (home / "bin" / "python").exists():
            made = subprocess.run([sys.executable, "-m", "venv", home], capture_output=True, text=True)
            if made.returncode:
                sys.exit("error: Python cannot make virtual environments\n\nhint: `apt-get install python3-venv`")
        install = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*install, "-r", REQUIREMENTS])
        if done.returncode:
            sys.exit("error: the packages could not be installed\n\nhint: check the network, then run this again")
        ready.write_text(wanted)
    ready.touch()


if __name__ == "__main__":
    main()
