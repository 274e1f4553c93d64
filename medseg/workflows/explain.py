"""Which backend runs a model on this machine, by measuring."""

from medseg.domain import Run
from medseg.errors import InputError
from medseg.inference.load import BackendChoice, measure_backends
from medseg.models import read_card
from medseg.workflows.segmenters import model_folder

__all__ = ["explain_backend"]


def explain_backend(name: str, run: Run) -> BackendChoice:
    """Time one window on each backend that is installed; the faster one is kept for later runs on this machine.

    Raises
    ------
    InputError
        If no model is called so.
    """
    folder = model_folder(name)
    if folder is None:
        raise InputError(f"{name!r} is no model; --explain says which backend runs a model")
    return measure_backends(read_card(folder), folder, run)
