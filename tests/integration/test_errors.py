"""What a user can get wrong before the first step."""

import pytest

from framesweep.errors import CheckpointError, ConfigError, UserError
from framesweep.runs.run import resume, run
from integration.conftest import TINY

pytestmark = pytest.mark.usefixtures("empty_pictures")


@pytest.mark.parametrize(
    "override",
    [
        "data.context=51",
        "data.context=-1",
        "model.widths=[0]",
        "model.dropout=1.5",
        "model.dropout=[0.1]",
        "model.width=64",
        "model.activation=tanhh",
        "optim.lr=-1",
        "optim.lr=nan",
        "optim.label_smoothing=1",
        "train.epochs=0",
        "train.batch_size=0",
        "train.patience=0",
        "train.max_minutes=0",
        "train.checkpoint_minutes=-1",
        "train.max_minutes=nan",
        "objective=dev/acuracy",
        "objective=model/params",
        "further_objectives=[nothing]",
        "objective=dev/accuracy_39",
        "further_objectives=[dev/accuracy_unstressed]",
        "hardware.threads=0",
        "hardware.precision=fp16",
        "augment.time_masks=-1",
        "tracking.uri=nonsense",
    ],
)
def test_a_bad_value_is_rejected_with_its_key(compose, hw1p2_root, tmp_path, override):
    key = override.partition("=")[0]
    values = [t for t in TINY if key.partition(".")[0] != "tracking" or "tracking" not in t]
    data = ["data=hw1p2", f"data.root={hw1p2_root}"]
    with pytest.raises(ConfigError) as caught:
        run(compose(*data, *values, "model.widths=[8,8]", override), tmp_path / "run")
    assert str(caught.value).startswith(key)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("root", ["null", "/nowhere/at/all"])
@pytest.mark.parametrize("data", ["hw1p2", "hw1p2_folders"])
def test_a_missing_corpus_folder_is_a_one_line_error(compose, tmp_path, data, root):
    with pytest.raises(UserError, match=r"data.root|/nowhere"):
        run(compose(f"data={data}", f"data.root={root}", *TINY), tmp_path / "run")


@pytest.mark.parametrize(
    "setting", ["optim.schedule=onecycle", "train.final_batch_size=128", "train.average=swa"]
)
def test_a_run_whose_schedule_depends_on_its_length_cannot_be_lengthened(
    compose, hw1p2_root, tmp_path, setting
):
    data = ["data=hw1p2", f"data.root={hw1p2_root}"]
    directory = tmp_path / "run"
    run(compose(*data, *TINY, "model.widths=[8,8]", setting), directory)
    with pytest.raises(ConfigError, match=r"train\.epochs: cannot change"):
        resume(str(directory), ["train.epochs=2"], None, tmp_path)
    longer = compose(*data, *TINY, "model.widths=[8,8]", setting, "train.epochs=2")
    with pytest.raises(CheckpointError, match="must be saved with this config and corpus"):
        run(longer, directory)
