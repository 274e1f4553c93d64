"""A study: which cases, segmented and measured how, what is reported, and on which cluster; a YAML for people."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import ConfigDict, TypeAdapter, ValidationError

from medseg.domain.plan import LesionPlan, MeasurePlan, NormalPlan, PetPlan, TissuePlan
from medseg.domain.texts import parse_yaml, refuse_unknown_keys
from medseg.domain.values import STRICT
from medseg.errors import ConfigError, InputError
from medseg.io.plain import read_plain

__all__ = [
    "EXAMPLE",
    "ClusterWish",
    "MeasureWish",
    "ReportWish",
    "SegmentWish",
    "Study",
    "read_study",
]

#: A study is text for people; anything larger is something else.
_MOST_BYTES = 1 << 20
#: So much of a value stands in a message.
_SHOWN = 80

EXAMPLE = """\
# A study: medseg cohort STUDY.yaml --out DIR
inputs: scans                # a folder of images, a dataset, or a CSV of cases; relative to this file
segment:
  method: threshold          # a name from 'medseg methods' or 'medseg models', or a bundle's folder
  params: {low: 50}
  # values: {image: HU}      # what the values are where the files do not say (NIfTI)
  # device: auto             # auto, cpu, cuda, mps
  # threads: 2               # of a model, on each worker
measure:
  # lesions: {names: [tumour], minimum_mm3: 10}
  # pet: {delineations: [given, "41%"]}
  # tissue: {compartment: body}
report:
  pages: true                # a page for each case
  outliers: 24               # how many cases are shown first, with their pictures
# qc: qc.json                # verdicts saved on a contact sheet: rejected cases are left out
cluster:
  kind: local                # processes of this machine; or address, slurm, pbs
  workers: 2
  timeout_s: 3600            # a case that takes longer hangs: it is ended, tried once more, then named
"""


@dataclass(frozen=True, slots=True)
class SegmentWish:
    """What segments: a method or a model, its parameters, and how it runs."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    same_space: bool = False
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    threads: int | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


@dataclass(frozen=True, slots=True)
class MeasureWish:
    """What is measured beside every label and region."""

    lesions: LesionPlan | None = None
    pet: PetPlan | None = None
    tissue: TissuePlan | None = None
    normal: NormalPlan | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    @property
    def plan(self) -> MeasurePlan:
        """The plan of the Records."""
        return MeasurePlan(lesions=self.lesions, pet=self.pet, tissue=self.tissue, normal=self.normal)


@dataclass(frozen=True, slots=True)
class ReportWish:
    """Whether each case has a page and a picture, and how many outliers stand first on the page over all."""

    pages: bool = True
    pictures: bool = True
    outliers: int = 24
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if self.outliers < 0:
            raise ConfigError(f"report.outliers is a number of cases, not {self.outliers}")


