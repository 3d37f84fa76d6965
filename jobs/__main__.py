"""The command line: `unrolled …` or `python -m jobs …`."""

import os
import signal
import sys
from types import FrameType

from jobs.commands.parser import STAGES, make_parser

_received: list[int] = []  # signals, so that the exit code can tell which it was


def main(arguments: list[str] | None = None) -> int:
    """Do what was typed; give the exit code.

    0 ok, 1 a bug, 2 usage or settings, 3 some pieces failed or stored rows are wrong, 4 another driver works on
    the run, 5 storage or what `unrolled doctor` found, 130 and 143 signals.
    """
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.version:
        from importlib.metadata import version

        print(version("unrolled"))
        return 0
    if options.command is None:
        parser.print_help()
        return 2
    signal.signal(signal.SIGTERM, _terminate)
    from jobs.secrets import hide_secrets_in_logs
    from schemas.errors import UnrolledError

    hide_secrets_in_logs()
    try:
        _command(options.command, getattr(options, "action", ""))(options)
        sys.stdout.flush()
    except UnrolledError as error:
        _tell(error, str(error), debug=options.debug)
        return error.exit_code
    except KeyboardInterrupt:
        print("unrolled: stopped; the same command goes on from here", file=sys.stderr)
        return 128 + (_received[-1] if _received else signal.SIGINT)
    except BrokenPipeError:  # `unrolled sql … | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001  # the last resort
        _tell(error, f"a bug: {type(error).__name__}: {error}; --debug shows where", debug=options.debug)
        return 1
    return 0


def _tell(error: Exception, words: str, *, debug: bool) -> None:
    """An error on stderr, without secrets: in words, or all of it."""
    from jobs.secrets import traceback_of
    from schemas.redact import redact

    print(traceback_of(error) if debug else f"unrolled: {redact(words)}", file=sys.stderr)


def _command(name: str, action: str):  # type: ignore[no-untyped-def]  # noqa: ANN202  # argparse gives untyped options
    if name == "run" or name in STAGES:
        from jobs.commands import stages  # with torch, which takes a second

        return stages.run if name == "run" else stages.one_stage
    if name == "doctor":  # which tells of libraries that the others cannot be imported without
        from jobs.commands import doctor

        return doctor.doctor
    from jobs.commands import audit, clearing, questions, runs

    commands = {"sql": questions.sql, "top": questions.top, "show": questions.show, "gc": clearing.collect}
    removals = {"rm": clearing.remove, "gc": clearing.collect}
    return {"audit": audit.audit, "runs": removals.get(action, runs.runs), **commands}[name]


def _terminate(number: int, _frame: FrameType | None) -> None:
    """Stop as Ctrl-C does: it is the one exception that Ray lets through from a signal."""
    _received.append(number)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
