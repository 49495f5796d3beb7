"""Where the C and C++ headers are."""

from __future__ import annotations

from pathlib import Path


def get_include() -> str:
    """Folder to give a compiler as include path, for ``pystruct_ext/oracle.h``.

    Returns
    -------
    str
        The installed headers, or those of the source tree in an editable install.

    Examples
    --------
    >>> from pathlib import Path
    >>> (Path(get_include()) / "pystruct_ext" / "oracle.h").exists()
    True
    """
    here = Path(__file__).resolve().parent
    installed = here / "include"
    if (installed / "pystruct_ext" / "oracle.h").exists():
        return str(installed)
    return str(here.parent / "csrc" / "include")
