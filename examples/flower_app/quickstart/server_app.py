"""quickstart: the server side, as Flower's template has it; ``PhoneGrid`` is the one line that makes nodes phones."""

import torch
from flwr.app import ArrayRecord, ConfigRecord, Context
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

from chordsim.flower import PhoneCost, PhoneGrid
from quickstart.task import MACS_PER_EXAMPLE, PEAK_BYTES, Net

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Train over phones."""
    config = context.run_config
    torch.manual_seed(0)
    arrays = ArrayRecord(Net().state_dict())
    strategy = FedAvg(fraction_evaluate=config["fraction-evaluate"])
    cost = PhoneCost(macs_per_example=MACS_PER_EXAMPLE, peak_bytes=PEAK_BYTES, epochs=config["local-epochs"])
    with PhoneGrid(grid, config["scenario"], config["out"] or None, name="fedavg", cost=cost) as phones:
        strategy.start(
            grid=phones,
            initial_arrays=arrays,
            train_config=ConfigRecord({"lr": config["learning-rate"]}),
            num_rounds=config["num-server-rounds"],
        )
