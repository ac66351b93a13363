import tests.typecheck  # jaxtyping finds the checker as an attribute of this package
