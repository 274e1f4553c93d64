"""Prompts to a file and back: asked for by napari's user, as the command line reads and writes them."""

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from medseg.domain import Prompts
from medseg.workflows.prompts import read_prompts, write_prompts

__all__ = ["load_prompts", "save_prompts"]

_FILES = "Prompts (*.json)"


def save_prompts(prompts: Prompts, parent: QWidget, path: Path | None = None) -> None:
    """Write prompts, where the user says (who is asked before a file is replaced); raises OutputError."""
    name = str(path or "") or QFileDialog.getSaveFileName(parent, "Save prompts", "prompts.json", _FILES)[0]
    if name:
        write_prompts(prompts, Path(name), force=True)


def load_prompts(parent: QWidget, path: Path | None = None) -> Prompts | None:
    """Prompts of the file that the user picks, None if none is picked; raises InputError."""
    name = str(path or "") or QFileDialog.getOpenFileName(parent, "Load prompts", "", _FILES)[0]
    return read_prompts(Path(name)) if name else None
