"""The two worlds: concepts, base model, detectors and real images of each."""
