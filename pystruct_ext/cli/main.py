"""Entry point: arguments, exit codes, one line per error.

Exit codes: 0 done, 1 failed while running, 2 bad input or arguments, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from pystruct_ext.cli import demo, inspect, learn, predict


def build_parser() -> argparse.ArgumentParser:
    """The parser of all subcommands."""
    import pystruct_ext

    parser = argparse.ArgumentParser(
        prog="pystruct-ext",
        description="Structured-output prediction with structural SVMs.",
    )
    parser.add_argument("--version", action="version", version=pystruct_ext.__version__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (learn, predict, inspect, demo):
        module.register(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; those of the process by default.

    Returns
    -------
    int
        Exit code.
    """
    try:
        args = build_parser().parse_args(argv)
        return int(args.run(args))
    except BrokenPipeError:
        # The reader of our output has gone; not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except (ValueError, TypeError, OSError) as error:
        return _fail(_one_line(error), 2)
    except MemoryError:
        return _fail("out of memory", 1)
    except Exception as error:
        return _fail(f"{type(error).__name__}: {_one_line(error)}", 1)


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return " ".join(str(error).split())


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"pystruct-ext: error: {message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
