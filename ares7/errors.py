"""The exception tree. Each class says who must act; every message says what, where, limit, remedy.

::

    Ares7Error                  exit code 2 unless stated
    +-- ConfigError             the user corrects config.yaml, --set or the command line
    +-- DataError               the user corrects or replaces a data file
    |   +-- MissingData         a file, column, series or value is not there
    |   +-- StaleData           an input is there, but too old for the decision that asks for it
    |   +-- RestatedData        figures were restated after the fact; download the as-reported ones
    +-- LookaheadError          the user asked for something that sees the future; see allow_lookahead
    +-- CheckFailed             exit 1: the work is done, and a check or a limit failed
    +-- ServiceUnavailable      exit 3: a gateway, database or scheduler is not there; start it, retry
"""


class Ares7Error(Exception):
    """Anything this project raises on purpose. ``exit_code`` is what the command line returns."""

    exit_code = 2


class ConfigError(Ares7Error):
    """The configuration or the command line is wrong. The user corrects it."""


class DataError(Ares7Error):
    """A data file cannot be used as it is. The user corrects or replaces it."""


class MissingData(DataError):
    """A file, a column, a series or a value that is needed is not there."""


class StaleData(DataError):
    """An input is too old for the decision that needs it. The user updates it."""


class RestatedData(DataError):
    """Figures that were restated later. The user downloads the as-reported dimension."""


class LookaheadError(Ares7Error):
    """A setting would use what was not known yet. Refused unless ``allow_lookahead`` is set."""


class CheckFailed(Ares7Error):
    """The work was done and a check or a limit failed. The user reads the findings."""

    exit_code = 1


class ServiceUnavailable(Ares7Error):
    """A service (gateway, database, scheduler) does not answer. The operator starts it."""

    exit_code = 3
