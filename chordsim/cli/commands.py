"""The commands and what they are called; each lives in a file of its own and imports what it needs when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from chordsim.cli import compare, data, deploy, export, flwr, forecast, measure, population, recost, report, run, scenarios, sweep, verify
from chordsim.installed import VERSION

app = typer.Typer(
    name="chordsim",
    help="A testbed for device-cloud recommendation: virtual phones, real messages, one ledger of bytes, seconds and joules.",
    epilog="Example: chordsim run quickstart --seed 2",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run", epilog="Example: chordsim run quickstart --set rounds.count=1 --out runs/first")(run.run)
app.command("population", epilog="Example: chordsim population quickstart --csv phones.csv")(population.population)
app.command("forecast", epilog="Example: chordsim forecast quickstart --set clock.loss=0.1")(forecast.forecast)
app.command("recost", epilog="Example: chordsim recost runs/quickstart-1-1 --set 'population.era=\"2025\"'")(recost.recost)
app.command("compare", epilog="Example: chordsim compare runs/quickstart-1-1 runs/quickstart-2-1")(compare.compare)
app.command("sweep", epilog="Example: chordsim sweep offline --over settings.chord-plus.bits=1,2,3,4 --seeds 3")(sweep.sweep)
app.command("report", epilog="Example: chordsim report runs/quickstart-1-1")(report.report)
app.command("export", epilog="Example: chordsim export runs/quickstart-1-1 --method chord-plus --to onnx --out phones")(export.export)
app.command("measure", epilog="Example: chordsim measure runs/quickstart-1-1 --to onnx --out latency.csv")(measure.measure)
app.command("verify", epilog="Example: chordsim verify runs/quickstart-1-1")(verify.verify)
app.command("flwr-env", epilog='Example: eval "$(chordsim flwr-env)"')(flwr.flwr_env)
app.command("flwr-stop", epilog="Example: chordsim flwr-stop")(flwr.flwr_stop)
app.command("deploy", epilog="Example: chordsim deploy offline --nodes 3 --set 'methods=[\"chord-plus\"]'")(deploy.deploy)
app.add_typer(data.app, name="data")
app.add_typer(scenarios.app, name="scenarios")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chordsim {VERSION}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Hold the options that belong to no command."""
