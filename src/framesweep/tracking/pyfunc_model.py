"""The MLflow model of a predictor; MLflow runs this file when it saves or loads the model."""

import pkgutil
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class PhoneClassifier(PythonModel):
    """Predicts the phone of each frame of one utterance."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load weights, config and normalization statistics."""
        predictor_class = _find_predictor(context.model_config["predictor"])
        self.predictor = predictor_class.load(context.artifacts["predictor"])

    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> npt.NDArray[np.int64]:
        """Return the (T,) phone ids of an utterance.

        Args:
            model_input: (T, D) features, an array or a data frame of floats of any width.

        Raises:
            DataError: the features have another shape, or are not finite.
        """
        features = np.asarray(model_input)
        if features.dtype.kind != "f":
            features = features.astype(np.float32)
        phones: npt.NDArray[np.int64] = self.predictor.predict(features)
        return phones


def _find_predictor(name: str) -> Any:
    """Return the class with this name, as `package.module:Class`.

    It is found by name because a lower layer may not import the predictor.
    """
    package = name.partition(".")[0]
    try:
        return pkgutil.resolve_name(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
    # A model that an earlier version logged has been loaded first, and with it the package of
    # that time. That model's objects keep their modules. Forgotten by the import system, they
    # make way for those that this model brings, which MLflow has put first on sys.path.
    for module in [m for m in sys.modules if m.partition(".")[0] == package]:
        del sys.modules[module]
    return pkgutil.resolve_name(name)


set_model(PhoneClassifier())
