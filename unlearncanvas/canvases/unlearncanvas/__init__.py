"""UnlearnCanvas: 51 styles x 20 objects of photographs."""
