"""``python -m pystruct_ext``."""

import sys

from pystruct_ext.cli.main import main

sys.exit(main())
