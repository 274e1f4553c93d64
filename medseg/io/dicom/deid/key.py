"""The local key of de-identification: pseudonyms, UIDs and the shift of dates, the same for the same key."""

import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from medseg.domain.texts import parse_json
from medseg.errors import InputError, OutputError
from medseg.io.leftovers import staged_name
from medseg.io.plain import read_plain
from medseg.io.unfinished import settle

__all__ = ["Disguise", "Key", "identity_of", "read_key"]

_SCHEMA = "medseg.deidentification-key/1.0"
_STANDARD_ROOT = "1.2.840.10008."
#: Dates move back by one to ten years and a bit, so that nothing lies in the future.
_LEAST_DAYS, _MOST_DAYS = 366, 3653
#: Stands for the date of making where the source has no date at all.
_NO_DATE = "20000101"


@dataclass(slots=True)
class Key:
    """A secret and the studies it has been used for; names and ids of patients are not in it.

    Parameters
    ----------
    secret
        32 random bytes.
    path
        Its file; None for a key that is forgotten afterwards.
    patients
        Pseudonym → its shift in days, and study and series UIDs, old → new.
    """

    secret: bytes
    path: Path | None = None
    patients: dict[str, dict[str, Any]] = field(default_factory=dict)

    def knows(self, pseudonym: str, series: str) -> bool:
        """Whether this series of this patient was de-identified with the key before."""
        return series in self.patients.get(pseudonym, {}).get("series", {})

    def remember(self, disguise: "Disguise", studies: set[str], series: set[str]) -> None:
        """Note whose studies and series got which UIDs."""
        known = self.patients.setdefault(disguise.pseudonym, {"shift_days": disguise.shift_days})
        for name, uids in (("studies", studies), ("series", series)):
            known.setdefault(name, {}).update({uid: disguise.uid(uid) for uid in sorted(uids)})

    def save(self) -> None:
        """Write the file, readable by its owner only; a key without a file is not written."""
        if self.path is None:
            return
        content = {"schema": _SCHEMA, "secret": self.secret.hex(), "patients": self.patients}
        staged = staged_name(self.path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            settle(self.path.parent)
            # The mode is set when the file is made: between making and changing it, others could read it.
            handle = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(content, stream, indent=2)
                stream.flush()
                os.fsync(stream.fileno())
            staged.replace(self.path)
        except OSError as error:
            staged.unlink(missing_ok=True)
            raise OutputError(f"the key file can't be written: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class Disguise:
    """One patient under a key: the pseudonym, the one map of UIDs, the one shift of dates.

    Parameters
    ----------
    secret
        The key's.
    identity
        What tells the patient from others; see `identity_of`. Never written.
    latest
        The latest date of the source (YYYYMMDD). A derived object was made later, and that day is often known:
        shifted, it would give the shift away, so it is taken as this one.
    known_as
        Pseudonym of a source that is de-identified already and stays as it is: its UIDs and dates stay, too.
    """

    secret: bytes
    identity: str
    latest: str = ""
    known_as: str | None = None

    @property
    def pseudonym(self) -> str:
        """`anon-` and twelve hex digits of a keyed hash of the identity."""
        if self.known_as is not None:
            return self.known_as
        return f"anon-{self._hash('patient', self.identity).hex()[:12]}"

    @property
    def shift_days(self) -> int:
        """Days by which every date moves: back; 0 only where the source stays as it is."""
        if self.known_as is not None:
            return 0
        number = int.from_bytes(self._hash("shift", self.identity)[:8], "big")
        return -(_LEAST_DAYS + number % (_MOST_DAYS - _LEAST_DAYS + 1))

    def uid(self, uid: str) -> str:
        """The new UID of an instance, under 2.25 (a UUID of version 8); UIDs of the standard stay."""
        if not uid or uid.startswith(_STANDARD_ROOT) or self.known_as is not None:
            return uid
        number = int.from_bytes(self._hash("uid", uid)[:16], "big")
        number = number & ~(0xF << 76) | (0x8 << 76)
        number = number & ~(0x3 << 62) | (0x2 << 62)
        return f"2.25.{number}"

    def date(self, text: str, *, making: bool = False) -> str:
        """A DA or DT moved by the shift; time and offset stay, partial dates stay partial; "" if it is no date.

        `making` is for derived objects: a day after the source's latest is taken as that one.
        """
        text = text.strip()
        if text[4:5] == "." and text[7:8] == ".":  # the form of ACR-NEMA
            text = text.replace(".", "")
        digits = text[:8]
        if making and digits.isdecimal() and digits > (self.latest or "0"):
            digits = self.latest or _NO_DATE
        try:
            day = datetime.strptime((digits + "0101"[len(digits) - 4 :])[:8], "%Y%m%d")  # noqa: DTZ007 - a day
            moved = day + timedelta(days=self.shift_days)
        except (ValueError, OverflowError):
            return ""
        return f"{moved.year:04d}{moved:%m%d}"[: len(text[:8])] + text[8:]

    def _hash(self, role: str, text: str) -> bytes:
        return hmac.new(self.secret, f"{role}:{text}".encode(), hashlib.sha256).digest()


def identity_of(ds: Any) -> str:
    """What tells the patient of a dataset from others: the id with its issuer, else name and birth, else the study."""
    patient = str(ds.get("PatientID") or "").strip()
    if patient:
        return f"id {patient}|{str(ds.get('IssuerOfPatientID') or '').strip()}"
    name = str(ds.get("PatientName") or "").strip()
    if name:
        return f"name {name}|{ds.get('PatientBirthDate') or ''}"
    return f"study {ds.get('StudyInstanceUID') or ''}"


def read_key(path: Path | None) -> Key:
    """The key of a file, which is made by `Key.save` if it is not there; without a file, a new random one.

    Raises
    ------
    InputError
        If the file is no key, or others than its owner may read it.
    """
    if path is None or not path.exists():
        return Key(secrets.token_bytes(32), path)
    data = read_plain(path)
    try:
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise InputError(f"others may read the key file; protect it first: chmod 600 {path.name}")
        content = parse_json(data.decode("utf-8"))
        if content["schema"] != _SCHEMA or len(bytes.fromhex(content["secret"])) < 32:
            raise ValueError("another schema, or a short secret")
        return Key(bytes.fromhex(content["secret"]), path, dict(content["patients"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path.name} is no key of medseg's de-identification; give a new name to make one"
        ) from error
