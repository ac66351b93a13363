"""The direct question: erase a style or an object, draw the whole grid, see what is left."""
