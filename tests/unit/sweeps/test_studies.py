import optuna
import pytest

from framesweep.errors import TrackingError
from framesweep.sweeps.studies import load_study


@pytest.fixture
def outputs(tmp_path):
    optuna.create_study(study_name="one", storage=f"sqlite:///{tmp_path / 'studies.db'}")
    return tmp_path


def test_a_study_is_loaded_by_its_name(outputs):
    assert load_study("one", None, outputs).study_name == "one"
    with pytest.raises(TrackingError, match=r"found 'two'. There are: one\."):
        load_study("two", None, outputs)


@pytest.mark.parametrize("storage", ["{}/studies.db", "nothing://x", "{}/text", "sqlite:///{}"])
def test_an_invalid_storage_is_a_one_line_error(outputs, storage):
    (outputs / "text").write_text("no database")
    with pytest.raises(TrackingError) as caught:
        load_study("one", storage.format(outputs), outputs)
    assert "must be a storage of studies (" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_a_database_is_refused(outputs):
    (outputs / "studies.db").write_text("no database " * 100)
    with pytest.raises(TrackingError, match="must be a storage of studies"):
        load_study("one", None, outputs)


def test_a_missing_storage_is_an_error(tmp_path):
    with pytest.raises(TrackingError, match=r"studies\.db: must exist. Has any search"):
        load_study("one", None, tmp_path)
