"""``python -m pystruct_ext.structures``: the table of structures in Markdown."""

from __future__ import annotations

import sys

from pystruct_ext.structures import table

if __name__ == "__main__":
    sys.stdout.write(table())
