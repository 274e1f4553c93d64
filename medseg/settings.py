"""The only place that reads the environment.

========================  =====================================================================
``MEDSEG_MODELS``         folders with model bundles, separated as in PATH, searched after the shipped ones and the
                          user's own (``models`` in the user's data folder of the system)
``MEDSEG_LOG_DIR``        where the log of an unexpected error goes (default: the temporary folder)
``MEDSEG_CACHE_DIR``      compiled networks and caches of libraries (default: ``medseg`` in the user's cache folder)
``MEDSEG_WORK_DIR``       where a window keeps unsaved work (default: ``medseg`` in the user's state folder)
``MEDSEG_TEST_DATA``      where the tests look for scans (default: ``../shared/data``)
``RANK``, ``WORLD_SIZE``, what torchrun tells each process of a training that is spread over several
``LOCAL_WORLD_SIZE``,
``MASTER_ADDR``,
``MASTER_PORT``
``TMPDIR``                where temporary files go, as everywhere
``TZ``                    the local time, as everywhere
========================  =====================================================================
"""

import os
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from platformdirs import user_data_path

__all__ = [
    "Launched",
    "config_folder",
    "environment_of",
    "keep_caches",
    "launched",
    "local_now",
    "log_folder",
    "model_folders",
    "own_models_folder",
    "shipped_folder",
    "talk_on_loopback",
    "temporary_folder",
    "user_cache_folder",
    "work_folder",
]

_PACKAGE = Path(__file__).resolve().parent


def shipped_folder() -> Path:
    """Folder of the models, samples and configurations that come with medseg."""
    return _PACKAGE / "shipped"


def config_folder() -> Path:
    """Folder of the training configurations: inside the wheel, or `configs/` of a checkout."""
    packed = shipped_folder() / "configs"
    return packed if packed.is_dir() else _PACKAGE.parent / "configs"


def own_models_folder() -> Path:
    """Where a user's own models lie, and `medseg models add` puts them."""
    return Path(user_data_path("medseg", appauthor=False)) / "models"


def model_folders() -> tuple[Path, ...]:
    """Folders that hold model bundles by name: the shipped ones first, the user's own, then those of MEDSEG_MODELS."""
    extra = os.environ.get("MEDSEG_MODELS", "")
    return (
        shipped_folder() / "models",
        own_models_folder(),
        *(Path(part).expanduser() for part in extra.split(os.pathsep) if part),
    )


def user_cache_folder() -> Path:
    """Folder for what can be made again: MEDSEG_CACHE_DIR, else `medseg` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path("~/.cache").expanduser())
    return Path(os.environ.get("MEDSEG_CACHE_DIR") or Path(home) / "medseg")


def keep_caches() -> None:
    """Let libraries keep their caches in our folder, not all over home and temporary folder; what is set stays."""
    folder = user_cache_folder()
    for name, part in (
        ("MPLCONFIGDIR", "matplotlib"),
        ("TORCH_HOME", "torch"),
        ("TORCHINDUCTOR_CACHE_DIR", "inductor"),
    ):
        os.environ.setdefault(name, str(folder / part))


def local_now() -> datetime:
    """The time with its offset from UTC; in UTC where the environment's TZ names no offset that there is."""
    try:
        return datetime.now().astimezone()
    except ValueError:
        return datetime.now(UTC)


def temporary_folder() -> Path:
    """Folder for temporary files; unlike `tempfile`, it is not tried with a file, which a killed run would leave."""
    for folder in (*map(os.environ.get, ("TMPDIR", "TEMP", "TMP")), "/tmp"):  # noqa: S108 - as `tempfile` does
        if folder and Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK):
            return Path(folder).absolute()
    return Path(tempfile.gettempdir())


def work_folder() -> Path:
    """Folder of what is worked on in a window and not saved yet; it need not exist."""
    home = os.environ.get("XDG_STATE_HOME") or str(Path("~/.local/state").expanduser())
    return Path(os.environ.get("MEDSEG_WORK_DIR") or Path(home) / "medseg")


def log_folder() -> Path:
    """Folder for logs of unexpected errors."""
    return Path(os.environ.get("MEDSEG_LOG_DIR") or temporary_folder())


@dataclass(frozen=True, slots=True)
class Launched:
    """What torchrun says of this process: its number, how many there are, and how many on this machine."""

    rank: int
    size: int
    here: int


_LAUNCH = ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def launched() -> Launched | None:
    """Which of torchrun's processes this is; None where it is on its own."""
    told = [os.environ.get(name, "") for name in _LAUNCH]
    if not all(told) or not all(number.isdecimal() for number in told[:3]) or told[1] == "1":
        return None
    return Launched(*(int(number) for number in told[:3]))


def talk_on_loopback() -> None:
    """Let processes that learn together on this machine be reached from it alone; what is set stays."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")


def environment_of(rank: int, size: int, address: str, port: int) -> dict[str, str]:
    """The environment of a process that is started on this machine as torchrun would start it."""
    told = (str(rank), str(size), str(size), address, str(port))
    return {**os.environ, **dict(zip(_LAUNCH, told, strict=True)), "LOCAL_RANK": str(rank)}
