"""Entry point: arguments, exit codes, one line per error.

Exit codes: 0 done, 1 failed while running, 2 bad input or arguments; 130, 143 and 129 ended
by SIGINT, SIGTERM or SIGHUP, with the best model so far in the file if it was ``learn`` that
was training.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack

from pystruct_ext.cli import demo, inspect, learn, predict
from pystruct_ext.cli._options import PROGRAM, Parser
from pystruct_ext.cli._report import one_line
from pystruct_ext.utils import signals
from pystruct_ext.utils.inputs import input_limits, limits_in_force


def build_parser() -> argparse.ArgumentParser:
    """The parser of all subcommands."""
    import pystruct_ext

    parser = Parser(
        prog=PROGRAM,
        description="Structured-output prediction with structural SVMs.",
        epilog="Files are plain, gzip or bzip2 by content; - is standard input, and pipes "
        "and <(...) do, too. An output is written whole or not at all, and a pipe, a device "
        "or a link is kept. Exit codes: 0 done, 1 failed, 2 bad input or arguments, 130, 143 "
        "or 129 ended by SIGINT, SIGTERM or SIGHUP.",
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
        with ExitStack() as stack:
            if hasattr(args, "max_input"):
                limits = limits_in_force()._replace(
                    max_bytes=args.max_input, max_ratio=None
                )
                stack.enter_context(input_limits(*limits))
            code = int(args.run(args))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of our output has gone; not an error of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _fail("interrupted", 128 + (signals.received() or signal.SIGINT))
    except (ValueError, TypeError, OSError) as error:
        return _fail(one_line(error), 2)
    except MemoryError:
        return _fail("out of memory", 1)
    except Exception as error:
        return _fail(f"{type(error).__name__}: {one_line(error)}", 1)


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"{PROGRAM}: error: {message}\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
