"""One fold: Lightning's Trainer, checkpoints that survive a kill, progress and cancel."""

import logging
import signal
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, Logger
from torch.utils.data import DataLoader

from medseg.domain import Finding, Run
from medseg.domain.values import as_details
from medseg.errors import Cancelled
from medseg.inference.device import choose_device
from medseg.inference.memory import held_bytes
from medseg.training.cache import CachedCase
from medseg.training.check import write_findings
from medseg.training.checkpoints import WholeCheckpoints, newest_whole, step_of
from medseg.training.cluster import TeamEnvironment
from medseg.training.config import TrainConfig
from medseg.training.module import SegmentationModule
from medseg.training.patches import EpochSampler, Patches
from medseg.training.start import begin_from
from medseg.training.team import ALONE, Team, linked, meet
from medseg.training.timing import FoldTiming, write_timing

__all__ = ["Pace", "fit_fold", "fit_module", "fit_resumed", "precision_for"]

#: Validation patches behind each point of the learning curve.
CURVE_PATCHES = 8

Module = TypeVar("Module", bound=pl.LightningModule)


@dataclass(frozen=True, slots=True)
class Pace:
    """Steps, steps between lines of the log, precision as a configuration names it, largest norm of a gradient."""

    steps: int
    log_every: int
    precision: str = "32"
    clip: float = 0.0


def fit_fold(
    config: TrainConfig,
    training: Sequence[CachedCase],
    validation: Sequence[CachedCase],
    folder: Path,
    *,
    fold: int,
    run: Run,
    team: Team = ALONE,
) -> SegmentationModule:
    """Train one fold to its last step, from its newest whole checkpoint if there is one.

    Each process of a team takes its share of every batch; the first one writes.

    Raises
    ------
    ModelError
        If the loss is no number any more.
    ConfigError
        If the team can't share a batch evenly.
    ResourceError
        If another process of the team is gone.
    Cancelled
        If the user stopped it; the last checkpoint stays and the next call goes on from there.
    """
    share = team.share(config.loop.batch)
    seed = config.loop.seed + run.seed + 1000 * fold
    per_epoch = min(config.loop.checkpoint_every, config.loop.steps) * config.loop.batch
    device = choose_device(run.device)
    pace = Pace(
        config.loop.steps,
        min(config.loop.checkpoint_every, config.loop.steps),
        config.loop.precision,
        config.optimiser.clip,
    )
    with _quiet(), torch_as_asked(run), linked(team, fold):
        pl.seed_everything(seed, workers=True, verbose=False)
        newest = _newest(folder, run, team)
        module = SegmentationModule(config, _begin(config, fold) if newest is None else None)
        begun = step_of(newest) if newest else 0
        trainer = _trainer(pace, device, folder, run, f"fold {fold}", begun=begun, team=team)
        numbers = EpochSampler(
            per_epoch, lambda: trainer.global_step * config.loop.batch, share, team.rank, team.size
        )
        trainer.fit(
            module,
            _loader(Patches(training, config, seed, augment=True), numbers, config.loop.workers, device),
            _curve_loader(validation, config, seed),
            ckpt_path=newest,
            weights_only=True,
        )
        if team.rank == 0:
            write_timing(folder, _watch_of(trainer).timing())
    return module.cpu().eval()


def _begin(config: TrainConfig, fold: int) -> Callable[[torch.nn.Module], None] | None:
    """What puts a model's weights into a network, where the configuration names one."""
    return None if config.start is None else partial(begin_from, config=config, fold=fold)


def fit_module(module: Module, patches: Any, batch: int, *, pace: Pace, run: Run) -> Module:
    """Train a module on patches in their order, in one go: it leaves neither checkpoints nor a log.

    The caller's random numbers stay as they are.

    Raises
    ------
    Cancelled
        If the user stopped it.
    """
    with _quiet(), torch_as_asked(run), torch.random.fork_rng(devices=[]):
        trainer = _trainer(pace, choose_device(run.device), None, run, "phantoms")
        trainer.fit(module, DataLoader(patches, batch_size=batch))
    return module.cpu().eval()


