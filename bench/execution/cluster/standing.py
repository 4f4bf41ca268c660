"""Whether a cluster is up, bringing it up, and tearing it down."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from bench.execution.cluster.launcher import Launcher
from bench.execution.cluster.remote import CommandError, ConnectionLostError, call, last_lines, ray_command, shell
from bench.suite.errors import UserError


def nodes(launcher: Launcher) -> str | None:
    """What `ray status` says on the head; None where there is no head, or no Ray answers there."""
    if launcher.provider == "local":
        _know_own_machines(launcher)
    code, _ = call(launcher, ray_command("get-head-ip", str(launcher.path), quiet=False), 120)
    if code:
        return None
    with contextlib.suppress(CommandError, ConnectionLostError):
        return shell(launcher, f"{launcher.settings.python} -m ray.scripts.scripts status")
    return None


def bring_up(launcher: Launcher, say: Callable[[str], None]) -> None:
    """Attach to the cluster as it stands, or have Ray's launcher start it.

    Raises
    ------
    UserError
        `ray up` failed.
    """
    if nodes(launcher) is not None:
        say(f"cluster {launcher.name!r} is up")
        return
    say(f"cluster {launcher.name!r} is not up: starting it (`ray up {launcher.path}`), which may take minutes")
    code, out = call(launcher, ray_command("up", "--yes", str(launcher.path)), None)
    if code:
        lines = "".join(f"    {line}\n" for line in last_lines(out, 25).splitlines())
        raise UserError(
            f"`ray up {launcher.path}` failed; the end of what it printed:\n{lines}"
            f"  mend the file or the machines and try again; `ray down {launcher.path}` removes what was started"
        )


def tear_down(launcher: Launcher) -> None:
    """`ray down`: cloud machines are given back; on one's own Ray is stopped, workers' a minute after the head's."""
    if launcher.provider == "local":
        # `ray down` leaves these machines on, and finds no `ray` to stop where it is not on the login shell's PATH.
        # Workers notice that their head has gone.
        with contextlib.suppress(CommandError, ConnectionLostError):
            shell(launcher, f"{launcher.settings.python} -m ray.scripts.scripts stop")
    code, out = call(launcher, ray_command("down", "--yes", str(launcher.path)), None)
    if code:
        raise UserError(f"`ray down {launcher.path}` failed; machines may still run:\n{last_lines(out)}")


def _know_own_machines(launcher: Launcher) -> None:
    """Tell Ray's launcher here about a head that may have been started from elsewhere.

    For machines of one's own it keeps in a file of this machine what it has started. Where that file is missing,
    `ray up` would restart Ray on a head that is at work, and `ray exec` would not find the head.
    """
    import yaml
    from ray.autoscaler._private.local.node_provider import LocalNodeProvider, record_local_head_state_if_needed

    logging.getLogger(record_local_head_state_if_needed.__module__).setLevel(logging.WARNING)
    provider = yaml.safe_load(launcher.path.read_text(encoding="utf-8"))["provider"]
    if "head_ip" in provider:  # otherwise a coordinator server keeps account
        nodes_here = LocalNodeProvider(provider, launcher.name)  # type: ignore[no-untyped-call]
        record_local_head_state_if_needed(nodes_here)
