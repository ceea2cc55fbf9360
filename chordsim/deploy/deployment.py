"""A deployment on one machine: a SuperLink and N SuperNodes as processes of their own, TLS and node authentication on."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from chordsim.deploy import keys, processes
from chordsim.deploy.flower_cli import Flower, write_app, write_home
from chordsim.deploy.keys import Tls
from chordsim.deploy.processes import Process
from chordsim.errors import RunError
from chordsim.installed import HOME
from chordsim.progress import Progress, Silent
from chordsim.watchdog import Watchdog

HOST = "127.0.0.1"
START_S, POLL_S = 120.0, 2.0
#: Keys of the run config and a value of each one's type.
CONFIG: dict[str, Any] = {
    "scenario": "",
    "data-root": "",
    "out": "",
    "seed": 0,
    "resume": False,
    "allow-drift": False,
    "report": True,
}
#: Flower as this command needs it: silent, offline, apps from this installation, nothing in the user's home.
_ENVIRONMENT = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "PYTHONUNBUFFERED": "1",
    "NO_COLOR": "1",
}


@dataclass
class Deployment:
    """A running SuperLink with its nodes.

    Attributes:
        folder: Keys, certificates, logs and Flower's home; mode 0700.
        address: Host and port of the SuperLink.
        tls: Its certificates.
        flower: Flower's command line against it.
        environment: Environment of every process.
        watchdog: What ends all of it if this process cannot.
        running: Processes in the order of their start.
    """

    folder: Path
    address: str
    tls: Tls
    flower: Flower
    environment: dict[str, str]
    watchdog: Watchdog
    running: list[Process] = field(default_factory=list)

    def start_link(self) -> Process:
        """Start the SuperLink and wait until it answers."""
        host, port = self.address.split(":")
        link = processes.start(
            "superlink",
            [
                "flower-superlink",
                "--host",
                host,
                "--port",
                port,
                "--ssl-certfile",
                str(self.tls.certificate),
                "--ssl-keyfile",
                str(self.tls.key),
                "--ssl-ca-certfile",
                str(self.tls.authority),
                "--enable-supernode-auth",
                "--disable-runtime-dependency-installation",
            ],
            self.folder,
            self.environment,
            self.watchdog,
        )
        self.running.append(link)

        refused = ""

        def answers() -> bool:
            nonlocal refused
            if link.ended:
                raise RunError(f"the SuperLink ended: {link.last_lines()}; its log is {link.log}")
            try:
                return self.flower.online() == 0
            except RunError as error:
                refused = str(error)
                return False

        try:
            wait_for(answers, "the SuperLink", START_S)
        except RunError as error:
            raise RunError(f"{error}: {refused}" if refused and not link.ended else str(error)) from error
        return link

    def start_node(self, number: int, of: int, private_key: Path, authority: Path | None = None) -> Process:
        """Start a SuperNode; it may or may not be let in."""
        (port,) = processes.free_ports(1)
        node = processes.start(
            f"supernode-{number}",
            [
                "flower-supernode",
                "--superlink",
                self.address,
                "--root-certificates",
                str(authority or self.tls.authority),
                "--auth-supernode-private-key",
                str(private_key),
                "--port",
                str(port),
                "--node-config",
                f"partition-id={number} num-partitions={of}",
            ],
            self.folder,
            self.environment,
            self.watchdog,
        )
        self.running.append(node)
        return node

    def add_nodes(self, count: int) -> None:
        """Make keys for nodes, register and start them, and wait until all are online."""
        nodes = []
        for number in range(count):
            private, public = keys.make_node_key(self.folder / "keys", f"node-{number}")
            self.flower.register(public)
            nodes.append(self.start_node(number, count, private))

        def online() -> bool:
            for node in nodes:
                if node.ended:
                    raise RunError(f"{node.name} ended: {node.last_lines()}; its log is {node.log}")
            return self.flower.online() == count

        wait_for(online, f"{count} nodes", START_S)

    def run(self, scenario: Path, out: Path, timeout_s: float, data_root: str = "") -> dict[str, Any]:
        """Run a scenario on the nodes and return what the SuperLink says of the run.

        Args:
            scenario: A TOML file.
            out: The run directory to make.
            timeout_s: How long the run may take.
            data_root: Where data sets lie; empty for the default.

        Raises:
            RunError: The run failed or took too long; the text holds the app's last words.
        """
        app = write_app(self.folder / "app", CONFIG)
        config = self.folder / "run.toml"
        config.write_text(tomli_w.dumps({"scenario": str(scenario), "out": str(out), "data-root": data_root}), encoding="utf-8")
        run_id = self.flower.run(app, config)
        found: dict[str, Any] = {}

        def finished() -> bool:
            found.update(self.flower.state(run_id))
            return str(found["status"]).startswith("finished")

        wait_for(finished, f"run {run_id}", timeout_s)
        if found["status"] != "finished:completed":
            words = " ".join(self.flower.log(run_id).split())[-600:]
            raise RunError(f"the deployed run ended as {found['status']}: {words}")
        return found


@contextmanager
def deployment(folder: Path | None = None, keep: bool = False) -> Iterator[Deployment]:
    """Start a SuperLink on loopback; whatever was started in the block is stopped when it ends.

    Args:
        folder: Where keys and logs go; a fresh temporary folder by default.
        keep: Leave the folder, with its logs; keys go in any case.
    """
    where = folder or Path(tempfile.mkdtemp(prefix="chordsim-deploy-"))
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    secret = [where / "keys", where / "tls", *([] if keep else [where])]
    # Before the first key is made: it ends processes and removes keys if this process is killed.
    with Watchdog(secret) as watchdog:
        try:
            yield from _deployed(where, watchdog)
        finally:
            for one in secret:
                shutil.rmtree(one, ignore_errors=True)


def _deployed(where: Path, watchdog: Watchdog) -> Iterator[Deployment]:
    tls = keys.make_tls(where / "tls", HOST)
    address = f"{HOST}:{processes.free_ports(1, HOST)[0]}"
    write_home(where / "home", address, tls.authority)
    # The apps live in this installation, which Flower's processes must find.
    home = str(HOME)
    paths = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    # The SuperLink starts programs of its own by name.
    programs = os.pathsep.join([str(Path(processes.program("flower-superlink")).parent), os.environ.get("PATH", os.defpath)])
    environment = {**os.environ, **_ENVIRONMENT, **watchdog.mark, "FLWR_HOME": str(where / "home"), "PYTHONPATH": paths, "PATH": programs}
    made = Deployment(where, address, tls, Flower(environment), environment, watchdog)
    try:
        made.start_link()
        yield made
    finally:
        processes.stop(made.running)


def wait_for(ready: Callable[[], bool], what: str, limit_s: float, progress: Progress | None = None) -> None:
    """Ask until it is so.

    Raises:
        RunError: It was not so within the limit.
    """
    progress = progress or Silent()
    deadline = time.monotonic() + limit_s
    while not ready():
        if time.monotonic() > deadline:
            raise RunError(f"{what}: not ready within {limit_s:g} s")
        time.sleep(POLL_S)
