"""A polishing process: `python -m symlib.symbolic.polish_worker`, see `polish.py`."""

import sys

from symlib.symbolic.polish import handle
from symlib.symbolic.processes import serve

if __name__ == "__main__":
    sys.exit(serve(handle))
