"""The points that `sweep.start_from` can name, besides studies: recipes and runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from framesweep.catalog import resolve_run
from framesweep.catalog.database import find_database
from framesweep.config.composition import CONFIG_FILE, load, to_run_config
from framesweep.config.groups import option_groups
from framesweep.config.plain import flatten, schema_names
from framesweep.errors import TrackingError
from framesweep.sweeps.context import remove_hydra
from framesweep.tracking import find_run_directory


class KnownPoints:
    """Finds the values of a recipe or of a run; the sweeper calls its method."""

    def find(self, name: str, config: DictConfig) -> list[str] | Mapping[str, Any] | None:
        """Return the overrides of a recipe, or the values of a run by key.

        A group has the name of its schema as value, such as adam. Returns None if there is
        neither a recipe nor a run of that name.

        Raises:
            ConfigError: The saved config of the run is damaged.
        """
        if name in option_groups()["recipe"]:
            return [f"recipe={name}"]
        run_config = to_run_config(remove_hydra(config))
        uri, outputs = run_config.tracking.uri, Path(run_config.outputs)
        try:
            if _is_unknown(name, uri, outputs):
                return None
            directory = find_run_directory(name, uri, outputs)
        except TrackingError:
            return None
        path = directory / CONFIG_FILE
        if not path.exists():
            return None
        saved = load(path.read_text(encoding="utf-8"), [], path)
        return {**schema_names(saved), **flatten(saved)}


def _is_unknown(name: str, uri: str | None, outputs: Path) -> bool:
    """Return whether a database on disk has no run of a name.

    MLflow would find none there either, and may write to its database while it looks.
    """
    is_local = find_database(uri, outputs) is not None and not Path(name).is_dir()
    return is_local and resolve_run(name, uri, outputs) is None
