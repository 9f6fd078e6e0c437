"""The batch, quality-momentum scores and regime labels on a CUDA device; optional, float64, the CPU's numbers."""
