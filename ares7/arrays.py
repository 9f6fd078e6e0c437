"""Array types, with their dimensions in the name.

T is the number of sessions, N the number of symbols. Arrays are C-ordered; floats are float64.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Float1D = NDArray[np.float64]
"""(T,) or (N,) float64."""
Float2D = NDArray[np.float64]
"""(T, N) float64."""
Bool1D = NDArray[np.bool_]
Bool2D = NDArray[np.bool_]
Int1D = NDArray[np.int64]
Int2D = NDArray[np.int64]
Label1D = NDArray[np.int8]
"""(T,) int8 labels, for example regimes."""
Dates = NDArray[np.datetime64]
"""(T,) datetime64[D] exchange session dates."""
AnyArray = NDArray[Any]
