"""Any ONNX network of one input, with a card that its user fills: what the file does not say is asked for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from medseg.domain import ChannelSpec, Label, LabelTable, ModelCard, NetworkSpec
from medseg.domain.card import PreStep
from medseg.domain.texts import parse_yaml
from medseg.domain.values import STRICT
from medseg.errors import InputError, LabelError, ModelError
from medseg.extras import require_extra
from medseg.models.foreign.onnx_fields import keeps_data_outside, opset_of
from medseg.models.foreign.reading import digest_of_file
from medseg.models.foreign.told import plain_words
from medseg.models.foreign.values import Understood, Wanted

__all__ = ["ONNX", "OnnxFile"]

#: More than any protobuf can hold.
MAX_BYTES = 2 << 30
MAX_CARD_BYTES = 1 << 20
#: What stands in a card to fill where only its user knows.
ASKED = "?"


@dataclass(frozen=True, slots=True)
class OnnxCard:
    """What a user fills in: see the comments of the card to fill."""

    title: str
    summary: str
    channels: tuple[ChannelSpec, ...]
    spacing: tuple[float, float, float] | None
    window: tuple[int, ...]
    labels: dict[int, str]
    preprocessing: tuple[PreStep, ...] = ()
    overlap: float = 0.5
    licence: str = ""
    attribution: str = ""
    intended_use: str = "Research only; not a medical device."
    limits: tuple[str, ...] = ()
    __pydantic_config__ = ConfigDict(**STRICT)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file says of its network; None is an extent that it leaves open."""

    opset: int
    inputs: tuple[tuple[str, tuple[int | None, ...]], ...]
    outputs: tuple[tuple[str, tuple[int | None, ...]], ...]


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """A file `.onnx`: (N, channels, extents) in, (N, background and labels, extents) out."""

    title: str = "ONNX network (.onnx) with --card"

    def sniff(self, source: Path) -> bool:
        """By its name."""
        return source.is_file() and source.suffix.lower() == ".onnx"

    def blank(self, source: Path) -> str:
        """The card to fill, with all that the file says."""
        return _blank(source, _shape(_read(source), source))

    def understand(self, source: Path, wanted: Wanted) -> Understood:
        """File and card.

        Raises
        ------
        ModelError
            If there is no card, or file and card do not fit each other.
        """
        if wanted.card is None:
            raise ModelError(
                f"{source} says nothing of spacing, scaling and labels; fill a card and give --card"
            )
        data = _read(source)
        shape = _shape(data, source)
        filled = _filled(wanted.card)
        card = _card(source, shape, filled, wanted)
        _require_outputs(data, card, source)
        told = (
            ("network", f"ONNX, opset {shape.opset}, {card.network.dimensions}D"),
            *(("input", _line(item)) for item in shape.inputs),
            *(("output", _line(item)) for item in shape.outputs),
            ("window", " × ".join(map(str, card.window))),
            ("channels", ", ".join(channel.name for channel in card.channels)),
            ("spacing", f"{card.spacing} mm" if card.spacing else "native"),
            ("labels", ", ".join(f"{item.value} {item.name}" for item in card.table.labels)),
            ("licence", card.licence or "not stated"),
        )
        return Understood(
            card, (data,), told, f"Licence as its user states it: {card.licence or 'not stated'}\n"
        )


ONNX = OnnxFile()


def _read(source: Path) -> bytes:
    require_extra("openvino", f"the network {source.name}")
    if source.stat().st_size > MAX_BYTES:
        raise ModelError(f"{source} is larger than an ONNX file can be")
    data = source.read_bytes()
    if keeps_data_outside(data):
        raise ModelError(f"{source} keeps weights in other files, which are not read; save it as one file")
    return data


def _blank(source: Path, shape: Shape) -> str:
    sizes = shape.inputs[0][1][2:]
    window = [ASKED if size is None else size for size in sizes] or [ASKED]
    count = shape.inputs[0][1][1] or 1
    values = {
        "title": ASKED,
        "summary": ASKED,
        "channels": [{"name": f"channel-{number}", "modality": None} for number in range(count)],
        "spacing": [ASKED, ASKED, ASKED],
        "window": window,
        "preprocessing": [{"step": "zscore", "channel": "channel-0"}],
        "labels": {1: ASKED},
        "licence": ASKED,
        "limits": [ASKED],
    }
    lines = [
        f"# {source.name}: ONNX, opset {shape.opset}; input {_line(shape.inputs[0])}; output {_line(shape.outputs[0])}",
        "# spacing: mm along right-left, back-front, foot-head, or null for the voxels as they are",
        "# preprocessing: steps clip, scale, zscore; see the reference of model cards",
        "# labels: output 0 is background, output 1 the label 1, and so on",
    ]
    return "\n".join(lines) + "\n" + yaml.safe_dump(values, sort_keys=False)


