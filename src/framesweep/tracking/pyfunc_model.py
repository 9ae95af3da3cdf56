"""The MLflow model of a predictor; MLflow runs this file when it saves or loads the model."""

import pkgutil
from typing import Any

import numpy as np
import numpy.typing as npt
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class PhoneClassifier(PythonModel):
    """Predicts the phone of each frame of one utterance."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load weights, config and normalization statistics."""
        # By name, as a lower layer may not import the predictor.
        predictor_class = pkgutil.resolve_name(context.model_config["predictor"])
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


set_model(PhoneClassifier())
