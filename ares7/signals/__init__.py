"""Pure causal functions: arrays in, arrays out; row t uses rows up to and including t.

Every window is computed from its own rows in a fixed order of additions, so that a row is the same to the
last bit whether it is computed from the whole history, from a prefix or from the warm-up alone (rulings 9).
"""
