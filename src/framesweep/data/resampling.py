"""Changes of sample rate."""

import math

import numpy as np

from framesweep.data.corpus import Array


def resampled(samples: Array, own_rate: int, rate: int) -> Array:
    """(N,) samples at `own_rate` Hz to `rate` Hz, by a polyphase low-pass filter.

    The filter removes what the new rate cannot hold. Keeps float32 as float32.
    """
    from scipy.signal import resample_poly  # slow to import, and a prepared corpus needs none

    common = math.gcd(own_rate, rate)
    return np.asarray(resample_poly(samples, rate // common, own_rate // common))
