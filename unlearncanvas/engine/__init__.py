"""What every evaluation needs: erase, draw, detect, store, share the work."""