@dataclass(frozen=True, slots=True)
class ClusterWish:
    """Where the work is done, and when a worker is given up.

    Parameters
    ----------
    kind
        `local`: processes of this machine, on loopback. `address`: a Dask scheduler that runs already. `slurm`, `pbs`:
        jobs of a queue, each one worker.
    workers
        Processes, or jobs of a queue; of an address, those that it has.
    timeout_s
        A case that takes longer hangs.
    silence_s
        A worker that has given no sign of life for so long is given up: starved, stopped or cut off.
    dashboard
        Dask's pages about the cluster, on loopback; they tell nothing of patients but the names of cases.
    address
        `tls://HOST:PORT`; `tcp://` of this machine only.
    tls_ca, tls_cert, tls_key
        Files (PEM) by which scheduler and client know each other.
    queue, account, cores, memory, walltime, interface, directives
        Of a job of the queue: see dask-jobqueue. The interface is where nodes reach this machine.
    """

    kind: Literal["local", "address", "slurm", "pbs"] = "local"
    workers: int = 2
    timeout_s: float = 3600.0
    silence_s: float = 60.0
    dashboard: bool = False
    address: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    queue: str | None = None
    account: str | None = None
    cores: int | None = None
    memory: str | None = None
    walltime: str | None = None
    interface: str | None = None
    directives: tuple[str, ...] = ()
    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ConfigError(f"cluster.workers is at least 1, not {self.workers}")
        for name in ("timeout_s", "silence_s"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"cluster.{name} is a number of seconds above 0, not {getattr(self, name)}")
        if self.kind == "address":
            self._check_address()
        if self.kind in ("slurm", "pbs"):
            missing = [name for name in ("cores", "memory", "walltime") if getattr(self, name) is None]
            if missing:
                raise ConfigError(f"cluster.{missing[0]} is missing: a job of {self.kind} asks for it")

    def _check_address(self) -> None:
        parts = urlsplit(self.address)
        if parts.scheme not in ("tls", "tcp") or not parts.hostname:
            raise ConfigError(f"cluster.address is tls://HOST:PORT, not {self.address!r}")
        if parts.scheme == "tcp" and not _is_loopback(parts.hostname):
            raise ConfigError(
                f"cluster.address {self.address} is another machine's: whoever reaches a scheduler runs code on its "
                "workers, so give tls://… with tls_ca, tls_cert and tls_key"
            )
        if parts.scheme == "tls" and not (self.tls_ca and self.tls_cert and self.tls_key):
            raise ConfigError("cluster.address with tls:// needs tls_ca, tls_cert and tls_key, files in PEM")


@dataclass(frozen=True, slots=True)
class Study:
    """All that a study asks for; paths are absolute once it is read."""

    inputs: str
    segment: SegmentWish
    measure: MeasureWish = MeasureWish()
    report: ReportWish = ReportWish()
    cluster: ClusterWish = ClusterWish()
    qc: str | None = None
    __pydantic_config__: ClassVar[ConfigDict] = STRICT


_ADAPTER = TypeAdapter(Study)


def read_study(path: Path) -> Study:
    """Read a study; its paths are relative to its file.

    Raises
    ------
    ConfigError
        In one line that names the key.
    """
    try:
        values = parse_yaml(read_plain(path, most=_MOST_BYTES).decode("utf-8"))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise ConfigError(f"can't read study {path}: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is no study: it holds no mapping; see 'medseg cohort --example'")
    return _resolved(_validated(_spelt_out(values), path), path.absolute().parent)


def _spelt_out(values: dict[str, Any]) -> dict[str, Any]:
    """With `cluster: local`, `cluster: tls://…` and empty parts written in full."""
    found = {key: value for key, value in values.items() if value is not None}
    cluster = found.get("cluster")
    if isinstance(cluster, str):
        found["cluster"] = {"kind": "address", "address": cluster} if "://" in cluster else {"kind": cluster}
    return found


def _validated(values: dict[str, Any], path: Path) -> Study:
    try:
        refuse_unknown_keys(values, Study, "")
        return _ADAPTER.validate_python(values)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        own = first.get("ctx", {}).get("error")
        if own is None and first["type"] != "missing":
            own = f"{where}: {first['msg']}, not {repr(first['input'])[:_SHOWN]}"
        raise ConfigError(f"{path}: {own or f'{where} is missing'}") from error


def _resolved(study: Study, folder: Path) -> Study:
    def beside(text: str) -> str:
        return str(folder / text) if text else ""

    cluster = study.cluster
    files: dict[str, Any] = {
        name: beside(getattr(cluster, name)) for name in ("tls_ca", "tls_cert", "tls_key")
    }
    method = study.segment.method
    if method.startswith(("./", "../")):
        method = str((folder / method).resolve())
    return replace(
        study,
        inputs=beside(study.inputs),
        qc=None if study.qc is None else beside(study.qc),
        segment=replace(study.segment, method=method),
        cluster=replace(cluster, **files),
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
