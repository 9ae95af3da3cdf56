"""Tables of sweeps."""

import optuna
import pytest
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState, create_trial

from framesweep.api.trial_tables import build_grid_table, build_study_table
from framesweep.catalog.run_file import write_run_file


def test_a_table_of_a_study_ranks_its_complete_trials(tmp_path):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize")
    study.set_metric_names(["dev/accuracy"])
    states = [
        (TrialState.COMPLETE, 0.5),
        (TrialState.PRUNED, None),
        (TrialState.COMPLETE, 0.75),
    ]
    for number, (state, value) in enumerate(states):
        study.add_trial(
            create_trial(
                state=state,
                value=value,
                params={"+model.dropout": number / 10},
                distributions={"+model.dropout": FloatDistribution(0, 1)},
            )
        )
    run = {"key": "k", "run_id": "abc", "uri": "sqlite:///x"}
    (tmp_path / "1" / "tracking").mkdir(parents=True)
    write_run_file(tmp_path / "1" / "tracking", run)
    table = build_study_table(study, tmp_path)
    assert table["state"].tolist() == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert table["rank"].fillna(0).tolist() == [2, 0, 1]
    assert table["dev/accuracy"].fillna(0).tolist() == [0.5, 0.0, 0.75]
    assert table["model.dropout"].tolist() == [0.0, 0.1, 0.2]
    assert table["directory"].tolist() == [str(tmp_path / str(i)) for i in range(3)]
    assert table["run_id"].fillna("").tolist() == ["", "abc", ""]


def test_a_table_of_a_study_without_trials_is_empty(tmp_path):
    assert build_study_table(optuna.create_study(), tmp_path).empty


@pytest.mark.parametrize(("maximize", "ranks"), [(True, [2, 1]), (False, [1, 2])])
def test_a_table_of_a_grid_has_its_swept_values_and_ranks(tmp_path, maximize, ranks):
    jobs = []
    for number, value in enumerate((0.25, [0.5, 100.0])):
        job = JobReturn()
        job.overrides = [f"data.context={number + 5}", "train.epochs=3"]
        job.hydra_cfg = OmegaConf.create(
            {"hydra": {"runtime": {"output_dir": str(tmp_path / str(number))}}}
        )
        job.return_value = value if isinstance(value, list) else [value, 50.0]
        job.status = JobStatus.COMPLETED
        jobs.append(job)
    objectives = ["dev/accuracy", "model/params"]
    table = build_grid_table(jobs, ["data.context"], objectives, maximize=maximize)
    assert table["rank"].tolist() == ranks
    assert table["dev/accuracy"].tolist() == [0.25, 0.5]
    assert table["model/params"].tolist() == [50.0, 100.0]
    assert table["data.context"].tolist() == [5, 6]
    assert "train.epochs" not in table
