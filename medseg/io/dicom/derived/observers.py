"""Who observed, in the words of SR: medseg as a device, and the person who signed."""

from typing import Any

from medseg.domain.record import Review
from medseg.io.dicom.derived.attributes import MANUFACTURER, MODEL_NAME, Uids, person_name

__all__ = ["observers_of"]


def observers_of(review: Review, uids: Uids) -> tuple[Any, Any]:
    """(person, device) as highdicom's observer contexts; no person unless the Record is signed."""
    from highdicom.sr import (
        DeviceObserverIdentifyingAttributes,
        ObserverContext,
        PersonObserverIdentifyingAttributes,
    )
    from pydicom.sr.codedict import codes

    device = ObserverContext(
        codes.DCM.Device,
        DeviceObserverIdentifyingAttributes(
            uid=uids.make("device"), name="medseg", manufacturer_name=MANUFACTURER, model_name=MODEL_NAME
        ),
    )
    if review.state != "reviewed":
        return None, device
    person = ObserverContext(
        codes.DCM.Person,
        PersonObserverIdentifyingAttributes(
            name=person_name(str(review.reviewer)), organization_name=str(review.organization)
        ),
    )
    return person, device
