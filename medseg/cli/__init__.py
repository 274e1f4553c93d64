"""The command line: parse, call one workflow, print. One file per command; nothing heavy is loaded here."""

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from types import FrameType
from typing import NoReturn

import typer

from medseg import settings
from medseg._version import __version__
from medseg.cli.output import log_bug, prepare_streams, print_error
from medseg.errors import Cancelled, ConfigError, MedsegError, OutputError, ResourceError
from medseg.extras import load_without

__all__ = ["COMMANDS", "app_of", "main"]

#: Command → its line in the help; each is the function `command` of the file of its name, loaded when it is asked for.
COMMANDS = {
    "demo": "Segment the shipped samples on the CPU, measure them, compare with the reference, write the reports.",
    "info": "Say what a path is, and what is wrong with it: geometry, verdicts on slices, labels, channels.",
    "methods": "List the methods, or show one with its parameters, units, defaults and source.",
    "models": "List the models, or show one model's card: what it is for, how good it is, where it fails.",
    "doctor": "Name versions, devices, missing extras and broken plugins, and time one 3D convolution.",
    "segment": "Segment an image, a DICOM folder, or many cases, by a method or a model.",
    "edit": "Edit a mask by operations in mm: keep parts, fill, open, close, grow, smooth, join, split, crop.",
    "measure": "Measure every label and region of a mask: volumes, places, extents, and intensities of each image.",
    "report": "Render a record. All numbers come from it; pictures are drawn from the inputs it names.",
    "sign": "Sign a record as reviewed: name, organization, time, and digests of all that it says and names.",
    "verify": "Recompute every digest and number of a record: signature, mask, images, measurements, pictures.",
    "export": "Write a record and its mask as DICOM SEG, SR, RTSTRUCT, PDF, pictures, key images, and as FHIR.",
    "evaluate": "Compare masks: Dice, surface Dice, HD95, ASSD and volume error, in true mm.",
    "followup": "Follow lesions over scans: which is which, what changed, and whether that is more than error.",
    "repeatability": "Say how far two scans differ although nothing changed: the error that a change is judged by.",
    "plan": "Measure a dataset and write a training configuration, each line with its reason.",
    "train": "Preprocess, train, validate, and write a bundle that 'medseg segment' runs.",
    "cohort": "Segment, measure and report thousands of cases on a cluster; what stands and still matches is skipped.",
    "convert": "Convert an image or a mask on the same grid.",
}

#: Commands of several words: their file has an `app` with a command for each.
WITH_VERBS = {"models"}

#: Base of what the parser complains about; typer has it from click, or from a copy of its own.
_USAGE: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)


def app_of(*loaded: str) -> typer.Typer:
    """The program with all commands, of which those named are loaded; the others have their line in the help."""
    app = typer.Typer(
        name="medseg",
        help="Scans to segmentations, segmentations to numbers, numbers to reports. "
        "For research use; not a medical device.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for name, line in COMMANDS.items():
        if name in loaded:
            module = import_module(f"medseg.cli.{name}")
            if name in WITH_VERBS:
                app.add_typer(module.app, name=name)
            else:
                app.command(name=name)(module.command)
        else:
            app.command(name=name, help=line)(_not_loaded)
    return app


def _not_loaded() -> None:
    raise AssertionError("a command was called that was not loaded")


def _print_version(value: bool) -> None:
    if value:
        print(__version__)
        raise typer.Exit


def _options(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    del version


def main() -> NoReturn:
    """Run the command line; every end has its exit code (see `medseg.errors`)."""
    signal.signal(signal.SIGTERM, _terminate)
    prepare_streams()
    settings.keep_caches()
    sys.exit(_flushed(_run()))


def _flushed(code: int) -> int:
    """The exit code, after all output has gone out; a full disk or a closed pipe shows only then."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # What is still in the buffer would fail again when the interpreter ends.
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return code or _closed(error)
    return code


def _closed(error: OSError) -> int:
    refused = OutputError(f"the output can't be written: {error.strerror or error}")
    with suppress(OSError):
        print_error("medseg", refused, as_json=False)
    return refused.exit_code


def _run() -> int:
    command = next((word for word in sys.argv[1:] if not word.startswith("-")), "medseg")
    as_json = "--json" in sys.argv
    try:
        with _own_temporary_files(command):
            code = int(app_of(command)(standalone_mode=False) or 0)
        if code != Cancelled.exit_code:
            return code
        raised: BaseException = _stopped()
    except BrokenPipeError as pipe:
        return _closed(pipe)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost edge: a bug is one line and a log
        raised = error
    said = _said(raised, command)
    if said is None:
        note = f"this is a fault in medseg; details in {log_bug(raised)}"
        print_error(command, raised, as_json=as_json, note=note)
        return 1
    if str(said):  # else no arguments at all: the help was shown
        print_error(command, said, as_json=as_json)
    return said.exit_code


@contextmanager
def _own_temporary_files(command: str) -> Iterator[None]:
    """A folder of ours for the temporary files of libraries; if this run is killed, the next one sweeps it."""
    if command not in COMMANDS:
        yield
        return
    from medseg.io.leftovers import scratch_folder  # noqa: PLC0415 - not for --help and --version

    # nibabel would import pydicom for an extension of headers that nothing here reads.
    load_without("nibabel", "pydicom")
    before = tempfile.tempdir
    with scratch_folder() as folder:
        tempfile.tempdir = str(folder)
        try:
            yield
        finally:
            tempfile.tempdir = before


def _said(raised: BaseException, command: str) -> MedsegError | None:
    """What is no bug, as one of our own errors: a refusal, a stop, a wrong option, a failing machine."""
    if isinstance(raised, MedsegError):
        return raised
    if isinstance(raised, KeyboardInterrupt | typer.Abort):
        return _stopped()
    if isinstance(raised, _USAGE):
        words = raised.format_message().rstrip(".")  # type: ignore[attr-defined]
        of = f"{command} " if command in COMMANDS else ""
        return ConfigError(f"{words}; see 'medseg {of}--help'" if words else "")
    if isinstance(raised, MemoryError):
        return ResourceError("out of memory; use a smaller image or window, or close other programs")
    if isinstance(raised, OSError) and raised.errno is not None:
        where = f"{raised.filename}: " if raised.filename else ""
        return OutputError(f"{where}{raised.strerror}; the system refused it")
    return None


def _stopped() -> Cancelled:
    return Cancelled("stopped; nothing half-written was left behind")


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
