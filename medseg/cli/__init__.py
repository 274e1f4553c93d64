"""The command line: parse, call one workflow, print. One file per command; nothing heavy is loaded here."""

import signal
import sys
from types import FrameType
from typing import NoReturn

import click
import typer

from medseg.cli import (
    convert,
    demo,
    doctor,
    evaluate,
    info,
    measure,
    methods,
    models,
    report,
    segment,
    train,
)
from medseg.cli.output import print_error
from medseg.errors import Cancelled, MedsegError

__all__ = ["app", "main"]

app = typer.Typer(
    name="medseg",
    help="Scans to segmentations, segmentations to numbers, numbers to reports. "
    "For research use; not a medical device.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in (demo, info, methods, models, doctor, segment, measure, report, evaluate, train, convert):
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
        return int(app(standalone_mode=False) or 0)
    except MedsegError as error:
        print_error(command, error, as_json=as_json)
        return error.exit_code
    except (KeyboardInterrupt, click.exceptions.Abort):
        stopped = Cancelled("stopped; nothing half-written was left behind")
        print_error(command, stopped, as_json=as_json)
        return stopped.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except MemoryError:
        from medseg.errors import ResourceError

        resource = ResourceError("out of memory; use a smaller image or window, or close other programs")
        print_error(command, resource, as_json=as_json)
        return resource.exit_code
    except Exception as error:  # noqa: BLE001 - the outermost edge: a bug is one line and a log
        from medseg.cli.output import log_bug

        print_error(
            command, error, as_json=as_json, note=f"this is a fault in medseg; details in {log_bug(error)}"
        )
        return 1


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
