"""Which tissues a plan asks for, and the title that each may carry there."""

from medseg.definitions.tissue import Tissue, TissueTable
from medseg.domain.plan import TissuePlan
from medseg.errors import ConfigError

__all__ = ["choose_tissues"]


def choose_tissues(table: TissueTable, plan: TissuePlan) -> tuple[tuple[Tissue, str], ...]:
    """Tissues of a plan with the title each may carry there.

    Those named by the plan; else all that the compartment's name fits, without optional ones; else, because
    nothing says what the compartment holds, the ranges that need none. Without a compartment a depot's
    range goes by its bare title with the range, once.

    Raises
    ------
    ConfigError
        If a name is unknown, or a range is not reported without a compartment.
    """
    if plan.presets:
        wanted = tuple(table.named(name) for name in dict.fromkeys(plan.presets))
    else:
        usual = [tissue for tissue in table.tissues if not tissue.optional]
        fitting = [tissue for tissue in usual if tissue.fits_into(plan.compartment)]
        wanted = tuple(fitting or [tissue for tissue in usual if tissue.compartment is None])
    titled: dict[str, Tissue] = {}
    for tissue in wanted:
        titled.setdefault(_title(tissue, plan.compartment), tissue)
    return tuple((tissue, title) for title, tissue in titled.items())


def _title(tissue: Tissue, compartment: str) -> str:
    if compartment or tissue.compartment is None:
        return tissue.title
    if tissue.bare is None:
        raise ConfigError(
            f"{tissue.title} needs a mask of its compartment ({tissue.compartment}); name its label"
        )
    return f"{tissue.bare} ({tissue.range_text})"
