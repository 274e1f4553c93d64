"""Every error medseg raises on purpose.

::

    MedsegError                     base: "medseg said no, and knows why"
    ├── InputError                  (ValueError)   the user's files, options or models           exit 2
    │   ├── GridMismatchError                      two grids that should be one are not
    │   ├── LabelError                             label values or tables that make no sense
    │   ├── UnsupportedFormatError                 nobody reads this file
    │   ├── ConfigError                            a configuration or parameter is wrong
    │   └── ModelError                             a bundle is damaged, foreign or unsuitable
    ├── OutputError                 (OSError)      exists already, disk full, no permission       exit 2
    ├── PartialFailure              (RuntimeError) some cases of many failed, the rest is done    exit 3
    ├── MissingExtra                (ImportError)  an optional part is not installed              exit 4
    ├── ResourceError               (MemoryError)  does not fit; says what to lower               exit 5
    └── Cancelled                   (Exception)    the user stopped it; nothing half-written      exit 130

Each is constructed from one message: *what is wrong, where, what to do*. One string survives pickling
between processes, and one line is what people read.
"""

__all__ = [
    "Cancelled",
    "ConfigError",
    "GridMismatchError",
    "InputError",
    "LabelError",
    "MedsegError",
    "MissingExtra",
    "ModelError",
    "OutputError",
    "PartialFailure",
    "ResourceError",
    "UnsupportedFormatError",
]


class MedsegError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line returns."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class InputError(MedsegError, ValueError):
    """The user's files, options or models are at fault."""

    exit_code = 2


class GridMismatchError(InputError):
    """Two grids that should describe the same voxels do not."""


class LabelError(InputError):
    """Label values or a label table make no sense."""


class UnsupportedFormatError(InputError):
    """No reader or writer knows this kind of file."""


class ConfigError(InputError):
    """A configuration, option or parameter is wrong."""


class ModelError(InputError):
    """A model bundle is damaged, foreign, or unsuitable for these images."""


class OutputError(MedsegError, OSError):
    """An output exists already, or can't be written."""

    exit_code = 2


class PartialFailure(MedsegError, RuntimeError):
    """Some cases of many failed; the others are done."""

    exit_code = 3


class MissingExtra(MedsegError, ImportError):
    """An optional part of medseg is not installed."""

    exit_code = 4


class ResourceError(MedsegError, MemoryError):
    """The work does not fit into memory."""

    exit_code = 5


class Cancelled(MedsegError):
    """The user stopped the work."""

    exit_code = 130
