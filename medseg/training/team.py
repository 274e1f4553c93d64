"""Several processes that learn one network together: one leads, and the others take the same steps on their share.

The leader does all that one process alone does. The others, started by it on this machine or by torchrun on any, wait
for its word, fold by fold, and write nothing. What is said goes through torch's key-value store as JSON; gradients go
through torch's own collectives, gloo on CPUs and NCCL on GPUs.
"""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from medseg import settings
from medseg.domain import Run
from medseg.domain.run import Device
from medseg.errors import ConfigError, ResourceError
from medseg.training.cache import CachedCase
from medseg.training.config import TrainConfig

if TYPE_CHECKING:
    from torch.distributed import Store  # type: ignore[attr-defined]

__all__ = ["ALONE", "Leader", "Steps", "Team", "following", "leading", "linked", "meet"]

#: The others must have loaded torch and Lightning by then; and within a step nobody waits longer for another.
_STARTED_S, _STEP_S = 300, 600
_POLL_S = 0.2
#: A process that was told to end gets this long.
_LAST_WORDS_S = 10.0
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Team:
    """Who a process is among those that learn together.

    Parameters
    ----------
    rank
        0 leads.
    size, here
        Processes in all, and on this machine; every machine has the same number.
    store
        Where they talk.
    """

    rank: int = 0
    size: int = 1
    here: int = 1
    store: "Store | None" = field(default=None, compare=False, repr=False)

    def share(self, batch: int) -> int:
        """Patches of a batch that are this process's.

        Raises
        ------
        ConfigError
            If they can't be shared evenly.
        """
        if batch % self.size:
            raise ConfigError(
                f"loop.batch={batch} can't be shared evenly by {self.size} processes; "
                f"take a multiple of {self.size}, such as loop.batch={-(-batch // self.size) * self.size}"
            )
        return batch // self.size

    def own(self, run: Run) -> Run:
        """The run with this process's share of the machine's threads, unless their number was given."""
        if self.here == 1 or run.threads is not None:
            return run
        import torch

        return replace(run, threads=max(1, torch.get_num_threads() // self.here))


ALONE = Team()


@dataclass(frozen=True, slots=True)
class Steps:
    """All that a process needs to take part in a fold."""

    config: TrainConfig
    training: tuple[CachedCase, ...]
    validation: tuple[CachedCase, ...]
    folder: str
    fold: int
    device: Device
    threads: int | None
    seed: int
    deterministic: bool

    @property
    def run(self) -> Run:
        """How the others run: as the leader does, and silently."""
        return Run(device=self.device, threads=self.threads, seed=self.seed, deterministic=self.deterministic)


_ADAPTER: TypeAdapter[Steps] = TypeAdapter(Steps)


class Leader:
    """The team of the process that leads, and its voice."""

    def __init__(self, team: Team, others: "tuple[subprocess.Popen[bytes], ...]" = ()) -> None:
        self.team = team
        self._others = others
        self._said = 0

    def begin(self, steps: Steps, run: Run) -> None:
        """Tell the others which fold begins; the first time it waits until all are there.

        Raises
        ------
        ResourceError
            If one of them is gone or does not come.
        """
        if self.team.store is None:
            return
        self._wait_for_all(self.team.store, run)
        self._say(self.team.store, _ADAPTER.dump_json(steps).decode())

    def end(self) -> None:
        """Tell the others that all is done."""
        if self.team.store is not None:
            self._say(self.team.store, "")

    def dismiss(self, grace_s: float) -> None:
        """End the processes that were started here; they have so long to end by themselves, and write nothing."""
        due = time.monotonic() + grace_s
        for other in self._others:
            with suppress(subprocess.TimeoutExpired):
                other.wait(max(0.0, due - time.monotonic()))
            if other.poll() is None:
                other.kill()
                other.wait()

    def _say(self, store: "Store", words: str) -> None:
        store.set(f"word {self._said}", words)
        self._said += 1

    def _wait_for_all(self, store: "Store", run: Run) -> None:
        due = time.monotonic() + _STARTED_S
        names = [f"here {rank}" for rank in range(1, self.team.size)]
        while not store.check(names):
            run.check()
            if any(other.poll() is not None for other in self._others) or time.monotonic() > due:
                raise ResourceError(
                    f"not all {self.team.size} processes of the training started; "
                    "look at what they said, or train with one"
                )
            time.sleep(_POLL_S)


@contextmanager
def leading(processes: int, batch: int) -> Iterator[Leader]:
    """The leader of as many processes on this machine, or of those that torchrun started; alone where there is one.

    Raises
    ------
    ConfigError
        If they can't share a batch evenly, or torchrun started another number than is asked for.
    """
    launched = settings.launched()
    if launched is not None and processes not in (1, launched.size):
        raise ConfigError(f"torchrun started {launched.size} processes; leave out --processes")
    size = processes if launched is None else launched.size
    Team(size=size).share(batch)
    leader = Leader(ALONE) if size == 1 else Leader(_launched_team()) if launched else _own_team(size)
    grace_s = 0.0
    try:
        yield leader
        leader.end()
        grace_s = _LAST_WORDS_S
    finally:
        # Where the block failed, the others may stand in the midst of a step, and could not hear a word.
        leader.dismiss(grace_s)


def following() -> Iterator[tuple[Team, Steps]]:
    """Fold by fold, as the leader begins them, until it has finished or is gone."""
    team = _launched_team()
    assert team.store is not None  # noqa: S101 - for the type checker
    team.store.set(f"here {team.rank}", "1")
    number = 0
    while words := _heard(team.store, f"word {number}"):
        yield team, _ADAPTER.validate_json(words)
        number += 1


@contextmanager
def linked(team: Team, fold: int) -> Iterator[None]:
    """Links between the processes of a team for one fold.

    Raises
    ------
    ResourceError
        If another process is gone, or did not answer for ten minutes.
    """
    if team.store is None:
        yield
        return
    import torch
    from torch import distributed

    gpus = torch.cuda.is_available() and distributed.is_nccl_available()
    try:
        distributed.init_process_group(
            "cpu:gloo,cuda:nccl" if gpus else "gloo",
            store=distributed.PrefixStore(f"fold {fold}", team.store),  # type: ignore[attr-defined]
            rank=team.rank,
            world_size=team.size,
            timeout=timedelta(seconds=_STEP_S),
        )
        yield
    except (RuntimeError, distributed.DistError) as error:
        if not _is_lost_link(error):
            raise
        raise ResourceError(
            f"process {team.rank} of {team.size} lost another one, which stopped or was ended by the system (memory?); "
            "the same command goes on from the last checkpoint"
        ) from error
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def meet(team: Team) -> None:
    """Wait until all linked processes are here."""
    if team.size > 1:
        from torch import distributed

        distributed.barrier()


def _is_lost_link(error: BaseException) -> bool:
    words = str(error).lower()
    return any(part in words for part in ("connection", "timed out", "gloo", "nccl"))


def _launched_team() -> Team:
    """The team that the environment tells of."""
    from torch import distributed

    launched = settings.launched()
    assert launched is not None  # noqa: S101 - for the type checker
    if launched.size % launched.here:
        raise ConfigError("each machine has the same number of processes")
    store, rank, size = next(
        distributed.rendezvous("env://", launched.rank, launched.size, timeout=timedelta(seconds=_STARTED_S))  # type: ignore[attr-defined]
    )
    return Team(rank, size, launched.here, store)


def _own_team(processes: int) -> Leader:
    """A store on the loopback, and the other processes."""
    from torch import distributed

    # torch's own store would listen on every interface.
    listener = socket.create_server((_LOOPBACK, 0))
    port = listener.getsockname()[1]
    store = distributed.TCPStore(  # type: ignore[attr-defined]
        _LOOPBACK,
        port,
        processes,
        is_master=True,
        timeout=timedelta(seconds=_STARTED_S),
        wait_for_workers=False,
        master_listen_fd=listener.detach(),
    )
    settings.talk_on_loopback()
    others = tuple(
        subprocess.Popen(
            [sys.executable, "-m", "medseg", "train", "--out", "."],
            env=settings.environment_of(rank, processes, _LOOPBACK, port),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is the leader's to hear; the others end with it
        )
        for rank in range(1, processes)
    )
    return Leader(Team(0, processes, processes, store), others)


def _heard(store: "Store", key: str) -> bytes:
    """What the leader says under a key, however long it takes; nothing when the leader is gone."""
    try:
        while not store.check([key]):
            time.sleep(_POLL_S)
        return bytes(store.get(key))
    except RuntimeError:
        return b""
