"""What a type names, something does: a name without its function is told by the place where it belongs."""

from typing import get_args, get_type_hints

from medseg.domain import NetworkSpec, Params
from medseg.domain.card import PostStep, PreStep
from medseg.inference.steps import AFTER, BEFORE
from medseg.masks import operations
from medseg.masks.operations import OPERATIONS
from medseg.networks.build import BUILDERS


def test_every_architecture_has_a_builder() -> None:
    named = get_args(get_type_hints(NetworkSpec)["architecture"])
    assert set(BUILDERS) == set(named), "medseg/networks/build.py: BUILDERS"


def test_every_step_of_a_card_is_done() -> None:
    assert set(BEFORE) == set(get_args(PreStep)), "medseg/inference/steps.py: BEFORE"
    assert set(AFTER) == set(get_args(PostStep)), "medseg/inference/steps.py: AFTER"


def test_every_operation_on_a_mask_is_listed_once() -> None:
    assert len(OPERATIONS) == len(operations._TABLE), (
        "medseg/masks/operations.py: a name stands twice in _TABLE"
    )
    asked = {base for operation in OPERATIONS.values() for base in operation.Params.__mro__}
    told = {
        item
        for item in vars(operations).values()
        if isinstance(item, type) and issubclass(item, Params) and item.__module__ == operations.__name__
    }
    assert told <= asked, "medseg/masks/operations.py: parameters that no operation of _TABLE takes"
