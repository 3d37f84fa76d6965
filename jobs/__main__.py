"""The command line: `unrolled …` or `python -m jobs …`."""

import argparse
import io
import os
import sys
import warnings
from typing import TextIO

from jobs import unrolled  # noqa: F401  # our own packages, whatever files of their names lie in this folder
from jobs.commands.parser import make_parser
from jobs.process import interruption
from schemas.stages import STAGES


def main(arguments: list[str] | None = None) -> int:
    """Do what was typed; give the exit code.

    0 ok, 1 a bug, 2 usage or settings, 3 some pieces failed, or stored rows are wrong or cannot be checked, 4
    another driver works on the run, 5 storage or what `unrolled doctor` found, 130 and 143 signals, which end
    the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an ASCII terminal gets é as \xe9
            stream.reconfigure(errors="backslashreplace")
    parser = make_parser()
    options = parser.options_of(arguments)
    if options.version:
        from importlib.metadata import version

        print(version("unrolled"))
        return 0
    if options.command is None:
        parser.print_help()
        return 2
    with interruption.interruptible():
        try:
            return _do(options)
        except BrokenPipeError:  # `unrolled sql … | head` has read enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        except KeyboardInterrupt:
            interruption.end()
        except SystemExit as ended:  # by the handler that is Ray's own, in place while it starts
            if ended.code in interruption.SIGNALS:
                interruption.end(int(ended.code))
            raise


def _do(options: argparse.Namespace) -> int:
    from jobs.process.secrets import hide_secrets_in_logs
    from schemas.errors import UnrolledError

    hide_secrets_in_logs()
    try:
        with warnings.catch_warnings():
            _show_incomplete()
            _command(options.command, getattr(options, "action", ""))(options)
        sys.stdout.flush()
        interruption.check()
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001  # the last resort
        interruption.check()
        is_ours = isinstance(error, UnrolledError)
        told = str(error) if is_ours else f"a bug: {type(error).__name__}: {error}; --debug shows where"
        _tell(error, told, debug=options.debug)
        return error.exit_code if isinstance(error, UnrolledError) else 1
    return 0


def _show_incomplete() -> None:
    """Let what is said of incomplete runs be a line on stderr, once a command, without the place in our code."""
    from schemas.errors import IncompleteWarning

    show, told = warnings.showwarning, set()

    def shown(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        """A line for what is ours, anything else as before."""
        if not issubclass(category, IncompleteWarning):
            show(message, category, filename, lineno, file, line)
        elif str(message) not in told:
            told.add(str(message))
            print(f"unrolled: {message}", file=sys.stderr)

    warnings.showwarning = shown
    warnings.simplefilter("always", IncompleteWarning)


def _tell(error: Exception, words: str, *, debug: bool) -> None:
    """An error on stderr, without secrets: in words, or all of it."""
    from jobs.process.secrets import traceback_of
    from schemas.redact import redact

    print(traceback_of(error) if debug else f"unrolled: {redact(words)}", file=sys.stderr)


def _command(name: str, action: str):  # type: ignore[no-untyped-def]  # noqa: ANN202  # argparse gives untyped options
    if name == "write":
        from jobs.commands import write

        return write.write
    if name == "run" or name in STAGES:
        from jobs.commands import stages  # with torch, which takes a second

        return stages.run if name == "run" else stages.one_stage
    if name == "doctor":  # which tells of libraries that the others cannot be imported without
        from jobs.commands import doctor

        return doctor.doctor
    if name == "match":
        from jobs.commands import matching  # with scipy's optimization

        return matching.match
    from jobs.commands import audit, claims, clearing, questions, roles, runs

    commands = {"sql": questions.sql, "top": questions.top, "show": questions.show, "gc": clearing.collect}
    removals = {"rm": clearing.remove, "gc": clearing.collect}
    listed = {
        "audit": audit.audit,
        "claims": claims.claims,
        "roles": roles.roles,
        "runs": removals.get(action, runs.runs),
    }
    return {**listed, **commands}[name]


if __name__ == "__main__":
    sys.exit(main())
