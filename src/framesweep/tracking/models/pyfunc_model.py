"""The MLflow model of a trained network; MLflow runs this file when it saves or loads one."""

import json
import pkgutil
import sys
from typing import Any

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class InvalidInputError(MlflowException):
    """An input that the model cannot label; the message is one line for the user.

    A scoring server passes the message of an MlflowException on to its client, and of any other
    exception the traceback. `__cause__` is the error of framesweep.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error), error_code=INVALID_PARAMETER_VALUE)
        self._line = str(error)

    def serialize_as_json(self) -> str:
        """Return the body of a server's answer: the line alone.

        MLflow would put the whole input in front of it.
        """
        return json.dumps({"error_code": self.error_code, "message": self._line})


class PhoneClassifier(PythonModel):
    """Labels utterances with phones and their times."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load weights, config, phones and normalization statistics."""
        model_class = _find_class(context.model_config["served_model"])
        self._model = model_class.load(context.artifacts["predictor"])
        # From the package that the model's own code belongs to; see `_find_class`.
        self._user_error: type[Exception] = pkgutil.resolve_name("framesweep.errors:UserError")

    def predict(
        self,
        context: PythonModelContext,
        # Anything, in fact. MLflow warns about every other hint, and about none.
        model_input: np.ndarray,
        params: dict[str, Any] | None = None,
    ) -> pd.DataFrame:
        """Return the phones of one or more utterances, in the columns of the signature.

        Args:
            model_input: features, samples or paths, as `framesweep.evaluation.model_input`
                describes them.
            params: `sample_rate` of samples in Hz; `smooth` to smooth by Viterbi's algorithm;
                `frames` for a row per frame instead of a row per phone.

        Raises:
            InvalidInputError: the input cannot be labelled.
        """
        try:
            return pd.DataFrame(self._model.predict(model_input, params or {}))
        except self._user_error as error:
            raise InvalidInputError(error) from error


def _find_class(name: str) -> Any:
    """Return the class with this name, as `package.module:Class`.

    It is found by name because a lower layer may not import it.
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
