"""Canvases: concepts, captions, base model, detectors and real images of one world in one folder.

To add a canvas, add a folder with a ``spec.py`` of two classes, a ``CanvasDetectors`` and a
``CanvasImages``, and one line for each in ``canvases/spec.py``. A protocol's file then names them
by their fields; nothing else knows a canvas by name.
"""
