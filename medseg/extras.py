"""What is installed beside the core: each extra with the modules that it brings, asked for where a door needs it."""

import sys
from importlib import import_module
from importlib.util import find_spec

from medseg.errors import MissingExtra

__all__ = ["EXTRAS", "load_without", "missing_modules", "require_extra"]

#: Extra → the modules it brings; `pip install 'medseg[NAME]'`. A test holds it to pyproject.toml.
EXTRAS = {
    "models": ("torch", "safetensors"),
    "openvino": ("openvino", "safetensors"),
    "train": ("monai", "lightning"),
    "pdf": ("weasyprint", "pypdfium2"),
    "dataframe": ("pandas",),
    "k-means": ("sklearn",),
    "graph-cut": ("maxflow",),
    "signing": ("cryptography",),
    "cluster": ("dask", "distributed", "dask_jobqueue", "pyarrow", "cryptography"),
    "tensorboard": ("tensorboard",),
    "napari": ("napari", "qtpy", "superqt"),
    "testing": ("pytest", "hypothesis"),
}


def missing_modules(extra: str) -> tuple[str, ...]:
    """Modules of an extra that are not installed; looks, and loads none of them.

    >>> missing_modules("testing")
    ()
    """
    return tuple(module for module in EXTRAS[extra] if find_spec(module) is None)


def require_extra(extra: str, purpose: str) -> None:
    """Refuse in one line what an extra is needed for that is not installed.

    Parameters
    ----------
    extra
        Name in `EXTRAS`.
    purpose
        What needs it, as the beginning of a sentence: `segmenting with a model`.

    Raises
    ------
    MissingExtra
        Naming the modules and the line that installs them.
    """
    if missing := missing_modules(extra):
        raise MissingExtra(
            f"{purpose} needs {' and '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not installed; "
            f"pip install 'medseg[{extra}]'"
        )


def load_without(module: str, unneeded: str) -> None:
    """Import a module as if another one, which it can do without, were not installed.

    For the command line alone, whose process is its own: who else imports the module there finds it without the other.
    """
    if module in sys.modules or unneeded in sys.modules or find_spec(module) is None:
        return
    sys.modules[unneeded] = None  # type: ignore[assignment]  # how the import system notes that there is none
    try:
        import_module(module)
    finally:
        del sys.modules[unneeded]
