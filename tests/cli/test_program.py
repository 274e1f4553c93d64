"""The program as a whole: its table of commands, and the options that several share."""

import inspect
import pkgutil
from dataclasses import fields
from importlib import import_module

import pytest

from medseg import cli
from medseg.cli.options import READING
from medseg.domain import ReadOptions

#: Files of `cli/` that are no commands.
PARTS = {"everything", "how", "measure_options", "options", "output", "progress"}


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_the_line_of_a_command_is_that_of_its_help(name: str) -> None:
    text = inspect.getdoc(import_module(f"medseg.cli.{name}").command)
    assert text is not None
    assert text.splitlines()[0] == cli.COMMANDS[name], "medseg/cli/__init__.py: COMMANDS"


def test_every_file_is_a_command_of_the_table_or_a_part() -> None:
    files = {module.name for module in pkgutil.iter_modules(cli.__path__)}
    assert files - PARTS == set(cli.COMMANDS), "medseg/cli/__init__.py: COMMANDS"


def test_every_way_of_reading_can_be_typed() -> None:
    assert set(READING) == {field.name for field in fields(ReadOptions)}, "medseg/cli/options.py: READING"
