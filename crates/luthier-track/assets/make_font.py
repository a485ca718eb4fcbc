"""Makes Inter-subset.otf: the letters of European languages out of Inter Regular, so that plots look the same on
every machine, one without fonts included.

    apt-get download fonts-inter && dpkg-deb -x fonts-inter_*.deb inter
    pip install fonttools
    python make_font.py inter/usr/share/fonts/opentype/inter/Inter-Regular.otf Inter-subset.otf
"""

import sys

from fontTools import subset

LETTERS = (
    "U+0020-007E,U+00A0-017F,U+0370-03FF,U+0400-045F,U+2010-2027,U+2030-203A,U+20AC,"
    "U+2190-2193,U+2212,U+2264,U+2265,U+221E,U+FFFD"
)

source, target = sys.argv[1:]
subset.main([
    source,
    f"--unicodes={LETTERS}",
    "--layout-features=kern,tnum",
    "--no-hinting",
    f"--output-file={target}",
])
