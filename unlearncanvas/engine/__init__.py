"""The engine: makes the models of an evaluation, draws its image sets, stores and scores them."""
