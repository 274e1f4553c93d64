"""`medseg doctor`: is this installation healthy?"""

from dataclasses import asdict

import typer

from medseg.cli import options as opt
from medseg.cli.output import emit, print_table
from medseg.workflows.doctor import examine


def command(json: opt.Json = False) -> None:
    """Name versions, devices, missing extras and broken plugins, and time one 3D convolution."""
    checks = examine()
    if json:
        emit("doctor", [asdict(check) for check in checks])
    else:
        print_table(
            ("", "what", "found"), [("ok" if item.ok else "FAULT", item.name, item.found) for item in checks]
        )
    if not all(item.ok for item in checks):
        raise typer.Exit(1)
