"""Train: a configuration and a dataset become a bundle."""

from collections.abc import Sequence
from pathlib import Path

from medseg import settings
from medseg.domain import Run
from medseg.errors import ConfigError

__all__ = ["find_config", "train"]


def train(
    config: str | Path,
    overrides: Sequence[str] = (),
    *,
    out: str | Path,
    fold: int = 0,
    restart: bool = False,
    run: Run | None = None,
) -> Path:
    """Train one fold of a configuration; returns the folder of the finished bundle.

    Parameters
    ----------
    config
        A YAML file, or the name of a shipped configuration such as `hippocampus_3d`.
    overrides
        `key=value` with dotted keys; an unknown key is refused and the nearest is named.
    out
        The run's folder; one with the same plan is resumed.
    fold
        Which fold of the split validates.
    restart
        Throw away an unfinished run with another plan.
    run
        Device, threads, seed, progress, cancel.

    Raises
    ------
    ConfigError
        If the configuration or an override is wrong.
    """
    from medseg.training import train as train_fold

    return train_fold(
        find_config(config), tuple(overrides), Path(out), fold=fold, restart=restart, run=run or Run()
    )


def find_config(name: str | Path) -> Path:
    """Path of a configuration: the file itself, or one of the shipped by name."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = settings.config_folder() / f"{name}.yaml"
    if shipped.is_file():
        return shipped
    names = sorted(item.stem for item in settings.config_folder().glob("*.yaml"))
    raise ConfigError(
        f"no configuration is called {str(name)!r}; there are {', '.join(names)}, or give a YAML file"
    )