def fit_resumed(
    module: Callable[[], Module],
    patches: Any,
    folder: Path,
    *,
    batch: int,
    pace: Pace,
    seed: int,
    run: Run,
) -> Module:
    """Train a module on numbered patches, from the newest whole checkpoint in `folder` if there is one.

    Epochs, after each of which a checkpoint is left, are as long as the pace has between lines of the log.

    Raises
    ------
    Cancelled
        If the user stopped it; the last checkpoint stays and the next call goes on from there.
    """
    device = choose_device(run.device)
    with _quiet(), torch_as_asked(run):
        pl.seed_everything(seed, workers=True, verbose=False)
        newest = _newest(folder, run, ALONE)
        made = module()
        begun = step_of(newest) if newest else 0
        trainer = _trainer(pace, device, folder, run, made.__class__.__name__, begun=begun)
        numbers = EpochSampler(pace.log_every * batch, lambda: trainer.global_step * batch, batch)
        trainer.fit(made, _loader(patches, numbers, None, device), ckpt_path=newest, weights_only=True)
    return made.cpu().eval()


def _trainer(
    pace: Pace,
    device: torch.device,
    folder: Path | None,
    run: Run,
    what: str,
    *,
    begun: int = 0,
    team: Team = ALONE,
) -> pl.Trainer:
    watch = _Watch(run, pace.steps, what)
    return pl.Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=team.here,
        num_nodes=team.size // team.here,
        strategy="auto" if team.size == 1 else "ddp",
        use_distributed_sampler=False,  # our own sampler knows who takes which patch
        precision=precision_for(pace.precision, device),  # type: ignore[arg-type]
        max_steps=pace.steps,
        max_epochs=-1,
        gradient_clip_val=pace.clip or None,
        deterministic=run.deterministic,
        logger=False if folder is None else _loggers(folder, begun),
        # Without an environment of ours, Lightning takes what it finds of Slurm's for one it was started in.
        plugins=[TeamEnvironment(team), *([] if folder is None else [WholeCheckpoints()])],
        callbacks=[watch] if folder is None else [watch, _checkpoints(folder)],
        enable_checkpointing=folder is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=pace.log_every,
    )


def _watch_of(trainer: pl.Trainer) -> "_Watch":
    return next(item for item in trainer.callbacks if isinstance(item, _Watch))  # type: ignore[attr-defined]


def _newest(folder: Path, run: Run, team: Team) -> Path | None:
    """The checkpoint to go on from; the first process sets aside what is damaged before the others look."""
    if team.rank:
        meet(team)
        return newest_whole(folder)[0]
    newest, damaged = newest_whole(folder)
    _say_damaged(newest, damaged, folder, run)
    meet(team)
    return newest


def _say_damaged(newest: Path | None, damaged: tuple[Path, ...], folder: Path, run: Run) -> None:
    """Checkpoints that were cut (power, a full disk) are set aside, and where it goes on from is said."""
    if not damaged:
        return
    for path in damaged:
        path.replace(path.with_name(f"{path.name}.damaged"))
    from_where = f"from step {step_of(newest)}" if newest else "from the beginning"
    text = f"{len(damaged)} checkpoints of {folder.name} were damaged; training went on {from_where}."
    run.progress(0, None, text)
    details = as_details(fold=folder.name, damaged=len(damaged))
    write_findings(folder.parent, [Finding("train.checkpoint_damaged", "warning", text, details)])


def _checkpoints(folder: Path) -> ModelCheckpoint:
    return ModelCheckpoint(
        dirpath=folder / "checkpoints",
        filename="{step}",
        monitor="step",
        mode="max",
        save_top_k=2,
        every_n_epochs=1,
        save_on_train_epoch_end=True,
    )


def _loggers(folder: Path, begun: int) -> list[Logger]:
    # Lightning would delete the log of a stopped attempt: each attempt writes its own, named by its first step.
    loggers: list[Logger] = [CSVLogger(folder, name="log", version=f"csv-{begun}")]
    try:
        from lightning.pytorch.loggers import TensorBoardLogger

        loggers.append(TensorBoardLogger(folder, name="log", version="tensorboard"))
    except ModuleNotFoundError:
        pass
    return loggers


