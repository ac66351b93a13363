"""Result files, and the tables that are made of them."""
