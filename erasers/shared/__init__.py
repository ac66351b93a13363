"""What several erasers use."""
