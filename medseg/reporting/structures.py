"""What a structure is called where cases or tables are joined by name."""

from medseg.domain import Record, Target

__all__ = ["structure_name"]


def structure_name(record: Record, target: Target) -> str:
    """Name of a label or region; of a tissue behind that of its compartment, as several may hold the same one."""
    if target.kind != "tissue":
        return target.name
    regions = (region.name for region in record.table.regions if region.labels == target.labels)
    compartment = next(regions, "") or " + ".join(record.table.name_of(value) for value in target.labels)
    return f"{compartment} {target.name}"
