"""A form for a segmenter's parameters, made from their pydantic model: its defaults are the core's."""

import json
from collections.abc import Collection
from typing import Any, TypeAlias

from pydantic import BaseModel
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLineEdit, QWidget

__all__ = ["ParameterForm"]

_Editor: TypeAlias = QComboBox | QCheckBox | QLineEdit
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
}


class ParameterForm(QWidget):
    """One row per field. Numbers are typed as text, so that no digit is rounded and 'none' stays none.

    Lists and nested values are typed as JSON.
    """

    def __init__(self, model: type[BaseModel], *, without: Collection[str] = ()) -> None:
        super().__init__()
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        self.fields: dict[str, _Editor] = {}
        for name, part in model.model_json_schema().get("properties", {}).items():
            if name in without:
                continue
            words = name.replace("_mm", "").replace("_", " ")
            field = _editor(part)
            field.setToolTip(_help(part))
            field.setAccessibleName(words)
            field.setAccessibleDescription(_help(part))
            layout.addRow(f"{words}{f' ({_unit(part)})' if _unit(part) else ''}", field)
            self.fields[name] = field

    def values(self) -> dict[str, Any]:
        """Field → value as typed; an empty text keeps the default."""
        found = {name: _value(field) for name, field in self.fields.items()}
        return {name: value for name, value in found.items() if value != ""}

    def set_values(self, values: dict[str, Any]) -> None:
        """Show these values, as `values` gives them or as the parameters have them."""
        for name, value in values.items():
            field = self.fields[name]
            if isinstance(field, QComboBox):
                field.setCurrentText(str(value))
            elif isinstance(field, QCheckBox):
                field.setChecked(bool(value))
            else:
                field.setText(_text(value))


def _editor(part: dict[str, Any]) -> _Editor:
    default = part.get("default")
    if "enum" in part:
        choice = QComboBox()
        choice.addItems([str(item) for item in part["enum"]])
        choice.setCurrentText(str(default))
        return choice
    if part.get("type") == "boolean":
        box = QCheckBox()
        box.setChecked(bool(default))
        return box
    line = QLineEdit(_text(default))
    line.setPlaceholderText("found by the method" if default is None else "")
    return line


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _help(part: dict[str, Any]) -> str:
    """What it does, and what may be typed."""
    kinds = [part, *part.get("anyOf", ())]
    bounds = [text.format(kind[name]) for kind in kinds for name, text in _BOUNDS.items() if name in kind]
    said = part.get("description", "")
    return f"{said} {', '.join(bounds).capitalize()}." if bounds else said


def _unit(part: dict[str, Any]) -> str:
    return str(part.get("unit", ""))


def _value(field: _Editor) -> Any:
    if isinstance(field, QComboBox):
        return field.currentText()
    if isinstance(field, QCheckBox):
        return field.isChecked()
    return field.text().strip()
