"""What the parent of a search says about it."""

import optuna
from optuna.trial import TrialState, create_trial

from framesweep.sweeps.study_note import build_study_note, winner_params


def test_the_note_counts_trials_and_lists_the_best_first(study):
    note = build_study_note(study)
    assert note.startswith("Study s (maximize value): 4 complete, 1 pruned, 1 failed.")
    assert " a.lr=0.6 'data.root=/with space'\n" in note
    rows = [line for line in note.splitlines() if line.startswith("| trial")]
    assert rows == [
        "| trial 2 | 0.9 | 0.6 | y |",
        "| trial 5 | 0.7 | 0.8 | y |",
        "| trial 0 | 0.4 | 0.1 | x |",
    ]


def test_the_note_tells_rejected_points_from_pruned_trials(study):
    attrs = {"pruned_by": "constraints"}
    study.add_trial(create_trial(state=TrialState.PRUNED, user_attrs=attrs))
    counts = "4 complete, 1 pruned, 1 failed, 1 rejected by constraints."
    assert build_study_note(study).startswith(f"Study s (maximize value): {counts}")


def test_the_winner_has_its_values_under_the_names_of_its_run(study):
    assert winner_params(study) == {"_swept/a.lr": 0.6, "_swept/m": "y"}


def test_a_pareto_front_has_a_table_and_no_winner(two_objectives):
    note = build_study_note(two_objectives)
    assert "(maximize value and minimize value\\_2)" in note
    assert note.count("| trial") == 2
    assert "Train the best one again" not in note
    assert "The commands that train the Pareto front again are in best.yaml." in note
    assert winner_params(two_objectives) == {}


def test_a_study_without_results_is_described():
    study = optuna.create_study(study_name="new")
    assert build_study_note(study).startswith("Study new (minimize value): 0 complete")
    assert winner_params(study) == {}


def test_the_note_describes_the_studies_that_are_extended():
    storage = optuna.storages.InMemoryStorage()
    for number, name in enumerate(("s", "s-2", "s-3"), start=1):
        study = optuna.create_study(study_name=name, storage=storage)
        study.add_trial(optuna.trial.create_trial(value=number / 10))
        if number > 1:
            changes = [["epochs", str(number - 1), str(number)]]
            earlier = "s" if number == 2 else "s-2"
            study.set_user_attr("extends", {"study": earlier, "changes": changes})
    study = optuna.load_study(study_name="s-3", storage=storage)
    note = build_study_note(study)
    first = note.index("It extends an earlier one (epochs: 2 -\\> 3). Study s-2")
    assert "Its best value is 0.2. It extends an earlier one (epochs: 1 -\\> 2)" in note[first:]
    assert "Its best value is 0.1." in note
