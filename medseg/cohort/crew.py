"""The crew on Dask: a cluster started or found, orders as tasks of one worker each, answers as events.

Dask sends orders and code as pickles over sockets: see decision record 0017. Clusters that are started here speak TLS
with keys that live as long as they do, on loopback unless a queue runs the workers elsewhere.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any
from uuid import uuid4

from medseg.cohort.ledger import CaseRow
from medseg.cohort.study import ClusterWish
from medseg.cohort.work import CaseAnswer, Order, stop_work, work_on
from medseg.errors import ResourceError
from medseg.extras import require_extra

__all__ = ["DaskCrew", "crew_of"]

_CONNECT_S, _ASK_S, _CLOSE_S = 30.0, 10.0, 5.0


def _carry_out(order: Order, topic: str) -> dict[str, Any]:
    """The task: the answer goes as an event, which is one message, and stays to be asked for if that got lost."""
    from distributed import get_worker

    answer = asdict(work_on(order))
    get_worker().log_event(topic, answer)
    return answer


class DaskCrew:
    """Workers of a cluster; nothing is kept of what has been answered."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._topic = f"medseg-{uuid4().hex}"
        self._futures: dict[int, Any] = {}
        self._finished: set[int] = set()
        self._came: queue.SimpleQueue[CaseAnswer] = queue.SimpleQueue()
        client.subscribe_topic(self._topic, lambda event: self._came.put(_answer(event[1])))

    def workers(self) -> Mapping[str, float]:
        """See `Crew`; none while the scheduler can't be reached."""

        def silent(dask_scheduler: Any) -> dict[str, float]:
            now = time.time()
            return {name: now - state.last_seen for name, state in dask_scheduler.workers.items()}

        try:
            found: dict[str, float] = self._client.sync(
                self._client.run_on_scheduler, silent, callback_timeout=_ASK_S
            )
        except Exception:  # noqa: BLE001 - whatever it is, nobody can be reached
            return {}
        return found

    def send(self, worker: str, orders: Sequence[Order]) -> None:
        """See `Crew`."""
        keys = [f"case-{self._topic[-8:]}-{order.number}" for order in orders]
        futures = self._client.map(
            _carry_out,
            list(orders),
            topic=self._topic,
            key=keys,
            workers=[worker],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        self._futures.update({order.number: item for order, item in zip(orders, futures, strict=True)})

    def answers(self, patience_s: float) -> list[CaseAnswer]:
        """See `Crew`."""
        found: list[CaseAnswer] = []
        with suppress(queue.Empty):
            found.append(self._came.get(timeout=patience_s))
            while True:
                found.append(self._came.get_nowait())
        for answer in found:
            self._futures.pop(answer.number, None)
            self._finished.discard(answer.number)
        return found

    def faults(self) -> Mapping[int, str]:
        """See `Crew`."""
        found = {}
        for number, future in list(self._futures.items()):
            if future.status == "finished" and number in self._finished:
                with suppress(Exception):
                    self._came.put(_answer(future.result(timeout=_ASK_S)))
            elif future.status == "finished":
                self._finished.add(number)
            elif future.status in ("error", "lost", "cancelled"):
                found[number] = _words(future)
                del self._futures[number]
        return found

    def drop(self, worker: str, orders: Sequence[int]) -> None:
        """See `Crew`."""
        futures = [self._futures.pop(number) for number in orders if number in self._futures]
        with suppress(Exception):
            self._client.cancel(futures, asynchronous=False, force=True)

        def restart() -> None:
            with suppress(Exception):
                self._client.restart_workers([worker], timeout=_CONNECT_S, raise_for_error=False)

        threading.Thread(target=restart, daemon=True).start()

    def stop(self) -> None:
        """End what is being done everywhere."""
        with suppress(Exception):
            self._client.sync(self._client.run, stop_work, wait=False, callback_timeout=_CLOSE_S)


def _answer(plain: dict[str, Any]) -> CaseAnswer:
    return CaseAnswer(plain["number"], plain["outcome"], CaseRow(**plain["row"]))


def _words(future: Any) -> str:
    """Why a task failed; empty where its worker did."""
    if future.status != "error":
        return ""
    from distributed.scheduler import KilledWorker

    try:
        error = future.exception(timeout=_ASK_S)
    except Exception:  # noqa: BLE001 - nothing can be learned, so the worker is asked for again
        return ""
    if isinstance(error, KilledWorker):
        return ""
    return f"its worker can't do it: {type(error).__name__}: {error}"


@contextmanager
def crew_of(wish: ClusterWish, shared: str = ".") -> Iterator[DaskCrew]:
    """Workers as a study wishes for them, ended at the end where they were started here.

    `shared` is a folder that all workers see; jobs of a queue find their keys there.

    Raises
    ------
    MissingExtra
        If Dask is not installed.
    ResourceError
        If no cluster can be started or reached.
    """
    require_extra("cluster", "a cohort")
    import dask
    from distributed import Client

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with dask.config.set(_settings(wish, shared)):
        cluster, address, security = _cluster(wish)
        try:
            client = _client(Client, cluster if cluster is not None else address, security)
        except BaseException:
            _close(cluster)
            raise
        crew = DaskCrew(client)
        try:
            yield crew
        finally:
            crew.stop()
            with suppress(Exception):
                client.close(timeout=_CLOSE_S)
            _close(cluster)


def _settings(wish: ClusterWish, shared: str) -> dict[str, Any]:
    threads = max(1, (os.cpu_count() or 1) // wish.workers) if wish.kind == "local" else wish.cores or 1
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    return {
        "distributed.nanny.pre-spawn-environ": dict.fromkeys(names, str(threads)),
        # Keys for the jobs of a queue, where the nodes see them and their owner alone reads them.
        f"jobqueue.{wish.kind}.shared-temp-directory": shared,
        "distributed.worker.profile.enabled": False,
        "distributed.worker.daemon": False,
        "distributed.scheduler.allowed-failures": 0,
        "distributed.admin.low-level-log-length": 100,
        "logging": {
            "distributed": "critical",
            "distributed.worker": "critical",
            "distributed.nanny": "critical",
        },
    }


def _cluster(wish: ClusterWish) -> tuple[Any, str, Any]:
    """(cluster that is started here, address of one that is not, security)."""
    from distributed import LocalCluster, Security

    dashboard = "127.0.0.1:0" if wish.dashboard else None
    if wish.kind == "address":
        keys = {"tls_ca_file": wish.tls_ca, "tls_client_cert": wish.tls_cert, "tls_client_key": wish.tls_key}
        secure = Security(require_encryption=True, **keys) if wish.address.startswith("tls") else None
        return None, wish.address, secure
    security = Security.temporary()
    try:
        if wish.kind == "local":
            cluster = LocalCluster(
                n_workers=wish.workers,
                threads_per_worker=2,  # one case to work on, one to read
                processes=True,
                host="127.0.0.1",
                dashboard_address=dashboard,
                memory_limit=0,  # what a case holds is held by another process
                security=security,
                silence_logs=logging.CRITICAL,
            )
            return cluster, "", security
        return _queue(wish, security, dashboard), "", security
    except (OSError, RuntimeError, ValueError) as error:
        raise ResourceError(f"no cluster of kind {wish.kind} can be started: {_line(error)}") from error


def _queue(wish: ClusterWish, security: Any, dashboard: str | None) -> Any:
    """Jobs of a queue, each one worker; one that comes to its end is followed by another."""
    from dask_jobqueue.pbs import PBSCluster
    from dask_jobqueue.slurm import SLURMCluster

    kind = {"slurm": SLURMCluster, "pbs": PBSCluster}[wish.kind]
    cluster = kind(
        queue=wish.queue,
        account=wish.account,
        cores=wish.cores,
        processes=1,
        memory=wish.memory,
        walltime=wish.walltime,
        interface=wish.interface,
        job_extra_directives=list(wish.directives),
        worker_extra_args=["--nthreads", "2", "--memory-limit", "0"],
        security=security,
        protocol="tls://",
        scheduler_options={"dashboard_address": dashboard, "interface": wish.interface},
        silence_logs=logging.CRITICAL,
    )
    cluster.adapt(minimum=wish.workers, maximum=wish.workers)
    return cluster


def _client(kind: Any, target: Any, security: Any) -> Any:
    try:
        return kind(target, security=security, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError, RuntimeError, ValueError) as error:
        raise ResourceError(f"the scheduler at {target} can't be reached: {_line(error)}") from error


def _close(cluster: Any) -> None:
    if cluster is not None:
        with suppress(Exception):
            cluster.close(timeout=_CLOSE_S)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