def _loader(patches: Patches, numbers: EpochSampler, workers: int | None, device: torch.device) -> Any:
    if workers is None:
        # On a CPU the network needs every core itself.
        workers = 0 if device.type == "cpu" else min(8, max(1, (torch.get_num_threads() or 2) - 1))
    return DataLoader(
        patches,  # type: ignore[arg-type]
        batch_size=numbers.share,
        sampler=numbers,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=device.type == "cuda",
    )


def _curve_loader(validation: Sequence[CachedCase], config: TrainConfig, seed: int) -> Any:
    patches = Patches(validation, config, seed, augment=False)
    return DataLoader(
        patches,  # type: ignore[arg-type]
        batch_size=config.loop.batch,
        sampler=range(max(CURVE_PATCHES, config.loop.batch)),
    )


def precision_for(wanted: str, device: torch.device) -> str:
    """Lightning's word for a configuration's precision on a device."""
    if wanted == "auto":
        if device.type == "cpu":
            return "bf16-mixed" if _has_bf16() else "32-true"
        if device.type == "cuda":
            return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "16-mixed"
        return "32-true"
    return {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}[wanted]


def _has_bf16() -> bool:
    # Emulated bfloat16 is slower than float32.
    flags = Path("/proc/cpuinfo")
    return flags.is_file() and "avx512_bf16" in flags.read_text(encoding="utf-8", errors="replace")


class _Watch(Callback):
    """Tells the caller how far it is and how long it will take, and stops when asked."""

    def __init__(self, run: Run, steps: int, what: str) -> None:
        self.run = run
        self.steps = steps
        self.what = what
        self.begun: tuple[float, int] = (0.0, 0)
        self.ended: float | None = None
        self.waiting = 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        if self.ended is not None:
            self.waiting += time.monotonic() - self.ended
            self.ended = None
        self.run.check()

    def on_train_epoch_end(self, *_: Any) -> None:
        self.ended = None  # what follows, validation and a checkpoint, is no waiting for data

    def timing(self) -> FoldTiming:
        """What this attempt took so far."""
        return FoldTiming(time.monotonic() - self.begun[0], self.waiting, held_bytes())

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        self.begun = (time.monotonic(), trainer.global_step)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.run.check()
        since, first = self.begun
        done = trainer.global_step
        left = (time.monotonic() - since) / max(1, done - first) * (self.steps - done)
        loss = trainer.callback_metrics.get("train_loss")
        shown = f", loss {float(loss):.3f}" if loss is not None else ""
        self.run.progress(done, self.steps, f"{self.what}{shown}, {_clock(left)} left")
        self.ended = time.monotonic()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


@contextmanager
def torch_as_asked(run: Run) -> Iterator[None]:
    """As many threads as the run asks for; afterwards these, and whether algorithms are exact, are as they were."""
    threads, exact = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    if run.threads:
        torch.set_num_threads(run.threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(exact)  # Lightning leaves it as a run wanted it


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence known chatter, turn Lightning's exits into `Cancelled`, and put signal handlers back."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    handler = signal.getsignal(signal.SIGINT)
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            # Lightning looks at its own trees by a deprecated name of torch's.
            warnings.filterwarnings("ignore", r".*LeafSpec.*", FutureWarning)
            warnings.filterwarnings("ignore", r".*does not have many workers.*", UserWarning)
            # Without srun one process is started on purpose, and several are by torchrun or by us.
            warnings.filterwarnings("ignore", r".*`srun` command is available.*", UserWarning)
            warnings.filterwarnings(
                "ignore", r".*Checkpoint directory .* exists and is not empty.*", UserWarning
            )
            warnings.filterwarnings(
                "ignore", r".*Experiment logs directory .* exists and is not empty.*", UserWarning
            )
            yield
    except (KeyboardInterrupt, SystemExit) as error:
        raise Cancelled("training was stopped; the same command goes on from the last checkpoint") from error
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if handler is not None:
            with suppress(ValueError):  # not the main thread: nothing was changed either
                signal.signal(signal.SIGINT, handler)
