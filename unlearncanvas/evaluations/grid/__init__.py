"""The grid evaluation: erase a style or an object, draw the whole grid, score every concept."""
