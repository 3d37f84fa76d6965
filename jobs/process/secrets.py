"""No secret in a log record: those of this process, whichever library makes them."""

import logging
import traceback
from typing import Any

from schemas.redact import redact


def hide_secrets_in_logs() -> None:
    """From now on every log record of this process is made without secrets; a second call changes nothing.

    A filter on a logger would miss what its children log, and one on a handler those handlers that come later.
    """
    if not isinstance(logging.getLogRecordFactory(), _Redacting):
        logging.setLogRecordFactory(_Redacting(logging.getLogRecordFactory()))


def traceback_of(error: BaseException) -> str:
    """An error's traceback, without secrets."""
    return redact("".join(traceback.format_exception(error)))


class _Redacting:
    """Makes records as the factory before it did, and hides what slipped into them."""

    def __init__(self, factory: Any) -> None:
        self._factory = factory

    def __call__(self, *arguments: Any, **named: Any) -> logging.LogRecord:
        """A record; one without secrets keeps its arguments, which some formatters read."""
        record: logging.LogRecord = self._factory(*arguments, **named)
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            # Arguments that do not fit: a handler would print them as they are.
            record.msg, record.args = f"{record.msg} {record.args}", ()
            message = record.getMessage()

        if (shown := redact(message)) != message:
            record.msg, record.args = shown, ()
        if record.exc_info and record.exc_info[1]:
            record.exc_text = traceback_of(record.exc_info[1]).rstrip("\n")  # formatters take it where it is there
        return record
