"""Train a promptable network, and leave its bundle."""

import hashlib
import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

from medseg.domain import Label, LabelTable, ModelCard, Run
from medseg.domain.clicks import ClickRule
from medseg.domain.values import as_details
from medseg.errors import ConfigError
from medseg.io.atomic import write_bytes
from medseg.models import write_bundle
from medseg.training.assemble import licence_text
from medseg.training.prompt_settings import PromptTraining
from medseg.training.prompting.objects import ClickWindows, ObjectCase, prepare_objects

if TYPE_CHECKING:
    from medseg.training.prompting.module import PromptModule

__all__ = ["prompt_card", "train_prompted"]

_SETTINGS: TypeAdapter[PromptTraining] = TypeAdapter(PromptTraining)
_PLAN = "plan.json"
#: Largest norm of a gradient.
_CLIP = 5.0


def train_prompted(
    settings: PromptTraining, out: str | Path, run: Run | None = None, *, restart: bool = False
) -> Path:
    """Train on the objects of several sets, and leave a bundle that answers to clicks.

    A run that was stopped goes on from its last checkpoint. Window n, and the clicks of step n, follow from seed and n.

    Parameters
    ----------
    settings
        What to train on what.
    out
        Run folder: `plan.json`, `objects/`, `fold/` with checkpoints and a CSV log, `bundle/`.
    run
        Device, threads, seed, progress, cancel.
    restart
        Begin anew where the folder holds another plan.

    Returns
    -------
    Path
        Of the bundle.

    Raises
    ------
    ConfigError
        If the folder holds a run of another plan, or sets and settings do not fit.
    Cancelled
        If the user stopped it; checkpoints stay.
    """
    run, out = run or Run(), Path(out)
    fold = _fold(settings, out, restart=restart)
    sets = prepare_objects(settings, out / "objects", run)
    module = _fit(settings, sets, fold, run)
    cases = {chosen.name: len(found) for chosen, found in zip(settings.sets, sets, strict=True)}
    card = prompt_card(settings, cases)
    write_bundle(out / "bundle", card, [module.weights()], extras={"LICENSE": licence_text(card)}, force=True)
    return out / "bundle"


def prompt_card(settings: PromptTraining, cases: dict[str, int]) -> ModelCard:
    """The card of a promptable network that learned from so many cases of each set; without figures."""
    channel = settings.channel
    return ModelCard(
        name=settings.name,
        title=settings.title,
        summary=settings.summary,
        version=settings.version,
        channels=(channel,),
        reference=channel.name,
        spacing=None,
        window=settings.window,
        network=replace(settings.network, deep_supervision=0),
        preprocessing=settings.preprocessing,
        table=LabelTable((Label(1, "foreground"),)),
        weights=(),
        trained=as_details(
            data=", ".join(f"{count} of {name}" for name, count in cases.items()),
            cases=sum(cases.values()),
            steps=settings.steps,
            batch=settings.batch,
            seed=settings.seed,
            medseg=version("medseg"),
            torch=version("torch"),
        ),
        licence=settings.licence,
        attribution=settings.attribution,
        intended_use=settings.intended_use,
        limits=settings.limits,
        clicks=settings.clicks,
    )


def _fit(
    settings: PromptTraining, sets: tuple[tuple[ObjectCase, ...], ...], fold: Path, run: Run
) -> "PromptModule":
    from medseg.training.loop import Pace, fit_resumed
    from medseg.training.prompting.module import PromptModule

    seed = settings.seed + run.seed
    pace = Pace(settings.steps, min(settings.checkpoint_every, settings.steps), "auto", _CLIP)
    windows = ClickWindows(sets, settings, seed)
    return fit_resumed(
        lambda: PromptModule(settings, seed),
        windows,
        fold,
        batch=settings.batch,
        pace=pace,
        seed=seed,
        run=run,
    )


def _fold(settings: PromptTraining, out: Path, *, restart: bool) -> Path:
    """Folder of the checkpoints, by what decides the weights: a run of another plan is no start for this one."""
    sets = tuple(replace(one, cases="", split="") for one in settings.sets)
    rule = replace(ClickRule(), radius_steps=settings.clicks.radius_steps)  # how it is run decides no weights
    neutral = replace(settings, root=None, sets=sets, clicks=rule)
    words = ("title", "summary", "version", "licence", "attribution", "intended_use", "limits")
    plain = {
        key: value for key, value in _SETTINGS.dump_python(neutral, mode="json").items() if key not in words
    }
    digest = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    plan = out / _PLAN
    if plan.is_file() and json.loads(plan.read_bytes())["digest"] != digest and not restart:
        raise ConfigError(
            f"{out} holds a run of another plan; give another folder, or begin anew with --restart"
        )
    write_bytes(plan, json.dumps({"digest": digest, "plan": plain}, indent=1).encode(), force=True)
    return out / f"fold-{digest[:12]}"
