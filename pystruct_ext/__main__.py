"""``python -m pystruct_ext``."""

import sys

from pystruct_ext.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
