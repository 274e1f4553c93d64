"""The command line: parse, call one workflow, print. One file per command; nothing heavy is loaded here."""

import signal
import sys
from types import FrameType
from typing import NoReturn

import typer

from medseg.cli import (
    convert,
    demo,
    doctor,
    edit,
    evaluate,
    export,
    info,
    measure,
    methods,
    models,
    report,
    segment,
    sign,
    train,
    verify,
)
from medseg.cli.output import log_bug, print_error
from medseg.errors import Cancelled, ConfigError, MedsegError, ResourceError

__all__ = ["app", "main"]

#: Base of what the parser complains about; typer has it from click, or from a copy of its own.
_USAGE: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)

app = typer.Typer(
    name="medseg",
    help="Scans to segmentations, segmentations to numbers, numbers to reports. "
    "For research use; not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in (
    demo,
    info,
    methods,
    models,
    doctor,
    segment,
    edit,
    measure,
    report,
    sign,
    verify,
    export,
    evaluate,
    train,
    convert,
):
    app.command(name=_module.__name__.rpartition(".")[2])(_module.command)


def _print_version(value: bool) -> None:
    if value:
        from medseg._version import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    del version


def main() -> NoReturn:
    """Run the command line; every end has its exit code (see `medseg.errors`)."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(_run())


def _run() -> int:
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "medseg")
    as_json = "--json" in sys.argv
    try:
        code = int(app(standalone_mode=False) or 0)
        if code != Cancelled.exit_code:
            return code
        error: BaseException = _stopped()
    except MedsegError as refused:
        error = refused
    except (KeyboardInterrupt, typer.Abort):
        error = _stopped()
    except _USAGE as wrong:
        words = wrong.format_message().rstrip(".")  # type: ignore[attr-defined]
        if not words:  # no arguments at all: the help was shown
            return ConfigError.exit_code
        known = {item.name for item in app.registered_commands}
        error = ConfigError(
            f"{words}; see 'medseg {command} --help'" if command in known else f"{words}; see 'medseg --help'"
        )
    except MemoryError:
        error = ResourceError("out of memory; use a smaller image or window, or close other programs")
    except Exception as bug:  # noqa: BLE001 - the outermost edge: a bug is one line and a log
        note = f"this is a fault in medseg; details in {log_bug(bug)}"
        print_error(command, bug, as_json=as_json, note=note)
        return 1
    print_error(command, error, as_json=as_json)
    return error.exit_code if isinstance(error, MedsegError) else 1


def _stopped() -> Cancelled:
    return Cancelled("stopped; nothing half-written was left behind")


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
