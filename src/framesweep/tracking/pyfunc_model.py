"""The MLflow model of a predictor. MLflow runs this file when it saves and loads one."""

import pkgutil
from typing import Any

import numpy as np
import numpy.typing as npt
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class PhoneClassifier(PythonModel):
    """Maps the features of one utterance to phone ids."""

    def load_context(self, context: PythonModelContext) -> None:
        """Loads weights, config and statistics."""
        kind = pkgutil.resolve_name(context.model_config["predictor"])
        self.predictor = kind.load(context.artifacts["predictor"])

    def predict(
        self,
        context: PythonModelContext,
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> npt.NDArray[np.int64]:
        """(T, D) features, an array or a data frame of floats, to (T,) phone ids.

        Raises:
            DataError: another shape, or values that are not finite.
        """
        features = np.asarray(model_input)
        if features.dtype.kind != "f":
            features = features.astype(np.float32)
        phones: npt.NDArray[np.int64] = self.predictor.predict(features)
        return phones


set_model(PhoneClassifier())
