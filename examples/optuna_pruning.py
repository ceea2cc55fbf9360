"""`chordsim.run` inside Optuna, pruned by round: a rate of training is searched, and trials that fall behind stop early."""

import tempfile

import optuna

import chordsim
from chordsim.callbacks import Callback, StopRun

METHOD = "chord-plus"


class Prune(Callback):
    """Reports NDCG@10 of every round to a trial, and ends the run where the trial has no hope."""

    def __init__(self, trial):
        self.trial, self.last = trial, 0.0

    def on_round(self, event):
        self.last = event.methods[METHOD]["ndcg_10_all"]
        self.trial.report(self.last, event.round)
        if self.trial.should_prune():
            raise StopRun(f"pruned after round {event.round}")


def objective(trial, scenario="offline", overrides=()):
    """Return NDCG@10 of what all users saw."""
    lr = trial.suggest_float("training.plan_lr", 1e-3, 1e-1, log=True)
    prune = Prune(trial)
    chosen = [f'methods=["{METHOD}"]', f"training.plan_lr={lr}", *overrides]
    with tempfile.TemporaryDirectory() as folder:
        try:
            run = chordsim.run(scenario, overrides=chosen, out=f"{folder}/run", report=False, callbacks=[prune])
        except StopRun as stopped:
            raise optuna.TrialPruned(str(stopped)) from stopped
        return run.summary["methods"][METHOD]["ndcg_10_all"]["mean"]


if __name__ == "__main__":
    study = optuna.create_study(direction="maximize", pruner=optuna.pruners.MedianPruner(n_warmup_steps=1))
    study.optimize(objective, n_trials=20)
    print(study.best_params)