def _shape(data: bytes, source: Path) -> Shape:
    model = _model(data, source)
    shape = Shape(opset_of(data), _ports(model.inputs), _ports(model.outputs))
    if len(shape.inputs) != 1 or len(shape.inputs[0][1]) not in (4, 5):
        raise ModelError(
            f"{source} takes {'; '.join(map(_line, shape.inputs))}; one input (N, channels, 2 or 3 extents) is "
            "understood"
        )
    return shape


def _model(data: bytes, source: Path) -> Any:
    import openvino as ov

    try:
        return ov.Core().read_model(data)
    except Exception as error:
        # OpenVINO raises RuntimeError and others for files that are none, or hold what it does not know.
        words = " ".join(str(error).split())[-160:]
        raise ModelError(f"{source} is no ONNX network that OpenVINO reads: {words}") from error


def _ports(ports: Any) -> tuple[tuple[str, tuple[int | None, ...]], ...]:
    return tuple(
        (
            port.get_any_name(),
            tuple(int(size.get_length()) if size.is_static else None for size in port.partial_shape),
        )
        for port in ports
    )


def _line(port: tuple[str, tuple[int | None, ...]]) -> str:
    return f"{port[0]} ({', '.join('open' if size is None else str(size) for size in port[1])})"


def _filled(path: Path) -> OnnxCard:
    try:
        text = path.read_bytes()[: MAX_CARD_BYTES + 1]
        if len(text) > MAX_CARD_BYTES:
            raise ModelError(f"{path} is larger than a card may be")
        values = parse_yaml(text.decode())
    except OSError as error:
        raise ModelError(f"can't read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ModelError(f"{path} is no YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path} is no card: it holds no mapping")
    if open_fields := [name for name, value in values.items() if _is_open(value)]:
        raise ModelError(f"{path}: {', '.join(map(str, open_fields))} still to fill in")
    try:
        return TypeAdapter(OnnxCard).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "card"
        raise ModelError(f"{path} is wrong at {where}: {first['msg']}") from error


def _is_open(value: Any) -> bool:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return value == ASKED or any(_is_open(one) for one in inner)


def _card(source: Path, shape: Shape, filled: OnnxCard, wanted: Wanted) -> ModelCard:
    _, (_, channels, *sizes) = shape.inputs[0]
    dimensions = len(sizes)
    fixed = [size for size in sizes if size is not None]
    if len(filled.window) != dimensions or (len(fixed) == dimensions and tuple(fixed) != filled.window):
        raise ModelError(
            f"{source} takes windows of {_line(shape.inputs[0])}, and the card says {filled.window}"
        )
    if channels is not None and channels != len(filled.channels):
        raise ModelError(f"{source} takes {channels} channels, and the card names {len(filled.channels)}")
    digest = digest_of_file(source)
    ones = (1,) * dimensions
    try:
        table = LabelTable(tuple(Label(value, name) for value, name in filled.labels.items()))
        return ModelCard(
            name=wanted.name or plain_words(source.stem),
            title=filled.title,
            summary=filled.summary,
            version=f"ONNX, {digest[:12]}",
            channels=filled.channels,
            reference=filled.channels[0].name,
            spacing=filled.spacing,
            window=filled.window,
            network=NetworkSpec(
                "onnx",
                3 if dimensions == 3 else 2,
                len(filled.channels),
                len(table.labels) + 1,
                (1,),
                (ones,),
                (ones,),
            ),
            preprocessing=filled.preprocessing,
            table=table,
            weights=(),
            overlap=filled.overlap,
            licence=filled.licence,
            attribution=filled.attribution,
            intended_use=filled.intended_use,
            limits=filled.limits,
            origin=(("kind", "ONNX"), ("file", source.name), ("source_digest", digest)),
        )
    except (InputError, LabelError, IndexError) as error:
        raise ModelError(f"{wanted.card} makes no model of {source.name}: {error}") from error


def _require_outputs(data: bytes, card: ModelCard, source: Path) -> None:
    """Refuse a network that does not give background and labels for each voxel of a window."""
    model = _model(data, source)
    spec = card.network
    try:
        model.reshape({model.inputs[0]: [1, spec.in_channels, *card.window]})
        found = [size.get_length() if size.is_static else None for size in model.outputs[0].partial_shape]
    except Exception as error:
        # As above: OpenVINO raises RuntimeError and others where a network can't have such a window.
        words = " ".join(str(error).split())[-160:]
        raise ModelError(f"{source} can't take windows of {card.window}: {words}") from error
    expected = [1, spec.out_channels, *card.window]
    if found != expected:
        raise ModelError(
            f"{source} gives {found} for a window of {card.window}, and its labels ask for {expected}"
        )
