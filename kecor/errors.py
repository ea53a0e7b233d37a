"""Errors a user can cause and can mend. Tools print them as one line, without a traceback."""


class KecorError(Exception):
    """Base of every error that wrong input or a wrong environment causes."""


class ConfigError(KecorError):
    """A config file or override is wrong: names the file and the key."""


class DataError(KecorError):
    """A file of a data set is wrong or missing: names the file and, where there is one, the line."""


class CheckpointError(KecorError):
    """A checkpoint cannot be used: lists what does not fit."""


class SelectionError(KecorError):
    """An acquisition function broke its contract: names the method and what it returned."""


class StateError(KecorError):
    """The state of an active-learning run on disk cannot be used: says what to do."""
