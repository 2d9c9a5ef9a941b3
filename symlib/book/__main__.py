"""`python -m symlib.book execute` and `render`."""

import sys

from symlib.book.building import main

sys.exit(main())
