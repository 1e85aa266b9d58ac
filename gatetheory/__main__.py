"""``python -m gatetheory``."""

import sys

from gatetheory.cli import main

if __name__ == "__main__":
    sys.exit(main())
