"""A run in MLflow: settings as parameters, every round's numbers as metrics, the run directory's summary as an artifact."""

import mlflow

import chordsim
from chordsim.callbacks import Callback


class MlFlow(Callback):
    """Logs a run; W&B is the same with `wandb.init`, `wandb.log` and `wandb.save`."""

    def on_begin(self, event):
        mlflow.start_run(run_name=event.path.name)
        mlflow.log_params({"seed": event.scenario["seed"], "methods": ",".join(event.scenario["methods"])})

    def on_validation(self, event):
        mlflow.log_metric(f"validation.{event.training}", event.ndcg_10, step=event.step)

    def on_round(self, event):
        for method, line in event.methods.items():
            mlflow.log_metrics({f"{method}.{name}": line[name] for name in ("ndcg_10_all", "down_bytes")}, step=event.round)

    def on_end(self, event):
        mlflow.log_artifact(event.path / "summary.json")
        mlflow.end_run()


if __name__ == "__main__":
    chordsim.run("offline", callbacks=[MlFlow()])
