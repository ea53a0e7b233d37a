"""One case: a call that may succeed or end in a KecorError, in time."""

from __future__ import annotations

import signal
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from kecor.errors import KecorError

LIMIT = 10.0
"""Seconds a case may take."""
SUCCESS, REFUSED, FAILED = "success", "KecorError", "failure"


class Hang(BaseException):
    """A case took too long. No handler of exceptions may catch it."""


@dataclass
class Outcome:
    """How a case ended; ``text`` is the message of the error, or the traceback of a failure."""

    kind: str
    text: str = ""


def outcome_of(call: Callable[[], object], limit: float = LIMIT) -> Outcome:
    """Run ``call`` in the main thread."""

    def stop(*_: object) -> None:
        raise Hang(f"no end after {limit} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            call()
        return Outcome(SUCCESS)
    except KecorError as error:
        message = str(error)
        return Outcome(REFUSED, message) if message.strip() else Outcome(FAILED, "an error without a message")
    except (Exception, Hang):
        return Outcome(FAILED, traceback.format_exc(limit=-6))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
