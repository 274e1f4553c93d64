"""Where a process stands in its team, in Lightning's words."""

from lightning.pytorch.plugins.environments import ClusterEnvironment  # type: ignore[attr-defined]

from medseg.training.team import Team

__all__ = ["TeamEnvironment"]


class TeamEnvironment(ClusterEnvironment):
    """A team whose processes are started and linked already: Lightning only asks who is who."""

    def __init__(self, team: Team) -> None:
        super().__init__()
        self.team = team

    @property
    def creates_processes_externally(self) -> bool:
        """So that Lightning starts none."""
        return True

    @property
    def main_address(self) -> str:
        """Not asked for: the links stand."""
        raise NotImplementedError

    @property
    def main_port(self) -> int:
        """As `main_address`."""
        raise NotImplementedError

    @staticmethod
    def detect() -> bool:
        """Only taken where it is given."""
        return False

    def world_size(self) -> int:
        """Processes in all."""
        return self.team.size

    def set_world_size(self, size: int) -> None:
        """It is known."""

    def global_rank(self) -> int:
        """Number of this process, from 0."""
        return self.team.rank

    def set_global_rank(self, rank: int) -> None:
        """It is known."""

    def local_rank(self) -> int:
        """Number of this process on its machine, which is that of its GPU."""
        return self.team.rank % self.team.here

    def node_rank(self) -> int:
        """Number of this machine."""
        return self.team.rank // self.team.here
