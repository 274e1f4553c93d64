"""The program with every command loaded: for the reference (`typer medseg.cli.everything utils docs`)."""

from medseg.cli import COMMANDS, app_of

__all__ = ["app"]

app = app_of(*COMMANDS)
