"""A form for a segmenter's parameters, made from their pydantic model."""

from collections.abc import Collection
from typing import Any, TypeAlias

from pydantic import BaseModel
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QLineEdit, QWidget

__all__ = ["ParameterForm"]

_Editor: TypeAlias = QComboBox | QCheckBox | QLineEdit


class ParameterForm(QWidget):
    """One row per field. Numbers are typed as text, so that no digit is rounded and 'none' stays none."""

    def __init__(self, model: type[BaseModel], *, without: Collection[str] = ()) -> None:
        super().__init__()
        layout = QFormLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        self._fields: dict[str, _Editor] = {}
        for name, part in model.model_json_schema().get("properties", {}).items():
            if name in without:
                continue
            field = _editor(part)
            unit = f" ({part['unit']})" if "unit" in part else ""
            field.setToolTip(part.get("description", ""))
            layout.addRow(f"{name.replace('_', ' ')}{unit}", field)
            self._fields[name] = field

    def values(self) -> dict[str, Any]:
        """Field → value as typed; an empty text keeps the default."""
        found = {name: _value(field) for name, field in self._fields.items()}
        return {name: value for name, value in found.items() if value != ""}


def _editor(part: dict[str, Any]) -> _Editor:
    if "enum" in part:
        choice = QComboBox()
        choice.addItems([str(item) for item in part["enum"]])
        choice.setCurrentText(str(part.get("default", "")))
        return choice
    if part.get("type") == "boolean":
        box = QCheckBox()
        box.setChecked(bool(part.get("default")))
        return box
    line = QLineEdit()
    default = part.get("default")
    line.setText("" if default is None else str(default))
    return line


def _value(field: _Editor) -> Any:
    if isinstance(field, QComboBox):
        return field.currentText()
    if isinstance(field, QCheckBox):
        return field.isChecked()
    return field.text().strip()
