"""A plan as the YAML that a person reads and changes: each line with its reason above it."""

import textwrap
from typing import Any

import yaml
from pydantic import TypeAdapter

from medseg.training.config import TrainConfig
from medseg.training.planning.decide import Plan

__all__ = ["plan_text"]

_WIDTH = 116
_ADAPTER: TypeAdapter[TrainConfig] = TypeAdapter(TrainConfig)
#: Groups that are written in full; of the others only what is no default.
_FULL = ("grid", "network", "loss", "optimiser", "augmentation", "loop", "preprocessing", "postprocessing")
#: Groups in the order in which a person reads them; others stand before.
_LAST = ("grid", "preprocessing", "network", "loss", "optimiser", "augmentation", "loop", "postprocessing")


def plan_text(plan: Plan, head: tuple[str, ...]) -> str:
    """UTF-8 text: `head` as comments, then every group of the configuration with its reasons; it loads as it is."""
    full = _ADAPTER.dump_python(plan.config, mode="json")
    short = _ADAPTER.dump_python(plan.config, mode="json", exclude_defaults=True)
    lines = [line for sentence in (*head, *plan.remarks) for line in _comment(sentence, 0)]
    for key in (*(key for key in full if key not in _LAST), *_LAST):
        value = full[key] if key in _FULL else short.get(key)
        if value in (None, (), [], {}):
            continue
        lines += _comment(plan.why.get(key, ""), 0)
        lines += _group(key, value, plan.why)
    return "\n".join(lines) + "\n"


def _group(key: str, value: Any, why: dict[str, str]) -> list[str]:
    if isinstance(value, dict):
        lines = [f"{key}:"]
        for name, inner in value.items():
            lines += _comment(why.get(f"{key}.{name}", ""), 2)
            lines += _indented(name, inner)
        return lines
    if isinstance(value, list | tuple):
        return [f"{key}:", *(f"  - {_flow(item)}" for item in value)]
    return [f"{key}: {_flow(value)}"]


def _indented(name: str, value: Any) -> list[str]:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [f"  {name}:", *(f"    - {_flow(item)}" for item in value)]
    return [f"  {name}: {_flow(value)}"]


def _flow(value: Any) -> str:
    """One line of YAML."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=1 << 20
    )
    return text.removesuffix("...\n").rstrip("\n")


def _comment(sentence: str, indent: int) -> list[str]:
    margin = " " * indent
    return [f"{margin}# {line}" for line in textwrap.wrap(sentence, _WIDTH - indent)]
