"""Parameters: their base class, and how text becomes them."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, ClassVar, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from medseg.domain.texts import parse_json
from medseg.domain.values import Details, plain_scalar
from medseg.errors import ConfigError

__all__ = ["Params", "params_from"]


class Params(BaseModel):
    """Base of a segmenter's or an operation's parameters: frozen, unknown names refused.

    Give each field a default, a range, one sentence (`description`), and its unit by
    `json_schema_extra={"unit": "mm"}`. Distances are mm (pixels on `px` images), never voxels. Fields that do not
    change the labels are named in `beside_answer`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    beside_answer: ClassVar[frozenset[str]] = frozenset()

    @property
    def details(self) -> Details:
        """Every parameter that changes the answer, as a mask's provenance keeps it."""
        values = self.model_dump(exclude=set(self.beside_answer))
        return tuple((name, plain_scalar(value)) for name, value in values.items())


AnyParams = TypeVar("AnyParams", bound=Params)


def params_from(kind: type[AnyParams], given: Mapping[str, Any], *, of: str, listed_by: str) -> AnyParams:
    """Checked parameters from names and values; text is parsed (`0.5`, `true`, and lists as JSON).

    Parameters
    ----------
    kind
        What they become.
    given
        By name; what is not given has its default.
    of, listed_by
        Whose they are, and the command that lists them, for the message.

    Raises
    ------
    ConfigError
        If a name is unknown (the nearest is named), or a value is missing or out of range.

    Examples
    --------
    >>> class Ball(Params):
    ...     radius_mm: float = 2.0
    >>> params_from(Ball, {"radius_mm": "3"}, of="open", listed_by="medseg edit --list")
    Ball(radius_mm=3.0)
    """
    fields = kind.model_fields
    for name in given:
        if name not in fields:
            near = get_close_matches(name, fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(fields) or 'none'}"
            raise ConfigError(f"{of} has no parameter {name!r}; {hint}")
    try:
        return kind(**{name: _parsed(value, fields[name].annotation) for name, value in given.items()})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        what = "is missing" if first["type"] == "missing" else f"= {first['input']!r}: {first['msg']}"
        raise ConfigError(f"{of}: parameter {where} {what}; see '{listed_by}'") from error


def _parsed(value: Any, annotation: Any) -> Any:
    """Text as the value it means: one of a field's choices by its text, JSON for lists; else left to pydantic."""
    if not isinstance(value, str):
        return value
    chosen = [item for item in get_args(annotation) if str(item) == value and not isinstance(item, type)]
    if chosen:
        return chosen[0]
    if value[:1] in ("[", "{"):
        try:
            return parse_json(value)
        except ValueError as error:
            raise ConfigError(f"{value!r} is no list such as [0, 0, 40]: {error}") from error
    return value
