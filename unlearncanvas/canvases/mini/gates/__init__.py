"""The gates that the weights of the mini canvas must pass, measured and printed."""
