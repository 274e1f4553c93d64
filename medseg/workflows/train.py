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
    fold: int | None = None,
    restart: bool = False,
    run: Run | None = None,
) -> Path:
    """Train a configuration; returns the folder of the finished bundle.

    Parameters
    ----------
    config
        A YAML file, or the name of a shipped configuration such as `hippocampus_3d`.
    overrides
        `key=value` with dotted keys; an unknown key is refused and the nearest is named.
    out
        The run's folder; one with the same plan is resumed.
    fold
        Only this fold of the split; by default all that are not finished, one after another.
    restart
        Throw away an unfinished run with another plan.
    run
        Device, threads, seed, progress, cancel.

    Raises
    ------
    ConfigError
        If the configuration or an override is wrong.
    """
    from medseg.training import load_config, open_data
    from medseg.training import train as train_folds

    settings_read = load_config(find_config(config), tuple(overrides))
    dataset = open_data(settings_read)
    command = f"medseg train {Path(config).stem} data.root={dataset.name} --out RUN"
    return train_folds(settings_read, dataset, Path(out), run, fold=fold, restart=restart, command=command)


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
