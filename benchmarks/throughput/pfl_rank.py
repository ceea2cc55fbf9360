"""One process of pfl: a federated algorithm whose users are phones, one central iteration for each word on standard input."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
import torch
from pfl.aggregate.simulate import SimulatedBackend
from pfl.algorithm.base import FederatedAlgorithm
from pfl.common_types import Population
from pfl.context import CentralContext
from pfl.data.dataset import Dataset
from pfl.data.federated_dataset import FederatedDataset
from pfl.data.sampling import get_user_sampler
from pfl.hyperparam.base import AlgorithmHyperParams
from pfl.internal.ops import pytorch_ops
from pfl.internal.ops.selector import set_framework_module
from pfl.metrics import Metrics, Weighted
from pfl.model.base import Model

from benchmarks.throughput.kinds.cells import COMMON
from benchmarks.throughput.phone import Phones
from benchmarks.throughput.turns import GO
from benchmarks.throughput.work import CHUNK, prepare


class Nothing(Model):
    """pfl wants a model that takes updates; phones here send none."""

    def apply_model_update(self, statistics: Any) -> Any:
        return self, Metrics()


class Round(FederatedAlgorithm):
    """One central iteration: every phone of the cohort plays its round and tells its rank."""

    def __init__(self, phones: Phones, cohort: int) -> None:
        super().__init__()
        self.phones, self.cohort, self.rounds = phones, cohort, 0
        self.ranks: dict[int, float] = {}

    def get_next_central_contexts(
        self, model: Any, iteration: int, algorithm_params: Any, model_train_params: Any, model_eval_params: Any = None
    ) -> Any:
        if iteration >= self.rounds:
            return None, model, Metrics()
        context = CentralContext(iteration, False, self.cohort, Population.TRAIN, algorithm_params, model_train_params)
        return (context,), model, Metrics()

    def process_aggregated_statistics(self, central_context: Any, aggregate_metrics: Any, model: Any, statistics: Any) -> Any:
        return model, Metrics()

    def process_aggregated_statistics_from_all_contexts(self, stats_context_pairs: Any, aggregate_metrics: Any, model: Any) -> Any:
        return model, Metrics()

    def simulate_one_user(self, model: Any, user_dataset: Any, central_context: Any) -> Any:
        device = int(user_dataset.raw_data[0][0])
        _, rank = self.phones.play(device, user_dataset.raw_data[1].tobytes())
        self.ranks[device] = rank
        return None, Metrics([("rank", Weighted.from_unweighted(rank))])


def main(phones: int, overrides: list[str]) -> None:
    """Answer each word with the seconds of one central iteration and the sum of the first phones' ranks on all processes."""
    torch.set_num_threads(1)
    set_framework_module(pytorch_ops)
    np.random.seed(1)
    work = prepare(-(-phones // CHUNK) * CHUNK, overrides)
    played = Phones(work)
    # Every user once per iteration: the sampler takes those that were used least.
    sampler = get_user_sampler("minimize_reuse", list(range(phones)))
    frames = [np.frombuffer(frame, np.uint8) for frame in played.frames]
    data = FederatedDataset(lambda device: Dataset((np.array([device]), frames[device]), user_id=str(device)), sampler)
    algorithm, backend = Round(played, phones), SimulatedBackend(data, data)

    def once() -> tuple[float, float]:
        algorithm.rounds += 1
        algorithm.ranks.clear()
        began = time.perf_counter()
        algorithm.run(AlgorithmHyperParams(), backend, Nothing(), None, send_metrics_to_platform=False)
        seconds = time.perf_counter() - began
        mine = torch.tensor([sum(rank for device, rank in algorithm.ranks.items() if device < COMMON), float(len(algorithm.ranks))])
        if torch.distributed.is_initialized():
            torch.distributed.all_reduce(mine)
        if int(mine[1]) != phones:
            raise RuntimeError(f"pfl played {int(mine[1])} distinct phones, not {phones}")
        return seconds, float(mine[0])

    once()
    print("ready", work.flop_per_phone, flush=True)
    for line in sys.stdin:
        if line.strip() != GO:
            break
        print("result", *once(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
